"""The plan of a night: how much the search leaves to retraining, and what of that still fits.

Pure functions of what has been measured so far; all times are in seconds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from search.record.configuration import Configuration
from search.times.estimates import (
    UNKNOWN_PACE,
    Pace,
    annealed_epochs,
    final_training_seconds,
    is_annealed,
    schedule_end,
    training_seconds,
    whole_length,
)
from spaces.basics.figures import plural

# Before anything is measured, so much of the whole budget is kept for what comes after the search; less where the
# first training prepares all others, which have no model without it.
_UNMEASURED_SHARE, _UNPREPARED_SHARE = 0.35, 0.1
# The search's last trials end a little late; without this the full plan would then always be too long by a second.
_HANDOVER = 1.05
# However long retraining would take, the search itself gets at least this share of the time for both; less where the
# final training is the only one whose rate goes to its end: that is worth more than another look around.
_SEARCH_SHARE, _SEARCH_SHARE_ANNEALED = 0.5, 0.3


@dataclass(frozen=True)
class Done:
    """What of retraining is done or under way, by configuration id.

    Attributes:
        seeds: Trainings from fresh seeds.
        final: Seconds that final trainings have had; infinite of those that are over.
    """

    seeds: Mapping[str, int] = field(default_factory=dict)
    final: Mapping[str, float] = field(default_factory=dict)

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
            return f"{plural(self.candidates, 'candidate')} with {plural(self.seeds, 'seed')}{baselines}"
        return "the best of the search, trained once more" if self.train_winner else "the best of the search as it is"


def leading(ranked: Sequence[Configuration]) -> Configuration | None:
    """The best configuration of the search, if there is one: no baseline.

    Nor is it one of another run whose rate went to its end over another number of epochs than in this search: it has
    come as far as it does, and of what leads here only its own end shows what that is worth.

    Args:
        ranked: Configurations with scores, best first.
    """
    searched = [c for c in ranked if not c.baseline]
    own = next((c for c in searched if not c.evidence), None)
    ends = (None, None if own is None else whole_length(own.settings))
    return next((c for c in searched if own is None or not c.evidence or schedule_end(c.settings) in ends), None)


def winner_seconds(
    plan: FinalPlan, ranked: Sequence[Configuration], pace: Pace = UNKNOWN_PACE, done: Done = NOTHING_DONE
) -> float:
    """Time that has to be kept for the final training: that of the slowest configuration that may win.

    Args:
        plan: What is to be done.
        ranked: Configurations with scores, best first.
        pace: How the machine trains now.
        done: What is done or under way: what has been trained of a final training needs no more time.
    """
    if not plan.train_winner:
        return 0.0
    times = (
        (pace.annealed if is_annealed(c) else pace.winner) * final_training_seconds(c) - done.final.get(c.id, 0.0)
        for c in plan.retrained(ranked)
    )
    return max([0.0, *times])


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
    return together + winner_seconds(plan, ranked, pace, done)


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
        done: What of retraining is done, or of a final training: a search that goes on after it leaves time for one
            newcomer at least.
        prepares: Whether the first training prepares all others.
    """
    unmeasured = usable * (_UNPREPARED_SHARE if prepares else _UNMEASURED_SHARE)
    if not ranked:
        return unmeasured
    needed = final_seconds(full, ranked, slots, pace=pace, done=done)
    if done.seeds or done.final:
        needed = max(needed, newcomer_seconds(full, ranked, slots, pace) + winner_seconds(full, ranked, pace))
    if done.seeds:
        return _HANDOVER * needed
    found = leading(ranked)
    only = not full.seeds and found is not None and is_annealed(found)
    most = usable * (1 - (_SEARCH_SHARE_ANNEALED if only else _SEARCH_SHARE))
    if _HANDOVER * needed > most and any(_has_dear_epochs(c) for c in full.retrained(ranked)):
        # Its dear epochs are better spent in the search, whose checkpoints are models too, than on part of a plan.
        plan = choose(full, ranked, slots, most / _HANDOVER, pace=pace, done=done)
        frozen = [pace.winner * training_seconds(c, c.price.frozen) for c in ranked[:1] if c.price is not None]
        needed = max(final_seconds(plan, ranked, slots, pace=pace, done=done), *frozen, 0.0)
    # What baselines take says nothing of the final training of what is searched.
    return min(max(_HANDOVER * needed, unmeasured if found is None else 0.0), most)


def _has_dear_epochs(configuration: Configuration) -> bool:
    """Whether it has cheap epochs, with a frozen backbone, and dear ones; folds of a cross-validation are all alike."""
    return configuration.price is not None and not configuration.settings["training"].get("folds")


def first_epoch_grace(
    full: FinalPlan,
    ranked: Sequence[Configuration],
    slots: int,
    kept: float,
    *,
    pace: Pace = UNKNOWN_PACE,
    done: Done = NOTHING_DONE,
) -> float:
    """Seconds of those kept for what follows the search that a first epoch may take all the same.

    Without a configuration of the search that has a score there is none whose final training they could be kept for.

    Args:
        full: What the space file asks for after the search.
        ranked: Configurations with scores so far, best first.
        slots: Trainings that run at the same time.
        kept: See `kept_for_final`.
        pace: How the machine trains now.
        done: What of retraining is done.
    """
    if leading(ranked) is not None:
        return 0.0
    return max(0.0, kept - _HANDOVER * final_seconds(full, ranked, slots, pace=pace, done=done))


def kept_for_newcomer(full: FinalPlan, ranked: Sequence[Configuration], pace: Pace) -> float:
    """Seconds to keep for the final training of what leads after another search, that begins without delay."""
    return _HANDOVER * winner_seconds(full, ranked, pace)


def newcomer_seconds(full: FinalPlan, ranked: Sequence[Configuration], slots: int, pace: Pace) -> float:
    """Time to retrain one more configuration, as long as the slowest of the candidates."""
    longest = max((training_seconds(c) for c in full.retrained(ranked) if not c.baseline), default=0.0)
    return pace.training * longest * math.ceil(full.seeds / slots)
