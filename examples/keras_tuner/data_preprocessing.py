"""Preprocessing that is chosen like anything else: as layers, one of which learns from the training rows."""

import keras
from getting_started import load
from keras import layers

IMAGES = load()[0].reshape(-1, 64)


def build(hp):
    inputs = keras.Input((8, 8))
    x = layers.Reshape((8, 8, 1))(inputs)
    if hp.Boolean("augment"):
        x = layers.RandomTranslation(0.1, hp.Float("shift", 0.0, 0.2, step=0.1))(x)
    x = layers.Flatten()(x)
    if hp.Choice("scaling", ["normalize", "rescale"]) == "normalize":
        normalization = layers.Normalization()
        normalization.adapt(IMAGES)
        x = normalization(x)
    else:
        x = layers.Rescaling(1 / 16)(x)
    outputs = layers.Dense(10, activation="softmax")(layers.Dense(hp.Int("units", 16, 32, step=16), "relu")(x))
    model = keras.Model(inputs, outputs)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
