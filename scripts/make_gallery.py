"""Make the pictures of README.md and the head of notebook 00: `python scripts/make_gallery.py`.

`worlds.png` is drawn by PaperWorld, the others by the bundled GAN-INT-CLS.
Each stays below 200 kB, by at most 256 colours.
"""

import base64
import json
from collections.abc import Sequence
from io import BytesIO

import numpy as np
from PIL import Image

from t2ilab.data import paperworld
from t2ilab.files import write_atomically
from t2ilab.paths import DATA, NOTEBOOKS
from t2ilab.plots import captioned_grid, grid
from t2ilab.systems.text_to_image import TextToImage

GALLERY = DATA / "gallery"
LARGEST = 200_000  # bytes
CAPTIONS = (
    "a small red bird with blue wings",
    "a large yellow bird with black wings and a long beak",
    "this bird is white with orange and has a very short beak",
    "a small bird with a pink breast and crown, and black wings and tail",
)
SHOWN = {  # pictures of the test split, chosen for variety
    "birds": (0, 1, 3, 4, 6, 9, 12, 14),
    "flowers": range(8),
    "phrases": range(8),
    "scenes": (0, 3, 4, 5, 8, 9, 11, 14),
}


def worlds() -> Image.Image:
    """A row of pictures of each world, drawn at 128 pixels and shown at 96."""
    drawn = [
        paperworld.world(name).picture("test", i, 128)
        for name, shown in SHOWN.items()
        for i in shown
    ]
    tiles = [Image.fromarray(p).resize((96, 96), Image.Resampling.LANCZOS) for p in drawn]
    return grid(np.stack([np.asarray(tile) for tile in tiles]), columns=8, gap=4)


def captions(system: TextToImage, sentences: Sequence[str] = CAPTIONS) -> Image.Image:
    """A row of pictures of each caption, from the same noise."""
    return captioned_grid([system.draw(c) for c in sentences], sentences, scale=2, text=20)


def sixty_four(system: TextToImage) -> Image.Image:
    """A picture for each of the first 64 complete captions of the test split: none is chosen."""
    test = paperworld.world("birds").load("test", system.size, 64)
    return grid(system.draw([c[0] for c in test.captions]), columns=16, gap=2)


def others() -> Image.Image:
    """Two rows of pictures of each other world, for the first captions of its test split."""
    rows = []
    for name in ("flowers", "phrases", "scenes"):
        system = TextToImage.load(f"gan_int_cls-{name}-64")
        test = paperworld.world(name).load("test", system.size, 28)
        rows.append(system.draw([c[0] for c in test.captions]))
    return grid(np.concatenate(rows), columns=14, gap=2)


def png(image: Image.Image) -> bytes:
    """The picture in at most 256 colours.

    Raises:
        ValueError: it takes more than `LARGEST` bytes.
    """
    buffer = BytesIO()
    palette = image.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=1)
    palette.save(buffer, "PNG", optimize=True)
    if buffer.tell() > LARGEST:
        raise ValueError(f"{buffer.tell()} bytes; at most {LARGEST}: show fewer pictures")
    return buffer.getvalue()


def embed(name: str, data: bytes) -> None:
    """Replace the picture that the first cell of notebook 00 carries as an attachment."""
    path = NOTEBOOKS / "00_first_picture.ipynb"
    notebook = json.loads(path.read_text(encoding="utf-8"))
    notebook["cells"][0]["attachments"] = {name: {"image/png": base64.b64encode(data).decode()}}
    write_atomically(path, (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode())


def main() -> None:
    system = TextToImage.load("gan_int_cls-birds-64")
    made = {
        "worlds.png": worlds(),
        "captions.png": captions(system),
        "sixty_four.png": sixty_four(system),
        "others.png": others(),
    }
    GALLERY.mkdir(parents=True, exist_ok=True)
    for name, image in made.items():
        data = png(image)
        write_atomically(GALLERY / name, data)
        print(f"{name}: {image.width} x {image.height} pixels, {len(data) / 1000:.0f} kB")
    embed("captions.png", png(captions(system, CAPTIONS[:2])))


if __name__ == "__main__":
    main()
