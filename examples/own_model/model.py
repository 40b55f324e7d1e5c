"""A model of your own: layers and widths are Keras Tuner's `hp`, everything else is the space file's."""

import keras


def build(hp):
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Rescaling(1 / 16)])
    for _ in range(hp.Int("layers", 1, 2)):
        model.add(keras.layers.Dense(hp.Choice("units", [16, 32]), activation="relu"))
    model.add(keras.layers.Dense(10, activation="softmax"))
    return model
