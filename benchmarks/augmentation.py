"""What random changes of images cost: our gathers and masks against the layers that Keras has for the same.

    python -m benchmarks.augmentation --batch 64 --side 224 --repeats 20

Prints processor and wall time of a batch in milliseconds, compiled, as it is done in a training step.
"""

from __future__ import annotations

import argparse
import time
from typing import Any

from spaces.outside.backend import load_tensorflow


def _pairs() -> dict[str, tuple[Any, Any]]:
    """By name: our layer, and Keras's for the same or None."""
    from keras import layers

    from spaces.layers import random_layers as ours

    white = (0.0, 255.0)
    return {
        "flip": (ours.RandomPlacement("horizontal", 0.0, "a"), layers.RandomFlip("horizontal")),
        "shift": (
            ours.RandomPlacement("none", 0.1, "b"),
            layers.RandomTranslation(0.1, 0.1, fill_mode="constant", interpolation="nearest"),
        ),
        "flip and shift": (ours.RandomPlacement("horizontal", 0.1, "c"), None),
        "cutout": (ours.RandomCutout(0.3, (0.0,), "d"), layers.RandomErasing(scale=(0.09, 0.09), fill_value=0.0)),
        "brightness and contrast": (ours.RandomLight(25.0, 0.1, white, "e"), None),
        "brightness": (ours.RandomLight(25.0, 0.0, white, "f"), layers.RandomBrightness(0.1)),
        "contrast": (ours.RandomLight(0.0, 0.1, white, "g"), layers.RandomContrast(0.1)),
        "mixup": (ours.Mixup(0.2, "h"), None),
        "rotation": (None, layers.RandomRotation(0.1)),
        "zoom": (None, layers.RandomZoom(0.1)),
    }


def _measured(layer: Any, images: Any, repeats: int) -> str:
    import tensorflow as tf

    if layer is None:
        return "|  |  "
    run = tf.function(lambda x: layer(x, training=True), autograph=False)
    for _ in range(2):
        run(images)
    processor, wall = time.process_time(), time.perf_counter()
    for _ in range(repeats):
        run(images)
    spent = time.process_time() - processor, time.perf_counter() - wall
    return "| " + " | ".join(f"{1000 * seconds / repeats:.1f}" for seconds in spent) + " "


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("batch", 64), ("side", 224), ("channels", 3), ("repeats", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    if min(asked.batch, asked.side, asked.channels, asked.repeats) < 1:
        parser.error("--batch, --side, --channels and --repeats must be at least 1")
    load_tensorflow()
    import tensorflow as tf

    images = tf.random.uniform((asked.batch, asked.side, asked.side, asked.channels), 0, 255)
    print("| change | processor ms | wall ms | Keras, processor ms | Keras, wall ms |\n|---|---:|---:|---:|---:|")
    for name, (ours, keras_layer) in _pairs().items():
        print(f"| {name} {_measured(ours, images, asked.repeats)}{_measured(keras_layer, images, asked.repeats)}|")


if __name__ == "__main__":
    main()
