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


def write_bytes(target: Path, content: bytes) -> None:
    """Writes a whole file; arguments and errors are those of `replacing`."""
    with replacing(target) as stream:
        stream.write(content)
