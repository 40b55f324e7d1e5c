"""Random changes of the training images, which families that see images have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from spaces.basics.section import Section
from spaces.values.dimensions import Dimension, Value
from spaces.values.kinds import Kind
from spaces.values.setting import Setting, setting_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import keras

    from spaces.data.types import DataInfo

FLIP = Kind("word", words=("none", "horizontal", "vertical", "both"))
TURN = Kind("number", ge=0, le=1)
SHARE = Kind("number", ge=0, lt=1)
SPREAD = Kind("number", ge=0, le=100)


class Augmentation(Section):
    """Random changes of the training images; nothing is changed when the model predicts."""

    flip: Annotated[Dimension | None, FLIP] = Field(default=None, description="Mirroring; default none.")
    rotation: Annotated[Dimension | None, TURN] = Field(
        default=None, description="Largest rotation to either side, as a fraction of a full turn; default 0."
    )
    zoom: Annotated[Dimension | None, SHARE] = Field(
        default=None, description="Largest zoom in or out, as a fraction of the size; default 0."
    )
    shift: Annotated[Dimension | None, SHARE] = Field(
        default=None,
        description="Largest shift in every direction, as a fraction of the size and at least a pixel, over black; "
        "default 0.",
    )
    cutout: Annotated[Dimension | None, SHARE] = Field(
        default=None,
        description="Sides of a rectangle that is blotted out, as a fraction of the image's and at least a pixel; its "
        "middle is anywhere; default 0.",
    )
    brightness: Annotated[Dimension | None, TURN] = Field(
        default=None, description="Largest change of all values, as a fraction of black to white; default 0."
    )
    contrast: Annotated[Dimension | None, SHARE] = Field(
        default=None,
        description="Largest change of the distances from the channel's mean, as a fraction of them; default 0.",
    )
    mixup: Annotated[Dimension | None, SPREAD] = Field(
        default=None,
        description="Images are mixed with others, and their labels in the loss: alpha of the Beta distribution that "
        "the shares are drawn from; 0 for none; default 0.",
    )


OFF: dict[str, Value] = {
    f"augmentation_{name}": "none" if name == "flip" else 0.0 for name in Augmentation.model_fields
}
"""The settings of a network that is trained on the rows as they are."""


def augmentation_settings(section: Augmentation, *, labels: bool = True) -> list[Setting]:
    """All settings of the section that may be hyperparameters; `labels`: those that change labels too."""
    return [
        setting_of(section, ("model", "augmentation"), name, OFF[f"augmentation_{name}"])
        for name in Augmentation.model_fields
        if labels or name != "mixup"
    ]


def said_of(section: Augmentation) -> dict[str, tuple[str, ...]]:
    """The settings that a space file says something of, each with its place there."""
    said = [name for name in sorted(section.model_fields_set) if getattr(section, name) is not None]
    return {f"augmentation_{name}": ("model", "augmentation", name) for name in said}


def may_change(section: Augmentation) -> bool:
    """Whether any configuration changes training images: whether the section leaves more open than that all is off."""
    return any(
        setting.dimension is not None and setting.dimension.values != (setting.default,)
        for setting in augmentation_settings(section)
    )


def without_augmentation(model: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a network with all augmentation that they know of turned off."""
    return {name: OFF.get(name, value) for name, value in model.items()}


def changes(model: Mapping[str, Any]) -> dict[str, Any]:
    """The random changes of the training images that a configuration asks for; empty where there are none."""
    return {name: value for name, value in model.items() if name in OFF and value != OFF[name]}


def augmentation_layers(model: Mapping[str, Any], info: DataInfo) -> list[keras.layers.Layer]:
    """Layers that change training images at random: first where pixels are, then their values, then mixing.

    Raises:
        ValueError: the data are no images.
    """
    if not changes(model):
        return []
    if info.kind != "image":
        raise ValueError("augmentation changes images, but the data are a table; leave model.augmentation out")
    from keras import layers

    from spaces.layers import random_layers as ours

    used = {name.removeprefix("augmentation_"): model.get(name, off) for name, off in OFF.items()}
    white = info.white or max(info.std or (1.0,))
    made: list[keras.layers.Layer] = []
    if used["flip"] != "none" or used["shift"]:
        made.append(ours.RandomPlacement(used["flip"], used["shift"], name="random_placement"))
    if used["rotation"]:
        made.append(layers.RandomRotation(used["rotation"], name="random_rotation"))
    if used["zoom"]:
        made.append(layers.RandomZoom(used["zoom"], name="random_zoom"))
    if used["brightness"] or used["contrast"]:
        limits = (0.0, info.white) if info.white else None
        light = ours.RandomLight(used["brightness"] * white, used["contrast"], limits, name="random_light")
        made.append(light)
    if used["cutout"]:
        made.append(ours.RandomCutout(used["cutout"], info.mean or (0.0,), name="random_cutout"))
    if used["mixup"]:
        made.append(ours.Mixup(used["mixup"], name="mixup"))
    return made
