"""README.md and the list of chapters in notebook 00: what they name is there."""

import json
import re
import shlex

import click
import pytest

from t2ilab.cli import main
from t2ilab.errors import UsageError
from t2ilab.paths import NOTEBOOKS, ROOT
from t2ilab.runs import notebooks

README = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", README, re.DOTALL))
LINES = [line.split("  #")[0].strip() for line in SHELL.splitlines()]
COMMANDS = [
    line[line.index("t2ilab ") + 7 :]
    for line in LINES
    if re.match(r"(t2ilab|torchrun .* -m t2ilab) ", line)
]
CELLS = json.loads((NOTEBOOKS / "00_first_picture.ipynb").read_text(encoding="utf-8"))["cells"]
CHAPTERS = next(
    text
    for text in ("".join(cell["source"]) for cell in CELLS)
    if text.startswith("## What is ahead")
)


def test_links_and_pictures_lead_to_files():
    links = re.findall(r"\]\(([^)]+)\)", README)
    assert len(links) > 3
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize("line", COMMANDS)
def test_the_command_line_takes_every_command_shown(line):
    name, *given = shlex.split(line)
    command, parent = main.commands[name], click.Context(main)
    if isinstance(command, click.Group):  # its own commands are parsed, too
        if given[0].startswith("-"):
            with pytest.raises(UsageError, match="no folder .* to resume from"):
                command.make_context(name, given, parent=parent)
            return
        name, *given = given
        command = command.get_command(parent, name)
    command.make_context(name, given, parent=parent)  # parses, and runs nothing


def test_make_has_the_targets_named():
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"`?make ([a-z]+)", SHELL + "`make bench`")) <= set(targets)


def test_the_map_names_modules_and_notebooks_that_exist():
    table = README.split("## The map")[1].split("\n\n")[1].splitlines()[2:]
    known = {path.name[:2] for path in notebooks()}
    for row in table:
        _, modules, numbers, _ = (cell.strip() for cell in row.strip("|").split(" | "))
        for module in re.findall(r"`([^`]+)`", modules):
            assert (ROOT / "t2ilab" / module).exists(), module
        assert set(re.findall(r"\d\d", numbers)) <= known, row


def test_rooms_exist():
    table = README.split("## How the code is laid out")[1].split("## ")[0]
    rooms = [
        name
        for row in table.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`([\w/.]+)`", row.split("|")[1])
    ]
    assert len(rooms) > 10
    assert [room for room in rooms if not (ROOT / "t2ilab" / room).exists()] == []


def test_chapters_are_links_exactly_where_they_exist():
    linked = set(re.findall(r"\]\((\w+\.ipynb)\)", CHAPTERS))
    assert linked == {path.name for path in notebooks()} - {"00_first_picture.ipynb"}
    assert len(re.findall(r"^\| \[?\d\d ", CHAPTERS, re.MULTILINE)) == 23
