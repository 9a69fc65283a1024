"""The style encoder: its loss, its training, its batches, and weights that know their generator."""

import math

import pytest
import torch

from t2ilab.errors import UsageError, WeightsError
from t2ilab.fit import fit
from t2ilab.models.reed import Generator
from t2ilab.models.style import StyleEncoder, brought_to
from t2ilab.recipes.style import Options, measure
from t2ilab.recipes.train import train
from t2ilab.systems import weights
from t2ilab.systems.single import TrainedStyle, load_style
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.text.encoders import MeanVectorEncoder
from t2ilab.text.tokens import Vocabulary
from t2ilab.trainers.style import StyleBatches, StyleTrainer, roughened, style_loss

CAPTIONS = ["a red bird", "a blue bird", "a small black bird"]
ABOUT = {"command": "a test", "data": "none", "seconds": 0.0, "measured": {}}


def make_system(seed: int = 0) -> TextToImage:
    torch.manual_seed(seed)
    encoder = MeanVectorEncoder(Vocabulary.of(CAPTIONS), text=8, word=8)
    generator = Generator(size=32, text=8, z=6, projected=4, width=4)
    with torch.no_grad():  # batch norm sees what comes: else pictures hardly depend on z
        for _ in range(60):
            generator(torch.randn(32, 6), encoder.encode(CAPTIONS[:1] * 32))
    return TextToImage(encoder, generator)


def make_trainer(seed: int = 0, **options) -> tuple[StyleTrainer, StyleBatches]:
    system = make_system()
    torch.manual_seed(seed)
    style = StyleEncoder(size=32, z=6, width=4, hidden=16)
    phi = system.encoder.encode(CAPTIONS)
    return (
        StyleTrainer(style, system.generator, seed=seed, **options),
        StyleBatches(phi, z=6, batch_size=8, seed=seed),
    )


# --------------------------------------------------------------------------------- loss and network


def test_the_loss_is_the_mean_square_a_number_of_z():
    z = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
    assert float(style_loss(z, z)) == 0
    assert float(style_loss(z, z + torch.tensor([[0.0, 0.0], [2.0, -1.0]]))) == pytest.approx(5 / 4)


def test_a_prediction_of_zero_has_about_the_loss_one():
    z = torch.randn(4000, 6, generator=torch.Generator().manual_seed(0))
    assert float(style_loss(z, torch.zeros_like(z))) == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("size", [32, 64, 128, 48])
def test_s_takes_pictures_of_any_size_and_gives_z(size):
    style = StyleEncoder(size=32, z=7, width=4)
    assert style(torch.zeros(2, 3, size, size)).shape == (2, 7)
    assert brought_to(torch.ones(1, 3, size, size), 32).sub(1).abs().max() < 1e-5


def test_style_does_not_depend_on_the_company_and_leaves_the_mode():
    style = StyleEncoder(size=32, z=5, width=4).train()
    x = torch.randn(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    together, alone = style.style(x), style.style(x[1:2])
    assert torch.allclose(together[1:2], alone, atol=1e-5)
    assert style.training


def test_what_a_network_was_made_of_makes_it_again():
    style = StyleEncoder(size=64, z=9, width=6, hidden=20)
    again = StyleEncoder(**style.arguments)
    again.load_state_dict(style.state_dict())


# ----------------------------------------------------------------------------------------- training


def test_no_noise_leaves_pictures_alone_and_noise_moves_each_in_its_own_way():
    x, rng = torch.zeros(4, 3, 8, 8), torch.Generator().manual_seed(0)
    assert roughened(x, 0.0, rng) is x
    changed = roughened(x, 0.1, rng)
    assert changed.shape == x.shape
    means = changed.mean((1, 2, 3))
    assert len(set(means.tolist())) == 4 and float(changed.abs().max()) < 1.0


def test_noise_of_another_size_than_the_generators_is_refused_in_words():
    with pytest.raises(UsageError, match="make it with z=6"):
        StyleTrainer(StyleEncoder(z=100, width=4), make_system().generator)


def test_batches_depend_on_seed_and_step_alone():
    phi = torch.arange(12.0).reshape(6, 2)
    one, other = (StyleBatches(phi, z=3, batch_size=5, seed=4) for _ in range(2))
    other(0)
    for name in ("z", "phi"):
        assert torch.equal(one(7)[name], other(7)[name])
    assert not torch.equal(one(7)["z"], one(8)["z"])
    assert not torch.equal(one(7)["z"], StyleBatches(phi, z=3, batch_size=5, seed=5)(7)["z"])
    assert one(7)["z"].shape == (5, 3) and one(7)["phi"].shape == (5, 2)
    with pytest.raises(UsageError, match="captions"):
        StyleBatches(phi[:0], z=3)


def test_training_lowers_the_loss_and_never_touches_the_generator():
    trainer, batches = make_trainer()
    before = {k: v.clone() for k, v in trainer.generator.state_dict().items()}
    fitted = fit(trainer, batches, steps=150, device="cpu", precision="32-true", show=False)
    third = len(fitted.history) // 3  # of single batches each: averages tell
    first, last = fitted.history[:third].mean(), fitted.history[-third:].mean()
    assert last["style"] < 0.95 * first["style"] and last["redraw"] < first["redraw"]
    after = trainer.generator.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)
    assert all(p.grad is None for p in trainer.generator.parameters())


def test_equation_4_alone_is_one_number_away():
    trainer, batches = make_trainer(redraw=0.0)
    fitted = fit(trainer, batches, steps=3, device="cpu", precision="32-true", show=False)
    assert "redraw" not in fitted.history


def test_resume_gives_the_same_weights_as_no_break(tmp_path):
    def run(out, steps, resume=False):
        trainer, batches = make_trainer()
        fit(
            trainer,
            batches,
            steps=steps,
            out=out,
            resume=resume,
            device="cpu",
            precision="32-true",
            show=False,
        )
        return trainer

    class Stopped:
        """Stands for a kill after 4 of 8 steps, on the schedule of 8."""

        def __init__(self, batches):
            self.batches = batches

        def __call__(self, step):
            if step == 5:
                raise RuntimeError("killed")
            return self.batches(step)

    whole = run(tmp_path / "whole", 8)
    trainer, batches = make_trainer()
    with pytest.raises(RuntimeError, match="killed"):
        fit(
            trainer,
            Stopped(batches),
            steps=8,
            out=tmp_path / "parts",
            device="cpu",
            precision="32-true",
            save_every_s=0.0,
            show=False,
        )
    resumed = run(tmp_path / "parts", 8, resume=True)
    for key, value in whole.style.state_dict().items():
        assert torch.equal(value, resumed.style.state_dict()[key]), key


# ------------------------------------------------------------------------------------------ weights


def test_weights_come_back_and_are_refused_for_another_generator(tmp_path):
    system = TextToImage.load(make_system().save(tmp_path / "g", "toy", **ABOUT))
    style = StyleEncoder(size=32, z=6, width=4)
    of = {"name": "toy", "tensors": system.about["tensors"]}
    path = TrainedStyle(style).save(tmp_path / "s", "style-toy", **ABOUT, more={"generator": of})
    x = torch.randn(2, 3, 32, 32)
    back = load_style(path, system)
    assert torch.allclose(back.style(x), style.style(x), atol=0.02)
    other = TextToImage.load(make_system(1).save(tmp_path / "h", "toy", **ABOUT))
    with pytest.raises(WeightsError, match="not this one"):
        load_style(path, other)
    with pytest.raises(WeightsError, match="of kind 'text_to_image', not 'style_encoder'"):
        load_style(tmp_path / "g", system)


def test_training_by_name_saves_what_it_measured_and_is_measured_again(tmp_path):
    system = TextToImage.load(make_system().save(tmp_path / "g", "toy", **ABOUT))
    how = {"profile": "smoke", "steps": 3, "device": "cpu", "show": False}
    trained = train("style", generator=system, out=tmp_path / "s", **how)
    assert trained.path.name == "style-birds-32.safetensors"
    assert load_style(trained.path, system).z == 6
    about = weights.load(trained.path).about
    assert about["more"]["generator"] == {"name": "toy", "tensors": system.about["tensors"]}
    wanted = {"loss", "auc_setting", "auc_side", "transfer_content", "transfer_style"}
    assert wanted <= set(about["measured"])
    assert all(math.isfinite(value) for value in about["measured"].values())
    again = TrainedStyle.load(trained.path)
    options = Options(system="style", generator=system, profile="smoke")
    found = measure(again, options)
    assert set(found) == set(about["measured"])
    assert found["loss"] == pytest.approx(about["measured"]["loss"], abs=0.01)
    other = Options(system="style", generator="gan_int_cls-birds-64", profile="smoke")
    with pytest.raises(WeightsError, match="not this one"):
        measure(again, other)


def test_a_data_set_needs_a_generator_named(tmp_path):
    with pytest.raises(UsageError, match="--generator"):
        train("style", data="flickr8k", root=str(tmp_path), show=False)
    with pytest.raises(UsageError, match="profile"):
        train("style", world="birds", profile="huge", show=False)
