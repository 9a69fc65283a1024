"""Photographs: those of the libraries, a folder's, and folders that hold none."""

import numpy as np
import pytest
import torch
from PIL import Image

from t2ilab.data import photos
from t2ilab.errors import DataError, UsageError


def test_the_libraries_bring_three_photographs():
    pictures, names = photos.load(side=48)
    assert names == ["china", "flower", "grace_hopper"]
    assert pictures.shape == (3, 3, 48, 48) and pictures.dtype == torch.float32
    assert pictures.abs().max() <= 1 and pictures.flatten(1).std(1).min() > 0.1


def test_a_folder_is_read_in_order_and_the_middle_is_kept(tmp_path):
    wide = np.zeros((20, 60, 3), np.uint8)
    wide[:, 20:40] = 255  # only the middle third is white
    Image.fromarray(wide).save(tmp_path / "b.png")
    Image.new("RGB", (30, 10), (255, 0, 0)).save(tmp_path / "a.JPG")
    (tmp_path / "notes.txt").write_text("no picture")
    pictures, names = photos.load(tmp_path, side=10)
    assert names == ["a", "b"] and pictures.shape == (2, 3, 10, 10)
    assert (pictures[1, :, :, 2:-2] == 1).all()
    assert pictures[0, 0].mean() > 0.95 and pictures[0, 1].mean() < -0.95
    alone, names = photos.load(tmp_path / "b.png", side=10)
    assert names == ["b"] and torch.equal(alone[0], pictures[1])


def test_hidden_files_and_folders_are_passed_over(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "bird.jpg")
    (tmp_path / "._bird.jpg").write_bytes(b"\0\x05\x16\x07 what macOS leaves beside a picture")
    (tmp_path / ".hidden.png").write_bytes(b"")
    (tmp_path / "folder.png").mkdir()
    assert photos.load(tmp_path, side=8)[1] == ["bird"]


def test_a_folder_of_other_kinds_says_what_it_holds(tmp_path):
    for name in ("a.HEIC", "b.heic", "notes", "._c.jpg"):
        (tmp_path / name).write_bytes(b"?")
    with pytest.raises(DataError, match=r"it holds \.heic, files without an ending\. Save them"):
        photos.load(tmp_path)


def test_what_cannot_be_read_is_said(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        photos.load(tmp_path / "none")
    with pytest.raises(DataError, match="holds no pictures"):
        photos.load(tmp_path)
    with pytest.raises(UsageError, match="folder ~nobody-here"):
        photos.load("~nobody-here/x")
    with pytest.raises(UsageError, match="pixels wide"):
        photos.load(side=0)
    (tmp_path / "x.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match="x.png: this is not a picture"):
        photos.load(tmp_path)


def test_without_the_libraries_a_folder_is_asked_for(monkeypatch):
    monkeypatch.setattr(photos, "LIBRARIES", ())
    with pytest.raises(DataError, match="Name a folder"):
        photos.load()
