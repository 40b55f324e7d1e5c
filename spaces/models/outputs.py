"""What a model answers, as probabilities, and which labels one that its function has compiled is to get."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from spaces.families import family_of_settings
from spaces.models.settings import Settings
from spaces.values.packing import single

if TYPE_CHECKING:
    from spaces.data import DataInfo

Array = np.ndarray[Any, np.dtype[Any]]

OutputKind = Literal["probabilities", "logits", "values"]

# By how much a probability that was computed in half precision may lie outside of 0 to 1.
_ROUNDING = 1e-2


def output_kind(settings: Settings, info: DataInfo, model: Any, answers: Array) -> OutputKind:
    """What a compiled model answers.

    That of a user's function says it in its loss only. Where that is one of the user's own, the answers tell: below 0
    or above 1 is no probability. A loss of regression has them near the labels 0 and 1, on either side.

    Args:
        settings: The configuration.
        info: The rows it is for.
        model: The compiled model.
        answers: What it gave to some rows, shape (n, outputs).
    """
    if info.task == "regression":
        return "values"
    from spaces.families.functions.exploring import regression_loss
    from spaces.layers.loss import takes_logits

    family = family_of_settings(settings.family)
    logits = family.output(settings.model) == "logits" or takes_logits(model.loss)
    if logits is None and family.users_code and regression_loss(model) is None:
        logits = bool(((answers < -_ROUNDING) | (answers > 1 + _ROUNDING)).any())
    return "logits" if logits else "probabilities"


def as_probabilities(answers: Array, settings: Settings, info: DataInfo, model: Any) -> Array:
    """Probabilities of shape (n, classes) from a model's answers; the values themselves in regression.

    Args:
        answers: What the model gave, shape (n, outputs).
        settings: The configuration.
        info: The rows it is for.
        model: The compiled model. One that answers with logits is followed by a softmax, or by a sigmoid where it has
            one output.
    """
    kind = output_kind(settings, info, model, answers)
    if kind == "values":
        return answers
    if kind == "logits":
        answers = from_logits(answers, independent=info.labels == "multi-label")
    return of_classes(answers, info)


def as_targets(answers: Array, info: DataInfo, model: Any) -> Array:
    """The answers of a model of several outputs in the order of its targets, as far as each has the values of one.

    A model lays its outputs side by side in an order of its own: those of a dict by their names, others as its list has
    them. Targets that came in a dict stay in the order of that.

    Args:
        answers: What the model gave, shape (n, values).
        info: The rows it is for.
        model: The compiled model.
    """
    sizes = {} if info.targets is None else {piece.name: piece.size for piece in info.targets.pieces}
    if info.targets is None or not info.targets.named or answers.shape[1] != sum(sizes.values()):
        return answers
    listed = isinstance(getattr(model, "output", None), list | tuple)
    names = [*getattr(model, "output_names", ())] if listed else []
    names = names or sorted(sizes)
    if sorted(names) != sorted(sizes):
        return answers
    ends = dict(zip(names, np.cumsum([sizes[name] for name in names]).tolist(), strict=True))
    return answers[:, np.concatenate([np.arange(ends[name] - size, ends[name]) for name, size in sizes.items()])]


def of_classes(answers: Array, info: DataInfo) -> Array:
    """The answers for the classes that the data have, in their order; a user's model may have outputs for others."""
    width = answers.shape[1]
    if info.labels != "integer" or width <= max(2, info.outputs):
        return answers
    return answers[:, list(class_outputs(info, width))]


def class_outputs(info: DataInfo, width: int) -> tuple[int, ...]:
    """The output for each class of a model of so many outputs, one for each number that a label may be."""
    values = info.label_values
    return values if values and min(values) >= 0 and max(values) < width else tuple(range(info.outputs))


def labels_for(model: Any, info: DataInfo) -> DataInfo:
    """The description of the data for a model that its function has compiled: which labels it gets.

    They are as they came. Only where a model with an output for each class could do nothing with such numbers, 1 to 5
    with five outputs, or a cross-entropy with -1 and 1, the classes are counted from 0.
    """
    from spaces.layers.loss import compiled_loss

    values, loss = info.label_values, compiled_loss(model)
    from_0 = values == tuple(range(len(values)))
    if values and not from_0:
        width = _width(model, info)
        from_0 = width == info.outputs and class_outputs(info, width) != values
    if from_0 or (loss in ("binary_crossentropy", "binary_focal_crossentropy") and info.outputs == 2):
        return dataclasses.replace(info, label_values=())
    return info


def _width(model: Any, info: DataInfo) -> int:
    """Outputs of a model; 0 where they are several arrays, or nobody knows."""
    shape = single(getattr(model, "output_shape", None))
    if not isinstance(shape, tuple) and info.inputs is None:
        shape = getattr(single(model(np.zeros((1, *info.input_shape), info.dtype))), "shape", None)
    return shape[-1] if shape and not isinstance(shape, Mapping) and isinstance(shape[-1], int) else 0


def from_logits(answers: Array, *, independent: bool = False) -> Array:
    """Probabilities of shape (n, outputs) from logits of that shape.

    The softmax of all; the sigmoid of a single output, or of each where they are `independent` labels.
    """
    if answers.shape[1] == 1 or independent:
        return np.asarray(1.0 / (1.0 + np.exp(-answers)))
    exponents = np.exp(answers - answers.max(axis=1, keepdims=True))
    return np.asarray(exponents / exponents.sum(axis=1, keepdims=True))
