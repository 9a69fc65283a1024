"""A matrix of numbers from a .mat file: as scipy reads it, and where scipy ends the process."""

from io import BytesIO
from random import Random

import damage
import numpy as np
import pytest
from scipy.io import loadmat, savemat

from t2ilab.data.matlab import matrix


def saved(do_compression: bool = False, **values) -> bytes:
    file = BytesIO()
    savemat(file, values, do_compression=do_compression)
    return file.getvalue()


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])
def test_numbers_are_read_as_scipy_reads_them(dtype, packed):
    values = np.arange(6).reshape(2, 3).astype(dtype)
    other = {"before": {"a": "text"}, "x": values, "xy": np.ones(3)}
    data = saved(packed, **other)
    assert np.array_equal(matrix(data, "x"), loadmat(BytesIO(data))["x"])
    assert matrix(data, "x").dtype == values.dtype and matrix(data, "xy").shape == (1, 3)


def test_a_big_endian_file():
    """One element by hand: uint8 1 x 2, named "x"."""
    parts = [(6, b"\0\0\0\x09" + bytes(4)), (5, b"\0\0\0\1\0\0\0\2"), (1, b"x"), (2, b"\7\5")]
    body = b"".join(
        kind.to_bytes(4, "big") + len(part).to_bytes(4, "big") + part.ljust(8, b"\0")
        for kind, part in parts
    )
    head = b"MATLAB".ljust(124) + b"\1\0MI"
    data = head + (14).to_bytes(4, "big") + len(body).to_bytes(4, "big") + body
    assert matrix(data, "x").tolist() == [[7, 5]] == loadmat(BytesIO(data))["x"].tolist()


@pytest.mark.parametrize(
    "data, words",
    [
        (b"<html>404</html>" * 20, "no MATLAB file of level 5"),
        (saved(y=np.ones(3)), "holds 0 matrices 'x'; expected one"),
        (saved(x=np.ones(3)) + saved(x=np.ones(3))[128:], "holds 2 matrices 'x'"),
        (saved(x=np.ones(3) * 1j), "something else than real numbers"),
        (saved(x="three"), "something else than real numbers"),
        (saved(x={"a": 1}), "something else than real numbers"),
        (saved(x=np.ones(3))[:-8], "cut short"),
        (saved(True, x=np.ones(3))[:-8], "cut short"),
        (saved(True, x=np.zeros(2**22)), "more than 16,777,216 bytes"),
    ],
)
def test_other_files_and_matrices_are_refused_in_words(data, words):
    with pytest.raises(ValueError, match=words):
        matrix(data, "x")


@pytest.mark.parametrize("packed", [False, True])
def test_damage_never_gives_anything_but_a_value_error(packed, capsys):
    whole = saved(packed, labels=np.arange(1, 201, dtype=np.uint8))
    refused = 0
    for seed in range(1000):
        try:
            matrix(damage.raw(whole, Random(seed))[1], "labels")
        except ValueError:
            refused += 1
    with capsys.disabled():
        print(f"\n.mat, packed {packed}: 1000 mutations, {refused} refused", end=" ")
    assert refused > 200
