"""What TensorFlow's converter to ONNX does not know and our networks need.

Imported only where a model is written as ONNX: the module needs tf2onnx.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from tf2onnx import utils
from tf2onnx.handler import tf_op


@tf_op("Erfc")
class ComplementaryErrorFunction:
    """Keras's gelu is made of it; ONNX has the error function alone."""

    @classmethod
    def version_9(cls, graph: Any, node: Any, **_: Any) -> None:
        """Puts 1 - erf(x) in place of the node."""
        name, outputs = node.name, node.output
        shapes, types = node.output_shapes, node.output_dtypes
        graph.remove_node(name)
        erf = graph.make_node("Erf", node.input, shapes=shapes, dtypes=types, name=utils.make_name(f"{name}_erf"))
        one = graph.make_const(utils.make_name(f"{name}_one"), np.array(1, utils.map_onnx_to_numpy_type(types[0])))
        inputs = [one.output[0], erf.output[0]]
        graph.make_node("Sub", inputs, outputs=outputs, shapes=shapes, dtypes=types, name=name)
