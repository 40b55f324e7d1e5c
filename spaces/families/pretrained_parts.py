"""The layers of family `pretrained`. Imported only where a model is built: Keras is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
from keras import initializers, layers

from spaces.backbones import cutting, loading
from spaces.backbones.names import Pixels
from spaces.basics.errors import DataError
from spaces.layers.layers import dense, parameters
from spaces.layers.parts import Joined, counted

if TYPE_CHECKING:
    from spaces.data.types import DataInfo

# Of pixels from 0 to 1, red first.
_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# Their numbers stay those of the data that the backbone was trained on, see `cutting.thaw`.
_NEVER_TRAINED = (layers.BatchNormalization, layers.Normalization)


def image_size(info: DataInfo) -> tuple[int, int]:
    """Height and width of the images that the backbone sees."""
    return info.image_size or (info.input_shape[0], info.input_shape[1])


def shared_backbone(model: Mapping[str, Any], info: DataInfo) -> keras.Model:
    """The backbone of a configuration, see `loading.load`; `model` is `Settings.model`."""
    return loading.load(model["backbone"], model["weights"], image_size(info))


def require(used: Sequence[tuple[str, str]], info: DataInfo) -> list[str]:
    """See `Family.require`.

    Args:
        used: backbones with their weights.
        info: the rows, which are images.
    """
    notes = []
    for name, weights in used:
        backbone = loading.load(name, weights, image_size(info))
        given, wanted = info.channels, backbone.input_shape[3]
        if given == 1 and wanted == 3:
            notes.append(f"the images are grey, {name} takes colours: the grey channel is repeated to three")
        elif given != wanted:
            raise DataError(f"{name}: takes images with {wanted} channels, these have {given}")
    return notes


def frozen_parameters(model: Mapping[str, Any], info: DataInfo, *, tuned: bool) -> int:
    """Parameters of the backbone, and of what brings it its pixels, that do not train, be it fine-tuned or not."""
    backbone = shared_backbone(model, info)
    count = cutting.trained(backbone, model["fine_tune"]) if tuned else 0
    leaves = loading.leaves(backbone)
    thawed = [one for one in leaves[len(leaves) - count :] if not isinstance(one, _NEVER_TRAINED)]
    shape = (None, *image_size(info), backbone.input_shape[3])
    pixels, _ = counted(_pixel_layers(loading.pixels(model["backbone"]), info.white or 255.0), shape, parameters)
    return int(pixels + backbone.count_params() - sum(layer.count_params() for layer in thawed))


def backbone_parts(model: Mapping[str, Any], info: DataInfo) -> list[Any]:
    """What makes a feature map of an image. The backbone, the last of them, is shared; see `own_backbone`.

    Raises:
        ValueError: the images have other channels; DataError, a ValueError, if the backbone cannot be loaded.
    """
    backbone = shared_backbone(model, info)
    given, wanted = info.channels, backbone.input_shape[3]
    made: list[Any] = []
    if given == 1 and wanted == 3:
        made.append(Joined(((), (), ()), layers.Concatenate(name="grey_as_colour")))
    elif given != wanted:
        raise ValueError(f"{model['backbone']}: takes images with {wanted} channels, these have {given}")
    return [*made, *_pixel_layers(loading.pixels(model["backbone"]), info.white or 255.0), backbone]


def _pixel_layers(pixels: Pixels, white: float) -> list[keras.layers.Layer]:
    """What brings pixels from 0 to `white` to what a backbone takes, as `keras.applications` does."""
    if pixels == "tf":
        return [layers.Rescaling(2 / white, offset=-1.0, name="pixels")]
    if pixels == "torch":
        scale = [1 / (white * deviation) for deviation in _IMAGENET_DEVIATION]
        offset = [-mean / deviation for mean, deviation in zip(_IMAGENET_MEAN, _IMAGENET_DEVIATION, strict=True)]
        return [layers.Rescaling(scale, offset=offset, name="pixels")]
    made: list[keras.layers.Layer] = [] if white == 255 else [layers.Rescaling(255 / white, name="pixels")]
    if pixels == "caffe":
        # Blue before red: no layer of Keras turns channels round, and a convolution over single pixels can.
        turned = [[[[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [1.0, 0.0, 0.0]]]]
        made.append(
            layers.Conv2D(
                3,
                1,
                kernel_initializer=initializers.Constant(turned),
                bias_initializer=initializers.Constant([-103.939, -116.779, -123.68]),
                trainable=False,
                name="blue_first",
            )
        )
    return made


def head_layers(model: Mapping[str, Any]) -> list[Any]:
    """What makes of the feature map what the output layer sees: pooling first."""
    average = model["pooling"] == "average"
    made: list[Any] = [(layers.GlobalAveragePooling2D if average else layers.GlobalMaxPooling2D)(name="pooling")]
    for index, units in enumerate((*model["dense_units"], None)):
        if model["dropout"]:
            made.append(layers.Dropout(model["dropout"], name=f"dropout_{index}"))
        if units is not None:
            made.extend(dense(model, units, index))
    return made


def own_backbone(model: Mapping[str, Any], parts: list[Any]) -> list[Any]:
    """Parts with a backbone that may be trained in place of the shared one: with those layers thawed that train."""
    return [_own(model, part) if isinstance(part, keras.Model) else part for part in parts]


def _own(model: Mapping[str, Any], backbone: keras.Model) -> keras.Model:
    if model["weights"] == loading.NONE:
        return keras.models.clone_model(backbone)
    own = loading.copy(backbone)
    cutting.thaw(own, cutting.trained(backbone, model["fine_tune"]))
    return own
