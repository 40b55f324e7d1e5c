"""Everything that happens, as lines of the run's log file."""

from __future__ import annotations

from pathlib import Path

from search.clock import Clock
from search.files.log import Log
from search.loop.observer import Observer
from search.record.trial import Epoch, Outcome, Trial
from spaces.basics.figures import plural


class LogFile(Observer):
    """Everything goes to `log.txt` of a run at once.

    Args:
        run: The run directory.
        clock: Tells the time of each line.
    """

    def __init__(self, run: Path, clock: Clock) -> None:
        self._log = Log(run, clock)

    def phase(self, name: str, expected_trials: int | None) -> None:
        self._log.line(f"phase {name}" + (f", {expected_trials} expected" if expected_trials is not None else ""))

    def started(self, trial: Trial) -> None:
        values = " ".join(f"{key}={value}" for key, value in trial.values.items())
        self._log.line(
            f"{trial.id} starts, epochs {trial.epochs_from} to {trial.epochs_to}, seed {trial.seed}: {values}"
        )
        if trial.note:
            self._log.line(f"{trial.id} was chosen because: {trial.note}")

    def epoch(self, trial: Trial, epoch: Epoch) -> None:
        metrics = " ".join(f"{name}={value:.5g}" for name, value in epoch.metrics.items())
        self._log.line(f"{trial.id} epoch {epoch.number} in {epoch.seconds:.2f} s: {metrics}")

    def finished(self, trial: Trial, outcome: Outcome) -> None:
        if outcome.failure is None:
            score = "none" if outcome.score is None else f"{outcome.score:.6g}"
            self._log.line(f"{trial.id} done in {outcome.seconds:.2f} s ({outcome.stopped}), score {score}")
            return
        self._log.line(f"{trial.id} failed ({outcome.failure.reason}): {outcome.failure.message}")
        for line in outcome.failure.detail.splitlines():
            self._log.line(f"    {line}")

    def interrupted(self, trial: Trial, outcome: Outcome) -> None:
        self._log.line(f"{trial.id} interrupted after {plural(len(outcome.epochs), 'epoch')} of this trial")

    def message(self, level: str, text: str) -> None:
        self._log.line(f"{level}: {text}")

    def close(self) -> None:
        self._log.close()
