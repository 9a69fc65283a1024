"""Weights of an earlier version of the course, brought to the present form; tensors stay bit-equal.

    python scripts/convert_weights.py data/weights/*.safetensors

Earlier files named a Python class, and said what they are in the JSON beside only. What cannot be
told from that JSON (the system, the world) is taken from the names that files had then.
"""

import argparse
import hashlib
import json
from pathlib import Path

from safetensors.torch import load

from t2ilab import schemas
from t2ilab.catalogue import CATALOGUE, recipe
from t2ilab.data.paperworld import WORLDS
from t2ilab.errors import DataError, T2ILabError
from t2ilab.schemas.weights import Description
from t2ilab.systems import weights

KINDS = {
    "TextToImage": "text_to_image",
    "IntrospectiveSystem": "introspective",
    "AttributeReader": "attribute_reader",
    "StyleEncoder": "style_encoder",
}
SYSTEMS = {"gan": "text_gan"}  # old name -> new; others kept theirs
KNOWN = ("command", "data", "measured", "seconds", "steps", "trained_on", "versions")
GONE = ("architecture", "sha256", "bytes", "matcher")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+", type=Path, help="NAME.safetensors, with NAME.json")
    files = sorted(parser.parse_args().files, key=lambda path: path.name.startswith("style"))
    for path in files:  # a style encoder last: it names the digest of its generator
        try:
            print(convert(path))
        except T2ILabError as error:
            raise SystemExit(f"{path} was left as it is: {error}") from None


def convert(path: Path) -> str:
    """Convert one pair in place; a line on it."""
    beside = path.with_suffix(".json")
    old = schemas.read(beside, dict[str, object])
    data = path.read_bytes()
    if "architecture" not in old:
        raise DataError(f"{beside.name} is not of an earlier version")
    if hashlib.sha256(data).hexdigest() != old["sha256"]:
        raise DataError(f"{path.name} is not the file of which {beside.name} speaks")
    tensors = load(data)
    about = describe(path.stem, old) | {"tensors": weights.digest(tensors)}
    weights.write(path, tensors, schemas.decode(json.dumps(about), Description, path))
    after = load(path.read_bytes())
    assert set(after) == set(tensors) and all(after[k].equal(tensors[k]) for k in tensors)
    return f"{path.stem}: {about['kind']} of {about['system']}, {len(tensors)} tensors bit-equal"


def describe(name: str, old: dict) -> dict:
    """The description in its present form."""
    architecture = old["architecture"]
    kind = KINDS.get(architecture["class"].rsplit(".", 1)[-1], "caption_encoder")
    arguments = dict(architecture["arguments"])
    if kind == "caption_encoder":
        arguments = {"encoder": arguments, "matcher": old.get("matcher")}
    first = name.split("-")[0]
    system = SYSTEMS.get(first, first.split("_")[0] if kind == "caption_encoder" else first)
    sizes = {
        "text_to_image": lambda: arguments["generator"]["size"],
        "introspective": lambda: arguments["critic"]["size"],
    }
    more = {k: v for k, v in old.items() if k not in (*KNOWN, *GONE)}
    if kind == "style_encoder":
        of = weights.load(more["generator"]["name"])
        more["generator"] = {"name": of.name, "tensors": of.about["tensors"]}
    return {
        "kind": kind,
        "system": system if system in CATALOGUE else "",
        "world": next((world for world in WORLDS if world in name.split("-")), ""),
        "size": sizes.get(kind, lambda: None)(),
        "arguments": arguments,
        "headline": [x for x in recipe(system).HEADLINE] if system in CATALOGUE else [],
        "more": more,
        **{k: old[k] for k in KNOWN if k in old},
    }


if __name__ == "__main__":
    main()
