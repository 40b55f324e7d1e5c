"""A small conditional space, a score for its configurations, and a loop that asks an oracle."""

import math
from types import SimpleNamespace

import pytest


def space():
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    hp.Int("layers", 1, 3)
    for layer in range(3):
        with hp.conditional_scope("layers", list(range(layer + 1, 4))):
            hp.Int(f"units_{layer}", 32, 512, step=32)
    hp.Choice("optimizer", ["adam", "sgd", "rmsprop"])
    with hp.conditional_scope("optimizer", ["sgd"]):
        hp.Float("momentum", 0.8, 0.99)
    hp.Float("learning_rate", 1e-4, 1e-1, sampling="log")
    hp.Float("dropout", 0.0, 0.5, step=0.1)
    hp.Fixed("activation", "relu")
    return hp


def small_space():
    """Eleven configurations: 3 x 3 without, 2 with the conditional choice."""
    import keras_tuner

    hp = keras_tuner.HyperParameters()
    hp.Choice("kind", ["plain", "wide"])
    with hp.conditional_scope("kind", ["plain"]):
        hp.Int("units", 1, 3)
        hp.Float("dropout", 0.0, 0.2, step=0.1)
    with hp.conditional_scope("kind", ["wide"]):
        hp.Boolean("bias")
    return hp


def score(values, epochs):
    rate = (math.log10(values["learning_rate"]) + 2.5) ** 2
    return 0.9 - 0.02 * rate - 0.01 * (values["layers"] - 2) ** 2 - 0.02 * values["dropout"] - 0.2 / epochs


def ask(oracle, worker="worker"):
    return oracle.create_trial(worker)


def tell(oracle, trial, value):
    """Ends the trial with `value`, or as failed where it is None."""
    if value is not None:
        oracle.update_trial(trial.trial_id, {"val_accuracy": value}, step=0)
    trial.status = "FAILED" if value is None else "COMPLETED"
    oracle.end_trial(trial)


def drive(oracle, trials, scorer=score):
    """Runs at most `trials` trials one after the other and returns their values."""
    proposals = []
    for _ in range(trials):
        trial = ask(oracle)
        if trial.status != "RUNNING":
            break
        values = trial.hyperparameters.values
        proposals.append(dict(values))
        tell(oracle, trial, scorer(values, values.get("tuner/epochs", 27)))
    return proposals


@pytest.fixture(scope="session")
def loop():
    return SimpleNamespace(
        space=space, small_space=small_space, score=score, ask=ask, tell=tell, drive=drive, flat=lambda v, e: 0.5
    )
