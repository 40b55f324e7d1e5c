"""Networks whose normalizations are folded into their convolutions compute what they did."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests import backbones

pytestmark = pytest.mark.usefixtures("tensorflow")


def random_averages(model: Any) -> None:
    rng = np.random.default_rng(1)
    for layer in model.layers:
        if type(layer).__name__ == "BatchNormalization":
            layer.set_weights([rng.uniform(0.5, 1.5, weight.shape) for weight in layer.get_weights()])


def normalizations(model: Any) -> list[str]:
    return [layer.name for layer in model.layers if type(layer).__name__ == "BatchNormalization"]


def same(model: Any, atol: float = 1e-4) -> Any:
    from spaces.backbones.folding import folded

    before = [weight.copy() for weight in model.get_weights()]
    made = folded(model)
    x = np.random.default_rng(0).uniform(-1, 1, (3, *model.input_shape[1:])).astype(np.float32)
    expected, found = model(x, training=False), made(x, training=False)
    if not isinstance(expected, list):
        expected, found = [expected], [found]
    for one, other in zip(expected, found, strict=True):
        np.testing.assert_allclose(other, one, atol=atol, rtol=1e-4)
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)
    assert not made.trainable_weights
    return made


def test_a_backbone_loses_all_its_normalizations(tmp_path):
    from spaces.backbones import loading

    backbone = loading.load(str(backbones.saved(tmp_path)), "imagenet", (16, 16))
    assert len(normalizations(backbone)) == 3
    assert normalizations(same(backbone)) == []


def test_kinds_of_convolutions_and_normalizations():
    import keras

    layers = keras.layers
    inputs = keras.Input((8, 8, 4))
    x = layers.Conv2D(6, 3, groups=2, name="grouped")(inputs)
    x = layers.BatchNormalization(scale=False, name="folded_1")(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, use_bias=False, name="depthwise")(x)
    x = layers.BatchNormalization(center=False, epsilon=0.1, name="folded_2")(x)
    x = layers.Conv2D(5, 1, activation="relu", name="active")(x)
    x = layers.BatchNormalization(name="after_activation")(x)
    x = layers.SeparableConv2D(5, 1, name="separable")(x)
    x = layers.BatchNormalization(name="after_another_layer")(x)
    model = keras.Model(inputs, x)
    random_averages(model)
    assert normalizations(same(model)) == ["after_activation", "after_another_layer"]


def test_what_has_two_uses_is_left_alone():
    import keras

    layers = keras.layers
    inputs = keras.Input((8, 8, 4))
    seen_twice = layers.Conv2D(4, 1, name="seen_twice")(inputs)
    x = layers.Add()([layers.BatchNormalization(name="of_two")(seen_twice), seen_twice])
    shared, normalization = layers.Conv2D(4, 1, name="shared"), layers.BatchNormalization(name="after_shared")
    x = normalization(shared(shared(x)))
    told = layers.Conv2D(4, 1, name="told")(x)
    model = keras.Model(inputs, [layers.BatchNormalization(name="of_an_output")(told), told])
    random_averages(model)
    assert normalizations(same(model)) == ["of_two", "after_shared", "of_an_output"]


def test_a_network_that_was_divided_before_is_folded_too(tmp_path):
    """The tail that trains is made of the same layers."""
    import keras

    from spaces.backbones import cutting, loading

    backbone = loading.load(str(backbones.saved(tmp_path)), "imagenet", (16, 16))
    cut = cutting.best_cut(backbone, 0.4, 10**6)
    keras.Model(cut.tensor, backbone.output)
    assert normalizations(same(keras.Model(backbone.input, [backbone.output, cut.tensor]))) == []


@pytest.mark.night
@pytest.mark.parametrize("name", ["mobilenet-v3-small", "efficientnet-b0"])
def test_a_network_of_keras(name):
    from spaces.backbones import loading

    backbone = loading.load(name, "none", (32, 32))
    random_averages(backbone)
    assert len(normalizations(same(backbone, atol=1e-2))) < len(normalizations(backbone)) / 4
