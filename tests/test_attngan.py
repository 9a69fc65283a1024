"""AttnGAN: attention of places over words, both networks, a step, the system."""

import math

import pytest
import torch
from scipy.stats import betabinom

from t2ilab.data import paperworld
from t2ilab.errors import CaptionError, UsageError
from t2ilab.fit import fit
from t2ilab.metrics.consistency import caption_consistency
from t2ilab.models.attngan import AttnGenerator, TwoAnswers
from t2ilab.models.damsm import Damsm, RegionNetwork
from t2ilab.models.word_attention import WordAttention
from t2ilab.recipes.attngan import begin_with, numbers_of
from t2ilab.recipes.data import encode_all
from t2ilab.recipes.train import train
from t2ilab.systems import weights
from t2ilab.systems.attngan import AttnSystem
from t2ilab.systems.damsm import DamsmSystem
from t2ilab.systems.encoders import load_encoder
from t2ilab.systems.single import load_reader
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.text.encoders import GRUEncoder
from t2ilab.text.tokens import Vocabulary
from t2ilab.trainers.attngan import AttnTrainer, Critics, Recipe, WordBatches


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def real(*lengths, longest):
    return torch.arange(longest) < torch.tensor(lengths)[:, None]


def generator(**more):
    torch.manual_seed(0)
    return AttnGenerator(**dict(size=64, text=6, word=5, z=4, condition=3, width=8) | more).eval()


def attention(seed=0):
    torch.manual_seed(seed)
    return WordAttention(5, 3)


def test_a_place_is_told_by_the_words_it_is_like():
    attend = attention()
    attend.of_word.weight.data = torch.eye(3, 5)
    h = torch.zeros(1, 3, 1, 2)
    h[0, 0, 0, 0] = h[0, 1, 0, 1] = 2.0  # the first place is like word 0, the second like word 1
    c, b = attend(h, torch.eye(5)[None, :2], real(2, longest=2))
    e2 = math.exp(2)
    share = e2 / (e2 + 2)  # of the other word and of "none", exp(0) each
    assert b[0, :, 0, 0].tolist() == pytest.approx([share, share / e2])
    assert c[0, :, 0, 1].tolist() == pytest.approx([share / e2, share, 0.0])


def test_a_place_may_attend_to_none_of_the_words():
    attend = attention()
    attend.none.data = torch.tensor([50.0, 0.0, 0.0])
    h = torch.tensor([1.0, 0.0, 0.0])[None, :, None, None]
    c, b = attend(h, noise(1, 4, 5), real(4, longest=4))
    assert b.abs().max() < 1e-6 and c.flatten().tolist() == pytest.approx([50.0, 0.0, 0.0])


def test_pads_get_no_attention_and_change_nothing():
    h, words = noise(2, 3, 4, 4), noise(2, 6, 5, seed=1)
    c, b = attention()(h, words, real(2, 6, longest=6))
    assert not b[0, 2:].any() and (0 < b.sum(1)).all() and (b.sum(1) < 1).all()
    alone, of = attention()(h[:1], words[:1, :2], real(2, longest=2))
    assert c[:1].allclose(alone, atol=1e-6) and b[:1, :2].allclose(of, atol=1e-6)


def test_attention_can_be_replaced():
    h, words = noise(1, 3, 2, 2), noise(1, 2, 5, seed=1)
    attend, first = attention(), torch.tensor([0.75, 0.0])[None, :, None, None].expand(1, 2, 2, 2)
    attend.none.data = noise(3, seed=2)
    c, b = attend(h, words, real(2, longest=2), first)
    told = 0.75 * attend.of_word(words)[0, 0] + 0.25 * attend.none
    assert torch.equal(b, first) and c[0, :, 0, 1].allclose(told)
    own = attend(h, words, real(2, longest=2))
    again = attend(h, words, real(2, longest=2), own.attention)
    assert again.context.allclose(own.context, atol=1e-6)


@pytest.mark.parametrize("size", [32, 64, 128])
def test_a_picture_and_a_map_of_each_size(size):
    x = generator(size=size)(noise(2, 4), noise(2, 6), noise(2, 7, 5), real(7, 3, longest=7))
    sides = [s for s in (32, 64, 128) if s <= size]
    assert [p.shape for p in x.pictures] == [(2, 3, s, s) for s in sides]
    assert [a.shape for a in x.attention] == [(2, 7, s, s) for s in sides]
    assert max(p.abs().max() for p in x.pictures) <= 1
    assert x.mu.shape == x.logvar.shape == (2, 3)


def test_another_size_is_refused():
    with pytest.raises(UsageError, match="AttnGAN comes for 32, 64, 128 pixels, not 48"):
        AttnGenerator(size=48)


def test_a_batch_is_like_single_pictures():
    g, z, s, e = generator(), noise(3, 4), noise(3, 6), noise(3, 7, 5)
    mask = real(7, 3, 5, longest=7)
    both = g(z, s, e, mask)
    one = g(z[1:2], s[1:2], e[1:2, :3], mask[1:2, :3])
    assert both.pictures[-1][1:2].allclose(one.pictures[-1], atol=1e-5)


@pytest.mark.parametrize("which", ["z", "sentence", "words", "eps"])
def test_everything_told_changes_the_picture(which):
    g = generator()
    for layer in g.modules():
        if isinstance(layer, (torch.nn.Linear, torch.nn.Conv2d)):
            layer.weight.data *= 5
    told = dict(z=noise(1, 4), sentence=noise(1, 6), words=noise(1, 7, 5), eps=noise(1, 3))
    how = dict(real=real(7, longest=7))
    other = told | {which: told[which] + 1}
    before, after = (g(**t, **how).pictures[-1] for t in (told, other))
    assert (before - after).abs().max() > 1e-3
    assert torch.equal(g(**told, **how).pictures[-1], before)


def test_c_is_mu_without_noise():
    g, s = generator(), noise(1, 6)
    told = noise(1, 4), s, noise(1, 7, 5), real(7, longest=7)
    still, zero = g(*told), g(*told, eps=torch.zeros(1, 3))
    assert torch.equal(still.pictures[-1], zero.pictures[-1])


def test_a_critic_answers_twice_and_its_first_answer_knows_no_caption():
    torch.manual_seed(0)
    D = TwoAnswers(size=32, text=6, width=4).eval()
    x = noise(2, 3, 32, 32)
    one, other = D(x, noise(2, 3, 6)), D(x, noise(2, 3, 6, seed=1))
    assert one.alone.shape == (2,) and one.match.shape == (2, 3)
    assert torch.equal(one.alone, other.alone) and not torch.equal(one.match, other.match)


def small():
    """A trainer and batches on a few birds of 32 pixels."""
    data = paperworld.world("birds").load("train", 32, 64, asides=True)
    torch.manual_seed(0)
    words = Vocabulary.of([c for one in data.captions for c in one])
    encoder = GRUEncoder(words, text=16, word=8, hidden=8)
    damsm = Damsm(encoder, RegionNetwork(size=32, width=4, space=16))
    numbers = numbers_of(encoder, data)
    trainer = AttnTrainer(
        AttnGenerator(size=32, text=16, word=16, z=8, condition=4, width=4),
        Critics([TwoAnswers(size=32, text=16, width=4)]),
        damsm,
        recipe=Recipe(),
        shown=numbers[:3, 0].long(),
    )
    phi = encode_all(encoder, data)
    return trainer, WordBatches(data, phi, numbers, batch_size=8, wrong=2, near=8), encoder, data


def test_batches_tell_the_words_of_the_captions_and_what_fits():
    _, batches, encoder, data = small()
    batch = batches(3)
    chosen, levels, _ = batches.order(3)
    said = [data.captions[i][k] for i, k in zip(chosen, levels, strict=True)]
    numbers = encoder.vocabulary.numbers(said)
    assert torch.equal(batch["numbers"][:, : numbers.shape[1]], numbers)
    assert batch["fits"].diagonal().all() and batch["phi_wrong"].shape == (8, 2, 16)
    assert torch.allclose(batch["phi"], encoder.encode(said), atol=2e-3)


def test_a_step_moves_g_and_the_critics_and_leaves_damsm():
    trainer, batches, *_ = small()
    before = {name: [p.clone() for p in getattr(trainer, name).parameters()] for name in ("G", "D")}
    damsm = {k: v.clone() for k, v in trainer.damsm.state_dict().items()}
    fitted = fit(trainer, batches, steps=2, device="cpu", precision="32-true", show=False)
    assert set(fitted.last_losses) == {"loss_d", "loss_g", "damsm", "kl"}
    for name, old in before.items():
        now = list(getattr(trainer, name).parameters())
        moved = [not torch.equal(a, b) for a, b in zip(old, now, strict=True)]
        # A bias of the critics gets -1 from real and 1 from other pictures while all hinges bend.
        assert sum(moved) > 0.8 * len(moved), name
    now = {k.removeprefix("_forward_module."): v for k, v in trainer.damsm.state_dict().items()}
    assert all(torch.equal(v, now[k]) for k, v in damsm.items())
    assert fitted.strips[-1][1].shape == (3, 32, 32, 3)


def test_the_recipe_trains_its_teacher_first_and_the_system_draws(tmp_path):
    more = dict(profile="smoke", steps=2, show=False)
    trained = train("attngan", world="birds", out=tmp_path / "run", **more)
    assert (tmp_path / "run" / "prepared" / "damsm").is_dir() or trained.path.exists()
    system = AttnSystem.load(tmp_path / "run")
    pictures = system.draw("a small red bird with blue wings", n=2, seed=3)
    assert pictures.shape == (2, 32, 32, 3) and (pictures[0] != pictures[1]).any()
    assert (system.draw("a small red bird with blue wings", n=1, seed=3) == pictures[:1]).all()
    said = ["a red bird", "a bird with blue wings"]
    painted = system.paint(said, system.noise(2))
    assert painted.attention[0].shape == (2, 5, 32, 32)
    assert system.words(said[1]) == ["a", "bird", "with", "blue", "wings"]
    with pytest.raises(CaptionError):
        system.draw("  ")
    assert 0 <= system.about["measured"]["consistency_all"] <= 1


def test_f0_begins_with_the_layers_and_the_condition_of_a_trained_text_gan():
    name, birds = "gan_int_cls-birds-64", paperworld.world("birds")
    data = birds.load("train", 64, 40, asides=True)  # fewer captions than phi has numbers: it fits
    encoder = load_encoder("encoder-birds")
    damsm = DamsmSystem(encoder, RegionNetwork(size=64, width=4, space=16))
    g = AttnGenerator(size=64, text=256, word=16, width=32).eval()
    assert begin_with(g, name, damsm, data) == name
    old, said = TextToImage.load(name), [c[0] for c in data.captions[:3]]
    told = old.generator.project(old.encoder.encode(said))
    c, _, logvar = g.condition(g.project(encoder.encode(said)))
    assert (c - told).abs().max() < 0.05 and (logvar[0] == logvar[1]).all()
    g.freeze_first()
    learns = {k.split(".")[0] for k, p in g.named_parameters() if p.requires_grad}
    assert learns == {"enlarge", "refine", "to_rgb"}
    assert g.train().refine[0].gate.norm.training and not g.scales[0].gate.norm.training
    g.eval()
    for layer in g.refine:
        layer.amount.data.zero_()
    z = noise(3, 100)
    x = g(z, encoder.encode(said), torch.zeros(3, 2, 16), real(2, 2, 2, longest=2)).pictures[-1]
    with torch.no_grad():
        theirs = old.generator(z, old.encoder.encode(said))
    assert (x - theirs).abs().mean() < 0.05
    with pytest.raises(UsageError, match="first layer is as large"):
        begin_with(AttnGenerator(size=64, text=256, word=16, width=16), name, damsm, data)


SHIPPED = [name for name in weights.bundled() if name.startswith("attngan-")]


@pytest.mark.parametrize("name", SHIPPED)
def test_what_ships_obeys_as_often_as_it_says(name):
    system, birds = AttnSystem.load(name), paperworld.world("birds")
    test = birds.load("test", system.size).subset(slice(1000, 1060))  # others than were measured
    x = system.pictures([c[0] for c in test.captions], system.noise(60, 7))
    reader, counted = load_reader("birds"), list(birds.content)
    found = caption_consistency(reader, x, test, counted, level=0)["all"]
    share = system.about["measured"]["consistency_all"]
    low, high = betabinom.interval(0.9999, 60, 1 + 1000 * share, 1 + 1000 * (1 - share))
    assert low <= round(60 * found) <= high
    other = caption_consistency(reader, x.roll(1, 0), test, counted, level=0)["all"]
    assert round(60 * other) < low  # pictures of other captions would be noticed
