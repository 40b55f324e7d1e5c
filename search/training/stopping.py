"""When a training ends before its last epoch: early stopping and targets.

Pure functions of the learning curve. Nothing else has to be remembered, so a training that goes on in another
process, or is looked at years later, comes to the same decision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from ctypes import c_float

from search.record.trial import Epoch, Stop
from spaces import EarlyStopping, TrainingSettings
from spaces.values.metrics import METRICS, task_of

_LOSS = "val_loss"
_RECENT = 3
# To begin anew takes time too, and an epoch's time varies: so much of what is left, in epochs, may be missing.
_MISSING, _MOST_MISSING = 0.1, 0.5


def ended(settings: TrainingSettings, curve: Sequence[Epoch], patience: Patience | None = None) -> Stop | None:
    """What ends the training after the last epoch of `curve`, or None if it goes on.

    Args:
        settings: The configuration's training part.
        curve: All its epochs from the first on.
        patience: What early stopping has made of the curve as it was before; None: it looks at all of it.
    """
    if not curve:
        return None
    if settings.folds:
        return _ended_folds(settings, curve)
    if any(target.reached(curve[-1].metrics) for target in settings.stop_when):
        return Stop.TARGET
    if settings.early_stopping is not None and (patience or Patience()).is_over(settings.early_stopping, curve):
        return Stop.EARLY_STOPPING
    if len(curve) >= settings.epochs:
        return Stop.LENGTH
    return None


def _ended_folds(settings: TrainingSettings, folds: Sequence[Epoch]) -> Stop | None:
    if len(folds) >= settings.folds:
        return Stop.LENGTH
    bar = settings.fold_bars[len(folds) - 1] if len(folds) <= len(settings.fold_bars) else None
    return Stop.PAUSED if bar is not None and bar.reached(folds[-1].metrics) else None


def seconds_needed(curve: Sequence[Epoch], epochs_to: int, whole: bool) -> float:
    """Seconds that have to be left before the deadline for a training to go on.

    Args:
        curve: All its epochs from the first on, at least one.
        epochs_to: Epochs to reach.
        whole: Whether it counts at its end only, see `TrialJob.whole`; otherwise another epoch is worth it.
    """
    if not whole or len(curve) < 2:
        return curve[-1].seconds
    rest = epochs_to - len(curve)
    return max(curve[-1].seconds, (rest - min(_MISSING * rest, _MOST_MISSING)) * pace(curve))


def pace(curve: Sequence[Epoch]) -> float:
    """Seconds of an epoch as the machine is now: the least of the last three.

    One epoch compiles, or meets something else; the machine has become slower where all of the last ones say so.
    """
    return min(epoch.seconds for epoch in curve[-_RECENT:])


def best_epoch(curve: Sequence[Epoch], metric: str, direction: str) -> tuple[int, float] | None:
    """Number and value of the epoch with the best `metric`; of equals that of the lowest validation loss, or the first.

    A share of few validation rows takes few values: equal ones say less about an epoch than its loss does.

    Returns:
        None if no epoch has a finite value.
    """
    sign = 1.0 if direction == "min" else -1.0
    found = [(sign * e.metrics[metric], _finite(e, _LOSS), e.number) for e in curve if _finite(e, metric) < math.inf]
    if not found:
        return None
    value, _, number = min(found)
    return number, sign * value


class BestSoFar:
    """`best_epoch` of a curve that grows: of thousands of epochs each is looked at once."""

    def __init__(self) -> None:
        self._looked_at = 0
        self._best: list[Epoch] = []

    def of(self, curve: Sequence[Epoch], metric: str, direction: str) -> tuple[int, float] | None:
        """As `best_epoch`; the curve is the one of the last call, with more epochs or as it was."""
        known = [*self._best, *curve[self._looked_at :]]
        found = best_epoch(known, metric, direction)
        self._looked_at = len(curve)
        self._best = [] if found is None else [epoch for epoch in known if epoch.number == found[0]]
        return found


class Patience:
    """Early stopping of a curve that grows, by Keras's rule.

    An epoch improves if it beats the best by more than `min_delta`; `patience` epochs may not. It compares in single
    precision, which decides where a gain is just `min_delta`, as of a share of few rows. Of thousands of epochs each is
    looked at once.
    """

    def __init__(self) -> None:
        self._looked_at = 0
        self._best, self._waited = math.inf, 0

    def is_over(self, rule: EarlyStopping, curve: Sequence[Epoch]) -> bool:
        """Whether it ends the training; the curve is the one of the last call, with more epochs or as it was."""
        sign = 1.0 if rule.mode == "min" else -1.0
        for epoch in curve[self._looked_at :]:
            value = epoch.metrics.get(rule.monitor)
            if value is None:
                return False
            self._looked_at += 1
            if c_float(sign * value + abs(rule.min_delta)).value < self._best:
                self._best, self._waited = c_float(sign * value).value, 0
            else:
                self._waited += 1
        # Keras never stops after the very first epoch, whatever the patience.
        return self._waited >= max(rule.patience, 1) and len(curve) > 1


def _finite(epoch: Epoch, metric: str) -> float:
    """The value of a metric; infinity where it is missing or no number."""
    value = epoch.metrics.get(metric, math.inf)
    return value if math.isfinite(value) else math.inf


def unreported(objective: str, settings: TrainingSettings, reported: Sequence[str]) -> str | None:
    """Says which value of the space file no epoch has, and what there is; None if nothing is missing.

    Args:
        objective: Name of what decides.
        settings: The configuration's training part.
        reported: Names of all values that an epoch with validation has.
    """
    named = [("objective", objective)]
    if settings.early_stopping is not None:
        named.append(("early_stopping.monitor", settings.early_stopping.monitor))
    named += [("stop_when", target.metric) for target in settings.stop_when]
    for what, name in named:
        if name not in reported:
            return f"{what} {name} is not reported; reported are {', '.join(reported)}{_instead(name, settings)}"
    return None


def _instead(name: str, settings: TrainingSettings) -> str:
    """What makes a model of the user's report a metric that we know by name."""
    base = name.removeprefix("val_")
    if base == name or base not in METRICS:
        return ""
    if base in settings.metrics:
        return f"; let the function compile the model with metrics=[{base!r}]"
    fits = task_of("auto", (base,)) == task_of(settings.loss, settings.metrics)
    return f"; add {base} to training.metrics" if fits else ""
