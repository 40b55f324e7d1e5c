"""The export folder: files get their names only when all of them are ready, and always belong to one model."""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from results.errors import ResultError
from results.exporting import metadata
from results.exporting.formats import FORMATS, SERVE
from results.exporting.reading.digest import sha256
from search.files import atomic
from search.files.lock import is_alive

CARD = "model_card.md"

_PREFIX = ".making-"


@contextmanager
def workspace(directory: Path) -> Iterator[Path]:
    """A folder to work in, inside the export folder so that files can be renamed into place; deleted at the end.

    So is an export folder that was made for it and holds nothing then.

    Raises:
        OSError: The folder cannot be made.
    """
    # What an export that was cut off has made is its own too.
    ours = not directory.exists() or any(directory.glob(f"{_PREFIX}*"))
    directory.mkdir(parents=True, exist_ok=True)
    for left_over in directory.glob(f"{_PREFIX}*"):
        if not _in_use(left_over):
            shutil.rmtree(left_over, ignore_errors=True)
    folder = directory / f"{_PREFIX}{os.getpid()}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if _unlisted(directory):
            # What was cut off while files got their names may be done again: this is its mark.
            with suppress(OSError):
                folder.mkdir()
        elif ours and not any(directory.iterdir()):
            # Where it cannot be deleted, why the export failed is what counts.
            with suppress(OSError):
                directory.rmdir()


def earlier_files(directory: Path, described: Mapping[str, Any], redone: Collection[str]) -> list[dict[str, Any]]:
    """Entries of files in the export folder that hold the same weights and are not being replaced.

    Args:
        directory: The export folder.
        described: The metadata of the model that is exported now.
        redone: Names of the formats that were asked for now.
    """
    try:
        before = metadata.read_json(directory / metadata.FILE)
        entries = before["files"] if _is_same(before, described) else []
        return [
            {
                **{key: entry[key] for key in ("format", "file", "bytes", "sha256")},
                "verification": {"difference": float(entry["verification"]["difference"])},
                "rounding": _rounding(entry.get("rounding")),
            }
            for entry in entries
            if entry["format"] not in redone
            and isinstance(entry["bytes"], int)
            and entry["file"] == FORMATS[entry["format"]].file
            and (directory / entry["file"]).exists()
            and sha256(directory / entry["file"]) == entry["sha256"]
        ]
    except (ResultError, OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return []


def earlier_bundle(directory: Path, described: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is said about the serving bundle in the export folder, if it is there whole and of the same weights."""
    try:
        before = metadata.read_json(directory / metadata.FILE)
        # What decides between classes is written into its scripts.
        same, found = _is_same(before, described) and before["output"] == described["output"], before["serve"]
        if not same or found["folder"] != SERVE.file or sha256(directory / SERVE.file) != found["sha256"]:
            return None
        metadata.check_bundle(found)
        return dict(found)
    except (ResultError, OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        return None


def _is_same(before: Mapping[str, Any], described: Mapping[str, Any]) -> bool:
    """Whether two descriptions are of the same weights, of which a search that goes on may say something else by now.

    Raises:
        KeyError, TypeError: One of them is no description.
    """
    known = all(before[part] == described[part] for part in ("format_version", "model", "input"))
    return known and bool(before["run"]["trial"] == described["run"]["trial"])


def _rounding(found: Any) -> dict[str, Any] | None:
    if found is None:
        return None
    words = {key: str(found[key]) for key in ("measure", "part")}
    return {**words, "rows": int(found["rows"]), **{key: float(found[key]) for key in ("file", "model")}}


def require_ours(directory: Path) -> None:
    """Refuses an export folder in which files of somebody else have the names of files that an export writes.

    Raises:
        ResultError: There are such files: no description beside them lists them, and no export was cut off there.
    """
    if any(directory.glob(f"{_PREFIX}*")):
        return
    if found := _unlisted(directory):
        raise ResultError(
            f"{directory}: {', '.join(found)}: not of an export (no {metadata.FILE} of one lists it), and would be "
            "overwritten or removed; move it away or choose another folder (--output)"
        )


def _unlisted(directory: Path) -> list[str]:
    """Which files with the names of those that an export writes no description in the folder lists."""
    listed = _listed(directory)
    names = (metadata.FILE, CARD, *(known.file for known in (*FORMATS.values(), SERVE)))
    return [name for name in names if name not in listed and os.path.lexists(directory / name)]


def _listed(directory: Path) -> set[str]:
    """What the description in an export folder says is of an export, itself included; nothing without one."""
    try:
        described = metadata.read_json(directory / metadata.FILE)
        files = {str(entry["file"]) for entry in described["files"]}
        bundle = set() if described.get("serve") is None else {str(described["serve"]["folder"])}
        ours = "format_version" in described
    except (ResultError, OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return set()
    return {metadata.FILE, CARD} | files | bundle if ours else set()


def publish(folder: Path, directory: Path, kept: Collection[str], texts: Mapping[str, str]) -> None:
    """Moves checked files to their names.

    The description goes first and comes back last: whenever this is interrupted, a description stands beside exactly
    the files that it describes, or there is none. What a full disk could prevent is done before.

    Args:
        folder: The working folder.
        directory: The export folder.
        kept: Names of all model files it shall hold: those in the working folder and earlier ones.
        texts: Name to content of the describing files, the most important one last.

    Raises:
        OSError: The folder cannot be written.
    """
    for name, text in texts.items():
        atomic.write_bytes(folder / name, text.encode())
    for name in texts:
        (directory / name).unlink(missing_ok=True)
    for known in (*FORMATS.values(), SERVE):
        made, place = folder / known.file, directory / known.file
        new = known.file in kept and made.exists()
        if new or known.file not in kept:
            _remove(place)
        if new:
            made.rename(place)
    for name in texts:
        (folder / name).rename(directory / name)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _in_use(folder: Path) -> bool:
    """Whether a working folder is that of another process which is still there."""
    owner = folder.name.removeprefix(_PREFIX)
    return owner.isdecimal() and int(owner) not in (0, os.getpid()) and is_alive(int(owner))
