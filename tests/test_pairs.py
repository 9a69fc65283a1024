"""Pairs that match and pairs that do not: what is drawn, and that it is a function of the step."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from t2ilab.data import paperworld
from t2ilab.data.captioned import CaptionedImages, to_float, to_uint8
from t2ilab.data.pairs import LEVEL_WEIGHTS, Order, Recombined, TextImageBatches, Truth
from t2ilab.errors import UsageError
from t2ilab.text.tokens import Vocabulary, tokenize

WORLD = paperworld.world("birds")


@pytest.fixture(scope="module")
def birds():
    return WORLD.load("train", 32, 200)


def photographs(classes, *, captions=2, side=4):
    """Data without facts: noise for pictures."""
    n = len(classes)
    images = np.random.default_rng(0).integers(0, 256, (n, side, side, 3), dtype=np.uint8)
    counts = captions if isinstance(captions, list) else [captions] * n
    return CaptionedImages(
        "photographs",
        images,
        [[f"{i} {k}" for k in range(counts[i])] for i in range(n)],
        np.array(classes),
        [str(c) for c in range(max(classes) + 1)],
    )


def labels(data):
    """In place of phi: which picture and which of its captions, to be read back from a batch."""
    most = max(len(c) for c in data.captions)
    n, k = np.mgrid[: len(data), :most]
    return torch.from_numpy(np.stack([n, k], -1)).float()


def bags(data):
    """phi as counts of words: near for captions that share many."""
    vocabulary = Vocabulary.of(c for captions in data.captions for c in captions)
    phi = torch.zeros(len(data), len(data.captions[0]), len(vocabulary))
    for n, captions in enumerate(data.captions):
        for k, caption in enumerate(captions):
            for word in tokenize(caption):
                phi[n, k, vocabulary.index[word]] += 1
    return phi


# What is true of what


def is_true(caption, facts):
    """By reading the sentence, which has nothing to do with how the batches decide it."""
    return all(facts[name] == value for name, value in WORLD.read(caption).items())


def test_truth_agrees_with_what_the_sentences_say(birds):
    names = list(WORLD.content)
    facts = [{n: WORLD.content[n][birds.attributes[n][i]] for n in names} for i in range(40)]
    levels = np.arange(40) % 5
    fits = Truth(birds).fits(np.arange(40), np.arange(40), levels)
    said = [[is_true(birds.captions[j][levels[j]], facts[i]) for j in range(40)] for i in range(40)]
    assert np.array_equal(fits, said)
    assert fits.diagonal().all() and 40 < fits.sum() < 40 * 40


@pytest.mark.parametrize("near", [1, 64])
def test_no_mismatched_caption_is_true_of_its_picture_by_its_facts(birds, near):
    batches = TextImageBatches(birds, labels(birds), batch_size=32, wrong=4, near=near)
    values = {n: birds.attributes[n] for n in WORLD.content}
    for step in range(40):
        batch = batches(step)
        for own, wrong in zip(batch["phi"].int(), batch["phi_wrong"].int(), strict=True):
            facts = {n: WORLD.content[n][v[own[0]]] for n, v in values.items()}
            assert is_true(birds.captions[own[0]][own[1]], facts)
            for i, k in wrong.tolist():
                assert not is_true(birds.captions[i][k], facts), (facts, birds.captions[i][k])


@pytest.mark.parametrize("near", [1, 16])
def test_no_mismatched_caption_is_of_the_picture_s_class_without_facts(near):
    data = photographs([0] * 10 + [1] * 3 + [2] * 7)
    batches = TextImageBatches(data, labels(data), batch_size=4, wrong=2, near=near)
    for step in range(100):
        batch = batches(step)
        own = data.classes[batch["phi"][:, 0].int()]
        wrong = data.classes[batch["phi_wrong"][..., 0].int()]
        assert (own[:, None] != wrong).all()


def test_a_rare_mismatch_is_found_among_all_captions():
    data = photographs([0] * 299 + [1])  # of 64 captions drawn, seldom one is of class 1
    batches = TextImageBatches(data, labels(data), batch_size=60, flip=False)
    for step in range(5):  # an epoch
        batch = batches(step)
        own, wrong = batch["phi"][:, 0] == 299, batch["phi_wrong"][:, 0, 0] == 299
        assert torch.equal(wrong, ~own)


def test_where_every_caption_is_true_it_is_said_that_nothing_mismatches():
    data = photographs([0] * 6)
    with pytest.raises(UsageError, match="every caption of photographs is true.*two classes"):
        TextImageBatches(data, labels(data), batch_size=2)(0)


# Order


def test_a_batch_is_a_function_of_seed_and_step(birds):
    def made(seed):
        return TextImageBatches(birds, labels(birds), batch_size=16, seed=seed, wrong=2, near=8)

    one, other = made(3), made(3)
    there = {step: one(step) for step in (0, 5, 30)}
    back = {step: other(step) for step in (30, 5, 0)}
    for step, batch in there.items():
        assert all(torch.equal(batch[k], back[step][k]) for k in ("images", "phi", "phi_wrong"))
    assert not torch.equal(there[0]["phi"], made(4)(0)["phi"])
    assert not torch.equal(there[0]["phi"], there[5]["phi"])


def test_an_epoch_has_each_picture_once_and_the_next_another_order(birds):
    batches = TextImageBatches(birds, labels(birds), batch_size=25)
    epochs = [
        torch.cat([batches(e * 8 + i)["phi"][:, 0] for i in range(8)]).tolist() for e in range(2)
    ]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(200))
    assert epochs[0] != epochs[1]


def test_what_fills_no_batch_is_left_for_another_epoch():
    data = photographs(list(range(10)))
    batches = TextImageBatches(data, labels(data), batch_size=4)
    seen = set()
    for epoch in range(20):
        drawn = [i for k in range(2) for i in batches(2 * epoch + k)["phi"][:, 0].tolist()]
        assert len(set(drawn)) == 8
        seen |= set(drawn)
    assert seen == set(range(10))


def test_processes_get_other_orders_with_the_same_options(birds):
    batches = TextImageBatches(
        birds, labels(birds), batch_size=20, seed=5, wrong=3, near=9, flip=False
    )
    parts = [batches.shard(rank, 2) for rank in range(2)]
    first = [b(0)["phi"] for b in (batches, *parts)]
    assert not any(torch.equal(first[i], first[j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    for part in parts:
        assert part(0)["phi_wrong"].shape == (20, 3, 2)
        assert (part.near, part.flip) == (9, False)
    assert torch.equal(batches.shard(1, 2)(7)["phi"], parts[1](7)["phi"])


def test_captions_are_drawn_by_their_weights(birds):
    order = Order(birds, 50, 0, LEVEL_WEIGHTS)
    drawn = np.concatenate([order(step)[1] for step in range(200)])
    shares = np.bincount(drawn, minlength=5) / len(drawn)
    assert shares == pytest.approx(LEVEL_WEIGHTS, abs=0.02)


def test_captions_differing_in_number_are_drawn_alike():
    order = Order(photographs([0, 1], captions=[1, 4]), 2, 0, LEVEL_WEIGHTS)
    drawn = [order.draw_levels(np.array([0, 1]), np.random.default_rng(i)) for i in range(2000)]
    assert {a for a, _ in drawn} == {0}
    assert np.bincount([b for _, b in drawn]) / 2000 == pytest.approx([0.25] * 4, abs=0.04)


# Mismatching captions


def similarity(batch):
    """Cosine of each mismatching caption with the picture's own [b, wrong]."""
    own, wrong = F.normalize(batch["phi"], dim=1), F.normalize(batch["phi_wrong"], dim=2)
    return torch.einsum("bt,bwt->bw", own, wrong)


def test_near_captions_are_nearer_than_random_ones(birds):
    phi = bags(birds)
    near = TextImageBatches(birds, phi, batch_size=50, wrong=1, near=64)
    far = TextImageBatches(birds, phi, batch_size=50, wrong=1)
    for step in range(3):
        assert similarity(near(step)).mean() > similarity(far(step)).mean() + 0.1


def test_of_several_near_captions_each_is_farther_than_the_one_before(birds):
    batch = TextImageBatches(birds, bags(birds), batch_size=50, wrong=4, near=64)(0)
    s = similarity(batch)
    assert (s[:, 1:] <= s[:, :-1] + 1e-6).all()
    assert s[:, 0].mean() > s[:, 3].mean() + 0.2


@pytest.mark.parametrize("wrong, near", [(1, 1), (1, 64), (3, 1), (4, 4), (4, 8), (4, 256)])
def test_as_many_mismatching_captions_as_asked_for_all_different(wrong, near):
    data = photographs(list(range(500)), captions=1)
    batches = TextImageBatches(data, labels(data) + 1, batch_size=30, wrong=wrong, near=near)
    for step in range(5):
        chosen = batches(step)["phi_wrong"]
        assert chosen.shape == (30, wrong, 2)
        drawn = batches._ranks()
        assert len(set(drawn.tolist())) == wrong and drawn.max() < max(near, wrong)


# Pictures


def test_pictures_come_as_they_are_or_mirrored_with_their_own_captions(birds):
    untouched = birds.images[:].copy()
    plain = TextImageBatches(birds, labels(birds), batch_size=100, flip=False)(0)
    mirrored = TextImageBatches(birds, labels(birds), batch_size=100)(0)
    assert plain["images"].dtype == torch.uint8 and plain["images"].shape == (100, 3, 32, 32)
    indices = plain["phi"][:, 0].int().numpy()
    assert np.array_equal(mirrored["phi"][:, 0].int().numpy(), indices)
    here = plain["images"].permute(0, 2, 3, 1).numpy()
    assert np.array_equal(here, birds.images[indices])
    there = mirrored["images"].permute(0, 2, 3, 1).numpy()
    as_is = (there == here).all((1, 2, 3))
    flipped = (there == here[:, :, ::-1]).all((1, 2, 3))
    assert (as_is | flipped).all() and 25 < flipped.sum() < 75
    assert np.array_equal(birds.images, untouched)


def test_d_can_be_asked_about_other_captions_of_the_same_pictures(birds):
    batches = TextImageBatches(
        birds, labels(birds), batch_size=20, levels=(1, 0, 0, 0, 0), asked=(0, 0, 1, 1, 0), wrong=2
    )
    batch = batches(3)
    assert (batch["phi"][:, 1] == 0).all() and {2, 3} == {*batch["phi_asked"][:, 1].tolist()}
    assert torch.equal(batch["phi"][:, 0], batch["phi_asked"][:, 0]), "of the same pictures"
    assert {2, 3} == {*batch["phi_wrong"][..., 1].flatten().tolist()}
    names = list(WORLD.content)
    for (i, _), wrong in zip(
        batch["phi_asked"].long().tolist(), batch["phi_wrong"].long(), strict=True
    ):
        facts = {n: WORLD.content[n][birds.attributes[n][i]] for n in names}
        assert not any(is_true(birds.captions[j][k], facts) for j, k in wrong.tolist())


def test_captions_without_pictures_come_with_a_part_of_their_own(birds):
    phi = torch.arange(9.0).view(9, 1)
    extra = Recombined(phi, (phi + torch.tensor([0.1, 0.2])).unsqueeze(2), share=0.3)
    batches = TextImageBatches(birds, labels(birds), batch_size=20, recombined=extra)
    batch, other = batches(0), batches.shard(1, 2)(0)
    assert batch["phi_mixed"].shape == (6, 1) == other["phi_mixed"].shape
    tenths = (batch["phi_mixed_asked"] - batch["phi_mixed"]).mul(10).round().flatten()
    assert {*tenths.tolist()} == {1, 2}
    assert "phi_mixed" not in TextImageBatches(birds, labels(birds), batch_size=20)(0)


@pytest.mark.parametrize("name", paperworld.WORLDS)
def test_recombined_captions_are_new_and_each_part_is_of_a_picture_that_was_seen(name):
    world = paperworld.world(name)
    whole, parts = world.recombined(60, seed=1)
    keys = world.definition["class"]
    assert len(whole) == len(parts) == 60 and {len(few) for few in parts} == {3}
    new = 0
    for caption, few in zip(whole, parts, strict=True):
        facts = world.read(caption)
        for part in few:
            told = world.read(part)
            assert all(facts.get(k, v) == v for k, v in told.items()), (caption, part)
            assert any(
                all(told.get(k, v) == v for k, v in zip(keys, one, strict=True))
                for one, held in zip(world.classes, world.unseen, strict=True)
                if not held
            ), f"no training picture shows '{part}'"
        new += all(
            held
            for one, held in zip(world.classes, world.unseen, strict=True)
            if all(facts.get(k, v) == v for k, v in zip(keys, one, strict=True))
        )
    assert 0 < new < 60, "some are of combinations never seen, and some are not"


def test_half_floats_become_full_ones(birds):
    batch = TextImageBatches(birds, labels(birds).half(), batch_size=8)(0)
    assert batch["phi"].dtype == batch["phi_wrong"].dtype == torch.float32


# Errors


def test_as_many_vectors_as_pictures(birds):
    with pytest.raises(UsageError, match="10 caption vectors for 200 pictures"):
        TextImageBatches(birds, labels(birds)[:10])


@pytest.mark.parametrize("size", [0, 1, 201])
def test_batch_sizes_out_of_range(birds, size):
    with pytest.raises(UsageError, match=f"batch size {size}: expected 2 to 200"):
        TextImageBatches(birds, labels(birds), batch_size=size)


# Captioned pictures


def test_captioned_pictures_must_agree_in_number():
    data = photographs([0, 1, 2])
    with pytest.raises(ValueError, match="differ in number"):
        CaptionedImages("x", data.images, data.captions[:2], data.classes, data.class_names)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((2, 4, 4, 3), np.float32),
        np.zeros((2, 3, 4, 4), np.uint8),
        np.zeros((2, 4, 4), np.uint8),
    ],
)
def test_captioned_pictures_are_bytes_with_colours_last(images):
    with pytest.raises(ValueError, match=r"uint8 \[N, H, W, 3\]"):
        CaptionedImages("x", images, [["a"], ["b"]], np.arange(2), ["0", "1"])


@pytest.mark.parametrize("indices", [[3, 1], slice(1, 4), np.arange(200) % 50 == 7])
def test_a_subset_takes_all_that_belongs_to_its_pictures(birds, indices):
    chosen = np.arange(200)[indices]
    part = birds.subset(indices)
    assert len(part) == len(chosen) and part.size == 32
    for k, i in enumerate(chosen):
        assert np.array_equal(part.images[k], birds.images[i])
        assert part.captions[k] == birds.captions[i] and part.classes[k] == birds.classes[i]
        assert part.attributes["wing"][k] == birds.attributes["wing"][i]
        assert np.array_equal(part.stated[k], birds.stated[i])


def test_bytes_to_floats_and_back():
    images = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    x = to_float(images)
    assert x.shape == (1, 3, 16, 16) and x.dtype == torch.float32
    assert (x.min(), x.max()) == (-1, 1)
    assert np.array_equal(to_uint8(x), images)
    assert to_uint8(torch.full((1, 3, 1, 1), 7.0)).max() == 255  # clipped
    assert to_uint8(torch.full((1, 3, 1, 1), -7.0)).max() == 0
