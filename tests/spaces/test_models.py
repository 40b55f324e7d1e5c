"""Models of the families: sizes of the articles' models, order of layers, preprocessing, losses, optimizers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import spaces
from spaces.data.types import DataInfo
from spaces.families import family_of
from spaces.families.layered import Layered

keras = pytest.importorskip("keras")

FASHION = DataInfo("image", (28, 28), "uint8", "classification", "integer", 10, scale=1 / 255)
FLOWERS = DataInfo(
    "image", (180, 180, 3), "uint8", "classification", "integer", 5, scale=1 / 255, image_size=(180, 180)
)
SERIES = DataInfo(
    "series", (24, 3), "float32", "classification", "integer", 2, mean=(1.0, 2.0, 3.0), std=(1.0, 2.0, 0.5)
)
CIFAR = DataInfo("image", (32, 32, 3), "uint8", "classification", "integer", 10, scale=1 / 255, image_size=(64, 64))
TABLE = DataInfo("tabular", (3,), "float32", "classification", "integer", 2, mean=(1.0, 2.0, 3.0), std=(1.0, 2.0, 0.5))


def settings(model: dict[str, Any] | None = None, training: dict[str, Any] | None = None) -> spaces.Settings:
    made = spaces.load(
        {
            "name": "x",
            "data": {"source": "digits"},
            "model": model or {"family": "mlp", "layers": 1, "units": 4},
            "training": {"epochs": 1, **(training or {})},
        }
    )
    return spaces.configure(made, {})


def kinds(model: Any) -> list[str]:
    return [type(layer).__name__ for layer in model.layers]


@pytest.mark.parametrize(
    ("name", "baseline", "info", "parameters"),
    [
        ("fashion-mnist-cnn", "conv-64-64", FASHION, 243_786),
        ("fashion-mnist-mlp", "dense-128", FASHION, 101_770),
        ("fashion-mnist-mlp", "dense-512", FASHION, 407_050),
        ("fashion-mnist-mlp", "dense-500-250-100", FASHION, 543_860),
        ("flowers-cnn", "conv-16-32-64", FLOWERS, 3_989_285),
        ("images-64-cnn", "conv-32-64", CIFAR, 1_626_442),
    ],
)
def test_the_articles_models_have_exactly_their_parameters(
    name: str, baseline: str, info: DataInfo, parameters: int
) -> None:
    spec = spaces.load(name)
    (found,) = [one for one in spec.baselines if one.name == baseline]
    assert spaces.build_model(spaces.configure_baseline(spec, found), info).count_params() == parameters


def test_layers_of_the_flowers_article_are_in_its_order() -> None:
    spec = spaces.load("flowers-cnn")
    model = spaces.build_model(spaces.configure_baseline(spec, spec.baselines[0]), FLOWERS)
    assert kinds(model) == [
        "RandomPlacement", "RandomRotation", "RandomZoom", "Rescaling",
        "Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D", "Conv2D", "MaxPooling2D",
        "Dropout", "Flatten", "Dense", "Dense",
    ]  # fmt: skip
    assert [layer.filters for layer in model.layers if "Conv" in type(layer).__name__] == [16, 32, 64]
    assert model.get_layer("convolution_0_0").padding == "same"
    assert model.get_layer("features_dropout").rate == 0.2
    assert model.get_layer("random_rotation").factor == (-0.1, 0.1)
    assert model.layers[-1].activation.__name__ == "linear"
    assert model.loss.from_logits
    assert model.layers[-1].units == 5


def test_a_smaller_image_is_resized_after_augmentation_and_before_rescaling() -> None:
    spec = spaces.load("images-64-cnn", ["baselines.0.values.augmentation_flip=both"])
    model = spaces.build_model(spaces.configure_baseline(spec, spec.baselines[0]), CIFAR)
    assert kinds(model)[:4] == ["RandomPlacement", "Resizing", "Rescaling", "Conv2D"]
    assert model.input_shape == (None, 32, 32, 3)
    assert model.get_layer("convolution_0_0").output.shape == (None, 62, 62, 32)


CNN = {"family": "cnn", "blocks": 2, "filters": 4, "dense_layers": 1, "dense_units": 8}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "Reshape Rescaling Conv2D MaxPooling2D Conv2D MaxPooling2D Flatten Dense Dense"),
        ({"pooling": "none"}, "Reshape Rescaling Conv2D Conv2D Flatten Dense Dense"),
        (
            {"pooling": "average"},
            "Reshape Rescaling Conv2D AveragePooling2D Conv2D AveragePooling2D Flatten Dense Dense",
        ),
        ({"blocks": 1, "convolutions": 2}, "Reshape Rescaling Conv2D Conv2D MaxPooling2D Flatten Dense Dense"),
        (
            {"blocks": 1, "batch_normalization": True},
            "Reshape Rescaling Conv2D BatchNormalization Activation MaxPooling2D Flatten "
            "Dense BatchNormalization Activation Dense",
        ),
        (
            {"blocks": 1, "global_pooling": "average"},
            "Reshape Rescaling Conv2D MaxPooling2D GlobalAveragePooling2D Dense Dense",
        ),
        ({"blocks": 1, "dropout": 0.5}, "Reshape Rescaling Conv2D MaxPooling2D Flatten Dense Dropout Dense"),
        (
            {"dropout": 0.5, "dropout_position": "pooling"},
            "Reshape Rescaling Conv2D MaxPooling2D Dropout Conv2D MaxPooling2D Dropout Flatten Dense Dense",
        ),
        (
            {"blocks": 1, "dropout": 0.5, "dropout_position": "features"},
            "Reshape Rescaling Conv2D MaxPooling2D Dropout Flatten Dense Dense",
        ),
    ],
)
def test_layers_of_convolutional_networks(changes: dict[str, Any], expected: str) -> None:
    assert kinds(spaces.build_model(settings({**CNN, **changes}), FASHION)) == expected.split()


def test_layers_of_dense_networks() -> None:
    model = {"family": "mlp", "layers": 2, "units": 4, "dropout": 0.5, "batch_normalization": True, "l2": 0.1}
    built = spaces.build_model(settings(model), FASHION)
    block = ["Dense", "BatchNormalization", "Activation", "Dropout"]
    assert kinds(built) == ["Rescaling", "Flatten", *block, *block, "Dense"]
    assert built.get_layer("dense_0").kernel_regularizer.l2 == pytest.approx(0.1)
    assert built.get_layer("output").kernel_regularizer is None
    bare = spaces.build_model(settings({"family": "mlp", "layers": 0}), FASHION)
    assert kinds(bare) == ["Rescaling", "Flatten", "Dense"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"blocks": 5}, "shrunk to 1×1 pixels in block 4, too small for the 3×3 kernel"),
        ({"blocks": 6, "padding": "same"}, "shrunk to 1×1 pixels in block 5, too small for 2×2 pooling"),
        ({"blocks": 1, "kernel_size": 29}, "shrunk to 28×28 pixels in block 1, too small for the 29×29 kernel"),
    ],
)
def test_a_vanishing_feature_map_is_an_error_of_the_configuration(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        spaces.build_model(settings({**CNN, **changes}), FASHION)


def test_a_table_is_nothing_for_convolutions() -> None:
    with pytest.raises(ValueError, match="family cnn needs images"):
        spaces.build_model(settings(CNN), TABLE)


def test_columns_are_standardized_inside_the_model() -> None:
    model = spaces.build_model(settings({"family": "mlp", "layers": 0}), TABLE, seed=0)
    rows = np.array([[1.0, 4.0, 2.5], [0.0, 2.0, 3.0]], "float32")
    inner = keras.Model(model.inputs, model.get_layer("standardization").output)
    expected = (rows - np.array(TABLE.mean)) / np.array(TABLE.std)
    np.testing.assert_allclose(inner.predict(rows, verbose=0), expected, rtol=1e-6)


def test_columns_in_tiny_and_huge_units_are_standardized_too() -> None:
    info = replace(TABLE, mean=(3e-9, 6e23, 2.0), std=(1e-9, 2e23, 0.5))
    model = spaces.build_model(settings({"family": "mlp", "layers": 0}), info)
    assert kinds(model) == ["Normalization", "Rescaling", "Flatten", "Dense"]
    inner = keras.Model(model.inputs, model.get_layer("units").output)
    rows = np.array([[4e-9, 2e23, 3.0]], "float32")
    np.testing.assert_allclose(inner(rows), [[1, -2, 2]], rtol=1e-5)


def test_a_column_of_which_hardly_a_cell_differs_is_at_its_mean() -> None:
    mean = float(np.float32(0.55))  # nearly everywhere, and else the next number
    info = replace(TABLE, mean=(mean, 2.0, 3.0), std=(5e-12, 2.0, 0.5))
    model = spaces.build_model(settings({"family": "mlp", "layers": 0}), info)
    inner = keras.Model(model.inputs, model.get_layer("units").output)
    np.testing.assert_array_equal(inner(np.array([[mean, 2.0, 3.0]], "float32")), [[0, 0, 0]])


def test_the_seed_decides_the_weights() -> None:
    first, second, other = (spaces.build_model(settings(), FASHION, seed=seed) for seed in (1, 1, 2))
    for one, two in zip(first.get_weights(), second.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)
    assert not np.array_equal(first.get_weights()[0], other.get_weights()[0])


def rows_and_labels(info: DataInfo) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, *info.input_shape)).astype("float32")
    if info.labels == "integer":
        return x, rng.integers(0, info.outputs, 64).astype("int32")
    if info.labels == "one-hot":
        return x, np.eye(info.outputs, dtype="float32")[rng.integers(0, info.outputs, 64)]
    return x, rng.normal(size=(64,) if info.outputs == 1 else (64, info.outputs)).astype("float32")


def table(labels: str, outputs: int) -> DataInfo:
    task = "regression" if labels == "number" else "classification"
    return DataInfo("tabular", (3,), "float32", task, labels, outputs)  # type: ignore[arg-type]


@pytest.mark.parametrize("output", ["probabilities", "logits"])
@pytest.mark.parametrize(
    ("info", "training", "loss", "units"),
    [
        (
            table("integer", 3),
            {"metrics": ["accuracy", "top_5_accuracy", "top_k", "f1", "auc"]},
            "SparseCategoricalCrossentropy",
            3,
        ),
        (table("one-hot", 3), {}, "CategoricalCrossentropy", 3),
        (table("integer", 2), {}, "SparseCategoricalCrossentropy", 2),
        (
            table("integer", 2),
            {"loss": "binary_crossentropy", "metrics": ["accuracy", "auc", "precision", "recall"]},
            "BinaryCrossentropy",
            1,
        ),
    ],
)
def test_losses_and_metrics_of_classification(
    info: DataInfo, training: dict[str, Any], loss: str, units: int, output: str
) -> None:
    made = settings({"family": "mlp", "layers": 0, "output": output}, training)
    model = spaces.build_model(made, info, seed=0)
    assert type(model.loss).__name__ == loss
    assert model.output_shape == (None, units)
    x, y = rows_and_labels(info)
    history = model.fit(x, y, validation_data=(x, y), verbose=0).history
    names = {"loss", *made.training.metrics}
    assert set(history) == names | {f"val_{name}" for name in names}
    answers = model.predict(x, verbose=0)
    threshold = 0.0 if output == "logits" else 0.5
    predicted = answers[:, 0] > threshold if units == 1 else answers.argmax(axis=1)
    truth = y.argmax(axis=1) if y.ndim == 2 else y
    assert history["val_accuracy"][0] == pytest.approx((predicted == truth).mean(), abs=1e-6)
    if output == "probabilities":
        assert ((answers >= 0) & (answers <= 1)).all()


@pytest.mark.parametrize(
    ("loss", "outputs", "keras_loss"),
    [
        ("auto", 1, "MeanSquaredError"),
        ("mse", 2, "MeanSquaredError"),
        ("mae", 1, "MeanAbsoluteError"),
        ("huber", 1, "Huber"),
        ("log_cosh", 1, "LogCosh"),
    ],
)
def test_losses_and_metrics_of_regression(loss: str, outputs: int, keras_loss: str) -> None:
    info = table("number", outputs)
    made = settings({"family": "mlp", "layers": 0}, {"loss": loss, "metrics": ["mae", "mse", "rmse", "mape", "r2"]})
    model = spaces.build_model(made, info, seed=0)
    assert type(model.loss).__name__ == keras_loss
    x, y = rows_and_labels(info)
    history = model.fit(x, y, verbose=0).history
    assert set(history) == {"loss", "mae", "mse", "rmse", "mape", "r2"}
    answers = model.predict(x, verbose=0)
    expected = np.abs(answers - y.reshape(answers.shape)).mean()
    assert model.evaluate(x, y, verbose=0, return_dict=True)["mae"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("info", "training", "message"),
    [
        (table("number", 1), {}, "metric accuracy is not defined for regression"),
        (table("integer", 3), {"loss": "mse"}, "loss mse does not fit the integer labels"),
        (table("one-hot", 3), {"loss": "sparse_categorical_crossentropy"}, "does not fit the one-hot labels"),
        (table("integer", 3), {"loss": "binary_crossentropy"}, "needs labels 0 and 1"),
    ],
)
def test_what_does_not_fit_the_labels_is_refused(info: DataInfo, training: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        spaces.build_model(settings(training=training), info)


@pytest.mark.parametrize(
    ("training", "name", "expected"),
    [
        ({}, "Adam", {"learning_rate": 1e-3, "weight_decay": None}),
        ({"optimizer": "adam", "weight_decay": 0.01}, "Adam", {"weight_decay": 0.01}),
        ({"optimizer": "adamw"}, "AdamW", {"learning_rate": 1e-3, "weight_decay": 0.004}),
        ({"optimizer": "adamw", "weight_decay": 0}, "AdamW", {"weight_decay": 0.0}),
        ({"optimizer": "rmsprop", "learning_rate": 0.1}, "RMSprop", {"learning_rate": 0.1}),
        ({"optimizer": "lion"}, "Lion", {"learning_rate": 1e-3, "weight_decay": None}),
        ({"optimizer": "nadam"}, "Nadam", {"learning_rate": 1e-3, "weight_decay": None}),
        ({"optimizer": "muon"}, "Muon", {"weight_decay": 0.004, "adam_weight_decay": 0.004}),
        ({"optimizer": "sgd"}, "SGD", {"learning_rate": 0.01, "momentum": 0.0, "nesterov": False}),
        ({"optimizer": "sgd", "momentum": 0.5, "nesterov": True}, "SGD", {"momentum": 0.5, "nesterov": True}),
    ],
)
def test_optimizers(training: dict[str, Any], name: str, expected: dict[str, Any]) -> None:
    model = spaces.build_model(settings(training=training), TABLE)
    assert type(model.optimizer).__name__ == name
    config = model.optimizer.get_config()
    assert {key: config[key] for key in expected} == pytest.approx(expected)
    assert model.jit_compile is False


def test_the_rate_decays_with_every_update() -> None:
    made = settings(training={"optimizer": "sgd", "learning_rate": 0.1, "learning_rate_decay": 0.5, "batch_size": 1})
    model = spaces.build_model(made, TABLE)
    rates = [float(model.optimizer.learning_rate)]
    x, y = rows_and_labels(TABLE)
    for _ in range(3):
        model.train_on_batch(x, y)
        rates.append(float(model.optimizer.learning_rate))
    assert rates == pytest.approx([0.1 / (1 + 0.5 * t) for t in range(4)])


def vanishes(made: spaces.Settings, info: DataInfo) -> bool:
    if made.family == "mlp":
        return False
    # All of these spaces keep the size in the blocks' convolutions and halve it in pooling.
    side = -(-(info.image_size or info.input_shape)[0] // made.model["stem_stride"])
    return bool(side < 2 ** made.model["blocks"])


# Building photos-pretrained would download weights.
@pytest.mark.parametrize("name", [name for name in spaces.names() if name != "photos-pretrained"])
def test_every_configuration_can_be_built_or_says_why_not(name: str) -> None:
    spec = spaces.load(name)
    small = {
        "digits": DataInfo("image", (8, 8), "float32", "classification", "integer", 10, scale=1 / 16),
        "table-classes": DataInfo("tabular", (7,), "float32", "classification", "integer", 3),
        "table-numbers": DataInfo("tabular", (7,), "float32", "regression", "number", 1),
    }
    info = small.get(name, CIFAR if name.startswith("images") else FASHION)
    for values in [*spaces.sample(spec, 5, 6), *spaces.extremes(spec)]:
        made = spaces.configure(spec, values)
        if vanishes(made, info):
            with pytest.raises(ValueError, match="the image has shrunk to"):
                spaces.build_model(made, info)
            continue
        built = spaces.build_model(made, info)
        widths = made.model["units"] if spec.family == "mlp" else made.model["dense_units"]
        if spec.family == "mlp" and made.model["block"] == "residual":
            widths = [widths[0], *(width for width in widths for _ in range(2))]
        dense = [layer.units for layer in built.layers if type(layer).__name__ == "Dense"]
        assert dense == [*widths, info.outputs]


class Scaled(keras.layers.Layer):
    """A layer as people write one, which does not say what shape comes out."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        self.scale = self.add_weight(shape=input_shape[-1:])

    def call(self, inputs: Any) -> Any:
        return inputs * self.scale


@pytest.mark.parametrize(
    ("shape", "make"),
    [
        ((6, 6, 4), lambda: keras.layers.Conv2D(8, 3, groups=2, use_bias=False)),
        ((6, 6, 4), lambda: keras.layers.SeparableConv2D(8, 3, depth_multiplier=2, use_bias=False)),
        ((6, 6, 4), lambda: keras.layers.Conv2DTranspose(8, 3)),
        ((4,), lambda: keras.layers.BatchNormalization(scale=False)),
        ((4,), lambda: keras.layers.LayerNormalization(center=False)),
        ((5, 3), lambda: keras.layers.LayerNormalization(axis=(1, 2))),
        ((5,), lambda: keras.layers.Embedding(7, 3)),
        ((5, 3), lambda: keras.layers.Bidirectional(keras.layers.GRU(2))),
        ((4,), lambda: keras.Sequential([keras.layers.Dense(3), keras.layers.Dense(2)])),
        ((4,), lambda: Scaled()),
    ],
)
def test_parameters_of_any_layer_are_counted(shape: tuple[int, ...], make: Any) -> None:
    from spaces.layers.layers import parameters

    layer = make()
    counted = parameters(layer, (None, *shape))
    layer(keras.KerasTensor((None, *shape)))
    assert counted == layer.count_params() > 0


def test_a_family_of_other_layers_and_a_dropout_for_each_is_counted() -> None:
    class Recurrent(Layered):
        name = "recurrent"

        def hidden_layers(self, model: Any, info: DataInfo) -> list[Any]:
            first, second = model["dropout"]
            layers = keras.layers
            return [layers.LSTM(model["units"]), layers.Dropout(first), Scaled(), layers.Dropout(second)]

    model = {"units": 3, "dropout": (0.1, 0.2), "output": "probabilities"}
    made = replace(settings(), model=model)
    assert Recurrent().count_parameters(made, SERIES) == Recurrent().build(made, SERIES).count_params()


CONV1D = {
    "family": "conv1d", "blocks": 2, "filters": 4, "convolutions": 2, "batch_normalization": True, "dropout": 0.1,
    "dense_layers": 1, "dense_units": 5, "global_pooling": "max",
}  # fmt: skip


def test_layers_of_convolutional_networks_along_steps() -> None:
    made = settings(CONV1D)
    model = spaces.build_model(made, SERIES)
    convolution = "Conv1D BatchNormalization Activation "
    assert (
        kinds(model)
        == (
            f"Normalization {2 * (2 * convolution + 'MaxPooling1D ')}GlobalMaxPooling1D Dropout "
            "Dense BatchNormalization Activation Dropout Dense"
        ).split()
    )
    assert model.count_params() == spaces.count_parameters(made, SERIES)
    assert model(np.zeros((2, 24, 3), np.float32)).shape == (2, 2)


def test_what_convolutions_along_steps_cannot_take() -> None:
    for info, what in ((TABLE, "a table"), (FASHION, "images")):
        with pytest.raises(ValueError, match=f"family conv1d needs time series .*, but the data are {what}"):
            spaces.build_model(settings(CONV1D), info)
    with pytest.raises(ValueError, match="5 poolings leave no step of 24"):
        spaces.build_model(settings({**CONV1D, "blocks": 5}), SERIES)
    with pytest.raises(ValueError, match="family cnn needs images, but the data are time series; use family conv1d"):
        spaces.build_model(settings({"family": "cnn", "blocks": 1, "filters": 4}), SERIES)


def test_rows_that_a_family_does_not_take_are_refused_before_anything_is_built() -> None:
    for model, info in ((CNN, TABLE), (CNN, SERIES), (CONV1D, FASHION)):
        space = {"name": "x", "data": {"source": "digits"}, "model": model, "training": {"epochs": 1}}
        spec = spaces.load(space)
        with pytest.raises(spaces.DataError, match=f"family {model['family']} needs"):
            family_of(spec.model).require(spec, info)


def test_the_features_of_a_series_are_standardized_inside_the_model() -> None:
    model = spaces.build_model(settings({"family": "mlp", "layers": 0}), SERIES)
    assert kinds(model) == ["Normalization", "Flatten", "Dense"]
    np.testing.assert_allclose(model.layers[0](np.array([[[2.0, 4.0, 4.0]]])), [[[1, 1, 2]]], rtol=1e-6)


def test_averaging_by_products_is_what_resizing_with_antialiasing_does() -> None:
    from spaces.layers.resizing import ResizingByProducts, is_averaging

    layer = keras.layers.Resizing(5, 7, antialias=True)
    images = np.random.default_rng(0).uniform(0, 255, (2, 20, 17, 3)).astype(np.float32)
    assert is_averaging(layer)
    np.testing.assert_allclose(ResizingByProducts(layer)(images), layer(images), rtol=1e-5, atol=1e-3)


def test_outputs_of_different_types_are_laid_side_by_side(tensorflow: Any) -> None:
    from spaces.models.packed import Packed
    from spaces.values.packing import pack_targets

    types = {"a": "float16", "b": "int32", "c": "float64"}

    def answer(rows: Any, training: bool) -> Any:
        return {name: keras.ops.cast(rows, dtype) for name, dtype in types.items()}

    _, targets = pack_targets(dict.fromkeys(types, np.zeros((2, 1))), "data")
    info = DataInfo("tabular", (1,), "float32", "regression", "number", 3, targets=targets)
    answers = np.asarray(Packed(answer, info)(np.array([[1.0], [2.0]], np.float32)))
    assert (answers.dtype, answers.tolist()) == (np.float32, [[1, 1, 1], [2, 2, 2]])
