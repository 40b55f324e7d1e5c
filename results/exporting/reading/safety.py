"""Refuses exported models that could do more than compute, or that claim far more memory than they hold.

A SavedModel is a program: its graph may write files or call back into Python. A LiteRT file may reach the same
operations through TensorFlow's `Flex` operations. Only graphs that calculate are loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from results.errors import ResultError
from results.exporting.reading.digest import size_of
from results.exporting.reading.memory import check_fits, check_unpacked
from spaces.basics.files import unreadable
from spaces.outside import tensorflow_internals

# Operations with state that touch nothing but the model's own variables, tables and control flow.
_HARMLESS = {
    "Assert", "AssignVariableOp", "DestroyResourceOp", "HashTableV2", "If", "InitializeTableV2",
    "LookupTableFindV2", "LookupTableImportV2", "LookupTableSizeV2", "NoOp", "PartitionedCall", "Placeholder",
    "ReadVariableOp", "ResourceGather", "StatefulPartitionedCall", "VarHandleOp", "VarIsInitializedOp", "While",
}  # fmt: skip
# Without state as TensorFlow counts it, yet they read or write files, and some run a graph that is packed in a text.
_REACHES_OUT = re.compile(
    "MatchingFiles|ReadFile|LMDBReader|ImmutableConst|GenerateVocabRemapping|EncodeProto|DecodeProto.*|Debug.*|.*Dataset.*"
)


def check_saved_model(folder: Path) -> None:
    """Checks every function that loading or calling a SavedModel can run.

    Args:
        folder: Holds `saved_model.pb`.

    Raises:
        ResultError: The file is damaged, or was not written by TensorFlow 2, one of its functions has an operation that
            reads or writes files, calls Python, or is unknown, its constants or variables claim far more than its files
            hold, or the folder holds something that is no file.
    """
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped, unused-ignore]
    from tensorflow.core.protobuf import saved_model_pb2

    for file in folder.rglob("*"):
        if not file.is_dir() and (reason := unreadable(file)) is not None:
            raise ResultError(f"{file}: {reason}")
    check_fits(size_of(folder), folder, "it")
    stored = saved_model_pb2.SavedModel()
    try:
        stored.ParseFromString((folder / "saved_model.pb").read_bytes())
    except (OSError, DecodeError) as error:
        raise ResultError(f"{folder}: its saved_model.pb is damaged ({error})") from error
    # Of any other kind TensorFlow runs what is in no function: as it was written before there were any.
    if len(stored.meta_graphs) != 1 or not stored.meta_graphs[0].HasField("object_graph_def"):
        raise ResultError(f"{folder}: refused: it is none that TensorFlow 2 has written; save it again with that")
    for graph in stored.meta_graphs:
        library = {function.signature.name: function for function in graph.graph_def.library.function}
        # Functions to save and restore the model are in the library too, but nothing here calls them.
        found = _operations(_called(graph.object_graph_def), library)
        if refused := sorted(operation for operation in found if not _allowed(operation)):
            raise ResultError(f"{folder}: refused: it uses the operation {refused[0]}, which does more than compute")
    claimed = sum(size for graph in stored.meta_graphs for size in _claims(graph))
    check_unpacked(claimed, size_of(folder), folder, "its constants and variables")


def _claims(graph: Any) -> Iterator[int]:
    """Bytes of the constants and variables of a graph, as their shapes tell: a constant may repeat one value."""
    nodes = [*graph.graph_def.node, *(node for f in graph.graph_def.library.function for node in f.node_def)]
    for node in nodes:
        for value in node.attr.values():
            for tensor in (value.tensor, *value.list.tensor):
                yield _bytes(tensor.tensor_shape, tensor.dtype)
    for saved in graph.object_graph_def.nodes:
        yield _bytes(saved.variable.shape, saved.variable.dtype)


def _bytes(shape: Any, dtype: int) -> int:
    import tensorflow as tf

    return 0 if dtype == 0 else prod(max(1, dimension.size) for dimension in shape.dim) * tf.dtypes.as_dtype(dtype).size


def check_tflite(content: bytes, path: Path) -> int:
    """Checks the operations and tensors of a LiteRT file.

    Returns:
        Bytes of the largest tensor, for one row.

    Raises:
        ResultError: An operation is not LiteRT's own, or the tensors do not fit into memory.
    """
    model = tensorflow_internals.lite_model(content)
    for index in range(model.OperatorCodesLength()):
        custom = model.OperatorCodes(index).CustomCode()
        if custom is not None:
            name = custom.decode(errors="replace")
            raise ResultError(f"{path}: refused: it uses the operation {name}, which is not LiteRT's own")
    graphs = [model.Subgraphs(index) for index in range(model.SubgraphsLength())]
    tensors = [graph.Tensors(index) for graph in graphs for index in range(graph.TensorsLength())]
    # Shapes are of one row; eight bytes are the widest number.
    sizes = [8 * prod(max(1, int(size)) for size in np.atleast_1d(tensor.ShapeAsNumpy())) for tensor in tensors]
    check_fits(sum(sizes), path, "one row in its layers")
    return max(sizes, default=0)


def _called(saved: Any) -> list[str]:
    """The functions that the objects of a SavedModel have."""
    own = [name for node in saved.nodes for name in node.function.concrete_functions]
    bare = [node.bare_concrete_function.concrete_function_name for node in saved.nodes]
    return [*saved.concrete_functions, *own, *bare]


def _operations(entries: Iterable[str], library: dict[str, Any]) -> set[str]:
    found: set[str] = set()
    waiting, seen = list(entries), set(entries)
    while waiting:
        function = library.get(waiting.pop())
        for node in function.node_def if function is not None else ():
            found.add(node.op)
            called = [f.name for value in node.attr.values() for f in (value.func, *value.list.func) if f.name]
            # An operation may also be the name of a function.
            for name in (*called, node.op):
                if name in library and name not in seen:
                    seen.add(name)
                    waiting.append(name)
    return {operation for operation in found if operation not in library}


def _allowed(operation: str) -> bool:
    definition = tensorflow_internals.operation(operation)
    if definition is None or _REACHES_OUT.fullmatch(operation):
        return False
    return operation in _HARMLESS or not definition.is_stateful
