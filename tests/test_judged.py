"""The pictures that were judged by eye, and whether the shipped reader agrees."""

import numpy as np
import pytest

from t2ilab.data import judged
from t2ilab.data.captioned import to_float
from t2ilab.errors import DataError
from t2ilab.systems.single import load_reader


def test_three_hundred_pictures_of_several_origins():
    pictures, sources, readable = judged.load()
    assert pictures.shape == (300, 64, 64, 3) and pictures.dtype == np.uint8
    assert len(sources) == len(readable) == 300 and len(set(sources)) >= 8
    assert 0.2 < readable.mean() < 0.6
    of_real = [yes for yes, source in zip(readable, sources, strict=True) if source == "real"]
    assert len(of_real) == 16 and all(of_real)


def test_the_shipped_reader_agrees_with_the_eye():
    pictures, sources, readable = judged.load()
    said = load_reader("birds").readable(to_float(pictures)).numpy() >= 0.5
    assert (said == readable).mean() >= 0.87
    ascended = np.array([source == "ascended on the reader" for source in sources])
    assert said[ascended].mean() <= 0.25  # made to be taken for readable


def test_files_that_do_not_fit_are_told(tmp_path, monkeypatch):
    monkeypatch.setattr(judged, "FOLDER", tmp_path)
    with pytest.raises(DataError, match="birds.webp and birds.csv are expected"):
        judged.load()
    (tmp_path / "birds.webp").write_bytes((judged.DATA / "judged" / "birds.webp").read_bytes())
    (tmp_path / "birds.csv").write_text("source,readable\nreal,1\n")
    with pytest.raises(DataError, match="1 lines in birds.csv for 300 pictures"):
        judged.load()
