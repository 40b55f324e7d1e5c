"""Trains the best configurations again from fresh seeds, as many and as often as the time allows."""

from __future__ import annotations

import heapq
import math
import statistics
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import replace

from search.budget import Deadline
from search.files.store import RunStore
from search.loop.observer import Observer
from search.loop.runner import Commit
from search.phases.sources import BaseSource, candidate_trial
from search.record.configuration import Configuration
from search.record.folds import mean_length
from search.record.trial import Outcome, Trial, TrialJob, TrialKind, TrialState
from search.times import estimates, planning
from search.times.estimates import Pace
from search.times.horizon import Horizon
from search.times.planning import Done, FinalPlan
from spaces import SearchSpec, Settings

# With time to spare, seeds are added until each candidate has so many: more would tell nothing new.
_MOST_SEEDS = 5


class RetrainingSource(BaseSource):
    """Decides before each training what the time that is left is best used for.

    All candidates get their first fresh seed before any of them gets a second one, so that whatever time cuts off,
    equals are compared. What has been trained already is not trained again; what time has cut short does not count.

    Args:
        spec: The space file.
        store: Holds what was trained before.
        horizon: Tells how much time is left.
        observer: Is told when the plan has to be reduced.
        ranked: Configurations of the search with scores, best first.
        spare: Whether to go on with more seeds than planned while there is time.
    """

    def __init__(
        self,
        spec: SearchSpec,
        store: RunStore,
        horizon: Horizon,
        observer: Observer,
        ranked: Sequence[Configuration],
        spare: bool = False,
    ) -> None:
        super().__init__(spec, horizon.budget.clock, self._candidates_end)
        self._horizon = horizon
        self._observer = observer
        self._ranked = ranked
        self._searched = {c.id: c for c in ranked}
        self._spare = spare
        self._trials = {t.id: t for t in store.trials(TrialKind.CANDIDATE, TrialKind.WINNER)}
        # When each training began, and those that wait for one of them to end.
        self._begun: dict[str, float] = {}
        self._queued: deque[Trial] = deque()
        self._news = False
        self._full = horizon.full(ranked)
        self._plan = self._full

    @property
    def missing(self) -> int:
        """Trainings that the plan of now still lacks."""
        plan, done = self._choose(), self._done()
        return sum(done.missing(c, plan.seeds) for c in plan.retrained(self._ranked))

    def next(self, slots: int) -> Trial | None:
        plan = self._choose()
        reduced = plan not in (self._plan, self._full) and not self._spare
        # Of a run that goes on in its final training nothing is left to be reduced.
        if reduced and self._wanted(self._full) is not None:
            self._observer.message("warning", f"time is short: retraining is reduced to {plan}")
        self._plan = plan
        if self._news:
            # What is under way may have to make room for the final training, or may have more time than was thought.
            # Only the end of another one tells: what other programs do meanwhile shall cost no training.
            self._news = False
            self._deadline()
        chosen = self._wanted(plan) or (self._extra(plan) if self._spare else None)
        if chosen is None:
            return None
        index = 1 + sum(t.kind is TrialKind.CANDIDATE and t.configuration == chosen.id for t in self._trials.values())
        trial = candidate_trial(self._spec, chosen, index, self._clock.now())
        self._trials[trial.id] = trial
        return trial

    def job(self, trial: Trial) -> TrialJob:
        self._queued.append(trial)
        self._take_places()
        return super().job(trial)

    def done(self, trial: Trial, outcome: Outcome) -> Commit:
        state = TrialState.FAILED if outcome.failure else TrialState.COMPLETED
        self._trials[trial.id] = replace(trial, state=state, outcome=outcome)
        self._news = True
        self._begun.pop(trial.id, None)
        # One that waits may have ended too, where there was no time for it any more.
        self._queued = deque(one for one in self._queued if one.id != trial.id)
        self._take_places()
        return Commit()

    def _take_places(self) -> None:
        """Lets what waits begin where there is a place for it: more may be at hand than are trained."""
        while self._queued and len(self._begun) < self._horizon.slots:
            trial = self._queued.popleft()
            self._begun[trial.id] = self._clock.monotonic() - _trained_before(trial)

    @property
    def _pace(self) -> Pace:
        return self._horizon.pace(list(self._trials.values()), self._searched)

    def _done(self) -> Done:
        return retrained(self._trials.values())

    def _choose(self) -> FinalPlan:
        pace = self._pace
        left = self._horizon.retraining_left(self._ranked, pace)
        if left is not None:
            left -= self._busy(pace) / self._horizon.slots
        return planning.choose(self._full, self._ranked, self._horizon.slots, left, pace=pace, done=self._done())

    def _wanted(self, plan: FinalPlan) -> Configuration | None:
        """What the plan lacks first: of the configurations with the fewest seeds the best one."""
        done = self._done()
        lacking = [c for c in plan.retrained(self._ranked) if done.missing(c, plan.seeds)]
        return min(lacking, key=lambda c: done.seeds.get(c.id, 0), default=None)

    def _extra(self, plan: FinalPlan) -> Configuration | None:
        """A candidate for one more seed than planned: of those with the fewest seeds the best one that fits."""
        if not plan.seeds or not plan.train_winner:
            return None
        pace, done = self._pace, self._done()
        left = self._horizon.retraining_left(self._ranked, pace)
        if left is None:
            return None
        left -= planning.winner_seconds(plan, self._ranked, pace) + self._wait(pace)
        fitting = [
            c
            for c in self._ranked[: plan.candidates]
            if done.seeds.get(c.id, 0) < _MOST_SEEDS and pace.training * estimates.training_seconds(c) <= left
        ]
        return min(fitting, key=lambda c: done.seeds.get(c.id, 0), default=None)

    def _remaining(self, pace: Pace) -> list[float]:
        """Expected seconds until each training that is under way ends."""
        now = self._clock.monotonic()
        return [max(0.0, self._expected(name, pace) - now + began) for name, began in self._begun.items()]

    def _waiting_seconds(self, pace: Pace) -> list[float]:
        """Expected seconds of each training that waits, in their order."""
        return [max(0.0, self._expected(one.id, pace) - _trained_before(one)) for one in self._queued]

    def _expected(self, trial_id: str, pace: Pace) -> float:
        searched = self._searched.get(self._trials[trial_id].configuration)
        return 0.0 if searched is None else pace.training * estimates.training_seconds(searched)

    def _busy(self, pace: Pace) -> float:
        return sum(self._remaining(pace)) + sum(self._waiting_seconds(pace))

    def _wait(self, pace: Pace) -> float:
        """Expected seconds until a training can begin: those that wait begin first."""
        remaining = self._remaining(pace)
        places = remaining + [0.0] * (self._horizon.slots - len(remaining))
        heapq.heapify(places)
        for seconds in self._waiting_seconds(pace):
            heapq.heapreplace(places, places[0] + seconds)
        return places[0]

    def _candidates_end(self) -> Deadline | None:
        """When a candidate's training has to be over: the winner's time is not for it."""
        end = self._horizon.budget.training_end
        if end is None:
            return None
        return end.earlier(planning.winner_seconds(self._plan, self._ranked, self._pace))


def retrained(trials: Iterable[Trial]) -> Done:
    """What of retraining counts: what is under way, whole or has failed, but not what time has cut short."""
    seeds: dict[str, int] = {}
    final: dict[str, float] = {}
    for trial in trials:
        name, outcome = trial.configuration, trial.outcome
        if trial.state is TrialState.COMPLETED and (outcome is None or not outcome.whole):
            continue
        if trial.kind is TrialKind.CANDIDATE:
            seeds[name] = seeds.get(name, 0) + 1
        if trial.kind is TrialKind.WINNER:
            had = _trained_before(trial) if trial.state is TrialState.RUNNING else math.inf
            final[name] = max(had, final.get(name, 0.0))
    return Done(seeds, final)


def _trained_before(trial: Trial) -> float:
    """Seconds that an unfinished training had before it was interrupted."""
    return 0.0 if trial.outcome is None else trial.outcome.seconds


def best_length(trials: Iterable[Trial], chosen: Configuration) -> int:
    """Epochs after which a configuration's whole fresh trainings were best, or else its search: their mean."""
    whole = [
        trial.outcome
        for trial in trials
        if trial.kind is TrialKind.CANDIDATE
        and trial.configuration == chosen.id
        and trial.outcome is not None
        and trial.outcome.whole
    ]
    if Settings.from_json(chosen.settings).training.folds:
        curves = [outcome.epochs for outcome in whole] or [chosen.epochs]
        return mean_length([epoch for curve in curves for epoch in curve])
    lengths = [outcome.best_epoch for outcome in whole if outcome.best_epoch] or [chosen.best_epoch or 1]
    return max(1, round(statistics.fmean(lengths)))
