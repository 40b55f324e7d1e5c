"""Running the user's own code: what it prints stays out of our output, what it raises is told with file and line."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from spaces.basics.errors import CodeError
from spaces.basics.printable import printable
from spaces.basics.streams import Unheard
from spaces.outside.given import spoken
from spaces.outside.sources import is_users

_LONGEST = 500


@contextlib.contextmanager
def running(reference: str, file: str, what: str = "", function: Callable[..., Any] | None = None) -> Iterator[None]:
    """Runs code of the user's.

    What it prints goes to standard error: standard output may be a table or JSON. See `contained` besides.

    Args:
        reference: How the function is named in messages.
        file: The file that it lies in; "" where nobody knows.
        what: Said before the error, such as `importing it raised `.
        function: Whose first line is named for an error that no line of the user's raised.

    Raises:
        CodeError: It raised anything but `KeyboardInterrupt`, `SystemExit` included.
    """
    try:
        with contained(), contextlib.redirect_stdout(sys.stderr):
            yield
    except (CodeError, KeyboardInterrupt):
        raise
    except BaseException as error:
        raise CodeError(f"{place(reference, file, error, function)}: {what}{described(error)}") from error


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """Lets code of the user's go to another working directory, and print where nobody reads, without harm.

    A relative path means the same afterwards as before.
    """
    try:
        here = os.getcwd()
    except OSError:
        # It has been deleted: there is no way back to it.
        here = ""
    unheard: tuple[Any, Any] = Unheard(sys.stdout), Unheard(sys.stderr)
    try:
        with contextlib.redirect_stdout(unheard[0]), contextlib.redirect_stderr(unheard[1]):
            yield
    finally:
        if here:
            with contextlib.suppress(OSError):
                os.chdir(here)


def place(
    reference: str, file: str, error: BaseException | None = None, function: Callable[..., Any] | None = None
) -> str:
    """`/path/model.py:build, line 3`: the line of the user's nearest to the error.

    Where that is in another file, this one's line and that one's: `/path/model.py:build, line 9, in helpers.py, line
    4`. Without a line of the user's it is where the function begins.
    """
    lines, reference = [] if error is None else _lines(error, file), spoken(reference)
    if not lines:
        first = getattr(getattr(function, "__code__", None), "co_firstlineno", None)
        return reference if first is None else f"{reference}, line {first}"
    nearest, number = lines[-1]
    home = [line for where, line in lines if where == file]
    if nearest == file or not file:
        return f"{reference}, line {number}"
    begun = f", line {home[-1]}" if home else ""
    return f"{reference}{begun}, in {_short(nearest, file)}, line {number}"


def described(error: BaseException) -> str:
    """`NameError: name 'Sequential' is not defined`, in one line."""
    text = " ".join((error.msg if isinstance(error, SyntaxError) else str(error)).split())[:_LONGEST]
    return printable(f"{type(error).__name__}: {text}" if text else type(error).__name__)


def _lines(error: BaseException, file: str) -> list[tuple[str, int]]:
    """Files and lines of the user's that the error came through, the nearest to it last."""
    found = [
        (frame.tb_frame.f_code.co_filename, frame.tb_lineno)
        for frame in _frames(error.__traceback__)
        if _of_user(frame.tb_frame.f_code.co_filename, file)
    ]
    if isinstance(error, SyntaxError) and error.filename and error.lineno and _of_user(error.filename, file):
        found.append((error.filename, error.lineno))
    return found


def _frames(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next


def _of_user(found: str, file: str) -> bool:
    return found == file or is_users(found)


def _short(found: str, file: str) -> str:
    path, home = Path(found), Path(file).parent
    return str(path.relative_to(home)) if home in path.parents else found
