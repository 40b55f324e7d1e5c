"""Scalars and HParams for TensorBoard: one folder per configuration, one per final training."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from search.clock import Clock
from search.files import layout
from search.loop.observer import Observer
from search.record.marks import OWN
from search.record.trial import Outcome, Trial, TrialKind

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
        clock: Gives the time at which a trial has ended; its epochs' wall times are reckoned back from it.
        say: Told, in words, when the last configuration is written that fits.
    """

    def __init__(self, run: Path, objective: str, clock: Clock, say: Callable[[str], None] = lambda _: None) -> None:
        self._folder = run / layout.TENSORBOARD
        self._objective = objective
        self._clock = clock
        self._say = say
        self._written: set[str] | None = None

    def finished(self, trial: Trial, outcome: Outcome) -> None:
        if trial.kind is TrialKind.SEARCH and not self._has_room(trial.configuration):
            return
        import tensorflow as tf

        # Curves that cannot be drawn are no reason to end a search; a full disk is noticed by what has to be committed.
        with contextlib.suppress(tf.errors.OpError, OSError):
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
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.scalar.summary_v2 import scalar_pb

        name = trial.configuration if trial.kind in OWN else trial.id
        folder = self._folder / name
        folder.mkdir(parents=True, exist_ok=True)
        ended = self._clock.now()
        # TensorBoard reads a folder's files in the order of their names: a promotion's come after what it continues.
        with tf.io.TFRecordWriter(str(folder / f"events.out.tfevents.{trial.epochs_from:09d}.{trial.id}")) as file:

            def write(summary: Summary, step: int, wall_time: float) -> None:
                event = Event(wall_time=wall_time, step=step)
                event.summary.ParseFromString(summary.SerializeToString())
                file.write(event.SerializeToString())

            file.write(Event(wall_time=ended - outcome.seconds, file_version="brain.Event:2").SerializeToString())
            if trial.epochs_from == 0:
                started, over = _session(dict(trial.values), name, outcome, ended)
                write(started, 0, ended - outcome.seconds)
                write(over, 0, ended)
            wall_time = ended - sum(epoch.seconds for epoch in outcome.epochs)
            for epoch in outcome.epochs:
                wall_time += epoch.seconds
                for metric, value in epoch.metrics.items():
                    write(scalar_pb(_tag(metric), value), epoch.number, wall_time)
            if outcome.score is not None and outcome.best_epoch is not None:
                write(scalar_pb(f"best/{self._objective}", outcome.score), outcome.best_epoch, ended)


def _tag(metric: str) -> str:
    """Training and validation under one heading each metric, as TensorBoard groups tags by their first part."""
    if metric.startswith("val_"):
        return f"{metric.removeprefix('val_')}/validation"
    return f"{metric}/train"


def _session(values: dict[str, Any], name: str, outcome: Outcome, ended: float) -> tuple[Any, Any]:
    """Start and end of a configuration's row in the HParams tab.

    TensorBoard keeps one end for each row, the first: the row says how the configuration's first trial ended.
    """
    from tensorboard.plugins.hparams import api_pb2, summary, summary_v2

    status = api_pb2.STATUS_SUCCESS if outcome.failure is None else api_pb2.STATUS_FAILURE
    return (
        summary_v2.hparams_pb(values, trial_id=name, start_time_secs=ended - outcome.seconds),
        summary.session_end_pb(status, ended),
    )
