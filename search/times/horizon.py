"""When each part of a night has to be over, as it looks now."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

from search.budget import Budget, Deadline
from search.executors import Executor
from search.record import environment
from search.record.configuration import Configuration
from search.record.standing import answers_both_ways
from search.record.trial import Trial
from search.times import afterwards, estimates, planning
from search.times.estimates import UNKNOWN_PACE, Pace
from search.times.planning import NOTHING_DONE, Done, FinalPlan
from spaces import Dataset, SearchSpec
from spaces.families import family_of

# Export and report can do with less than they would like; training cannot do without any time.
_MOST_KEPT = 0.5
# What the start took says how fast the machine is until so many epochs have been trained: it may have been slow alone.
_START_COUNTS = 5


class Horizon:
    """Spreads a budget over search, retraining, final training and what follows them.

    Args:
        budget: The time of the sitting.
        spec: The space file.
        data: The data set.

    Attributes:
        budget: The time of the sitting.
        threads: Threads of each training of the search.
        alone: Seconds of an epoch of a training that has the machine to itself, as a multiple of one of the search.
        measuring: The same of what this process measures, with threads of its own.
        doubt: Why the promised time cannot be kept, or at what price, in words; None if nothing speaks against it.
    """

    def __init__(self, budget: Budget, spec: SearchSpec, data: Dataset) -> None:
        self.budget = budget
        self.threads = 1
        self.alone = self.measuring = 1.0
        self._executor: Executor | None = None
        self._winner: Configuration | None = None
        self._spec = spec
        self._train_rows, self._validation_rows = len(data.train), len(data.validation)
        self._test_rows = 0 if data.test is None else len(data.test)
        # How long it took to get here tells how fast the machine is, as long as nothing else does.
        self._slowness = slowness = afterwards.slowness(budget.spent, budget.worked)
        wanted, left = afterwards.seconds_after(budget.total, slowness, serve=spec.export.serve), budget.left
        self._most = math.inf if left is None else max(0.0, _MOST_KEPT * left)
        self._begun = budget.spent
        budget.keep(min(wanted, self._most))
        self.doubt = None if left is None else afterwards.doubt(left, wanted, slowness)

    def follow(self, executor: Executor, threads: int) -> None:
        """Reckons from now on with what this executor can do.

        Args:
            executor: What trains; its number of workers may change.
            threads: Threads of each of them.
        """
        self._executor, self.threads = executor, threads

    def settle(self, winner: Configuration | None) -> None:
        """Reckons from now on with measuring a model of this configuration, whatever leads; None: of what leads."""
        self._winner = winner

    def pace(self, again: Sequence[Trial], searched: Mapping[str, Configuration]) -> Pace:
        """How fast the trainings after the search were; see `estimates.pace`."""
        return estimates.pace(again, searched, self.alone)

    @property
    def slots(self) -> int:
        """Trainings at the same time."""
        return 1 if self._executor is None else self._executor.workers

    def full(self, ranked: Sequence[Configuration]) -> FinalPlan:
        """What the space file asks for after the search.

        Args:
            ranked: Configurations with scores, best first.
        """
        final = self._spec.final
        return FinalPlan(min(final.candidates, len(ranked)), final.seeds, True, baselines=True)

    def measure(self, ranked: Sequence[Configuration], pace: Pace) -> None:
        """Keeps as much time for evaluation, export and report as is now known to be needed."""
        # An ensemble is measured as long as its models are; a baseline that wins is measured once.
        settled = self._winner
        winners = [] if settled is None else [next((c for c in ranked if c.id == settled.id), settled)]
        winners = winners or list(islice((c for c in ranked if not c.baseline), self._spec.final.ensemble))
        winners = winners or list(ranked[:1])
        measured = {c.id: c for c in (*winners, *(c for c in ranked if c.baseline))}
        evaluation = self._evaluation_seconds(list(measured.values()), self._test_rows)
        both_ways = any(answers_both_ways(self._spec, c) for c in winners)
        crowded = environment.slowness(self.slots * self.threads)
        trained = pace.epochs + sum(len(c.epochs) for c in ranked)
        slowness = max(crowded, pace.factor, self._slowness if trained < _START_COUNTS else 1.0)
        model = max(map(afterwards.model_seconds, winners), default=0.0)
        files = afterwards.seconds_after(
            self.budget.total, slowness, serve=self._spec.export.serve, model=model, both_ways=both_ways
        )
        self.budget.keep(min(files + max(1.0, pace.factor) * evaluation, self._most))

    def measuring_seconds(self, models: Sequence[Configuration]) -> float:
        """Expected time to measure models of these configurations on the validation rows."""
        return self._evaluation_seconds(models, self._validation_rows)

    def _evaluation_seconds(self, models: Sequence[Configuration], rows: int) -> float:
        validated_on, trained_on = self._validation_rows, self._train_rows
        return sum(
            afterwards.evaluation_seconds(
                c, validated_on, rows, trained_on, alone=self.measuring, both_ways=answers_both_ways(self._spec, c)
            )
            for c in models
        )

    def search_end(
        self, ranked: Sequence[Configuration], done: Done = NOTHING_DONE, pace: Pace | None = None
    ) -> Deadline | None:
        """When the search has to be over, so that the rest can still be done; None without a limit.

        Args:
            ranked: Configurations with scores so far, best first.
            done: What of retraining is done already.
            pace: How fast the machine trains after the search; None: nothing is known.
        """
        pace = pace or replace(UNKNOWN_PACE, alone=self.alone)
        if not self.budget.limited:
            return None
        self.measure(ranked, pace)
        usable = max(0.0, (self.budget.total or 0.0) - self.budget.reserve - self._begun)
        prepares = family_of(self._spec.model).two_phases
        full = self.full(ranked)
        kept = planning.kept_for_final(full, ranked, self.slots, usable, pace=pace, done=done, prepares=prepares)
        grace = planning.first_epoch_grace(full, ranked, self.slots, kept, pace=pace, done=done)
        end = self.budget.training_end
        return None if end is None else replace(end.earlier(kept), grace=grace)

    def retraining_left(self, ranked: Sequence[Configuration], pace: Pace) -> float | None:
        """Seconds for candidates and winner together, from now on; None without a limit."""
        self.measure(ranked, pace)
        return self.budget.training_left

    def fits_twice(self, ranked: Sequence[Configuration], pace: Pace) -> bool:
        """Whether there is time for the final training of the best, and for as much searching before it."""
        left = self.retraining_left(ranked, pace)
        return left is not None and left > 2 * planning.kept_for_newcomer(self.full(ranked), ranked, pace)

    def last_search_end(self, ranked: Sequence[Configuration], pace: Pace) -> Deadline | None:
        """When a search after the final training has to be over, so that what leads then can have one too."""
        end = self.budget.training_end
        return None if end is None else end.earlier(planning.kept_for_newcomer(self.full(ranked), ranked, pace))

    def worth_searching_again(self, ranked: Sequence[Configuration], pace: Pace) -> bool:
        """Whether so much time is left after retraining that the search can find something and have it retrained."""
        left = self.retraining_left(ranked, pace)
        if left is None:
            return False
        full = self.full(ranked)
        left -= planning.winner_seconds(full, ranked, pace)
        newcomer = planning.newcomer_seconds(full, ranked, self.slots, pace)
        return left > 2 * newcomer + estimates.first_epoch_seconds(ranked[0])
