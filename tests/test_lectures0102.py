"""Notebooks 01 and 02 as lectures: minutes that add up, notes, cells that a room can read."""

import json
import re

import pytest

from t2ilab.paths import NOTEBOOKS

CHAPTERS = ("01_probability_and_learning", "02_networks_and_gradients")


def cells_of(chapter: str) -> list[tuple[str, str]]:
    """(kind of slide, source) of each cell."""
    book = json.loads((NOTEBOOKS / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    return [(c["metadata"]["slideshow"]["slide_type"], "".join(c["source"])) for c in book["cells"]]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_minutes_of_the_sections_add_up_to_what_the_header_says(chapter):
    sources = [source for _, source in cells_of(chapter)]
    header = sources[1]
    upto, section, total = {}, 0, 0
    for source in sources[2:]:
        if number := re.match(r"## (\d+) · ", source):
            section = int(number[1])
        total += sum(int(m) for m in re.findall(r"(\d+) minutes", source))
        upto[section] = total
    stops = re.findall(r"section (\d+) \((\d+)", header)
    assert len(stops) == 2 and {int(s): int(m) for s, m in stops}.items() <= upto.items()
    assert abs(int(re.search(r"about (\d+) minutes", header)[1]) - total) <= 2


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_section_but_an_open_one_has_notes_for_the_speaker(chapter):
    section, noted, open_ones = "", {}, set()
    for kind, source in cells_of(chapter):
        if number := re.match(r"## (\d+) · (.*)", source):
            section = number[1]
            noted[section] = False
            open_ones |= {section} if "open experiment" in number[2] else set()
        noted[section] = noted.get(section, False) or kind == "notes"
    del noted[""]
    assert len(noted) >= 8
    assert [s for s, there in noted.items() if not there and s not in open_ones] == []


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_no_code_cell_is_longer_than_a_slide_but_the_imports(chapter):
    book = json.loads((NOTEBOOKS / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    code = ["".join(c["source"]) for c in book["cells"] if c["cell_type"] == "code"]
    assert [s for s in code if s.count("\n") >= 25 and "lab = start(" not in s] == []
