"""What differs between the space a run began with and the one it is to go on with, and whether it may.

Also what the frozen space of a run says otherwise than the file that it was read from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import spaces
from spaces import SearchSpec
from spaces.sections.data_section import is_path
from spaces.specs.plain import to_plain

# Keys that say how much is searched, what happens afterwards and where rows are, never what a finished trial means.
_COMPATIBLE = ("name", "search.max_trials", "limits", "keep_checkpoints", "final", "export", "data.stream")
_MISSING = "nothing"


@dataclass(frozen=True)
class Change:
    """One key that differs.

    Attributes:
        key: Dotted key of the space file.
        before: Its value when the run began, None if it was missing.
        after: Its value now, None if it is missing.
        compatible: Whether the finished trials still mean the same.
    """

    key: str
    before: Any
    after: Any
    compatible: bool

    def __str__(self) -> str:
        before, after = (_MISSING if value is None else value for value in (self.before, self.after))
        return f"{self.key}: {before} -> {after}"


def between(before: SearchSpec, after: SearchSpec) -> list[Change]:
    """The differences between two spaces, by key, in the order of the keys."""
    old, new = _flat(to_plain(before)), _flat(to_plain(after))
    changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    return [
        Change(key, old.get(key), new.get(key), _compatible(key) or (key in old and key in new and _is_place(key)))
        for key in sorted(changed)
    ]


def asked(spec: SearchSpec) -> dict[str, str]:
    """Words such as `auto` of which this machine has made a value, by dotted key."""
    made = _flat(to_plain(spec))
    return {key: value for key, value in _flat(to_plain(spec, asked=True)).items() if value != made[key]}


def as_made(spec: SearchSpec, begun: SearchSpec, recorded: Mapping[str, str]) -> SearchSpec:
    """A space with what the machine that began a run has made of words that the space still has there.

    Args:
        spec: The space.
        begun: That of the run.
        recorded: What `asked` gave when the run began.
    """
    made = _flat(to_plain(begun))
    same = [key for key, word in asked(spec).items() if recorded.get(key) == word and key in made]
    return spaces.load(spec, [f"{key}={made[key]}" for key in same], begun=True)


def _compatible(key: str) -> bool:
    return any(key == allowed or key.startswith(f"{allowed}.") for allowed in _COMPATIBLE)


def _is_place(key: str) -> bool:
    """Whether it says where the rows are: that they are the same is seen from themselves, not from their place."""
    holder, _, kind = key.rpartition(".")
    return holder == "data.source" and is_path(kind)


def _flat(plain: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(plain, Mapping):
        return {prefix: plain}
    found: dict[str, Any] = {}
    for key, value in plain.items():
        found |= _flat(value, f"{prefix}.{key}" if prefix else str(key))
    return found
