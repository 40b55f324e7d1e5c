"""Refuses exported models that could do more than compute.

A SavedModel is a program: its graph may write files or call back into Python. A LiteRT file may reach the same
operations through TensorFlow's `Flex` operations. Only graphs that calculate are loaded.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from results.errors import ResultError

# Operations with state that touch nothing but the model's own variables, tables and control flow.
_HARMLESS = {
    "Assert", "AssignVariableOp", "DestroyResourceOp", "HashTableV2", "If", "InitializeTableV2",
    "LookupTableFindV2", "LookupTableImportV2", "LookupTableSizeV2", "NoOp", "PartitionedCall", "Placeholder",
    "ReadVariableOp", "ResourceGather", "StatefulPartitionedCall", "VarHandleOp", "VarIsInitializedOp", "While",
}  # fmt: skip
# Without state as TensorFlow counts it, yet they read the disk.
_READS_FILES = {"MatchingFiles", "ReadFile", "LMDBReader", "ImmutableConst"}


def check_saved_model(folder: Path) -> None:
    """Checks every function that loading or calling a SavedModel can run.

    Args:
        folder: Holds `saved_model.pb`.

    Raises:
        ResultError: The file is damaged, or one of its functions has an operation that reads or writes files, calls
            Python, or is unknown.
    """
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped, unused-ignore]
    from tensorflow.core.protobuf import saved_model_pb2

    stored = saved_model_pb2.SavedModel()
    try:
        stored.ParseFromString((folder / "saved_model.pb").read_bytes())
    except (OSError, DecodeError) as error:
        raise ResultError(f"{folder}: its saved_model.pb is damaged ({error})") from error
    for graph in stored.meta_graphs:
        library = {function.signature.name: function for function in graph.graph_def.library.function}
        # Functions to save and restore the model are in the library too, but nothing here calls them.
        found = _operations(graph.object_graph_def.concrete_functions, library)
        if refused := sorted(operation for operation in found if not _allowed(operation)):
            raise ResultError(f"{folder}: refused: it uses the operation {refused[0]}, which does more than compute")


def check_tflite(content: bytes, path: Path) -> None:
    """Checks the operations of a LiteRT file.

    Raises:
        ResultError: One of them is not LiteRT's own.
    """
    from tensorflow.lite.python import schema_py_generated as schema

    model = schema.Model.GetRootAs(content, 0)
    for index in range(model.OperatorCodesLength()):
        custom = model.OperatorCodes(index).CustomCode()
        if custom is not None:
            name = custom.decode(errors="replace")
            raise ResultError(f"{path}: refused: it uses the operation {name}, which is not LiteRT's own")


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
    from tensorflow.python.framework import op_def_registry

    definition = op_def_registry.get(operation)
    if definition is None or operation in _READS_FILES:
        return False
    return operation in _HARMLESS or not definition.is_stateful
