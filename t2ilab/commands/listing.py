"""What `t2ilab list` prints."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from t2ilab.catalogue import CATALOGUE

_TIME = r"(smoke|laptop|gpu)\b[^0-9\n]{0,24}?(\d+(?:\.\d+)?)\s*(seconds|s|minutes|min|hours|h)\b"
_UNITS = {"s": 1 / 60, "m": 1, "h": 60}  # first letter of the unit -> minutes


def listing() -> str:
    """Notebooks, systems, worlds, data sets and bundled weights, as text for the terminal."""
    from t2ilab.data import paperworld, public
    from t2ilab.runs import notebooks
    from t2ilab.systems import weights

    parts = {
        "notebooks": [_notebook(path) for path in notebooks()],
        "systems": [(name, entry.about) for name, entry in CATALOGUE.items()],
        "worlds": [(name, _attributes(paperworld.world(name))) for name in paperworld.WORLDS],
        "data sets": [
            (name, f"{one.title}; splits {', '.join(one.splits)}")
            for name, one in public.DATASETS.items()
        ],
        "weights": [
            _weights(weights.FOLDER / f"{name}{weights.SUFFIX}") for name in weights.bundled()
        ],
    }
    return "\n\n".join(_section(title, rows) for title, rows in parts.items())


def _section(title: str, rows: Iterable[tuple[str, str]]) -> str:
    rows = list(rows)
    width = max((len(name) for name, _ in rows), default=0)
    lines = [f"  {name:<{width}}  {words}".rstrip() for name, words in rows]
    return "\n".join([title, *(lines or ["  (none yet)"])])


def _attributes(world: Any) -> str:
    return f"{len(world.classes)} classes; captions state {', '.join(world.content)}"


def _notebook(path: Path) -> tuple[str, str]:
    """Name, and its title, its question and the minutes that it states."""
    title, question, times = facts(path)
    measured = ", ".join(f"{profile} {minutes:.2g} min" for profile, minutes in times.items())
    return path.stem, " · ".join(x for x in (title, question, measured) if x)


def facts(path: Path) -> tuple[str, str, dict[str, float]]:
    """Title and question of a notebook, and profile -> minutes where its first cells state them.

    The title is the first heading, the question the first sentence after it that asks something.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts = ["".join(c["source"]) for c in cells if c["cell_type"] == "markdown"][:3]
    except (OSError, ValueError, KeyError, TypeError):
        return "(cannot be read)", "", {}
    text = "\n".join(texts)
    heading = re.search(r"^#+\s+(.+)$", text, re.MULTILINE)
    below = re.sub(r"[*_`]", "", " ".join(text[heading.end() if heading else 0 :].split()))
    asked = re.search(r"[^.!?#>|]{8,160}\?", below)
    found = re.findall(_TIME, text, re.IGNORECASE)
    times = {profile.lower(): float(n) * _UNITS[unit[0].lower()] for profile, n, unit in found}
    return heading[1].strip() if heading else "", asked[0].strip() if asked else "", times


def _weights(path: Path) -> tuple[str, str]:
    """Name, and the size of a weight file and what was measured."""
    size = f"{path.stat().st_size / 1e6:.1f} MB"
    return path.stem, "; ".join(x for x in (size, headline(path)) if x)


def headline(weights: Path) -> str:
    """The measured numbers that matter most, as the file says; or the lowest; "" without any."""
    from t2ilab import schemas
    from t2ilab.errors import WeightsError
    from t2ilab.schemas.weights import Beside

    try:
        about = schemas.read(weights.with_suffix(".json"), Beside, error=WeightsError)
    except WeightsError:
        return ""
    measured = about.measured
    results = [f"{name} {_short(measured[name])}" for name in about.headline if name in measured]
    numbers = {k: v for k, v in measured.items() if isinstance(v, int | float)}
    if numbers and not results:
        lowest = min(numbers, key=numbers.get)
        results = [f"lowest of {len(numbers)}: {lowest} {_short(numbers[lowest])}"]
    return ", ".join(results)


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
