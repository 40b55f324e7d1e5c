"""Checkpoint files: arrays in an npz file, written beside and renamed, checked by digest when read.

A plain npz (no pickle) is used rather than Keras's own formats because it holds the weights and the whole optimizer
in one write, is read without building anything, and fails with an ordinary `OSError` on a full disk.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from search.errors import CheckpointError, DiskError
from search.files import arrays, atomic
from search.record.trial import Checkpoint

Arrays = Mapping[str, Sequence[np.ndarray]]

_CHUNK = 1 << 20


def write(run: Path, file: str, groups: Arrays, epoch: int) -> Checkpoint:
    """Writes groups of arrays so that the file is either complete or not there.

    Args:
        run: The run directory.
        file: Path of the checkpoint relative to it.
        groups: Group name, for example `weights`, to its arrays in order.
        epoch: The epoch after which they were taken.

    Raises:
        DiskError: It cannot be written; a file of that name from before is untouched.
    """
    target = run / file
    named: dict[str, Any] = {f"{name}/{i}": a for name, group in groups.items() for i, a in enumerate(group)}
    try:
        with atomic.replacing(target) as stream:
            np.savez(stream, **named)
        return Checkpoint(file, target.stat().st_size, _digest(target), epoch)
    except OSError as error:
        raise DiskError(f"{target}: cannot be written ({error.strerror or error})") from error


def adopt(run: Path, checkpoint: Checkpoint, content: bytes) -> None:
    """Writes a checkpoint that was made elsewhere.

    Args:
        run: The run directory.
        checkpoint: As its writer described it.
        content: The bytes of its file.

    Raises:
        CheckpointError: These are not the bytes that were described.
        DiskError: It cannot be written; a file of that name from before is untouched.
    """
    target = _inside(run, checkpoint)
    if len(content) != checkpoint.bytes or hashlib.blake2b(content, digest_size=16).hexdigest() != checkpoint.digest:
        raise CheckpointError(f"{checkpoint.file}: not the file that was described (torn or changed on its way)")
    try:
        atomic.write_bytes(target, content)
    except OSError as error:
        raise DiskError(f"{target}: cannot be written ({error.strerror or error})") from error


def packed(run: Path, checkpoint: Checkpoint) -> bytes:
    """The bytes of a checkpoint's file, to be sent elsewhere.

    Raises:
        CheckpointError: As for `read`.
    """
    path = _found(run, checkpoint)
    try:
        return path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from error


def read(run: Path, checkpoint: Checkpoint) -> dict[str, list[np.ndarray]]:
    """The groups of arrays that `write` was given.

    Raises:
        CheckpointError: The file is missing, torn, changed since, or lies outside the run directory.
    """
    path = _found(run, checkpoint)
    try:
        # What has been trained here may take most of the memory, and is written as it is.
        return _grouped(arrays.load(path, own_size=True))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from error


def intact(run: Path, checkpoint: Checkpoint) -> bool:
    """Whether the file is there as it was recorded."""
    try:
        _found(run, checkpoint)
    except CheckpointError:
        return False
    return True


def _found(run: Path, checkpoint: Checkpoint) -> Path:
    path = _inside(run, checkpoint)
    try:
        found = path.stat()
        plain = stat.S_ISREG(found.st_mode)
        if not plain or found.st_size != checkpoint.bytes or _digest(path) != checkpoint.digest:
            raise CheckpointError(f"{path}: not the file that was recorded (torn or changed)")
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from error
    return path


def _inside(run: Path, checkpoint: Checkpoint) -> Path:
    path = run / checkpoint.file
    if not path.resolve().is_relative_to(run.resolve()):
        raise CheckpointError(f"{checkpoint.file}: lies outside the run directory")
    return path


def _grouped(stored: Mapping[str, np.ndarray]) -> dict[str, list[np.ndarray]]:
    groups: dict[str, dict[int, np.ndarray]] = {}
    for name, array in stored.items():
        group, index = name.rsplit("/", 1)
        groups.setdefault(group, {})[int(index)] = array
    return {group: [arrays[i] for i in sorted(arrays)] for group, arrays in groups.items()}


def _digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    with open(path, "rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
