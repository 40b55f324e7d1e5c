"""Everything the report needs of a run, read once. Nothing is evaluated here and no model is loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import spaces
from results.ranked.finalists import Finalist, finalists, winning_configuration
from results.ranked.ranking import hyperparameter_order
from results.ranked.sample import MOST, sampled
from results.watching.progress import is_active
from results.watching.worked import WorkTime, worked
from search.files.rundir import Run
from search.files.store import Evaluation, Event
from search.record.configuration import Configuration, configurations, ranked
from search.record.marks import Mark
from search.record.trial import Trial, TrialKind


@dataclass(frozen=True)
class Facts:
    """A run as it stands now.

    Attributes:
        directory: The run directory.
        meta: The run's recorded facts by name.
        objective: Name of the metric that ranks, for example `val_accuracy`.
        maximize: Whether more of it is better.
        trials: All trials, in the order in which they were asked for; of a long run those of some configurations, see
            `results.ranked.sample`.
        configurations: Best first, baselines among them, those without a score last.
        winner: The trial whose model is exported, or None.
        finalists: The configurations trained again with fresh seeds, the winner first, then best mean first.
        evaluations: Trial id to its one evaluation.
        events: Warnings and milestones.
        spec: The space, or None where it cannot be read any more.
        now: Unix time of reading.
        active: Whether a process is working on the run.
        clock: Unix time to seconds of work.
        every: Number of all configurations, the baselines among them.
        ended: All trials of the search that have ended, in brief, in the order of their ends.
        epochs: Number of epochs of all trials, without those that were taken over from another run.
    """

    directory: Path
    meta: Mapping[str, Any]
    objective: str
    maximize: bool
    trials: tuple[Trial, ...]
    configurations: tuple[Configuration, ...]
    winner: Trial | None
    finalists: tuple[Finalist, ...]
    evaluations: Mapping[str, Evaluation]
    events: tuple[Event, ...]
    spec: spaces.SearchSpec | None
    now: float
    active: bool
    clock: WorkTime
    every: int
    ended: tuple[Mark, ...]
    epochs: int

    @property
    def sampled(self) -> bool:
        """Whether the run is too long for all its configurations to be described."""
        return self.every > MOST

    @property
    def metric(self) -> str:
        """The objective without its `val_`: its name on the training and the test rows."""
        return self.objective.removeprefix("val_")

    @property
    def classification(self) -> bool:
        """Whether the labels are classes."""
        return bool(self.info.get("task", "classification") == "classification")

    @property
    def multi_label(self) -> bool:
        """Whether a row may have several labels."""
        return self.info.get("labels") == "multi-label"

    @property
    def unit(self) -> str:
        """What trainings are counted in: epochs, or folds of a cross-validation."""
        return "fold" if self._understood.get("folds") else "epoch"

    @property
    def info(self) -> Mapping[str, Any]:
        """`spaces.DataInfo.to_json()`, or empty before the data was loaded."""
        return (self.meta.get("data") or {}).get("info") or {}

    @property
    def guess(self) -> Mapping[str, Any]:
        """What a model that knows no inputs answers, and its `scores` by part; empty where it was not recorded."""
        return self._understood.get("guess") or {}

    @property
    def targets(self) -> tuple[str, ...]:
        """Names of the target columns of a table, or of the targets of a model of several outputs; else empty."""
        columns = [column["name"] for column in self._understood.get("columns", ()) if column["role"] == "target"]
        several = self.info.get("targets") or {}
        return tuple(columns or (piece["name"] for piece in several.get("pieces", ()) if several["named"]))

    @property
    def weighted(self) -> bool:
        """Whether scores count each row by a weight of its own."""
        return bool(self.info.get("weighted"))

    @property
    def _understood(self) -> Mapping[str, Any]:
        return (self.meta.get("data") or {}).get("understood") or {}

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes; their numbers where they have none."""
        names = tuple(str(name) for name in self.info.get("class_names") or ())
        return names or tuple(str(i) for i in range(self.info.get("outputs") or 0))

    @property
    def finished(self) -> bool:
        """Whether nothing more will come."""
        return self.meta.get("finished") is not None

    @property
    def scored(self) -> tuple[Configuration, ...]:
        """Configurations with a score, best first, baselines among them."""
        return tuple(c for c in self.configurations if c.score is not None)

    @property
    def searched(self) -> tuple[Configuration, ...]:
        """Configurations with a score that the search proposed itself, best first."""
        return tuple(c for c in self.scored if not c.baseline)

    @property
    def baselines(self) -> tuple[Configuration, ...]:
        """The baselines, best first."""
        return tuple(c for c in self.configurations if c.baseline)

    @property
    def leader(self) -> Configuration | None:
        """The configuration the report is about: the winner's, else the best so far."""
        if self.winner is not None:
            for configuration in self.configurations:
                if configuration.id == self.winner.configuration:
                    return configuration
        return next(iter(self.scored), None)

    @property
    def winner_seconds(self) -> float:
        """Wall time of the final training; of all its parts where it went on towards a nearer end."""
        known = {trial.id: trial for trial in self.trials}
        total, part = 0.0, self.winner
        while part is not None:
            total += part.outcome.seconds if part.outcome else 0.0
            part = known.get(part.parent) if part.parent is not None else None
        return total

    @property
    def hyperparameters(self) -> list[str]:
        """Names of all active hyperparameters of the searched configurations, in the order of the space."""
        in_order = sorted((c for c in self.configurations if not c.baseline), key=lambda c: c.id)
        return hyperparameter_order(c.values for c in in_order)

    @property
    def direction(self) -> str:
        """Of the objective: `max` or `min`."""
        return "max" if self.maximize else "min"

    def better(self, value: float, than: float) -> bool:
        """Whether one objective is better than another."""
        return value > than if self.maximize else value < than

    def gain(self, value: float, other: float) -> float:
        """How much better `value` is than `other`; negative where it is worse."""
        return value - other if self.maximize else other - value

    @property
    def measured(self) -> str:
        """The metric that says what final models reached.

        The accuracy of classes, whatever ranked the configurations: it has an interval and a test. Else the
        objective's own.
        """
        if self.classification and any("accuracy" in e.metrics for e in self.evaluations.values()):
            return "accuracy"
        return self.metric

    def measured_gain(self, value: float, other: float) -> float:
        """How much better one value of the metric `measured` is than another."""
        return value - other if self.measured == "accuracy" else self.gain(value, other)

    def final(self, configuration: Configuration) -> Evaluation | None:
        """The evaluation of a baseline, or of the winner for the winner's configuration."""
        if self.winner is not None and configuration.id == self.winner.configuration:
            return self.evaluations.get(self.winner.id)
        return self.evaluations.get(configuration.id) if configuration.baseline else None


def read_facts(run: Run, now: float) -> Facts:
    """Reads a run, finished or not.

    Args:
        run: The run.
        now: Unix time, for how long an unfinished run has taken.

    Raises:
        search.errors.RunError: There is no run, or its store is damaged.
    """
    with run.read() as reader:
        keys = ("name", "space", "command", "objective", "algorithm", "seed", "versions", "hardware", "git", "data",
                "started", "finished", "phase", "exit", "winner", "planned", "sessions", "sitting", "threads",
                "workers", "reference", "threshold", "hourly_gain", "ensemble")  # fmt: skip
        meta = {key: reader.meta(key) for key in keys}
        objective = meta["objective"] or {"name": "val_accuracy", "direction": "max"}
        marks = reader.marks()
        trials = tuple(sampled(reader, objective["direction"]))
        every = len(reader.contenders())
        evaluations = {evaluation.trial: evaluation for evaluation in reader.evaluations()}
        events = tuple(reader.events())
        work = reader.work()
        active = is_active(run, reader)
    ended = (one for one in marks if one.kind == TrialKind.SEARCH and one.finished is not None)
    return Facts(
        directory=run.directory,
        meta=meta,
        objective=objective["name"],
        maximize=objective["direction"] == "max",
        trials=trials,
        configurations=tuple(ranked(configurations(trials), objective["direction"])),
        winner=next((trial for trial in trials if trial.id == meta["winner"]), None),
        finalists=tuple(finalists(trials, objective["direction"], winning_configuration(trials, meta["winner"]))),
        evaluations=evaluations,
        events=events,
        spec=_spec(run),
        now=now,
        active=active,
        clock=WorkTime(worked(meta.get, marks, evaluations.values(), work, now, active)),
        every=every,
        ended=tuple(sorted(ended, key=lambda one: one.finished or 0.0)),
        epochs=sum(one.epochs for one in marks if one.kind != TrialKind.EVIDENCE),
    )


def _spec(run: Run) -> spaces.SearchSpec | None:
    try:
        return run.spec
    except (spaces.SpaceError, OSError):
        return None  # An edited or lost space file takes the ranges from the report, not the results.
