"""A job on its way to a worker, wherever that is, and whether it has had its time."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TypeVar

from search.clock import Clock
from search.executors.base import OnEpoch
from search.record.trial import Outcome, Stop, TrialJob
from search.training.trainer import untrained


@dataclass
class Task:
    """A job that waits or is trained.

    Attributes:
        job: What to train.
        on_epoch: Told of each epoch.
        future: Gets the outcome.
        started: Monotonic time at which a worker got it.
        epoch_began: The same of its epoch; None while it is built, and between epochs.
        late_since: The same of when it was first seen to be past its deadline; None until then.
    """

    job: TrialJob
    on_epoch: OnEpoch
    future: Future[Outcome]
    started: float = 0.0
    epoch_began: float | None = None
    late_since: float | None = None

    def is_overdue(self, now: float, clock: Clock, grace: float) -> bool:
        """Whether so many seconds have passed since it was first seen to be past its deadline."""
        deadline = self.job.deadline
        if self.late_since is None and deadline is not None and deadline.left(clock) < 0:
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
    """Ends what waits for a worker when its time is up: it needs none any more."""
    for task in list(queue):
        if task.job.deadline is not None and task.job.deadline.left(clock) <= 0:
            queue.remove(task)
            task.future.set_result(untrained(task.job, Stop.DEADLINE))
