"""A model class of one's own."""

import keras
from getting_started import load  # noqa: F401
from keras import layers


class Net(keras.Model):
    def __init__(self, units, rate):
        super().__init__()
        self.flat = layers.Flatten()
        self.hidden = layers.Dense(units, activation="relu")
        self.drop = layers.Dropout(rate)
        self.out = layers.Dense(10, activation="softmax")

    def call(self, x, training=False):
        return self.out(self.drop(self.hidden(self.flat(x)), training=training))


def build(hp):
    model = Net(hp.Int("units", 16, 32, step=16), hp.Float("rate", 0.0, 0.4, step=0.2))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
