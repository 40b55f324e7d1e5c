"""A worker process: loads TensorFlow once, then trains one job after the other until its pool is gone.

Started by the pool with FD, its end of a socket pair, as argument. It is a fresh interpreter (see
`spaces.outside.launch`): nothing of the asking process is inherited, and no `__main__` of a user's script runs again.
"""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from search.budget import Deadline, MovingDeadline
from search.errors import CheckpointError, DiskError
from search.executors import protocol
from search.record.trial import Stop, TrialJob


class _Inbox:
    """Reads the pool's messages beside the training, so that a stop is seen and a vanished pool ends the process."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.jobs: queue.SimpleQueue[TrialJob | protocol.Measure] = queue.SimpleQueue()
        self.stop: Stop | None = None
        self._deadline: Deadline | None = None
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                message = self._connection.recv()
            except (EOFError, OSError):
                # The pool is gone, however it ended. What this process was training is trained again later.
                os._exit(0)
            if isinstance(message, protocol.Train):
                self.stop = None
                self.jobs.put(self._moving(message.job))
            elif isinstance(message, protocol.Measure):
                self.jobs.put(message)
            elif isinstance(message, protocol.StopTraining):
                self.stop = message.why
            elif isinstance(message, protocol.MoveDeadline):
                self._deadline = message.deadline

    def _moving(self, job: TrialJob) -> TrialJob:
        """The job with a deadline that goes where the pool says."""
        first = job.deadline
        self._deadline = first
        if first is None:
            return job
        return replace(job, deadline=MovingDeadline(lambda: self._deadline or first))


def main(descriptor: int) -> None:
    """Serves jobs until the pool closes the connection."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # A Ctrl-C is the pool's to handle; it asks for an orderly end, or closes the connection. So is a logout, which
        # may reach all processes of a user.
        signal.signal(number, signal.SIG_IGN)
    # What a model or a callback prints is no data of the command that searches, nor what a library or a program that
    # it calls does.
    sys.stdout = sys.stderr
    with contextlib.suppress(OSError):
        os.dup2(2, 1)
    connection = Connection(descriptor)
    setup: protocol.Setup = connection.recv()
    sys.path[:] = setup.path
    inbox = _Inbox(connection)
    trainer = make_trainer(setup)
    connection.send(protocol.Ready())
    while True:
        job = inbox.jobs.get()
        if isinstance(job, protocol.Measure):
            connection.send(protocol.Measured(trainer.pace(job.settings, job.seconds)))
        else:
            connection.send(answer(trainer, job, lambda: inbox.stop, connection.send))


def make_trainer(setup: protocol.Setup) -> Any:
    """Loads TensorFlow, sets it up for this process, and opens the data."""
    from search.clock import SystemClock
    from search.executors import shared_data
    from search.training import threads
    from search.training.trainer import Trainer
    from spaces.outside import given
    from spaces.outside.backend import load_tensorflow

    load_tensorflow(for_training_only=True)
    threads.configure(setup.threads, setup.gpu_share)
    # Only now: what is unpacked may import Keras.
    given.unpack(setup.given)
    return Trainer(setup.run, shared_data.read(setup.data), SystemClock())


def answer(
    trainer: Any, job: TrialJob, stop: Callable[[], Stop | None], send: Callable[[object], None]
) -> protocol.Done | protocol.Raised:
    """Trains a job and says how it ended.

    Args:
        trainer: As `make_trainer` gives it.
        job: The job.
        stop: Asked after every epoch whether to end there.
        send: Is given each `EpochBegins` and `EpochDone`.
    """
    try:
        outcome = trainer.train(
            job,
            stop,
            lambda epoch: send(protocol.EpochDone(epoch)),
            lambda: send(protocol.EpochBegins()) if job.seconds_per_epoch is not None else None,
        )
        return protocol.Done(outcome, resident_bytes())
    except CheckpointError as error:
        return protocol.Raised(protocol.Trouble.CHECKPOINT, str(error))
    except DiskError as error:
        return protocol.Raised(protocol.Trouble.DISK, str(error))
    except Exception as error:
        return protocol.Raised(protocol.Trouble.INTERNAL, f"{type(error).__name__}: {error}")


def resident_bytes() -> int:
    """Resident memory of this process; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


if __name__ == "__main__":
    main(int(sys.argv[1]))
