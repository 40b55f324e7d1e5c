"""An executor of one's own: every job in a thread beside the search, one after the other.

    from one_by_one import OneByOne
    nightshift.run("digits", executor=OneByOne)

A cluster's executor looks the same: `submit` sends the job somewhere, `wait` looks what has come back.
"""

from __future__ import annotations

import concurrent.futures
import queue
from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from search.executors import OnEpoch, Place
from search.record.trial import Epoch, Outcome, Stop, TrialJob
from search.training.trainer import Trainer


class OneByOne:
    """Trains in a thread.

    Args:
        place: Run directory, data, clock: all that is needed for training.
    """

    slots = workers = 1

    def __init__(self, place: Place) -> None:
        self._trainer = Trainer(place.run, place.data, place.clock)
        self._thread = ThreadPoolExecutor(1)
        self._told: queue.SimpleQueue[tuple[OnEpoch, str, Epoch]] = queue.SimpleQueue()
        self._stop: Stop | None = None

    def submit(self, job: TrialJob, on_epoch: OnEpoch) -> Future[Outcome]:
        """A configuration that fails gives an outcome that says so; only the fault of nobody is raised."""
        return self._thread.submit(
            self._trainer.train, job, lambda: self._stop, lambda epoch: self._told.put((on_epoch, job.trial_id, epoch))
        )

    def wait(self, pending: Collection[Future[Outcome]], timeout: float | None = None) -> set[Future[Outcome]]:
        """Epochs are told here, in the thread of the search, and before the trial is done."""
        done = concurrent.futures.wait(pending, timeout, concurrent.futures.FIRST_COMPLETED).done
        while not self._told.empty():
            on_epoch, trial, epoch = self._told.get()
            on_epoch(trial, epoch)
        return done

    def pace(self, settings: Mapping[str, Any], seconds: float) -> float:
        """Rows per second, asked where the run measures which workers are faster."""
        return self._thread.submit(self._trainer.pace, settings, seconds).result()

    def stop(self, why: Stop) -> None:
        """From now on every job ends after its epoch."""
        self._stop = why

    def shutdown(self) -> None:
        """Nothing is held beyond this."""
        self._thread.shutdown(cancel_futures=True)
