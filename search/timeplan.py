"""Planning of time: when the search has to end so that everything after it is done by the promised hour.

Pure functions of what has been measured so far. All times are in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from search.configuration import Configuration
from search.trial import ENDED_EARLY
from spaces import Settings

# Training times are guessed from earlier epochs on a machine that does other things too.
_CAUTION = 1.25
# A training that has ended early ends earlier or later from another seed.
_OTHER_SEED = 1.25
# Before anything is measured, so much of the whole budget is kept for what comes after the search.
_UNMEASURED_SHARE = 0.35
# The search's last trials end a little late; without this the full plan would then always be too long by a second.
_HANDOVER = 1.05
# However long retraining would take, the search itself gets at least this share of the time for both.
_SEARCH_SHARE = 0.5


# What evaluation, export, its verification in a fresh process and the report take on an idle machine.
_SECONDS_AFTER = 16.0
# Loading TensorFlow, Keras Tuner and the data there; today's time for it tells how much slower the machine is.
_START_SECONDS = 5.0
_SLOWEST = 4.0
# Share of the whole time that is kept back besides.
_AFTER_SHARE = 0.02


def seconds_after(budget: float | None, start_seconds: float) -> float:
    """Time to keep for evaluation, export and report.

    Args:
        budget: Time for everything, or None.
        start_seconds: Time that the start took: importing TensorFlow and loading the data.
    """
    slowness = min(max(1.0, start_seconds / _START_SECONDS), _SLOWEST)
    return _SECONDS_AFTER * slowness + _AFTER_SHARE * (budget or 0.0)


@dataclass(frozen=True)
class FinalPlan:
    """How the winner is found and made once the search is over.

    Attributes:
        candidates: Configurations that are trained again.
        seeds: Fresh seeds for each of them.
        train_winner: Whether the winner is trained once more; otherwise its checkpoint of the search is taken.
        baselines: Whether the baselines are trained again too, so that they stand beside the candidates fairly.
    """

    candidates: int
    seeds: int
    train_winner: bool
    baselines: bool = False

    def retrained(self, ranked: Sequence[Configuration]) -> list[Configuration]:
        """The configurations that are trained again, best first.

        Args:
            ranked: Configurations with scores, best first.
        """
        return [c for place, c in enumerate(ranked) if place < self.candidates or (self.baselines and c.baseline)]


def training_seconds(configuration: Configuration, epochs: int | None = None) -> float:
    """Expected time to train a configuration from scratch.

    Args:
        configuration: It has at least one finished epoch.
        epochs: For so many epochs; None: to the end of its settings, or to where early stopping is likely to end it.
    """
    if not configuration.epochs:
        return 0.0
    per_epoch = sum(epoch.seconds for epoch in configuration.epochs) / len(configuration.epochs)
    overhead = max(
        (trial.outcome.build_seconds for trial in configuration.trials if trial.outcome is not None), default=0.0
    )
    return _CAUTION * (overhead + (_likely_epochs(configuration) if epochs is None else epochs) * per_epoch)


def _likely_epochs(configuration: Configuration) -> int:
    training, seen = Settings.from_json(configuration.settings).training, len(configuration.epochs)
    if configuration.stopped in ENDED_EARLY:
        return min(training.epochs, math.ceil(_OTHER_SEED * seen))
    if training.early_stopping is None or configuration.best_epoch is None:
        return training.epochs
    likely = configuration.best_epoch + training.early_stopping.patience + 1
    # A best epoch at the very end of the curve says nothing about where it would have stopped.
    return training.epochs if likely > seen else min(training.epochs, 2 * likely)


def final_seconds(plan: FinalPlan, ranked: Sequence[Configuration], slots: int) -> float:
    """Expected time of retraining by `plan`.

    Args:
        plan: What is to be done.
        ranked: Configurations with scores, best first.
        slots: Trainings that run at the same time.
    """
    costs = [training_seconds(configuration) for configuration in plan.retrained(ranked)]
    if not costs:
        return 0.0
    rounds = [cost for cost in costs for _ in range(plan.seeds)]
    together = max(sum(rounds) / slots, max(rounds, default=0.0))
    return together + (max(costs) if plan.train_winner else 0.0)


def choose(full: FinalPlan, ranked: Sequence[Configuration], slots: int, seconds: float | None) -> FinalPlan:
    """The most thorough plan that fits.

    First the baselines are not trained again, then fewer candidates, then one seed, then the search's own checkpoint.

    Args:
        full: What the space file asks for.
        ranked: Configurations with scores, best first.
        slots: Trainings that run at the same time.
        seconds: Time that is left for retraining; None: no limit.
    """
    if seconds is None:
        return full
    least = min(2, full.candidates)
    plans = [full]
    plans += [FinalPlan(count, full.seeds, True) for count in range(full.candidates, least - 1, -1)]
    plans += [FinalPlan(count, 1, True) for count in range(least, 0, -1) if full.seeds >= 1]
    plans += [FinalPlan(1, 0, True)]
    for plan in plans:
        if final_seconds(plan, ranked, slots) <= seconds:
            return plan
    return FinalPlan(1, 0, False)


def search_end(
    *, started: float, end: float, after: float, full: FinalPlan, ranked: Sequence[Configuration], slots: int
) -> float:
    """Unix time at which the search has to be over.

    Args:
        started: Unix time at which the run began.
        end: Unix time by which everything has to be there.
        after: Expected time of evaluation, export and report.
        full: What the space file asks for after the search.
        ranked: Configurations with scores so far, best first.
        slots: Trainings that run at the same time.
    """
    usable = max(0.0, end - after - started)
    if not ranked:
        return started + usable * (1 - _UNMEASURED_SHARE)
    return started + usable - min(_HANDOVER * final_seconds(full, ranked, slots), usable * (1 - _SEARCH_SHARE))
