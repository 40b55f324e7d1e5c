"""What a part of a package of your own has to keep to: call these in its tests.

Each raises AssertionError with a sentence about what is wrong. Importing the module does not import Keras.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import spaces
from spaces.families import Family
from spaces.sections.algorithms import Algorithm

__all__ = ["check_family", "check_oracle"]


def check_family(family: Family, section: Mapping[str, Any], info: spaces.DataInfo) -> None:
    """A family's settings, parameters and models agree, for the smallest and the largest configuration.

    Args:
        family: A registered family.
        section: Section `model` of a space file, `family` included.
        info: Rows that its models take.
    """
    spec = spaces.SearchSpec(name="check", data={"source": "digits"}, model=dict(section), training={"epochs": 1})
    assert isinstance(spec.model, family.section), f"{family.name}: another family reads this section"
    assert spaces.load(spec).model == spec.model, f"{family.name}: the section changes when it is read again"
    for values in spaces.extremes(spec):
        settings = spaces.configure(spec, values)
        again = spaces.Settings.from_json(json.loads(json.dumps(settings.to_json())))
        assert again == settings, (
            f"{family.name}: its settings are others after they were stored: {again} for {settings}"
        )
        model = spaces.build_model(settings, info, seed=0)
        counted = spaces.count_parameters(settings, info)
        assert counted == model.count_params(), (
            f"{family.name}: {counted} parameters counted, {model.count_params()} built"
        )
        assert model.input_shape[1:] == info.input_shape, f"{family.name}: the model takes {model.input_shape}"


def check_oracle(algorithm: Algorithm, *, trials: int = 12) -> None:
    """An algorithm's oracle gives the same proposals for the same seed, repeats none, and goes on from its memory.

    Args:
        algorithm: What is checked; the space has 20 configurations.
        trials: So many are asked for.
    """
    first, second = _proposals(algorithm, trials), _proposals(algorithm, trials)
    assert first == second, f"{algorithm.name}: equal seeds and results gave other proposals"
    continued = _proposals(algorithm, trials, interrupted=trials // 2)
    assert first == continued, f"{algorithm.name}: going on from its memory gave other proposals"
    new = [tuple(sorted(values.items())) for values, parent in first if parent is None]
    assert len(new) == len(set(new)), f"{algorithm.name}: proposed a configuration twice"


def _proposals(algorithm: Algorithm, count: int, interrupted: int = 0) -> list[tuple[dict[str, Any], Any]]:
    from keras_tuner.engine.trial import TrialStatus

    oracle, found = _oracle(algorithm), []
    for number in range(count):
        if interrupted and number == interrupted:
            before, memory = oracle, json.loads(json.dumps(oracle.memory()))
            oracle = _oracle(algorithm)
            oracle.trials.update(before.trials)
            oracle.recall(memory)
        trial = oracle.create_trial("tuner")
        if trial.status != TrialStatus.RUNNING:
            break
        values = trial.hyperparameters.values
        plain = {name: value for name, value in values.items() if not name.startswith("tuner/")}
        found.append((plain, values.get("tuner/trial_id")))
        for epoch in range(values.get("tuner/epochs", 1)):
            oracle.update_trial(trial.trial_id, {"val_loss": 1.0 / (plain["units"] + epoch)}, step=epoch)
        trial = oracle.trials[trial.trial_id]
        trial.status = TrialStatus.COMPLETED
        oracle.end_trial(trial)
    return found


def _oracle(algorithm: Algorithm) -> Any:
    import keras_tuner

    space = keras_tuner.HyperParameters()
    space.Int("units", 1, 10)
    space.Choice("optimizer", ["sgd", "adam"])
    return algorithm.oracle(
        hyperparameters=space, objective="val_loss", min_epochs=1, max_epochs=3, max_trials=None, seed=3
    )
