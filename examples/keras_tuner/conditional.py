"""Conditional scopes: what belongs to one kind of model is chosen for that kind only."""

import keras
from getting_started import load  # noqa: F401
from keras import layers


def build(hp):
    kind = hp.Choice("model_type", ["mlp", "cnn"])
    model = keras.Sequential([keras.Input((8, 8))])
    with hp.conditional_scope("model_type", ["mlp"]):
        if kind == "mlp":
            model.add(layers.Flatten())
            for i in range(hp.Int("mlp_layers", 1, 2)):
                model.add(layers.Dense(hp.Int(f"mlp_units_{i}", 16, 32, step=16), activation="relu"))
    with hp.conditional_scope("model_type", ["cnn"]):
        if kind == "cnn":
            model.add(layers.Reshape((8, 8, 1)))
            model.add(layers.Conv2D(hp.Int("cnn_filters", 8, 16, step=8), 3, activation="relu"))
            model.add(layers.GlobalAveragePooling2D())
    model.add(layers.Dense(10, activation="softmax"))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
