"""The seam between deciding what to train and training it.

An executor is given to a run as a function that makes it, `MakeExecutor`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from search.clock import Clock
from search.record.trial import Epoch, Outcome, Stop, TrialJob
from spaces import Dataset

OnEpoch = Callable[[str, Epoch], None]
"""Called with the trial's id and each finished epoch, in the process of the search, from within `Executor.wait`."""

LATE = 20.0
"""Seconds after a job was first seen to be past its deadline until which a model may still be built, an epoch cut off
and a checkpoint written. What has given no answer by then is taken to hang. A clock that jumps takes none of them."""

STARTING = 600.0
"""Seconds for which a worker that makes itself ready may say nothing: it loads TensorFlow, and perhaps weights and code
of the user's, on a busy machine. What has said nothing by then is taken to hang."""


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
        """Accepts a job. It may wait for a free slot.

        Its deadline may move until it has ended; pickled, it is the one of that moment.
        """
        ...

    def wait(self, pending: Collection[Future[Outcome]], timeout: float | None = None) -> set[Future[Outcome]]:
        """Waits until at least one of `pending` is done, at most `timeout` seconds; returns those that are done.

        An executor that trains in the asking process trains here, and ignores `timeout`.
        """
        ...

    def pace(self, settings: Mapping[str, Any], seconds: float) -> float:
        """Training rows per second of all workers together when each of them trains this configuration; 0 if none can.

        Asked before the first job, and only where a run measures which workers are faster.

        Args:
            settings: As in `TrialJob.settings`.
            seconds: Each worker trains for so long, building and compiling not counted.
        """
        ...

    def stop(self, why: Stop) -> None:
        """Asks all running jobs to end after their current epoch. May be called from a signal handler."""
        ...

    def shutdown(self) -> None:
        """Gives up everything it holds. Unfinished jobs are dropped."""
        ...


@dataclass(frozen=True)
class Each:
    """What each training may take, as a user asks for it.

    Attributes:
        cpus: Cores, and threads of one operation; None: as the run likes.
        gpus: Share of a GPU, from 0 to 1; None: a whole one where there are any.
    """

    cpus: float | None = None
    gpus: float | None = None

    @property
    def threads(self) -> int | None:
        """Threads of one operation, if that is said."""
        return None if self.cpus is None else max(1, int(self.cpus))


ALL = Each()


@runtime_checkable
class Elsewhere(Protocol):
    """What an executor says besides, whose trainings are on other machines: it knows how many there are at a time.

    A run asks before it makes one, see `makes_elsewhere`.
    """

    def where(self) -> dict[str, Any]:
        """Where the trainings are, as plain data: `workers` at work, `room` for how many, `needs` of one, `nodes`."""
        ...

    def described(self) -> str:
        """The machines, in words."""
        ...


@runtime_checkable
class Watched(Protocol):
    """What an `Elsewhere` may say besides, whose machines come and go while no job begins or ends."""

    def watch(self, look: Callable[[], None]) -> None:
        """Has somebody called about once a second while jobs are waited for."""
        ...


@dataclass(frozen=True)
class Place:
    """What an executor is made for.

    Attributes:
        run: The run directory; checkpoints are written below it.
        data: The data set.
        threads: Threads of one operation.
        workers: Jobs that the run would like to train at the same time, each in a process of its own; 0: one job, in
            this process.
        memory: Resident bytes that one worker may hold; None: as the executor likes.
        clock: Tells when a job's time is up.
        on_event: Told in words what happens to workers.
        gpu_share: Share of a GPU for each worker, from 0 (none) to 1; None: a whole one, where there are any.
        code: References to what trainings run of the user's, see `spaces.reading.library.run_in_trials`; None: not
            said.
    """

    run: Path
    data: Dataset
    threads: int
    workers: int
    memory: int | None
    clock: Clock
    on_event: Callable[[str], None]
    gpu_share: float | None = None
    code: tuple[str, ...] | None = None


MakeExecutor = Callable[[Place], Executor]
"""Makes an executor. A run that measures which workers are faster makes several, one after the other."""


def makes_elsewhere(make: MakeExecutor) -> bool:
    """Whether what it makes is an `Elsewhere`: it is such a class, or says so by an attribute `elsewhere`.

    Of a `functools.partial` what it calls is asked.
    """
    while isinstance(make, partial) and not hasattr(make, "elsewhere"):
        make = make.func
    return bool(getattr(make, "elsewhere", False)) or (isinstance(make, type) and issubclass(make, Elsewhere))
