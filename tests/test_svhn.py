"""House numbers from MATLAB files, and any folder of pictures as a data set."""

from io import BytesIO

import damage
import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from t2ilab.data import photos, svhn
from t2ilab.errors import DataError, UsageError
from t2ilab.recipes.data import load_data

N = 12
PICTURES = np.random.default_rng(0).integers(0, 256, (32, 32, 3, N), dtype=np.uint8)
LABELS = np.array([[10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1]], np.uint8).T


def mat(compressed=False, **values) -> bytes:
    file = BytesIO()
    savemat(file, values, do_compression=compressed)
    return file.getvalue()


@pytest.fixture
def root(tmp_path):
    (tmp_path / "train_32x32.mat").write_bytes(mat(True, X=PICTURES, y=LABELS))
    (tmp_path / "test_32x32.mat").write_bytes(mat(X=PICTURES[..., :3], y=LABELS[:3]))
    return tmp_path


def test_house_numbers_are_read_and_ten_is_a_zero(root):
    data = svhn.load(root)
    assert data.classes.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]
    assert data.captions[0] == ["a house number zero"] and data.name == "svhn/train/32"
    assert np.array_equal(data.images[5], PICTURES[..., 5])
    assert len(svhn.load(root, "test")) == 3 and svhn.load(root, size=16, n=4).size == 16
    same = load_data(data="svhn", root=str(root), size=32, n=2)
    assert np.array_equal(same.images, data.images[:2])


@pytest.mark.parametrize(
    "content, words",
    [
        (b"", "train_32x32.mat"),
        (mat(X=PICTURES), "holds 0 matrices 'y'"),
        (mat(X=PICTURES[..., 0], y=LABELS[:1]), r"expected uint8 \[32, 32, 3, n\]"),
        (mat(X=PICTURES.astype(float), y=LABELS), "X is float64"),
        (mat(X=PICTURES, y=LABELS[:5]), "y has 5 labels from 1 to 10 for 12"),
        (mat(X=PICTURES[..., :0], y=LABELS[:0]), "0 labels for 0 pictures|uint8"),
        (mat(X=PICTURES, y=LABELS[:0]), "y has 0 labels for 12"),
        (mat(X=PICTURES, y=LABELS * 0), "labels from 0 to 0"),
        (mat(X=PICTURES, y=LABELS + 1), "from 2 to 11"),
    ],
)
def test_other_files_are_refused_by_name(root, content, words):
    (root / "train_32x32.mat").write_bytes(content)
    with pytest.raises(DataError, match=words):
        svhn.load(root)


def test_missing_files_and_wrong_names(root):
    with pytest.raises(DataError, match="extra_32x32.mat is missing"):
        svhn.load(root, "extra")
    with pytest.raises(UsageError, match="train, test, extra|'train'"):
        svhn.load(root, "val")
    with pytest.raises(UsageError, match="ask for 8 to 64"):
        svhn.load(root, size=7)
    with pytest.raises(UsageError, match="test_32x32.mat"):
        load_data(data="svhn", size=32)


def test_damaged_files_are_refused_or_read_as_before(root):
    path = root / "test_32x32.mat"
    whole, wanted = path.read_bytes(), svhn.load(root, "test")

    def read():
        found = svhn.load(root, "test")
        same = np.array_equal(found.images, wanted.images)
        return same and np.array_equal(found.classes, wanted.classes)

    rng, refused = damage.Random(0), 0
    for _ in range(damage.MUTATIONS):
        path.write_bytes(damage.raw(whole, rng)[1])
        try:
            read()
        except DataError:
            refused += 1
    assert refused > 20  # a flipped bit of a pixel cannot be told


def test_a_folder_of_pictures_of_several_sizes(tmp_path):
    rng = np.random.default_rng(0)
    for i in range(20):
        shape = (40 + i, 30 + 2 * i) if i % 2 else (33, 50, 3)
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(tmp_path / f"{i:02}.png")
    train, test = (photos.captioned(tmp_path, split, 24) for split in ("train", "test"))
    assert train.images.shape == (18, 24, 24, 3) and len(test) == 2
    assert test.class_names == ["09", "19"] and not {*test.class_names} & {*train.class_names}
    assert len(load_data(data="folder", root=str(tmp_path), size=32, n=5)) == 5
    (tmp_path / "03.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="03.png"):
        photos.captioned(tmp_path, size=24)
    for path in sorted(tmp_path.iterdir())[9:]:
        path.unlink()
    with pytest.raises(DataError, match="holds 9 pictures; 10 or more"):
        photos.captioned(tmp_path, size=24)
