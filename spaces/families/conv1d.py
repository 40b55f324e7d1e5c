"""Family `conv1d`: convolutional networks along the steps of a time series.

Blocks of convolutions, each followed by pooling over two steps; then pooling over all steps, or flattening; then dense
layers; then the output.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from spaces.basics.section import refuse
from spaces.families.common import ACTIVATION, COUNT, DEPTH, FLAG, FRACTION, PENALTY, WIDTH_PER_LAYER
from spaces.families.family import ModelSection
from spaces.families.layered import Layered
from spaces.values.dimensions import Dimension, PerLayer
from spaces.values.kinds import Kind
from spaces.values.setting import Setting, most, setting_of, stack

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import keras

    from spaces.data.types import DataInfo

KERNEL = Kind("integer", ge=1, le=1001)
POOLING = Kind("word", words=("max", "average", "none"))
GLOBAL_POOLING = Kind("word", words=("average", "max", "flatten"))


class Conv1dModel(ModelSection):
    """A convolutional network for time series: which blocks, filters and head are worth trying."""

    family: Literal["conv1d"] = Field(description="Convolutional networks along the steps of time series.")
    blocks: Annotated[Dimension, COUNT] = Field(description="Number of blocks of convolutions.")
    filters: Annotated[PerLayer, WIDTH_PER_LAYER] = Field(
        description="Filters of the convolutions, of each block by itself or {shared: ...} for all."
    )
    convolutions: Annotated[Dimension | None, COUNT] = Field(
        default=None, description="Convolutions in every block; default 1."
    )
    kernel_size: Annotated[Dimension | None, KERNEL] = Field(
        default=None, description="Length of the kernels in steps; default 5."
    )
    pooling: Annotated[Dimension | None, POOLING] = Field(
        default=None, description="Pooling over two steps at the end of every block; default max."
    )
    global_pooling: Annotated[Dimension | None, GLOBAL_POOLING] = Field(
        default=None, description="From steps to one vector: their average, their maximum, or all; default average."
    )
    batch_normalization: Annotated[Dimension | None, FLAG] = Field(
        default=None, description="Batch normalization between every layer and its activation; default false."
    )
    dense_layers: Annotated[Dimension | None, DEPTH] = Field(
        default=None, description="Dense layers between the convolutions and the output; default 0."
    )
    dense_units: Annotated[PerLayer | None, WIDTH_PER_LAYER] = Field(
        default=None, description="Width of the dense layers, of each one by itself or {shared: ...} for all."
    )
    dropout: Annotated[Dimension | None, FRACTION] = Field(
        default=None,
        description="Share of values dropped after the convolutional part and every dense layer; default 0.",
    )
    activation: Annotated[Dimension | None, ACTIVATION] = Field(
        default=None, description="Activation of convolutions and dense layers; default relu."
    )
    l2: Annotated[Dimension | None, PENALTY] = Field(
        default=None, description="Factor of the L2 penalty on the kernels of all but the output layer; default 0."
    )
    output: Literal["probabilities", "logits"] = Field(
        default="probabilities", description="What the model returns for every class."
    )

    @model_validator(mode="after")
    def _dense_layers_have_a_width(self) -> Self:
        if self.dense_units is not None and most(self.dense_layers) == 0:
            raise refuse("has no effect without dense_layers", "dense_units")
        return self


class _Conv1d(Layered):
    name = "conv1d"
    section = Conv1dModel
    rows = "series"
    stacks: ClassVar = {"filters": "blocks", "dense_units": "dense_layers"}
    sizes: ClassVar = {"pooling": ("max", "average", "none"), "global_pooling": ("average", "max", "flatten")}

    def settings(self, section: Conv1dModel) -> list[Setting]:
        setting = partial(setting_of, section, ("model",))
        return [
            setting("blocks"),
            *stack("filters", section.filters, WIDTH_PER_LAYER, "blocks", section.blocks),
            setting("convolutions", 1),
            setting("kernel_size", 5),
            setting("pooling", "max"),
            setting("global_pooling", "average"),
            setting("batch_normalization", False),
            setting("dense_layers", 0),
            *stack("dense_units", section.dense_units, WIDTH_PER_LAYER, "dense_layers", section.dense_layers),
            setting("dropout", 0.0),
            setting("activation", "relu"),
            setting("l2", 0.0),
        ]

    def check_data(self, info: DataInfo) -> None:
        if info.kind != "series":
            what = "a table" if info.kind == "tabular" else "images"
            raise ValueError(f"family conv1d needs time series (rows, steps, features), but the data are {what}")

    def hidden_layers(self, model: Mapping[str, Any], info: DataInfo) -> list[Any]:
        from keras import layers

        from spaces.layers.layers import convolution_over_steps, dense_stack

        pooled = model["pooling"] != "none"
        if pooled and info.input_shape[0] >> len(model["filters"]) == 0:
            raise ValueError(f"{len(model['filters'])} poolings leave no step of {info.input_shape[0]}")
        pool = layers.MaxPooling1D if model["pooling"] == "max" else layers.AveragePooling1D
        made: list[keras.layers.Layer] = []
        for block, filters in enumerate(model["filters"]):
            for index in range(model["convolutions"]):
                made.extend(convolution_over_steps(model, filters, f"{block}_{index}"))
            if pooled:
                made.append(pool(2, name=f"pooling_{block}"))
        kinds = {
            "average": layers.GlobalAveragePooling1D, "max": layers.GlobalMaxPooling1D, "flatten": layers.Flatten,
        }  # fmt: skip
        made.append(kinds[model["global_pooling"]](name="global_pooling"))
        if model["dropout"]:
            made.append(layers.Dropout(model["dropout"], name="features_dropout"))
        return [*made, *dense_stack(model, model["dense_units"], model["dropout"], "dense_dropout")]

    def operations(self, model: Mapping[str, Any]) -> Hashable:
        return self.numbers_left_out(model)


CONV1D = _Conv1d()
