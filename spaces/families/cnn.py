"""Family `cnn`: convolutional networks for images.

Perhaps a convolution as stem; blocks of convolutions, each followed by pooling over 2×2 pixels or begun with a stride;
then flattening or global pooling; then dense layers; then the output.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from operator import eq, ne
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from spaces.basics.section import Section, refuse
from spaces.families.augmentation import OFF, Augmentation, augmentation_settings
from spaces.families.common import ACTIVATION, COUNT, DEPTH, FLAG, FRACTION, PENALTY, WIDTH, WIDTH_PER_LAYER
from spaces.families.family import ModelSection
from spaces.families.layered import Layered
from spaces.layers.blocks import block_parts, check_feature_map, padding_of, pools, stem_kernel, widths
from spaces.values.dimensions import Choice, Dimension, Fixed, PerLayer, Range, Value
from spaces.values.kinds import Kind
from spaces.values.setting import Need, Setting, above, most, setting_of, stack

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    from spaces.data.types import DataInfo

BLOCK = Kind("word", words=("conv", "residual", "separable"))
DOWNSAMPLING = Kind("word", words=("pool", "stride"))
STEM_WIDTH = replace(WIDTH, ge=0)
STRIDE = Kind("integer", ge=1, le=16)
GROWTH = Kind("number", gt=0, le=16)
KERNEL = Kind("integer", ge=1, le=101)
STEM_KERNEL = replace(KERNEL, ge=0)
PADDING = Kind("word", words=("valid", "same"))
POOLING = Kind("word", words=("max", "average", "none"))
POSITION = Kind("word", words=("pooling", "features", "head"))
GLOBAL_POOLING = Kind("word", words=("flatten", "average", "max"))


class Stem(Section):
    """A convolution before the blocks."""

    filters: Annotated[Dimension | None, STEM_WIDTH] = Field(
        default=None, description="Its filters; 0 for none; default 0."
    )
    stride: Annotated[Dimension | None, STRIDE] = Field(
        default=None, description="Pixels from one of its windows to the next, so that the blocks see less; default 1."
    )
    kernel_size: Annotated[Dimension | None, STEM_KERNEL] = Field(
        default=None,
        description="Height and width of its kernel in pixels, at least its stride if no pixel is to be passed over; "
        "0: that of the other convolutions; default 0.",
    )


class CnnModel(ModelSection):
    """A convolutional network: which blocks, filters and head are worth trying."""

    family: Literal["cnn"] = Field(description="Convolutional networks.")
    stem: Stem = Field(default=Stem(), description="A convolution before the blocks.")
    block: Annotated[Dimension | None, BLOCK] = Field(
        default=None,
        description="conv: plain convolutions; residual: what goes into every two of them is added to what comes out; "
        "separable: over each channel by itself, then over the channels of each pixel; default conv.",
    )
    blocks: Annotated[Dimension, COUNT] = Field(description="Number of blocks of convolutions.")
    filters: Annotated[PerLayer, WIDTH_PER_LAYER] = Field(
        description="Filters of the convolutions, of each block by itself or {shared: ...} for all."
    )
    growth: Annotated[Dimension | None, GROWTH] = Field(
        default=None,
        description="For each block before it, a block has so many times its filters, rounded; default 1.",
    )
    convolutions: Annotated[Dimension | None, COUNT] = Field(
        default=None, description="Convolutions in every block; default 1."
    )
    kernel_size: Annotated[Dimension | None, KERNEL] = Field(
        default=None, description="Height and width of the kernels in pixels; default 3."
    )
    padding: Annotated[Dimension | None, PADDING] = Field(
        default=None,
        description="valid: convolutions shrink the image; same: they keep its size, as residual blocks always do; "
        "default valid.",
    )
    downsampling: Annotated[Dimension | None, DOWNSAMPLING] = Field(
        default=None,
        description="pool: by pooling at the end of every block; stride: by a stride of 2 in the first convolution of "
        "every block but the first; default pool.",
    )
    pooling: Annotated[Dimension | None, POOLING] = Field(
        default=None, description="Pooling over 2×2 pixels at the end of every block; default max."
    )
    squeeze_excitation: Annotated[Dimension | None, FLAG] = Field(
        default=None,
        description="Channels weighed by what is in the whole picture, at the end of every block, in residual ones "
        "before every addition; default false.",
    )
    batch_normalization: Annotated[Dimension | None, FLAG] = Field(
        default=None, description="Batch normalization between every layer and its activation; default false."
    )
    global_pooling: Annotated[Dimension | None, GLOBAL_POOLING] = Field(
        default=None,
        description="From feature map to vector: flatten it, or take the average or the maximum over its pixels; "
        "default flatten.",
    )
    dense_layers: Annotated[Dimension | None, DEPTH] = Field(
        default=None, description="Dense layers between the convolutional part and the output; default 0."
    )
    dense_units: Annotated[PerLayer | None, WIDTH_PER_LAYER] = Field(
        default=None, description="Width of the dense layers, of each one by itself or {shared: ...} for all."
    )
    dropout: Annotated[Dimension | None, FRACTION] = Field(
        default=None, description="Share of values dropped; default 0."
    )
    dropout_position: Annotated[Dimension | None, POSITION] = Field(
        default=None,
        description="pooling: after every pooling; features: once, between the convolutional part and what "
        "follows; head: after every dense layer; default head.",
    )
    activation: Annotated[Dimension | None, ACTIVATION] = Field(
        default=None, description="Activation of convolutions and dense layers; default relu."
    )
    l2: Annotated[Dimension | None, PENALTY] = Field(
        default=None, description="Factor of the L2 penalty on the kernels of all but the output layer; default 0."
    )
    augmentation: Augmentation = Field(default=Augmentation(), description="Random changes of the training images.")
    output: Literal["probabilities", "logits"] = Field(
        default="probabilities", description="What the model returns for every class."
    )

    @model_validator(mode="after")
    def _dropout_has_a_place(self) -> Self:
        positions = ("head",) if self.dropout_position is None else self.dropout_position.values
        if self.dropout is None or self.dropout.values == (0.0,):
            return self
        unpooled = self.pooling is not None and self.pooling.values == ("none",)
        strided = self.downsampling is not None and self.downsampling.values == ("stride",)
        message = _without_a_place(positions, most(self.dense_layers), pooled=not (unpooled or strided))
        if message is not None:
            raise refuse(message, "dropout")
        return self


def _without_a_place(positions: Sequence[Value] | None, dense_layers: int, *, pooled: bool) -> str | None:
    """What is wrong with dropout at these positions, if what it follows is nowhere."""
    if positions == ("head",) and dense_layers == 0:
        return (
            "has no effect: it is in the head, after dense layers, and there are none; "
            "give dense_layers, or dropout_position pooling or features"
        )
    if positions == ("pooling",) and not pooled:
        return "has no effect: it is after every pooling, and there is none; give dropout_position features or head"
    return None


def _needs_of_dropout(model: CnnModel, pooled: Need) -> tuple[Need, ...]:
    """What a searched share needs so that there is something behind which it is dropped.

    Where its place is searched too, no need says it: what holds for one place does not hold for another.
    """
    position = Fixed("head") if model.dropout_position is None else model.dropout_position
    if not isinstance(model.dropout, Choice | Range) or not isinstance(position, Fixed) or position.when:
        return ()
    needs = {
        "head": (above("dense_layers", 0),),
        "pooling": (pooled, Need("pooling", partial(ne, "none"), "pooling other than none")),
    }
    return needs.get(str(position.value), ())


_OTHERS = {"tabular": "a table; use family mlp", "series": "time series; use family conv1d"}


class _Cnn(Layered):
    name = "cnn"
    section = CnnModel
    rows = "image"
    channels = True
    stacks: ClassVar = {"filters": "blocks", "dense_units": "dense_layers"}
    # What keeps feature maps large, or adds state or work, comes last.
    sizes: ClassVar = {
        "block": ("separable", "conv", "residual"),
        "downsampling": ("stride", "pool"),
        "pooling": ("max", "average", "none"),
        "padding": ("valid", "same"),
        "global_pooling": ("average", "max", "flatten"),
        "dropout_position": ("features", "head", "pooling"),
        "augmentation_flip": ("none", "horizontal", "vertical", "both"),
    }
    added: ClassVar = {
        "block": "conv", "downsampling": "pool", "growth": 1.0, "squeeze_excitation": False, "stem_filters": 0,
        "stem_stride": 1, "stem_kernel_size": 0, **OFF,
    }  # fmt: skip

    def settings(self, section: CnnModel) -> list[Setting]:
        setting = partial(setting_of, section, ("model",))
        stem = partial(setting_of, section.stem, ("model", "stem"))
        some_dropout = above("dropout", 0)
        shrinking = Need("block", partial(ne, "residual"), "block conv or separable")
        pooled = Need("downsampling", partial(eq, "pool"), "downsampling pool")
        # It may be said of residual blocks too, by a space and by a baseline, though it is so anyway.
        said = section.block is not None and section.block.values == ("residual",) and section.padding == Fixed("same")
        needs = () if said else (shrinking,)
        return [
            stem("filters", 0),
            stem("stride", 1, above("stem_filters", 0)),
            stem("kernel_size", 0, above("stem_filters", 0)),
            setting("block", "conv"),
            setting("blocks"),
            *stack("filters", section.filters, WIDTH_PER_LAYER, "blocks", section.blocks),
            setting("growth", 1.0, above("blocks", 1)),
            setting("convolutions", 1),
            setting("kernel_size", 3),
            Setting("padding", ("model", "padding"), PADDING, None if said else section.padding, "valid", needs),
            setting("downsampling", "pool"),
            setting("pooling", "max", pooled),
            setting("squeeze_excitation", False),
            setting("batch_normalization", False),
            setting("global_pooling", "flatten"),
            setting("dense_layers", 0),
            *stack("dense_units", section.dense_units, WIDTH_PER_LAYER, "dense_layers", section.dense_layers),
            setting("dropout", 0.0, *_needs_of_dropout(section, pooled)),
            setting("dropout_position", "head", some_dropout),
            setting("activation", "relu"),
            setting("l2", 0.0),
            *augmentation_settings(section.augmentation),
        ]

    def without_effect(self, model: Mapping[str, Any]) -> Mapping[str, str]:
        positions = (model["dropout_position"],) if model["dropout"] else ()
        message = _without_a_place(positions, len(model["dense_units"]), pooled=pools(model))
        return {} if message is None else {"dropout": message}

    def check_data(self, info: DataInfo) -> None:
        if info.kind != "image":
            raise ValueError(f"family cnn needs images, but the data are {_OTHERS[info.kind]}")

    def hidden_layers(self, model: Mapping[str, Any], info: DataInfo) -> list[Any]:
        from keras import layers

        from spaces.layers.layers import convolution, dense_stack

        check_feature_map(model, *(info.image_size or info.input_shape[:2]))
        rate = model["dropout"]
        position = model["dropout_position"] if rate else None
        kinds = {"max": layers.MaxPooling2D, "average": layers.AveragePooling2D}
        made: list[Any] = []
        channels = info.channels
        if model["stem_filters"]:
            channels = model["stem_filters"]
            shape = {"padding": padding_of(model), "stride": model["stem_stride"], "kernel_size": stem_kernel(model)}
            made.extend(convolution(model, channels, "stem", **shape))
        for block, filters in enumerate(widths(model)):
            made.extend(block_parts(model, block, channels, filters))
            channels = filters
            if pools(model):
                made.append(kinds[model["pooling"]](2, name=f"pooling_{block}"))
                if position == "pooling":
                    made.append(layers.Dropout(rate, name=f"pooling_dropout_{block}"))
        if position == "features":
            made.append(layers.Dropout(rate, name="features_dropout"))
        if model["global_pooling"] == "average":
            made.append(layers.GlobalAveragePooling2D(name="global_pooling"))
        elif model["global_pooling"] == "max":
            made.append(layers.GlobalMaxPooling2D(name="global_pooling"))
        else:
            made.append(layers.Flatten(name="flatten"))
        return [*made, *dense_stack(model, model["dense_units"], rate if position == "head" else 0.0, "dense_dropout")]

    def operations(self, model: Mapping[str, Any]) -> Hashable:
        return self.numbers_left_out(model)


CNN = _Cnn()
