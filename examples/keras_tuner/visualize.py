"""A convolutional network; TensorBoard's files, HParams included, are written by the run."""

import keras
from getting_started import load  # noqa: F401
from keras import layers


def build(hp):
    inputs = keras.Input(shape=(8, 8))
    x = layers.Reshape((8, 8, 1))(inputs)
    for i in range(hp.Int("conv_layers", 1, 2)):
        x = layers.Conv2D(
            filters=hp.Int(f"filters_{i}", 4, 16, step=4),
            kernel_size=hp.Int(f"kernel_{i}", 3, 5, step=2),
            activation="relu",
            padding="same",
        )(x)
    pooling = (
        layers.GlobalMaxPooling2D
        if hp.Choice("pooling", ["max", "average"]) == "max"
        else layers.GlobalAveragePooling2D
    )
    outputs = layers.Dense(10, activation="softmax")(pooling()(x))
    model = keras.Model(inputs, outputs)
    model.compile(hp.Choice("optimizer", ["adam", "rmsprop"]), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
