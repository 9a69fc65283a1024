"""What `t2ilab.provenance` says, as it stands in the JSON beside a result."""

from t2ilab.schemas.reading import Strict


class Package(Strict, omit_defaults=True):
    """The code: its digest; its commit, and whether files differ from that, in a checkout."""

    digest: str
    commit: str | None = None
    changed: bool | None = None


class Machine(Strict, omit_defaults=True):
    """The machine, as it calls itself."""

    host: str
    system: str
    processor: str
    cores: int
    bf16: bool
    gpu: str | None = None
