"""From a name to a trained system: what is trained, saved, gone on with, and refused."""

import json
import os
import signal
from dataclasses import fields

import numpy as np
import pytest
import torch
from PIL import Image

from t2ilab.data import failures, paperworld
from t2ilab.data.captioned import CaptionedImages
from t2ilab.errors import DataError, TrainingError, UsageError, WeightsError
from t2ilab.fit import Stopped
from t2ilab.fit.folder import PREPARED
from t2ilab.models import reed
from t2ilab.recipes import encoder as encoder_recipe
from t2ilab.recipes import reader as reader_recipe
from t2ilab.recipes import text_gan
from t2ilab.recipes.data import encode_all, load_data
from t2ilab.recipes.text_gan import PLANS, RECIPES
from t2ilab.recipes.train import train
from t2ilab.systems import weights
from t2ilab.systems.encoders import load_encoder
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.text.encoders import GRUEncoder, MeanVectorEncoder
from t2ilab.text.tokens import Vocabulary
from t2ilab.trainers.text_gan import SYSTEMS, Recipe

QUICK = {"profile": "smoke", "device": "cpu", "show": False, "width": 2}
pytestmark = pytest.mark.usefixtures("few_test_pictures")


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Twelve pictures in the layout of Flickr8k; one has a caption of which nothing can be made."""
    root = tmp_path_factory.mktemp("flickr8k")
    (root / "Flicker8k_Dataset").mkdir()
    names, lines = [f"{k}_a.jpg" for k in range(12)], []
    for k, name in enumerate(names):
        picture = np.random.default_rng(k).integers(0, 256, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(picture).save(root / "Flicker8k_Dataset" / name)
        said = [f"A {'red' if k % 2 else 'blue'} dog {verb} ." for verb in 2 * ("sits", "runs")]
        lines += [
            f"{name}#{i}\t{text}" for i, text in enumerate([*said, said[0] if k else "Xyzzy !"])
        ]
    (root / "Flickr8k.token.txt").write_text("\n".join(lines))
    for part in ("train", "dev", "test"):
        (root / f"Flickr_8k.{part}Images.txt").write_text("\n".join(names))
    return root


@pytest.fixture
def words_of_birds():
    torch.manual_seed(0)
    captions = paperworld.world("birds").load("train", 32, 256).captions
    return MeanVectorEncoder(Vocabulary.of(c for said in captions for c in said), text=8, word=4)


# Data


@pytest.mark.parametrize("given", [{}, {"world": "birds", "data": "flickr8k", "root": "x"}])
def test_either_a_world_or_a_data_set(given):
    with pytest.raises(UsageError, match="either a world of PaperWorld.*or a data set"):
        load_data(size=32, **given)


def test_a_data_set_needs_its_folder():
    with pytest.raises(UsageError, match="(?s)--root FOLDER.*Flickr8k.token.txt"):
        load_data(data="flickr8k", size=32)


@pytest.mark.parametrize(
    "given, words",
    [
        ({"world": "bird"}, "unknown world 'bird': did you mean 'birds'"),
        (
            {"data": "flicker8k", "root": "x"},
            "unknown data set 'flicker8k': did you mean 'flickr8k'",
        ),
        ({"world": "birds", "size": 33}, "32, 64, 128 pixels, not 33"),
    ],
)
def test_unknown_data(given, words):
    with pytest.raises(UsageError, match=words):
        load_data(**{"size": 32, "n": 2} | given)


def test_worlds_and_data_sets_load_alike(photographs):
    birds = load_data(world="birds", size=32, n=4)
    dogs = load_data(data="flickr8k", root=str(photographs), size=32, n=4)
    assert birds.images.shape == dogs.images.shape == (4, 32, 32, 3)
    assert len(load_data(world="birds", size=32, split="val", n=3)) == 3


# phi of every caption


def data_of(*captions):
    n = len(captions)
    return CaptionedImages(
        "d",
        np.zeros((n, 2, 2, 3), np.uint8),
        [list(c) for c in captions],
        np.arange(n),
        [str(i) for i in range(n)],
    )


def test_every_caption_is_encoded_in_its_place():
    torch.manual_seed(0)
    encoder = GRUEncoder(Vocabulary(["a", "red", "blue", "bird"]), text=8, word=4, hidden=4)
    data = data_of(["a red bird", "a bird"], ["a blue bird", "red"], ["a bird", "a red bird"])
    phi = encode_all(encoder, data)
    assert phi.shape == (3, 2, 8) and phi.dtype == torch.float16
    for said, vectors in zip(data.captions, phi, strict=True):
        assert torch.allclose(vectors.float(), encoder.encode(said), atol=2e-3)
    assert torch.equal(phi[0, 1], phi[2, 0])


def test_pictures_with_fewer_captions_repeat_their_own():
    encoder = MeanVectorEncoder(Vocabulary(["a", "b", "c"]), text=8, word=4)
    phi = encode_all(encoder, data_of(["a", "b", "c"], ["b", "c"], ["c"]))
    one = {w: encode_all(encoder, data_of([w]))[0, 0] for w in "abc"}
    for row, said in zip(phi, ("abc", "bcb", "ccc"), strict=True):
        assert all(torch.allclose(v, one[w], atol=1e-3) for v, w in zip(row, said, strict=True))


def test_captions_that_say_nothing_are_0():
    encoder = MeanVectorEncoder(Vocabulary(["bird"]), text=8, word=4)
    phi = encode_all(encoder, data_of(["A bird.", "Xyzzy."], ["...", "bird " * 61]))
    assert phi[0, 0].abs().sum() > 0
    assert (phi[0, 1] == 0).all() and (phi[1] == 0).all()
    assert (encode_all(encoder, data_of(["xyzzy"])) == 0).all()


# Choices


def test_recipes_are_well_formed():
    assert {"paper", "stable"} <= set(RECIPES)
    for r in RECIPES.values():
        assert 0 < r.lr_g < 0.01 and 0 < r.lr_d < 0.01 and all(0 <= b < 1 for b in r.betas)
        assert all(0 <= x <= 1 for x in (r.beta, r.share, r.average, r.decay))
        assert r.wrong >= 1 and r.near >= 1 and r.norm in ("batch", "spectral")


def test_the_paper_s_recipe_is_that_of_the_paper():
    """Reed et al. 2016, section 5, and its Algorithm 1; interpolation as in their repository."""
    assert RECIPES["paper"] == Recipe(
        lr_g=2e-4,
        lr_d=2e-4,
        betas=(0.5, 0.999),
        hinge=False,
        beta=0.5,
        share=0.5,
        average=0.0,
        decay=0.0,
        norm="batch",
        projection=False,
        resize=False,
        residual=False,
        wrong=1,
        near=1,
    )


def test_profiles_are_well_formed_and_grow():
    assert list(PLANS) == ["smoke", "laptop", "gpu"]
    for plan in PLANS.values():
        assert plan.size in reed.SIZES and plan.minutes > 0
        assert all(getattr(plan, f.name) > 0 for f in fields(plan) if f.name != "pictures")
        assert plan.pictures is None or plan.pictures >= plan.batch_size
    smoke, laptop, gpu = PLANS.values()
    assert smoke.width < laptop.width < gpu.width and smoke.minutes < laptop.minutes < gpu.minutes


@pytest.mark.parametrize(
    "given, words",
    [
        ({"system": "gan_clss"}, "unknown system 'gan_clss': did you mean 'gan_cls'"),
        ({"profile": "labtop"}, "unknown profile 'labtop': did you mean 'laptop'"),
        ({"recipe": "papers"}, "unknown recipe 'papers': did you mean 'paper'"),
        ({"world": "bird"}, "unknown world 'bird': did you mean 'birds'"),
    ],
)
def test_wrong_names_are_refused(given, words):
    given = {"system": "text_gan", "world": "birds"} | QUICK | given
    with pytest.raises(UsageError, match=words):
        train(given.pop("system"), **given)


# GANs


@pytest.mark.parametrize("system", list(SYSTEMS))
@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_every_system_trains_by_every_recipe(system, recipe, words_of_birds):
    trained = train(system, world="birds", encoder=words_of_birds, steps=2, recipe=recipe, **QUICK)
    assert trained.path is None and trained.fitted.steps == 2
    assert np.isfinite(trained.fitted.history[["loss_d", "loss_g"]].to_numpy()).all()
    assert trained.system.draw("a red bird", n=2).shape == (2, 32, 32, 3)


def test_the_switches_of_a_system_reach_its_trainer(words_of_birds, monkeypatch):
    made = []
    real = text_gan.TextGAN

    def note(*networks, **options):
        made.append((options["cls"], options["interpolate"]))
        return real(*networks, **options)

    monkeypatch.setattr(text_gan, "TextGAN", note)
    for system in SYSTEMS:
        train(system, world="birds", encoder=words_of_birds, steps=1, **QUICK)
    assert made == [(s["cls"], s["interpolate"]) for s in SYSTEMS.values()]


def test_training_writes_weights_that_load_with_what_was_measured(tmp_path):
    trained = train("gan_int_cls", world="birds", steps=2, out=str(tmp_path / "run"), **QUICK)
    assert trained.path == tmp_path / "run" / "gan_int_cls-birds-32.safetensors"
    about = json.loads(trained.path.with_suffix(".json").read_text())
    assert about["command"] == "called from Python" and about["data"] == "birds/train/32"
    assert (about["kind"], about["system"]) == ("text_to_image", "gan_int_cls")
    assert (about["world"], about["size"], about["steps"]) == ("birds", 32, 2)
    assert about["headline"] == list(text_gan.HEADLINE)
    assert about["more"]["losses"] == trained.fitted.last_losses
    assert about["more"]["recipe"] == json.loads(json.dumps(vars(RECIPES["stable"])))
    assert {"consistency_all", "diversity", "fid", "extractor"} <= set(about["measured"])
    again = TextToImage.load(tmp_path / "run")
    assert torch.equal(
        again.encoder.encode(["a red bird"]), load_encoder("encoder-birds").encode(["a red bird"])
    )
    one, other = (s.draw("a red bird", n=2).astype(int) for s in (trained.system, again))
    assert abs(one - other).mean() < 2
    assert {"checkpoint.pt", "history.csv", "strips.npz"} <= {
        p.name for p in (tmp_path / "run").iterdir()
    }


def test_a_run_is_gone_on_with(tmp_path, words_of_birds, monkeypatch):
    monkeypatch.setattr(text_gan, "measure", lambda *_, **__: {})
    how = {"world": "birds", "encoder": words_of_birds, "out": str(tmp_path / "run"), **QUICK}
    first = train("gan_cls", steps=2, **how)
    before = first.path.read_bytes()
    second = train("gan_cls", steps=4, resume=True, **how)
    assert (first.fitted.steps, second.fitted.steps) == (2, 4)
    assert second.fitted.history["step"].tolist() == [1, 2, 3, 4]
    assert second.path == first.path and second.path.read_bytes() != before


def test_a_folder_that_is_not_empty_is_refused_before_anything_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr(text_gan, "load_data", lambda **_: pytest.fail("data was loaded"))
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(TrainingError, match="not empty.*mine.txt.*another folder"):
        train("text_gan", world="birds", out=str(tmp_path), **QUICK)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


def test_there_must_be_something_to_resume(tmp_path, monkeypatch):
    monkeypatch.setattr(text_gan, "load_data", lambda **_: pytest.fail("data was loaded"))
    with pytest.raises(UsageError, match="no folder .*nowhere to resume"):
        train("text_gan", world="birds", out=str(tmp_path / "nowhere"), resume=True, **QUICK)
    with pytest.raises(UsageError, match="needs out="):
        train("text_gan", world="birds", resume=True, **QUICK)


# Encoders


def test_on_photographs_an_encoder_is_trained_first_and_only_once(
    photographs, tmp_path, monkeypatch
):
    out = tmp_path / "run"
    how = {"data": "flickr8k", "root": str(photographs), "out": str(out), **QUICK}
    first = train("gan_int_cls", steps=2, **how)
    assert first.path.name == "gan_int_cls-flickr8k-32.safetensors"
    made = load_encoder(out / PREPARED / "encoder")
    assert set(made.vocabulary.words) == {"a", "red", "blue", "dog", "sits", "runs"}
    assert json.loads(first.path.with_suffix(".json").read_text())["measured"] == {}
    monkeypatch.setattr(encoder_recipe, "build", lambda *_: pytest.fail("trained again"))
    again = train("gan_int_cls", steps=3, resume=True, **how)
    assert torch.equal(again.system.encoder.encode(["a red dog"]), made.encode(["a red dog"]))


def test_a_signal_while_the_encoder_is_trained_stops_it_all_and_can_be_gone_on_from(
    photographs, tmp_path, monkeypatch
):
    out = tmp_path / "run"
    how = {"data": "flickr8k", "root": str(photographs), "out": str(out), "steps": 2, **QUICK}

    class Stopping(encoder_recipe.CaptionBatches):
        def __call__(self, step):
            if step == 3:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().__call__(step)

    with monkeypatch.context() as patch:
        patch.setattr(encoder_recipe, "CaptionBatches", Stopping)
        patch.setattr(text_gan, "TextGAN", lambda *_, **__: pytest.fail("the GAN was trained"))
        with pytest.raises(Stopped, match="while 'encoder' was trained.*resume=True") as caught:
            train("text_gan", **how)
    assert caught.value.signal == "SIGTERM"
    assert (out / PREPARED / "encoder" / "checkpoint.pt").exists()
    assert not list(
        (out / PREPARED / "encoder").glob("*.safetensors")
    )  # a half-trained one is not kept
    trained = train("text_gan", resume=True, **how)
    about = json.loads((out / PREPARED / "encoder" / "encoder-flickr8k.json").read_text())
    assert trained.fitted.steps == 2 and about["steps"] == 20  # the profile's, all in all


def test_a_damaged_encoder_of_an_earlier_part_is_refused_with_what_to_do(photographs, tmp_path):
    how = {"data": "flickr8k", "root": str(photographs), "out": str(tmp_path), "steps": 1, **QUICK}
    train("text_gan", **how)
    (path,) = (tmp_path / PREPARED / "encoder").glob("*.safetensors")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(WeightsError, match=f"cut short.*Remove .*{PREPARED}.* to train it again"):
        train("text_gan", resume=True, **how)


def test_an_encoder_learns_from_a_world_s_pictures_and_is_saved(tmp_path):
    data = load_data(world="birds", size=32, n=64, asides=True)
    trained = train(
        "encoder",
        captioned=data,
        kind="mean",
        world="birds",
        profile="smoke",
        text=16,
        steps=3,
        out=str(tmp_path),
        show=False,
    )
    assert trained.path.name == "encoder_mean-birds.safetensors"
    encoder = trained.system.encoder
    assert encoder.text == 16 and "perched" in encoder.vocabulary.words  # of the asides
    again = load_encoder(trained.path)
    assert torch.allclose(again.encode(["a red bird"]), encoder.encode(["a red bird"]), atol=0.02)
    with pytest.raises(UsageError, match="unknown caption encoder 'lstn'"):
        train("encoder", captioned=data, kind="lstn")


# Readers and measures


def test_a_reader_is_trained_measured_and_saved(tmp_path):
    trained = train("reader", profile="smoke", steps=2, out=tmp_path, device="cpu", show=False)
    about = json.loads(trained.path.with_suffix(".json").read_text())
    names = paperworld.world("birds").attributes
    read = {f"{a}_{size}" for a in names for size in (32, 64)}
    kinds = ("real", "other_worlds", *failures.LEARNED, *failures.HELD_OUT)
    assert set(about["measured"]) == read | {f"refused_{kind}" for kind in kinds}
    assert trained.path.name == "reader-birds.safetensors"
    assert weights.load(trained.path).arguments == trained.system.network.arguments


def test_what_has_no_reader_is_not_measured(monkeypatch):
    of_photographs = text_gan.Options(system="gan_cls", data="flickr8k", root="x")
    assert text_gan.measure(None, of_photographs) == {}
    monkeypatch.setattr(weights, "bundled", lambda: ["encoder-birds"])
    assert text_gan.measure(None, text_gan.Options(system="gan_cls")) == {}


# Signals, and another run in the same folder


def test_a_signal_leaves_a_checkpoint_and_no_weights_and_the_rest_is_trained_later(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(reader_recipe, "accuracy", lambda *_: {"all": 0.5})
    how = {"profile": "smoke", "steps": 6, "out": tmp_path / "run", "show": False, "device": "cpu"}

    class Interrupted(reader_recipe.ReaderBatches):
        def __call__(self, step):
            if step == 3:
                os.kill(os.getpid(), signal.SIGINT)
            return super().__call__(step)

    with monkeypatch.context() as patch:
        patch.setattr(reader_recipe, "ReaderBatches", Interrupted)
        half = train("reader", **how)
    assert half.path is None and (half.fitted.stopped, half.fitted.signal) == ("signal", "SIGINT")
    assert not list((tmp_path / "run").glob("*.safetensors"))
    whole = train("reader", resume=True, **how)
    assert whole.fitted.steps == 6 and weights.load(whole.path).about["measured"]["all_32"] == 0.5


def test_a_resume_as_another_run_or_with_other_data_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(reader_recipe, "accuracy", lambda *_: {"all": 0.5})
    how = {"profile": "smoke", "out": tmp_path / "run", "show": False, "device": "cpu"}
    train("reader", steps=2, **how)
    with pytest.raises(UsageError, match="began with --seed 0, not 1"):
        train("reader", steps=4, resume=True, seed=1, **how)
    with pytest.raises(UsageError, match="began with --world birds, not scenes"):
        train("reader", steps=4, resume=True, world="scenes", **how)
    monkeypatch.setitem(reader_recipe.PICTURES, "smoke", 254)
    with pytest.raises(UsageError, match="other data: its pictures was 256, and is 254 now"):
        train("reader", steps=4, resume=True, **how)
    (tmp_path / "run" / "run.json").write_text('{"options": {"seed": [1]}}')
    from t2ilab.fit.record import read

    with pytest.raises(DataError, match=r"run\.json: options\.seed: .*remove it"):
        read(tmp_path / "run")
