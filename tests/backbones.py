"""Backbones and photographs for tests: a network of a thousand weights, images of 16×16 pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

EFFICIENTNET = Path(__file__).parents[2] / "shared" / "data" / "backbones" / "efficientnet_lite0.keras"
needs_efficientnet = pytest.mark.skipif(
    not EFFICIENTNET.is_file(), reason=f"{EFFICIENTNET.name}, which is no part of the project, is not there"
)


def network(*, head: int = 0, channels: int = 3, side: int | None = None, measured: bool = False) -> Any:
    """A small residual network with averages as if it had been trained.

    Args:
        head: Its classes, 0 for none.
        channels: Of its images.
        side: Of its images; None: any.
        measured: Whether it has a standardization whose numbers are weights, as an EfficientNet has.
    """
    import keras

    layers = keras.layers
    inputs = keras.Input((side, side, channels))
    x = layers.Rescaling(1 / 127.5, offset=-1, name="pixels")(inputs)
    x = layers.Normalization(name="measured")(x) if measured else x
    for block, stride in enumerate((2, 1, 2)):
        y = layers.Conv2D(6 + 2 * (block == 2), 3, strides=stride, padding="same", name=f"convolution_{block}")(x)
        y = layers.BatchNormalization(name=f"normalization_{block}")(y)
        y = layers.Activation("relu", name=f"activation_{block}")(y)
        x = layers.Add(name="sum")([x, y]) if block == 1 else y
    x = layers.Dropout(0.3, name="dropped")(x)
    if head:
        x = layers.Dense(head, activation="softmax", name="predictions")(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, x, name="small")
    generator = np.random.default_rng(5)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            gamma, beta, mean, variance = layer.get_weights()
            noise = [generator.normal(0, 0.2, gamma.shape) for _ in range(3)]
            layer.set_weights(
                [gamma + noise[0], beta + noise[1], mean + noise[2], variance * generator.uniform(0.5, 2, gamma.shape)]
            )
    if measured:
        model.get_layer("measured").adapt(generator.normal(0.4, 0.3, (20, 4, 4, channels)))
    return model


def saved(folder: Path, **options: Any) -> Path:
    """The file of such a network in a folder."""
    import keras

    path = folder / "small.keras"
    if not path.exists():
        keras.utils.set_random_seed(3)
        network(**options).save(path)
    return path


def photographs(folder: Path, count: int = 120, side: int = 16) -> Path:
    """An archive of noisy images in three classes, each with more of one colour; the corners tell left from right."""
    generator = np.random.default_rng(0)
    y = generator.integers(0, 3, count)
    x = generator.integers(0, 150, (count, side, side, 3)).astype(np.uint8)
    for image, colour in zip(x, y, strict=True):
        image[: side // 2, : side // 2, colour] += 80
    path = folder / "photographs.npz"
    np.savez(path, x_train=x, y_train=y)
    return path


def space(folder: Path, model: dict[str, Any] | None = None, **sections: Any) -> dict[str, Any]:
    """A space of two heads and some fine-tuning on them."""
    made: dict[str, Any] = {
        "name": "small-photographs",
        "data": {"source": {"npz": str(photographs(folder))}, "validation": 0.25, "test": 0.2},
        "model": {
            "family": "pretrained",
            "backbone": str(saved(folder)),
            "pooling": ["average", "max"],
            "dense_layers": 1,
            "dense_units": 8,
            "dropout": 0.2,
            "fine_tune": 0.5,
            **(model or {}),
        },
        "training": {
            "learning_rate": 0.03,
            "epochs": 4,
            "frozen_epochs": 2,
            "fine_tune_rate": 0.1,
            "batch_size": 16,
        },
        "search": {"algorithm": "random", "max_trials": 2},
        "final": {"candidates": 1, "seeds": 0},
        "export": {"formats": ["keras"]},
    }
    for name, part in sections.items():
        made[name] = {**made.get(name, {}), **part}
    for name in ("model", "training"):
        # What is None is left out.
        made[name] = {key: value for key, value in made[name].items() if value is not None}
    return made
