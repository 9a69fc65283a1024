"""Digits on a canvas with sentences: what is said, what is kept out, and the judge of it."""

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from t2ilab.cli import main
from t2ilab.data import placed_digits as placed
from t2ilab.data.digits import WORDS
from t2ilab.errors import UsageError
from t2ilab.metrics.placed import NONE, placed_right, read_digits


def test_one_digit_is_kept_out_of_each_slot_always_the_same_one():
    out = placed.banned()
    assert len(out) == 12 and out == placed.banned()
    assert list(out.values()) == [placed.banned()[slot] for slot in placed.SLOTS]
    train, test = placed.load("train"), placed.load("test")
    for data, some in ((train, False), (test, True)):
        kinds = [placed.KINDS[k] for k in data.attributes["kind"]]
        first, second = data.attributes["first"], data.attributes["second"]
        held = [out[kind, 0] == a or (b >= 0 and out[kind, 1] == b)
                for kind, a, b in zip(kinds, first, second, strict=True)]  # fmt: skip
        assert (np.array(held) == (data.attributes["unseen"] == 1)).all()
        assert any(held) == some
    assert 0.4 < test.attributes["unseen"].mean() < 0.6


def test_sentences_say_what_is_where():
    assert placed.sentence("top left", (3,)) == "the digit three is at the top left of the image"
    assert placed.sentence("on the left of", (3, 8)) == (
        "the digit three is on the left of the digit eight"
    )
    words = {word for text in placed.load("train").captions for word in text[0].split()}
    assert words >= set(WORDS)


def test_digits_stand_where_their_sentence_says():
    assert placed.corners_of("top right", 32) == [(16, 0)]
    assert placed.corners_of("on the right of", 32) == [(16, 8), (0, 8)]
    assert placed.corners_of("at the top of", 32) == [(8, 0), (8, 16)]
    data = placed.load("test", n=200)
    right = placed_right(data.images[:], data)
    assert right.mean() > 0.85  # real digits are read and placed right
    assert (data.class_names[data.classes[0]].split()[-1]) in str(data.attributes)


def test_the_judge_says_no():
    data = placed.load("test", n=120)
    moved = np.roll(data.images, 8, axis=(1, 2))
    assert placed_right(moved, data).mean() < 0.05
    assert placed_right(np.zeros_like(data.images), data).mean() == 0
    noise = np.random.default_rng(0).integers(256, size=data.images.shape).astype(np.uint8)
    assert placed_right(noise, data).mean() == 0
    assert (read_digits(noise[:, :16, :16, 0]) == NONE).all()
    shuffled = data.images[np.roll(np.arange(len(data)), 1)]
    assert placed_right(shuffled, data).mean() < 0.1
    with pytest.raises(UsageError, match="3 pictures for the 120 captions"):
        placed_right(data.images[:3], data)


@pytest.mark.parametrize(
    ("given", "match"),
    [(dict(split="val"), "split"), (dict(size=31), "even number"), (dict(n=0), "1 to 10000")],
)
def test_what_cannot_be_drawn_is_refused(given, match):
    with pytest.raises(UsageError, match=match):
        placed.load(**given)


def test_aligndraw_learns_them_by_one_parameter(tmp_path):
    words = f"train aligndraw --data placed_digits --profile smoke --steps 2 --out {tmp_path}/run"
    done = CliRunner().invoke(main, words.split(), prog_name="t2ilab")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "run" / "aligndraw-placed_digits-32.json").exists()
    assert "nats_1" in done.output
    assert torch.is_grad_enabled()
