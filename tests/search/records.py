"""Small records to write tests with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from search.record.trial import Checkpoint, Epoch, Failure, FailureReason, Outcome, Stop, Trial, TrialKind, TrialState

METRICS = ("loss", "accuracy", "val_loss", "val_accuracy")


def training(**changes: Any) -> dict[str, Any]:
    """The training part of a configuration's settings, as plain data."""
    return {
        "optimizer": "adam",
        "learning_rate": 0.001,
        "momentum": 0.0,
        "nesterov": False,
        "weight_decay": 0.0,
        "learning_rate_decay": 0.0,
        "batch_size": 32,
        "epochs": 27,
        "loss": "auto",
        "metrics": ["accuracy"],
        "early_stopping": None,
        "stop_when": [],
        **changes,
    }


def settings(values: Mapping[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    """Settings of a small dense network, as plain data."""
    return {"family": "mlp", "model": {"layers": 0}, "training": training(**changes), "values": dict(values or {})}


def epoch(number: int, seconds: float = 1.0, **metrics: float) -> Epoch:
    """One epoch; metrics that are not named are made up."""
    return Epoch(number, {"loss": 1.0 / number, "val_accuracy": 0.5, **metrics}, seconds, 0.8 * seconds)


def curve(metric: str, values: Sequence[float], first: int = 1) -> tuple[Epoch, ...]:
    """Epochs whose `metric` runs through `values`."""
    return tuple(epoch(number, **{metric: value}) for number, value in enumerate(values, first))


def outcome(scores: Sequence[float], first: int = 1, **changes: Any) -> Outcome:
    """A finished training with these validation accuracies."""
    epochs = curve("val_accuracy", scores, first)
    best = max(epochs, key=lambda e: e.metrics["val_accuracy"], default=None)
    made = Outcome(
        epochs=epochs,
        score=best.metrics["val_accuracy"] if best else None,
        best_epoch=best.number if best else None,
        stopped=Stop.LENGTH,
        parameters=1000,
        seconds=float(len(epochs)),
        build_seconds=0.5,
    )
    return replace(made, **changes)


def failed(reason: FailureReason = FailureReason.NAN, message: str = "loss became nan in epoch 1") -> Outcome:
    """A failed training."""
    return Outcome(failure=Failure(reason, message, "Traceback ..."), seconds=0.3)


def trial(trial_id: str, kind: TrialKind = TrialKind.SEARCH, **changes: Any) -> Trial:
    """A trial that is running."""
    made = Trial(
        id=trial_id,
        configuration=trial_id,
        kind=kind,
        name="",
        values={"layers": 2, "learning_rate": 0.001},
        settings=settings(),
        seed=7,
        epochs_from=0,
        epochs_to=3,
        parent=None,
        state=TrialState.RUNNING,
        outcome=None,
        started=100.0,
        finished=None,
    )
    return replace(made, **changes)


def completed(trial_id: str, scores: Sequence[float], **changes: Any) -> Trial:
    """A trial that ended well. `first` and the fields of `Trial` may be given."""
    done = outcome(scores, changes.pop("first", 1), parameters=changes.pop("parameters", 1000))
    return trial(trial_id, **{"state": TrialState.COMPLETED, "outcome": done, "finished": 200.0, **changes})


CHECKPOINT = Checkpoint("trials/0/state.npz", 12, "00ff", 3)
