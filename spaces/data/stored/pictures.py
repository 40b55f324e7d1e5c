"""Image files decoded once into a file of pixels, found again by the next reading of the same files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from spaces.data.stored.rows import StoredRows
from spaces.data.stored.store import RowStore

_VERSION = 1


@dataclass(frozen=True)
class Pictures:
    """Pixels of image files.

    Attributes:
        pixels: one row for each of `files`.
        row: of each file, by its path.
        reasons: why files are no readable images, by path.
    """

    pixels: StoredRows
    row: Mapping[str, int]
    reasons: Mapping[str, str]

    def of(self, files: Sequence[str]) -> StoredRows:
        """The pixels of some of the files, in their order."""
        return self.pixels.taken(np.array([self.row[file] for file in files], np.int64))


def find(store: RowStore, files: Sequence[str], wanted: Any) -> Pictures | None:
    """What was decoded before.

    Args:
        store: where it would be.
        files: all image files that there are now.
        wanted: how they are decoded, as plain data.
    """
    kept = store.kept(_what(files, wanted))
    if kept is None:
        return None
    places = {file: number for number, file in enumerate(files)}
    reasons = {files[int(number)]: reason for number, reason in kept.notes["reasons"].items()}
    left_out = set(map(int, kept.notes["left_out"]))
    sound = [file for file in files if places[file] not in left_out]
    return Pictures(kept.rows, {file: row for row, file in enumerate(sound)}, reasons)


def make(
    store: RowStore,
    files: Sequence[str],
    sound: Sequence[str],
    shape: tuple[int, int, int],
    wanted: Any,
    decode: Callable[[Sequence[str], Any], Mapping[str, str]],
    reasons: Mapping[str, str],
    where: str,
) -> Pictures:
    """Decodes image files.

    Args:
        store: where the pixels go.
        files: all image files that there are.
        sound: those of them that are to be decoded.
        shape: height, width and channels.
        wanted: how they are decoded, as plain data.
        decode: decodes files into something that takes pixels by row, and says which cannot be decoded, and why.
        reasons: why files are no readable images, as far as is known.
        where: the folder, for errors.
    """
    with store.writer((len(sound), *shape), np.dtype(np.uint8), where) as writer:
        found = {**reasons, **decode(sound, writer)}
        place = {file: number for number, file in enumerate(files)}
        notes = {
            "reasons": {str(place[file]): reason for file, reason in found.items()},
            "left_out": sorted({place[file] for file in files} - {place[file] for file in sound}),
        }
        pixels = writer.done(_what(files, wanted), notes)
    return Pictures(pixels, {file: row for row, file in enumerate(sound)}, found)


def _what(files: Sequence[str], wanted: Any) -> list[Any]:
    digest = hashlib.sha256()
    for file in files:
        try:
            now = os.stat(file)
            digest.update(f"{file}\0{now.st_size}\0{now.st_mtime_ns}\0".encode("utf-8", "surrogateescape"))
        except OSError:
            digest.update(f"{file}\0".encode("utf-8", "surrogateescape"))
    return ["pictures", _VERSION, digest.hexdigest(), wanted]
