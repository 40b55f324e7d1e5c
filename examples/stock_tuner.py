"""A search algorithm of ours in a stock Keras Tuner loop: python examples/stock_tuner.py"""

import tempfile

import keras
import keras_tuner
from sklearn.datasets import load_digits

import nightshift as ns


def build(hp):
    model = keras.Sequential([keras.Input((64,)), keras.layers.Rescaling(1 / 16)])
    for layer in range(hp.Int("layers", 1, 2)):
        model.add(keras.layers.Dense(hp.Int(f"units_{layer}", 16, 64, step=16), activation="relu"))
    model.add(keras.layers.Dense(10, activation="softmax"))
    rate = hp.Float("learning_rate", 1e-3, 1e-1, sampling="log")
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


if __name__ == "__main__":
    hp = keras_tuner.HyperParameters()
    build(hp)
    oracle = ns.oracle("bayesian", hyperparameters=hp, objective="val_accuracy", max_epochs=3, max_trials=4, seed=1)
    x, y = load_digits(return_X_y=True)
    with tempfile.TemporaryDirectory() as folder:
        tuner = keras_tuner.Tuner(oracle, build, directory=folder, project_name="digits")
        tuner.search(x[:300], y[:300], validation_data=(x[300:400], y[300:400]), epochs=3, verbose=0)
        print("best:", tuner.get_best_hyperparameters()[0].values)
