"""Measure weights again, as they are measured after training; their tensors stay bit-equal.

    python scripts/measure_again.py gan_int_cls-scenes-64 factors-birds-32

For weights whose instrument has changed: the reader of their world, say, or what a recipe measures.
Numbers that the recipe does not measure any more are dropped: look at the difference before it is
committed.
"""

import argparse
import json

from safetensors.torch import load

from t2ilab import schemas
from t2ilab.catalogue import recipe
from t2ilab.commands.pictures import options_of
from t2ilab.schemas.weights import Description
from t2ilab.systems import weights


def again(name: str, n: int | None) -> dict[str, object]:
    """The new numbers of these weights, which are written beside them."""
    path = weights.find(name)
    about, tensors = weights.intact(path)
    of = recipe(about.system)
    system = of.System.load(name)
    found = of.measure(system, options_of(about.system, system.about, None, {}), n)
    if not found:
        raise SystemExit(f"{name}: nothing is measured of it; it was left as it is.")
    described = schemas.to_dict(about) | {"measured": {k: _short(v) for k, v in found.items()}}
    weights.write(path, tensors, schemas.decode(json.dumps(described), Description, path))
    assert all(v.equal(tensors[k]) for k, v in load(path.read_bytes()).items())
    return found


def _short(value: object) -> object:
    return round(value, 4) if isinstance(value, float) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="+", help="of weights that ship")
    parser.add_argument("-n", type=int, help="pictures; default as after training")
    given = parser.parse_args()
    for name in given.names:
        before = weights.load(name).about["measured"]
        found = again(name, given.n)
        print(name)
        for key in {**before, **found}:
            print(f"  {key}: {before.get(key)} -> {found.get(key)}")


if __name__ == "__main__":
    main()
