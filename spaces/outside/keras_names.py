"""Names in Keras: those that it gives to what has none, the same for every model that a function of the user's builds.

Keras counts: the second metric `AUC()` of a process is called `auc_1`, whichever model it belongs to. So an objective
`val_auc` would exist for the first model only. A stock Keras Tuner forgets the counts before every model.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from spaces.outside import keras_internals

PACKAGE = "nightshift"
"""What a file of a Keras model calls this project, where the model is compiled with classes of it."""


@contextmanager
def counting_from(counts: Mapping[str, int]) -> Iterator[None]:
    """Counts from here inside; what was counted before goes on afterwards. Without Keras loaded it does nothing."""
    if "keras" not in sys.modules:
        yield
        return
    before = current()
    keras_internals.set_names_given(counts)
    try:
        yield
    finally:
        keras_internals.set_names_given(before)


def current() -> dict[str, int]:
    """How many names of each kind have been given; nothing where Keras is not loaded."""
    if "keras" not in sys.modules:
        return {}
    return keras_internals.names_given()
