"""Who is told what happens in a run. Every method is called in the process of the search."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from search.record.configuration import Configuration
from search.record.trial import Epoch, Outcome, Trial


@dataclass(frozen=True)
class Earlier:
    """What a search that goes on had come to.

    Attributes:
        done: Trials that have ended, those of baselines included.
        failed: Those of them that failed.
        best: The best configuration, whoever proposed it; None without a score.
        baseline: The best baseline; None without a score.
    """

    done: int
    failed: int
    best: Configuration | None
    baseline: Configuration | None


class Observer:
    """Does nothing; a base for observers that care for some events only."""

    def phase(self, name: str, expected_trials: int | None) -> None:
        """A phase begins.

        `measuring workers`, `search`, `retraining`, `training again` (of a model whose file is lost), `final training`,
        `comparing an ensemble` or `evaluation`; search and retraining may come more than once.

        `expected_trials` counts what the phase will train if all goes well; None where nobody knows.
        """

    def resumed(self, earlier: Earlier) -> None:
        """A search goes on, or begins with what another one has found: told before its phase begins."""

    def outlook(self, ends: float | None, at_once: int) -> None:
        """What is planned for the running phase now; called again when the plan changes.

        Args:
            ends: Unix time at which it has to be over, so that what follows can be done; None: it has all the time.
            at_once: Trials that are trained at the same time; of those that have started, later ones wait.
        """

    def started(self, trial: Trial) -> None:
        """A trial has been recorded and is about to run (again, if the run was interrupted)."""

    def epoch(self, trial: Trial, epoch: Epoch) -> None:
        """A running trial has finished an epoch; nothing of it is committed yet."""

    def finished(self, trial: Trial, outcome: Outcome) -> None:
        """A trial's end is committed."""

    def interrupted(self, trial: Trial, outcome: Outcome) -> None:
        """A running trial was stopped on request; its epochs so far are committed."""

    def message(self, level: str, text: str) -> None:
        """Something a person should know; `level` is `info`, `warning` or `error`."""

    def close(self) -> None:
        """Nothing more will come."""


class Observers(Observer):
    """Passes everything on, in order.

    An observer that raises is told nothing more: a full disk under the log file, or a mistake in somebody's view, must
    not end the night. The others are told of it.
    """

    def __init__(self, observers: Iterable[Observer]) -> None:
        self._observers = list(observers)

    def phase(self, name: str, expected_trials: int | None) -> None:
        self._tell(lambda observer: observer.phase(name, expected_trials))

    def resumed(self, earlier: Earlier) -> None:
        self._tell(lambda observer: observer.resumed(earlier))

    def outlook(self, ends: float | None, at_once: int) -> None:
        self._tell(lambda observer: observer.outlook(ends, at_once))

    def started(self, trial: Trial) -> None:
        self._tell(lambda observer: observer.started(trial))

    def epoch(self, trial: Trial, epoch: Epoch) -> None:
        self._tell(lambda observer: observer.epoch(trial, epoch))

    def finished(self, trial: Trial, outcome: Outcome) -> None:
        self._tell(lambda observer: observer.finished(trial, outcome))

    def interrupted(self, trial: Trial, outcome: Outcome) -> None:
        self._tell(lambda observer: observer.interrupted(trial, outcome))

    def message(self, level: str, text: str) -> None:
        self._tell(lambda observer: observer.message(level, text))

    def close(self) -> None:
        self._tell(lambda observer: observer.close())

    def _tell(self, what: Callable[[Observer], None]) -> None:
        for observer in list(self._observers):
            if not any(one is observer for one in self._observers):
                # It has raised when it was told that another one stops.
                continue
            try:
                what(observer)
            except (Exception, SystemExit) as error:
                self._observers = [one for one in self._observers if one is not observer]
                self.message("warning", f"{type(observer).__name__} stops: {type(error).__name__}: {error}")
