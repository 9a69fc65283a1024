"""Weights of a training run become weights that ship, with what was done to them beforehand.

    python scripts/ship.py runs/mine/gan_int_cls-birds-64.safetensors --steps 9721 --seconds 4100
    python scripts/ship.py data/weights/*.safetensors      # once more: what others hold is left out

Writes `data/weights/NAME.safetensors` and `.json`. What ships by itself (encoder, prior, winn; of
a StackGAN its stage I) is not written again: the file says whose it is. Run `scripts/judge.py NAME`
afterwards.
"""

import argparse
import json
import re
from pathlib import Path

import msgspec

from t2ilab.systems import weights


def main() -> None:
    words = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    words.add_argument("files", nargs="+", type=Path, help="weight files")
    words.add_argument("--name", help="another name than the file's")
    words.add_argument("--steps", type=int, help="of the whole training, if it had parts")
    words.add_argument("--seconds", type=float, help="the same")
    words.add_argument(
        "--command", help="that trained it, where paths in it mean nothing to others"
    )
    words.add_argument("--more", type=json.loads, default={}, help="JSON added to `more`")
    given = words.parse_args()
    parts = [x for x in weights.bundled() if x.startswith(("encoder-", "prior-", "winn-"))]
    drawing = [x for x in weights.bundled() if re.fullmatch(r"gan_int_cls-\w+-64", x)]
    for file in given.files:
        about, tensors = weights.intact(file)
        name = given.name or file.stem
        told = {k: getattr(given, k) for k in ("steps", "seconds", "command")}
        told = {k: v for k, v in told.items() if v is not None}
        stages = drawing if name.startswith("stackgan-") else []  # their generator is stage I
        lent = {} if name in parts else weights.shared(tensors, [*parts, *stages])
        about = msgspec.structs.replace(about, more=about.more | given.more, shared=lent, **told)
        path = weights.FOLDER / f"{name}{weights.SUFFIX}"
        weights.write(path, tensors, about)
        said = ", ".join(f"{part} of {of.name}" for part, of in lent.items())
        print(
            f"{path.name}: {path.stat().st_size / 1e6:.2f} MB{', with the ' if said else ''}{said}"
        )


if __name__ == "__main__":
    main()
