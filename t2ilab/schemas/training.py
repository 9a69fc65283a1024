"""`run.json` of a training run: its options, and the fingerprint of its data."""

from typing import Annotated

from msgspec import Meta

from t2ilab.schemas.provenance import Machine, Package
from t2ilab.schemas.reading import Strict

Name = Annotated[str, Meta(max_length=64)]
Text = Annotated[str, Meta(max_length=4096)]


class RunFile(Strict, kw_only=True):
    """See `fit.record.Record`."""

    options: Annotated[dict[Name, int | float | bool | Text], Meta(max_length=100)]
    data: Annotated[dict[Name, int | Text], Meta(max_length=100)] = {}
    versions: dict[Name, Text] = {}
    package: Package | None = None
    machine: Machine | None = None
