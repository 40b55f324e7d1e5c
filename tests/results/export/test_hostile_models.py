"""Models of strangers: small files that stand for terabytes, or that reach for other files. None is unpacked."""

from __future__ import annotations

import io
import json
import os
import resource
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from results import ResultError
from results.exporting.reading import memory, safety
from results.exporting.reading.archive import CONFIG, WEIGHTS, check_h5, check_keras
from results.exporting.reading.loading import BATCH, LoadedModel, load
from results.exporting.reading.onnx_file import check_onnx

ROWS = np.ones((3, 8), np.float32)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small model in every format."""
    import keras

    made = tmp_path_factory.mktemp("models")
    layers = keras.layers
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Normalization(mean=[0.0] * 8, variance=[1.0] * 8),
            layers.Dense(4, activation="relu"),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(2, activation="softmax"),
        ]
    )
    model.save(made / "model.keras")
    model.save(made / "model.h5")
    model.export(made / "savedmodel", format="tf_saved_model", verbose=False)
    return made


def stored_model(folder: Path) -> Any:
    """What a SavedModel says."""
    from tensorflow.core.protobuf import saved_model_pb2

    stored = saved_model_pb2.SavedModel()
    stored.ParseFromString((folder / "savedmodel" / "saved_model.pb").read_bytes())
    return stored


def changed(source: Path, target: Path, name: str, change: Callable[[bytes], bytes], packed: bool = False) -> Path:
    """A copy of a `.keras` file with one of its members changed."""
    method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", method) as new:
        for member in old.namelist():
            new.writestr(member, change(old.read(member)) if member == name else old.read(member))
    return target


def with_hdf5(change: Callable[[h5py.File], Any]) -> Callable[[bytes], bytes]:
    def changed_bytes(content: bytes) -> bytes:
        stream = io.BytesIO(content)
        with h5py.File(stream, "a") as file:
            change(file)
        return stream.getvalue()

    return changed_bytes


def peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_models_that_are_what_they_say_are_loaded(folder: Path, tmp_path: Path) -> None:
    expected = load(folder / "model.keras").predict(ROWS)
    packed = changed(folder / "model.keras", tmp_path / "packed.keras", "", bytes, packed=True)
    for file in (folder / "model.h5", folder / "savedmodel", packed):
        np.testing.assert_allclose(load(file).predict(ROWS), expected, atol=1e-6)


def test_a_packed_file_that_stands_for_gigabytes_is_not_unpacked(folder: Path, tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.keras"
    with zipfile.ZipFile(folder / "model.keras") as old, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as new:
        new.writestr(CONFIG, old.read(CONFIG))
        with new.open(WEIGHTS, "w") as member:
            for _ in range(600):
                member.write(bytes(2**20))
    before = peak()
    with pytest.raises(
        ResultError, match=r"bomb.keras: refused: it would unpack from 1 MiB to 600 MiB; allowed: 64 MiB"
    ):
        load(bomb)
    assert peak() - before < 50 * 2**20


CLAIMS: list[tuple[Callable[[h5py.File], Any], str]] = [
    (
        lambda file: file.create_dataset("x", (10**12,), "f4", chunks=(1024,), compression="gzip"),
        r"refused: its weights would unpack from 1 MiB to 3,814,697 MiB",
    ),
    (lambda file: file.create_dataset("x", (10**10,), "f4"), r"refused: its weights would unpack"),
    (lambda file: file.__setitem__("x", h5py.ExternalLink("/etc/other.h5", "/x")), "'x' in it is a link to somewhere"),
    (lambda file: file.__setitem__("x", h5py.SoftLink("/y")), "'x' in it is a link to somewhere"),
    (
        lambda file: file.create_dataset("x", (4,), "u1", external=[("/etc/passwd", 0, 4)]),
        "the values of 'x' are in another file",
    ),
    (
        lambda file: file.create_virtual_dataset("x", h5py.VirtualLayout((4,), "u1"), fillvalue=0),
        "the values of 'x' are in another file",
    ),
]


@pytest.mark.parametrize(("change", "message"), CLAIMS)
def test_weights_that_claim_too_much_or_reach_outside_are_refused(
    folder: Path, tmp_path: Path, change: Callable[[h5py.File], Any], message: str
) -> None:
    hostile = changed(folder / "model.keras", tmp_path / "hostile.keras", WEIGHTS, with_hdf5(change))
    with pytest.raises(ResultError, match=f"hostile.keras: .*{message}"):
        check_keras(hostile)
    (tmp_path / "hostile.h5").write_bytes(with_hdf5(change)((folder / "model.h5").read_bytes()))
    with pytest.raises(ResultError, match=f"hostile.h5: .*{message}"):
        check_h5(tmp_path / "hostile.h5")


def test_groups_that_hold_each_other_end(folder: Path, tmp_path: Path) -> None:
    def circle(file: h5py.File) -> None:
        file["circle"] = file["/"]

    check_keras(changed(folder / "model.keras", tmp_path / "circle.keras", WEIGHTS, with_hdf5(circle)))


def test_archives_of_another_kind_are_named(folder: Path, tmp_path: Path) -> None:
    outside, foreign, bzip2 = tmp_path / "outside.keras", tmp_path / "foreign.keras", tmp_path / "bzip2.keras"
    changed(folder / "model.keras", outside, "", bytes)
    with zipfile.ZipFile(outside, "a") as archive:
        archive.writestr("assets/../../x", "x")
    with zipfile.ZipFile(foreign, "w") as archive:
        archive.writestr("a.txt", "x")
    with zipfile.ZipFile(folder / "model.keras") as old, zipfile.ZipFile(bzip2, "w", zipfile.ZIP_BZIP2) as archive:
        for name in old.namelist():
            archive.writestr(name, old.read(name))
    (tmp_path / "text.keras").write_text("weights")
    (tmp_path / "empty.keras").write_text("")
    (tmp_path / "torn.keras").write_bytes((folder / "model.keras").read_bytes()[:-100])
    for name, message in {
        "outside": "refused: it would write to assets/../../x",
        "foreign": "cannot be loaded: it is no Keras model, for it holds no config.json",
        "bzip2": "is packed in a way that Keras does not use",
        "text": "cannot be loaded: it is no zip archive, or torn",
        "empty": "cannot be loaded: it is empty",
        "torn": "cannot be loaded: it is no zip archive, or torn",
    }.items():
        with pytest.raises(ResultError, match=f"{name}.keras: {message}" if name != "bzip2" else message):
            load(tmp_path / f"{name}.keras")


def test_layers_larger_than_their_weights_are_not_built(folder: Path, tmp_path: Path) -> None:
    def larger(content: bytes) -> bytes:
        assert content.count(b'"units": 4,') == 1
        return content.replace(b'"units": 4,', b'"units": 2000000000,')

    def repeated(content: bytes) -> bytes:
        config = json.loads(content)
        for name, settings in (("RepeatVector", {"n": 10**12}), ("GlobalAveragePooling1D", {})):
            layer = {"module": "keras.layers", "class_name": name, "config": settings, "registered_name": None}
            config["config"]["layers"].insert(-1, layer)
        return json.dumps(config).encode()

    before = peak()
    with pytest.raises(ResultError, match=r"larger.keras: cannot be loaded"):
        load(changed(folder / "model.keras", tmp_path / "larger.keras", CONFIG, larger))
    with pytest.raises(ResultError, match=r"repeated.keras: refused: one row in its layers would take [0-9,]+ MiB"):
        load(changed(folder / "model.keras", tmp_path / "repeated.keras", CONFIG, repeated))
    import keras

    with keras.StatelessScope():  # its end allocates what still waits for memory
        pass
    assert peak() - before < 200 * 2**20


def test_a_configuration_without_end_is_refused(folder: Path, tmp_path: Path) -> None:
    deep = changed(folder / "model.keras", tmp_path / "deep.keras", CONFIG, lambda _: b'{"a":' * 100_000)
    with pytest.raises(ResultError, match=r"deep.keras: cannot be loaded"):
        load(deep)


def test_a_constant_of_a_saved_model_that_repeats_one_value_is_not_spelt_out(folder: Path, tmp_path: Path) -> None:
    stored = stored_model(folder)
    tensor = (
        stored.meta_graphs[0].graph_def.library.function[0].node_def.add(name="evil", op="Const").attr["value"].tensor
    )
    tensor.dtype = 1
    tensor.float_val.append(1.0)
    tensor.tensor_shape.dim.add(size=10**11)
    (tmp_path / "saved_model.pb").write_bytes(stored.SerializeToString())
    with pytest.raises(ResultError, match="refused: its constants and variables would unpack"):
        load(tmp_path)


def test_a_saved_model_with_operations_outside_of_functions_is_refused(folder: Path, tmp_path: Path) -> None:
    older, several = stored_model(folder), stored_model(folder)
    older.meta_graphs[0].ClearField("object_graph_def")
    several.meta_graphs.add().CopyFrom(several.meta_graphs[0])
    for stored in (older, several):
        (tmp_path / "saved_model.pb").write_bytes(stored.SerializeToString())
        with pytest.raises(ResultError, match="refused: it is none that TensorFlow 2 has written"):
            load(tmp_path)


@pytest.mark.parametrize(
    "operation", ["DebugIdentity", "CacheDataset", "DatasetFromGraph", "GenerateVocabRemapping", "DecodeProtoV2"]
)
def test_operations_that_touch_files_and_have_no_state_are_refused(
    folder: Path, tmp_path: Path, operation: str
) -> None:
    stored = stored_model(folder)
    graph = stored.meta_graphs[0]
    named = set(graph.object_graph_def.concrete_functions)
    function = next(f for f in graph.graph_def.library.function if f.signature.name in named)
    function.node_def.add(name="evil", op=operation)
    (tmp_path / "saved_model.pb").write_bytes(stored.SerializeToString())
    with pytest.raises(ResultError, match=f"refused: it uses the operation {operation}, which does more than compute"):
        load(tmp_path)


def test_a_function_that_only_an_object_names_is_looked_at(folder: Path, tmp_path: Path) -> None:
    stored = stored_model(folder)
    graph = stored.meta_graphs[0]
    hidden = graph.graph_def.library.function.add()
    hidden.signature.name = "hidden"
    hidden.node_def.add(name="evil", op="WriteFile")
    graph.object_graph_def.nodes.add().function.concrete_functions.append("hidden")
    (tmp_path / "saved_model.pb").write_bytes(stored.SerializeToString())
    with pytest.raises(ResultError, match="refused: it uses the operation WriteFile"):
        load(tmp_path)


def test_a_pipe_in_a_saved_model_is_not_opened(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes((folder / "savedmodel" / "saved_model.pb").read_bytes())
    (tmp_path / "variables").mkdir()
    os.mkfifo(tmp_path / "variables" / "variables.index")
    with pytest.raises(ResultError, match=r"variables.index: is not a file but a pipe"):
        load(tmp_path)


def onnx_model(**tensor: Any) -> Any:
    from onnx import TensorProto, helper

    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 8])
    taken = helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 8])
    weights = TensorProto(name="w", data_type=TensorProto.FLOAT, **tensor)
    node = helper.make_node("Add", ["x", "w"], ["y"])
    return helper.make_model(helper.make_graph([node], "g", [given], [taken], [weights]))


def test_an_onnx_file_stays_within_itself(tmp_path: Path) -> None:
    from onnx import SparseTensorProto, TensorProto, helper

    outside = onnx_model(dims=[8], data_location=TensorProto.EXTERNAL)
    outside.graph.initializer[0].external_data.add(key="location", value="../../etc/passwd")
    filled = onnx_model(dims=[8], float_data=[0.0] * 8)
    shape = TensorProto(name="shape", data_type=TensorProto.INT64, dims=[2], int64_data=[10**6, 10**6])
    filled.graph.initializer.append(shape)
    filled.graph.node.append(helper.make_node("ConstantOfShape", ["shape"], ["large"]))
    inner = helper.make_graph([], "inner", [], [], [TensorProto(name="v", data_type=1, dims=[10**12])])
    nested = onnx_model(dims=[8], float_data=[0.0] * 8)
    nested.graph.node.append(helper.make_node("If", ["x"], ["z"], then_branch=inner))
    sparse = onnx_model(dims=[8], float_data=[0.0] * 8)
    one = TensorProto(name="s", data_type=TensorProto.FLOAT, dims=[1], float_data=[1.0])
    place = TensorProto(data_type=TensorProto.INT64, dims=[1], int64_data=[0])
    sparse.graph.sparse_initializer.append(SparseTensorProto(dims=[10**6, 10**6], values=one, indices=place))
    for model, message in (
        (outside, "refused: the weights 'w' are in another file"),
        (onnx_model(dims=[10**12]), "refused: its constants would unpack"),
        (filled, "refused: its constants would unpack"),
        (nested, "refused: its constants would unpack"),
        (sparse, "refused: its constants would unpack"),
    ):
        (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
        with pytest.raises(ResultError, match=f"model.onnx: {message}"):
            load(tmp_path / "model.onnx")
    (tmp_path / "model.onnx").write_bytes(onnx_model(dims=[8], float_data=[0.0] * 8).SerializeToString())
    check_onnx(tmp_path / "model.onnx")


def test_a_lite_file_larger_than_the_memory_is_refused(folder: Path, tmp_path: Path, monkeypatch: Any) -> None:
    import keras

    model = keras.saving.load_model(folder / "model.keras")
    model.export(tmp_path / "model.tflite", format="litert", verbose=False)
    content = (tmp_path / "model.tflite").read_bytes()
    assert 8 * 8 <= safety.check_tflite(content, tmp_path) < 10_000
    monkeypatch.setattr(memory, "memory_allowed", lambda: 100)
    with pytest.raises(ResultError, match="refused: one row in its layers would take 1 MiB of memory"):
        safety.check_tflite(content, tmp_path)


def test_rows_are_predicted_in_pieces_that_fit_into_memory(monkeypatch: Any) -> None:
    monkeypatch.setattr(memory, "memory_allowed", lambda: 4000)
    taken: list[int] = []

    def run(rows: Any) -> Any:
        taken.append(len(rows))
        return rows

    for row_bytes in (0, 1, 100, 10**9):
        LoadedModel((2,), 2, run, row_bytes).predict(np.zeros((BATCH + 1, 2), np.float32))
    assert taken == [BATCH, 1] + [BATCH, 1] + [10] * 25 + [7] + [1] * (BATCH + 1)


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    for suffix in (".keras", ".h5", ".onnx", ".tflite"):
        os.mkfifo(tmp_path / f"pipe{suffix}")
        (tmp_path / f"endless{suffix}").symlink_to("/dev/zero")
        for name, what in (("pipe", "a pipe"), ("endless", "a device")):
            with pytest.raises(ResultError, match=f"{name}{suffix}: is not a file but {what}"):
                load(tmp_path / f"{name}{suffix}")
