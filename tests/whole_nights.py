"""A whole night in simulated time: search, retraining, final training, evaluation, export and report.

Everything but training, evaluating, exporting and drawing is real: the sitting, the phases, the loop, the oracle, the
store, and what follows the search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import spaces
from results.morning import Morning, night
from search.budget import Budget
from search.executors import Executor
from search.files import layout
from search.files.rundir import Run
from search.files.store import Evaluation, RunReader, RunStore
from search.loop.observer import Observer
from search.night.crew import Measured
from search.night.session import Options, Session
from search.phases.evaluation import FinalModel
from search.phases.together import Together
from search.record.trial import Trial, TrialJob, TrialKind
from tests.search.simulation import Disk, SimulatedClock, SimulatedExecutor, World, space

FINAL_KINDS = ("candidate-", "winner-")


@dataclass
class NightWorld(World):
    """What training gives, and how long everything takes.

    Attributes:
        later: How much slower than before the machine is once the search is over.
        winner: How much slower still the final training is.
        evaluation: Seconds that measuring a model takes.
        formats: Seconds that writing and checking each format takes.
        page: Seconds that the report takes without its pictures.
        pictures: Number of pictures, which take a second each.
    """

    later: float = 1.0
    winner: float = 1.0
    evaluation: float = 1.0
    formats: tuple[float, ...] = (1.0, 1.0, 3.0)
    page: float = 3.0
    pictures: int = 6

    def slowness(self, trial_id: str) -> float:
        if not trial_id.startswith(FINAL_KINDS):
            return 1.0
        return self.later * (self.winner if trial_id.startswith("winner-") else 1.0)


class NightExecutor(SimulatedExecutor):
    """Trains as `SimulatedExecutor`, slower or faster after the search."""

    def _seconds(self, job: TrialJob, number: int) -> float:
        return super()._seconds(job, number) * self._world.slowness(job.trial_id)


class Crew:
    """Hands out a simulated executor."""

    def __init__(self, make: Callable[[], SimulatedExecutor]) -> None:
        self._make = make

    def workers(self, count: int) -> Executor:
        return self._make()

    def unmeasured(self, past: Iterable[Trial]) -> int:
        return 1

    @property
    def may_choose(self) -> bool:
        return True

    def measured(self) -> Measured:
        raise AssertionError("nothing to measure here")

    def alone(self, threads: int) -> Executor:
        raise AssertionError("nothing was measured that would be faster alone")


@dataclass
class Exported:
    files: tuple[Any, ...] = ()
    rows: int = 0
    left_out: tuple[str, ...] = ()
    unfit: tuple[tuple[str, str], ...] = ()


@dataclass
class WholeNight:
    """A night that can be started, broken and started again.

    Attributes:
        run: The run directory.
        spec: The space.
        world: What training gives and how long everything takes.
        slots: Trainings at the same time.
        hook: Called with the name of each step as it is reached: `epoch`, `end`, `evaluation`, `export`, `report`.
        executor: What trains.
        crew: Hands it out.
        workers: As on the command line; None: what the crew finds out.
        elsewhere: Whether the executor itself knows how many train at the same time, see `Options`.
        together: What several models turn out to be together.
        compared: Configurations of the models that were compared, and that of the one alone.
        fork: The run that a new one begins with the trials of.
        max_trials: What `resume` is asked for; None: nothing.
    """

    run: Path
    spec: spaces.SearchSpec
    world: NightWorld = field(default_factory=NightWorld)
    slots: int = 1
    hook: Callable[[str], None] = lambda _: None
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    disk: Disk = field(default_factory=Disk)
    left_out: tuple[str, ...] = ()
    pictures: int = 0
    executor: type[NightExecutor] = NightExecutor
    crew: Callable[[Callable[[], SimulatedExecutor]], Crew] = Crew
    workers: int | None = 1
    elsewhere: bool = False
    together: Together = field(default_factory=lambda: Together("accuracy", 0.9, 0.9, 0.0))
    compared: list[tuple[list[str], str]] = field(default_factory=list)
    fork: Run | None = None
    max_trials: int | None = None
    steps: list[str] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)
    _sitting: Session | None = None

    def go(self, budget: str | float | None = None, until: float | None = None, **options: Any) -> Morning:
        """One sitting with everything that follows it; None: the time that was promised before."""
        from search.api import going_on

        time = going_on(self.run, Budget.given(budget, until, self.clock))

        def train() -> Run:
            self._sitting = Session(
                self.run,
                self.spec,
                Options(
                    time,
                    workers=self.workers,
                    check=False,
                    elsewhere=self.elsewhere,
                    fork=self.fork,
                    max_trials=self.max_trials,
                ),
                (_Messages(self.messages),),
                lambda *_: self.crew(self._executor),
                self._evaluate,
                compare=self._compare,
            )
            return self._sitting.go()

        return night(train, self.run, time, export=self._export, report=self._report, **options)

    def stop(self) -> None:
        """What Ctrl-C does."""
        assert self._sitting is not None
        self._sitting._stop()

    def _executor(self) -> SimulatedExecutor:
        return self.executor(self.world, self.clock, self.disk, self.slots, self._reached)

    def _reached(self, step: str) -> None:
        self.steps.append(step)
        self.hook(step)

    def _evaluate(self, run: Path, data: Any, model: FinalModel, store: RunStore, clock: Any, seed: int) -> None:
        if any(done.trial == model.trial.id for done in store.evaluations()):
            return
        self._reached("evaluation")
        self.clock.pass_time(self.world.evaluation * self.world.later)
        store.add_evaluation(
            Evaluation(
                model.trial.id,
                "test",
                {"accuracy": 0.5},
                100,
                self.world.evaluation,
                layout.evaluation_file(model.trial.id),
                clock.now(),
            )
        )

    def _compare(
        self, run: Path, data: Any, members: Sequence[FinalModel], alone: FinalModel, accuracy: bool
    ) -> tuple[Together, float]:
        self.compared.append(([model.trial.configuration for model in members], alone.trial.configuration))
        return self.together, float(len(members))

    def _export(self, directory: Path, left: Callable[[], float], reserve: float) -> Exported:
        self._reached("export")
        done = 0
        for seconds in self.world.formats:
            if done and left() < (seconds + reserve) * self.world.later:
                break
            self.clock.pass_time(seconds * self.world.later)
            done += 1
        self.left_out = tuple(f"format-{i}" for i in range(done, len(self.world.formats)))
        return Exported(left_out=self.left_out)

    def _report(self, directory: Path, left: Callable[[], float]) -> Path:
        self._reached("report")
        self.clock.pass_time(self.world.page * self.world.later)
        page = directory / "report" / "index.html"
        page.parent.mkdir(exist_ok=True)
        page.write_text("a page", encoding="utf-8")
        self.pictures = 0
        while self.pictures < self.world.pictures and left() > self.world.later:
            self.clock.pass_time(self.world.later)
            self.pictures += 1
        return page

    # What it left

    def trials(self, *kinds: TrialKind) -> list[Trial]:
        with RunReader(self.run) as reader:
            return reader.trials(*kinds)

    def meta(self, key: str) -> Any:
        with RunReader(self.run) as reader:
            return reader.meta(key)

    def winner(self) -> Trial:
        with RunReader(self.run) as reader:
            found = reader.trial(reader.meta("winner"))
        assert found is not None
        return found

    def warnings(self) -> list[str]:
        with RunReader(self.run) as reader:
            return [event.message for event in reader.events() if event.level != "info"]


class _Messages(Observer):
    def __init__(self, found: list[str]) -> None:
        self._found = found

    def message(self, level: str, text: str) -> None:
        self._found.append(f"{level}: {text}")


def night_space(algorithm: str = "random", **changes: Any) -> spaces.SearchSpec:
    """A space without an end of its own, with final training on all rows."""
    changes = {"final.candidates": 3, "final.seeds": 2, **changes}
    return spaces.load(
        space(algorithm, max_trials=None, epochs=changes.pop("epochs", None)),
        [f"{key}={value}" for key, value in changes.items()],
    )
