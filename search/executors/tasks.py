"""A job on its way to a worker, wherever that is, and whether it has had its time."""

from __future__ import annotations

import math
from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TypeVar

from search.budget import Deadline
from search.clock import Clock
from search.executors.base import OnEpoch
from search.record.trial import Epoch, Outcome, Stop, TrialJob
from search.training.trainer import untrained

# A deadline that has moved by less is not worth telling.
_MOVED = 1.0


@dataclass
class Task:
    """A job that waits or is trained.

    Attributes:
        job: What to train.
        on_epoch: Told of each epoch.
        future: Gets the outcome.
        started: Monotonic time at which a worker got it.
        epoch_began: The same of its epoch; None while it is built, and between epochs.
        has_epoch: Whether it has an epoch, this attempt or what it goes on from.
        told: Its deadline as the worker knows it.
        late_since: Monotonic time at which it was first seen to be past its deadline; None until then.
    """

    job: TrialJob
    on_epoch: OnEpoch
    future: Future[Outcome]
    started: float = 0.0
    epoch_began: float | None = None
    has_epoch: bool = False
    told: Deadline | None = None
    late_since: float | None = None

    def begin(self, now: float) -> None:
        """A worker gets it."""
        self.started, self.epoch_began, self.late_since = now, None, None
        self.has_epoch, self.told = bool(self.job.history), self._deadline()

    def moved(self, clock: Clock) -> Deadline | None:
        """Where its deadline is now, if it has moved since its worker was told; None: it has not."""
        now, told = self._deadline(), self.told
        if now is None or told is None:
            return None
        lefts = ((now.left(clock, first), told.left(clock, first)) for first in (False, True))
        if all(math.isclose(*left, rel_tol=0.0, abs_tol=_MOVED) for left in lefts):
            return None
        self.told = now
        return now

    def _deadline(self) -> Deadline | None:
        return None if self.job.deadline is None else self.job.deadline.earlier(0.0)

    def epoch_done(self, epoch: Epoch) -> None:
        """Its worker has told of an epoch."""
        self.epoch_began, self.has_epoch = None, True
        self.on_epoch(self.job.trial_id, epoch)

    def is_overdue(self, now: float, clock: Clock, grace: float) -> bool:
        """Whether so many seconds have passed since it was first seen to be past its deadline."""
        if self.told is None or self.told.left(clock, first=not self.has_epoch) >= 0:
            self.late_since = None
        elif self.late_since is None:
            self.late_since = now
        return self.late_since is not None and now - self.late_since >= grace

    def end_overdue(self, now: float) -> None:
        """Ends it with nothing but the time that it took."""
        self.future.set_result(replace(untrained(self.job, Stop.DEADLINE), seconds=now - self.started))

    def past_a_limit(self, now: float, grace: float) -> str | None:
        """Which of the job's own limits passed so many seconds ago, in words; None: none of them."""
        job = self.job
        for limit, since in ((job.seconds_per_trial, self.started), (job.seconds_per_epoch, self.epoch_began)):
            if limit is not None and since is not None and now - since > limit + grace:
                return f"no answer {now - since:.0f} s after the limit of {limit:g} s had begun"
        return None


_Some = TypeVar("_Some", bound=Task)


def give_up_late(queue: deque[_Some], clock: Clock) -> None:
    """Ends what waits for a worker when its time is up, or too short for a first epoch: it needs none any more."""
    for task in list(queue):
        deadline = task.job.deadline
        if deadline is None:
            continue
        if deadline.left(clock) <= 0 if task.job.history else deadline.is_too_late_to_begin(clock):
            queue.remove(task)
            task.future.set_result(untrained(task.job, Stop.DEADLINE))


def leave_unbegun(queue: deque[_Some], why: Stop) -> None:
    """Ends all that waits for a worker: nothing of it has begun, so that there is nothing to save."""
    while queue:
        queue.popleft().future.set_result(Outcome(stopped=why))
