"""Grids, curves, bars, tables: that what is drawn is what was given."""

import matplotlib
import numpy as np
import pandas as pd
import pytest
from PIL import ImageFont

matplotlib.use("Agg")

import matplotlib.pyplot as plt  # noqa: E402

from t2ilab import plots  # noqa: E402
from t2ilab.errors import UsageError  # noqa: E402


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def flat(n, h=4, w=4):
    """n pictures, the k-th of one grey, k."""
    return np.arange(n, dtype=np.uint8)[:, None, None, None].repeat(h, 1).repeat(w, 2).repeat(3, 3)


# Grids


@pytest.mark.parametrize(
    "n, columns, size", [(6, 3, (16, 10)), (5, 3, (16, 10)), (2, 8, (10, 4)), (1, 1, (4, 4))]
)
def test_a_grid_has_rows_of_columns(n, columns, size):
    sheet = plots.grid(flat(n), columns=columns, gap=2)
    assert sheet.size == size
    for k in range(n):
        x, y = k % min(columns, n) * 6, k // min(columns, n) * 6
        assert sheet.getpixel((x, y)) == sheet.getpixel((x + 3, y + 3)) == (k, k, k)


def test_what_is_no_picture_in_a_grid_is_paper():
    sheet = plots.grid(flat(3), columns=2, gap=2)
    assert sheet.getpixel((4, 0)) == sheet.getpixel((7, 7)) == plots.PAPER


def test_enlarged_pictures_are_not_smoothed():
    checks = np.random.default_rng(0).integers(0, 256, (1, 4, 6, 3), dtype=np.uint8)
    sheet = plots.grid(checks, scale=3)
    assert sheet.size == (18, 12)
    assert np.array_equal(np.asarray(sheet), checks[0].repeat(3, 0).repeat(3, 1))


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((0, 4, 4, 3), np.uint8),
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((2, 4, 4, 3)),
        np.zeros((2, 3, 4, 4), np.uint8),
    ],
)
def test_a_grid_refuses_what_are_no_pictures(images):
    with pytest.raises(UsageError, match=r"uint8 pictures \[n, h, w, 3\]"):
        plots.grid(images)


def test_a_captioned_grid_has_a_row_and_its_words_for_each_caption():
    rows = [flat(4, 16, 16), flat(4, 16, 16) + 100]
    sheet = plots.captioned_grid(rows, ["red", "blue"], text=10)
    assert sheet.size == (4 * 16 + 3 * 2, 2 * (16 + 10 + 9 + 4))
    pixels = np.asarray(sheet)
    assert (pixels[19:35, 18:34] == 1).all() and (pixels[58:74, 18:34] == 101).all()
    assert (pixels[:19] < 255).any() and (pixels[39:58] < 255).any()  # words


def test_each_row_needs_its_caption():
    with pytest.raises(ValueError):
        plots.captioned_grid([flat(2)], ["one", "two"])


def test_long_captions_are_cut_to_the_width():
    font = ImageFont.load_default(size=12)
    caption = "a small red bird with blue wings and a long yellow beak"
    short = plots._shorten(caption, font, 120)
    assert font.getlength(short) <= 120 and short.endswith("…")
    assert caption.startswith(short[:-1].rstrip()) and len(short) > 8
    assert plots._shorten(caption, font, 10_000) == caption


def test_letters_that_the_font_lacks_are_drawn_and_no_boxes():
    blank = np.asarray(plots.label("\uffff = 1", 80))
    for text in ("α = 1", "λ = 1", "× = 1", "é = 1"):
        assert (np.asarray(plots.label(text, 80))[:, :12] != blank[:, :12]).any(), text
    assert (np.asarray(plots.label("α", 80)) != np.asarray(plots.label("β", 80))).any()
    assert plots.letters(15, "a bird, 50 %…\nor two").getname() == plots.letters(15).getname()


# Curves and bars


HISTORY = pd.DataFrame(
    {"step": range(1, 21), "seconds": 0.5, "loss_d": np.arange(20.0), "loss_g": 1.0}
)


def test_curves_show_each_loss_faint_and_smoothed():
    axes = plots.curves(HISTORY, smooth=3, labels={"loss_d": "D"}).axes[0]
    lines = axes.get_lines()
    assert len(lines) == 4
    assert lines[0].get_ydata().tolist() == HISTORY["loss_d"].tolist()
    assert lines[1].get_ydata()[1:-1] == pytest.approx(np.arange(1.0, 19.0))
    assert [t.get_text() for t in axes.get_legend().get_texts()] == ["D", "loss_g"]
    assert axes.get_xlabel() == "step"


def test_curves_of_chosen_columns():
    axes = plots.curves(HISTORY, ["loss_g"], title="G", ylabel="value").axes[0]
    assert len(axes.get_lines()) == 2
    assert (axes.get_title(), axes.get_ylabel()) == ("G", "value")


def test_more_curves_and_bars_than_colours_are_all_drawn():
    many = {f"loss_{k}": np.arange(20.0) for k in range(8)}
    axes = plots.curves(pd.DataFrame({"step": range(20)} | many)).axes[0]
    assert len(axes.get_lines()) == 16
    axes = plots.bars({"a": dict.fromkeys("abcdefgh", 0.5)}, ylabel="share").axes[0]
    assert len(axes.patches) == 8


def test_bars_stand_in_groups_each_as_high_as_its_value():
    values = {"32": {"real": 1.0, "gan": 0.25}, "64": {"real": 0.75, "gan": 0.5}}
    axes = plots.bars(values, ylabel="share", top=1.0).axes[0]
    heights = [[bar.get_height() for bar in drawn] for drawn in axes.containers]
    assert heights == [[1.0, 0.75], [0.25, 0.5]]
    assert [t.get_text() for t in axes.get_xticklabels()] == ["32", "64"]
    assert {t.get_text() for t in axes.texts} == {"1.00", "0.75", "0.25", "0.50"}
    left, right = ([bar.get_x() for bar in drawn] for drawn in axes.containers)
    assert all(a < b for a, b in zip(left, right, strict=True))
    assert axes.get_ylim() == (0, pytest.approx(1.12))


def test_bars_without_a_top_fit_their_values():
    axes = plots.bars({"a": {"x": 40.0}}, ylabel="FID", top=None).axes[0]
    assert 40 <= axes.get_ylim()[1] < 60


# Tables


def test_a_truth_table_is_green_where_a_caption_is_true():
    fits = np.array([[True, False, True], [False, False, True]])  # [pictures, captions]
    sheet = plots.truth_table(flat(2), ["red", "blue", "a bird"], fits, cell=40, text=10)
    pixels = np.asarray(sheet)
    left, row = sheet.width - 2 * 40, 24
    for i in range(2):
        assert (pixels[10, left + i * 40 + 10] == i).all()  # the picture stands above its column
        for j in range(3):
            colour = pixels[40 + 4 + j * row + 2, left + i * 40 + 2]
            green, red = colour[1] > colour[0], colour[0] > colour[1]
            assert (green, red) == (fits[i, j], not fits[i, j])


def test_similarities_are_written_into_their_places():
    matrices = {"mean": np.array([[1.0, 0.9], [0.8, 1.0]]), "GRU": np.eye(2)}
    figure = plots.similarities(matrices, ["red wings", "red beak"])
    assert [ax.get_title() for ax in figure.axes] == ["mean", "GRU"]
    at = {t.get_position(): t.get_text() for t in figure.axes[0].texts}
    assert at == {(0, 0): "1.00", (1, 0): "0.90", (0, 1): "0.80", (1, 1): "1.00"}
    assert [t.get_text() for t in figure.axes[0].get_yticklabels()] == [
        "red wings  1",
        "red beak  2",
    ]
