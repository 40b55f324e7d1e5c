"""Training in the asking process: nothing to start, nothing to share, one job at a time."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from typing import Any

from search.executors.base import OnEpoch
from search.record.trial import Outcome, Stop, TrialJob
from search.training.trainer import Trainer


class InlineExecutor:
    """Trains each job when somebody waits for it.

    Args:
        make_trainer: Gives the trainer; called once, when the first job is trained.
    """

    slots = workers = 1

    def __init__(self, make_trainer: Callable[[], Trainer]) -> None:
        self._make_trainer = make_trainer
        self._trainer: Trainer | None = None
        self._queue: dict[Future[Outcome], tuple[TrialJob, OnEpoch]] = {}
        self._stop: Stop | None = None

    def submit(self, job: TrialJob, on_epoch: OnEpoch) -> Future[Outcome]:
        """Accepts a job; it is trained by `wait`."""
        future: Future[Outcome] = Future()
        self.take_over(future, job, on_epoch)
        return future

    def take_over(self, future: Future[Outcome], job: TrialJob, on_epoch: OnEpoch) -> None:
        """Accepts a job that somebody else has promised the outcome of."""
        self._queue[future] = job, on_epoch

    def wait(self, pending: Collection[Future[Outcome]], timeout: float | None = None) -> set[Future[Outcome]]:
        """Trains the oldest job of `pending` to its end, however long that takes."""
        future = next((f for f in self._queue if f in pending), None)
        if future is not None:
            job, on_epoch = self._queue.pop(future)
            self._train(future, job, on_epoch)
        return {f for f in pending if f.done()}

    def pace(self, settings: Mapping[str, Any], seconds: float) -> float:
        """Training rows per second of this configuration here."""
        return self._kept_trainer().pace(settings, seconds)

    def stop(self, why: Stop) -> None:
        """Ends the running job after its current epoch, and every later one after its first."""
        self._stop = why

    def shutdown(self) -> None:
        """Forgets the trainer and its data."""
        self._trainer = None
        self._queue.clear()

    def _train(self, future: Future[Outcome], job: TrialJob, on_epoch: OnEpoch) -> None:
        try:
            trained = self._kept_trainer().train(job, lambda: self._stop, lambda e: on_epoch(job.trial_id, e))
            future.set_result(trained)
        except Exception as error:
            future.set_exception(error)

    def _kept_trainer(self) -> Trainer:
        if self._trainer is None:
            self._trainer = self._make_trainer()
        return self._trainer
