"""Cross-validation: a configuration is trained on all folds but one, fold after fold, each from start to end."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from search.record import folds
from search.record.seeds import derive
from search.record.trial import Epoch
from search.training import stopping
from spaces import Settings

if TYPE_CHECKING:
    from search.record.trial import TrialJob
    from search.training.engine import Engine, Rows
    from search.training.two_phases import TwoPhases


class Fold:
    """The training of one fold.

    Args:
        job: The job that it belongs to.
        settings: Of the configuration, with its folds.
        curve: The folds before it.
    """

    def __init__(self, job: TrialJob, settings: Settings, curve: list[Epoch]) -> None:
        self._job = job
        self._training = settings.one_fold().training
        self._before = curve
        self._curve: list[Epoch] = []
        self._best_so_far, self._patience = stopping.BestSoFar(), stopping.Patience()
        self.weights: list[np.ndarray] = []
        """Of its best epoch."""

    @property
    def seed(self) -> int:
        """Seed of its weights, its shuffling and its random layers."""
        return derive(self._job.seed, "fold", len(self._before))

    def train(
        self,
        engine: Engine | TwoPhases,
        train: Rows,
        validation: Rows,
        one_epoch: Callable[[Any, Rows, Rows, list[Epoch]], Epoch],
    ) -> Epoch:
        """Trains to the end of the settings, or to where early stopping or a target ends it.

        Args:
            engine: Newly begun with `seed`.
            train, validation: Its rows.
            one_epoch: Trains and validates an epoch after those of a curve; it may raise to break off the fold.

        Returns:
            The fold as an epoch of the configuration's curve.
        """
        while stopping.ended(self._training, self._curve, self._patience) is None:
            self._curve.append(one_epoch(engine, train, validation, self._curve))
            best = self._best_so_far.of(self._curve, self._job.objective, self._job.direction)
            if best is not None and best[0] == len(self._curve):
                self.weights = engine.weights()
        return self._ended()

    def cut_short(self) -> Epoch | None:
        """The fold as far as it has come; None before its first epoch."""
        return self._ended() if self._curve else None

    def _ended(self) -> Epoch:
        number, _ = stopping.best_epoch(self._curve, self._job.objective, self._job.direction) or (len(self._curve), 0)
        return Epoch(
            len(self._before) + 1,
            folds.joined(self._before, self._curve[number - 1].metrics, number),
            sum(epoch.seconds for epoch in self._curve),
            sum(epoch.train_seconds for epoch in self._curve),
        )
