"""How many trials a machine trains: a plain Keras Tuner script, a bare loop, this project, and the floor.

    python benchmarks/throughput.py [--spaces digits-3 digits-30 fashion-mnist-mlp fashion-mnist-cnn]
                                    [--set KEY=VALUE] [--trials N] [--epochs N] [--rows N] [--rounds 1] [--workers N]
                                    [--gpus-per-trial SHARE] [--contenders NAME ...] [--no-startup] [--json FILE]

All contenders train the same configurations with the same seeds on the same rows, each in a fresh process, in turn.
Counted is the time from the start of the first trial to the end of the last one; what comes before is shown as the
start. Memory is that of all processes of a contender together, at its peak: resident (libraries that processes share
are counted in each) and proportional (they are shared out). The floor is the time of the training steps alone, in
functions that are compiled already; overhead is what a process spends on a trial beyond it. On a machine that has
other work to do, processor time says more than the clock. Without --workers, the contender with all workers takes as
many, with as many threads, as a run measures to be fastest, which happens before its first trial.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
from throughput_contenders import CONTENDERS, Work
from throughput_startup import startup

WORK = {
    "digits-3": Work("digits", 24, 3, 0, (), None, 1),
    "digits-30": Work("digits", 12, 30, 0, (), None, 1),
    "fashion-mnist-mlp": Work("fashion-mnist-mlp", 8, 3, 20_000, (32, 64), None, 1),
    "fashion-mnist-cnn": Work("fashion-mnist-cnn", 8, 1, 4_000, (), None, 1),
}
_PEER = "keras tuner"
_SAMPLING_SECONDS = 0.25


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--spaces", nargs="+", choices=list(WORK), default=list(WORK))
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a key of the spaces")
    parser.add_argument("--trials", type=int, help="configurations of each space")
    parser.add_argument("--epochs", type=int, help="of each configuration")
    parser.add_argument("--rows", type=int, help="training rows at most, 0 for all")
    parser.add_argument("--rounds", type=int, default=1, help="repetitions; medians are shown")
    parser.add_argument("--workers", type=int, help="of the contender with all workers; measured if not given")
    parser.add_argument("--gpus-per-trial", type=float, help="share of a GPU for each of all workers")
    parser.add_argument(
        "--contenders", nargs="+", choices=list(CONTENDERS)[1:], default=list(CONTENDERS)[1:], metavar="NAME",
        help=f"beside Keras Tuner: {', '.join(list(CONTENDERS)[1:])}",
    )  # fmt: skip
    parser.add_argument("--no-startup", action="store_true", help="leave out the time from command to first step")
    parser.add_argument("--json", type=Path, help="write everything measured to this file")
    options = parser.parse_args()
    counts = (options.rounds, options.trials, options.epochs)
    if min(count for count in counts if count is not None) < 1 or min(options.rows or 0, options.workers or 0) < 0:
        parser.error("--rounds, --trials and --epochs must be at least 1, --rows and --workers at least 0")
    measured: dict[str, Any] = {}
    for name in options.spaces:
        given = {
            "trials": options.trials,
            "epochs": options.epochs,
            "rows": options.rows,
            "workers": options.workers,
            "gpus": options.gpus_per_trial,
            "changes": tuple(options.set),
        }
        work = replace(WORK[name], **{key: value for key, value in given.items() if value is not None})
        contenders = [name for name in CONTENDERS if name == _PEER or name in options.contenders]
        rounds: dict[str, list[dict[str, Any]]] = {contender: [] for contender in contenders}
        for _ in range(options.rounds):
            for contender in contenders:
                rounds[contender].append(_measure(contender, work))
        measured[name] = {"work": asdict(work), "contenders": _summary(rounds, work)}
        _print(name, work, measured[name]["contenders"])
    if not options.no_startup:
        measured["startup"] = startup(options.rounds)
    if options.json is not None:
        options.json.write_text(json.dumps(measured, indent=2))


def _measure(contender: str, work: Work) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(asdict(work), file)
        file.flush()
        launched = time.time()
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("throughput_contenders.py")), contender, file.name],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        )  # fmt: skip
        monitor = _Monitor(process.pid)
        out, errors = process.communicate()
        resident, proportional = monitor.end()
    if process.returncode:
        sys.exit(f"{contender}: exit code {process.returncode}\n{errors}")
    found = json.loads(out.strip().splitlines()[-1])
    return {
        **found,
        "start": found["first"] - launched,
        "resident": resident,
        "proportional": proportional,
        "cpu": monitor.cpu_seconds(found["first"], found["last"]),
        "load": os.getloadavg()[0],
    }


class _Monitor:
    """Samples memory and processor time of a process and all its descendants until `end`."""

    def __init__(self, pid: int) -> None:
        self._peak = [0, 0]
        self._cpu: list[tuple[float, float]] = []
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample, args=(pid,))
        self._thread.start()

    def end(self) -> tuple[int, int]:
        """Peak resident and proportional bytes."""
        self._done.set()
        self._thread.join()
        return self._peak[0], self._peak[1]

    def cpu_seconds(self, first: float, last: float) -> float:
        """Processor time used between two Unix times."""
        times, used = zip(*self._cpu, strict=True)
        return float(np.interp(last, times, used) - np.interp(first, times, used))

    def _sample(self, pid: int) -> None:
        used: dict[int, float] = {}
        while not self._done.wait(_SAMPLING_SECONDS):
            family = _family(pid)
            for each in family:
                # A process that has ended keeps what it used.
                used[each] = max(used.get(each, 0.0), _cpu_seconds(each))
            self._cpu.append((time.time(), sum(used.values())))
            found = [_memory(each) for each in family]
            for index in (0, 1):
                self._peak[index] = max(self._peak[index], sum(sizes[index] for sizes in found))


def _family(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return [pid]
    return [pid, *(each for child in children for each in _family(int(child)))]


def _cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> tuple[int, int]:
    sizes = {"Rss:": 0, "Pss:": 0}
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, *rest = line.split()
            if name in sizes:
                sizes[name] = int(rest[0]) * 1024
    except OSError:
        pass
    return sizes["Rss:"], sizes["Pss:"]


def _summary(rounds: dict[str, list[dict[str, Any]]], work: Work) -> dict[str, dict[str, Any]]:
    rows: dict[str, dict[str, Any]] = {}
    for contender, found in rounds.items():
        rows[contender] = {
            "seconds_per_trial": statistics.median((each["last"] - each["first"]) / each["trials"] for each in found),
            "cpu_seconds_per_trial": statistics.median(each["cpu"] / each["trials"] for each in found),
            "start_seconds": statistics.median(each["start"] for each in found),
            "resident_mb": statistics.median(each["resident"] for each in found) / 2**20,
            "proportional_mb": statistics.median(each["proportional"] for each in found) / 2**20,
            "load": statistics.median(each["load"] for each in found),
        }
    plain = rows[_PEER]
    for row in rows.values():
        row["epochs_per_minute"] = 60 * work.epochs / row["seconds_per_trial"]
        row["ratio"] = plain["seconds_per_trial"] / row["seconds_per_trial"]
        row["cpu_ratio"] = plain["cpu_seconds_per_trial"] / row["cpu_seconds_per_trial"]
        row["memory_ratio"] = row["resident_mb"] / plain["resident_mb"]
    if "floor" in rounds:
        _add_overheads(rows, rounds)
    if {"1 worker", "all workers"} <= rounds.keys():
        rows["1 worker"]["same_scores_as_all_workers"] = all(
            one["scores"] == every["scores"] for one in rounds["1 worker"] for every in rounds["all workers"]
        )
    if "all workers" in rounds:
        rows["all workers"]["what"] = rounds["all workers"][0]["what"]
    return rows


def _add_overheads(rows: dict[str, dict[str, Any]], rounds: dict[str, list[dict[str, Any]]]) -> None:
    """Adds what a process spends on a trial beyond the floor, and with one worker what a new graph costs."""
    floor = [statistics.median(column) for column in zip(*(each["seconds"] for each in rounds["floor"]), strict=True)]
    for contender, found in rounds.items():
        # Without workers it is the process of the search.
        processes = max(1, found[0]["workers"]) if contender == "all workers" else 1
        rows[contender]["overhead_per_trial"] = rows[contender]["seconds_per_trial"] * processes - statistics.mean(
            floor
        )
    overheads: dict[bool, list[float]] = {True: [], False: []}
    for each in rounds.get("1 worker", []):
        for seconds, least, new in zip(each["seconds"], floor, each["new"], strict=True):
            overheads[new].append(seconds - least)
    if overheads[True]:
        rows["1 worker"]["overhead_new_graph"] = statistics.median(overheads[True])
        rows["1 worker"]["overhead_reused_graph"] = statistics.median(overheads[False]) if overheads[False] else None
        rows["1 worker"]["new_graphs"] = len(overheads[True]) // len(rounds["1 worker"])


_COLUMNS = (
    ("s/trial", "seconds_per_trial", 3),
    ("ratio", "ratio", 1),
    ("cpu s/trial", "cpu_seconds_per_trial", 3),
    ("cpu ratio", "cpu_ratio", 1),
    ("overhead s", "overhead_per_trial", 3),
    ("epochs/min", "epochs_per_minute", 0),
    ("start s", "start_seconds", 1),
    ("resident MB", "resident_mb", 0),
    ("proport. MB", "proportional_mb", 0),
    ("load", "load", 1),
)
"""Title, key and decimals of each column."""


def _print(name: str, work: Work, rows: dict[str, dict[str, Any]]) -> None:
    size = f"{work.rows:,} rows" if work.rows else "all rows"
    name = " ".join((name, *work.changes))
    every = rows["all workers"]["what"] if "all workers" in rows else "left out"
    print(f"\n{name}: {work.trials} trials of {work.epochs} epochs, {size}; all workers: {every}")
    print(f"{'contender':<14}" + "".join(f"{title:>13}" for title, _, _ in _COLUMNS))
    for contender, row in rows.items():
        cells = (f"{row[key]:.{decimals}f}" if key in row else "" for _, key, decimals in _COLUMNS)
        print(f"{contender:<14}" + "".join(f"{cell:>13}" for cell in cells))
    one = rows.get("1 worker", {})
    if "new_graphs" in one:
        reused = one["overhead_reused_graph"]
        print(
            f"overhead of a trial with 1 worker: new graph {one['overhead_new_graph']:.3f} s ({one['new_graphs']} of "
            f"{work.trials} trials), reused graph {'none' if reused is None else f'{reused:.3f} s'}"
        )
    if "same_scores_as_all_workers" in one:
        same = "yes" if one["same_scores_as_all_workers"] else "no, with other threads they round differently"
        print(f"same scores with all workers: {same}")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
