"""One way to warn: what a person should know in the morning is in the store, and told at once."""

from __future__ import annotations

from search.clock import Clock
from search.files.store import RunStore
from search.loop.observer import Observer


def warn(store: RunStore, clock: Clock, observer: Observer, text: str) -> None:
    """Records a warning of the run and tells it."""
    store.add_event(clock.now(), "warning", text)
    observer.message("warning", text)
