"""The exported model is fixed to inference, whatever layers it has and however it is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import results
import spaces
from results.errors import UnfitError
from results.exporting.formats import FORMATS
from search.record.trial import TrialKind

AUGMENTED = """\
name: augmented
data: {source: digits, validation: 0.2, test: 0.2, image_size: 6}
model:
  family: cnn
  blocks: 1
  filters: 4
  dropout: 0.3
  dropout_position: features
  batch_normalization: true
  augmentation: {flip: both, rotation: 0.2, zoom: 0.2}
  output: logits
training: {epochs: 1, batch_size: [32]}
search: {algorithm: random}
"""


@pytest.fixture(scope="module")
def rows() -> Any:
    return np.random.default_rng(3).integers(0, 256, (20, 16, 16, 3)).astype(np.float32)


def layers() -> list[Any]:
    import keras

    made = keras.layers
    return [
        keras.Sequential([made.RandomFlip("horizontal"), made.RandomRotation(0.3)]),
        made.Resizing(12, 12),
        made.Rescaling(1 / 255),
        made.Conv2D(4, 3),
        made.BatchNormalization(),
        made.Flatten(),
        made.Dropout(0.5),
        made.Dense(3, activation="softmax"),
    ]


def sequential() -> Any:
    import keras

    return keras.Sequential([keras.Input((16, 16, 3)), *layers()])


def functional() -> Any:
    import keras

    inputs = keras.Input((16, 16, 3))
    outputs = inputs
    for layer in layers():
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def subclassed() -> Any:
    import keras

    class Custom(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = keras.Sequential(layers())

        def call(self, inputs: Any, training: bool | None = None) -> Any:
            return self.inner(inputs, training=training)

    return Custom()


@pytest.mark.parametrize("build", [sequential, functional, subclassed])
def test_a_direct_call_gives_what_predict_gives(build: Callable[[], Any], rows: Any) -> None:
    from results.exporting.inference import inference_model

    model = build()
    model.compile("adam", "sparse_categorical_crossentropy")
    expected = model.predict(rows, verbose=0)
    info = spaces.DataInfo("image", (16, 16, 3), "float32", "classification", "integer", 10)
    fixed = inference_model(model, info)
    np.testing.assert_allclose(np.asarray(fixed(rows)), expected, atol=1e-6)
    # Who wants to train on can: dropout and augmentation act when asked to.
    assert np.abs(np.asarray(fixed(rows, training=True)) - expected).max() > 0.01
    assert not fixed.compiled
    assert model.compiled
    assert fixed.count_params() == model.count_params()
    if build is not subclassed:
        assert [layer.name for layer in fixed.layers[1:]] == [layer.name for layer in layers_of(model)]


def layers_of(model: Any) -> list[Any]:
    return [layer for layer in model.layers if type(layer).__name__ != "InputLayer"]


@pytest.mark.parametrize("name", ["keras", "h5"])
def test_a_standardization_that_was_learnt_survives_in_a_network_within(
    name: str, tensorflow: None, tmp_path: Any
) -> None:
    import keras

    from results.exporting.formats import FORMATS
    from results.exporting.inference import inference_model
    from results.exporting.reading.loading import load
    from results.exporting.writing import write_model

    rows = np.random.default_rng(1).normal(7, 3, (20, 4)).astype(np.float32)
    within = keras.Sequential([keras.Input((4,)), keras.layers.Normalization(name="learnt")])
    within.get_layer("learnt").adapt(rows)
    inputs = keras.Input((4,), name="rows")
    model = keras.Model(inputs, keras.layers.Dense(2)(within(inputs)))
    info = spaces.DataInfo("tabular", (4,), "float32", "regression", "number", 2)
    path = tmp_path / FORMATS[name].file
    write_model(inference_model(model, info), FORMATS[name], path)
    np.testing.assert_allclose(load(path).predict(rows), model.predict(rows, verbose=0), atol=1e-5)
    assert model.get_layer(within.name) is within, "the model itself is as it was"


@pytest.mark.night
def test_augmentation_resizing_and_logits_survive_every_format(write_run: Any, tmp_path: Any) -> None:
    pytest.importorskip("tf2onnx")
    space = tmp_path / "augmented.yaml"
    space.write_text(AUGMENTED, encoding="utf-8")
    spec = spaces.load(space)
    data = spaces.load_data(spec)
    settings = spaces.configure(spec, {"batch_size": 32})
    model = spaces.build_model(settings, data.info, seed=4)
    run = write_run(AUGMENTED, data)
    run.trial("0000", TrialKind.SEARCH, settings, 0.5, best=run.weights("0000", model.get_weights()))
    run.rows(data.test.x, data.test.y)
    result = results.export(run.directory, formats=["keras", "h5", "savedmodel", "onnx", "tflite"])
    assert [file.failure for file in result.files] == [None] * 5
    assert result.role == "best so far"

    np.save(tmp_path / "rows.npy", data.test.x[:5])
    logits = model.predict(data.test.x[:5], verbose=0)
    exponents = np.exp(logits)
    expected = exponents / exponents.sum(axis=1, keepdims=True)
    for name in ("model.keras", "model.tflite"):
        found = results.predict(result.directory / name, [tmp_path / "rows.npy"])
        np.testing.assert_allclose([list(p.probabilities.values()) for p in found], expected, atol=1e-3)


def recurrent() -> Any:
    import keras

    made = keras.layers
    inputs = keras.Input((5,), dtype="int32")
    steps = made.LSTM(3, return_sequences=True)(made.Embedding(9, 2, mask_zero=True)(inputs))
    return keras.Model(inputs, made.Dense(2)(made.Bidirectional(made.GRU(2))(steps)))


def standardized(**given: Any) -> Any:
    import keras

    numbers = np.random.default_rng(5).normal(9.0, 4.0, (50, 5)).astype(np.float32)
    layer = keras.layers.Normalization(**given)
    if not given:
        layer.adapt(numbers)
    inputs = keras.Input((5,))
    return keras.Model(inputs, layer(keras.layers.Dense(5)(inputs)))


@pytest.mark.parametrize(
    ("name", "build"),
    [
        pytest.param("tflite", recurrent, id="recurrent"),
        pytest.param("onnx", standardized, id="learnt"),
        pytest.param("onnx", lambda: standardized(mean=3.0, variance=4.0, invert=True), id="inverse"),
    ],
)
def test_what_a_converter_does_not_know_is_written_in_what_it_knows(
    name: str, build: Callable[[], Any], tensorflow: None, tmp_path: Any
) -> None:
    if name == "onnx":
        pytest.importorskip("tf2onnx")
    from results.exporting.reading.loading import load
    from results.exporting.writing import write_model

    model, rows = build(), np.random.default_rng(4).integers(0, 9, (7, 5))
    path = tmp_path / FORMATS[name].file
    write_model(model, FORMATS[name], path)
    np.testing.assert_allclose(load(path).predict(rows), model.predict(rows, verbose=0), atol=1e-4)
    assert not any(layer.unroll for layer in layers_of(model) if hasattr(layer, "unroll"))


def test_series_that_are_too_long_to_be_written_step_by_step_are_told(tensorflow: None, tmp_path: Any) -> None:
    import keras

    from results.exporting.writing import write_model

    model = keras.Sequential([keras.Input((1200, 1)), keras.layers.LSTM(1)])
    with pytest.raises(UnfitError, match=r"its recurrent layers go 1,200 steps; written for tflite are those of 1,000"):
        write_model(model, FORMATS["tflite"], tmp_path / "model.tflite")


def test_masked_series_that_are_read_backwards_step_by_step_are_told(tensorflow: None, tmp_path: Any) -> None:
    import keras

    from results.exporting import writing

    def model_of(*layers: Any) -> Any:
        return keras.Sequential([keras.Input((4, 1)), *layers])

    made = keras.layers
    each = made.Bidirectional(made.LSTM(1, return_sequences=True))
    model = model_of(made.Masking(), each)
    with pytest.raises(UnfitError, match="reads masked series backwards and answers at each step"):
        writing.write_model(model, FORMATS["tflite"], tmp_path / "model.tflite")
    for free in (model_of(each), model_of(made.Masking(), made.Bidirectional(made.GRU(1)))):
        with writing._unrolled(free):
            assert all(layer.unroll for layer in writing._recurrent(free))


@pytest.mark.parametrize(
    ("error", "unfit"),
    [
        (ValueError("knows no such operation"), True),
        (MemoryError(), False),
        (ImportError("no module"), False),
        (type("ResourceExhaustedError", (Exception,), {})("of memory"), False),
        (RuntimeError("model.h5: write failed: No space left on device"), False),
    ],
)
def test_what_the_machine_lacks_says_nothing_about_the_model(
    error: Exception, unfit: bool, tensorflow: None, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from results import ResultError
    from results.exporting import writing

    def fail(model: Any, path: Any) -> None:
        raise error

    monkeypatch.setitem(writing._WRITERS, "h5", fail)
    model: Any = None
    with pytest.raises(ResultError, match="cannot be written as h5") as told:
        writing.write_model(model, FORMATS["h5"], tmp_path / "model.h5")
    assert isinstance(told.value, UnfitError) is unfit


def test_a_h5_file_that_keras_would_not_read_is_refused_for_its_operations(tensorflow: None, tmp_path: Any) -> None:
    from results.exporting.writing import write_model

    path = tmp_path / "model.h5"
    with pytest.raises(
        UnfitError, match=r"holds operations between its layers \(NotEqual\), which Keras does not read"
    ):
        write_model(recurrent(), FORMATS["h5"], path)
    assert not path.exists()
