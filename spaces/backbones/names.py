"""The classification networks of keras.applications under the names of space files, and files with backbones."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from spaces.basics.errors import DataError
from spaces.basics.files import unreadable

Pixels = Literal["itself", "tf", "torch", "caffe"]
"""What a network wants of pixels from 0 to 255, in the words of keras.applications: `itself`, it prepares them; `tf`,
-1 to 1; `torch`, standardized by ImageNet's colours; `caffe`, blue before red, ImageNet's mean taken off."""


@dataclass(frozen=True)
class Application:
    """One of keras.applications.

    Attributes:
        function: its name there.
        pixels: what it takes.
        least: shortest side of an image, in pixels.
    """

    function: str
    pixels: Pixels
    least: int = 32


_TF: Mapping[str, str] = {
    "mobilenet": "MobileNet",
    "mobilenet-v2": "MobileNetV2",
    "nasnet-mobile": "NASNetMobile",
    "nasnet-large": "NASNetLarge",
    "resnet50-v2": "ResNet50V2",
    "resnet101-v2": "ResNet101V2",
    "resnet152-v2": "ResNet152V2",
}
_TORCH: Mapping[str, str] = {"densenet121": "DenseNet121", "densenet169": "DenseNet169", "densenet201": "DenseNet201"}
_CAFFE: Mapping[str, str] = {
    "resnet50": "ResNet50",
    "resnet101": "ResNet101",
    "resnet152": "ResNet152",
    "vgg16": "VGG16",
    "vgg19": "VGG19",
}
_ITSELF: Mapping[str, str] = {
    "mobilenet-v3-small": "MobileNetV3Small",
    "mobilenet-v3-large": "MobileNetV3Large",
    **{f"efficientnet-b{size}": f"EfficientNetB{size}" for size in range(8)},
    **{f"efficientnet-v2-b{size}": f"EfficientNetV2B{size}" for size in range(4)},
    **{f"efficientnet-v2-{size}": f"EfficientNetV2{size.upper()}" for size in "sml"},
    **{f"convnext-{size.lower()}": f"ConvNeXt{size}" for size in ("Tiny", "Small", "Base", "Large", "XLarge")},
}

APPLICATIONS: Mapping[str, Application] = {
    **{name: Application(function, "itself") for name, function in _ITSELF.items()},
    **{name: Application(function, "tf") for name, function in _TF.items()},
    **{name: Application(function, "torch") for name, function in _TORCH.items()},
    **{name: Application(function, "caffe") for name, function in _CAFFE.items()},
    "inception-v3": Application("InceptionV3", "tf", 75),
    "inception-resnet-v2": Application("InceptionResNetV2", "tf", 75),
    "xception": Application("Xception", "tf", 71),
}

NAMES = tuple(sorted(APPLICATIONS))
FILE = ".keras"
"""How the path of a backbone of one's own ends."""

FILES = (FILE, ".h5")
"""How the path of its weights ends."""


def digest(file: str) -> str:
    """SHA-256 of a file, hexadecimal.

    Raises:
        DataError: it cannot be read.
    """
    if (reason := unreadable(file)) is not None:
        raise DataError(f"{file}: {reason}")
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_file(backbone: str) -> bool:
    """Whether it is the path of a file, not a name."""
    return backbone.endswith(FILE)
