"""The blocks of family `cnn`: their convolutions, and what they make of the image's size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def check_feature_map(model: Mapping[str, Any], height: int, width: int) -> None:
    """Checks that the image outlasts all blocks.

    Raises:
        ValueError: a convolution or pooling would leave less than one pixel.
    """
    size = [height, width]
    if model["stem_filters"]:
        size = _after_convolution(model, size, model["stem_stride"], "the stem", stem_kernel(model))
    for block in range(model["blocks"]):
        where = f"block {block + 1}"
        for index in range(model["convolutions"]):
            size = _after_convolution(model, size, stride_of(model, block, index), where, model["kernel_size"])
        if pools(model):
            _check_fits(size, 2, where, "2×2 pooling", "fewer blocks, pooling: none or downsampling: stride")
            size = [side // 2 for side in size]


def _after_convolution(model: Mapping[str, Any], size: list[int], stride: int, where: str, kernel: int) -> list[int]:
    if padding_of(model) == "valid":
        instead = "fewer blocks, a smaller kernel or padding: same"
        _check_fits(size, kernel, where, f"the {kernel}×{kernel} kernel", instead)
        size = [side - kernel + 1 for side in size]
    return [-(-side // stride) for side in size]


def _check_fits(size: list[int], needed: int, where: str, what: str, instead: str) -> None:
    if min(size) < needed:
        raise ValueError(
            f"the image has shrunk to {size[0]}×{size[1]} pixels in {where}, too small for {what}; use {instead}"
        )


def padding_of(model: Mapping[str, Any]) -> str:
    """Padding of the convolutions: a sum needs terms of one size, so that residual blocks keep it."""
    return "same" if model["block"] == "residual" else str(model["padding"])


def stem_kernel(model: Mapping[str, Any]) -> int:
    """Height and width in pixels of the kernel of the convolution before the blocks."""
    return int(model["stem_kernel_size"] or model["kernel_size"])


def stride_of(model: Mapping[str, Any], block: int, convolution: int) -> int:
    """Stride of a convolution of a block, both counted from 0."""
    return 2 if model["downsampling"] == "stride" and block > 0 and convolution == 0 else 1


def pools(model: Mapping[str, Any]) -> bool:
    """Whether blocks end with pooling."""
    return bool(model["downsampling"] == "pool" and model["pooling"] != "none")


def widths(model: Mapping[str, Any]) -> list[int]:
    """Filters of each block."""
    return [max(1, round(filters * model["growth"] ** block)) for block, filters in enumerate(model["filters"])]


def block_parts(model: Mapping[str, Any], block: int, inputs: int, filters: int) -> list[Any]:
    """The convolutions of one block.

    Args:
        model: the settings.
        block: its number, counted from 0.
        inputs: channels that come in.
        filters: channels that go out.
    """
    from spaces.layers.layers import convolution, squeeze_excitation

    count = model["convolutions"]
    if model["block"] == "residual":
        return [
            part
            for first in range(0, count, 2)
            for part in _residual(
                model, block, range(first, min(first + 2, count)), filters if first else inputs, filters
            )
        ]
    made: list[Any] = []
    for index in range(count):
        stride, separable = stride_of(model, block, index), model["block"] == "separable"
        made.extend(
            convolution(
                model, filters, f"{block}_{index}", padding=padding_of(model), stride=stride, separable=separable
            )
        )
    if model["squeeze_excitation"]:
        made.append(squeeze_excitation(model, filters, str(block)))
    return made


def _residual(model: Mapping[str, Any], block: int, convolutions: range, inputs: int, filters: int) -> list[Any]:
    """Convolutions and the way past them (He et al., arXiv:1512.03385, section 3), the activation after the sum."""
    from keras import layers

    from spaces.layers.layers import convolution, shortcut, squeeze_excitation
    from spaces.layers.parts import Joined

    label = f"{block}_{convolutions[0]}"
    way: list[Any] = []
    for index in convolutions:
        stride, active = stride_of(model, block, index), index != convolutions[-1]
        way.extend(convolution(model, filters, f"{block}_{index}", padding="same", stride=stride, active=active))
    if model["squeeze_excitation"]:
        way.append(squeeze_excitation(model, filters, label))
    past = shortcut(model, inputs, filters, stride_of(model, block, convolutions[0]), label)
    sum_of_both = Joined((tuple(way), tuple(past)), layers.Add(name=f"sum_{label}"))
    return [sum_of_both, layers.Activation(model["activation"], name=f"sum_activation_{label}")]
