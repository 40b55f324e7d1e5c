"""A space as Keras Tuner's own types. Importing this module imports keras_tuner, and so TensorFlow."""

from __future__ import annotations

import math
from typing import Any

import keras_tuner
import numpy as np

from spaces.data import DataInfo, load_data
from spaces.data.labels import balanced_weights, classes_of
from spaces.models.model import build_model, callbacks, evaluate_plainly
from spaces.models.settings import Settings
from spaces.specs.configuring import configure, hyperparameters_of
from spaces.specs.objects import is_rows
from spaces.specs.spec import SearchSpec
from spaces.values.of_keras_tuner import to_keras_tuner


def hyperparameters(spec: SearchSpec) -> keras_tuner.HyperParameters:
    """The space as Keras Tuner's `HyperParameters`, with conditional scopes.

    Ranges of numbers with a step, and ranges of integers with a ratio, become an ordered `Choice` of exactly
    their values, 0.3 and not 0.30000000000000004; everything else keeps its own type.

    Args:
        spec: the space; a function of the user's in it is called.

    Raises:
        CodeError: a function of the user's cannot be used.
        SpaceError: for a function of the user's that compiles its model, the training section sets what
            would have no effect.
    """
    return to_keras_tuner(hyperparameters_of(spec))


class _SpaceHyperModel(keras_tuner.HyperModel):  # type: ignore[misc]
    """Builds, and trains, the configurations of a space in a stock Keras Tuner loop."""

    def __init__(self, spec: SearchSpec, info: DataInfo | None) -> None:
        super().__init__(name=spec.name)
        self.spec = spec
        self.info = info

    def build(self, hp: keras_tuner.HyperParameters) -> Any:
        """The compiled model of the configuration that `hp` holds."""
        hp.merge(hyperparameters(self.spec), overwrite=False)
        if self.info is None:
            self.info = load_data(self.spec).info
        return build_model(self._configured(hp), self.info)

    def fit(self, hp: keras_tuner.HyperParameters, model: Any, *args: Any, **kwargs: Any) -> Any:
        """Trains with the batch size, length, early stopping and weights of classes of the configuration.

        What `Tuner.search` was given itself, or decides itself (Hyperband's epochs), goes first; then the length that
        an oracle asks for, from the first epoch on: a stock tuner builds a new model for every trial. A model may also
        be one of `build` that was trained, saved and loaded, with the `initial_epoch` that it goes on from.

        Raises:
            ValueError: classes are to be balanced, and the labels are in no array; or the rate follows a schedule, and
                nobody knows how many updates an epoch has.
        """
        training = self._configured(hp).training
        kwargs.setdefault("epochs", hp.values.get("tuner/epochs", training.epochs))
        rows = args[0] if args else kwargs.get("x")
        # What gives batches has a size of its own.
        if is_rows(rows):
            kwargs.setdefault("batch_size", training.batch_size)
        if training.class_weight == "balanced" and kwargs.get("class_weight") is None:
            labels = args[1] if len(args) > 1 else kwargs.get("y")
            split = kwargs.get("validation_split") if kwargs.get("validation_data") is None else None
            kwargs["sample_weight"] = _balanced(labels, kwargs.get("sample_weight"), split or 0.0)
        kwargs["callbacks"] = [*(kwargs.get("callbacks") or ()), *callbacks(training)]
        evaluate_plainly(model)
        return model.fit(*args, **kwargs)

    def _configured(self, hp: keras_tuner.HyperParameters) -> Settings:
        """The configuration that `hp` holds; a stock tuner, which knows no folds, trains it as one of them."""
        return configure(self.spec, hp.values).one_fold()


def _balanced(labels: Any, weights: Any, split: float) -> np.ndarray:
    """Weights of rows, times those that they have already, where each class is to count alike.

    Args:
        labels: of all rows.
        weights: those that the rows have; None: none.
        split: the share of the rows, the last ones, that `fit` validates: these count as they are.
    """
    if labels is None:
        raise ValueError(
            "training.class_weight: balanced needs the labels in an array, as in search(x, y), to know how rare each is"
        )
    y = np.asarray(labels)
    found = np.ones(len(y))
    # As many as Keras leaves for the training.
    trained = math.floor(len(y) * (1.0 - split))
    found[:trained] = balanced_weights(*classes_of(y[:trained]))
    return found if weights is None else found * np.asarray(weights)


def hypermodel(spec: SearchSpec, info: DataInfo | None = None) -> keras_tuner.HyperModel:
    """The space as a `keras_tuner.HyperModel`, for any stock tuner.

    Args:
        spec: the space. Its `constraints` and `limits` are kept, and its `training.ema` and `training.oversample` are
            followed, by this project's own search, not by a stock tuner. `training.class_weight` needs labels that are
            given as an array.
        info: description of the data; None: the data of the space are loaded when the first model is built.
    """
    return _SpaceHyperModel(spec, info)
