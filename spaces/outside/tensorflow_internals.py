"""What this program uses of TensorFlow that TensorFlow does not promise; see `tests/spaces/test_keras_internals.py`."""

from __future__ import annotations

from typing import Any


def operation(name: str) -> Any:
    """The definition of a TensorFlow operation, which says whether it is stateful; None: there is none."""
    from tensorflow.python.framework import op_def_registry

    return op_def_registry.get(name)


def lite_model(content: bytes) -> Any:
    """A LiteRT file as its schema has it, with `OperatorCodes`, `Subgraphs` and their `Tensors`."""
    from tensorflow.lite.python import schema_py_generated as schema

    return schema.Model.GetRootAs(content, 0)


def in_batches(dataset: Any) -> bool:
    """Whether the last step of a `tf.data.Dataset` that makes batches, or undoes them, makes them; none makes none."""
    waiting = [dataset]
    while waiting:
        one = waiting.pop()
        name = type(one).__name__.lower()
        if "batch" in name:
            return "unbatch" not in name
        waiting += one._inputs()
    return False
