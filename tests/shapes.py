"""The checker of shapes that `conftest.py` puts on the package's functions, in tests only.

It checks what jaxtyping declares (`Float[Tensor, "b 3 size size"]`) and nothing else: a wrong plain
type is for the function itself to refuse in words, and many a test hands one in to see that.
"""

from collections.abc import Callable
from typing import Any, get_args

from beartype import beartype
from jaxtyping import AbstractArray


def check(function: Callable) -> Callable:
    """`function` with its shape annotations checked at each call; as it is where it has none."""
    shapes = {name: a for name, a in function.__annotations__.items() if _has_shape(a)}
    if not shapes:
        return function
    function.__annotations__ = shapes
    return beartype(function)


def _has_shape(annotation: Any) -> bool:
    if isinstance(annotation, type) and issubclass(annotation, AbstractArray):
        return True
    return any(_has_shape(part) for part in get_args(annotation))
