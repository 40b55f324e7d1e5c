"""The seam between deciding what to train and training it."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future
from typing import Protocol

from search.record.trial import Epoch, Outcome, Stop, TrialJob

OnEpoch = Callable[[str, Epoch], None]
"""Called with the trial's id and each finished epoch, in the process of the search, from within `Executor.wait`."""


class Executor(Protocol):
    """Trains jobs, in the style of `concurrent.futures`.

    A future's result is an `Outcome`, also for a configuration that failed. It raises only what is no fault of the
    configuration: `CheckpointError` (train it from the start) and `DiskError` (stop the search).
    """

    @property
    def slots(self) -> int:
        """How many jobs it wants to have at hand: those it trains at the same time, and any that shall wait.

        It follows from the number of workers alone, and stays the same.
        """
        ...

    @property
    def workers(self) -> int:
        """How many jobs it trains at the same time."""
        ...

    def submit(self, job: TrialJob, on_epoch: OnEpoch) -> Future[Outcome]:
        """Accepts a job. It may wait for a free slot."""
        ...

    def wait(self, pending: Collection[Future[Outcome]], timeout: float | None = None) -> set[Future[Outcome]]:
        """Waits until at least one of `pending` is done, at most `timeout` seconds; returns those that are done.

        An executor that trains in the asking process trains here, and ignores `timeout`.
        """
        ...

    def stop(self, why: Stop) -> None:
        """Asks all running jobs to end after their current epoch. May be called from a signal handler."""
        ...

    def shutdown(self) -> None:
        """Gives up everything it holds. Unfinished jobs are dropped."""
        ...
