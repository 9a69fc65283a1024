"""The explorers of DRAW: where the filters are drawn, the public bug, strokes and their nats."""

import time

import numpy as np
import pytest
import torch
from watcher import Watcher

from t2ilab.errors import UsageError
from t2ilab.explore.drawing import (
    BARS,
    CELL,
    PANEL,
    Drawing,
    DrawingExplorer,
    FilterbankExplorer,
    at,
    drawing_renderer,
    filterbank_renderer,
    places,
)
from t2ilab.models.draw import DRAW, banks, filters
from t2ilab.plots import BLUE, RED
from t2ilab.systems.draw import DrawSystem

STATE = dict(picture="p", side=5, x=14.5, y=14.5, stride=4.0, sigma=0.5, gamma=1.0, bug=False)


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    grey = rng.integers(0, 100, (28, 28, 1), dtype=np.uint8)
    return {"p": grey.repeat(3, 2), "black": np.zeros((28, 28, 3), np.uint8)}


@pytest.fixture(scope="module")
def system():
    torch.manual_seed(0)
    return DrawSystem(DRAW(size=12, glimpses=3, hidden=8, latent=2, read=2, write=3))


def near(sheet, colour, region=(slice(None), slice(None))):
    """Rows and columns of the pixels of one colour."""
    return (np.abs(np.asarray(sheet)[region].astype(int) - colour).sum(-1) < 40).nonzero()


@pytest.mark.parametrize("side", [2, 4, 5])
@pytest.mark.parametrize("stride", [0.5, 1.0, 3.0])
def test_the_bug_is_counting_filters_and_pixels_from_0(side, stride):
    g, delta, sigma = torch.tensor([14.5]), torch.tensor([stride]), torch.tensor([0.7])
    i, a = torch.arange(side), torch.arange(28)  # as the ports do, by eq. 19 as it stands
    mu = g + (i - side / 2 - 0.5) * delta
    ports = (-(a - mu[:, None]).square() / (2 * sigma**2)).softmax(-1)
    _, wrong = banks(at(14.5, 14.5, stride, 0.7, 1, bug=True), side=side, size=28)
    _, right = banks(at(14.5, 14.5, stride, 0.7, 1, bug=False), side=side, size=28)
    assert torch.allclose(wrong[0], ports, atol=1e-5)
    assert torch.allclose(right, filters(g, delta, sigma, side=side, size=28), atol=1e-6)
    assert torch.allclose(wrong, right, atol=1e-5) == (stride == 1)


def test_dots_lie_where_the_filters_look():
    for side in (2, 5):
        centres = places(10.0, 3.0, side)
        sharp = filters(*(torch.tensor([v]) for v in (10.0, 3.0, 0.2)), side=side, size=28)[0]
        pixels = torch.arange(1, 29.0)
        assert (sharp @ pixels).numpy() == pytest.approx(centres, abs=1e-3)


def test_the_window_is_drawn_where_it_is_and_moves(pictures):
    render = filterbank_renderer(pictures)
    region = (slice(24, 24 + PANEL), slice(0, PANEL))
    sheet = render(**STATE)
    assert sheet == render(**STATE) and sheet != render(**STATE | {"gamma": 2.0})
    for x, y in ((14.5, 14.5), (9.0, 20.0)):
        rows, columns = near(render(**STATE | {"x": x, "y": y}), RED, region)
        for found, middle in ((columns, x), (rows, y)):
            assert (found.min() + found.max()) / 2 == pytest.approx((middle - 0.5) * 8, abs=1.5)
    moved = render(**STATE | {"x": 18.0, "y": 18.0, "bug": True})
    rows, columns = near(moved, RED, region)
    assert (columns.min() + columns.max()) / 2 == pytest.approx((18 - 0.5 - 3) * 8, abs=1.5)
    rows, columns = near(moved, BLUE, region)  # where it belongs
    assert (columns.min() + columns.max()) / 2 == pytest.approx((18 - 0.5) * 8, abs=1.5)
    black = np.asarray(render(**STATE | {"picture": "black"}))
    assert not black[30 : 20 + PANEL, PANEL + 14 + 4 : 2 * PANEL].any()  # nothing there to read


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"picture": "q"}, "picture"),
        ({"side": 1}, "side 1"),
        ({"sigma": 0.0}, "sigma 0"),
        ({"gamma": -1.0}, "gamma -1"),
        ({"stride": float("nan")}, "stride nan"),
    ],
)
def test_a_window_that_is_none_is_refused(pictures, wrong, said):
    with pytest.raises(UsageError, match=said):
        filterbank_renderer(pictures)(**STATE | wrong)


def test_the_explorer_moves_fast_and_without_an_error(pictures):
    lab = Watcher()
    explorer = FilterbankExplorer(pictures, lab=lab)
    before = explorer.image.value
    times = []
    for name, value in (("x", 5.0), ("stride", 1.5), ("side", 12), ("bug", True), ("gamma", 2.0)):
        began = time.process_time()
        explorer.controls[name].value = value
        times.append(time.process_time() - began)
    assert lab.errors == [] and explorer.image.value != before
    assert float(np.median(times)) < 0.15
    with pytest.raises(UsageError, match="2 sizes"):
        FilterbankExplorer(pictures | {"small": np.zeros((8, 8, 3), np.uint8)})
    with pytest.raises(UsageError, match="0 sizes"):
        FilterbankExplorer({})


@torch.no_grad()
def test_a_stroke_shows_its_canvas_its_windows_and_its_nats(system):
    x = torch.rand(2, 1, 12, 12, generator=torch.Generator().manual_seed(0)).round()
    film = system.redraw(x)
    first = (255 * x).byte().permute(0, 2, 3, 1).expand(-1, -1, -1, 3).numpy()
    render = drawing_renderer({"a": Drawing(film, first)})
    empty, *sheets = (render(drawing="a", stroke=t) for t in range(4))
    below = (slice(-BARS, None), slice(0, CELL))
    assert len(near(empty, RED)[0]) == 0 and len(near(empty, BLUE)[0]) == 0
    for t, sheet in enumerate(sheets, start=1):
        assert sheet.width == 2 * CELL + 8
        assert len(near(sheet, BLUE)[0]) and len(near(sheet, RED)[0])
        rows, columns = near(sheet, RED, below)
        assert columns.mean() == pytest.approx((t - 0.5) * CELL / 3, abs=2)
        tall = film.kl[t - 1, 0] / (1.05 * film.kl.max()) * (BARS - 20)
        assert rows.max() - rows.min() == pytest.approx(tall, abs=4)
    assert render(drawing="a", stroke=9) == sheets[-1]
    with pytest.raises(UsageError, match="the first is 0"):
        render(drawing="a", stroke=-1)


def test_drawings_from_noise_and_without_attention_have_no_nats_and_no_windows(system):
    lab = Watcher()
    torch.manual_seed(0)
    whole = DrawSystem(DRAW(size=12, glimpses=5, hidden=8, latent=2, read=None, write=None))
    drawings = {"noise": Drawing(system.film(2)), "whole": Drawing(whole.film(3))}
    explorer = DrawingExplorer(drawings, lab=lab)
    assert explorer.controls["stroke"].max == 3
    explorer.controls["drawing"].value = "whole"
    assert explorer.controls["stroke"].max == explorer.controls["stroke"].value == 5
    explorer.controls["stroke"].value = 2
    assert len(near(explorer.picture(), RED)[0]) == 0 and lab.errors == []
    assert explorer.picture(drawing="noise").height == explorer.picture().height  # no bars
