from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from search.budget import Deadline
from search.cluster.executor import ClusterExecutor
from search.cluster.hosts import Hosts
from search.cluster.needs import Needs, Node
from search.cluster.site import Lost
from search.executors import protocol
from search.record.trial import Epoch, Outcome, Stop, TrialJob
from tests.search.simulation import SimulatedClock

VERSIONS = {"keras-nightshift": "1.0", "tensorflow": "2.21.0", "keras": "3.15.1"}


@dataclass
class Site:
    """A cluster that does what a test says; time passes while nobody says anything."""

    clock: SimulatedClock
    alive: list[Node] = field(default_factory=list)
    versions: dict[str, dict] = field(default_factory=dict)
    started: dict[int, Node] = field(default_factory=dict)
    begun: dict[int, tuple[dict, Path | None]] = field(default_factory=dict)
    jobs: dict[int, tuple] = field(default_factory=dict)
    stops: list[int] = field(default_factory=list)
    moves: list[tuple] = field(default_factory=list)
    killed: list[int] = field(default_factory=list)
    dismissed: list[int] = field(default_factory=list)
    said: deque = field(default_factory=deque)
    closed: bool = False
    forgotten: int = 0
    # Whether actors make themselves ready by themselves.
    willing: bool = True

    def nodes(self):
        return list(self.alive)

    def start(self, actor, node, needs):
        self.started[actor] = node
        if self.willing:
            self.say(actor, "hello", hello(self.versions.get(node.name, VERSIONS)))

    def begin(self, actor, told, data):
        self.begun[actor] = told, data
        if self.willing:
            self.say(actor, "settled", told["folder"] or f"/tmp/{self.started[actor].name}")
            self.say(actor, "ready", 1 << 34)

    def forget(self):
        self.forgotten += 1

    def train(self, actor, order, files):
        import pickle

        self.jobs[actor] = pickle.loads(order), files

    def stop(self, actor, why):
        self.stops.append(actor)

    def move(self, actor, left):
        import pickle

        self.moves.append((actor, *pickle.loads(left)))

    def messages(self, seconds):
        if not self.said:
            self.clock.pass_time(seconds)
        while self.said:
            yield self.said.popleft()

    def kill(self, actor):
        self.killed.append(actor)

    def dismiss(self, actors):
        self.dismissed += actors

    def offers(self):
        return "0 of 4 CPU free"

    def close(self):
        self.closed = True

    # What a test lets happen

    def say(self, actor, kind, what):
        self.said.append((actor, (kind, what)))

    def epoch(self, actor, number=1):
        self.say(actor, self.jobs[actor][0].attempt, protocol.EpochDone(Epoch(number, {"val_accuracy": 0.5}, 1.0, 1.0)))

    def done(self, actor, outcome=None, files=(), resident=0):
        outcome = outcome or Outcome(score=0.5, best_epoch=1, stopped=Stop.LENGTH)
        self.say(actor, self.jobs[actor][0].attempt, (protocol.Done(outcome, resident), list(files)))

    def lose(self, actor, **how):
        self.say(actor, "lost", Lost("its process ended", **how))

    def training(self, trial):
        """The living actors that were last given a trial."""
        return [a for a, (order, _) in self.jobs.items() if order.job.trial_id == trial and a not in self.killed]


@pytest.fixture
def site():
    return Site(SimulatedClock(), [node("one"), node("two")])


@pytest.fixture
def make(site, tmp_path):
    """`make(**options)`: an executor over the site; what it tells is in `events`."""

    def made(needs=None, workers=None, fixed=False, memory=None):
        events: list[str] = []
        needs = needs or Needs(1.0)
        hosts = Hosts(needs, VERSIONS, events.append, site.offers)
        hosts.update(site.nodes())
        executor = ClusterExecutor(
            site, hosts, needs, {"path": ("/here",)}, tmp_path, tmp_path / "data", workers, fixed, memory, site.clock,
            events.append, site.clock.monotonic,
        )  # fmt: skip
        executor.events = events
        return executor

    return made


def hello(versions=VERSIONS):
    return {"versions": versions}


def node(name, cpus=2.0, gpus=0.0, **more):
    return Node(f"id of {name}", name, cpus, gpus, **more)


def job(trial="0", **changes):
    made = {
        "trial_id": trial,
        "settings": {},
        "seed": 1,
        "objective": "val_accuracy",
        "direction": "max",
        "epochs_from": 0,
        "epochs_to": 3,
    }
    return TrialJob(**{**made, **changes})


def soon(clock, seconds):
    return Deadline(monotonic=clock.monotonic() + seconds)


def turn(executor, pending, seconds=2.0):
    """Lets it serve for a while, at least until everything that was said is heard."""
    return executor.wait(pending, seconds)
