"""Files that are read later: written beside their place, on the disk before they get their name."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


@contextlib.contextmanager
def replacing(target: Path) -> Iterator[BinaryIO]:
    """A stream whose content becomes the file when the block ends: a reader finds the old file or the new one, whole.

    Args:
        target: The file; its folder is made if it is missing.

    Raises:
        OSError: It cannot be written; a file of that name from before is untouched.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        with open(temporary, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def replacing_what_is_named(named: Path) -> Iterator[BinaryIO]:
    """`replacing` for a file that a user has named, which need not be a plain one.

    A link stays, and the file that it leads to is replaced. A device or a pipe, such as `/dev/stdout`, cannot be
    replaced: it is written into.

    Args:
        named: The file; its folder is made if it is missing.

    Raises:
        OSError: It cannot be written; a plain file of that name from before is untouched.
    """
    target = Path(os.path.realpath(named)) if named.is_symlink() else named
    # What a link below /dev/fd leads to may have no name any more.
    if named.exists() and not (named.is_file() and target.is_file()):
        with open(named, "wb") as stream:
            yield stream
        return
    with replacing(target) as stream:
        yield stream


def write_bytes(target: Path, content: bytes) -> None:
    """Writes a whole file; arguments and errors are those of `replacing`."""
    with replacing(target) as stream:
        stream.write(content)
