"""Makes the executor of a run: the asking process, or workers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from search.budget import Budget
from search.errors import RunError
from search.executors import ALL, Each, Executor, MakeExecutor, Place, sizing
from search.executors.here import executor_here
from search.night import workforce
from search.night.options import require_shares
from search.night.workforce import Workforce
from search.phases.schedule import planned
from search.record import environment
from search.record.trial import Trial, TrialKind, TrialState
from search.training import cards
from spaces import Dataset, SearchSpec, Settings
from spaces.families import family_of
from spaces.reading.library import run_in_trials

# Loading TensorFlow in the workers costs some seconds of all cores; shorter searches are faster without them.
_WORTH_SECONDS = 60.0
_MEASURED_SECONDS = 1.5


@dataclass(frozen=True)
class Measured:
    """Which workers train a space faster.

    Attributes:
        executor: They.
        chosen: What they are.
        reason: Why, in words.
        alone: What one training has all cores with, if that is faster for it than one of the workers.
        factor: Seconds of an epoch then, as a multiple of one in a worker; 1 where there is nothing to gain.
    """

    executor: Executor
    chosen: Workforce
    reason: str
    alone: Workforce | None = None
    factor: float = 1.0


class Crew:
    """Makes executors for one run.

    Args:
        run: The run directory.
        spec: The space file.
        data: The data set.
        threads: Threads of one operation.
        budget: The time of the sitting.
        on_event: Told in words what happens to workers.
        make_executor: Makes what trains.
        each: What each worker may take of this machine.
    """

    def __init__(
        self,
        run: Path,
        spec: SearchSpec,
        data: Dataset,
        threads: int,
        budget: Budget,
        on_event: Callable[[str], None],
        make_executor: MakeExecutor = executor_here,
        each: Each = ALL,
    ) -> None:
        self._run = run
        self._spec = spec
        self._data = data
        self._threads = threads
        self._budget = budget
        self._on_event = on_event
        self._make_executor = make_executor
        self._each = each

    def workers(self, count: int) -> Executor:
        """Trains in `count` worker processes; 0: in this process."""
        return self._made(Workforce(count, self._threads))

    @property
    def must_isolate(self) -> bool:
        """Whether training in this process is too risky: a user's function may do anything, and a hanging trial can
        only be ended together with its process."""
        limits = self._spec.limits
        limited = limits.seconds_per_trial is not None or limits.seconds_per_epoch is not None
        return limited or family_of(self._spec.model).users_code

    def unmeasured(self, past: Iterable[Trial]) -> int:
        """How many workers pay off for what is left of search and retraining, judged by the trials so far."""
        past = iter(past)
        first = list(itertools.islice(past, 1))
        count = self._automatic()
        least = 1 if self.must_isolate or self._each.gpus is not None else 0
        left = self._budget.left
        if count == 1 or (not first and workforce.is_short(self._spec, self._data, timed=left is not None)):
            return least
        expected = seconds_left(self._spec, itertools.chain(first, past), left)
        return count if expected is None or expected > _WORTH_SECONDS else least

    def _automatic(self) -> int:
        return most_workers(self._spec, self._each)

    def alone(self, threads: int) -> Executor:
        """Trains one at a time, with so many threads."""
        return self._made(Workforce(1, threads))

    @property
    def may_choose(self) -> bool:
        """Whether there are several ways to train, of which one may be faster."""
        return self._race is not None

    @cached_property
    def _race(self) -> tuple[Workforce, Workforce, Settings] | None:
        """Few workers, many workers, and what both shall train; None where there is nothing to choose."""
        choices = workforce.candidates(environment.cores(), self._automatic())
        if sizing.used(environment.gpus(), self._each.gpus) or len(choices) == 1:
            return None
        settings = workforce.representative(self._spec, self._data, lambda: self._budget.left)
        few, many = choices
        return None if settings is None else (few, many, settings)

    def measured(self) -> Measured:
        """Lets few workers with many threads and many workers with one thread train the same configuration in turn."""
        if self._race is None:
            only = Workforce(self._automatic(), self._threads)
            return Measured(self._made(only), only, f"training in {only}")
        few, many, settings = self._race
        # One after the other, so that no more workers are in memory than will train.
        few_pool, few_pace = self._paced(few, settings)
        # An executor of one's own may train fewer at a time than it is asked for.
        of_one = few_pace / few_pool.workers
        few_pool.shutdown()
        many_pool, many_pace = self._paced(many, settings)
        # Of equals the larger number: while one of them builds a model, the others train.
        if many_pace >= few_pace:
            reason = f"training in {many}: {many_pace:,.0f} rows a second, against {few_pace:,.0f} with {few}"
            factor = (many_pace / many_pool.workers) / of_one if of_one > 0 else 1.0
            alone = Workforce(1, few.threads) if factor < 1 else None
            return Measured(many_pool, many, reason, alone, min(factor, 1.0))
        many_pool.shutdown()
        reason = f"training in {few}: {few_pace:,.0f} rows a second, against {many_pace:,.0f} with {many}"
        return Measured(self._made(few), few, reason)

    def _paced(self, choice: Workforce, settings: Settings) -> tuple[Executor, float]:
        """Workers, and how many rows a second they train together."""
        pool = self._made(choice)
        try:
            return pool, pool.pace(settings.to_json(), _MEASURED_SECONDS)
        except BaseException:
            pool.shutdown()
            raise

    def _made(self, choice: Workforce) -> Executor:
        return self._make_executor(
            Place(
                run=self._run,
                data=self._data,
                threads=choice.threads,
                workers=choice.workers,
                memory=self._spec.limits.memory,
                clock=self._budget.clock,
                on_event=self._on_event,
                gpu_share=self._each.gpus,
                code=tuple(run_in_trials(self._spec)),
            )
        )


def most_workers(spec: SearchSpec, each: Each) -> int:
    """How many train at a time where a search is long enough, this process counted as one.

    Args:
        spec: The space file.
        each: What each training may take of this machine.
    """
    gpus = sizing.used(environment.gpus(), each.gpus)
    if family_of(spec.model).one_process and not gpus:
        return 1
    return sizing.automatic(len(gpus), each.gpus, each.cpus or 1.0)


def seconds_left(spec: SearchSpec, past: Iterable[Trial], left: float | None) -> float | None:
    """Expected time of the rest of search and retraining in one process.

    Args:
        spec: The space file.
        past: The trials so far.
        left: Seconds until the run has to be done, or None.

    Returns:
        Seconds, at most `left`; None if nobody can tell.
    """
    trials = epochs = searched = searched_epochs = retrained = 0
    seconds = training = 0.0
    chosen = False
    for trial in past:
        chosen = chosen or trial.kind is TrialKind.WINNER
        retrained += trial.kind is TrialKind.CANDIDATE and trial.state is not TrialState.RUNNING
        if trial.outcome is not None and trial.outcome.epochs:
            trials += 1
            epochs += len(trial.outcome.epochs)
            # The plan is of these: baselines stand beside it, and what another run has trained is not done here.
            if trial.kind is TrialKind.SEARCH:
                searched += 1
                searched_epochs += len(trial.outcome.epochs)
            seconds += trial.outcome.seconds
            training += sum(epoch.train_seconds for epoch in trial.outcome.epochs)
    plan = planned(spec, timed=left is not None)
    if not trials or plan.trials is None or plan.epochs is None:
        return left
    overhead = (seconds - training) / trials
    # The final training is a single one, which needs no workers.
    wanted = 0 if chosen else (spec.final.candidates + len(spec.baselines)) * spec.final.seeds
    candidates = max(0, wanted - retrained)
    to_come = max(0, plan.trials - searched) + candidates
    epochs_to_come = max(0, plan.epochs - searched_epochs) + candidates * spec.max_epochs
    expected = to_come * overhead + epochs_to_come * training / epochs
    return expected if left is None else min(expected, left)


def as_each(cpus: float | None, gpus: float | None, workers: int | None, elsewhere: bool) -> Each:
    """What each training may take; where they are elsewhere, the cards of this machine do not count.

    Raises:
        RunError: It cannot be meant, cannot be had, or would have no effect.
    """
    require_shares(cpus, gpus)
    if not elsewhere and gpus is not None:
        found = len(environment.gpus())
        if not found:
            raise RunError(f"--gpus-per-trial {gpus:g} has no effect: TensorFlow finds no GPU here")
        if workers == 0:
            raise RunError(
                f"--gpus-per-trial {gpus:g} needs workers: with --workers 0, or a function that stands in a notebook "
                "or script, this process trains alone"
            )
        room = found * sizing.on_one_card(gpus)
        if workers is not None and gpus and workers > room:
            raise RunError(f"--workers {workers} with {gpus:g} GPU each: there is room for {room}")
        if 0 < gpus < 1:
            # Else every worker would find that out, and end.
            cards.limit(gpus)
    return Each(cpus, gpus)
