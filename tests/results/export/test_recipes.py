"""Every layer that a space file can ask for predicts the same in every format."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import yaml

import results
import spaces
from results.exporting.formats import FORMATS
from search.record.trial import TrialKind
from spaces.families.common import ACTIVATIONS

NETWORKS: dict[str, dict[str, Any]] = {
    "residual, strides, squeeze and excitation, normalized, gelu": {
        "family": "cnn", "stem": {"filters": 6, "stride": 2}, "block": "residual", "blocks": 2, "filters": 8,
        "convolutions": 3, "downsampling": "stride", "squeeze_excitation": True, "batch_normalization": True,
        "activation": "gelu", "global_pooling": "average",
    },
    "separable, pooled, silu": {
        "family": "cnn", "block": "separable", "blocks": 2, "filters": 8, "convolutions": 2, "padding": "same",
        "squeeze_excitation": True, "activation": "silu", "global_pooling": "max",
    },
    "residual rows, gelu": {
        "family": "mlp", "layers": 2, "units": {"shared": 8}, "block": "residual", "dropout": 0.1, "activation": "gelu",
    },
    "dense, leaky": {"family": "mlp", "layers": 2, "units": 8, "activation": "leaky_relu", "batch_normalization": True},
}  # fmt: skip


@pytest.mark.night
@pytest.mark.parametrize("name", list(NETWORKS))
def test_every_new_layer_predicts_the_same_in_all_five_formats(name: str, write_run: Any) -> None:
    pytest.importorskip("tf2onnx")
    space = {
        "name": "recipes", "data": {"source": "digits", "validation": 0.2, "test": 0.2}, "model": NETWORKS[name],
        "training": {"epochs": 1, "batch_size": [32]}, "search": {"algorithm": "random"},
    }  # fmt: skip
    spec = spaces.load(space)
    data = spaces.load_data(spec)
    settings = spaces.configure(spec, {"batch_size": 32})
    model = spaces.build_model(settings, data.info, seed=4)
    # Moving averages and scales of the normalizations that are none of the initial ones.
    model.fit(data.train.x[:320], data.train.y[:320], epochs=3, verbose=0)
    run = write_run(yaml.safe_dump(space), data)
    run.trial("0000", TrialKind.SEARCH, settings, 0.5, best=run.weights("0000", model.get_weights()))
    assert data.test is not None
    run.rows(data.test.x, data.test.y)
    result = results.export(run.directory, formats=["keras", "h5", "savedmodel", "onnx", "tflite"])
    assert [file.failure for file in result.files] == [None] * 5
    assert all(file.difference is not None and file.difference < 1e-4 for file in result.files)


def activated(names: Any) -> Any:
    """A model that has each activation in a dense layer and behind one."""
    import keras

    inputs = keras.Input((4,), name="rows")
    within = [keras.layers.Dense(3, activation=name)(inputs) for name in names]
    behind = [keras.layers.Activation(name)(keras.layers.Dense(3)(inputs)) for name in names]
    return keras.Model(inputs, keras.layers.Concatenate()(within + behind))


ROWS = np.random.default_rng(3).normal(0, 0.5, (20, 4)).astype(np.float32)


def test_activations_that_litert_has_no_operation_for_are_written_in_those_that_it_has(tensorflow: None) -> None:
    import keras

    from results.exporting.writing import _in_own_operations
    from spaces.backbones.loading import leaves
    from spaces.layers.plain_activations import needs_writing

    model = activated(["selu", "relu", "softsign"])
    expected = model.predict_on_batch(6 * ROWS)
    plain = keras.models.clone_model(model, clone_function=_in_own_operations, recursive=True)
    assert [needs_writing(layer) for layer in leaves(model)].count(True) == 4
    assert not any(map(needs_writing, leaves(plain)))
    np.testing.assert_allclose(plain.predict_on_batch(6 * ROWS), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(model.predict_on_batch(6 * ROWS), expected)


@pytest.mark.night
@pytest.mark.parametrize("name", ["onnx", "tflite", "tflite-float16", "tflite-int8"])
def test_every_activation_can_be_written(name: str, tensorflow: None, tmp_path: Any) -> None:
    pytest.importorskip("tf2onnx")
    from results.exporting.reading.loading import load
    from results.exporting.writing import write_model

    model, format = activated(ACTIVATIONS), FORMATS[name]
    write_model(model, format, tmp_path / format.file, lambda: ROWS)
    found = load(tmp_path / format.file).predict(ROWS)
    tolerance = 0.2 if name.endswith("int8") else 0.02 if name.endswith("float16") else 1e-4
    np.testing.assert_allclose(found, model.predict(ROWS, verbose=0), atol=tolerance, rtol=tolerance)
