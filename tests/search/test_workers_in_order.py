"""Real trainings in two worker processes, where the user's own model sleeps now and then."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

MODEL = """
import os, time
import keras

def build(hp):
    units, rate = hp.Int("units", 8, 64, step=8), hp.Choice("rate", [0.1, 0.03, 0.01, 0.003])
    if (units >= 32) == (os.environ["SLOW"] == "wide"):
        time.sleep(1.0)
    model = keras.Sequential([
        keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(units, activation="relu"),
        keras.layers.Dense(10, activation="softmax"),
    ])
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""

SPACE = {
    "name": "slow",
    "data": {"source": "digits", "validation": 0.2, "test": 0.2, "limit": 300},
    "model": {"family": {"python": "model:build"}},
    "training": {"batch_size": 64, "epochs": 2},
    "search": {"algorithm": "bayesian", "objective": "val_accuracy", "seed": 3, "max_trials": 13, "order": "fixed"},
    "final": {"candidates": 1, "seeds": 0},
}

SEARCH = """
import sys
import search
search.run("space.yaml", run_dir=sys.argv[1], workers=2, check=False)
"""


@pytest.mark.night
@pytest.mark.timeout(600)
def test_two_workers_give_the_same_table_whatever_ends_first(tmp_path):
    import results

    (tmp_path / "model.py").write_text(MODEL)
    (tmp_path / "space.yaml").write_text(json.dumps(SPACE))
    tables, idle = [], []
    for slow in ("wide", "narrow"):
        run = tmp_path / slow
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", SEARCH, str(run)], cwd=tmp_path, check=True, timeout=280,
            env={**os.environ, "SLOW": slow, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        table = results.table(run)
        tables.append(table[[name for name in table.columns if name not in ("run", "seconds", "build_seconds")]])
        idle.append(
            {str(entry.account): entry.seconds for entry in results.time_spent(run)}["waiting for the fixed order"]
        )
    assert len(tables[0]) > 4
    assert tables[0].equals(tables[1]), f"\n{tables[0]}\n{tables[1]}"
    assert all(seconds >= 0 for seconds in idle)
