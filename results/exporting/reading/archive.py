"""Looks into the files of Keras before Keras does: what they would unpack to, and whether they stay within themselves.

A `.keras` file is a zip archive of a configuration and an HDF5 file of weights, a `.h5` file is HDF5 alone. Either can
be a few bytes that stand for terabytes, and HDF5 can refer to other files of the machine.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from results.errors import ResultError
from results.exporting.reading.memory import check_unpacked, mebibytes

if TYPE_CHECKING:
    import h5py

CONFIG, WEIGHTS = "config.json", "model.weights.h5"

_LONGEST_CONFIG = 16 * 2**20
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


def check_keras(path: Path) -> None:
    """Checks a `.keras` file without unpacking it.

    Raises:
        ResultError: It is no such file, is packed in an unusual way, or would unpack to far more than it is.
        Exception: Whatever the readers of damaged archives raise.
    """
    size = path.stat().st_size
    if not zipfile.is_zipfile(path):
        raise ResultError(f"{path}: cannot be loaded: {'it is empty' if not size else 'it is no zip archive, or torn'}")
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        check_unpacked(sum(member.file_size for member in members), size, path, "it")
        names = [member.filename for member in members]
        if missing := [name for name in (CONFIG, WEIGHTS) if name not in names]:
            raise ResultError(f"{path}: cannot be loaded: it is no Keras model, for it holds no {missing[0]}")
        for member in members:
            inside = PurePosixPath(member.filename)
            if inside.is_absolute() or ".." in inside.parts:
                raise ResultError(f"{path}: refused: it would write to {member.filename}, outside of itself")
            if member.compress_type not in _METHODS or member.flag_bits & 1:
                raise ResultError(f"{path}: refused: {member.filename} is packed in a way that Keras does not use")
        if archive.getinfo(CONFIG).file_size > _LONGEST_CONFIG:
            raise ResultError(f"{path}: refused: its {CONFIG} has more than {mebibytes(_LONGEST_CONFIG)}")
        with archive.open(WEIGHTS) as member_file:
            # A packed member is searched fast only when it is unpacked; a plain one may be large.
            stored = archive.getinfo(WEIGHTS).compress_type == zipfile.ZIP_STORED
            _check_hdf5(member_file if stored else io.BytesIO(member_file.read()), path, size)


def check_h5(path: Path) -> None:
    """Checks a `.h5` file without reading its arrays.

    Raises:
        ResultError: It refers to other files, or its arrays claim far more than the file holds.
        Exception: Whatever HDF5 raises for a damaged file.
    """
    with path.open("rb") as stream:
        _check_hdf5(stream, path, path.stat().st_size)


def _check_hdf5(stream: BinaryIO | Any, path: Path, stored: int) -> None:
    import h5py

    try:
        file = h5py.File(stream, "r")
    except OSError as error:
        raise ResultError(f"{path}: cannot be loaded: its weights are no HDF5 file, or torn") from error
    with file:
        check_unpacked(_claimed(file, path), stored, path, "its weights")


def _claimed(file: h5py.File, path: Path) -> int:
    """Bytes of all arrays and attributes as they declare themselves."""
    import h5py

    claimed, waiting, seen = 0, [file], set()
    while waiting:
        group = waiting.pop()
        address = h5py.h5o.get_info(group.id).addr
        if address in seen:  # groups may hold each other
            continue
        seen.add(address)
        claimed += _attributes(group)
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                raise ResultError(f"{path}: refused: {name!r} in it is a link to somewhere else")
            found = group[name]
            if isinstance(found, h5py.Group):
                waiting.append(found)
            elif isinstance(found, h5py.Dataset):
                if found.external or found.is_virtual:
                    raise ResultError(f"{path}: refused: the values of {name!r} are in another file")
                claimed += found.size * found.dtype.itemsize + _attributes(found) if found.shape is not None else 0
    return claimed


def _attributes(owner: h5py.Group | h5py.Dataset) -> int:
    claimed = 0
    for name in owner.attrs:
        attribute = owner.attrs.get_id(name)
        count = 1
        for length in attribute.shape:
            count *= length
        claimed += count * attribute.dtype.itemsize
    return claimed
