"""What an actor does once it may begin: takes the data to its node, loads TensorFlow, trains."""

from __future__ import annotations

import contextlib
import os
import pickle
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from search.budget import Deadline, MovingDeadline
from search.clock import Clock, SystemClock
from search.cluster import fitness
from search.cluster.folder import NodeFolder, Swept
from search.errors import RunError
from search.executors import protocol, worker
from search.files import layout
from search.record.trial import Checkpoint, Stop, TrialJob, checkpoints
from spaces.data.readers.memory import machine_memory
from spaces.outside import given, importing
from spaces.outside.backend import load_tensorflow

# A library that lacks the room for a file says so in its own words; Ray means the disk beside its object store.
_FULL = ("No space left", "ENOSPC", "Disk quota", "OutOfDiskError")


@dataclass(frozen=True)
class Left:
    """A deadline as it travels: the clocks of two machines need not agree.

    Attributes:
        seconds: Until the deadline, when it was sent.
        grace, first_epoch: See `Deadline`.
    """

    seconds: float
    grace: float = 0.0
    first_epoch: float = 0.0

    @classmethod
    def until(cls, deadline: Deadline, clock: Clock) -> Left:
        """That of a deadline, now."""
        return cls(deadline.left(clock), deadline.grace, deadline.first_epoch)

    def from_now(self, clock: Clock) -> Deadline:
        """The deadline on a clock of this machine that nobody sets."""
        return Deadline(clock.monotonic() + self.seconds, None, self.grace, self.first_epoch)


@dataclass(frozen=True)
class Order:
    """A job as it travels.

    Attributes:
        job: The job, without its deadline.
        attempt: Which attempt it is; every message about it carries the number.
        left: The time until the deadline; None: no limit.
    """

    job: TrialJob
    attempt: int
    left: Left | None

    def packed(self) -> bytes:
        """As plain bytes."""
        return pickle.dumps(self)


class Work:
    """One actor's work.

    Args:
        told: `threads`, `gpu_share`, `folder` of this node (None: make one), `data` (folder of the data on this
            machine; None: `parts` holds them), `trainer` (a pickled function that makes the trainer of a
            `protocol.Setup`; None: it is only asked whether it could train), `environment` (variables that say how to
            train), and what `fitness.told` gives.
        parts: Pieces of each file of the data, as references to Ray's object store.
        say: Is given each message: its kind or the number of the attempt, and the message.
        hear: Gives the next job and the files it needs.
    """

    def __init__(
        self,
        told: Mapping[str, Any],
        parts: Mapping[str, list[Any]] | None,
        say: Callable[[tuple[Any, Any]], None],
        hear: Callable[[], tuple[bytes, Sequence[bytes]]],
    ) -> None:
        self._told = told
        self._parts = parts
        self._say = say
        self._hear = hear
        self._stop: Stop | None = None
        self._moved: tuple[tuple[str, int], Deadline] | None = None
        self._folder: NodeFolder | None = None

    def go(self) -> None:
        """Serves jobs until its process is ended."""
        try:
            run, trainer = self._prepared()
        except Exception as error:
            # What was stored so far would keep the disk full.
            self.leave()
            self._say(("unable", self._why(error)))
            return
        self._say(("ready", machine_memory()))
        while trainer is not None:
            self._serve(trainer, run, *self._hear())

    def stop(self, why: bytes) -> None:
        """Ends the training after its epoch."""
        self._stop = pickle.loads(why)

    def go_on(self) -> None:
        """A stop that was asked for was about an earlier job."""
        self._stop = None

    def move(self, said: bytes) -> None:
        """Moves the deadline of an attempt at a trial, which may not have begun yet."""
        which, left = pickle.loads(said)
        self._moved = which, left.from_now(SystemClock())

    def leave(self) -> None:
        """Lets go of the node's folder."""
        if self._folder is not None:
            self._folder.leave()

    def _prepared(self) -> tuple[Path, Any]:
        """Where it trains, and what with."""
        told = self._told
        os.environ.update(told["environment"])
        fitness.require_installed(told)
        importing.ship(told["code"], told["names"])
        if told["trainer"] is None:
            load_tensorflow(for_training_only=True)
            given.unpack(told["given"])
            fitness.require_usable(told)
            return Path(), None
        setup = self._settle()
        trainer = pickle.loads(told["trainer"])(setup)
        if told["folder"] is None:
            # The node's first one; the others begin when this is known.
            fitness.require_usable(told)
        self._say(("settled", str(setup.run.parent)))
        return setup.run, trainer

    def _why(self, error: Exception) -> dict[str, Any]:
        if isinstance(error, fitness.Unfit):
            return {"kind": "package", "why": str(error)}
        if isinstance(error, Swept):
            return {"kind": "folder", "why": str(error), "folder": self._told["folder"]}
        text = str(error) if isinstance(error, RunError) else f"{type(error).__name__}: {error}"
        if any(sign in text for sign in _FULL):
            return {"kind": "disk", "why": f"its disk is full ({text})"}
        return {"kind": "start", "why": text}

    def _settle(self) -> protocol.Setup:
        folder, data = self._told["folder"], self._told["data"]
        self._folder = NodeFolder(None if folder is None else Path(folder))
        if data is None:
            data = self._folder.path / layout.DATA
            if self._parts is not None:
                _store(data, self._parts, lambda name: self._say(("storing", name)))
        # A folder of its own for checkpoints: of two attempts at a trial, the given-up one may still be writing.
        run = self._folder.path / f"run-{os.getpid()}"
        run.mkdir()
        shared = self._folder.path / layout.FEATURES
        shared.mkdir(exist_ok=True)
        (run / layout.FEATURES).symlink_to(shared)
        told, path = self._told, tuple(sys.path)
        return protocol.Setup(run, Path(data), told["threads"], path, told["gpu_share"], told["given"])

    def _serve(self, trainer: Any, run: Path, packed: bytes, files: Sequence[bytes]) -> None:
        order: Order = pickle.loads(packed)
        job = replace(order.job, deadline=self._deadline(order))
        try:
            if job.resume is not None:
                _write(run, job.resume, files[0])
            answer = worker.answer(trainer, job, lambda: self._stop, lambda said: self._say((order.attempt, said)))
            self._say((order.attempt, (answer, _files(run, job, answer))))
        except OSError as error:
            raised = protocol.Raised(protocol.Trouble.DISK, str(error))
            self._say((order.attempt, (raised, [])))
        finally:
            for trial in {job.trial_id, *(Path(c.file).parent.name for c in (job.resume,) if c is not None)}:
                shutil.rmtree(run / layout.trial_folder(trial), ignore_errors=True)

    def _deadline(self, order: Order) -> Deadline | None:
        if order.left is None:
            return None
        which, first = (order.job.trial_id, order.attempt), order.left.from_now(SystemClock())

        def now() -> Deadline:
            moved = self._moved
            return moved[1] if moved is not None and moved[0] == which else first

        return MovingDeadline(now)


def _store(folder: Path, parts: Mapping[str, list[Any]], told: Callable[[str], None]) -> None:
    """Writes the data's files, a piece at a time; `told` is given the name of the file after each of them."""
    import ray

    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, pieces in parts.items():
        with open(folder / name, "wb") as stream:
            for piece in pieces:
                stream.write(ray.get(piece))
                # All of them may take long: who says nothing for long is taken to hang.
                told(name)


def _write(run: Path, checkpoint: Checkpoint, content: bytes) -> None:
    target = run / checkpoint.file
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)


def _files(run: Path, job: TrialJob, answer: protocol.Done | protocol.Raised) -> list[tuple[str, bytes]]:
    """The files of the checkpoints that the training has written; those that it was given are at home."""
    if not isinstance(answer, protocol.Done):
        return []
    found: dict[str, bytes] = {}
    for checkpoint in checkpoints(answer.outcome):
        if checkpoint not in (job.resume, job.best):
            with contextlib.suppress(FileNotFoundError):
                found[checkpoint.file] = (run / checkpoint.file).read_bytes()
    return list(found.items())
