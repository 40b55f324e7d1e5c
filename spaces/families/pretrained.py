"""Family `pretrained`: a network that was trained on other pictures, with a new head.

The backbone's own preparation of pixels, the backbone, pooling over the feature map, perhaps dense layers, the output.
Training has two phases: first the head alone, then the last layers of the backbone with it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from operator import ne
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from spaces.backbones.names import FILE, FILES, NAMES
from spaces.basics.section import refuse
from spaces.families.augmentation import OFF, Augmentation, augmentation_settings, changes, may_change
from spaces.families.common import ACTIVATION, DEPTH, FLAG, FRACTION, PENALTY, WIDTH_PER_LAYER
from spaces.families.family import ModelSection, Phases
from spaces.families.layered import Layered
from spaces.values.dimensions import Dimension, PerLayer
from spaces.values.kinds import Kind
from spaces.values.setting import Need, Setting, above, setting_of, stack

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    import keras

    from spaces.data.types import DataInfo
    from spaces.models.settings import Settings
    from spaces.specs.spec import SearchSpec

BACKBONE = Kind("word", words=NAMES, endings=(FILE,))
WEIGHTS = Kind("word", words=("imagenet", "none"), endings=FILES)
POOLING = Kind("word", words=("average", "max"))
SHARE = Kind("number", ge=0, le=1)
COPIES = Kind("integer", ge=1, le=100)
_NO_COPIES = "has no effect: it needs augmentation"
_BEFORE_HEAD = frozenset(("backbone", "weights", "augmentation_copies", "fine_tune", *OFF))


class PretrainedModel(ModelSection):
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
        if self.augmentation_copies is not None and not may_change(self.augmentation):
            raise refuse(_NO_COPIES, "augmentation_copies")
        if self.augmentation.mixup is not None:
            message = "has no effect: family pretrained computes the features of every image by itself"
            raise refuse(message, "augmentation", "mixup")
        return self


class Pretrained(Layered):
    """What `search.training.two_phases` trains: a backbone, frozen at first, with a head."""

    name = "pretrained"
    section = PretrainedModel
    channels = True
    own_pixels = True
    one_process = True
    two_phases = True
    # A backbone computes as it was trained.
    float32_only = True
    stacks: ClassVar = {"dense_units": "dense_layers"}
    sizes: ClassVar = {"augmentation_flip": ("none", "horizontal", "vertical", "both")}
    added: ClassVar = {name: value for name, value in OFF.items() if name != "augmentation_mixup"}

    def settings(self, section: PretrainedModel) -> list[Setting]:
        setting = partial(setting_of, section, ("model",))
        dense = above("dense_layers", 0)
        weights = Need("weights", partial(ne, "none"), "weights other than none")
        return [
            setting("backbone"),
            setting("weights", "imagenet"),
            setting("pooling", "average"),
            setting("dense_layers", 0),
            *stack("dense_units", section.dense_units, WIDTH_PER_LAYER, "dense_layers", section.dense_layers),
            setting("dropout", 0.0),
            setting("activation", "relu", dense),
            setting("batch_normalization", False, dense),
            setting("l2", 0.0, dense),
            *augmentation_settings(section.augmentation, labels=False),
            setting("augmentation_copies", 4, weights),
            setting("fine_tune", 0.0, weights),
        ]

    def without_effect(self, model: Mapping[str, Any]) -> Mapping[str, str]:
        return {} if changes(model) else {"augmentation_copies": _NO_COPIES}

    def begins_frozen(self, model: Mapping[str, Any]) -> bool:
        return bool(model["weights"] != "none")

    def phases(self, settings: Settings) -> Phases | None:
        model, training = settings.model, settings.training
        if not self.begins_frozen(model):
            return None
        tuned = float(model["fine_tune"])
        frozen = min(training.frozen_epochs, training.epochs) if tuned else training.epochs
        copies = int(model["augmentation_copies"]) if changes(model) else 1
        return Phases(str(model["backbone"]), frozen, copies, tuned)

    def becomes_dearer(self, section: PretrainedModel) -> bool:
        return section.fine_tune is not None and section.fine_tune.values != (0.0,)

    def require(self, spec: SearchSpec, info: DataInfo) -> list[str]:
        from spaces.families.pretrained_parts import require

        return super().require(spec, info) + require(self.used(spec), info)

    def files(self, spec: SearchSpec) -> dict[str, str]:
        from spaces.backbones.names import digest

        return {file: digest(file) for pair in self.used(spec) for file in pair if file.endswith(FILES)}

    def used(self, spec: SearchSpec) -> list[tuple[str, str]]:
        """Backbones with their weights, those of the baselines included."""
        section: Any = spec.model
        backbones = [str(value) for value in section.backbone.values]
        weights = ["imagenet"] if section.weights is None else [str(value) for value in section.weights.values]
        pairs = {(backbone, one): None for backbone in backbones for one in weights}
        for baseline in spec.baselines:
            own = (baseline.values.get("backbone", backbones[0]), baseline.values.get("weights", weights[0]))
            pairs[str(BACKBONE.scalar(own[0])), str(WEIGHTS.scalar(own[1]))] = None
        return list(pairs)

    def frozen_parameters(self, settings: Settings, info: DataInfo, epochs: int | None = None) -> int:
        from spaces.families.pretrained_parts import frozen_parameters

        training = settings.training
        # The epochs of a cross-validation are folds, each of which trains for so many.
        last = training.fold_epochs if training.folds else training.epochs if epochs is None else epochs
        tuned = last > training.frozen_epochs
        return frozen_parameters(settings.model, info, tuned=tuned) if self.begins_frozen(settings.model) else 0

    def check_data(self, info: DataInfo) -> None:
        if info.kind != "image":
            raise ValueError("family pretrained needs images, but the data are a table; use family mlp")
        if info.mean is not None or info.white is None:
            raise ValueError(
                "family pretrained prepares pixels as its backbone wants them, from black, 0, to white, 1 or 255; "
                "leave data.preprocessing out, and use pixels as they are in image files"
            )

    def preprocessing(self, model: Mapping[str, Any], info: DataInfo) -> list[keras.layers.Layer]:
        # The backbone has a scale of its own.
        return super().preprocessing(model, replace(info, scale=None))

    def hidden_layers(self, model: Mapping[str, Any], info: DataInfo) -> list[Any]:
        from spaces.families.pretrained_parts import backbone_parts, head_layers

        return [*backbone_parts(model, info), *head_layers(model)]

    def head(self, settings: Settings, info: DataInfo) -> list[Any]:
        """The parts of `parts` after the backbone; their weights are drawn from the same seeds."""
        from spaces.families.pretrained_parts import head_layers
        from spaces.layers.layers import output_layers

        hidden = head_layers(settings.model)
        self.augmentation_layers(settings.model, info)
        return [*hidden, *output_layers(settings, info)]

    def head_operations(self, model: Mapping[str, Any]) -> Hashable:
        """As `operations`, of the head alone: all settings but those of what comes before it."""
        return self.numbers_left_out({name: value for name, value in model.items() if name not in _BEFORE_HEAD})

    def build(self, settings: Settings, info: DataInfo) -> keras.Model:
        from spaces.families.pretrained_parts import own_backbone

        return self.assembled(own_backbone(settings.model, self.parts(settings, info)), settings, info)


PRETRAINED = Pretrained()
