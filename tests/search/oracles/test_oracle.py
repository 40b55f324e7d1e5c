"""The door to the oracles: names and arguments."""

import subprocess
import sys
from pathlib import Path

import pytest

from search.oracles import oracle
from spaces.sections.algorithms import ALGORITHMS


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "hyberband"}, "unknown search algorithm 'hyberband'; known are hyperband, bayesian"),
        ({"min_epochs": 4}, "min_epochs must be at most max_epochs, which is 3; received 4"),
        ({"min_epochs": 0}, "min_epochs must be a whole number of at least 1; received 0"),
        ({"max_epochs": 2.5}, "max_epochs must be a whole number of at least 1; received 2.5"),
        ({"max_epochs": True}, "max_epochs must be a whole number of at least 1; received True"),
        ({"max_trials": 0}, "max_trials must be a whole number of at least 1; received 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0; received -1"),
        ({"seed": None}, "seed must be a whole number of at least 0; received None"),
    ],
)
def test_wrong_arguments_are_named(loop, changes, message):
    given = {"name": "random", "objective": "val_accuracy", "max_epochs": 3, **changes}
    with pytest.raises(ValueError, match=message):
        oracle(given.pop("name"), hyperparameters=loop.space(), **given)


def test_a_space_of_another_kind_is_refused():
    with pytest.raises(TypeError, match=r"must be a keras_tuner.HyperParameters; received dict"):
        oracle("random", hyperparameters={}, objective="val_accuracy", max_epochs=3)


@pytest.mark.parametrize("several", [False, True])
def test_a_direction_that_is_none_is_refused(loop, several):
    import keras_tuner

    wrong = keras_tuner.Objective("val_accuracy", "maximize")
    objective = [keras_tuner.Objective("val_loss", "min"), wrong] if several else wrong
    with pytest.raises(ValueError, match="direction of val_accuracy must be min or max; received 'maximize'"):
        oracle("random", hyperparameters=loop.space(), objective=objective, max_epochs=3)


def test_names_are_known_without_tensorflow():
    code = "import sys, search.oracles; print(search.oracles.ALGORITHMS.names(), 'keras_tuner' in sys.modules)"
    root = Path(__file__).parents[3]
    answer = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == f"{ALGORITHMS.names()} False"
