"""Explorers in a real JupyterLab, in a real browser; skipped where there is none."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytest.importorskip("jupyterlab")
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")

PATIENCE = 120_000  # milliseconds, for the slowest step on a busy machine
CAPTIONS = """
import torch
from t2ilab.data import paperworld
from t2ilab.explore.captions import SUGGESTIONS, CaptionExplorer
from t2ilab.models.reed import Generator
from t2ilab.text.encoders import MeanVectorEncoder
from t2ilab.text.tokens import Vocabulary
from t2ilab.systems.single import load_reader
from t2ilab.systems.text_to_image import TextToImage

torch.manual_seed(0)
encoder = MeanVectorEncoder(Vocabulary.of(SUGGESTIONS), text=8, word=8)
system = TextToImage(encoder, Generator(size=32, text=8, z=4, projected=4, width=4))
CaptionExplorer(system, paperworld.world("birds"), reader=load_reader("birds"))
"""
SLOW = """
import time
import ipywidgets as widgets
from PIL import Image
from t2ilab.explore.explorer import Explorer

drawn = []

def render(grey):
    time.sleep(0.15)
    drawn.append(grey)
    return Image.new("RGB", (700, 500), (grey, grey, grey))

Explorer(render, {"grey": widgets.IntSlider(0, 0, 200)}, play="grey", scale=1)
"""
MATCHING = """
import torch
from t2ilab.data import paperworld
from t2ilab.data.paperworld import crowds
from t2ilab.explore.matching import MatchingExplorer
from t2ilab.models.two_branch import EmbeddingNetwork
from t2ilab.systems.two_branch import EmbeddingSystem
from t2ilab.text.encoders import MeanVectorEncoder
from t2ilab.text.tokens import Vocabulary

torch.manual_seed(0)
world = paperworld.world("phrases")
gallery, crowd = world.load("test", 32, 24), crowds.load("test", 64, 4)
encoder = MeanVectorEncoder(Vocabulary.of(sum(gallery.captions, [])), text=8, word=8)
system = EmbeddingSystem(encoder, EmbeddingNetwork(text=8, size=32, width=4, hidden=8, space=8))
MatchingExplorer(system.eval(), crowd, gallery, world=world)
"""
CELLS = (CAPTIONS, SLOW, MATCHING)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """JupyterLab on a loopback port, with a token, on a folder with one notebook; ended after."""
    tmp_path = tmp_path_factory.mktemp("lab")
    cells = [
        {
            "cell_type": "code",
            "id": f"cell-{k}",
            "metadata": {},
            "source": source.strip(),
            "execution_count": None,
            "outputs": [],
        }
        for k, source in enumerate(CELLS)
    ]
    notebook = {
        "cells": cells,
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "widget.ipynb").write_text(json.dumps(notebook))
    no_news = tmp_path / "settings" / "@jupyterlab" / "apputils-extension"
    no_news.mkdir(parents=True)
    (no_news / "notification.jupyterlab-settings").write_text(
        '{"fetchNews": "false", "checkForUpdates": false}'
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    with open(tmp_path / "log", "w") as log:
        server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyterlab",
                "--no-browser",
                "--allow-root",
                "--ServerApp.ip=127.0.0.1",
                f"--ServerApp.port={port}",
                "--ServerApp.port_retries=0",
                f"--IdentityProvider.token={token}",
                "--LabApp.expose_app_in_browser=True",
                f"--ServerApp.root_dir={tmp_path / 'work'}",
            ],
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=_environment(tmp_path),
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/api?token={token}", server, tmp_path / "log")
        yield f"http://127.0.0.1:{port}/lab/tree/widget.ipynb?token={token}"
    finally:
        _end(server)


def _environment(folder: Path) -> dict[str, str]:
    """Settings, sessions and temporary files of the server go to the test's own folder."""
    own = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    }
    return os.environ | {name: str(folder / place) for name, place in own.items()}


def _wait_for(address: str, server: subprocess.Popen, log: Path) -> None:
    for _ in range(2 * PATIENCE // 1000):
        assert server.poll() is None, log.read_text()
        try:
            urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"JupyterLab did not answer:\n{log.read_text()}")


def _end(server: subprocess.Popen) -> None:
    """First as Ctrl-C would (kernels go too), then for good."""
    server.send_signal(signal.SIGTERM)
    try:
        server.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@pytest.fixture(scope="module")
def page(address):
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 1280, "height": 720})
        page.set_default_timeout(PATIENCE)
        page.goto(address)
        page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        page.wait_for_function(
            "window.jupyterapp && window.jupyterapp.shell.currentWidget"
            " && window.jupyterapp.shell.currentWidget.sessionContext"
        )
        page.evaluate("window.jupyterapp.shell.currentWidget.sessionContext.ready")
        page.evaluate("window.jupyterapp.shell.collapseLeft()")
        page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
        page.wait_for_function(
            "count => document.querySelectorAll('.t2ilab-view img[src]').length == count",
            arg=len(CELLS),
        )
        yield page
        browser.close()


def explorer(page, k: int):
    """The k-th explorer of the notebook, scrolled to where all of it is seen."""
    found = page.locator(".t2ilab-explorer").nth(k)
    found.evaluate("box => box.scrollIntoView({block: 'end'})")
    return found


def test_a_caption_is_typed_and_noise_is_rolled_in_a_browser(page):
    box = explorer(page, 0)
    picture, entry = box.locator(".t2ilab-view img"), box.locator(".widget-text input")
    shown = [picture.get_attribute("src")]

    def wait_for_another_picture():
        page.wait_for_function(
            "old => document.querySelector('.t2ilab-view img').src !== old", arg=shown[-1]
        )
        shown.append(picture.get_attribute("src"))

    def type_caption(words):
        entry.fill(words)
        entry.press("Enter")

    type_caption("a large yellow bird with black wings")
    wait_for_another_picture()
    page.get_by_text("The caption states: size large, breast yellow, wing black.").wait_for()
    box.get_by_role("button", name="Other noise").click()
    wait_for_another_picture()
    refused = {"": "The caption is empty", "ein Vogel": "None of these words is known"}
    for words, said in refused.items():
        type_caption(words)
        page.get_by_role("alert").get_by_text(said).wait_for()
    assert picture.get_attribute("src") == shown[-1]  # the last one that worked
    box.locator(".widget-dropdown select").select_option("a blue bird sits on a branch")
    wait_for_another_picture()
    page.get_by_role("alert").wait_for(state="detached")
    assert entry.input_value() == "a blue bird sits on a branch"
    assert len(set(shown)) == 4


SHOWN = """box => {
  const canvas = document.createElement('canvas'), image = box.querySelector('.t2ilab-view img');
  if (!image.complete || !image.naturalWidth) return null;  // between two pictures
  canvas.getContext('2d').drawImage(image, 0, 0);
  return canvas.getContext('2d').getImageData(5, 5, 1, 1).data[0];
}"""  # the grey of the picture on the page


def test_the_picture_follows_a_slider_while_it_is_dragged_and_no_queue_forms(page):
    box = explorer(page, 1)
    knob = box.locator(".noUi-handle").bounding_box()
    x, y = knob["x"] + knob["width"] / 2, knob["y"] + knob["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    seen = []
    began = time.monotonic()
    for step in range(1, 61):
        page.mouse.move(x + 2 * step, y)
        time.sleep(0.05)
        grey = box.evaluate(SHOWN)
        seen += [] if grey is None else [grey]
    most = (time.monotonic() - began) / 0.15 + 2  # as many as can be drawn in that time
    page.mouse.up()
    value = int(box.locator(".widget-readout").inner_text())
    began = time.monotonic()
    while box.evaluate(SHOWN) != value and time.monotonic() - began < 10:
        time.sleep(0.02)
    waited = time.monotonic() - began
    assert seen == sorted(seen) and seen[-1] > 0  # it moved, and never back
    assert 3 <= len(set(seen)) <= min(most, 59)  # pictures during the drag: fewer than moves
    assert box.evaluate(SHOWN) == value and waited < 3  # only the newest had waited


def test_picture_and_controls_fit_into_a_small_screen_and_few_stops_of_the_tab_key_are_before(page):
    for k in (0, 1):
        box = explorer(page, k)
        room = page.locator(".jp-WindowedPanel-outer").first.bounding_box()
        whole = box.bounding_box()
        assert room["y"] - 1 <= whole["y"]
        assert whole["y"] + whole["height"] <= room["y"] + room["height"] + 1 <= 721
        left, right = (box.locator(f".t2ilab-{part}") for part in ("panel", "view"))
        assert left.bounding_box()["x"] + left.bounding_box()["width"] <= right.bounding_box()["x"]
        assert box.locator("button, input, select, .noUi-handle").count() <= 7


@pytest.mark.parametrize("by", ["the button", "JupyterLab's presentation mode"])
def test_picture_and_letters_are_enlarged_and_made_small_again(page, by):
    box = explorer(page, 0)
    parts = box.locator(".t2ilab-view img"), box.get_by_role("button", name="Other noise")

    def toggle():
        if by == "the button":
            box.get_by_role("button", name="Large").click()
        else:
            page.evaluate(
                "window.jupyterapp.commands.execute('application:toggle-presentation-mode')"
            )

    def widths():
        return [part.bounding_box()["width"] for part in parts]

    def wait_for(large):
        for _ in range(100):
            if (widths()[0] > 1.2 * before[0]) == large:
                return
            time.sleep(0.05)

    before = widths()
    toggle()
    wait_for(large=True)
    height = [part.evaluate("part => part.getBoundingClientRect().height") for part in parts]
    assert widths()[0] > 1.2 * before[0] and 1.2 * 28 < height[1] < 60 and height[0] < 600
    toggle()
    wait_for(large=False)
    assert widths() == before


def test_a_phrase_is_typed_and_dragged_and_crowds_are_stepped_through_in_a_browser(page):
    box = explorer(page, 2)
    picture, (phrase, towards) = (
        box.locator(".t2ilab-view img"),
        box.locator("input[type=text]").all(),
    )
    shown = [picture.get_attribute("src")]

    def wait_for_another_picture():
        page.wait_for_function(
            "old => document.querySelectorAll('.t2ilab-view img')[2].src !== old", arg=shown[-1]
        )
        shown.append(picture.get_attribute("src"))

    def type_into(entry, words):
        entry.fill(words)
        entry.press("Enter")

    type_into(phrase, "a child in a red shirt")
    wait_for_another_picture()
    box.get_by_text("states: subject child, top red").wait_for()
    share, crowd = box.locator(".noUi-handle").all()
    for slider in (share, share, crowd):
        slider.press("ArrowRight")
        wait_for_another_picture()
    type_into(towards, "a woman sitting")
    wait_for_another_picture()
    box.locator("input[type=checkbox]").check()
    wait_for_another_picture()
    type_into(phrase, "qwertz")
    box.get_by_role("alert").wait_for()
    assert picture.get_attribute("src") == shown[-1]  # the last one that worked
    type_into(phrase, "a dog")
    wait_for_another_picture()
    box.get_by_role("alert").wait_for(state="detached")
    assert len(set(shown)) == 8
    room = page.locator(".jp-WindowedPanel-outer").first.bounding_box()
    assert box.bounding_box()["height"] <= room["height"] + 1  # all of it is seen at once
