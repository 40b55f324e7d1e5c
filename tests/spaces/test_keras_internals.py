"""What is used of Keras and TensorFlow that they do not promise: the tests say what an upgrade has broken."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def keras(tensorflow):
    import keras

    return keras


def test_the_counts_of_given_names_can_be_read_and_set(keras):
    from spaces.outside import keras_internals

    before = keras_internals.names_given()
    try:
        keras_internals.set_names_given({})
        assert keras.metrics.AUC().name == "auc"
        assert keras.metrics.AUC().name == "auc_1"
        assert keras_internals.names_given()["auc"] == 2
    finally:
        keras_internals.set_names_given(before)


def test_a_model_can_be_made_without_memory_and_nothing_is_allocated_later(keras):
    from spaces.outside import keras_internals

    with keras_internals.unallocated():
        model = keras.Sequential([keras.Input((10_000,)), keras.layers.Dense(10**9)])
    assert model.count_params() == 10_001 * 10**9
    with keras.StatelessScope():
        pass


def test_the_places_at_which_a_layer_is_used_are_known(keras):
    from spaces.outside import keras_internals

    layer, inputs = keras.layers.Dense(3), keras.Input((3,))
    layer(layer(inputs))
    assert [node.output_tensors[0].shape for node in keras_internals.uses_of(layer)] == [(None, 3), (None, 3)]


def test_the_rate_that_an_optimizer_was_given_can_be_read(keras):
    from spaces.outside import keras_internals

    schedule = keras.optimizers.schedules.InverseTimeDecay(0.1, 1, 0.5)
    assert keras_internals.rate_of(keras.optimizers.SGD(schedule)) is schedule
    assert keras_internals.rate_of(keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(schedule))) is schedule


def test_what_an_optimizer_changes_can_be_read(keras):
    from spaces.outside import keras_internals

    variables = [keras.Variable([0.0]), keras.Variable([1.0])]
    for optimizer in (keras.optimizers.Adam(), keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())):
        assert keras_internals.built_on(optimizer) == []
        optimizer.build(variables)
        assert [*map(id, keras_internals.built_on(optimizer))] == [*map(id, variables)]


def test_a_variable_can_take_values_of_other_shapes(keras):
    import numpy as np

    from spaces.outside import keras_internals

    variable = keras.Variable(np.zeros((2, 3), np.float32))
    keras_internals.open_shape(variable, [None, None])
    variable.value.assign(np.ones((5, 7), np.float32))
    assert np.asarray(variable.value).shape == (5, 7)


def test_the_definition_of_an_operation_is_known(tensorflow):
    from spaces.outside import tensorflow_internals

    assert tensorflow_internals.operation("VarHandleOp").is_stateful
    assert not tensorflow_internals.operation("MatMul").is_stateful
    assert tensorflow_internals.operation("NoSuchOperation") is None


def test_all_layers_within_a_layer_are_known(keras):
    from spaces.outside import keras_internals

    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="inside")])
    outer = keras.Sequential([keras.Input((3,)), inner])
    assert "inside" in [layer.name for layer in keras_internals.layers_within(outer.layers[0])]


def test_a_model_computes_with_the_weights_that_it_was_given(keras):
    import numpy as np

    from spaces.outside import keras_internals

    inner = keras.Sequential([keras.Input((2,)), keras.layers.Normalization()])
    outer = keras.Sequential([keras.Input((2,)), inner])
    keras_internals.give_weights(outer, [np.array([1.0, 2.0]), np.array([4.0, 0.25]), np.array(0)])
    np.testing.assert_allclose(outer(np.array([[3.0, 1.0]], np.float32)), [[1.0, -2.0]])


def test_a_lite_file_can_be_read_by_its_schema(tensorflow):
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema

    from spaces.outside import tensorflow_internals

    builder = flatbuffers.Builder()
    builder.Finish(schema.ModelT().Pack(builder))
    model = tensorflow_internals.lite_model(bytes(builder.Output()))
    assert (model.OperatorCodesLength(), model.SubgraphsLength()) == (0, 0)


_INSIDES = ("keras.src", "tensorflow.python", "tensorflow.lite.python", "ray._private")


def test_nothing_else_imports_their_insides():
    reaching = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for package in ("spaces", "search", "results")
        for path in sorted((ROOT / package).rglob("*.py"))
        if path.name not in ("keras_internals.py", "tensorflow_internals.py", "ray_internals.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom | ast.Import) and any(name.startswith(_INSIDES) for name in _names(node))
    ]
    assert reaching == []


def _names(node):
    return [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
