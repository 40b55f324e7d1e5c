"""Trains jobs in actors on the nodes of a cluster, which may come and go.

Each node is asked first what is installed there; one that has other versions gets no job. Then its first actor stores
the data, and the others follow. An actor that is lost costs its job one attempt, one that is lost with its node costs
nothing; a job that takes two actors with it has failed. All this happens inside `wait`.
"""

from __future__ import annotations

import pickle
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakSet

from search.clock import Clock
from search.cluster.hosts import Host, Hosts
from search.cluster.needs import Needs
from search.cluster.site import Crowded, Lost, Site
from search.cluster.work import Left, Order
from search.errors import CheckpointError, DiskError
from search.executors import protocol
from search.executors.base import LATE, STARTING, OnEpoch
from search.executors.sizing import at_hand, share_of_memory
from search.executors.tasks import Task, give_up_late, leave_unbegun
from search.files import checkpoint as checkpoints
from search.record.trial import Failure, FailureReason, Outcome, Stop, TrialJob

# How long after a job's own time limit an actor that still has not answered is taken to hang.
_GRACE = 5.0
_ATTEMPTS = 2
# A job whose node is lost is not to blame; one that is always there when it happens is.
_LOSSES = 10
_TICK = 0.2
_LOOK_SECONDS = 1.0
# An actor that has not said anything for so long waits for room that others have taken.
_BUSY_SECONDS = 30.0


@dataclass
class _Task(Task):
    """A job on its way; `attempt` counts all, `to_blame` those that ended an actor."""

    attempt: int = 0
    to_blame: int = 0
    lost_nodes: int = 0


@dataclass
class _Actor:
    """An actor; `begun` once it was told to make itself ready, `ready` once it takes jobs.

    `made` is when it was asked for, `heard` when it has last said something, as monotonic time.
    """

    host: Host
    made: float
    begun: bool = False
    ready: bool = False
    heard: float = float("-inf")
    task: _Task | None = None
    stop_sent: bool = False


class ClusterExecutor:
    """Trains jobs on a cluster.

    Args:
        site: The cluster.
        hosts: What is known of its nodes.
        needs: What one training takes of a node.
        told: What every actor is told, see `search.cluster.work.Work`.
        run: The run directory, where checkpoints are.
        data: Folder of the data on this machine.
        workers: Trainings at the same time at most; None: as many as the cluster has room for.
        fixed: Whether so many are counted on, whatever the cluster has at the moment.
        memory: Resident bytes after which an actor is replaced before its next job; None: its share of its machine.
        clock: Tells when a job's time is up.
        on_event: Told in words what happens to nodes and actors.
        monotonic: Seconds, for what is waited for.
    """

    def __init__(
        self,
        site: Site,
        hosts: Hosts,
        needs: Needs,
        told: Mapping[str, Any],
        run: Path,
        data: Path,
        workers: int | None,
        fixed: bool,
        memory: int | None,
        clock: Clock,
        on_event: Callable[[str], None],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._site = site
        self._hosts = hosts
        self._needs = needs
        self._told = told
        self._run = run
        self._data = data
        self._limit = workers
        self._fixed = fixed
        self._memory = memory
        self._clock = clock
        self._on_event = on_event
        self._monotonic = monotonic
        self._actors: dict[int, _Actor] = {}
        self._made = 0
        self._free: deque[int] = deque()
        self._queue: deque[_Task] = deque()
        # Those that somebody may still wait for.
        self._done: WeakSet[Future[Outcome]] = WeakSet()
        self._stop: Stop | None = None
        self._on_look: Callable[[], None] = lambda: None
        self._looked = self._turned = self._judged = float("-inf")
        self._away = False

    @property
    def slots(self) -> int:
        """Jobs that it wants to have at hand: those it trains, and some that wait."""
        return at_hand(self.workers)

    @property
    def workers(self) -> int:
        """As many as the cluster has room for now, at most those that were asked for, at least one."""
        return max(1, self._room)

    @property
    def _room(self) -> int:
        if self._fixed and self._limit is not None:
            return self._limit
        return sum(self._hosts.shares(self._limit).values())

    def where(self) -> dict[str, Any]:
        """Where the trainings are, as plain data."""
        return {
            "workers": sum(actor.ready for actor in self._actors.values()),
            "room": self._room,
            "needs": self._hosts.needs(),
            "nodes": self._hosts.to_json(),
        }

    def watch(self, look: Callable[[], None]) -> None:
        """Has somebody called about once a second while jobs are waited for."""
        self._on_look = look

    def described(self) -> str:
        """The nodes, in words."""
        return self._hosts.described()

    def pace(self, settings: Mapping[str, Any], seconds: float) -> float:
        """0: how many train at a time follows from the cluster, and is never measured."""
        return 0.0

    def submit(self, job: TrialJob, on_epoch: OnEpoch) -> Future[Outcome]:
        """Accepts a job; it goes to the first free actor."""
        task = _Task(job, on_epoch, Future())
        task.future.add_done_callback(self._done.add)
        self._queue.append(task)
        # Whoever asks for several jobs may think about each of them for long.
        self._hand_out()
        return task.future

    def wait(self, pending: Collection[Future[Outcome]], timeout: float | None = None) -> set[Future[Outcome]]:
        """Serves the actors until one of `pending` is done, at most `timeout` seconds.

        Raises:
            ClusterLost: The cluster is gone, or no node of it may be used.
        """
        end = None if timeout is None else self._monotonic() + timeout
        while True:
            self._look_around()
            self._hand_out()
            self._pass_on_stop()
            done = {future for future in self._done if future in pending}
            left = _TICK if end is None else min(_TICK, end - self._monotonic())
            if done or left <= 0:
                return done
            for actor, (kind, said) in self._site.messages(left):
                if actor in self._actors:
                    self._receive(actor, kind, said)
            self._end_hanging()

    def stop(self, why: Stop) -> None:
        """Ends all jobs after their epoch; actors are told by the next `wait`."""
        self._stop = why

    def shutdown(self) -> None:
        """Ends all actors and lets go of the cluster."""
        self._actors.clear()
        self._queue.clear()
        self._site.close()

    # Nodes and actors

    def _look_around(self) -> None:
        """Once a second: starts actors where there is room for them, drops those whose node is gone and jobs whose time
        is up, and tells deadlines that have moved."""
        now = self._monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return
        self._looked = now
        self._hosts.update(self._site.nodes())
        # All of a node at once: the last one removes the data.
        leaving = {number: a.host for number, a in self._actors.items() if a.host.refused is not None}
        self._site.dismiss([number for number, host in leaving.items() if not host.gone])
        for number, actor in list(self._actors.items()):
            if actor.host.gone or actor.host.refused is not None:
                why = "is gone" if actor.host.gone else "gets no trials"
                self._bury(number, Lost(f"the node {actor.host.node.name} {why}", with_node=True))
        give_up_late(self._queue, self._clock)
        self._tell_deadlines()
        self._start_missing()
        self._on_look()
        self._hosts.complain(now, bool(self._queue), any(actor.begun for actor in self._actors.values()))

    def _start_missing(self) -> None:
        now = self._monotonic()
        wanted = min(self.workers, len(self._queue) + sum(a.task is not None for a in self._actors.values()))
        # Where others have taken the room of a node, or all its memory, its share is that of the other nodes meanwhile.
        busy = [a.host for a in self._actors.values() if not a.begun and now - a.made >= _BUSY_SECONDS]
        wanted += len(busy)
        if len(self._actors) >= wanted:
            return
        here = Counter(actor.host for actor in self._actors.values())
        closed = {*busy, *(host for host in self._hosts.all() if now < host.rests_until)}
        for host, share in self._hosts.shares(None if closed else self._limit).items():
            # Until its first actor has said what is installed and stored the data, it has no other.
            most = share if host.folder is not None else min(1, share)
            for _ in range(0 if host in closed else min(most - here[host], wanted - len(self._actors))):
                self._made += 1
                self._actors[self._made] = _Actor(host, now)
                self._site.start(self._made, host.node, self._needs)

    def _receive(self, number: int, kind: Any, said: Any) -> None:
        actor = self._actors[number]
        actor.heard = self._monotonic()
        if kind == "hello":
            self._greet(number, actor, said)
        elif kind == "settled":
            actor.host.settle(said)
            self._forget()
            self._start_missing()
        elif kind == "ready":
            actor.ready = True
            self._hosts.ready(actor.host, said)
            self._free.append(number)
            self._hand_out()
        elif kind == "unable":
            self._bury(number, self._hosts.unable(actor.host, said))
        elif kind == "lost":
            self._bury(number, said)
        elif actor.task is not None and actor.task.attempt == kind:
            self._answered(number, actor, actor.task, said)

    def _greet(self, number: int, actor: _Actor, said: Mapping[str, Any]) -> None:
        reason = self._hosts.unfit(said["versions"])
        if reason is not None:
            self._hosts.refuse(actor.host, "version", reason)
            self._bury(number, Lost(reason, with_node=True))
            return
        host = actor.host
        begun = Counter(one.host for one in self._actors.values() if one.begun)
        if begun.total() >= self.workers or begun[host] >= self._hosts.room_of(host):
            # Others have begun in its place, or its node has turned out to bear no more.
            self._bury(number, Lost("it is not needed any more", with_node=True))
            return
        actor.begun = True
        # On our own machine the data lie where they are.
        here = str(self._data) if host.node.is_ours else None
        gpus = self._needs.on(host.node).gpus
        told = {**self._told, "folder": host.folder, "data": here, "gpus": gpus}
        if not host.node.is_ours:
            told["path"] = None
        send = self._data if here is None and host.folder is None else None
        try:
            self._site.begin(number, told, send)
        except Crowded as error:
            self._bury(number, Lost(str(error)))
            return
        # Sending the data may have taken long.
        actor.heard = self._monotonic()

    def _forget(self) -> None:
        """Lets go of the data once nobody is storing them."""
        if all(one.host.folder is not None for one in self._actors.values() if one.begun):
            self._site.forget()

    # Jobs

    def _hand_out(self) -> None:
        if not self._queue or self._stop is not None:
            return
        give_up_late(self._queue, self._clock)
        while self._queue and self._free:
            number = self._free.popleft()
            actor = self._actors.get(number)
            if actor is not None and actor.host.refused is None:
                self._give(number, actor, self._queue.popleft())

    def _give(self, number: int, actor: _Actor, task: _Task) -> None:
        job = task.job
        try:
            files = [] if job.resume is None else [checkpoints.packed(self._run, job.resume)]
        except CheckpointError as error:
            task.future.set_exception(error)
            self._free.append(number)
            return
        task.attempt += 1
        task.begin(self._monotonic())
        actor.task, actor.stop_sent = task, False
        order = Order(replace(job, deadline=None), task.attempt, self._left(task))
        try:
            self._site.train(number, order.packed(), files)
        except Crowded as error:
            actor.task = None
            task.future.set_exception(DiskError(f"trial {job.trial_id}: {error}"))
            self._free.append(number)

    def _answered(self, number: int, actor: _Actor, task: _Task, said: Any) -> None:
        if isinstance(said, protocol.EpochBegins):
            task.epoch_began = self._monotonic()
            return
        if isinstance(said, protocol.EpochDone):
            task.epoch_done(said.epoch)
            return
        answer, files = said
        actor.task = None
        self._free.append(number)
        if isinstance(answer, protocol.Done):
            self._take_home(actor, task, answer.outcome, dict(files))
            self._replace_grown(number, actor, answer.resident)
        elif answer.trouble is protocol.Trouble.DISK:
            self._hosts.refuse(actor.host, "disk", answer.message)
            self._again(task, Lost(answer.message, with_node=True))
            # It goes with the others there.
            self._looked = float("-inf")
        else:
            task.future.set_exception(answer.error())
        self._hand_out()

    def _replace_grown(self, number: int, actor: _Actor, resident: int) -> None:
        host = actor.host
        limit = self._memory
        if limit is None and host.memory:
            limit = share_of_memory(host.memory, self._sharing(host))
        if limit is not None and resident > limit:
            self._on_event(f"a worker on {host.node.name} held {resident / 2**20:.0f} MiB and is replaced")
            self._bury(number, Lost("it is replaced"))

    def _sharing(self, host: Host) -> int:
        """How many trainings share a node's memory: its part of all that were asked for, or as many as are there."""
        there = sum(actor.host is host for actor in self._actors.values())
        return max(1, there, self._hosts.shares(self._limit).get(host, 0))

    def _take_home(self, actor: _Actor, task: _Task, outcome: Outcome, files: Mapping[str, bytes]) -> None:
        try:
            for checkpoint in (outcome.state, outcome.best, outcome.last):
                if checkpoint is not None and checkpoint not in (task.job.resume, task.job.best):
                    checkpoints.adopt(self._run, checkpoint, files.get(checkpoint.file, b""))
        except CheckpointError as error:
            self._again(task, Lost(f"{actor.host.node.name}: {error}"))
        except DiskError as error:
            task.future.set_exception(error)
        else:
            task.future.set_result(outcome)

    def _bury(self, number: int, lost: Lost) -> None:
        """Gives up an actor for good, and decides about its job."""
        actor = self._actors.pop(number)
        self._site.kill(number)
        if actor.task is not None:
            self._again(actor.task, lost)
        elif not actor.ready:
            others = sum(one.begun and one.host is actor.host for one in self._actors.values())
            self._hosts.failed_to_start(actor.host, lost, others, self._monotonic())
            self._forget()
        self._looked = float("-inf")

    def _again(self, task: _Task, lost: Lost) -> None:
        task.to_blame += not lost.with_node
        task.lost_nodes += lost.with_node
        trial = f"trial {task.job.trial_id}"
        if task.to_blame < _ATTEMPTS and task.lost_nodes < _LOSSES:
            self._on_event(f"{trial} lost its worker ({lost.why}); it is trained again")
            self._queue.appendleft(task)
        elif lost.starved:
            self._fail(task, FailureReason.OUT_OF_MEMORY, f"its node ran out of memory: {lost.why}")
        else:
            self._fail(task, FailureReason.CRASHED, f"it lost its worker {task.attempt} times ({lost.why})")

    def _fail(self, task: _Task, reason: FailureReason, message: str) -> None:
        seconds = self._monotonic() - task.started
        task.future.set_result(Outcome(seconds=seconds, failure=Failure(reason, message)))

    def _pass_on_stop(self) -> None:
        if self._stop is None:
            return
        leave_unbegun(self._queue, self._stop)
        for number, actor in self._actors.items():
            if actor.task is not None and not actor.stop_sent:
                actor.stop_sent = True
                self._site.stop(number, pickle.dumps(self._stop))

    def _tell_deadlines(self) -> None:
        for number, actor in self._actors.items():
            task = actor.task
            if task is not None and task.moved(self._clock) is not None:
                which = task.job.trial_id, task.attempt
                self._site.move(number, pickle.dumps((which, self._left(task))))

    def _left(self, task: _Task) -> Left | None:
        """The time that a job has, to be told to its actor; None: no limit.

        There it passes from then on, and it counts so here too: a clock that somebody sets moves a deadline by it.
        """
        if task.told is None:
            return None
        left = Left.until(task.told, self._clock)
        task.told = left.from_now(self._clock)
        return left

    def _end_hanging(self) -> None:
        """Looks once a second whose time is up without an answer, and who does not get ready."""
        now = self._monotonic()
        # What was said while the search did something else arrives by and by. Where it is away before each turn, there
        # was time for that before the second one.
        self._away = now - self._turned > _LOOK_SECONDS and not self._away
        self._turned = now
        if self._away:
            self._judged = now
        if now - self._judged < _LOOK_SECONDS:
            return
        self._judged = now
        for number, actor in list(self._actors.items()):
            if actor.begun and not actor.ready and now - actor.heard >= STARTING:
                self._bury(number, Lost(f"it was not ready, and said nothing, for {STARTING:g} s"))
                continue
            task = actor.task
            # An actor that has just said something may have more to say: that comes when it is asked again.
            if task is None or now - actor.heard < _LOOK_SECONDS:
                continue
            if task.is_overdue(now, self._clock, LATE):
                actor.task = None
                trial_id = task.job.trial_id
                self._on_event(f"trial {trial_id} gave no answer {LATE:g} s after its time was up; it is ended")
                task.end_overdue(now)
                self._bury(number, Lost("its time was up"))
            elif (message := task.past_a_limit(now, _GRACE)) is not None:
                actor.task = None
                self._fail(task, FailureReason.HUNG, message)
                self._bury(number, Lost(message))
