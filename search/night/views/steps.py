"""What a run is at, in its store, for those who look at it from another terminal."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from search.errors import DiskError, RunError
from search.executors.base import Elsewhere, Watched
from search.files.store import RunStore
from search.loop.observer import Observer
from search.record.trial import Epoch, Outcome, Trial

_EVERY = 5.0
"""Seconds between two notes of how far trainings are: a night may have hundreds of epochs in one."""


class Steps(Observer):
    """Leaves in the store which phase a run is in, how far its trainings are, and where they are trained.

    Args:
        store: of the run.
        clock: tells seconds from anywhere on, of real time.
    """

    def __init__(self, store: RunStore, clock: Callable[[], float] = time.monotonic) -> None:
        self._store, self._clock = store, clock
        self._where: Mapping[str, Any] = {}
        self._unwatched: Elsewhere | None = None
        self._reached: dict[str, int] = {}
        self._noted: float | None = None
        if store.meta("reached"):
            # A training that was cut off begins its epochs anew.
            store.put_meta(reached={})

    def follow(self, executor: Elsewhere) -> None:
        """Leaves there too where trials are trained, whenever that has changed.

        Of an executor that is `Watched` also while none begins or ends.
        """
        self._look(executor)
        if isinstance(executor, Watched):
            executor.watch(partial(self._look, executor))
        else:
            self._unwatched = executor

    def phase(self, name: str, expected_trials: int | None) -> None:
        self._note(step=name)

    def started(self, trial: Trial) -> None:
        self._look_again()

    def epoch(self, trial: Trial, epoch: Epoch) -> None:
        self._reached[trial.id] = epoch.number
        now = self._clock()
        if self._noted is None or now - self._noted >= _EVERY:
            self._noted = now
            self._note(reached=self._reached)

    def finished(self, trial: Trial, outcome: Outcome) -> None:
        self._reached.pop(trial.id, None)
        self._look_again()

    def interrupted(self, trial: Trial, outcome: Outcome) -> None:
        self._reached.pop(trial.id, None)

    def _look_again(self) -> None:
        if self._unwatched is not None:
            self._look(self._unwatched)

    def _look(self, executor: Elsewhere) -> None:
        where = executor.where()
        if where != self._where and self._note(cluster=where):
            self._where = where

    def _note(self, **facts: Any) -> bool:
        """Records facts of the run, if there is room: a full disk is noticed by what has to be committed."""
        try:
            self._store.put_meta(**facts)
        except DiskError:
            return False
        return True


class ExportFollows(Observer):
    """Leaves there, before the run is done, that export and report follow: who waits for its end finds both there.

    Args:
        directory: The run directory.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._noted = False

    def phase(self, name: str, expected_trials: int | None) -> None:
        if self._noted:
            return
        # For those who look at the run; without it the night is as good.
        with contextlib.suppress(DiskError, RunError), RunStore(self._directory) as store:
            store.put_meta(morning="export")
            self._noted = True
