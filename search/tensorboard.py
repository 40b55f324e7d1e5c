"""Scalars and HParams for TensorBoard: one folder per configuration, one per final training."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from search import layout
from search.observer import Observer
from search.trial import Outcome, Trial, TrialKind

# Baselines and final trainings, which are always written, have names of their own.
_OTHERS = tuple(f"{kind}-" for kind in (TrialKind.BASELINE, TrialKind.CANDIDATE, TrialKind.WINNER))

MOST = 1_000
"""Searched configurations that are logged: with more, TensorBoard takes minutes to show any."""


class TensorBoardWriter(Observer):
    """Writes each trial's epochs when it has ended, so that a curve is there once, whatever happened on the way.

    Of the searched configurations the first `MOST` are written, with all their trials; of the others nothing.

    Args:
        run: The run directory.
        objective: Name of the metric that scores a trial.
        say: Told, in words, when the last configuration is written that fits.
    """

    def __init__(self, run: Path, objective: str, say: Callable[[str], None] = lambda _: None) -> None:
        self._folder = run / layout.TENSORBOARD
        self._objective = objective
        self._say = say
        self._written: set[str] | None = None

    def finished(self, trial: Trial, outcome: Outcome) -> None:
        if trial.kind is TrialKind.SEARCH and not self._has_room(trial.configuration):
            return
        import tensorflow as tf

        # Curves that cannot be drawn are no reason to end a search; a full disk is noticed by what has to be committed.
        with contextlib.suppress(tf.errors.OpError):
            self._write(trial, outcome)

    def _has_room(self, configuration: str) -> bool:
        if self._written is None:
            folders = self._folder.iterdir() if self._folder.is_dir() else ()
            self._written = {path.name for path in folders if not path.name.startswith(_OTHERS)}
        if configuration in self._written:
            return True
        if len(self._written) >= MOST:
            return False
        self._written.add(configuration)
        if len(self._written) == MOST:
            self._say(
                f"{layout.TENSORBOARD}/ now holds {MOST:,} configurations and gets no more; "
                "the table and the report have all of them"
            )
        return True

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
