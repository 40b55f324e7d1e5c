"""What this program uses of TensorFlow that TensorFlow does not promise; see `tests/spaces/test_keras_internals.py`."""

from __future__ import annotations

from typing import Any


def operation(name: str) -> Any:
    """The definition of a TensorFlow operation, which says whether it is stateful; None: there is none."""
    from tensorflow.python.framework import op_def_registry

    return op_def_registry.get(name)
