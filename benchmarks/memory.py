"""Resident memory of a whole run over 200 trials of varying width on digits, printed and plotted.

    python benchmarks/memory.py [--trials 200] [--workers 1] [--plot memory.png] [--json memory.json]

Sampled after each trial, over the process of the search and its workers (Linux: from /proc). Memory that processes
share is counted in each of them.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import search
import spaces
from search.loop.observer import Observer
from search.record.trial import Outcome, Trial

_FIRST = 20


def main() -> None:
    """Runs the search and prints the memory after every twentieth trial and the growth since the first of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--plot", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.trials < 2 * _FIRST:
        parser.error(f"--trials must be at least {2 * _FIRST}")
    if options.workers < 0:
        parser.error("--workers must be at least 0")
    samples = _Samples()
    spec = spaces.load(
        "digits",
        (
            "search.algorithm=random",
            f"search.max_trials={options.trials}",
            "training.epochs=2",
            "model.units={min: 16, max: 256, step: 8}",
            "baselines=[]",
            "final.candidates=1",
            "final.seeds=0",
        ),
    )
    with tempfile.TemporaryDirectory() as folder:
        search.run(spec, run_dir=Path(folder) / "run", workers=options.workers, observers=[samples])
    found = samples.resident[: options.trials]
    print(f"{'trial':>6}{'resident MiB':>14}")
    for number in range(_FIRST, len(found) + 1, _FIRST):
        print(f"{number:>6}{found[number - 1] / 2**20:>14.0f}")
    growth = found[-1] / found[_FIRST - 1] - 1
    print(f"growth from trial {_FIRST} to {len(found)}: {growth:+.1%}")
    if options.json is not None:
        options.json.write_text(json.dumps({"resident_bytes": found, "growth": growth}))
    if options.plot is not None:
        _plot(found, options.plot)


class _Samples(Observer):
    """Adds up the resident memory of the search and its workers after each trial."""

    def __init__(self) -> None:
        self.resident: list[int] = []

    def finished(self, trial: Trial, outcome: Outcome) -> None:
        self.resident.append(sum(_resident(process) for process in [os.getpid(), *_children(os.getpid())]))


def _children(process: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def _resident(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0  # It has just ended.


def _plot(found: list[int], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 3.5))
    axes.plot(range(1, len(found) + 1), [size / 2**20 for size in found])
    axes.set_xlabel("trial")
    axes.set_ylabel("resident MiB, all processes")
    axes.set_ylim(bottom=0)
    figure.tight_layout()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    main()
