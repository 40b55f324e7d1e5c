"""What a search algorithm has to keep to."""

from __future__ import annotations

import json
from typing import Any

from spaces.sections.algorithms import Algorithm


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
