"""What a training costs on a GPU: step by step, with each step as one XLA program, and several trainings on one card.

    python benchmarks/gpu.py [--space fashion-mnist-cnn] [--rows 25600] [--epochs 3] [--together 4]

One configuration of a shipped space, batches of 128: this project's engine without XLA and with it, each in float32 and
bfloat16, and Keras's own `fit`, which compiles with XLA on a GPU by itself. Then so many processes at the same time, on
the same card, without and with XLA. Seconds of every epoch are shown; the first one holds the compilation. It runs
without a GPU too, for what that says: XLA is slow on a CPU.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import spaces
from spaces import Split
from spaces.families import family_of

_WAYS = ("steps float32", "xla float32", "steps bfloat16", "xla bfloat16", "fit float32")
_SEED = 1


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--space", choices=_spaces(), default="fashion-mnist-cnn")
    parser.add_argument("--rows", type=int, default=25_600, help="training rows at most")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--together", type=int, default=4, help="processes at the same time")
    parser.add_argument("--only", choices=_WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if min(options.rows, options.epochs, options.together) < 1:
        parser.error("--rows, --epochs and --together must be at least 1")
    if options.only:
        print(json.dumps(_trained(options.only, options.space, options.rows, options.epochs)))
        return
    alone = {way: _processes(way, 1, options)[0] for way in _WAYS}
    for way, one in alone.items():
        _print(f"1 process, {way}", [one])
    for way in _WAYS[:2]:
        _print(f"{options.together} processes, {way}", _processes(way, options.together, options))


def _spaces() -> list[str]:
    """The shipped spaces with data that everybody has, or can download, and networks that train all their layers."""
    shipped = {name: spaces.load(name) for name in spaces.names()}
    return [
        name
        for name, spec in shipped.items()
        if isinstance(spec.data.source, str) and not family_of(spec.model).two_phases
    ]


def _processes(way: str, count: int, options: Any) -> list[dict[str, Any]]:
    command = [sys.executable, __file__, "--only", way, "--space", options.space]
    command += ["--rows", str(options.rows), "--epochs", str(options.epochs)]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    said = [process.communicate()[0] for process in running]
    if code := next((process.returncode for process in running if process.returncode), None):
        # What went wrong it has said itself.
        sys.exit(f"{way}: exit code {code}")
    return [json.loads(text.strip().splitlines()[-1]) for text in said]


def _print(title: str, found: list[dict[str, Any]]) -> None:
    shown = "; ".join(" ".join(f"{seconds:.2f}" for seconds in each["epochs"]) for each in found)
    pace = sum(each["rows"] / each["epochs"][-1] for each in found)
    print(f"{title:<30}{pace:>10,.0f} rows/s   epochs in s: {shown}", flush=True)


def _trained(way: str, space: str, rows: int, epochs: int) -> dict[str, Any]:
    """The rows that it was trained on, of which the space may have fewer, and the seconds of each epoch."""
    import tensorflow as tf

    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)
    how, precision = way.split()
    spec = spaces.load(space, [f"training.precision={precision}", "training.batch_size=128"])
    data = spaces.load_data(spec)
    (values,) = spaces.sample(spec, _SEED, 1)
    settings = spaces.configure(spec, values)
    settings = replace(settings, training=replace(settings.training, early_stopping=None))
    part = Split(data.train.x[:rows], data.train.y[:rows])
    train = _fit(settings, data.info, part) if how == "fit" else _engine(settings, data.info, part, how == "xla")
    seconds = []
    for epoch in range(1, epochs + 1):
        started = time.perf_counter()
        train(epoch)
        seconds.append(time.perf_counter() - started)
    return {"rows": len(part), "epochs": seconds}


def _engine(settings: Any, info: Any, part: Split, xla: bool) -> Any:
    from search.training import engine
    from search.training.reuse.networks import Networks

    # Every training goes on as it begins.
    vars(engine).update(pays=lambda model: xla, STEPS_THAT_PAY=0)
    rows = engine.Rows(part)
    made = Networks(info).engine(settings, _SEED, rows, 1)
    return lambda epoch: made.train_epoch(rows, epoch)


def _fit(settings: Any, info: Any, part: Split) -> Any:
    model = spaces.build_model(settings, info, seed=_SEED)
    model.compile(optimizer=model.optimizer, loss=model.loss, metrics=["accuracy"], jit_compile="auto")
    batch = settings.training.batch_size
    return lambda epoch: model.fit(part.x, part.y, batch_size=batch, epochs=1, verbose=0)


if __name__ == "__main__":
    main()
