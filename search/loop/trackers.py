"""Observers that installed packages declare: each of them follows every run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from search.loop.observer import Observer
from spaces.basics.errors import CodeError
from spaces.basics.registry import Registry

_TRACKERS: Registry[Callable[[Path], Observer]] = Registry("nightshift.trackers", {}, Callable)


def trackers(directory: Path, on_warning: Callable[[str], None]) -> Iterator[Observer]:
    """An observer of each entry point `nightshift.trackers`, called with the run directory."""
    for name in _TRACKERS.names():
        try:
            made = _TRACKERS[name](directory)
            if not isinstance(made, Observer):
                raise TypeError(f"it made {type(made).__name__}, no search.loop.observer.Observer")
            yield made
        except CodeError as error:
            on_warning(str(error))
        except (Exception, SystemExit) as error:
            on_warning(f"nightshift.trackers: {name}: {type(error).__name__}: {error}")
