"""Blocks, stem, downsampling, squeeze-and-excitation and pooling of convolutional networks."""

from __future__ import annotations

from typing import Any

import pytest

import spaces
from spaces.data.types import DataInfo
from spaces.layers.blocks import check_feature_map

FASHION = DataInfo("image", (28, 28), "uint8", "classification", "integer", 10, scale=1 / 255)
CNN = {"family": "cnn", "blocks": 2, "convolutions": 2, "filters": 4, "padding": "same", "global_pooling": "average"}


def loaded(changes: dict[str, Any], baselines: tuple[Any, ...] = ()) -> spaces.SearchSpec:
    model = {name: value for name, value in {**CNN, **changes}.items() if value is not None}
    data = {"name": "x", "data": {"source": "digits"}, "model": model, "training": {"epochs": 1}}
    return spaces.load({**data, "baselines": list(baselines)})


def refusals(changes: dict[str, Any]) -> list[str]:
    with pytest.raises(spaces.SpaceError) as caught:
        loaded(changes)
    return [f"{problem.key}: {problem.message}" for problem in caught.value.problems]


# A convolution of 3x3 from a to b channels has 9ab + b parameters, one of a pixel ab + b, a normalization of b 4b.
@pytest.mark.parametrize(
    ("changes", "parameters"),
    [
        # 40 and 148, projection 8; 148 and 148, past them nothing; output 50
        ({"block": "residual"}, 40 + 148 + 8 + 148 + 148 + 50),
        # a second projection, because the stride changes the size
        ({"block": "residual", "downsampling": "stride"}, 40 + 148 + 8 + 148 + 148 + 20 + 50),
        ({"block": "residual", "batch_normalization": True}, 40 + 148 + 8 + 148 + 148 + 5 * 16 + 50),
        # the stem brings the width, so that nothing has to be projected
        ({"block": "residual", "stem": {"filters": 4}}, 40 + 4 * 148 + 50),
        # the third convolution has a way past it of its own
        ({"block": "residual", "convolutions": 3}, 40 + 148 + 8 + 148 + 3 * 148 + 50),
        ({"block": "residual", "filters": 6, "blocks": 1}, 60 + (9 * 36 + 6) + 12 + 70),
        # over channels 9a, over pixels ab + b
        ({"block": "separable", "blocks": 1}, (9 + 8) + (36 + 20) + 50),
        ({"block": "separable", "blocks": 1, "batch_normalization": True}, (9 + 8) + (36 + 20) + 2 * 16 + 50),
        # 16 channels squeezed into 2, and back
        ({"blocks": 1, "convolutions": 1, "filters": 16, "squeeze_excitation": True}, 160 + 34 + 48 + 170),
        # before both additions 4 channels squeezed into 1, and back
        ({"block": "residual", "squeeze_excitation": True}, 40 + 148 + 8 + 148 + 148 + 2 * (5 + 8) + 50),
        ({"downsampling": "stride"}, 40 + 148 + 148 + 148 + 50),
        # the stem leaves 14x14 pixels, two poolings 3x3
        ({"stem": {"filters": 4, "stride": 2}, "global_pooling": "flatten"}, 40 + 4 * 148 + 3 * 3 * 4 * 10 + 10),
        # the stem's windows of 7x7 are its own; the others stay at 3x3
        ({"stem": {"filters": 4, "stride": 4, "kernel_size": 7}}, (49 * 4 + 4) + 4 * 148 + 50),
        ({"stem": {"filters": 4}, "kernel_size": 5}, (25 * 4 + 4) + 4 * (25 * 16 + 4) + 50),
        ({"global_pooling": "max"}, 40 + 3 * 148 + 50),
        # 4 filters, then 6, with a projection to 6
        ({"block": "residual", "growth": 1.5}, 40 + 148 + 8 + (216 + 6) + (324 + 6) + 30 + 70),
        ({"growth": 0.5}, 40 + 148 + (72 + 2) + (36 + 2) + 30),
    ],
)  # fmt: skip
def test_parameters_of_every_block_are_those_computed_by_hand(
    changes: dict[str, Any], parameters: int, tensorflow: None
) -> None:
    made = spaces.configure(loaded(changes), {})
    assert spaces.count_parameters(made, FASHION) == parameters
    assert spaces.build_model(made, FASHION).count_params() == parameters


@pytest.mark.parametrize("block", ["conv", "residual", "separable"])
def test_the_penalty_is_on_all_kernels_but_those_of_the_output(block: str, tensorflow: None) -> None:
    changes = {"block": block, "squeeze_excitation": True, "dense_layers": 1, "dense_units": 3, "l2": 0.1}
    model = spaces.build_model(spaces.configure(loaded(changes), {}), FASHION)
    penalties = ("kernel_regularizer", "depthwise_regularizer", "pointwise_regularizer")
    penalized = {layer.name for layer in model.layers if any(getattr(layer, name, None) for name in penalties)}
    kernels = {layer.name for layer in model.layers if any("kernel" in weight.name for weight in layer.weights)}
    assert penalized == kernels - {"output"}


def test_a_residual_block_adds_what_came_in(tensorflow: None) -> None:
    import numpy as np

    made = spaces.configure(loaded({"block": "residual", "blocks": 1, "pooling": "none", "stem": {"filters": 4}}), {})
    model = spaces.build_model(made, FASHION, seed=1)
    for name in ("convolution_0_0", "convolution_0_1"):
        layer = model.get_layer(name)
        layer.set_weights([np.zeros_like(array) for array in layer.get_weights()])
    import keras

    rows = np.random.default_rng(0).integers(0, 256, (3, 28, 28)).astype("float32")
    stem, out = (model.get_layer(name).output for name in ("convolution_stem", "sum_activation_0_0"))
    before, after = keras.Model(model.inputs, [stem, out]).predict(rows, verbose=0)
    assert before.max() > 0
    np.testing.assert_array_equal(before, after)


def test_strides_halve_every_block_but_the_first(tensorflow: None) -> None:
    model = spaces.build_model(spaces.configure(loaded({"blocks": 3, "downsampling": "stride"}), {}), FASHION)
    sizes = [model.get_layer(f"convolution_{block}_1").output.shape[1] for block in range(3)]
    assert sizes == [28, 14, 7]
    assert not any("Pooling2D" in type(layer).__name__ for layer in model.layers if layer.name != "global_pooling")


@pytest.mark.parametrize(
    "model",
    [
        {**CNN, "block": "residual", "stem": {"filters": 4}, "dense_layers": 1, "dense_units": 3},
        {"family": "mlp", "layers": 2, "units": 4},
        {"family": "mlp", "layers": 2, "units": 4, "block": "residual"},
    ],
)
def test_averages_of_normalizations_are_those_of_the_last_batches(model: dict[str, Any], tensorflow: None) -> None:
    import keras

    data = {"name": "x", "data": {"source": "digits"}, "training": {"epochs": 1}}
    spec = spaces.load({**data, "model": {**model, "batch_normalization": True}})
    built = spaces.build_model(spaces.configure(spec, {}), FASHION)
    found = [layer for layer in built.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert len(found) >= 2
    assert {layer.momentum for layer in found} == {0.9}


def test_a_stem_that_does_not_fit_the_image_is_told(tensorflow: None) -> None:
    stem = {"filters": 4, "kernel_size": 29}
    with pytest.raises(ValueError, match=r"28×28 pixels in the stem, too small for the 29×29 kernel"):
        spaces.build_model(spaces.configure(loaded({"padding": "valid", "stem": stem}), {}), FASHION)


def test_networks_without_branches_stay_sequential(tensorflow: None) -> None:
    import keras

    def kind(changes: dict[str, Any]) -> bool:
        return isinstance(spaces.build_model(spaces.configure(loaded(changes), {}), FASHION), keras.Sequential)

    assert kind({})
    assert kind({"block": "separable"})
    assert not kind({"block": "residual"})
    assert not kind({"squeeze_excitation": True})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"block": "residual", "padding": "valid"}, "model.padding: has no effect: it needs block conv or separable"),
        (
            {"downsampling": "stride", "pooling": "max"},
            "model.pooling: has no effect: it needs downsampling pool",
        ),
        ({"stem": {"stride": 2}}, "model.stem.stride: has no effect: it needs stem_filters above 0"),
        ({"stem": {"kernel_size": 5}}, "model.stem.kernel_size: has no effect: it needs stem_filters above 0"),
        (
            {"downsampling": "stride", "dropout": 0.1, "dropout_position": "pooling"},
            "model.dropout: has no effect: it is after every pooling, and there is none; "
            "give dropout_position features or head",
        ),
        ({"blocks": 1, "growth": 2}, "model.growth: has no effect: it needs blocks above 1"),
        ({"block": "dense"}, "model.block: found 'dense'; allowed: conv, residual, separable"),
        ({"global_pooling": "sum"}, "model.global_pooling: found 'sum'; allowed: flatten, average, max"),
        ({"stem": {"width": 2}}, "model.stem.width: unknown key 'width'; allowed: filters, stride, kernel_size"),
    ],
)
def test_what_has_no_effect_is_refused(changes: dict[str, Any], expected: str) -> None:
    assert expected in refusals(changes)


def test_settings_are_active_where_they_have_an_effect() -> None:
    spec = loaded(
        {
            "block": ["conv", "residual"], "padding": ["valid", "same"], "downsampling": ["pool", "stride"],
            "pooling": ["max", "average"], "squeeze_excitation": [False, True],
            "stem": {"filters": [0, 8, 16], "stride": {"min": 1, "max": 2}},
        }
    )  # fmt: skip
    found = {h.name: {c.name: c.values for c in h.conditions} for h in spec.space.hyperparameters}
    assert found == {
        "stem_filters": {}, "stem_stride": {"stem_filters": (8, 16)}, "block": {}, "padding": {"block": ("conv",)},
        "downsampling": {}, "pooling": {"downsampling": ("pool",)}, "squeeze_excitation": {},
    }  # fmt: skip
    for values in spaces.sample(spec, 0, 40):
        assert ("padding" in values) == (values["block"] == "conv")
        assert ("stem_stride" in values) == (values["stem_filters"] > 0)


@pytest.mark.parametrize(
    ("changes", "conditions"),
    [
        ({"dropout_position": "pooling", "downsampling": ["pool", "stride"]}, {"downsampling": ("pool",)}),
        ({"dropout_position": "pooling", "pooling": ["max", "none"]}, {"pooling": ("max",)}),
        ({"dense_layers": [0, 1, 2], "dense_units": {"shared": 8}}, {"dense_layers": (1, 2)}),
        ({"dropout_position": "features", "downsampling": ["pool", "stride"]}, {}),
        ({"dropout_position": ["pooling", "features"], "downsampling": ["pool", "stride"]}, {}),
    ],
)
def test_a_share_to_drop_is_searched_where_something_is_dropped(changes: dict[str, Any], conditions: Any) -> None:
    spec = loaded({"dropout": [0.1, 0.3], **changes})
    found = {h.name: {c.name: c.values for c in h.conditions} for h in spec.space.hyperparameters}
    assert found["dropout"] == conditions


@pytest.mark.parametrize(
    ("values", "dropout"),
    [
        ({"dense_layers": 0, "dropout": 0}, 0.0),
        ({"dense_layers": 0}, 0.0),
        ({"dropout_position": "features", "dropout": 0.2}, 0.2),
        ({"dense_layers": 1, "dropout": 0.2}, 0.2),
    ],
)
def test_a_baseline_drops_where_it_says(values: dict[str, Any], dropout: float) -> None:
    model = {"dense_layers": [0, 1], "dense_units": 8, "dropout": [0.1, 0.3]}
    spec = loaded(model, baselines=[{"name": "own", "values": {"blocks": 1, **values}}])
    assert spaces.configure_baseline(spec, spec.baselines[0]).model["dropout"] == dropout


def test_same_padding_may_be_said_of_residual_blocks_and_is_theirs_anyway(tensorflow: None) -> None:
    for padding in ("same", None):
        made = spaces.configure(loaded({"block": "residual", "padding": padding, "blocks": 1}), {})
        model = spaces.build_model(made, FASHION)
        assert model.get_layer("convolution_0_0").output.shape[1:3] == (28, 28)


@pytest.mark.parametrize("section", [{"block": "residual", "padding": "same"}, {"padding": ["same", "valid"]}])
def test_a_baseline_may_say_it_too(section: dict[str, Any]) -> None:
    values = {"block": "residual", "padding": "same", "filters": 8}
    spec = loaded({**section, "block": ["residual", "conv"]}, ({"name": "b", "values": values},))
    assert spaces.configure_baseline(spec, spec.baselines[0]).model["block"] == "residual"
    with pytest.raises(spaces.SpaceError, match="padding: has no effect: it needs block conv or separable"):
        loaded(section, ({"name": "b", "values": {**values, "padding": "valid"}},))


def test_the_new_settings_survive_the_space_file_of_the_next_night() -> None:
    from spaces.specs.plain import to_plain

    spec = loaded({"block": ["residual", "separable"], "stem": {"filters": [8, 16], "stride": 2}})
    again = spaces.load(to_plain(spec))
    assert again.space.hyperparameters == spec.space.hyperparameters
    assert spaces.dump(again) == spaces.dump(spec)


def test_a_baseline_may_have_a_block_of_its_own() -> None:
    spec = loaded({"block": ["conv", "separable"]}, ({"name": "b", "values": {"block": "residual", "filters": 8}},))
    made = spaces.configure_baseline(spec, spec.baselines[0])
    assert (made.model["block"], made.values["block"], made.model["filters"]) == ("residual", "residual", (8, 8))


def test_a_stored_configuration_without_the_new_settings_is_the_network_it_was(tensorflow: None) -> None:
    made = spaces.configure(loaded({}), {})
    stored = made.to_json()
    added = ("block", "downsampling", "growth", "squeeze_excitation", "stem_filters", "stem_stride", "stem_kernel_size")
    stored["model"] = {name: value for name, value in stored["model"].items() if name not in added}
    again = spaces.Settings.from_json(stored)
    assert again == made
    assert spaces.count_parameters(again, FASHION) == 40 + 3 * 148 + 50


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"padding": "valid", "stem": {"filters": 4, "stride": 16}}, "shrunk to 2×2 pixels in block 1"),
        ({"padding": "valid", "stem": {"filters": 4}, "kernel_size": 29}, "shrunk to 28×28 pixels in the stem"),
        (
            {"block": "residual", "blocks": 6},
            "1×1 pixels in block 5, too small for 2×2 pooling; use fewer blocks, pooling: none or downsampling: stride",
        ),
    ],
)
def test_a_feature_map_that_vanishes_is_told_with_its_place(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        spaces.count_parameters(spaces.configure(loaded(changes), {}), FASHION)


@pytest.mark.parametrize("name", ["fashion-mnist-cnn", "flowers-cnn", "images-64-cnn", "photos-cnn"])
@pytest.mark.parametrize("block", ["conv", "separable", "[residual, conv, separable]"])
def test_images_outlast_the_shipped_networks_of_every_kind_of_block(name: str, block: str) -> None:
    spec = spaces.load(name, [f"model.block={block}"])
    for values in (*spaces.extremes(spec), *spaces.sample(spec, 0, 5)):
        check_feature_map(spaces.configure(spec, values).model, *(spec.data.image_size or (28, 28)))


def test_strides_need_no_size_that_is_left() -> None:
    made = spaces.configure(loaded({"blocks": 9, "downsampling": "stride", "filters": 1}), {})
    assert spaces.count_parameters(made, FASHION) > 0
