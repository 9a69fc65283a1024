"""The captions files of MS-COCO: of each object what is read; all other names may stand there too.

Format: https://cocodataset.org/#format-data ("Captioning").
"""

from typing import Annotated

from msgspec import Meta, Struct

Id = Annotated[int, Meta(ge=0, lt=10**12)]  # the file names have room for twelve digits


class Image(Struct, frozen=True, gc=False):
    """A picture and its file."""

    id: Id
    file_name: str


class Annotation(Struct, frozen=True, gc=False):
    """A caption of a picture."""

    id: Id
    image_id: Id
    caption: str


class Captions(Struct, frozen=True):
    """`annotations/captions_*.json`."""

    images: list[Image]
    annotations: list[Annotation]
