"""Everything that happens, as lines of the run's log file."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from search.clock import Clock
from search.files import layout
from search.loop.observer import Observer
from search.record.trial import Epoch, Outcome, Trial


class LogFile(Observer):
    """Appends to `log.txt` of a run; every line is written at once.

    Args:
        run: The run directory.
        clock: Tells the time of each line.
    """

    def __init__(self, run: Path, clock: Clock) -> None:
        self._stream = open(run / layout.LOG, "a", encoding="utf-8", buffering=1)  # noqa: SIM115
        self._clock = clock

    def phase(self, name: str, expected_trials: int | None) -> None:
        self._line(f"phase {name}" + (f", {expected_trials} expected" if expected_trials is not None else ""))

    def started(self, trial: Trial) -> None:
        values = " ".join(f"{key}={value}" for key, value in trial.values.items())
        self._line(f"{trial.id} starts, epochs {trial.epochs_from} to {trial.epochs_to}, seed {trial.seed}: {values}")
        if trial.note:
            self._line(f"{trial.id} was chosen because: {trial.note}")

    def epoch(self, trial: Trial, epoch: Epoch) -> None:
        metrics = " ".join(f"{name}={value:.5g}" for name, value in epoch.metrics.items())
        self._line(f"{trial.id} epoch {epoch.number} in {epoch.seconds:.2f} s: {metrics}")

    def finished(self, trial: Trial, outcome: Outcome) -> None:
        if outcome.failure is None:
            score = "none" if outcome.score is None else f"{outcome.score:.6g}"
            self._line(f"{trial.id} done in {outcome.seconds:.2f} s ({outcome.stopped}), score {score}")
            return
        self._line(f"{trial.id} failed ({outcome.failure.reason}): {outcome.failure.message}")
        for line in outcome.failure.detail.splitlines():
            self._line(f"    {line}")

    def interrupted(self, trial: Trial, outcome: Outcome) -> None:
        self._line(f"{trial.id} interrupted after {len(outcome.epochs)} epochs of this trial")

    def message(self, level: str, text: str) -> None:
        self._line(f"{level}: {text}")

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.close()

    def _line(self, text: str) -> None:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self._clock.now()))
        # On a full disk the search stops for what cannot be committed; a lost line is no reason to lose a trial.
        with contextlib.suppress(OSError):
            self._stream.write(f"{stamp} {text}\n")
