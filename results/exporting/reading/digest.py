"""Sizes and digests of exported files and folders."""

from __future__ import annotations

import hashlib
from pathlib import Path


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in _files(path))


def sha256(path: Path) -> str:
    """SHA-256 (hexadecimal) of a file, or of a folder.

    That of a folder is what `find . -type f | LC_ALL=C sort | xargs sha256sum | sha256sum` prints inside it.
    """
    if path.is_file():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    names = sorted(f"./{file.relative_to(path).as_posix()}".encode() for file in _files(path))
    lines = [sha256(path / name.decode()).encode() + b"  " + name + b"\n" for name in names]
    return hashlib.sha256(b"".join(lines)).hexdigest()


def _files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
