"""Several inputs and outputs: data as dicts, a loss for each output, and one objective."""

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits


def build(hp):
    image, total = keras.Input((8, 8, 1), name="image"), keras.Input((1,), name="total")
    x = layers.Flatten()(layers.Conv2D(hp.Int("filters", 4, 8, step=4), 3, activation="relu")(image))
    x = layers.Concatenate()([x, layers.Dense(4)(total)])
    x = layers.Dense(hp.Int("units", 16, 32, step=16), activation="relu")(x)
    outputs = {"digit": layers.Dense(10, activation="softmax")(x), "size": layers.Dense(1)(x)}
    outputs = {name: layers.Identity(name=name)(value) for name, value in outputs.items()}
    model = keras.Model({"image": image, "total": total}, outputs)
    model.compile(
        "adam",
        loss={"digit": "sparse_categorical_crossentropy", "size": "mse"},
        loss_weights={"digit": 1.0, "size": hp.Choice("weight", [0.1, 1.0])},
        metrics={"digit": ["accuracy"], "size": ["mae"]},
    )
    return model


def load():
    digits = load_digits()
    images, labels = digits.images[:400, :, :, None], digits.target[:400]
    total = images.sum(axis=(1, 2)) / 300
    inputs = {"image": images.astype("uint8"), "total": total.astype("float32")}
    return inputs, {"digit": labels, "size": np.sqrt(total).astype("float32")}
