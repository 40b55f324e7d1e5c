"""Where a search stands, kept up to date trial by trial, so that a decision costs the same early and late in a night.

Of a configuration only its place among the others is kept. The whole of it is there while it is among the best, or a
baseline, or holds checkpoints; else it is read from the store again.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from search.record.configuration import Configuration, configurations, rank_key, ranked
from search.record.prices import Price, Prices
from search.record.trial import Trial, TrialKind, TrialState, checkpoints
from spaces import SearchSpec
from spaces.values.dimensions import Fixed

# When final trainings fail, so many configurations have their turn.
_LEAST = 3

_Place = tuple[bool, float, float, int, str]


@dataclass(slots=True)
class _Known:
    order: int
    trials: list[str] = field(default_factory=list)
    place: _Place | None = None
    evidence: bool = False


def most_needed(spec: SearchSpec) -> int:
    """How many of the best configurations are looked at: to keep their weights, or to train them again."""
    final = max(spec.final.candidates, spec.final.ensemble, _LEAST)
    # Baselines may lead all others.
    return max(spec.keep_checkpoints.best, final + len(spec.baselines))


def folds_needed(spec: SearchSpec) -> int:
    """Folds that a configuration needs to come before all that have fewer, which may be the easy ones; 0: none.

    Where a bar pauses trainings, the score makes up for what they lack, see `search.record.folds.Bars`.
    """
    return spec.max_epochs if spec.data.folds is not None and spec.algorithm.multi_fidelity else 0


def answers_both_ways(spec: SearchSpec, trial: Trial | Configuration) -> bool:
    """Whether the model of a trial or configuration, measured or exported, averages over an image and its mirror image.

    That of a baseline does not, nor one that by the search's choice has seen no mirror images while it was trained:
    what it answers to them is worth less than what it answers to the image.
    """
    baseline = trial.baseline if isinstance(trial, Configuration) else bool(trial.name)
    if spec.final.tta != "flip" or baseline:
        return False
    flip = getattr(getattr(spec.model, "augmentation", None), "flip", None)
    if flip is None or (isinstance(flip, Fixed) and not flip.when):
        return True
    return trial.settings["model"]["augmentation_flip"] in ("horizontal", "both")


class Standing:
    """The configurations of a search in their order, and the trials that hold checkpoints.

    Args:
        direction: `min` or `max`, of the objective.
        most: How many of the best are asked for, at most.
        read: Gives a trial of the store by its id.
        folds: What `folds_needed` says: the best of those that have so many are at hand too.
    """

    def __init__(self, direction: str, most: int, read: Callable[[str], Trial | None], folds: int = 0) -> None:
        self._direction = direction
        self._most = most
        self._read = read
        self._folds = folds
        self._known: dict[str, _Known] = {}
        self._places: list[_Place] = []
        # Of these the places of configurations that have all folds, where that decides.
        self._in_full: list[_Place] = []
        self._baselines: list[str] = []
        self._has_evidence = False
        self._folded: dict[str, Configuration] = {}
        self._running: dict[str, Trial] = {}
        self._holding: dict[str, Trial] = {}
        self._prices = Prices()

    def __contains__(self, configuration: str) -> bool:
        return configuration in self._known

    @property
    def running(self) -> list[Trial]:
        """Trials that were asked for and have no end yet, oldest first."""
        return list(self._running.values())

    def take(self, trial: Trial) -> None:
        """Takes up a trial as it is now: a new one, or one that has changed."""
        known = self._known.setdefault(trial.configuration, _Known(len(self._known)))
        if trial.id not in known.trials:
            known.trials.append(trial.id)
        if trial.kind is TrialKind.EVIDENCE:
            known.evidence = self._has_evidence = True
        self._prices.take(trial)
        running = trial.state is TrialState.RUNNING
        _put(self._running, trial, running)
        _put(self._holding, trial, bool(checkpoints(trial.outcome)) or (running and trial.outcome is not None))
        group = [trial if one == trial.id else self.trial(one) for one in known.trials]
        found = configurations(one for one in group if one is not None)
        self._move(trial.configuration, known, found[0] if found else None)

    def learn(self, trials: Iterable[Trial]) -> None:
        """Takes note of what trainings took that are none of the search."""
        for trial in trials:
            self._prices.take(trial)

    def price(self, settings: Mapping[str, Any]) -> Price | None:
        """What a training of a configuration with two phases takes, see `Configuration.price`."""
        return self._prices.of(settings)

    def best(self, most: int) -> list[Configuration]:
        """The best configurations that have a score, best first.

        Args:
            most: How many; at most as many as the constructor was told.
        """
        return [self._configuration(place[-1]) for place in self._places[:most]]

    def leading(self, most: int) -> list[Configuration]:
        """`best`, and after them the baselines that have a score and are not among them, in their order.

        Where evidence of other runs may fill the first places, the best of the search itself is there too.
        """
        first = self.best(most)
        ids = {configuration.id for configuration in first}
        others = [self._configuration(name) for name in (*self._baselines, *self._own) if name not in ids]
        return first + ranked((c for c in others if c.score is not None), self._direction)

    def ranked(self, most: int, others: Iterable[str]) -> list[Configuration]:
        """`leading`, and of all others that have a score the named ones and those with checkpoints; best first.

        Args:
            most: How many of the best, at least, and of the best with all folds; see `best`.
            others: Ids of configurations.
        """
        at_hand = (trial.configuration for group in (self._running, self._holding) for trial in group.values())
        named = {*others, *self._baselines, *self._own, *at_hand}
        known = (self._known[name].place for name in named if name in self._known)
        places = {place for place in known if place is not None}
        places.update(self._places[:most], self._in_full[:most])
        return [self._configuration(place[-1]) for place in sorted(places)]

    @property
    def _own(self) -> list[str]:
        """The best configuration of the search itself, where there is one, and evidence beside it."""
        own = (name for *_, name in self._places if not self._known[name].evidence and name not in self._baselines)
        return list(islice(own, 1)) if self._has_evidence else []

    def holding(self, most: int) -> list[Trial]:
        """What decides which checkpoints are spare: trials that hold some, and all of the best configurations.

        What runs and has nothing yet is left out: there may be a thousand of them.

        Args:
            most: How many of the best configurations, and of the best with all folds; see `best`.
        """
        in_full = (self._configuration(place[-1]) for place in self._in_full[:most])
        found = {trial.id: trial for configuration in (*self.best(most), *in_full) for trial in configuration.trials}
        return list((found | self._holding).values())

    @property
    def continued(self) -> set[str]:
        """Ids of the trials that running ones go on from."""
        return {trial.parent for trial in self._running.values() if trial.parent is not None}

    def trial(self, trial_id: str) -> Trial | None:
        """The trial with this id."""
        return self._running.get(trial_id) or self._holding.get(trial_id) or self._read(trial_id)

    def _move(self, name: str, known: _Known, found: Configuration | None) -> None:
        if known.place is not None:
            for places in (self._places, self._in_full):
                at = bisect_left(places, known.place)
                if places[at : at + 1] == [known.place]:
                    del places[at]
            known.place = None
        self._folded.pop(name, None)
        if found is None:
            return
        if found.baseline and name not in self._baselines:
            self._baselines.append(name)
        if found.score is not None and not math.isnan(found.score):
            known.place = (*rank_key(found, self._direction), known.order, name)
            insort(self._places, known.place)
            if 0 < self._folds <= len(found.epochs):
                insort(self._in_full, known.place)
            for places in (self._places, self._in_full):
                for place in places[self._most : self._most + 1]:
                    self._folded.pop(place[-1], None)
        if found.baseline or known.place in self._places[: self._most]:
            self._folded[name] = found

    def _configuration(self, name: str) -> Configuration:
        if name not in self._folded:
            trials = [self.trial(trial_id) for trial_id in self._known[name].trials]
            (self._folded[name],) = configurations(trial for trial in trials if trial is not None)
        found = self._folded[name]
        price = self.price(found.settings)
        return found if price is None else replace(found, price=price)


def _put(group: dict[str, Trial], trial: Trial, belongs: bool) -> None:
    if belongs:
        group[trial.id] = trial
    else:
        group.pop(trial.id, None)
