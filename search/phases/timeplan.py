"""Planning of time: how much the search leaves to what comes after it, and what of that still fits.

Pure functions of what has been measured so far. All times are in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from search.record.configuration import Configuration
from search.record.trial import ENDED_EARLY, Trial, TrialKind
from spaces import Settings

# A training that has ended early ends earlier or later from another seed.
_OTHER_SEED = 1.25
# Before anything is measured, so much of the whole budget is kept for what comes after the search; less where the
# first training prepares all others, which have no model without it.
_UNMEASURED_SHARE, _UNPREPARED_SHARE = 0.35, 0.1
# The search's last trials end a little late; without this the full plan would then always be too long by a second.
_HANDOVER = 1.05
# However long retraining would take, the search itself gets at least this share of the time for both; less where the
# final training is the only one whose rate goes to its end: that is worth more than another look around.
_SEARCH_SHARE, _SEARCH_SHARE_ANNEALED = 0.5, 0.3

# A final training over less of its length than this gives a worse model than a checkpoint of the search.
_LEAST_ANNEALED = 1 / 3
# The same of the epochs that train the backbone too.
_LEAST_TUNED = 1 / 2

# What export, its verification in a fresh process and the report take on an idle machine.
_SECONDS_AFTER = 15.0
_SECONDS_SERVE = 12.0
_SLOWEST = 4.0
# What was compiled for the search trains much faster when it comes again; what was not does not.
_FASTEST = 0.5
# The first format and a report without pictures.
_LEAST_AFTER = 5.0
# Share of the whole time that is kept back besides.
_AFTER_SHARE = 0.01
# A model is built, and its rows are read twice: for the metrics and for the predictions.
_EVALUATION_BUILD, _EVALUATION_PASSES = 1.0, 2.0


@dataclass(frozen=True)
class Pace:
    """How the machine trains now, against how it trained during the search.

    Attributes:
        factor: Seconds that an epoch takes now, as a multiple of what it took then.
        epochs: Epochs that this was measured on; 0: nothing is known.
        alone: Seconds of an epoch of a training that has the machine to itself, as a multiple of what it takes beside
            others: that of the final training.
    """

    factor: float = 1.0
    epochs: int = 0
    alone: float = 1.0

    @property
    def training(self) -> float:
        """What an expected training time is multiplied with, to plan with."""
        return self.factor * (1.25 if self.epochs == 0 else 1.1)

    @property
    def winner(self) -> float:
        """The same for the final training, which nothing may cut short: twice as slow has to be possible."""
        return self.factor * self.alone * (2.0 if self.epochs == 0 else 1.25)

    @property
    def annealed(self) -> float:
        """The same for a final training that has as many epochs as there is time for."""
        return self.factor * self.alone * (1.15 if self.epochs == 0 else 1.05)


UNKNOWN_PACE = Pace()


def pace(trials: Sequence[Trial], searched: Mapping[str, Configuration], alone: float = 1.0) -> Pace:
    """How fast the trainings after the search were.

    Args:
        trials: Candidates and winners with their outcomes.
        searched: Configurations of the search by id.
        alone: See `Pace`.
    """
    now = then = 0.0
    epochs = 0
    for trial in trials:
        before = searched.get(trial.configuration)
        if trial.outcome is None or before is None or not before.epochs:
            continue
        count = len(trial.outcome.epochs)
        beside = alone if trial.kind is TrialKind.WINNER else 1.0
        now += sum(epoch.seconds for epoch in trial.outcome.epochs)
        then += beside * sum(epoch_seconds(before, epoch.number) for epoch in trial.outcome.epochs)
        epochs += count
    if not (now > 0 and then > 0):
        return replace(UNKNOWN_PACE, alone=alone)
    return Pace(min(max(_FASTEST, now / then), _SLOWEST), epochs, alone)


@dataclass(frozen=True)
class Done:
    """What of retraining is done or under way: trainings from fresh seeds, by configuration id."""

    seeds: Mapping[str, int] = field(default_factory=dict)
    winner: bool = False

    def missing(self, configuration: Configuration, seeds: int) -> int:
        """Trainings that a configuration still needs to have so many."""
        return max(0, seeds - self.seeds.get(configuration.id, 0))


NOTHING_DONE = Done()


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
        """The configurations that are trained again; among them the best one that the search has found itself.

        Baselines are trained to their ends at once: they may lead only because nothing else has been yet.

        Args:
            ranked: Configurations with scores, best first.
        """
        found = leading(ranked)
        return [
            c
            for place, c in enumerate(ranked)
            if place < self.candidates or c is found or (self.baselines and c.baseline)
        ]

    def __str__(self) -> str:
        if self.seeds:
            baselines = "" if self.baselines else ", without the baselines"
            candidates = f"{self.candidates} candidate{'s' if self.candidates > 1 else ''}"
            return f"{candidates} with {self.seeds} seed{'s' if self.seeds > 1 else ''}{baselines}"
        return "the best of the search, trained once more" if self.train_winner else "the best of the search as it is"


def leading(ranked: Sequence[Configuration]) -> Configuration | None:
    """The best configuration that is no baseline, if there is one.

    Args:
        ranked: Configurations with scores, best first.
    """
    return next((c for c in ranked if not c.baseline), None)


def seconds_after(total: float | None, slowness: float, *, serve: bool = False) -> float:
    """Time to keep for export and report.

    Args:
        total: Time for everything, or None.
        slowness: See `slowness`.
        serve: Whether a bundle for serving is written too.
    """
    return (_SECONDS_AFTER + (_SECONDS_SERVE if serve else 0.0)) * slowness + _AFTER_SHARE * (total or 0.0)


def slowness(spent: float, worked: float) -> float:
    """How much slower than an idle machine this one seems to be, from 1 to 4.

    Args:
        spent: Time that the start took: importing TensorFlow and loading the data.
        worked: Processor seconds of it. What is waited for besides is the disk, or others who use the machine.
    """
    return min(max(1.0, spent / worked), _SLOWEST) if worked > 0 else 1.0


def crowded(others: float, cores: int) -> float:
    """How much slower than on an idle machine one more thread runs beside others, from 1 to 4.

    Args:
        others: Threads that want a core.
        cores: Cores that there are.
    """
    return min(max(1.0, (others + 1) / cores), _SLOWEST)


def doubt(left: float, wanted: float, slowness: float) -> str | None:
    """What is wrong with the time that is left, in words.

    Args:
        left: Seconds until everything has to be there, once the data are loaded.
        wanted: What export and report would like to have of them.
        slowness: See `slowness`.
    """
    if left < _LEAST_AFTER * slowness:
        return (
            f"the promised time cannot be kept: {max(0.0, left):.0f} s are left, and the shortest export and report "
            f"take about {_LEAST_AFTER * slowness:.0f} s"
        )
    if left < 2 * wanted:
        return (
            f"time is short: {left:.0f} s are left for everything, and export and report would like to have "
            f"{wanted:.0f} s of them; they will leave out what there is no time for"
        )
    return None


def evaluation_seconds(
    measured: Sequence[Configuration], validation_rows: int, test_rows: int, train_rows: int = 0
) -> float:
    """Expected time to measure models on the test part.

    Args:
        measured: The configurations of these models.
        validation_rows: Rows that an epoch was validated on.
        test_rows: Rows of the test part.
        train_rows: Rows that an epoch trained on.
    """
    if not test_rows or not validation_rows:
        return 0.0
    expected = 0.0
    for configuration in measured:
        price = configuration.price
        if price is not None:
            # An epoch was validated on what the network had made of the rows already.
            passed = price.features * test_rows / (train_rows + validation_rows)
            expected += max(_EVALUATION_BUILD, price.build) + _EVALUATION_PASSES * passed
        elif configuration.epochs:
            passes = [max(0.0, epoch.seconds - epoch.train_seconds) for epoch in configuration.epochs]
            expected += _EVALUATION_BUILD + _EVALUATION_PASSES * sum(passes) / len(passes) * test_rows / validation_rows
    return expected


def epoch_seconds(configuration: Configuration, number: int = 1) -> float:
    """Expected time of an epoch; the configuration has at least one.

    Args:
        configuration: Its mean counts, or that of a phase where it has two.
        number: Which epoch, counted from 1.
    """
    price = configuration.price
    of_phase = [
        e for e in configuration.epochs if price is None or (e.number > price.frozen) == (number > price.frozen)
    ]
    if of_phase or price is None:
        return sum(epoch.seconds for epoch in of_phase) / len(of_phase)
    return price.epoch


def epochs_seconds(configuration: Configuration, count: int) -> float:
    """Expected time of the first epochs; the configuration has at least one.

    Args:
        configuration: See `epoch_seconds`.
        count: So many.
    """
    price = configuration.price
    if price is None or count <= price.frozen:
        return count * epoch_seconds(configuration)
    later = price.once + (count - price.frozen) * epoch_seconds(configuration, count)
    return price.frozen * epoch_seconds(configuration) + later


def training_seconds(configuration: Configuration, epochs: int | None = None) -> float:
    """Expected time to train a configuration from scratch, at the pace of the search.

    Args:
        configuration: It has at least one finished epoch.
        epochs: For so many epochs; None: to the end of its settings, or to where early stopping is likely to end it.
    """
    if not configuration.epochs:
        return 0.0
    count = _likely_epochs(configuration) if epochs is None else epochs
    return build_seconds(configuration) + epochs_seconds(configuration, count)


def final_training_seconds(configuration: Configuration, epochs: int | None = None) -> float:
    """As `training_seconds`, of a final training: after a cross-validation a single one, on the rows of all folds."""
    folds = Settings.from_json(configuration.settings).training.folds
    if not folds:
        return training_seconds(configuration, epochs)
    return training_seconds(configuration, 1) * folds / (folds - 1)


def annealed_epochs(
    configuration: Configuration, seconds: float | None, pace: Pace, length: int | None = None
) -> int | None:
    """Epochs of a final training whose rate goes to its end: all of them, or as many as there is time for.

    Args:
        configuration: It has at least one finished epoch.
        seconds: Time that is left; None: no limit.
        pace: How the machine trains now.
        length: Epochs that are all of them; None: those of its settings.

    Returns:
        The number; None if it would be less than a third of its length, or half of what comes after frozen epochs.
    """
    whole = Settings.from_json(configuration.settings).training.epochs if length is None else length
    if seconds is None or not configuration.epochs:
        return whole
    frozen = 0 if configuration.price is None else configuration.price.frozen
    share, least = (_LEAST_TUNED, frozen) if 0 < frozen < whole else (_LEAST_ANNEALED, 0)
    least += math.ceil(share * (whole - least))
    fitting = (n for n in range(whole, least - 1, -1) if pace.annealed * training_seconds(configuration, n) <= seconds)
    return next(fitting, None)


def build_seconds(configuration: Configuration) -> float:
    """Time to build a model of a configuration, as the slowest of its trials took."""
    outcomes = [trial.outcome for trial in configuration.trials if trial.outcome is not None]
    return max((outcome.build_seconds for outcome in outcomes), default=0.0)


def first_epoch_seconds(configuration: Configuration) -> float:
    """Expected time until a configuration that begins from scratch has its first epoch; 0 if nothing is known."""
    return build_seconds(configuration) + epoch_seconds(configuration) if configuration.epochs else 0.0


def _likely_epochs(configuration: Configuration) -> int:
    training, seen = Settings.from_json(configuration.settings).training, len(configuration.epochs)
    if training.folds:
        return training.folds
    if configuration.stopped in ENDED_EARLY:
        return min(training.epochs, math.ceil(_OTHER_SEED * seen))
    if training.early_stopping is None or configuration.best_epoch is None:
        return training.epochs
    likely = configuration.best_epoch + training.early_stopping.patience + 1
    # A best epoch at the very end of the curve says nothing about where it would have stopped.
    return training.epochs if likely > seen else min(training.epochs, 2 * likely)


def winner_seconds(plan: FinalPlan, ranked: Sequence[Configuration], pace: Pace = UNKNOWN_PACE) -> float:
    """Time that has to be kept for the final training: that of the slowest configuration that may win."""
    if not plan.train_winner:
        return 0.0
    times = (
        (pace.annealed if is_annealed(c) else pace.winner) * final_training_seconds(c) for c in plan.retrained(ranked)
    )
    return max(times, default=0.0)


def is_annealed(configuration: Configuration) -> bool:
    """Whether a final training can be as long as there is time for: its rate goes to its end then."""
    training = Settings.from_json(configuration.settings).training
    return training.schedule != "constant" and not training.folds and configuration.price is None


def final_seconds(
    plan: FinalPlan,
    ranked: Sequence[Configuration],
    slots: int,
    *,
    pace: Pace = UNKNOWN_PACE,
    done: Done = NOTHING_DONE,
) -> float:
    """Expected time of what `plan` still lacks, with a margin.

    Args:
        plan: What is to be done.
        ranked: Configurations with scores, best first.
        slots: Trainings that run at the same time.
        pace: How the machine trains now.
        done: What is done or under way.
    """
    costs = [
        pace.training * training_seconds(c) for c in plan.retrained(ranked) for _ in range(done.missing(c, plan.seeds))
    ]
    together = max(sum(costs) / slots, max(costs, default=0.0))
    return together + (0.0 if done.winner else winner_seconds(plan, ranked, pace))


def choose(
    full: FinalPlan,
    ranked: Sequence[Configuration],
    slots: int,
    seconds: float | None,
    *,
    pace: Pace = UNKNOWN_PACE,
    done: Done = NOTHING_DONE,
) -> FinalPlan:
    """The most thorough plan that fits.

    First the baselines are not trained again, then fewer candidates, then one seed, then the search's own checkpoint.

    Args:
        full: What the space file asks for.
        ranked: Configurations with scores, best first.
        slots: Trainings that run at the same time.
        seconds: Time that is left for retraining; None: no limit.
        pace: How the machine trains now.
        done: What is done or under way.
    """
    if seconds is None:
        return full
    least = min(2, full.candidates)
    plans = [full]
    plans += [FinalPlan(count, full.seeds, True) for count in range(full.candidates, least - 1, -1)]
    plans += [FinalPlan(count, 1, True) for count in range(least, 0, -1) if full.seeds >= 1]
    plans += [FinalPlan(1, 0, True)]
    for plan in plans:
        if final_seconds(plan, ranked, slots, pace=pace, done=done) <= seconds:
            return plan
    found = leading(ranked)
    shorter = found is not None and is_annealed(found) and annealed_epochs(found, seconds, pace) is not None
    return FinalPlan(1, 0, shorter)


def kept_for_final(
    full: FinalPlan,
    ranked: Sequence[Configuration],
    slots: int,
    usable: float,
    *,
    pace: Pace = UNKNOWN_PACE,
    done: Done = NOTHING_DONE,
    prepares: bool = False,
) -> float:
    """Seconds before the end of all training at which the search has to be over.

    Args:
        full: What the space file asks for after the search.
        ranked: Configurations with scores so far, best first.
        slots: Trainings that run at the same time.
        usable: Time for search and retraining together.
        pace: How the machine trains now.
        done: What of retraining is done: a search that goes on after it leaves time for one newcomer at least.
        prepares: Whether the first training prepares all others.
    """
    if not ranked:
        return usable * (_UNPREPARED_SHARE if prepares else _UNMEASURED_SHARE)
    needed = final_seconds(full, ranked, slots, pace=pace, done=done)
    if done.seeds:
        needed = max(needed, newcomer_seconds(full, ranked, slots, pace) + winner_seconds(full, ranked, pace))
        return _HANDOVER * needed
    found = leading(ranked)
    only = not full.seeds and found is not None and is_annealed(found)
    most = usable * (1 - (_SEARCH_SHARE_ANNEALED if only else _SEARCH_SHARE))
    if _HANDOVER * needed > most and any(c.price is not None for c in full.retrained(ranked)):
        # Its dear epochs are better spent in the search, whose checkpoints are models too, than on part of a plan.
        plan = choose(full, ranked, slots, most / _HANDOVER, pace=pace, done=done)
        frozen = [pace.winner * training_seconds(c, c.price.frozen) for c in ranked[:1] if c.price is not None]
        needed = max(final_seconds(plan, ranked, slots, pace=pace, done=done), *frozen, 0.0)
    return min(_HANDOVER * needed, most)


def newcomer_seconds(full: FinalPlan, ranked: Sequence[Configuration], slots: int, pace: Pace) -> float:
    """Time to retrain one more configuration, as long as the slowest of the candidates."""
    longest = max((training_seconds(c) for c in full.retrained(ranked) if not c.baseline), default=0.0)
    return pace.training * longest * math.ceil(full.seeds / slots)
