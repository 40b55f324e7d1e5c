"""What a pool and its workers say to each other: pickled messages over a socket pair.

Both ends are this program's own processes; nothing from outside ever comes this way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from search.budget import Deadline
from search.errors import CheckpointError, DiskError
from search.record.trial import Epoch, Outcome, Stop, TrialJob


@dataclass(frozen=True)
class Setup:
    """What a worker is told when it starts.

    Attributes:
        run: The run directory.
        data: Folder of the memory-mapped data.
        threads: Threads of one operation.
        path: Python's module search path.
        gpu_share: Share of a GPU's memory that it may take, below 1; None: as much as it needs.
        given: Functions that a program gave, see `spaces.outside.given`.
    """

    run: Path
    data: Path
    threads: int
    path: tuple[str, ...]
    gpu_share: float | None = None
    given: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Train:
    """Pool to worker: train this."""

    job: TrialJob


@dataclass(frozen=True)
class StopTraining:
    """Pool to worker: end the training after its epoch."""

    why: Stop


@dataclass(frozen=True)
class MoveDeadline:
    """Pool to worker: the time of the training is up at another moment than it was told."""

    deadline: Deadline


@dataclass(frozen=True)
class Measure:
    """Pool to worker: find out how fast this configuration trains.

    Attributes:
        settings: As in `TrialJob.settings`.
        seconds: For so long, building and compiling not counted.
    """

    settings: Mapping[str, Any]
    seconds: float


@dataclass(frozen=True)
class Ready:
    """Worker to pool: TensorFlow is loaded, send a job."""


@dataclass(frozen=True)
class Measured:
    """Worker to pool: training rows per second; 0 if the configuration cannot be trained."""

    pace: float


@dataclass(frozen=True)
class EpochBegins:
    """Worker to pool: the model is built, or the last epoch done; from now on the next epoch's time counts.

    Sent only for a job with `seconds_per_epoch`.
    """


@dataclass(frozen=True)
class EpochDone:
    """Worker to pool: an epoch of the job is finished."""

    epoch: Epoch


@dataclass(frozen=True)
class Done:
    """Worker to pool: the job's outcome.

    Attributes:
        outcome: The outcome.
        resident: The worker's resident memory in bytes.
    """

    outcome: Outcome
    resident: int


class Trouble(StrEnum):
    """Which error a worker met that is no fault of the configuration."""

    CHECKPOINT = "checkpoint"
    DISK = "disk"
    INTERNAL = "internal"


@dataclass(frozen=True)
class Raised:
    """Worker to pool: training ended with an error that is no fault of the configuration."""

    trouble: Trouble
    message: str

    def error(self) -> Exception:
        """The error, for whoever waits for the job."""
        kinds: dict[Trouble, type[Exception]] = {Trouble.CHECKPOINT: CheckpointError, Trouble.DISK: DiskError}
        return kinds.get(self.trouble, RuntimeError)(self.message)
