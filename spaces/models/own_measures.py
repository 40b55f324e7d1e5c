"""Measures of all validation rows at once: functions of the user's, and metrics that the user's model leaves out."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.basics.errors import CodeError
from spaces.families import family_of_settings
from spaces.models.outputs import as_probabilities, as_targets
from spaces.outside.references import call, load_function
from spaces.values.metrics import USUAL, is_own, reported_name

if TYPE_CHECKING:
    from spaces.data import DataInfo
    from spaces.models.settings import Settings

Array = np.ndarray[Any, np.dtype[Any]]

_ROWS_AT_ONCE = 8192
# Their models answer from -1 to 1.
_HINGES = ("hinge", "squared_hinge")
_INSTEAD = "let the function compile the model with metrics of its own"


def own_measures(settings: Settings, info: DataInfo, model: Any) -> OwnMeasures | None:
    """What computes them; None where the space has none."""
    metrics = settings.training.metrics
    functions = tuple(metric for metric in metrics if is_own(metric))
    named: tuple[str, ...] = ()
    # The usual metric alone may be there because nobody has named any: what there is then is the function's business.
    if family_of_settings(settings.family).users_code and metrics not in [(usual,) for usual in USUAL.values()]:
        named = tuple(metric for metric in metrics if not is_own(metric))
    return OwnMeasures(settings, info, model, functions, named) if functions or named else None


class OwnMeasures:
    """Computes measures from labels and a compiled model's answers.

    A function takes two arrays: labels, (n,) class numbers, or (n, labels) of 0 and 1, or (n,) or (n, targets) numbers;
    and probabilities (n, classes), or values of the labels' shape. It returns a number.

    Args:
        settings: The configuration.
        info: The rows it is for.
        model: The compiled model.
        functions: References of functions.
        named: Names of metrics, each computed where the model does not report it.
    """

    def __init__(
        self, settings: Settings, info: DataInfo, model: Any, functions: Sequence[str], named: Sequence[str]
    ) -> None:
        self._settings = settings
        self._info = info
        self._model = model
        self._functions = functions
        self._named = named
        self._metrics: dict[str, Any] = {}

    def __call__(
        self, reported: Container[str], y: Array, predict: Callable[[], Array], weight: Any = None
    ) -> dict[str, float]:
        """The measures by the names that the history has for them.

        Args:
            reported: What the model has reported itself.
            y: The labels, as `Split.y` has them.
            predict: Gives the model's answers, as `Engine.predict` does; called where they are needed.
            weight: How much each row counts in metrics with a name, shape (n,); None: all alike.

        Raises:
            CodeError: A function cannot be used, or a metric is not defined for these data or for these answers.
        """
        names = [name for name in self._named if name not in reported]
        if not names and not self._functions:
            return {}
        answers = predict()
        found = self._by_name(names, y, answers, weight) if names else {}
        if not self._functions:
            return found
        if self._info.task == "regression":
            answers = self._as_labels(y, answers)
        else:
            answers = self._probabilities(answers)
            if self._info.labels == "one-hot":
                y = y.argmax(axis=1)
        return found | {reported_name(reference): _number(reference, y, answers) for reference in self._functions}

    def _as_labels(self, y: Array, answers: Array) -> Array:
        """Values in the shape of the labels, and in their order."""
        found = as_targets(answers, self._info, self._model)
        if found.size != y.size:
            names = ", ".join(map(reported_name, self._functions))
            widths = (values.size // len(y) for values in (found, y))
            raise CodeError(
                f"training.metrics: {names}: not computed from {' outputs for '.join(map(str, widths))}; {_INSTEAD}"
            )
        return found.reshape(y.shape)

    def _by_name(self, names: Sequence[str], y: Array, answers: Array, weight: Any) -> dict[str, float]:
        try:
            return self._computed(names, y, answers, weight)
        except ValueError as error:
            if set(names) <= {*USUAL.values()}:
                return {}
            raise CodeError(f"training.metrics: {error}") from error

    def _computed(self, names: Sequence[str], y: Array, answers: Array, weight: Any) -> dict[str, float]:
        """As our own families compute them.

        Raises:
            ValueError: One is not defined for these data, or the answers are none that it could be computed from.
        """
        wanted, given = self._comparable(", ".join(names), y, answers)
        metrics = [self._metric(name) for name in names]
        for metric in metrics:
            metric.reset_state()
            for start in range(0, len(y), _ROWS_AT_ONCE):
                some = slice(start, start + _ROWS_AT_ONCE)
                metric.update_state(wanted[some], given[some], sample_weight=None if weight is None else weight[some])
        return {name: float(metric.result()) for name, metric in zip(names, metrics, strict=True)}

    def _metric(self, name: str) -> Any:
        from spaces.layers.loss import make_metrics

        if name not in self._metrics:
            (self._metrics[name],) = make_metrics((name,), "auto", self._info, "probabilities")
        return self._metrics[name]

    def _comparable(self, names: str, y: Array, answers: Array) -> tuple[Array, Array]:
        """Labels, and answers as our own families give them to metrics."""
        from spaces.layers.loss import compiled_loss

        if self._info.targets is not None:
            raise ValueError(f"{names}: not computed for targets that are several arrays, or have names; {_INSTEAD}")
        if answers.ndim != 2:
            raise ValueError(f"{names}: not computed from answers of shape {answers.shape}; {_INSTEAD}")
        if self._info.task == "regression":
            wanted, given = y.reshape(len(y), -1), answers
        elif (loss := compiled_loss(self._model)) in _HINGES:
            raise ValueError(
                f"{names}: not computed from answers that are no probabilities, as with {loss}; {_INSTEAD}"
            )
        else:
            wanted, given = y, self._probabilities(answers)
        width = wanted.shape[1] if self._info.task == "regression" else self._info.outputs
        if given.shape[1] != width:
            raise ValueError(f"{names}: not computed from {answers.shape[1]} outputs for {width}; {_INSTEAD}")
        return wanted, given.astype(np.float32)

    def _probabilities(self, answers: Array) -> Array:
        """Shape (n, classes), also of a model with one output."""
        answers = as_probabilities(answers, self._settings, self._info, self._model)
        return np.concatenate([1 - answers, answers], axis=1) if answers.shape[1] == 1 else answers


def _number(reference: str, y: Array, answers: Array) -> float:
    # What a function does to the arrays that it is given must reach neither other functions nor later epochs.
    found = call(reference, load_function(reference), y.copy(), answers.copy())
    try:
        return float(found)
    except (TypeError, ValueError) as error:
        raise CodeError(f"{reference}: returned {type(found).__name__}; a measure returns a number") from error
