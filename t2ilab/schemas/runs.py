"""What runs keep: metrics.json, and the number of a job that a sweep has given to Slurm.

A notebook is read as far as the package looks at it; the rest of its schema is nbformat's.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta

from t2ilab.schemas.provenance import Machine, Package
from t2ilab.schemas.reading import Strict

Moment = Annotated[str, Meta(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$")]


class Run(Strict, omit_defaults=True):
    """What `t2ilab run` adds last of all; `digest` is that of all the rest of the file."""

    notebook: str
    hash: str
    parameters: dict[str, Any]
    finished: Moment
    seconds: Annotated[float, Meta(ge=0)]
    digest: str | None = None


class Metrics(Strict, omit_defaults=True):
    """metrics.json: what `lab.finish()` writes, and `run`. (Older files say less.)"""

    profile: Literal["smoke", "laptop", "gpu"] | None = None
    seed: int | None = None
    device: Literal["cpu", "cuda", "mps"] | None = None
    seconds: Annotated[float, Meta(ge=0)] | None = None
    peak_memory_mb: int | None = None
    peak_gpu_memory_mb: int | None = None
    versions: dict[str, str] | None = None
    package: Package | None = None
    machine: Machine | None = None
    recorded: dict[str, Any] | None = None
    figures: dict[str, str] | None = None
    widget_errors: list[str] | None = None
    run: Run | None = None


class Submitted(Strict):
    """slurm/<hash>.json: the job, or the part of an array of jobs, that runs a combination."""

    job_id: Annotated[str, Meta(pattern=r"^[0-9]{1,18}(_[0-9]{1,9})?$")]


class Notebook(Strict):
    """A notebook of format 4; the cells are for `nbformat.validate` to look at."""

    cells: list[dict[str, Any]]
    metadata: dict[str, Any]
    nbformat: Literal[4]
    nbformat_minor: Annotated[int, Meta(ge=0, le=99)]
