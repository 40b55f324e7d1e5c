"""What a space file says that has no effect any more beside an override."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from spaces.basics.errors import Problem, SpaceError, dotted
from spaces.reading.overrides import path_of
from spaces.specs.spec import SearchSpec


def validated(data: Mapping[str, Any], *, begun: bool) -> tuple[SearchSpec | None, Sequence[Problem]]:
    """The spec of a mapping, or what is wrong with it; `begun` is that of `load`."""
    try:
        return (SearchSpec.of_run if begun else SearchSpec)(**data), ()
    except SpaceError as error:
        return None, error.problems


def without_idle(
    data: dict[str, Any],
    found: Sequence[Problem],
    as_written: dict[str, Any],
    overrides: Sequence[str],
    say: Callable[[str], None],
    *,
    begun: bool,
) -> tuple[SearchSpec | None, Sequence[Problem]]:
    """The space without those keys of its source that overrides have left without an effect.

    What has none in the source as it is, or was itself set beside what leaves it none, is still a mistake.
    """
    given = [path_of(override) for override in overrides]
    before = {one.path for one in validated(as_written, begun=begun)[1]}
    at_once = {key_of(one.path) for one in found}

    def mistaken(path: tuple[str | int, ...]) -> bool:
        # What loses its effect only with what it has left without one has had its way: frozen_epochs with fine_tune.
        return path in at_once and any(_one_in_the_other(path, key) for key in given)

    spec: SearchSpec | None = None
    while found and all(one.idle for one in found):
        idle = {key_of(one.path): one for one in found if one.path not in before}
        idle = {path: one for path, one in idle.items() if not mistaken(path)}
        if not idle or not all(removed(data, path) for path in idle):
            break
        for path, one in idle.items():
            say(f"{dotted(path)} is passed over: {'it' if path == one.path else 'its condition'} {one.message}")
        spec, found = validated(data, begun=begun)
    return spec, found


def _one_in_the_other(path: tuple[str | int, ...], key: tuple[str, ...]) -> bool:
    return all(str(part) == other for part, other in zip(path, key, strict=False))


def key_of(path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """The setting that a problem is about, where it is about its condition."""
    return path[: path.index("when")] if "when" in path else path


def removed(data: Any, path: tuple[str | int, ...]) -> bool:
    """Takes a key, and mappings that are empty without it, out of plain data; whether it was there."""
    holders = [data]
    for part in path[:-1]:
        try:
            holders.append(holders[-1][part])
        except (KeyError, IndexError, TypeError):
            return False
    for holder, part in zip(reversed(holders), reversed(path), strict=True):
        if not isinstance(holder, dict) or part not in holder:
            return False
        del holder[part]
        if holder:
            break
    return True
