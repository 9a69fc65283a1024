"""An exercise of a notebook: `check`, `hint`, `solution`, and the proof that they are right.

The exercises of notebook 18 live in `t2ilab/checks/n18_text_to_image.py`, one `Exercise` a name:

    q1 = Exercise(
        name="q1",
        question="Write the loss of ...",
        stub="def loss(logits):\\n    return ____",
        answer="F.softplus(-logits).mean()",  # in the place of ____
        test=test_q1,  # test_q1(loss) raises Wrong("...") with the hint that fits; see `kit`
        hints=("A loss is a mean over ...", "softplus(-x) is ..."),
        mistakes=[("F.softplus(logits).mean()", "sign")],
    )
"""

import linecache
import random
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from t2ilab.checks.blank import NotAttempted, has_blank
from t2ilab.errors import UsageError
from t2ilab.lab import in_notebook


class Wrong(Exception):
    """An answer is wrong; the message says in which way, and hints at what to do."""


class Verdict(NamedTuple):
    """What `check` finds, and the words it says so in."""

    status: Literal["correct", "wrong", "not attempted"]
    message: str


@dataclass(kw_only=True, eq=False)
class Exercise:
    """One exercise.

    Attributes:
        name: as the module and the notebook call it: "q1".
        question: the task, in Markdown.
        stub: the cell as the learner finds it, with `____` or `raise NotImplementedError`.
        answer: what belongs in the place of `____`, a tuple where there are several; or, where it
            begins with "def ", the cell as it should be. Kept as the whole cell.
        test: called with the learner's values; raises `Wrong` where they are not right.
        hints: two, the first a nudge, the second nearly the answer.
        mistakes: typical mistakes, written as `answer` is, each with words that the feedback must
            hold. Those that can be made in every exercise (no `return`, nan, ...) the proof adds.
        reads: the names that the learner defines, by default the functions of the stub; `test`
            gets their values in this order.
        setup: what the notebook has defined by then (imports, data), for the proof alone.
        praise: said with "Correct", for instance what the answer shows.
    """

    name: str
    question: str
    stub: str
    answer: str | tuple[str, ...]
    test: Callable[..., None]
    hints: tuple[str, str]
    mistakes: Sequence[tuple[str | tuple[str, ...], str]]
    reads: tuple[str, ...] = ()
    setup: str = "import numpy as np\nimport torch\nimport torch.nn.functional as F"
    praise: str = ""

    def __post_init__(self):
        self.reads = self.reads or tuple(re.findall(r"^def (\w+)", self.stub, re.MULTILINE))
        self.answer = filled(self.stub, self.answer)
        self.mistakes = [(filled(self.stub, parts), words) for parts, words in self.mistakes]
        self._hinted = 0

    def check(self, *answers: Any) -> None:
        """Print whether the answer is right, and if not, what is wrong with it.

        Without arguments the names in `reads` are looked up where `check` is called.

        Raises:
            UsageError: another number of values than the exercise reads.
        """
        if not answers:
            frame = sys._getframe(1)
            names = {**frame.f_globals, **frame.f_locals}
            missing = [name for name in self.reads if name not in names]
            if missing:
                print(f"{self.name}: not attempted yet. Run the cell that defines {missing[0]}.")
                return
            answers = tuple(names[name] for name in self.reads)
        print(f"{self.name}: {self.verdict(*answers).message}")

    def use(self, answer: Any, *, otherwise: Any) -> Any:
        """The learner's answer for the cells that follow, where it is right; else ours.

        Prints which of the two it is.
        """
        right = self.verdict(answer).status == "correct"
        print(f"{self.name}: what follows uses {'your' if right else 'our'} {self.reads[0]}")
        return answer if right else otherwise

    def verdict(self, *answers: Any) -> Verdict:
        """Judge values for the names in `reads`; the random numbers of the notebook stay.

        Raises:
            UsageError: another number of values than the exercise reads.
        """
        if len(answers) != len(self.reads):
            read = ", ".join(self.reads)
            raise UsageError(f"{self.name} reads {read}: check({read})")
        if any(map(has_blank, answers)):
            return _UNTOUCHED
        try:
            with _randomness_kept():
                self.test(*answers)
        except NotAttempted:
            return _UNTOUCHED
        except (Wrong, AssertionError) as error:
            return Verdict("wrong", f"Not yet. {error}")
        except Exception as error:
            own = _own_line(error)
            if isinstance(error, NotImplementedError) and own and own.raised:
                return _UNTOUCHED
            return Verdict("wrong", f"Not yet. {_in_words(error, own)}")
        return Verdict("correct", f"Correct. {self.praise}".strip())

    def hint(self, number: int | None = None) -> None:
        """Print the next hint, or hint 1 or 2.

        Raises:
            UsageError: there is no hint of that number.
        """
        number = min(self._hinted + 1, len(self.hints)) if number is None else number
        if number not in range(1, len(self.hints) + 1):
            raise UsageError(f"{self.name} has hints 1 to {len(self.hints)}; there is no {number}")
        self._hinted = number
        print(f"{self.name}, hint {number} of {len(self.hints)}: {self.hints[number - 1]}")

    def solution(self) -> None:
        """Show the solution as code."""
        if not in_notebook():
            print(self.answer.strip())
            return
        from IPython.display import Markdown, display

        display(Markdown(f"```python\n{self.answer.strip()}\n```"))

    def _repr_markdown_(self) -> str:
        return self.question


_UNTOUCHED = Verdict(
    "not attempted", "not attempted yet. Fill in the cell (every ____), run it, and check again."
)


def filled(stub: str, parts: str | tuple[str, ...]) -> str:
    """The stub with each `____` replaced by its part; or the parts, where they are a whole cell.

    Raises:
        UsageError: another number of parts than the stub has blanks.
    """
    if isinstance(parts, str) and re.match(r"def |class ", parts):
        return parts
    parts, pieces = (parts,) if isinstance(parts, str) else parts, stub.split("____")
    if len(parts) != len(pieces) - 1:
        raise UsageError(f"{len(parts)} parts for a stub with {len(pieces) - 1} blanks")
    return "".join(a + b for a, b in zip(pieces, (*parts, ""), strict=True))


def run_cell(source: str, namespace: dict[str, Any], *, title: str) -> None:
    """Execute a cell's text in `namespace`; errors and `inspect` can quote its lines."""
    filename = f"<{title}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    exec(compile(source, filename, "exec"), namespace)


class _Line(NamedTuple):
    text: str
    raised: bool  # by a `raise NotImplementedError` right there, not by a library


def _own_line(error: BaseException) -> _Line | None:
    """The last line of the learner's own code (module `__main__`) that an error went through."""
    own, trace = None, error.__traceback__
    while trace:
        if trace.tb_frame.f_globals.get("__name__") == "__main__":
            code = trace.tb_frame.f_code
            text = linecache.getline(code.co_filename, trace.tb_lineno).strip()
            raised = trace.tb_next is None and "NotImplementedError" in code.co_names
            own = _Line(text, raised)
        trace = trace.tb_next
    return own


def _in_words(error: Exception, own: _Line | None) -> str:
    """An error of the student's code: its kind, its first line, where it was, and what it means."""
    where = f", in the line `{own.text}`" if own and own.text else ""
    said = f"{type(error).__name__}: {error}".rstrip(": ").split("\n")[0]
    means = getattr(error, "explained", "")  # see `kit.explained`
    return f"Your code stopped with {said.rstrip('.')}{where}. {means}".strip()


@contextmanager
def _randomness_kept() -> Iterator[None]:
    """Seed the CPU's random numbers for a check, and afterwards go on as if it had not been.

    numpy's warnings are silent meanwhile: the check says itself what is nan.
    """
    import numpy as np
    import torch

    python, numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices=[]), np.errstate(all="ignore"):
            random.seed(0)
            np.random.seed(0)
            torch.default_generator.manual_seed(0)
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
