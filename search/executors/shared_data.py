"""The data set as memory-mapped arrays in the run directory: written once, shared by all workers through the kernel."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from search.errors import DiskError
from search.files import arrays, atomic, layout
from spaces import DataInfo, Dataset, Split
from spaces.data.stored import StoredRows
from spaces.data.stored.rows import blocks

_DESCRIPTION = "data.json"
_FOLDS = "folds.npy"
_PIECE = 32 << 20


def write(run: Path, data: Dataset) -> Path:
    """Writes train and validation; the test part never leaves the process of the search.

    Of rows that stay on the disk it writes where they are.

    Returns:
        The folder. If it already holds these very data, it is used as it is.

    Raises:
        DiskError: It cannot be written.
    """
    folder = run / layout.DATA
    description: dict[str, Any] = {
        "name": data.name,
        "fingerprint": data.fingerprint,
        "origin": data.origin,
        "info": data.info.to_json(),
        "stored": {},
    }
    try:
        # Another version may have described the same rows in other words.
        there = _description(folder)
        same = all(there.get(key) == description[key] for key in ("fingerprint", "info"))
        # What lies in a run directory is not believed to say where in the whole machine rows are.
        if same and data.streamed is None and not there.get("stored") and _holds(folder, data):
            return folder
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, part in (("train", data.train), ("validation", data.validation)):
            if isinstance(part.x, StoredRows):
                description["stored"][name], index = part.x.described()
                _save(folder / f"{name}_index.npy", index)
            else:
                _save(folder / f"{name}_x.npy", part.x)
            _save(folder / f"{name}_y.npy", part.y)
            _save(folder / f"{name}_weight.npy", part.weight)
        _save(folder / _FOLDS, data.folds)
        # The description comes last: a folder without it is not complete.
        atomic.write_bytes(folder / _DESCRIPTION, json.dumps(description).encode())
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise DiskError(f"{folder}: the data cannot be written ({error.strerror or error})") from error
    return folder


def read(folder: Path) -> Dataset:
    """The data set that `write` left in `folder`, its arrays mapped, not loaded."""
    description = _description(folder)
    return Dataset(
        name=description["name"],
        info=DataInfo.from_json(description["info"]),
        train=_part(folder, "train", description.get("stored", {})),
        validation=_part(folder, "validation", description.get("stored", {})),
        test=None,
        fingerprint=description["fingerprint"],
        origin=description["origin"],
        folds=_load_if_there(folder / _FOLDS),
    )


def travelling(folder: Path) -> Iterator[tuple[str, Iterator[bytes]]]:
    """What `write` left in `folder` as files for a folder on another machine: name and content, in pieces.

    Rows that stay on this machine's disk go along, in order, to stay on that one's.
    """
    description = _description(folder)
    stored = {name: _part(folder, name, description["stored"]).x for name in description.get("stored", {})}
    for path in sorted(folder.iterdir()):
        if path.name != _DESCRIPTION and path.name not in {f"{name}_index.npy" for name in stored}:
            yield path.name, _pieces(path)
    for name, rows in stored.items():
        file = f"{name}_rows.bin"
        yield file, _blocks(rows)
        description["stored"][name] = {
            "files": [[file, 0, len(rows), rows.nbytes]],
            "shape": list(rows.shape[1:]),
            "stored": rows.dtype.str,
            "dtype": rows.dtype.str,
        }
    yield _DESCRIPTION, iter([json.dumps(description).encode()])


def _pieces(path: Path) -> Iterator[bytes]:
    with open(path, "rb") as stream:
        while piece := stream.read(_PIECE):
            yield piece


def _blocks(rows: np.ndarray | StoredRows) -> Iterator[bytes]:
    step = max(1, _PIECE * len(rows) // max(1, rows.nbytes))
    for start in range(0, len(rows), step):
        yield rows[start : start + step].tobytes()


def remove(run: Path) -> None:
    """Deletes the arrays; the run can make them again."""
    shutil.rmtree(run / layout.DATA, ignore_errors=True)


def _holds(folder: Path, data: Dataset) -> bool:
    """Whether the files are these very rows: no description tells what has happened to them since."""
    try:
        there = read(folder)
    except Exception:  # a damaged file can make its reader raise anything
        return False
    parts = ((there.train, data.train), (there.validation, data.validation))
    pairs = [pair for one, other in parts for pair in zip(_arrays(one), _arrays(other), strict=True)]
    return all(_equal(*pair) for pair in (*pairs, (there.folds, data.folds)))


def _arrays(part: Split) -> tuple[Any, ...]:
    return part.x, part.y, part.weight


def _equal(there: Any, here: Any) -> bool:
    """Whether two arrays are the same to the last bit, or neither is one."""
    if not isinstance(there, np.ndarray) or not isinstance(here, np.ndarray):
        return there is here
    if (there.dtype, there.shape) != (here.dtype, here.shape):
        return False
    return all(block.tobytes() == there[start : start + len(block)].tobytes() for start, block in blocks(here))


def _part(folder: Path, name: str, stored: Mapping[str, Any]) -> Split:
    y, weight = _load(folder / f"{name}_y.npy"), _load_if_there(folder / f"{name}_weight.npy")
    if name not in stored:
        return Split(_load(folder / f"{name}_x.npy"), y, weight)
    # Rows that came along lie beside their description.
    files = [[str(folder / path), *rest] for path, *rest in stored[name]["files"]]
    index = _load_if_there(folder / f"{name}_index.npy")
    return Split(StoredRows.of({**stored[name], "files": files}, index), y, weight)


def _save(path: Path, array: np.ndarray | None) -> None:
    if array is not None:
        # On the disk before the description: a machine that loses its power would leave zeros that it calls complete.
        arrays.save(path, np.ascontiguousarray(array))


def _load_if_there(path: Path) -> np.ndarray | None:
    return _load(path) if path.exists() else None


def _load(path: Path) -> np.ndarray:
    # Copied on writing, which nobody does: TensorFlow takes over only memory that may be written to.
    return np.load(path, mmap_mode="c", allow_pickle=False)  # type: ignore[no-any-return]


def _description(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / _DESCRIPTION).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, RecursionError):
        return {}
