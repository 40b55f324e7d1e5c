"""Whether a path of a stranger's is a plain file: opening a pipe waits for ever; and what folders of theirs hold."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from spaces.basics.errors import DataError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def unreadable(path: str | Path) -> str | None:
    """Why a path cannot be read as a file, such as `is not a file but a pipe`; None if it is a file.

    Links are followed; nothing is opened.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError as error:
        if error.errno == errno.ENOENT and os.path.islink(path):
            return f"is a link that leads nowhere: {error.strerror}"
        return "is a link that leads to itself" if error.errno == errno.ELOOP else f"cannot be read: {error.strerror}"
    except ValueError:  # a zero byte, which no name has
        return f"cannot be read: {os.strerror(errno.ENOENT)}"
    if stat.S_ISREG(mode):
        return None
    return f"is not a file but {_KINDS.get(stat.S_IFMT(mode), 'something else')}"


def missing(path: str | Path) -> bool:
    """Whether nothing has this name, not even a link to nowhere; not so where that cannot be told."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError, ValueError):  # a zero byte, which no name has
        return True
    except OSError:
        return False
    return False


def check_file(path: str | Path) -> None:
    """Refuses data that are no plain file.

    Raises:
        DataError: names the path and what it is.
    """
    if (reason := unreadable(path)) is not None:
        raise DataError(f"{path}: {reason if reason.startswith('cannot') else f'cannot be read: it {reason}'}")


def walked(folder: str | Path, left_out: Callable[[str], bool]) -> list[tuple[str, list[str]]]:
    """A folder and those in it, in order, each with the names of its files in order.

    Links to folders are followed, but for those to a folder around it. One that is reached twice is gone through once,
    under its own name where it has one here: no link leads in circles, or makes the same files count twice.

    Args:
        folder: Where it begins.
        left_out: Says of the name of a folder or file whether nobody means it.

    Raises:
        DataError: One of the folders cannot be read.
    """
    seen = {
        _identity(parent) for start in (Path(folder).absolute(), Path(folder).resolve()) for parent in start.parents
    }
    found: dict[str, list[str]] = {}
    waiting = [str(folder)]
    while waiting:
        for root, folders, names in os.walk(waiting.pop(0), onerror=_refuse):
            seen.add(_identity(root))
            meant = [os.path.join(root, name) for name in folders if not left_out(name)]
            waiting += filter(os.path.islink, meant)
            folders[:] = [os.path.basename(path) for path in meant if _identity(path) not in seen]
            found[root] = sorted(name for name in names if not left_out(name))
        # Those behind links come last, so that what is there without one is not taken for a copy.
        waiting = [path for path in waiting if _identity(path) not in seen]
    return sorted(found.items(), key=lambda item: item[0].split(os.sep))


def _refuse(error: OSError) -> None:
    """What a folder that cannot be read holds would be left out without a word."""
    raise DataError(f"{error.filename}: cannot be read: {error.strerror or error}") from error


def _identity(path: str | Path) -> tuple[int, int] | None:
    """What tells a folder from others, whatever it is called; None where it cannot be looked at."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino
