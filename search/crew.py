"""Makes the executor of a run: the asking process, or workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from search import environment, shared_data, workforce
from search.clock import Clock
from search.executors import Executor, InlineExecutor, sizing
from search.executors.pool import WorkerPool
from search.schedule import planned
from search.training.trainer import Trainer
from search.trial import Trial
from search.workforce import Workforce
from spaces import Dataset, SearchSpec, Settings

# Loading TensorFlow in the workers costs some seconds of all cores; shorter searches are faster without them.
_WORTH_SECONDS = 60.0
_MEASURED_SECONDS = 1.5


class Crew:
    """Makes executors for one run.

    Args:
        run: The run directory.
        spec: The space file.
        data: The data set.
        threads: Threads of one operation.
        clock: Tells trainers the time.
        on_event: Told in words what happens to workers.
        until: Unix time by which the run has to be done, or None.
    """

    def __init__(
        self,
        run: Path,
        spec: SearchSpec,
        data: Dataset,
        threads: int,
        clock: Clock,
        on_event: Callable[[str], None],
        until: float | None = None,
    ) -> None:
        self._run = run
        self._spec = spec
        self._data = data
        self._threads = threads
        self._clock = clock
        self._on_event = on_event
        self._until = until

    def workers(self, count: int) -> Executor:
        """Trains in `count` worker processes; 0: in this process."""
        if count == 0:
            return InlineExecutor(lambda: Trainer(self._run, self._data, self._clock))
        return self._pool(Workforce(count, self._threads))

    @property
    def must_isolate(self) -> bool:
        """Whether training in this process is too risky: a user's function may do anything, and a hanging trial can
        only be ended together with its process."""
        limits = self._spec.limits
        limited = limits.seconds_per_trial is not None or limits.seconds_per_epoch is not None
        return limited or self._spec.family.startswith("python:")

    def unmeasured(self, past: list[Trial]) -> int:
        """How many workers pay off for what is left of the search, judged by the trials so far."""
        count = sizing.automatic(len(environment.gpus()))
        least = 1 if self.must_isolate else 0
        left = None if self._until is None else self._until - self._clock.now()
        if count == 1 or (not past and workforce.is_short(self._spec, self._data, timed=left is not None)):
            return least
        expected = seconds_left(self._spec, past, left)
        return count if expected is None or expected > _WORTH_SECONDS else least

    def measured(self) -> tuple[Executor, Workforce, str]:
        """Lets few workers with many threads and many workers with one thread train the same configuration in turn.

        Returns:
            The faster ones as an executor, what they are, and the reason in words.
        """
        gpus = environment.gpus()
        most = sizing.automatic(len(gpus))
        choices = workforce.candidates(environment.cores(), most)
        settings = workforce.representative(self._spec, self._data)
        if gpus or len(choices) == 1 or settings is None:
            only = Workforce(most, self._threads)
            return self._pool(only), only, f"training in {only}"
        few, many = choices
        # One after the other, so that no more workers are in memory than will train.
        few_pool, few_pace = self._paced(few, settings)
        few_pool.shutdown()
        many_pool, many_pace = self._paced(many, settings)
        # Of equals the larger number: while one of them builds a model, the others train.
        if many_pace >= few_pace:
            reason = f"training in {many}: {many_pace:,.0f} rows a second, against {few_pace:,.0f} with {few}"
            return many_pool, many, reason
        many_pool.shutdown()
        reason = f"training in {few}: {few_pace:,.0f} rows a second, against {many_pace:,.0f} with {many}"
        return self._pool(few), few, reason

    def _paced(self, choice: Workforce, settings: Settings) -> tuple[WorkerPool, float]:
        """Workers, and how many rows a second they train together."""
        pool = self._pool(choice)
        try:
            return pool, pool.pace(settings.to_json(), _MEASURED_SECONDS)
        except BaseException:
            pool.shutdown()
            raise

    def _pool(self, choice: Workforce) -> WorkerPool:
        return WorkerPool(
            sizing.setups(self._run, shared_data.write(self._run, self._data), choice.threads, choice.workers),
            sizing.environments(environment.gpus(), choice.workers),
            sizing.memory_limit(choice.workers, self._spec.limits.memory),
            self._on_event,
        )


def seconds_left(spec: SearchSpec, past: Sequence[Trial], left: float | None) -> float | None:
    """Expected time of the rest of the search in one process.

    Args:
        spec: The space file.
        past: The trials so far.
        left: Seconds until the run has to be done, or None.

    Returns:
        Seconds, at most `left`; None if nobody can tell.
    """
    outcomes = [trial.outcome for trial in past if trial.outcome is not None and trial.outcome.epochs]
    plan = planned(spec, timed=left is not None)
    if not outcomes or plan.trials is None or plan.epochs is None:
        return left
    epochs = sum(len(outcome.epochs) for outcome in outcomes)
    per_epoch = sum(epoch.train_seconds for outcome in outcomes for epoch in outcome.epochs) / epochs
    overhead = sum(o.seconds - sum(e.train_seconds for e in o.epochs) for o in outcomes) / len(outcomes)
    expected = max(0, plan.trials - len(outcomes)) * overhead + max(0, plan.epochs - epochs) * per_epoch
    return expected if left is None else min(expected, left)
