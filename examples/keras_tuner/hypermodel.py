"""A HyperModel with arguments: the object, or a class that needs none."""

import keras
import keras_tuner
from getting_started import load  # noqa: F401


class Dense(keras_tuner.HyperModel):
    def __init__(self, classes=10, most=32):
        super().__init__()
        self.classes = classes
        self.most = most

    def build(self, hp):
        hidden = keras.layers.Dense(hp.Int("units", 16, self.most, step=16), activation="relu")
        out = keras.layers.Dense(self.classes, activation="softmax")
        model = keras.Sequential([keras.layers.Flatten(), hidden, out])
        model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model


wider = Dense(most=64)
