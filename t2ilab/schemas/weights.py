"""What is said of trained weights: in the header of the file, and for people in the JSON beside."""

from typing import Annotated, Any

from msgspec import Meta

from t2ilab.schemas.reading import Sha256, Strict

Word = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[\w.-]+$")]
Text = Annotated[str, Meta(max_length=4000)]
Count = Annotated[int, Meta(ge=0, le=10**10)]
Measured = Annotated[dict[str, int | float | str], Meta(max_length=500)]


class Shared(Strict, kw_only=True):
    """A part that lies in other bundled weights: their name, and their modules that make it."""

    name: Word
    modules: Annotated[list[Word], Meta(min_length=1, max_length=100)]


class Description(Strict, kw_only=True):
    """Where weights come from, what they are of, and what was measured with them.

    Attributes:
        kind: of system, e.g. "text_to_image"; says which class reads the file.
        system: its name in the catalogue, e.g. "gan_int_cls"; "" for one made in Python.
        world: of PaperWorld, or "".
        data: what it learned from, in words.
        size: side of its pictures in pixels, or None.
        arguments: make the networks.
        command: that trained it.
        seconds, steps: of training; `trained_on`: device and precision.
        measured: name -> number or text; `headline`: the names that matter most.
        more: of this system alone: its recipe, the generator that it inverts, ...
        versions: of the package, torch and Python.
        shared: part, e.g. "encoder" -> the bundled weights that hold its tensors in place of this
            file, so that they are shipped once.
        tensors: sha256 of all tensors with their names, shared ones included.
    """

    kind: Word
    system: Annotated[str, Meta(max_length=64, pattern=r"^[\w.-]*$")] = ""
    world: Annotated[str, Meta(max_length=64, pattern=r"^[\w.-]*$")] = ""
    data: Text
    size: Annotated[int, Meta(ge=1, le=4096)] | None = None
    arguments: dict[str, Any]
    command: Text
    seconds: Annotated[float, Meta(ge=0, le=10**10)]
    steps: Count = 0
    trained_on: Text = ""
    measured: Measured
    headline: Annotated[list[str], Meta(max_length=20)] = []
    more: dict[str, Any] = {}
    shared: dict[Word, Shared] = {}
    versions: dict[str, Text]
    tensors: Sha256


class Beside(Description, kw_only=True):
    """The JSON beside the weights: the same, and the file's size in bytes and its sha256."""

    sha256: Sha256
    bytes: Count
