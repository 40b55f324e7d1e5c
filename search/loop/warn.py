"""One way to warn: what a person should know in the morning is in the store, and told at once."""

from __future__ import annotations

import contextlib

from search.clock import Clock
from search.errors import DiskError
from search.files.store import RunStore
from search.loop.observer import Observer


def warn(store: RunStore, clock: Clock, observer: Observer, text: str) -> None:
    """Records a warning of the run and tells it.

    A full disk costs the record alone, and is noticed by what has to be committed.
    Executors warn in the midst of looking after a trial, of which nobody else would ever hear an end.
    """
    with contextlib.suppress(DiskError):
        store.add_event(clock.now(), "warning", text)
    observer.message("warning", text)
