"""Parts of a data set by the names that people give them: `Training`, `valid`, `x_val`, `train_images`, `X_train`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Literal

from spaces.basics.errors import DataError
from spaces.basics.printable import printable

PartName = Literal["train", "validation", "test"]
Role = Literal["x", "y"]

WORDS: dict[PartName, str] = {"train": "training", "validation": "validation", "test": "test"}
"""What messages call each part."""

_PARTS: dict[str, PartName] = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("validation", "validate", "valid", "val", "dev", "cv", "eval", "evaluation"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "holdout"), "test"),
}
_ROLES: dict[str, Role] = {
    **dict.fromkeys(("x", "data", "features", "image", "images", "input", "inputs", "rows", "samples"), "x"),
    **dict.fromkeys(("y", "label", "labels", "target", "targets"), "y"),
}
# An array of such a name may be one without labels; a folder has its labels in it.
_FOLDER_PARTS: dict[str, PartName] = {**_PARTS, "unseen": "test"}
# What people add to a folder's name without meaning anything by it.
_FILLERS = frozenset(("data", "dataset", "folder", "image", "images", "imgs", "part", "photos", "set", "split"))
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_HELD_OUT = re.compile(r"(hold|held)[\W_]*out", re.IGNORECASE)
# Words that stand for a part, in the plural or with what else is written without a space: tests, trainset, trainval.
_JOINED = re.compile(rf"({'|'.join(_FOLDER_PARTS)})s?({'|'.join((*_FOLDER_PARTS, *sorted(_FILLERS)))})?s?")


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]


def folder_part(name: str) -> PartName | None:
    """The part that a folder's name stands for: `Training`, `valid`, `testset`, `TRAIN`; None for any other name."""
    words = [word for word in _folder_words(name) if word not in _FILLERS]
    return _one([_FOLDER_PARTS.get(word) for word in words])


def folder_parts(names: Sequence[str]) -> dict[str, PartName]:
    """The part of each folder by its name, of those that stand for one.

    Names with another word in them, such as `seg_train` and `val2017`, do if one of them is for training and one is
    not, unless that leaves a folder over beside one that is called `train` alone.
    """
    alone = {name: part for name in names if (part := folder_part(name)) is not None}
    held = {name: [_FOLDER_PARTS[word] for word in _folder_words(name) if word in _FOLDER_PARTS] for name in names}
    among = {name: part for name, parts in held.items() if (part := _one(parts)) is not None}
    if "train" in alone.values() and len(among) < len(names):
        return alone
    return among if "train" in among.values() and len(set(among.values())) > 1 else alone


def _folder_words(name: str) -> list[str]:
    """The words of a folder's name, those apart that are written as one."""
    words: list[str] = []
    for word in _words(_HELD_OUT.sub("holdout", name)):
        joined = _JOINED.fullmatch(word)
        words += [word] if joined is None else [part for part in joined.groups() if part]
    return words


def _one(parts: Sequence[PartName | None]) -> PartName | None:
    """The part that words mean together; those of training and of validation, as in `trainval`, all train."""
    if len(parts) == 2 and set(parts) == {"train", "validation"}:
        return "train"
    return parts[0] if len(parts) == 1 else None


def arrays(names: Iterable[str], where: str) -> tuple[dict[PartName, dict[Role, str]], list[str]]:
    """Which array is which, by its name.

    Args:
        names: such as `x_train`, `X_val`, `testY`, `train_images`, `train_labels`; or `x` and `y`, training rows then.
        where: their origin, for error messages.

    Returns:
        (names by part and role, names that mean none of these). Every part there has both its arrays.

    Raises:
        DataError: two names mean the same, one of a pair is missing, or there is no training part.
    """
    found: dict[PartName, dict[Role, str]] = {}
    others: list[str] = []
    plain: dict[Role, str] = {}
    for name in names:
        meant = _meaning(name)
        if meant is None:
            others.append(name)
            continue
        part, role = meant
        pair = plain if part is None else found.setdefault(part, {})
        if role in pair:
            raise DataError(f"{where}: {_quoted(pair[role])} and {_quoted(name)} are two names for the same array")
        pair[role] = name
    named = "train" in found
    if not named:
        found["train"] = plain
    else:
        others += plain.values()
    if lacking := [role for role in ("x", "y") if role not in found["train"]]:
        seen = sorted(name for pair in (*found.values(), plain) for name in pair.values())
        listed = ", ".join(map(printable, sorted({*others, *seen})[:20])) or "nothing"
        raise DataError(
            f"{where}: array '{lacking[0]}{'_train' if named else ''}' is missing; expected x_train and y_train (with "
            f"x_val and y_val, x_test and y_test), or x and y; found {listed}"
        )
    for part, pair in found.items():
        if len(pair) == 1:
            (alone,) = pair.values()
            raise DataError(f"{where}: {_quoted(alone)} comes alone; a {part} part has rows and labels")
    return found, others


def to_predict(names: Sequence[str]) -> str | None:
    """The array whose rows are new to a model: that of the test part, else `x`, else the only one; None for none."""
    for part in ("test", None):
        rows = [name for name in names if _meaning(name) == (part, "x")]
        if rows:
            return rows[0] if len(rows) == 1 else None
    return names[0] if len(names) == 1 else None


def are_arrays(names: Iterable[str]) -> bool:
    """Whether names are those of rows and labels by part, all of them, as `arrays` reads them."""
    meant = [_meaning(str(name)) for name in names]
    return None not in meant and {one[1] for one in meant if one is not None} == {"x", "y"}


def _meaning(name: str) -> tuple[PartName | None, Role] | None:
    words = _words(name)
    if len(words) == 1:
        (word,) = words
        for role, part in ((word[:1], word[1:]), (word[-1:], word[:-1])):  # xtrain, trainy
            if role in _ROLES and part in _PARTS:
                return _PARTS[part], _ROLES[role]
    parts = [_PARTS[word] for word in words if word in _PARTS]
    roles = [_ROLES[word] for word in words if word in _ROLES]
    if len(parts) + len(roles) != len(words) or len(parts) > 1 or len(roles) > 1:
        return None
    if not roles and not parts:
        return None
    return (parts[0] if parts else None), (roles[0] if roles else "x")


def _quoted(name: str) -> str:
    return repr(printable(name))
