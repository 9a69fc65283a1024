"""What is read from environment variables: checked where it is read, and named when it is wrong."""

import os
import re

from t2ilab.errors import UsageError, choose, shortened

PROFILES = ("smoke", "laptop", "gpu")  # from small to large
LAUNCHERS = {"WORLD_SIZE": 1, "RANK": 0, "LOCAL_WORLD_SIZE": 1, "LOCAL_RANK": 0}  # from, up
DEVICES = ("auto", "cpu", "cuda", "mps")


def whole_number(name: str, least: int, *, default: int | None = None) -> int:
    """The whole number in the variable `name`; where it is not set, or empty, `default` or `least`.

    Raises:
        UsageError: it holds something else, or a number below `least` or above 999,999,999.
    """
    text = os.environ.get(name, "").strip()
    if not text:
        return least if default is None else default
    if re.fullmatch("[0-9]{1,9}", text) and int(text) >= least:
        return int(text)
    shown = shortened(text, 40)
    raise UsageError(
        f"the environment variable {name} is {shown!r}; expected a whole number from {least} up, "
        f"as torchrun or `fabric run` sets it; unset it"
    )


def profile() -> str | None:
    """The profile in T2ILAB_PROFILE; None where it is not set, or empty.

    Raises:
        UsageError: there is no such profile.
    """
    given = os.environ.get("T2ILAB_PROFILE", "")
    return choose("profile (in T2ILAB_PROFILE)", given, PROFILES) if given else None
