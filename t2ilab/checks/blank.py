"""`____`, the hole in an exercise: whatever is done with it, it stays a hole."""

import inspect
from types import CodeType
from typing import Any


class NotAttempted(Exception):
    """An answer still has its `____`, or its `NotImplementedError`."""


class Blank:
    """What `____` is. Calculating with it, or handing it to torch or numpy, gives `____` again,
    so that a cell that was not filled in yet runs; only a decision on it cannot be taken."""

    def _stay(self, *args: Any, **kwargs: Any) -> "Blank":
        return self

    def _stop(self, *args: Any) -> Any:
        raise NotAttempted("____ is still there")

    def __getattr__(self, name: str) -> "Blank":
        if name.startswith("_"):  # asked by copy, pickle, or a display: we have none of these
            raise AttributeError(name)
        return self

    def __repr__(self) -> str:
        return "____"

    def __format__(self, spec: str) -> str:
        return "____"

    @classmethod
    def __torch_function__(cls, *args: Any, **kwargs: Any) -> "Blank":
        return ____

    __array_ufunc__ = __array_function__ = _stay
    __call__ = __getitem__ = _stay
    __add__ = __sub__ = __mul__ = __truediv__ = __floordiv__ = __mod__ = __pow__ = _stay
    __radd__ = __rsub__ = __rmul__ = __rtruediv__ = __rfloordiv__ = __rmod__ = __rpow__ = _stay
    __matmul__ = __rmatmul__ = __and__ = __or__ = __xor__ = __rand__ = __ror__ = __rxor__ = _stay
    __neg__ = __pos__ = __abs__ = __invert__ = __round__ = _stay
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _stay  # type: ignore[assignment]
    __hash__ = object.__hash__
    __bool__ = __len__ = __iter__ = __contains__ = __float__ = __int__ = __index__ = _stop
    __array__ = __enter__ = _stop


____ = Blank()


def has_blank(answer: Any) -> bool:
    """Whether `____` is a value, or in a list or dict of values, or in the code of a function,
    or in the methods of a class or of an object's class."""
    if isinstance(answer, Blank):
        return True
    if isinstance(answer, dict):
        return any(map(has_blank, answer.values()))
    if isinstance(answer, (list, tuple, set)):
        return any(map(has_blank, answer))
    if _code_of(answer) is not None:
        function = inspect.unwrap(getattr(answer, "__func__", answer))
        return _in_code(_code_of(answer)) or has_blank(function.__defaults__ or ())
    kind = answer if isinstance(answer, type) else type(answer)
    methods = (value for base in kind.__mro__[:-1] for value in vars(base).values())
    return any(_in_code(code) for code in map(_code_of, methods) if code is not None)


def _code_of(function: Any) -> CodeType | None:
    """The code of a function, a method, a property, or whatever wraps one."""
    if isinstance(function, property):
        function = function.fget
    function = inspect.unwrap(getattr(function, "__func__", function))
    code = getattr(function, "__code__", None)
    return code if isinstance(code, CodeType) else None


def _in_code(code: CodeType) -> bool:
    inner = [const for const in code.co_consts if isinstance(const, CodeType)]
    return "____" in (*code.co_names, *code.co_freevars) or any(map(_in_code, inner))
