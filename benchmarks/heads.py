"""How many heads on a frozen pretrained network are tried in the first minutes, against a plain Keras Tuner script.

    python -m benchmarks.heads FOLDER BACKBONE [--minutes 5] [--json FILE]

FOLDER holds one folder of photographs per class, BACKBONE is a `.keras` file without its head. Both contenders draw
heads at random, three epochs each, in a fresh process, from when the data are loaded: what the backbone makes of the
photographs is part of the time. The script has the backbone in the graph, as users of Keras Tuner write it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import spaces

EPOCHS = 3
# Until the data are loaded and the search begins.
_STARTING = 60


def ours(folder: str, backbone: str, seconds: float) -> int:
    """Heads that this project tries."""
    import search

    spec = _spec(folder, backbone)
    with tempfile.TemporaryDirectory() as place:
        # What comes after the search is not in question: the search is stopped when its time is over.
        timer = threading.Timer(seconds + _STARTING, os.kill, (os.getpid(), signal.SIGTERM))
        timer.daemon = True
        timer.start()
        budget = f"{3 * (seconds + _STARTING):.0f}s"
        run = search.run(spec, run_dir=Path(place) / "run", budget=budget, on_interrupt="return")
        with run.read() as reader:
            trials = list(reader.trials())
    began = min(trial.started for trial in trials)
    ended = [trial.finished for trial in trials if trial.outcome is not None and trial.outcome.whole]
    return sum(at is not None and at - began <= seconds for at in ended)


def keras_tuner_script(folder: str, backbone: str, seconds: float) -> int:
    """Heads that a plain script tries."""
    import keras
    import keras_tuner

    data = spaces.load_data(_spec(folder, backbone))
    frozen = keras.saving.load_model(backbone, compile=False)
    frozen.trainable = False

    def build(hp: keras_tuner.HyperParameters) -> keras.Model:
        layers = keras.layers
        model = keras.Sequential(
            [keras.Input(data.info.input_shape), layers.Rescaling(1.0), frozen, layers.GlobalAveragePooling2D()]
        )
        if hp.Boolean("dense"):
            model.add(layers.Dense(hp.Choice("units", [128, 256, 512]), activation="relu"))
        model.add(layers.Dropout(hp.Float("dropout", 0.0, 0.6, step=0.1)))
        model.add(layers.Dense(data.info.outputs, activation="softmax"))
        rate = hp.Float("learning_rate", 1e-3, 1e-2, sampling="log")
        model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    began, done = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as place:
        tuner = keras_tuner.RandomSearch(build, "val_accuracy", max_trials=1, directory=place, overwrite=True)
        while time.monotonic() - began < seconds:
            tuner.oracle.max_trials = done + 1
            validation = (data.validation.x, data.validation.y)
            tuner.search(data.train.x, data.train.y, epochs=EPOCHS, validation_data=validation, verbose=0)
            done += time.monotonic() - began < seconds
    return done


def _spec(folder: str, backbone: str) -> spaces.SearchSpec:
    return spaces.load(
        {
            "name": "heads",
            "data": {"source": {"folder": folder}, "image_size": 224, "validation": 0.1, "test": 0.1},
            "model": {
                "family": "pretrained",
                "backbone": backbone,
                "dense_layers": {"min": 0, "max": 1},
                "dense_units": [128, 256, 512],
                "dropout": {"min": 0.0, "max": 0.6, "step": 0.1},
            },
            "training": {"learning_rate": {"min": 1e-3, "max": 1e-2, "log": True}, "epochs": EPOCHS},
            "search": {"algorithm": "random", "max_trials": 100_000},
            "final": {"candidates": 1, "seeds": 0},
            "export": {"formats": ["keras"]},
        }
    )


CONTENDERS = {"this project": ours, "Keras Tuner": keras_tuner_script}


def main() -> None:
    """Prints a table; each contender runs in a fresh process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("backbone")
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.contender:
        print(json.dumps(CONTENDERS[given.contender](given.folder, given.backbone, 60 * given.minutes)))
        return
    counts = {}
    print(f"| contender | heads in {given.minutes:g} minutes |\n|---|---:|")
    for name in CONTENDERS:
        command = [sys.executable, "-m", "benchmarks.heads", given.folder, given.backbone]
        command += ["--minutes", str(given.minutes), "--contender", name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(f"{name}: exit code {done.returncode}\n{done.stderr}")
        counts[name] = int(done.stdout.strip().splitlines()[-1])
        print(f"| {name} | {counts[name]} |", flush=True)
    if given.json:
        given.json.write_text(json.dumps({"minutes": given.minutes, "heads": counts}), encoding="utf-8")


if __name__ == "__main__":
    main()
