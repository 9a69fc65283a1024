"""What all exercises share: calling the student's function, and naming the usual slips first.

`call` runs the function on a small case and looks at *what* comes back: no `return`, another type,
another shape, nan, an argument changed in place. `compare` and `compare_terms` then look at its
value: first whether it is right, then whether it is that of a known slip. So nothing is ever blamed
that gives the right value.
"""

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import product
from numbers import Number
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from t2ilab.checks.blank import NotAttempted, has_blank
from t2ilab.checks.exercise import Wrong

Slips = Mapping[str, Any]  # what to say -> the value that this slip gives, or a tuple of such
SUM = "That is the sum over the batch; take the mean, or the step grows with the batch."
_NAMES = {torch.Tensor: "a torch tensor", np.ndarray: "a numpy array", float: "one number"}


def call(function: Callable, *arguments: Any, **wanted: Any) -> Any:
    """What the student's function returns for copies of these arguments; `wanted`: see `checked`.

    Raises:
        Wrong: it is no function, takes other arguments or changes one in place, or what it returns
            is of another type or shape, or not finite.
    """
    if not callable(function) or isinstance(function, type):
        raise Wrong(f"A function is asked for; its name now stands for {_a(function)}.")
    name = f"`{getattr(function, '__name__', 'the function')}`"
    names = _names_of(function, arguments)
    given = [_copied(argument) for argument in arguments]
    found = checked(function(*given), name, **wanted)
    for argument, old, new in zip(names, arguments, given, strict=True):
        if not _unchanged(old, new):
            raise Wrong(
                f"`{argument}` was changed in place (by `+=`, by a method whose name ends in `_`, "
                "or by an assignment to a part of it), but it belongs to the caller. Compute "
                "something new from it instead."
            )
    return found


def checked(
    found: Any,
    name: str,
    *,
    kind: type = torch.Tensor,
    shape: Sequence[int] | None = None,
    reason: str = "",
    finite: str = "",
    whole: bool = False,
) -> Any:
    """`found` itself, where its type, shape and values are such that it can be compared.

    Args:
        name: what it is, in words.
        kind: the type asked for; `float` stands for any single number.
        shape, reason: the shape asked for, and what to say where it is another.
        finite: said in place of the usual advice where a value is nan or infinite.
        whole: whole numbers are asked for.

    Raises:
        Wrong: saying which of them it is not.
    """
    if has_blank(found):
        raise NotAttempted("____ is still there")
    if found is None:
        raise Wrong(
            f"{name} returns nothing (None). Its last line should be `return ...`: what is "
            "printed or assigned in a function is not handed back."
        )
    if kind is float and isinstance(found, (Number, np.generic, np.ndarray, torch.Tensor)):
        shape = ()
    elif not isinstance(found, kind):
        asked = _NAMES.get(kind) or f"{_a(kind())}: {reason}".removesuffix(": ")
        raise Wrong(f"{name} returns {_a(found)}; asked for is {asked}.")
    if kind not in _NAMES:
        return found
    values = found.detach() if isinstance(found, torch.Tensor) else np.asarray(found)
    if shape is not None and tuple(values.shape) != tuple(shape):
        raise Wrong(_other_shape(name, list(values.shape), list(shape), reason))
    if not isinstance(values, torch.Tensor) and values.dtype.kind not in "biuf":
        raise Wrong(f"{name} returns {values.dtype.name} values; numbers are asked for.")
    values = torch.as_tensor(values)
    if whole and (values.is_floating_point() or values.dtype == torch.bool):
        raise Wrong(f"{name} returns {values.dtype}; whole numbers are asked for.")
    if not bool(torch.isfinite(values).all()):
        raise Wrong(f"{name} returns {_not_finite(values)}. {finite or _WHERE_NAN_COMES_FROM}")
    return float(values) if kind is float else found


_WHERE_NAN_COMES_FROM = (
    "That comes from the logarithm of 0 or of a negative number, from a division by 0, or from an "
    "exponential of something large."
)


def compare(
    found: Any,
    right: Any,
    otherwise: str = "For a small example it should be {right}; yours is {found}.",
    *,
    slips: Slips = MappingProxyType({}),
    mean_over: tuple[int, str] | None = None,
    close: float = 1e-5,
) -> None:
    """Nothing where `found` is `right`; else `Wrong` with the words that fit.

    Args:
        slips: what to say -> the value that this slip gives; the likeliest first.
        mean_over: how many of what are averaged, to know a sum in place of the mean.
        otherwise: said where no slip fits. {right} and {found} stand for the values.
        close: the tolerance, relative and absolute.
    """
    if same(found, right, close):
        return
    right = _tensor(right)
    usual = {}
    if mean_over:
        number, things = mean_over
        usual[f"That is the sum over the {number} {things}; take the mean."] = right * number
        usual[f"That is divided by {number} once more: take the mean once."] = right / number
    if right.ndim == 2:
        usual["It is transposed: rows and columns changed places."] = right.T
    usual["The sign is turned round: {right} is asked for; yours is {found}."] = -right
    known = [
        (value, words) for words, v in [*slips.items(), *usual.items()] for value in _several(v)
    ]
    words = next((words for value, words in known if same(found, value, close)), otherwise)
    raise Wrong(words.replace("{right}", shown(right)).replace("{found}", shown(found)))


def compare_terms(
    found: Any, *terms: tuple[Any, Slips], slips: Slips = MappingProxyType({}), otherwise: str
) -> None:
    """`compare` for a sum of terms: each wrong term is named, and no other.

    Args:
        terms: for each its right value, and the slips that can be made in it.
        slips: of the whole sum, with the values that it then has; they come first.
        otherwise: see `compare`.
    """
    ways = [
        [(right, ""), *((value, words) for words, v in wrong.items() for value in _several(v))]
        for right, wrong in terms
    ]
    known: dict[str, tuple] = {}
    for way in sorted(product(*ways), key=lambda way: sum(bool(words) for _, words in way)):
        words = " ".join(dict.fromkeys(words for _, words in way if words))
        known[words] = (*known.get(words, ()), sum(value for value, _ in way))
    right = known.pop("")[0]
    compare(found, right, otherwise, slips={**slips, **known})


def compare_ends(
    first: Any,
    last: Any,
    start: Any,
    end: Any,
    names: tuple[str, str],
    at: tuple[str, str] = ("beta = 0", "beta = 1"),
) -> None:
    """Whether a path begins at `start` and ends at `end`; `names` are theirs, `at` says where.

    Raises:
        Wrong: it goes the other way, or stops short of an end, or misses one.
    """
    if same(first, end) and same(last, start):
        raise Wrong(
            f"It goes the other way round: at {at[0]} it should be {names[0]}, and at {at[1]} "
            f"{names[1]}."
        )
    way = _tensor(end) - _tensor(start)
    for found, asked, name, where in zip((first, last), (start, end), names, at, strict=True):
        if same(found, asked):
            continue
        share = float(((_tensor(found) - _tensor(start)) * way).sum() / way.square().sum())
        if 0 < share < 1 and same(found, _tensor(start) + share * way):
            raise Wrong(
                f"{name} is never reached: at {where} yours lies at {share:.3g} of the way from "
                f"{names[0]} to {names[1]}."
            )
        raise Wrong(f"At {where} it should be {name}, {shown(asked)}; yours is {shown(found)}.")


def terms_apart(
    function: Callable, right: Callable, arguments: Sequence[Any], others: Sequence[Any]
) -> list[int]:
    """Which arguments bear on `function` otherwise than on `right`: each alone is replaced.

    For a function that is a sum of one term for each argument.
    """
    apart = []
    for i, other in enumerate(others):
        moved = [*arguments[:i], other, *arguments[i + 1 :]]
        changes = [float(f(*moved)) - float(f(*arguments)) for f in (function, right)]
        apart += [] if same(*changes) else [i]
    return apart


def same(a: Any, b: Any, close: float = 1e-5) -> bool:
    """Of one shape, and equal but for rounding."""
    a, b = _tensor(a), _tensor(b)
    return a.shape == b.shape and torch.allclose(a, b, rtol=close, atol=close)


def shown(values: Any) -> str:
    """Numbers as a message shows them: three decimals."""
    values = _tensor(values)
    text = str(_rounded(values.tolist()))
    return text.replace(".0,", ",").replace(".0]", "]").removesuffix(".0")


@contextmanager
def explained(kind: type[Exception], words: str, *, about: str = "") -> Iterator[None]:
    """Say `words` after an error of this kind, and `about` this, in the student's code."""
    try:
        yield
    except kind as error:
        if about in str(error):
            error.explained = words  # type: ignore[attr-defined]
        raise


class Spy:
    """Stands for a network: gives what it is told to, and notes what it was called with."""

    def __init__(self, answer: Callable):
        self.answer, self.seen = answer, []

    def __call__(self, *inputs: Any) -> Any:
        self.seen.append(inputs)
        return self.answer(*inputs)

    def saw(self, *wanted: Any) -> bool:
        """Whether it was called with these tensors the first time."""
        first = self.seen[0] if self.seen else ()
        return len(first) == len(wanted) and all(map(same, first, wanted))


def _names_of(function: Callable, arguments: Sequence[Any]) -> list[str]:
    """What the function calls these arguments; `Wrong` where it does not take as many."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # one that is not written in Python
        return [f"argument {i}" for i in range(1, len(arguments) + 1)]
    try:
        return list(signature.bind(*arguments).arguments)
    except TypeError:
        raise Wrong(
            f"The function is called with {len(arguments)} arguments, as in the stub; yours takes "
            f"{signature}. Keep the line with `def` as it was."
        ) from None


def _several(values: Any) -> tuple:
    return values if isinstance(values, tuple) else (values,)


def _tensor(values: Any) -> torch.Tensor:
    return torch.as_tensor(values).detach().double()


def _rounded(values: Any) -> Any:
    return [_rounded(v) for v in values] if isinstance(values, list) else round(values, 3) + 0.0


def _copied(argument: Any) -> Any:
    if isinstance(argument, torch.Tensor):
        return argument.detach().clone()
    return argument.copy() if isinstance(argument, (np.ndarray, list)) else argument


def _unchanged(old: Any, new: Any) -> bool:
    if isinstance(old, torch.Tensor):
        return old.shape == new.shape and torch.equal(old.detach(), new.detach())
    if isinstance(old, (np.ndarray, list)):
        return np.array_equal(old, new)
    return True


def _a(value: Any) -> str:
    """What a value is, in words: "a torch tensor", "a float"."""
    if isinstance(value, Callable) and not isinstance(value, (torch.nn.Module, type)):
        name = getattr(value, "__name__", "")
        return f"a function (`{name}`; are the brackets of its call missing?)"
    if isinstance(value, torch.Tensor):
        return "a torch tensor"
    if isinstance(value, (np.ndarray, np.generic)):
        return "a numpy array" if np.ndim(value) else "a numpy number, which has no gradient"
    name = {str: "text", tuple: "tuple", type: "class"}.get(type(value), type(value).__name__)
    if isinstance(value, float):
        return "a Python float, which has no gradient (`.item()` and `float()` make one)"
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _other_shape(name: str, found: list[int], asked: list[int], reason: str) -> str:
    """What is said about another shape."""
    swapped = " Rows and columns changed places." if len(asked) > 1 and found[::-1] == asked else ""
    what = f"the shape {asked}" if asked else "one number, of shape []"
    return f"{name} should return {what}; yours has the shape {found}.{swapped} {reason}".strip()


def _not_finite(values: torch.Tensor) -> str:
    bad = values[~torch.isfinite(values)]
    what = "nan" if bool(bad.isnan().any()) else "inf" if bool((bad > 0).any()) else "-inf"
    return what if values.ndim == 0 else f"{what} in {len(bad)} of {values.numel()} values"
