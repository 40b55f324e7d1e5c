"""Scalars and HParams for TensorBoard: one folder per configuration, one per final training."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from search import layout
from search.observer import Observer
from search.trial import Outcome, Trial, TrialKind


class TensorBoardWriter(Observer):
    """Writes each trial's epochs when it has ended, so that a curve is there once, whatever happened on the way.

    Args:
        run: The run directory.
        objective: Name of the metric that scores a trial.
    """

    def __init__(self, run: Path, objective: str) -> None:
        self._folder = run / layout.TENSORBOARD
        self._objective = objective

    def finished(self, trial: Trial, outcome: Outcome) -> None:
        import tensorflow as tf

        # Curves that cannot be drawn are no reason to end a search; a full disk is noticed by what has to be committed.
        with contextlib.suppress(tf.errors.OpError):
            self._write(trial, outcome)

    def _write(self, trial: Trial, outcome: Outcome) -> None:
        import tensorflow as tf

        name = trial.configuration if trial.kind in (TrialKind.SEARCH, TrialKind.BASELINE) else trial.id
        writer = tf.summary.create_file_writer(str(self._folder / name))
        with writer.as_default():
            for epoch in outcome.epochs:
                for metric, value in epoch.metrics.items():
                    tf.summary.scalar(_tag(metric), value, step=epoch.number)
            if trial.epochs_from == 0:
                _write_hparams(dict(trial.values), name)
            if outcome.score is not None and outcome.best_epoch is not None:
                tf.summary.scalar(f"best/{self._objective}", outcome.score, step=outcome.best_epoch)
        writer.close()


def _tag(metric: str) -> str:
    """Training and validation under one heading each metric, as TensorBoard groups tags by their first part."""
    if metric.startswith("val_"):
        return f"{metric.removeprefix('val_')}/validation"
    return f"{metric}/train"


def _write_hparams(values: dict[str, Any], name: str) -> None:
    from tensorboard.plugins.hparams import api

    api.hparams(values, trial_id=name)
