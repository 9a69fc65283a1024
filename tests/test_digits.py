"""Digits of scikit-learn and MNIST as captioned pictures, and batches of pictures."""

import gzip
import struct

import numpy as np
import pytest
import torch

from t2ilab.data.batches import PictureBatches
from t2ilab.data.digits import load_digits, load_mnist
from t2ilab.errors import DataError, UsageError


def test_digits_come_with_the_library():
    train, test = load_digits(), load_digits("test")
    assert (len(train), len(test), train.size) == (1500, 297, 16)
    assert set(train.classes) == set(test.classes) == set(range(10))
    assert train.captions[0] == ["a handwritten zero", "the digit zero"] and train.classes[0] == 0
    assert (train.images[..., 0] == train.images[..., 2]).all()
    assert train.images.max() > 250 and np.median(train.images[:, 0, 0]) == 0  # white on black


def test_the_eight_pixels_of_the_file_are_kept_as_they_are():
    from sklearn.datasets import load_digits as original

    eight = load_digits(size=8).images[..., 0]
    assert np.abs(eight / 255 * 16 - original().images[:1500]).max() < 0.04


@pytest.fixture
def mnist(tmp_path):
    """Five pictures a split, in the format of the files."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for split in ("train", "t10k"):
        images = rng.integers(0, 256, (5, 28, 28), dtype=np.uint8)
        labels = np.array([5, 0, 4, 1, 9], dtype=np.uint8)
        for name, head, body in (
            (f"{split}-images-idx3-ubyte", (2051, 5, 28, 28), images),
            (f"{split}-labels-idx1-ubyte", (2049, 5), labels),
        ):
            data = struct.pack(f">{len(head)}I", *head) + body.tobytes()
            (raw / name).write_bytes(data)
            (raw / f"{name}.gz").write_bytes(gzip.compress(data))
    return tmp_path


def test_mnist_gets_a_border(mnist):
    data = load_mnist(mnist)
    assert data.images.shape == (5, 32, 32, 3) and data.classes.tolist() == [5, 0, 4, 1, 9]
    assert (data.images[:, :2] == 0).all() and (data.images[:, :, 30:] == 0).all()
    assert data.images[:, 2:30, 2:30].mean() > 100
    assert data.captions[0][0] == "a handwritten five"
    assert len(load_mnist(mnist, "test")) == 5


def test_what_the_digits_refuse(tmp_path):
    with pytest.raises(UsageError, match="split"):
        load_digits("val")
    with pytest.raises(UsageError, match="8 or more"):
        load_digits(size=4)
    with pytest.raises(DataError, match="MNIST/raw"):
        load_mnist(tmp_path)


def test_batches_depend_on_seed_and_step_alone_and_an_epoch_sees_all():
    data = load_digits("test")
    one, two = (PictureBatches(data, batch_size=27, channels=1, seed=3) for _ in range(2))
    two(9)
    assert all(torch.equal(one(4)[k], two(4)[k]) for k in ("images", "labels"))
    assert one(0)["images"].shape == (27, 1, 16, 16) and one(0)["images"].dtype == torch.uint8
    seen = torch.cat([one(step)["labels"] for step in range(11)])
    assert torch.equal(seen.sort().values, torch.from_numpy(np.sort(data.classes)))
    by_name = PictureBatches(data, batch_size=27, label="digit", seed=3)
    assert torch.equal(by_name(2)["labels"], one(2)["labels"])
    with pytest.raises(UsageError, match="batch size"):
        PictureBatches(data, batch_size=1000)
