"""The search of a run: the oracle is asked, until it wants nothing more, the trials are used up, or time is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from search.budget import Budget, Deadline
from search.files.checked.agreement import incomplete
from search.files.rundir import open_run
from search.files.store import RunStore
from search.loop.observer import Earlier, Observer
from search.loop.runner import Runner
from search.loop.warn import warn
from search.phases import proposer
from search.phases.schedule import planned, trial_limit
from search.phases.sources import SearchSource
from search.record.configuration import Configuration, configurations
from search.record.marks import COUNTED
from search.record.standing import Standing, folds_needed, most_needed
from search.record.trial import Scalar, TrialKind
from spaces import DataInfo, SearchSpec, Settings
from spaces.specs.configuring import unsaid
from spaces.values.setting import field_of
from spaces.values.space import Hyperparameter, holds

_MOVED = 1.0
"""Seconds by which the end has to move for somebody to be told."""

SearchEnd = Callable[[list[Configuration]], Deadline | None]
"""Tells when a search with these configurations, best first, has to be over; None: no limit."""


class Searching:
    """Searches as often as there is time for it, with one oracle that remembers everything.

    Args:
        spec: The space file.
        store: The run store.
        budget: The time of the sitting.
        observer: Is told what happens.
        info: The rows that the models are for; None: not known.
    """

    def __init__(
        self, spec: SearchSpec, store: RunStore, budget: Budget, observer: Observer, info: DataInfo | None = None
    ) -> None:
        self._spec = spec
        self._info = info
        self._store = store
        self._budget = budget
        self._observer = observer
        self._source: SearchSource | None = None
        self._before: Standing | None = None
        self._end: SearchEnd = lambda _: None
        self._at_once: Callable[[], int] = lambda: 1

    @property
    def scored(self) -> list[Configuration]:
        """Configurations with a score, best first: as many of the best as can be of use, and in their places the
        baselines, those that were trained again or keep checkpoints, and as many of the best with all folds."""
        again = self._store.trials(TrialKind.CANDIDATE, TrialKind.WINNER)
        self._standing.learn(again)
        return self._standing.ranked(most_needed(self._spec), (trial.configuration for trial in again))

    @property
    def _standing(self) -> Standing:
        if self._source is not None:
            return self._source.standing
        if self._before is None:
            spec, needed = self._spec, folds_needed(self._spec)
            self._before = Standing(spec.objective.direction, most_needed(spec), self._store.trial, needed)
            for trial in self._store.each_trial(*COUNTED):
                self._before.take(trial)
        return self._before

    def go(self, runner: Runner, end: SearchEnd) -> bool:
        """Searches until `end`; whether anything was trained.

        Why the search ended is recorded, unless the runner was asked to stop.
        """
        self._end = self._told(end, runner)
        self._at_once = lambda: runner.workers
        # What the whole search is expected to take is known the first time only.
        first = self._source is None
        expected = self._expected() if first else None
        source = self._opened()
        if first:
            self._tell_earlier(source)
        before, left = source.begun, source.unfinished
        self._observer.phase("search", expected)
        self._end(source.standing.leading(self._leading))
        runner.run(source, left)
        if not runner.stopping:
            self._store.put_meta(search_ended=source.ended)
        if source.given_up is not None and source.ended == "failures":
            self._warn(f"the search ends early: {source.given_up}")
        trained = bool(left) or source.begun > before
        # Asked again in the same sitting, it answers the same.
        if source.ended == "gain" and (first or trained):
            least = self._spec.search.stop_when_gain_below
            self._observer.message(
                "info", f"the search ends: another hour is expected to bring less than {least} (stop_when_gain_below)"
            )
        return trained

    def _tell_earlier(self, source: SearchSource) -> None:
        found = source.standing.leading(self._leading)
        known = self._store.overview(self._spec.objective.direction)
        if not found and not known.done:
            return
        baseline = next((one for one in found if one.baseline), None)
        self._observer.resumed(Earlier(known.done, known.failed, found[0] if found else None, baseline))

    def finish(self, runner: Runner, end: SearchEnd) -> None:
        """Brings trials that were begun to their end, until `end`, and begins no other."""
        self._end = end
        source = self._opened()
        source.close()
        runner.run(source, source.unfinished)

    def _opened(self) -> SearchSource:
        if self._source is None:
            self._source = self._open()
        return self._source

    def _open(self) -> SearchSource:
        timed, spec, store = self._budget.limited, self._spec, self._store
        # What an epoch takes differs from run to run: in fixed order no choice may depend on it.
        asked = proposer.for_spec(spec, timed and spec.search.order == "free", self._warn, self._info, endless=timed)
        asked.restore(store.each_trial(TrialKind.SEARCH), store.oracle_state())
        if store.oracle_state() is None:
            self._teach(asked)
        most = trial_limit(spec, timed=timed)
        store.put_meta(planned={"trials": self._expected()})
        source = SearchSource(
            spec,
            asked,
            store,
            self._budget.clock,
            lambda: self._end(source.standing.leading(self._leading)),
            most,
            lambda: self._at_once(),
        )
        return source

    @property
    def _leading(self) -> int:
        # Of the search's own one at least, though all baselines may lead.
        return max(1, self._spec.final.candidates) + len(self._spec.baselines)

    def _told(self, end: SearchEnd, runner: Runner) -> SearchEnd:
        """The same end, of which the observer is told whenever it moves, or another number is trained at once."""
        clock = self._budget.clock
        told: tuple[float, int] | None = None

        def ends(best: list[Configuration]) -> Deadline | None:
            nonlocal told
            found, at_once = end(best), runner.workers
            moment = math.inf if found is None else clock.now() + found.left(clock)
            # Without an end both are infinite, and their difference is no number.
            if told is None or told[1] != at_once or (moment != told[0] and not abs(moment - told[0]) < _MOVED):
                told = moment, at_once
                self._observer.outlook(None if found is None else moment, at_once)
            return found

        return ends

    def _expected(self) -> int | None:
        """Trials of the whole search, baselines included; None where only time ends it."""
        trials = planned(self._spec, timed=self._budget.limited).trials
        return None if trials is None else trials + len(self._spec.baselines)

    def _warn(self, text: str) -> None:
        warn(self._store, self._budget.clock, self._observer, text)

    def _teach(self, asked: proposer.Proposer) -> None:
        """Tells the oracle at the very start what is known from other runs."""
        known = configurations(self._store.trials(TrialKind.EVIDENCE))
        for directory in self._spec.search.warm_start:
            with open_run(directory).read() as reader:
                known += configurations(reader.trials())
        spec, taught = self._spec, known
        name = spec.objective.name
        tells: tuple[tuple[Callable[[Configuration], bool], str], ...] = (
            (lambda one: incomplete(one.settings) is None, "their settings cannot be read here"),
            (lambda one: proposer.scored_alike(spec, one.settings), f"their {name} is another loss"),
            (
                lambda one: proposer.counts_alike(spec, one.settings),
                "they were cross-validated" if spec.data.folds is None else "they were not cross-validated",
            ),
            (
                lambda one: proposer.is_comparable(spec, one.settings),
                "their learning rates went to their ends over other numbers of epochs",
            ),
            # What failed before its first epoch has nothing to tell anyway.
            (
                lambda one: not one.epochs or any(name in epoch.metrics for epoch in one.epochs),
                f"they were trained without {name}",
            ),
        )
        for tells_something, why in tells:
            left = [one for one in taught if tells_something(one)]
            if len(left) < len(taught) and spec.algorithm.takes_evidence:
                left_out = f"{len(taught) - len(left)} of {len(known)} configurations of other runs"
                self._warn(f"the search learns nothing from {left_out}: {why}")
            taught = left
        searched = spec.space.hyperparameters
        for configuration in _without_copies(taught, name):
            asked.learn(_in_space(spec, searched, configuration), proposer.telling_epochs(configuration))


def _without_copies(known: Sequence[Configuration], objective: str) -> list[Configuration]:
    """Each training once: a run and its fork have the same ones, some of which one of them has trained further."""
    curves = [tuple((epoch.number, epoch.metrics.get(objective)) for epoch in one.epochs) for one in known]
    keys = [(one.seed, tuple(sorted(one.values.items()))) for one in known]
    alike: dict[tuple[Any, ...], list[int]] = {}
    for i, key in enumerate(keys):
        alike.setdefault(key, []).append(i)

    def is_copy(i: int) -> bool:
        mine = curves[i]
        others = (j for j in alike[keys[i]] if curves[j][: len(mine)] == mine)
        as_good = (known[j] for j in others if len(curves[j]) > len(mine) or j < i)
        return any(_trained(one) == _trained(known[i]) for one in as_good)

    # What has no epoch is no copy of anything.
    return [one for i, one in enumerate(known) if not curves[i] or not is_copy(i)]


def _trained(configuration: Configuration) -> Mapping[str, Any]:
    """The settings without what a fork has from its own space, of which the numbers do not follow."""
    training = configuration.settings["training"]
    own = {name: value for name, value in training.items() if name not in ("callbacks", "metrics")}
    return {**configuration.settings, "training": own}


def _in_space(
    spec: SearchSpec, searched: Iterable[Hyperparameter], configuration: Configuration
) -> Mapping[str, Scalar]:
    """The values of a configuration of another run, with what that one had fixed of what is searched here.

    What was one value for all layers there is that of each.
    """
    values = dict(configuration.values)
    known: Mapping[str, Scalar] | None = None
    for one in searched:
        if one.name in values or not holds(one.conditions, values):
            continue
        if known is None:
            known = unsaid(spec, Settings.from_json(configuration.settings))
        field = field_of(one.name)
        value = known.get(one.name, known.get(field, values.get(field)))
        if value is not None:
            values[one.name] = value
    return values
