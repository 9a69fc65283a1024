"""What is drawn and where: warping and cropping, the two networks, a step, the system."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from t2ilab.data import paperworld
from t2ilab.data.grounded import agreement
from t2ilab.data.paperworld import placed
from t2ilab.errors import UsageError
from t2ilab.metrics import placing as metric
from t2ilab.models.sampler import affine_grid, square
from t2ilab.models.what_where import (
    WhatWhereDiscriminator,
    WhatWhereGenerator,
    about,
    crop,
    near,
    paste,
    place,
    shape,
)
from t2ilab.recipes.train import train
from t2ilab.recipes.what_where import begin_with
from t2ilab.systems.single import load_parts
from t2ilab.systems.text_to_image import TextToImage
from t2ilab.systems.what_where import WhatWhere, box_at, see_boxes, some_boxes
from t2ilab.trainers.what_where import AGREE, PlacedBatches, elsewhere

BOXES = torch.tensor([[0.1, 0.3, 0.5, 0.5], [0.4, 0.4, 0.9, 0.8]])


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def small(**more):
    torch.manual_seed(0)
    return WhatWhereGenerator(**dict(text=6, z=5, projected=4, width=4, narrow=6, around=4) | more)


def test_cropping_is_pytorchs_and_pasting_is_its_inverse_inside_and_nothing_outside():
    x = torch.rand(2, 3, 64, 64, generator=rng())
    s, t = square(BOXES, 1.35)
    zero = torch.zeros(2)
    theta = torch.stack([s, zero, t[:, 0], zero, s, t[:, 1]], 1).view(2, 2, 3)
    cut = crop(x, BOXES, 32)
    theirs = F.grid_sample(x, affine_grid(theta, 32), align_corners=False)
    assert torch.allclose(cut, theirs, atol=1e-5)

    smooth = F.interpolate(torch.rand(2, 1, 3, 3, generator=rng()), (64, 64), mode="bicubic")
    back = paste(crop(smooth, BOXES, 64), BOXES, 64)
    inside = about(BOXES, 64)[:, 2:]
    assert ((back - smooth).abs() * inside).max() < 0.01  # warp of crop: the identity
    square_of = torch.cat([(t + 1) / 2 - s[:, None] / 2, (t + 1) / 2 + s[:, None] / 2], 1)
    for one, (left, top, right, bottom) in zip(back, 64 * square_of, strict=True):
        at = torch.arange(64) + 0.5
        rows = (at < top - 1) | (at > bottom + 1)
        columns = (at < left - 1) | (at > right + 1)
        assert one[:, rows].abs().sum() == 0 and one[:, :, columns].abs().sum() == 0


def test_the_box_that_is_the_picture_changes_nothing():
    whole, x = torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.rand(1, 2, 16, 16, generator=rng())
    assert torch.allclose(crop(x, whole, 16, room=1.0), x, atol=1e-6)
    assert torch.allclose(paste(x, whole, 16, room=1.0), x, atol=1e-6)


def test_what_is_told_of_a_box():
    assert shape(BOXES).flatten().tolist() == pytest.approx(np.log([2.0, 1.25]).tolist())
    assert place(BOXES)[0].tolist() == pytest.approx([-0.4, -0.2, 0.4, 0.2])
    maps = about(BOXES, 10)
    assert maps.shape == (2, 3, 10, 10) and maps.abs().max() <= 1
    assert maps[0, 2].nonzero().tolist() == [[y, x] for y in (3, 4) for x in (1, 2, 3, 4)]


def test_what_is_near_a_box_is_in_it_and_below_it():
    maps = near(torch.tensor([[0.25, 0.25, 0.75, 0.5]]), 64)[0, 0]
    assert (maps[16:32, 16:48] == 1).all() and (maps[34, 20:44] == 1).all()
    assert maps[:8].max() == 0 and maps[:, :8].max() == 0 and maps[40:].max() == 0


def test_what_is_local_stays_in_the_square_and_moves_with_it():
    generator = small().eval()
    z, phi = torch.randn(2, 5, generator=rng()), torch.randn(2, 6, generator=rng(1))
    x, opaque = generator.layers(z, phi, BOXES)
    assert x.shape == (2, 3, 64, 64) and x.abs().max() <= 1
    assert ((opaque > 0) <= (near(BOXES, 64) > 0)).all()
    assert 0 <= opaque.min() and opaque.max() <= 1 and opaque[0, 0, 45:].max() == 0
    moved = BOXES + torch.tensor([0.125, 0.25, 0.125, 0.25])  # 8 and 16 pixels
    _, there = generator.layers(z[:1], phi[:1], moved[:1])
    assert torch.allclose(there[0, :, 16:, 8:], opaque[0, :, :-16, :-8], atol=1e-5)


def test_two_logits_for_each_caption_and_only_the_local_one_knows_the_box():
    torch.manual_seed(0)
    critic = WhatWhereDiscriminator(text=6, width=4, inside=4).eval()
    x, phi = torch.rand(2, 3, 64, 64, generator=rng()), torch.randn(2, 3, 6, generator=rng())
    both = critic(x, phi, BOXES)
    assert both.shape == (2, 3, 2)
    assert torch.allclose(critic(x, phi[:, 1], BOXES), both[:, 1], atol=1e-5)
    other = critic(x, phi, BOXES.flip(0))
    assert torch.equal(other[..., 0], both[..., 0]) and (other[..., 1] != both[..., 1]).all()


def test_wrong_boxes_are_near_and_wrong():
    right = some_boxes(500, 1)
    wrong = elsewhere(right, rng())
    shared = agreement(wrong, right)
    assert (shared <= AGREE).float().mean() > 0.99 and (shared > 0).all()
    assert torch.equal(elsewhere(right, rng()), wrong)
    assert agreement(right, right).tolist() == pytest.approx([1.0] * 500)


def test_a_box_keeps_to_its_picture_in_a_batch():
    class Pairs:
        seed = 0

        def order(self, step):
            return np.array([3, 1]), None, None

        def __call__(self, step):
            return {"images": torch.tensor([3, 1])}

    boxes = np.arange(16, dtype=np.float32).reshape(4, 4)
    batch = PlacedBatches(Pairs(), boxes)(0)
    assert batch["boxes"].tolist() == boxes[[3, 1]].tolist() and "images" in batch


def test_it_begins_with_the_picture_of_the_text_gan_in_the_square():
    of = TextToImage.load("gan_int_cls-birds-64")
    generator = WhatWhereGenerator().eval()
    captions = [paperworld.world("birds").captions("test", i)[0] for i in range(150)]
    phi = of.encoder.encode(captions)
    begin_with(generator, of.generator, phi)
    generator.eval()
    torch.nn.init.zeros_(generator.deepen.weight)
    whole = torch.tensor([[0.5 - 0.5 / 1.35, 0.4, 0.5 + 0.5 / 1.35, 0.6]]).expand(8, -1)
    z = torch.randn(8, 100, generator=rng(2))
    with torch.inference_mode():
        (own, opaque), theirs = generator.layers(z, phi[:8], whole), of.generator(z, phi[:8])
    bird = (load_parts("birds").find(theirs) > 0)[:, None] & (near(whole, 64) == 1)
    assert opaque[bird].mean() > 0.8 > 0.2 > opaque[~bird].mean()
    # Of fewer numbers, and enlarged by the hat kernel, not by nearest neighbours: alike, not equal.
    inside = (bird & (opaque > 0.9)).expand_as(own)
    assert torch.corrcoef(torch.stack([own[inside], theirs[inside]]))[0, 1] > 0.9


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("ww") / "run"
    return train("what_where", profile="smoke", steps=3, out=out, show=False)


def test_it_trains_is_measured_saved_and_loaded(trained):
    again, captions = WhatWhere.load(trained.path), ["a red bird", "a blue bird with black wings"]
    pictures = again.draw_in(captions, BOXES, [0, 1])
    assert (pictures == trained.system.draw_in(captions, BOXES, [0, 1])).mean() > 0.95  # float16
    assert (again.draw_in(captions[1], BOXES[1:], 1)[0] == pictures[1]).mean() > 0.99
    assert again.draw("a red bird", n=3, seed=4).shape == (3, 64, 64, 3)
    measured = again.about["measured"]
    assert {"iou_median", "iou_mean_box", "attributes_real", "moving_attributes"} <= {*measured}
    assert measured["iou_real"] > 0.85 > 0.5 > measured["iou_mean_box"]


def test_boxes_that_are_none_are_refused(trained):
    with pytest.raises(UsageError, match="expected \\[n, 4\\]"):
        trained.system.draw_in("a red bird", [0.1, 0.2, 0.3, 0.4])
    for box in ([0.5, 0.1, 0.2, 0.4], [0.1, 0.1, 0.12, 0.4], [1.1, 0.1, 1.5, 0.4]):
        with pytest.raises(UsageError, match="shares of the picture's side"):
            see_boxes([box])
    with pytest.raises(UsageError, match="1 seeds and 2 boxes|2 captions, 1 seeds"):
        trained.system.draw_in(["a red bird"] * 2, BOXES, [0])


def test_boxes_with_a_middle():
    assert box_at(0.5, 0.5, 0.5, (0.4, 0.2)) == pytest.approx([0.4, 0.45, 0.6, 0.55])
    some = some_boxes(20, 3)
    assert some.min() >= 0.01 and some.max() <= 0.99 and torch.equal(some[:5], some_boxes(5, 3))


def test_agreement_and_the_mean_box_by_hand():
    a = np.array([[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 1.0, 1.0]])
    b = np.array([[0.25, 0.0, 0.75, 0.5], [0.0, 0.0, 1.0, 0.5]])
    assert metric.agreement(a, b).tolist() == pytest.approx([1 / 3, 1 / 2])


def test_what_changes_inside_and_outside():
    one = np.zeros((1, 64, 64, 3), np.uint8)
    other = one.copy()
    other[0, 16:32, 16:48] = 51  # the box; the rim of two pixels counts for neither
    box = np.array([[0.25, 0.25, 0.75, 0.5]])
    assert metric.changes(one, other, box) == pytest.approx((0.2, 0.0))
    other[:] = 51
    assert metric.changes(one, other, box) == pytest.approx((0.2, 0.2))


def test_boxes_that_move_and_grow_keep_their_shape():
    box = np.array([0.3, 0.4, 0.7, 0.6])
    moved, scaled = metric.moved(box), metric.scaled(box)
    assert moved.shape == (25, 4) and scaled.shape == (5, 4)
    for one in (*moved, *scaled):
        assert (one[3] - one[1]) / (one[2] - one[0]) == pytest.approx(0.5, abs=1e-5)
    widths = scaled[:, 2] - scaled[:, 0]
    assert widths[0] == pytest.approx(0.28) and widths[-1] / widths[0] == pytest.approx(2.4)
    assert ((moved[0, :2] + moved[0, 2:]) / 2).tolist() == pytest.approx([0.25, 0.25])


def test_what_ships_draws_where_it_was_asked_as_it_says():
    system = WhatWhere.load("what_where-placed-64")
    told, (data, boxes) = system.about["measured"], placed.load("test", 64, 380)
    few = slice(332, 380)  # others than were measured
    drawn = system.draw_in([c[0] for c in data.captions[few]], boxes[few], range(48))
    where = metric.placing(load_parts("birds"), drawn, boxes[few])
    assert where.median == pytest.approx(told["iou_median"], abs=0.1)
    assert where.median > where.mean_box + 0.3
