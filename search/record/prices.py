"""What trainings that begin with a frozen backbone take: their later epochs are far dearer than the first ones.

In a cross-validation an epoch is a whole training of one fold: none is dearer than the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from search.record.trial import Trial, TrialKind
from spaces import Settings
from spaces.families import family_of_settings
from spaces.families.family import Phases

# A step that trains a layer takes about as long as three that only use it.
_STEP = 3.0


@dataclass(frozen=True)
class Price:
    """What a training with two phases takes, in seconds.

    Attributes:
        frozen: Epochs of the first phase; all folds of a cross-validation.
        epoch: An epoch of the second phase.
        once: What its first epoch takes besides, as far as no other training has done that; after a cross-validation
            what the final training does, whose rows are those of no fold.
        features: What all rows that train and validate take to pass the whole network.
        build: What it takes to build the whole network.
    """

    frozen: int
    epoch: float
    once: float
    features: float
    build: float


class Prices:
    """Learns them from the trainings of a run, by what the family says that they depend on."""

    def __init__(self) -> None:
        self._features: dict[str, float] = {}
        self._build: dict[str, float] = {}
        self._prepared: set[tuple[str, float, int]] = set()
        self._tuned: dict[tuple[str, float, int], dict[str, float]] = {}

    def take(self, trial: Trial) -> None:
        """Learns from a training; from a later state of one that is known, only what is new in it."""
        phases, outcome, folds = _phases_of(trial.settings), trial.outcome, _folds_of(trial.settings)
        if phases is None or outcome is None or (folds and trial.kind is TrialKind.WINNER):
            # The epochs of a final training are no folds.
            return
        if outcome.failure is not None and not outcome.once_seconds:
            return
        name = phases.backbone
        later = [epoch.seconds for epoch in outcome.epochs if epoch.number > phases.frozen]
        # What is done once are the features.
        begun = trial.epochs_from < phases.frozen
        if begun and phases.tuned and outcome.once_seconds > self._features.get(name, 0.0) / 2:
            # Whoever passes the network first, and will be fine-tuned, makes what that needs on the way.
            self._prepared.add(_kind(phases))
        times = phases.copies if begun else 1
        if folds:
            # All rows pass the network anew in each of them, also in the one that failed.
            times *= max(1, len(outcome.epochs) + (outcome.failure is not None))
        self._features[name] = max(self._features.get(name, 0.0), outcome.once_seconds / times)
        self._build[name] = max(self._build.get(name, 0.0), outcome.build_seconds)
        if later:
            self._tuned.setdefault(_kind(phases), {})[trial.id] = fmean(later)

    def of(self, settings: Mapping[str, Any]) -> Price | None:
        """The price of a configuration, see `Configuration.settings`; None where all its epochs take the same time, or
        nothing is known yet."""
        phases = _phases_of(settings) if self._features else None
        if phases is None or phases.backbone not in self._features:
            return None
        features, seen = self._features[phases.backbone], self._tuned.get(_kind(phases))
        made = seen or phases.copies > 1 or _kind(phases) in self._prepared
        return Price(
            phases.frozen,
            fmean(seen.values()) if seen else self._expected(phases, features),
            phases.copies * features if _folds_of(settings) else 0.0 if made else features,
            features,
            self._build[phases.backbone],
        )

    def _expected(self, phases: Phases, features: float) -> float:
        """An epoch of a second phase that nothing was trained in: as of those that are most alike, or by arithmetic."""
        alike = [
            (share, fmean(seconds.values()))
            for (backbone, share, copies), seconds in self._tuned.items()
            if backbone == phases.backbone and copies == phases.copies
        ]
        if alike:
            share, seconds = min(alike, key=lambda one: abs(one[0] - phases.tuned))
            return seconds * max(1.0, phases.tuned / share)
        untrained = 1 - phases.tuned if phases.copies > 1 else 0.0
        return features * (_STEP * phases.tuned + untrained)


def _phases_of(settings: Mapping[str, Any]) -> Phases | None:
    family = family_of_settings(settings["family"])
    if not family.two_phases:
        return None
    found = Settings.from_json(settings)
    phases, folds = family.phases(found), found.training.folds
    return replace(phases, frozen=folds, tuned=0.0) if phases is not None and folds else phases


def _folds_of(settings: Mapping[str, Any]) -> int:
    return int(settings["training"].get("folds", 0))


def _kind(phases: Phases) -> tuple[str, float, int]:
    return phases.backbone, phases.tuned, phases.copies
