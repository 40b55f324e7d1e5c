"""Looks into an ONNX file before its engine does: what it would unpack to, and whether it stays within itself."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from results.errors import ResultError
from results.exporting.reading.memory import check_fits, check_unpacked

_COPIES = 4  # the file, what it is parsed to, and what the engine makes of that


def check_onnx(path: Path) -> None:
    """Checks the constants of an ONNX file.

    Raises:
        ResultError: It keeps weights in other files, or its constants claim far more than it holds.
        Exception: Whatever the reader raises for a damaged file.
    """
    import onnx

    stored = path.stat().st_size
    check_fits(_COPIES * stored, path, "it")
    model = onnx.load(str(path), load_external_data=False)
    functions = [node for function in model.functions for node in function.node]
    claimed = 0
    for tensor in _tensors(model.graph, [*model.graph.node, *functions]):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise ResultError(f"{path}: refused: the weights {tensor.name!r} are in another file")
        claimed += prod(max(1, size) for size in tensor.dims) * _itemsize(tensor.data_type)
    claimed += sum(_filled(model.graph))
    check_unpacked(claimed, stored, path, "its constants")


def _tensors(graph: Any, nodes: Any) -> Iterator[Any]:
    """All constants, those of the graphs inside of nodes too."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from _of_sparse(sparse)
    for node in nodes:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from _of_sparse(sparse)
            for inner in (attribute.g, *attribute.graphs):
                if inner.node or inner.initializer or inner.sparse_initializer:
                    yield from _tensors(inner, inner.node)


def _of_sparse(sparse: Any) -> Iterator[Any]:
    """What is stored of a sparse constant, and what the engine makes of it: all its zeros are spelt out."""
    from onnx import TensorProto

    yield from (sparse.values, sparse.indices)
    yield TensorProto(dims=sparse.dims, data_type=sparse.values.data_type)


def _filled(graph: Any) -> Iterator[int]:
    """Bytes of what the engine fills in by itself while it loads: one value, and a shape to repeat it in."""
    from onnx import numpy_helper

    known = {tensor.name: tensor for tensor in graph.initializer}
    known |= {node.output[0]: node.attribute[0].t for node in graph.node if node.op_type == "Constant" and node.output}
    places = {"ConstantOfShape": 0, "Expand": 1}
    for node in graph.node:
        place = places.get(node.op_type)
        shape = known.get(node.input[place]) if place is not None and place < len(node.input) else None
        if shape is not None:
            sizes = np.atleast_1d(numpy_helper.to_array(shape))
            yield 8 * prod(max(1, int(size)) for size in sizes)


def _itemsize(data_type: int) -> int:
    from onnx import helper

    return 0 if data_type == 0 else int(helper.tensor_dtype_to_np_dtype(data_type).itemsize)
