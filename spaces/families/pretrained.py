"""Family `pretrained`: a network that was trained on other pictures, with a new head.

The backbone's own preparation of pixels, the backbone, pooling over the feature map, perhaps dense layers, the output.
Training has two phases: first the head alone, then the last layers of the backbone with it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from operator import ne
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from spaces.backbones.names import FILE, NAMES, Pixels
from spaces.dimensions import Dimension, PerLayer, Value
from spaces.families.cnn import FLIP, TURN, ZOOM, Augmentation, augmentation_layers
from spaces.families.common import ACTIVATION, DEPTH, FLAG, FRACTION, PENALTY, WIDTH_PER_LAYER
from spaces.families.parts import Joined
from spaces.families.setting import Need, Setting, above, stack
from spaces.kinds import Kind
from spaces.section import Section, refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    from spaces.data.types import DataInfo
    from spaces.settings import Settings

STACKS = {"dense_units": "dense_layers"}

PATHS = (FILE, ".h5")
BACKBONE = Kind("word", words=NAMES, endings=(FILE,))
WEIGHTS = Kind("word", words=("imagenet", "none"), endings=PATHS)
POOLING = Kind("word", words=("average", "max"))
SHARE = Kind("number", ge=0, le=1)
COPIES = Kind("integer", ge=1, le=100)

# Of pixels from 0 to 1, red first.
_IMAGENET_MEAN, _IMAGENET_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

__all__ = ["PretrainedModel", "augmentation_layers", "head_layers", "hidden_layers", "settings"]


class PretrainedModel(Section):
    """A pretrained network with a new head: which backbones, heads and shares of fine-tuning are worth trying."""

    family: Literal["pretrained"] = Field(description="Pretrained networks with a new head.")
    backbone: Annotated[Dimension, BACKBONE] = Field(
        description="A classification network of keras.applications without its head, or the path of a .keras file "
        "with such a network."
    )
    weights: Annotated[Dimension | None, WEIGHTS] = Field(
        default=None,
        description="imagenet: those of keras.applications, downloaded once, and of a .keras file its own; none: "
        "fresh ones, for training from scratch; or the path of a weights file; default imagenet.",
    )
    pooling: Annotated[Dimension | None, POOLING] = Field(
        default=None, description="What becomes of the backbone's feature map; default average."
    )
    dense_layers: Annotated[Dimension | None, DEPTH] = Field(
        default=None, description="Dense layers between backbone and output; default 0."
    )
    dense_units: Annotated[PerLayer | None, WIDTH_PER_LAYER] = Field(
        default=None, description="Width of the dense layers, of each one by itself or {shared: ...} for all."
    )
    dropout: Annotated[Dimension | None, FRACTION] = Field(
        default=None, description="Share of values dropped before every dense layer and the output; default 0."
    )
    activation: Annotated[Dimension | None, ACTIVATION] = Field(
        default=None, description="Activation of the dense layers; default relu."
    )
    batch_normalization: Annotated[Dimension | None, FLAG] = Field(
        default=None, description="Batch normalization between every dense layer and its activation; default false."
    )
    l2: Annotated[Dimension | None, PENALTY] = Field(
        default=None, description="Factor of the L2 penalty on the kernels of the dense layers; default 0."
    )
    augmentation: Augmentation = Field(default=Augmentation(), description="Random changes of the training images.")
    augmentation_copies: Annotated[Dimension | None, COPIES] = Field(
        default=None,
        description="So many changed copies of the training images take turns in the epochs while the backbone is "
        "frozen; without augmentation there is one; default 4.",
    )
    fine_tune: Annotated[Dimension | None, SHARE] = Field(
        default=None,
        description="Share of the backbone's layers, from its end, that train after training.frozen_epochs; default 0.",
    )
    output: Literal["probabilities", "logits"] = Field(
        default="probabilities", description="What the model returns for every class."
    )

    @model_validator(mode="after")
    def _copies_need_augmentation(self) -> Self:
        if self.augmentation_copies is not None and self.augmentation == Augmentation():
            raise refuse("has no effect: it needs augmentation", "augmentation_copies")
        return self


def settings(model: PretrainedModel) -> list[Setting]:
    """All settings of the family that may be hyperparameters."""

    def setting(name: str, kind: Kind, default: Value | None = None, *needs: Need) -> Setting:
        return Setting(name, ("model", name), kind, getattr(model, name), default, needs)

    def augmentation(name: str, kind: Kind, default: Value) -> Setting:
        dimension = getattr(model.augmentation, name)
        return Setting(f"augmentation_{name}", ("model", "augmentation", name), kind, dimension, default)

    dense = above("dense_layers", 0)
    weights = Need("weights", partial(ne, "none"), "weights other than none")
    return [
        setting("backbone", BACKBONE),
        setting("weights", WEIGHTS, "imagenet"),
        setting("pooling", POOLING, "average"),
        setting("dense_layers", DEPTH, 0),
        *stack("dense_units", model.dense_units, WIDTH_PER_LAYER, "dense_layers", model.dense_layers),
        setting("dropout", FRACTION, 0.0),
        setting("activation", ACTIVATION, "relu", dense),
        setting("batch_normalization", FLAG, False, dense),
        setting("l2", PENALTY, 0.0, dense),
        augmentation("flip", FLIP, "none"),
        augmentation("rotation", TURN, 0.0),
        augmentation("zoom", ZOOM, 0.0),
        setting("augmentation_copies", COPIES, 4, weights),
        setting("fine_tune", SHARE, 0.0, weights),
    ]


def prepared(info: DataInfo) -> DataInfo:
    """The data as the layers before the backbone leave them: resized, otherwise raw; it prepares pixels itself.

    Raises:
        ValueError: the data are no images, or standardized by `data.preprocessing`.
    """
    if info.kind != "image":
        raise ValueError("family pretrained needs images, but the data are a table; use family mlp")
    if info.mean is not None or info.white is None:
        raise ValueError(
            "family pretrained prepares pixels as its backbone wants them, from values between black, 0, and white, "
            "1 or 255; leave data.preprocessing out, and use pixels as they are in image files"
        )
    return replace(info, scale=None)


def hidden_layers(model: Mapping[str, Any], info: DataInfo) -> list[Any]:
    """The parts between preprocessing and output. The backbone among them is shared; see `own_backbone`.

    Raises:
        ValueError: the data are no images that the backbone takes; DataError, a ValueError, if it cannot be loaded.
    """
    return [*backbone_parts(model, info), *head_layers(model)]


def backbone_parts(model: Mapping[str, Any], info: DataInfo) -> list[Any]:
    """What makes a feature map of an image; see `hidden_layers`."""
    from keras import layers

    from spaces.backbones import loading

    size = info.image_size or (info.input_shape[0], info.input_shape[1])
    backbone = loading.load(model["backbone"], model["weights"], size)
    given, wanted = (info.input_shape[2] if len(info.input_shape) == 3 else 1), backbone.input_shape[3]
    made: list[Any] = []
    if given == 1 and wanted == 3:
        made.append(Joined(((), (), ()), layers.Concatenate(name="grey_as_colour")))
    elif given != wanted:
        raise ValueError(f"{model['backbone']}: takes images with {wanted} channels, these have {given}")
    return [*made, *_pixel_layers(loading.pixels(model["backbone"]), info.white or 255.0), backbone]


def _pixel_layers(pixels: Pixels, white: float) -> list[keras.layers.Layer]:
    """What brings pixels from 0 to `white` to what a backbone takes, as `keras.applications` does."""
    from keras import initializers, layers

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
    from keras import layers

    from spaces.families.layers import dense

    average = model["pooling"] == "average"
    made: list[Any] = [(layers.GlobalAveragePooling2D if average else layers.GlobalMaxPooling2D)(name="pooling")]
    for index, units in enumerate((*model["dense_units"], None)):
        if model["dropout"]:
            made.append(layers.Dropout(model["dropout"], name=f"dropout_{index}"))
        if units is not None:
            made.extend(dense(model, units, index))
    return made


def own_backbone(model: Mapping[str, Any], backbone: keras.Model) -> keras.Model:
    """A backbone like the shared one that may be trained: with the layers thawed that fine-tuning trains."""
    from keras.models import clone_model

    from spaces.backbones import cutting, loading

    if from_scratch(model):
        return clone_model(backbone)
    own = loading.copy(backbone)
    cutting.thaw(own, cutting.trained(backbone, model["fine_tune"]))
    return own


def from_scratch(model: Mapping[str, Any]) -> bool:
    """Whether the backbone has fresh weights, and trains from the first epoch on."""
    return bool(model["weights"] == "none")


def has_phases(settings: Settings) -> bool:
    """Whether a configuration begins with a frozen backbone."""
    return settings.family == "pretrained" and not from_scratch(settings.model)
