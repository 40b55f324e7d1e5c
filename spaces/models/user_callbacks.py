"""Keras callbacks of the user's: those that follow a training, not those that would run it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras

from spaces.basics.errors import CodeError
from spaces.models.packed import Packed
from spaces.outside.given import spoken
from spaces.outside.references import call, load_attribute

# What of this program does the work of a callback of Keras's.
_INSTEAD = {
    "EarlyStopping": "training.early_stopping does this",
    "ReduceLROnPlateau": "a training may pause, and what it has waited for would be lost; use training.schedule",
    "ModelCheckpoint": "checkpoints are kept by the run",
    "BackupAndRestore": "a training goes on from the run's own checkpoints",
    "TerminateOnNaN": "a training whose loss is no number ends by itself",
    "TensorBoard": "the run writes TensorBoard's files itself",
    "SwapEMAWeights": "training.ema does this",
}
_PER_BATCH = tuple(
    f"on_{what}batch_{when}" for what in ("", "train_", "test_", "predict_") for when in ("begin", "end")
)


def make_callbacks(reference: str) -> list[keras.callbacks.Callback]:
    """What the user's function gives for one training.

    Args:
        reference: Of a function without arguments, or a class, that gives a callback or several.

    Raises:
        CodeError: It raised something, gave something else, or a callback is of a kind that is refused, by its name.
    """
    found = call(reference, load_attribute(reference))
    made = [found] if isinstance(found, keras.callbacks.Callback) else found
    if not isinstance(made, Sequence) or not all(isinstance(one, keras.callbacks.Callback) for one in made):
        raise CodeError(
            f"{spoken(reference)}: gave {_described(found)}; it has to give keras.callbacks.Callback, or a list of them"
        )
    for callback in made:
        if (why := _refused(callback)) is not None:
            raise CodeError(f"{spoken(reference)}: training.callbacks: {type(callback).__name__}: {why}")
    return list(made)


def _refused(callback: Any) -> str | None:
    for kind in type(callback).__mro__:
        if kind.__module__.startswith("keras.") and kind.__name__ in _INSTEAD:
            return _INSTEAD[kind.__name__]
    base = keras.callbacks.Callback
    per_batch = [
        hook
        for hook in _PER_BATCH
        if hook in vars(callback) or (_plain(callback) and getattr(type(callback), hook) is not getattr(base, hook))
    ]
    if per_batch:
        return f"{per_batch[0]} would never be called: many steps run in one compiled function; use on_epoch_end"
    return None


def _plain(callback: Any) -> bool:
    """Whether it is of the user's making: Keras's own follow batches only to draw progress."""
    return not type(callback).__module__.startswith("keras.")


def _described(found: Any) -> str:
    if isinstance(found, Sequence) and not isinstance(found, str):
        return f"a list with {', '.join(sorted({type(one).__name__ for one in found}))}" if found else "an empty list"
    return type(found).__name__


class Followers:
    """The callbacks of one training, each told what happens as `fit` tells it.

    What they keep to themselves is lost when a training pauses and goes on in another process.

    Args:
        reference: Of the user's function; "" for none.
        model: What is trained.
        epochs: The most that are trained.
    """

    def __init__(self, reference: str, model: Any, epochs: int) -> None:
        self._reference = reference
        # One of several inputs is hidden in what packs its rows.
        self._model = model = model.inner if isinstance(model, Packed) else model
        self._callbacks = make_callbacks(reference) if reference else []
        for callback in self._callbacks:
            callback.set_model(model)
            callback.set_params({"epochs": epochs, "steps": None, "verbose": 0})
        if self._callbacks:
            model.stop_training = False

    def tell(self, hook: str, *arguments: Any) -> None:
        """Calls a hook of each, such as `on_epoch_end` with the epoch's number, counted from 0, and its values.

        Raises:
            CodeError: One raised something, or asked for the end of the training.
        """
        for callback in self._callbacks:
            call(self._reference, getattr(callback, hook), *arguments, what=f"{type(callback).__name__}.{hook}: ")
        if self._callbacks and self._model.stop_training:
            raise CodeError(
                f"{spoken(self._reference)}: a callback set stop_training; when a training ends is said by "
                "training.early_stopping and training.stop_when"
            )
