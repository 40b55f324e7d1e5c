"""A function with a loop, a condition and its own optimizer; without an Input it is built on the data's shape."""

import keras
from keras import layers
from sklearn.datasets import load_digits


def build(hp):
    model = keras.Sequential([layers.Rescaling(1 / 16), layers.Flatten()])
    for i in range(hp.Int("num_layers", 1, 3)):
        model.add(
            layers.Dense(hp.Int(f"units_{i}", 16, 64, step=16), activation=hp.Choice("activation", ["relu", "tanh"]))
        )
    if hp.Boolean("dropout"):
        model.add(layers.Dropout(0.25))
    model.add(layers.Dense(10, activation="softmax"))
    rate = hp.Float("lr", min_value=1e-4, max_value=1e-2, sampling="log")
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def load():
    digits = load_digits()
    return digits.images[:400], digits.target[:400]
