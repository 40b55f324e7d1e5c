"""What can be wrong with a space file or with its data, as exceptions that carry whole sentences."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass

from spaces.basics.figures import plural
from spaces.basics.printable import cut, printable

OF_THE_DISK = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})
"""No space, over the quota, file too large, an error of the device: nothing that the user has asked for wrongly."""

_MOST_SHOWN = 50
_LONGEST_KEY = 200
_LONGEST_MESSAGE = 2000


@dataclass(frozen=True)
class Problem:
    """One mistake in a space file.

    Attributes:
        file: the space file, or `--set KEY` where a command-line override is to blame, or None for a
            space made in Python.
        line: line in that file, counted from 1; None where there is no file.
        column: column in that line, counted from 1; None where there is no file.
        key: dotted path of the offending key, e.g. `training.learning_rate.min`; "" for the whole file.
        message: what was found and what is allowed.
        path: `key` in its parts, list positions as integers.
    """

    file: str | None
    line: int | None
    column: int | None
    key: str
    message: str
    path: tuple[str | int, ...] = ()

    def __post_init__(self) -> None:
        # Words of a stranger's file shall neither steer nor flood the terminal they are printed on.
        object.__setattr__(self, "key", _short(self.key, _LONGEST_KEY))
        object.__setattr__(self, "message", _short(self.message, _LONGEST_MESSAGE))

    @property
    def idle(self) -> bool:
        """Whether the key is legal, and only has no effect beside what else the space says."""
        return self.message.startswith(("has no effect", "never holds"))

    def __str__(self) -> str:
        file = None if self.file is None else printable(self.file)
        place = [] if file is None else [file if self.line is None else f"{file}:{self.line}"]
        if self.key and file != f"--set {self.key}":
            place.append(self.key)
        return ": ".join([*place, self.message])


class SpaceError(ValueError):
    """A space file, or the mapping that stands for one, is not a legal search space.

    Attributes:
        problems: every mistake that was found, in the order of the file. The text of the error, one line for each,
            shows the first 50 and counts the others.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        lines = [str(problem) for problem in self.problems[:_MOST_SHOWN]]
        if (more := len(self.problems) - _MOST_SHOWN) > 0:
            lines.append(f"… and {plural(more, 'more mistake')}")
        super().__init__("\n".join(lines))

    def __reduce__(self) -> tuple[type[SpaceError], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


class DataError(ValueError):
    """The data of a space are missing or unusable. The message, one line, names the file."""

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class RowsNotWritten(DataError):
    """The rows of a data set, or other temporary files, have to be on a disk which is full or fails."""


class CodeError(ValueError):
    """A function of the user's cannot be used. The message names it, and where there is one the line."""


def _short(text: str, longest: int) -> str:
    return printable(cut(text, longest))


def problem(path: Sequence[str | int], message: str) -> Problem:
    """A problem at `path` of a space whose file is not known yet."""
    return Problem(None, None, None, dotted(path), message, tuple(path))


def dotted(path: Sequence[str | int]) -> str:
    """`("baselines", 0, "name")` as `baselines.0.name`, the spelling that `--set` takes too."""
    return ".".join(str(part) for part in path)
