"""Family `mlp`: dense networks. Flatten, then hidden layers or residual blocks, then the output."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from spaces.families.augmentation import OFF, Augmentation, augmentation_settings
from spaces.families.common import ACTIVATION, DEPTH, FLAG, FRACTION, PENALTY, WIDTH_PER_LAYER
from spaces.families.family import ModelSection
from spaces.families.layered import Layered
from spaces.values.dimensions import Dimension, PerLayer
from spaces.values.kinds import Kind
from spaces.values.setting import Setting, above, setting_of, stack

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from spaces.data.types import DataInfo


BLOCK = Kind("word", words=("dense", "residual"))
EMBEDDING = Kind("integer", ge=0, le=1000)


class MlpModel(ModelSection):
    """A dense network: which depths, widths and kinds of layers are worth trying."""

    family: Literal["mlp"] = Field(description="Dense networks.")
    layers: Annotated[Dimension, DEPTH] = Field(description="Number of hidden layers; 0 for none.")
    units: Annotated[PerLayer | None, WIDTH_PER_LAYER] = Field(
        default=None, description="Width of the hidden layers, of each one by itself or {shared: ...} for all."
    )
    dropout: Annotated[Dimension | None, FRACTION] = Field(
        default=None, description="Share of values dropped after every hidden layer; default 0."
    )
    block: Annotated[Dimension | None, BLOCK] = Field(
        default=None,
        description="dense: one layer after the other; residual: blocks of two layers behind a normalization, added to "
        "what comes in, whose normalization is that of layers, or of batches with batch_normalization; default dense.",
    )
    embedding: Annotated[Dimension | None, EMBEDDING] = Field(
        default=None,
        description="Of a table: length of the learnt vector that each category of a column with more values becomes; "
        "0 for none; default 0.",
    )
    activation: Annotated[Dimension | None, ACTIVATION] = Field(
        default=None, description="Activation of the hidden layers; default relu."
    )
    batch_normalization: Annotated[Dimension | None, FLAG] = Field(
        default=None, description="Batch normalization between every hidden layer and its activation; default false."
    )
    l2: Annotated[Dimension | None, PENALTY] = Field(
        default=None, description="Factor of the L2 penalty on the kernels of the hidden layers; default 0."
    )
    augmentation: Augmentation = Field(
        default=Augmentation(), description="Random changes of the training rows, which must be images."
    )
    output: Literal["probabilities", "logits"] = Field(
        default="probabilities", description="What the model returns for every class."
    )


class _Mlp(Layered):
    name = "mlp"
    section = MlpModel
    stacks: ClassVar = {"units": "layers"}
    sizes: ClassVar = {"block": BLOCK.words}
    added: ClassVar = {**OFF, "block": "dense", "embedding": 0}

    def settings(self, section: MlpModel) -> list[Setting]:
        setting = partial(setting_of, section, ("model",))
        hidden = above("layers", 0)
        return [
            setting("layers"),
            *stack("units", section.units, WIDTH_PER_LAYER, "layers", section.layers),
            setting("block", "dense", hidden),
            setting("embedding", 0),
            setting("dropout", 0.0, hidden),
            setting("activation", "relu", hidden),
            setting("batch_normalization", False, hidden),
            setting("l2", 0.0, hidden),
            *augmentation_settings(section.augmentation),
        ]

    def hidden_layers(self, model: Mapping[str, Any], info: DataInfo) -> list[Any]:
        from keras import layers

        from spaces.layers.layers import dense_stack
        from spaces.layers.rows import embedded, residual

        made: list[Any] = [*embedded(model["embedding"], info), layers.Flatten(name="flatten")]
        if model["block"] == "residual" and model["units"]:
            return [*made, *residual(model)]
        return [*made, *dense_stack(model, model["units"], model["dropout"], "dropout")]

    def threads(self, cores: int) -> int:
        # Products of dense layers are too small to share.
        return 1

    def operations(self, model: Mapping[str, Any]) -> Hashable:
        left_out = {"units": len(model["units"])} if self.widths_are_free(model) else {}
        return self.numbers_left_out({**model, **left_out})

    def widths_are_free(self, model: Mapping[str, Any]) -> bool:
        return model["block"] == "dense" and not model["embedding"] and not model["batch_normalization"]

    def with_dropout(self, model: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return {**model, "dropout": True} if model["units"] else None


MLP = _Mlp()
