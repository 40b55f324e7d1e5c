"""What this program uses of Keras that Keras does not promise: all of it, and nothing else of the kind.

`tests/spaces/test_keras_internals.py` says after an upgrade which of these broke.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

_NAMES = "object_name_uids"
_WAITING = "uninitialized_variables"


def names_given() -> dict[str, int]:
    """How many names of each kind Keras has given. `clear_session` would forget compiled functions too."""
    from keras.src.backend.common import global_state

    return dict(global_state.get_global_attribute(_NAMES) or {})


def set_names_given(counts: Mapping[str, int]) -> None:
    """Sets what `names_given` tells."""
    from keras.src.backend.common import global_state

    global_state.set_global_attribute(_NAMES, defaultdict(int, counts))


@contextmanager
def unallocated() -> Iterator[None]:
    """Inside, variables have shapes and no memory; those made in it must not be used afterwards."""
    import keras

    # Keras would allocate what waits in this list at the end of any later scope.
    from keras.src.backend.common import global_state

    before = list(global_state.get_global_attribute(_WAITING) or ())
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute(_WAITING, before)


def uses_of(layer: Any) -> list[Any]:
    """The nodes at which a layer is used; Keras tells the output of a layer that is used once only."""
    return list(getattr(layer, "_inbound_nodes", ()))


def layers_within(layer: Any) -> list[Any]:
    """A layer and all layers that it is made of; Keras tells those of models only."""
    return list(getattr(layer, "_flatten_layers", list)())


def give_weights(layer: Any, weights: Sequence[Any]) -> None:
    """Sets the weights of a layer or model so that it computes with them.

    A `Normalization` that learnt its numbers from rows computes with copies of its weights, which Keras renews when a
    file is read, and not in `set_weights`.

    Raises:
        ValueError: They do not fit.
    """
    import keras

    layer.set_weights(weights)
    for inner in layers_within(layer):
        if isinstance(inner, keras.layers.Normalization):
            inner.finalize_state()


def updating(optimizer: Any) -> Any:
    """The optimizer that makes the updates: one within the other where Keras scales the loss, as for float16."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def rate_of(optimizer: Any) -> Any:
    """The learning rate as the optimizer was given it; the public attribute `learning_rate` is the current rate."""
    return getattr(updating(optimizer), "_learning_rate", None)


def built_on(optimizer: Any) -> list[Any]:
    """The variables that an optimizer was built to change, in their order; before it was built, none."""
    return list(getattr(optimizer, "_trainable_variables", ()))


def open_shape(variable: Any, shape: list[int | None]) -> None:
    """Lets a variable take values of other shapes; for TensorFlow."""
    import tensorflow as tf

    variable._value = tf.Variable(variable.value, shape=tf.TensorShape(shape), trainable=variable.trainable)
