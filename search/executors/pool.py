"""Worker processes that train jobs side by side.

A worker that dies costs its job one retry; a job that kills two workers has failed. A worker whose memory has grown
past a limit is replaced between jobs, and so is one that does not get ready. One that not even the kernel can end is
left behind. Where no more workers can be started, those that are there go on, or in the end the asking process. All
this happens inside `wait`: the pool has no threads of its own.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe, wait
from typing import Any

from search.budget import Deadline
from search.clock import Clock, SystemClock
from search.executors import protocol, sizing
from search.executors.base import LATE, STARTING, OnEpoch
from search.executors.inline import InlineExecutor
from search.executors.tasks import Task, give_up_late, leave_unbegun
from search.record.trial import Failure, FailureReason, Outcome, Stop, TrialJob
from spaces.outside import launch

# How long after a job's own time limit a worker that still has not answered is taken to hang.
_GRACE = 5.0
_ATTEMPTS = 2
# So many workers in a row that end while they start: the next one would too.
_STARTS = 3
# After the system has refused to start one, in seconds.
_PAUSE = 1.0
_TICK = 0.2
# After it was killed, in seconds: a process that waits for a driver or a disk that never answers is not gone then.
_TO_END = 15.0
# Loading TensorFlow in all workers, and building a model in each of them, before it is measured how fast they are.
_TO_MEASURE = 120.0


@dataclass
class _Task(Task):
    """A job on its way through the pool; `attempts` counts the workers that got it."""

    attempts: int = 0


@dataclass
class _Worker:
    """A worker process as the pool sees it; `task` is what it trains, None while it starts or is free.

    `started` is when it was started, as monotonic time; `untold` a deadline that has moved, while it takes no message.
    """

    index: int
    process: subprocess.Popen[bytes]
    connection: Connection
    started: float
    ready: bool = False
    pace: float | None = None
    task: _Task | None = None
    stop_sent: bool = False
    untold: Deadline | None = None


class WorkerPool:
    """Trains jobs in worker processes.

    Args:
        setups: What each worker is told, one for each slot.
        environments: Environment variables of each worker, besides those of this process.
        memory_limit: Resident bytes after which a worker is replaced before its next job.
        on_event: Told in words when a worker died or was replaced.
        inline: Trains where no worker can be started; None: that is an error.
        clock: Tells when a job's time is up.
    """

    def __init__(
        self,
        setups: list[protocol.Setup],
        environments: list[dict[str, str]],
        memory_limit: int,
        on_event: Callable[[str], None],
        inline: InlineExecutor | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._setups = setups
        self._environments = environments
        self._memory_limit = memory_limit
        self._on_event = on_event
        self._inline = inline
        self._clock = clock or SystemClock()
        self._workers: dict[int, _Worker] = {}
        self._queue: deque[_Task] = deque()
        self._stop: Stop | None = None
        self._failed_starts = 0
        self._why_no_more = ""
        self._no_start_before = 0.0
        self._told_here = False

    @property
    def slots(self) -> int:
        """One for each worker, and some that wait, see `sizing.at_hand`."""
        return sizing.at_hand(self.workers)

    @property
    def workers(self) -> int:
        """One for each setup."""
        return len(self._setups)

    @property
    def processes(self) -> list[int]:
        """Process ids of the workers that are alive."""
        return [worker.process.pid for worker in self._workers.values()]

    def pace(self, settings: Mapping[str, Any], seconds: float) -> float:
        """Training rows per second of all workers together when each of them trains this configuration.

        Args:
            settings: As in `TrialJob.settings`.
            seconds: Each worker trains for so long, building and compiling not counted.
        """
        end = time.monotonic() + _TO_MEASURE
        self._serve_until(lambda worker: worker.ready, end)
        asked = [worker.process.pid for worker in self._workers.values() if worker.ready]
        for worker in self._workers.values():
            worker.pace = None
            if worker.ready:
                _try_send(worker.connection, protocol.Measure(settings, seconds))
        # A worker that died of it has been replaced by one that was never asked.
        self._serve_until(lambda worker: worker.pace is not None or worker.process.pid not in asked, end + seconds)
        for worker in list(self._workers.values()):
            if worker.pace is None and worker.process.pid in asked:
                self._on_event(f"worker {worker.index} gave no answer while its pace was measured; it is replaced")
                self._remove(worker)
        return sum(worker.pace or 0.0 for worker in self._workers.values())

    def _serve_until(self, condition: Callable[[_Worker], bool], end: float) -> None:
        """Serves the workers, none of which has a job, until all of them are there and fulfil a condition.

        Args:
            condition: What is waited for.
            end: When to wait no longer, as monotonic time.
        """
        while time.monotonic() < end:
            self._start_missing(len(self._setups))
            complete = len(self._workers) == len(self._setups) or self._why_no_more
            if complete and all(condition(worker) for worker in self._workers.values()):
                return
            self._serve(_TICK)

    def _serve(self, seconds: float) -> None:
        """Listens to the workers for so long, or until one of them has said something."""
        by_connection = {worker.connection: worker for worker in self._workers.values()}
        for connection in wait(list(by_connection), seconds):
            self._receive(by_connection[connection])  # type: ignore[index]
        for worker in list(self._workers.values()):
            # A process that it has left behind may keep the connection open.
            if worker.process.poll() is not None and not worker.connection.poll():
                self._bury(worker, None)

    def submit(self, job: TrialJob, on_epoch: OnEpoch) -> Future[Outcome]:
        """Accepts a job; it goes to the first free worker."""
        task = _Task(job, on_epoch, Future())
        self._queue.append(task)
        self._start_missing(self._wanted())
        self._hand_out()
        return task.future

    def wait(self, pending: Collection[Future[Outcome]], timeout: float | None = None) -> set[Future[Outcome]]:
        """Serves the workers until one of `pending` is done, at most `timeout` seconds."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            done = {future for future in pending if future.done()}
            left = _TICK if end is None else min(_TICK, end - time.monotonic())
            if done or left <= 0:
                return done
            self._start_missing(self._wanted())
            self._hand_out()
            self._pass_on_stop()
            self._tell_deadlines()
            if self._why_no_more and not self._workers:
                return self._train_here().wait(pending, timeout)
            self._serve(left)
            self._end_hanging()

    def stop(self, why: Stop) -> None:
        """Ends all jobs after their epoch; workers are told by the next `wait`."""
        self._stop = why
        if self._inline is not None:
            self._inline.stop(why)

    def shutdown(self) -> None:
        """Ends all workers at once."""
        for worker in self._workers.values():
            worker.connection.close()
            worker.process.kill()
        ends = time.monotonic() + _TO_END
        for worker in self._workers.values():
            self._await_end(worker, ends - time.monotonic())
        self._workers.clear()
        self._queue.clear()
        if self._inline is not None:
            self._inline.shutdown()

    def _wanted(self) -> int:
        """As many workers as there are jobs, at most one for each slot."""
        return min(len(self._setups), len(self._queue) + sum(w.task is not None for w in self._workers.values()))

    def _start_missing(self, wanted: int) -> None:
        for index in range(len(self._setups)):
            if len(self._workers) >= wanted or self._why_no_more or time.monotonic() < self._no_start_before:
                return
            if index not in self._workers:
                try:
                    self._workers[index] = self._start(index)
                except OSError as error:
                    self._no_start_before = time.monotonic() + _PAUSE
                    self._count_failed_start(error.strerror or str(error))

    def _start(self, index: int) -> _Worker:
        ours, theirs = Pipe()
        descriptor = theirs.fileno()
        try:
            process = subprocess.Popen(
                launch.command("search.executors.worker", str(descriptor)),
                pass_fds=[descriptor],
                stdin=subprocess.DEVNULL,
                # Its own session: a Ctrl-C in the terminal reaches the search alone.
                start_new_session=True,
                env={**os.environ, **self._environments[index]},
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        _try_send(ours, self._setups[index])
        return _Worker(index, process, ours, time.monotonic())

    def _hand_out(self) -> None:
        if self._stop is not None:
            return
        give_up_late(self._queue, self._clock)
        for worker in self._workers.values():
            if self._queue and worker.ready and worker.task is None:
                task = self._queue.popleft()
                task.attempts += 1
                task.begin(time.monotonic())
                worker.task, worker.stop_sent, worker.untold = task, False, None
                _try_send(worker.connection, protocol.Train(task.job))

    def _train_here(self) -> InlineExecutor:
        """The asking process, with the next job that waits; none of the others can train it.

        Raises:
            RuntimeError: It is not to train.
        """
        if self._inline is None:
            raise RuntimeError(self._why_no_more)
        if not self._told_here:
            self._told_here = True
            self._on_event("no worker is left: training goes on in this process, one trial at a time")
        if self._queue:
            task = self._queue.popleft()
            if task.attempts:
                # What has ended a worker would end the search.
                message = "its process ended, and no other one can be started"
                task.future.set_result(Outcome(failure=Failure(FailureReason.CRASHED, message)))
            else:
                self._inline.take_over(task.future, task.job, task.on_epoch)
        return self._inline

    def _pass_on_stop(self) -> None:
        if self._stop is None:
            return
        leave_unbegun(self._queue, self._stop)
        for worker in self._workers.values():
            if worker.task is not None and not worker.stop_sent and _takes_more(worker.connection):
                worker.stop_sent = True
                _try_send(worker.connection, protocol.StopTraining(self._stop))

    def _tell_deadlines(self) -> None:
        for worker in self._workers.values():
            if worker.task is None:
                continue
            worker.untold = worker.task.moved(self._clock) or worker.untold
            if worker.untold is not None and _takes_more(worker.connection):
                _try_send(worker.connection, protocol.MoveDeadline(worker.untold))
                worker.untold = None

    def _receive(self, worker: _Worker) -> None:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            self._bury(worker, None)
            return
        if isinstance(message, protocol.Ready):
            worker.ready = True
            self._failed_starts = 0
        elif isinstance(message, protocol.Measured):
            worker.pace = message.pace
        elif isinstance(message, protocol.EpochBegins) and worker.task is not None:
            worker.task.epoch_began = time.monotonic()
        elif isinstance(message, protocol.EpochDone) and worker.task is not None:
            worker.task.epoch_done(message.epoch)
        elif isinstance(message, protocol.Done | protocol.Raised):
            self._answered(worker, message)

    def _answered(self, worker: _Worker, message: protocol.Done | protocol.Raised) -> None:
        task, worker.task = worker.task, None
        if task is None:
            return
        if isinstance(message, protocol.Done):
            if message.resident > self._memory_limit:
                self._on_event(f"worker {worker.index} held {message.resident / 2**20:.0f} MiB and is replaced")
                self._remove(worker)
            task.future.set_result(message.outcome)
        else:
            task.future.set_exception(message.error())

    def _end_hanging(self) -> None:
        now = time.monotonic()
        for worker in list(self._workers.values()):
            task = worker.task
            # While the pool was not looking, a worker may have said something that it has not read yet.
            if worker.connection.poll():
                continue
            if not worker.ready and now - worker.started >= STARTING:
                self._remove(worker)
                self._count_failed_start(f"it was not ready after {STARTING:g} s")
            if task is None:
                continue
            if task.is_overdue(now, self._clock, LATE):
                trial_id = task.job.trial_id
                self._on_event(f"trial {trial_id} gave no answer {LATE:g} s after its time was up; it is ended")
                self._remove(worker)
                task.end_overdue(now)
            elif (message := task.past_a_limit(now, _GRACE)) is not None:
                self._bury(worker, Failure(FailureReason.HUNG, message))

    def _bury(self, worker: _Worker, failure: Failure | None) -> None:
        """Removes a worker that died (`failure` is None) or hangs, and decides about its job."""
        task = worker.task
        code = self._remove(worker)
        if task is None:
            if not worker.ready:
                self._count_failed_start(_ending(code))
            return
        if failure is None and task.attempts < _ATTEMPTS:
            self._on_event(f"the worker of trial {task.job.trial_id} died ({_ending(code)}); it is tried once more")
            self._queue.appendleft(task)
            return
        if failure is None:
            failure = Failure(FailureReason.CRASHED, f"its process ended twice ({_ending(code)})")
        seconds = time.monotonic() - task.started
        task.future.set_result(Outcome(seconds=seconds, failure=failure))

    def _count_failed_start(self, why: str) -> None:
        self._failed_starts += 1
        if self._failed_starts < _STARTS:
            self._on_event(f"a worker died while it started ({why}); another one is started")
            return
        if not self._why_no_more:
            self._why_no_more = f"{_STARTS} worker processes in a row ended while they started ({why})"
            self._on_event(f"{self._why_no_more}: no more are started")

    def _remove(self, worker: _Worker) -> int:
        del self._workers[worker.index]
        worker.connection.close()
        worker.process.kill()
        return self._await_end(worker, _TO_END)

    def _await_end(self, worker: _Worker, seconds: float) -> int:
        """The exit code of a worker that has been killed; that of a kill where it is not gone after so many seconds."""
        try:
            return worker.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._on_event(f"process {worker.process.pid} of worker {worker.index} cannot be ended; it is left behind")
            return -signal.SIGKILL


def _ending(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"{name}, as the kernel sends when memory runs out" if name == "SIGKILL" else name


def _takes_more(connection: Connection) -> bool:
    """Whether a short message goes into the connection at once.

    What a night tells a process that hangs adds up: who waits for it to be read would hang too.
    """
    writable = select.poll()
    writable.register(connection.fileno(), select.POLLOUT)
    return bool(writable.poll(0))


def _try_send(connection: Connection, message: object) -> None:
    try:
        connection.send(message)
    except OSError:
        # The worker is dead; the pool learns of it when it listens.
        return
