"""Hyperparameters of the optimizer and of compile(); labels of one column, a metric of the user's, one objective."""

import keras
from keras import layers
from sklearn.datasets import load_breast_cancer


def build(hp):
    model = keras.Sequential(
        [layers.BatchNormalization(), layers.Dense(hp.Int("units", 8, 16, step=8), "relu"), layers.Dense(1)]
    )
    name = hp.Choice("optimizer", ["sgd", "adam"])
    rate = hp.Float("learning_rate", 1e-3, 1e-1, sampling="log")
    if name == "sgd":
        with hp.conditional_scope("optimizer", ["sgd"]):
            optimizer = keras.optimizers.SGD(rate, momentum=hp.Float("momentum", 0.0, 0.9, step=0.45), nesterov=True)
    else:
        optimizer = keras.optimizers.Adam(rate)
    loss = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=hp.Choice("smoothing", [0.0, 0.1]))
    model.compile(optimizer, loss, metrics=[keras.metrics.AUC(from_logits=True, name="auc")])
    return model


def load():
    rows, labels = load_breast_cancer(return_X_y=True)
    return rows.astype("float32"), labels[:, None].astype("float32")
