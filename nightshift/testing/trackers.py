"""What an observer of runs has to keep to."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import spaces
from search.files import layout
from search.loop.observer import Earlier, Observer
from search.record.configuration import configurations
from search.record.trial import Epoch, Failure, FailureReason, Outcome, Stop, Trial, TrialKind, TrialState

_SCORE = "val_accuracy"
_ENDS = 2_000_000_000.0


def check_tracker(make: Callable[[Path], Observer]) -> None:
    """An observer follows a run of two sittings without an exception, and leaves what the run keeps as it was.

    It is told of a finished, a failed and an interrupted trial, of a final training without validation rows, of the
    phases, their outlook and messages, is closed, and made anew for the second sitting, as after a resume. In a run, an
    observer that raises is told nothing more.

    Args:
        make: Makes it from the run directory, as the entry point does.
    """
    with tempfile.TemporaryDirectory(prefix="check-tracker-") as folder:
        run = Path(folder)
        kept = {run / layout.SPACE: b"name: check\n", run / layout.STORE: b"not to be touched"}
        for file, content in kept.items():
            file.write_bytes(content)
        first, second, third = (_trial(f"{number:04d}") for number in range(3))
        winner = replace(_trial("winner-0000"), kind=TrialKind.WINNER, configuration=first.id)
        one, two = _epoch(1), _epoch(2)
        whole = Outcome((one, two), 0.75, 2, Stop.LENGTH, parameters=10, seconds=2.0)
        failed = Outcome(failure=Failure(FailureReason.NAN, "the loss is not a number"))
        cut = Outcome((one,), 0.5, 1, Stop.INTERRUPTED, parameters=10, seconds=1.0)
        unvalidated = replace(one, metrics={name: one.metrics[name] for name in ("loss", "accuracy")})
        last = Outcome((unvalidated,), best_epoch=1, stopped=Stop.LENGTH, parameters=10, seconds=1.0)
        completed = replace(first, state=TrialState.COMPLETED, outcome=whole)
        for sitting in (1, 2):
            observer = make(run)
            assert isinstance(observer, Observer), f"{observer!r} is no search.loop.observer.Observer"
            told = f"sitting {sitting}"
            if sitting == 2:
                [best] = configurations([completed])
                _call(told, observer.resumed, Earlier(2, 1, best, None))
            _call(told, observer.phase, "search", 3 if sitting == 1 else None)
            _call(told, observer.outlook, None if sitting == 1 else _ENDS, 1)
            _call(told, observer.message, "info", "training in this process")
            if sitting == 1:
                _call(told, observer.started, first)
                _call(told, observer.epoch, first, one)
                _call(told, observer.epoch, first, two)
                _call(told, observer.finished, completed, whole)
                _call(told, observer.started, second)
                _call(told, observer.finished, replace(second, state=TrialState.FAILED, outcome=failed), failed)
                _call(told, observer.started, third)
                _call(told, observer.epoch, third, one)
                _call(told, observer.interrupted, third, cut)
            else:
                _call(told, observer.started, third)
                _call(told, observer.epoch, third, two)
                _call(told, observer.finished, replace(third, state=TrialState.COMPLETED, outcome=whole), whole)
                _call(told, observer.phase, "final training", 1)
                _call(told, observer.started, winner)
                _call(told, observer.epoch, winner, unvalidated)
                _call(told, observer.finished, replace(winner, state=TrialState.COMPLETED, outcome=last), last)
            _call(told, observer.message, "warning", "the disk is nearly full")
            _call(told, observer.close)
        for file, content in kept.items():
            assert (file.read_bytes() if file.is_file() else None) == content, f"{file.name} was changed"


def _call(sitting: str, what: Callable[..., None], *told: object) -> None:
    try:
        what(*told)
    except (Exception, SystemExit) as error:
        raise AssertionError(f"{sitting}: {what.__qualname__} raised {type(error).__name__}: {error}") from error


def _epoch(number: int) -> Epoch:
    return Epoch(
        number, {"loss": 1.0 / number, "accuracy": 0.5, "val_loss": 1.0, _SCORE: 0.25 + 0.25 * number}, 1.0, 0.8
    )


def _trial(name: str) -> Trial:
    spec = spaces.load(
        {
            "name": "check",
            "data": {"source": "digits"},
            "model": {"family": "mlp", "layers": 1, "units": {"shared": [8, 16]}},
            "training": {"epochs": 2},
        }
    )
    values = {"units": 8}
    return Trial(
        name, name, TrialKind.SEARCH, "", values, spaces.configure(spec, values).to_json(), seed=1, epochs_from=0,
        epochs_to=2, parent=None, state=TrialState.RUNNING, outcome=None, started=0.0, finished=None,
    )  # fmt: skip
