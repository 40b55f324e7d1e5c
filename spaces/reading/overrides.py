"""Command-line overrides of a space file: `dotted.key=value`, applied to plain data before validation."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from spaces.basics.errors import Problem, SpaceError
from spaces.basics.section import shown
from spaces.reading.yamlfile import MAX_DEPTH, Document, Position, read_text
from spaces.sections.data_section import ROWS_BESIDE, has_columns, is_path, source_kinds
from spaces.specs.objects import spelt

Overrides = str | Sequence[str] | Mapping[str, Any]
"""`dotted.key=value` each, one such text, or a mapping of dotted keys."""

_SOURCE = ("data", "source")
_ROLES = ("data", "columns")
_TARGET = ("data", "target")
_TARGET_OF_SOURCE = (*_SOURCE, "target")
_HELD_OUT = (("data", "validation"), ("data", "test"))
# What names a column: of any letters and signs, as tables have them.
_COLUMNS = (
    _TARGET,
    (*_TARGET, "column"),
    _TARGET_OF_SOURCE,
    *((*part, key) for part in _HELD_OUT for key in ("group", "time")),
)


def as_texts(overrides: Overrides) -> list[str]:
    """Overrides as `dotted.key=value` each.

    Raises:
        TypeError: They are something else, or a value of a mapping is nothing that a space file could hold.
    """
    if isinstance(overrides, Mapping):
        return [f"{key}={_written(key, value)}" for key, value in overrides.items()]
    if isinstance(overrides, str):
        return [overrides]
    texts: list[Any] = [*overrides] if isinstance(overrides, Iterable) else [overrides]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(
            f"overrides: found {overrides!r}; allowed: texts such as 'training.epochs=10', or a mapping such as "
            "{'training.epochs': 10}"
        )
    return texts


def _written(key: str, value: Any) -> str:
    """A value as YAML has it, which is read again with the rest of the space."""
    try:
        text = json.dumps(value, ensure_ascii=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"overrides: {key}: found {value!r}; allowed: texts, paths, numbers, true and false, lists and mappings"
        ) from error
    # JSON escapes half a character at a time, which YAML does not know; others YAML would take for the end of a line.
    return "".join(sign if sign.isprintable() else f"\\U{ord(sign):08x}" for sign in text)


def _plain(value: Any) -> Any:
    """What JSON does not know by itself."""
    found = spelt(value)
    if found is value:
        raise TypeError
    return found


def apply_overrides(document: Document, overrides: Sequence[str]) -> None:
    """Sets each override in `document`, in order.

    A missing mapping on the way is made, a scalar on the way gives place to a mapping, a source of data to one that
    is set, the column to predict likewise wherever it stands, and so do folds to a time and the like, where both say
    which rows are held out. An item of a list is named by its position, counted from 0. Values are YAML 1.2, in one
    line without comments; only the path of a source, and the name of a column, are their text as it is, unless it is
    null or in quotes: `2020` would be a number.

    One that is not `key=value`, whose value is not plain YAML, or whose key leads nowhere, is left out and
    added to the problems of the document.
    """
    applied: list[tuple[str, ...]] = []
    for override in overrides:
        try:
            path = _apply(document, override)
        except SpaceError as error:
            document.problems.extend(error.problems)
            continue
        if path[:-1] == _SOURCE:
            _give_place(document, path[-1], applied)
        _give_target_place(document, path, applied)
        _give_rows_place(document, path, applied)
        applied.append(path)


def path_of(override: str) -> tuple[str, ...]:
    """The key that is set, in its parts; dots in the name of a column are its own: `data.columns.sepal.length`."""
    path = tuple(override.partition("=")[0].strip().split("."))
    return (*_ROLES, ".".join(path[2:])) if path[:2] == _ROLES and len(path) > 2 else path


def _give_place(document: Document, kind: str, applied: Sequence[tuple[str, ...]]) -> None:
    """Takes away the sources beside one that is set, so that any space can be searched with other data.

    One that was itself set stays: of two, nobody could say which is meant.
    """
    source = document.data["data"]["source"]
    kinds = set(source_kinds())
    if kind not in kinds or not isinstance(source, dict):
        return
    # The column to predict may stand beside a table.
    for other in (kinds if has_columns(kind) else {*kinds, "target"}) - {kind}:
        if other in source and not any((*_SOURCE, other)[: len(path)] == path for path in applied):
            del source[other]


def _give_target_place(document: Document, path: tuple[str, ...], applied: Sequence[tuple[str, ...]]) -> None:
    """Takes away the column to predict that stands beside the table, or apart from it, where the other one is set.

    One that was itself set stays, as of two sources.
    """
    data = document.data.get("data")
    if not isinstance(data, dict) or not isinstance(source := data.get("source"), dict):
        return
    beside: tuple[tuple[str, ...], dict[str, Any]] = (_TARGET_OF_SOURCE, source)
    apart: tuple[tuple[str, ...], dict[str, Any]] = (_TARGET, data)
    if isinstance(rule := data.get("target"), dict):
        apart = ((*_TARGET, "column"), rule)
    if any(where[-1] not in holder for where, holder in (beside, apart)):
        return
    if path in (_TARGET, (*_TARGET, "column")):
        other, holder = beside
    elif path in (_SOURCE, _TARGET_OF_SOURCE):
        other, holder = apart
    else:
        return
    if not any(other[: len(one)] == one for one in applied):
        del holder[other[-1]]
        document.positions.pop(other, None)


def _give_rows_place(document: Document, path: tuple[str, ...], applied: Sequence[tuple[str, ...]]) -> None:
    """Takes away what says otherwise than a key that is set which rows are held out, such as folds beside a time.

    One that was itself set stays, as of two sources.
    """
    if path[:-1] not in _HELD_OUT or path[-1] not in ROWS_BESIDE:
        return
    rows = document.data["data"][path[-2]]
    if rows[path[-1]] is None:
        # It says that it is not there.
        return
    known = {*ROWS_BESIDE, *(key for beside in ROWS_BESIDE.values() for key in beside)} & set(rows)
    # Groups may be those of folds.
    if any(known <= {key, *beside} for key, beside in ROWS_BESIDE.items()):
        return
    for other in known - {path[-1], *ROWS_BESIDE[path[-1]]}:
        if not any((*path[:-1], other)[: len(one)] == one for one in applied):
            del rows[other]


def _apply(document: Document, override: str) -> tuple[str, ...]:
    key, equals, text = override.partition("=")
    path = path_of(override)
    place = f"--set {key.strip()}"
    if not equals or not all(path):
        raise SpaceError([Problem(f"--set {override[:100]}", None, None, "", "is not of the form key=value")])
    if len(path) > MAX_DEPTH:
        raise SpaceError([Problem(f"--set {key[:100]}", None, None, "", f"has more than {MAX_DEPTH} parts")])
    value = _value(_quoted(text) if _is_literal(path, text) else text, place)
    walked: list[str | int] = []
    first = len(path)
    target: Any = document.data
    for part in path[:-1]:
        step: Any = _step(target, part, place)
        walked.append(step)
        inner = target[step] if isinstance(target, list) else target.get(step)
        if not isinstance(inner, dict | list):
            inner = target[step] = {}
            first = min(first, len(walked))
        target = inner
    walked.append(_step(target, path[-1], place))
    target[walked[-1]] = value
    _mark(document, tuple(walked), first, Position(place))
    return path


def _is_literal(path: tuple[str, ...], text: str) -> bool:
    """Whether a value is a path or a name, and no list of names or mapping with one."""
    if path[:-1] == _SOURCE and is_path(path[-1]):
        return True
    bare = text.strip()
    return path in _COLUMNS and bool(bare) and bare[0] + bare[-1] not in ("[]", "{}")


def _quoted(text: str) -> str:
    """A text in the quotes of YAML, unless it is in quotes, or null."""
    bare = text.strip()
    if bare in ("null", "~") or (len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "'\""):
        return text
    return "'" + bare.replace("'", "''") + "'"


def _value(text: str, place: str) -> Any:
    try:
        read = read_text(text)
        problems: Sequence[Problem] = read.problems
    except SpaceError as error:
        problems = error.problems
    if problems:
        raise SpaceError([Problem(place, None, None, "", one.message) for one in problems])
    if "\n" not in text.strip() and str(read.data).count("#") < text.count("#"):
        # Nobody comments on a line of the command line: what follows is part of a name, and would be lost.
        message = f"found {shown(text)}, in which # begins a comment; allowed: such a value in quotes"
        raise SpaceError([Problem(place, None, None, "", message)])
    return read.data


def _step(target: Any, part: str, place: str) -> str | int:
    if not isinstance(target, list):
        return part
    if part.isdecimal() and len(part) < 10 and int(part) < len(target):
        return int(part)
    allowed = f"0 to {len(target) - 1}" if target else "none, for it is empty"
    message = f"found {shown(part)} as the position in a list; allowed: {allowed}"
    raise SpaceError([Problem(place, None, None, "", message)])


def _mark(document: Document, path: tuple[str | int, ...], first: int, position: Position) -> None:
    """Gives what an override has set its place: from the first so many parts of its path on nothing is the file's."""
    positions = document.positions
    for known in [known for known in positions if known[:first] == path[:first]]:
        del positions[known]
    for end in range(first, len(path) + 1):
        positions.setdefault(path[:end], position)
