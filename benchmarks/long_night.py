"""A night of 100,000 trials in simulated time: does a trial cost as much at its end as at its beginning?

    python benchmarks/long_night.py [--trials 100000] [--algorithm random] [--folder DIR] [--json long_night.json]

Everything but the training is real: the loop, the oracle, the store, the log file, the look at the clock before each
trial. The trainings last one epoch each (Hyperband's and freeze-thaw's up to 27) and five in a hundred fail. All times
are processor time; each command that reads the run afterwards has a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import spaces
from search.budget import Budget, Deadline
from search.files import layout
from search.files.store import RunStore
from search.loop.observer import Observer, Observers
from search.loop.runner import Runner
from search.night.logfile import LogFile
from search.phases.proposer import for_spec
from search.phases.sources import SearchSource
from search.record.first.beginning import first_facts
from search.record.trial import Outcome, Trial, TrialKind
from search.times.horizon import Horizon
from search.training import threads
from spaces.sections.algorithms import ALGORITHMS
from tests.search.simulation import Disk, SimulatedClock, SimulatedExecutor, World

ROOT = Path(__file__).resolve().parent.parent
_COMMANDS = {
    "status": ("status",),
    "table --top 20": ("table", "--top", "20"),
    "table, all of it as csv": ("table", "--format", "csv"),
    "report": ("report",),
}


class _Cost(Observer):
    """Processor seconds of each thousand trials."""

    def __init__(self, every: int) -> None:
        self.every = every
        self.seconds: list[float] = []
        self._done = 0
        self._before = time.process_time()

    def finished(self, trial: Trial, outcome: Outcome) -> None:
        self._done += 1
        if self._done % self.every == 0:
            now = time.process_time()
            self.seconds.append(now - self._before)
            self._before = now
            print(
                f"{self._done:>8} {1000 * self.seconds[-1] / self.every:8.2f} ms a trial", file=sys.stderr, flush=True
            )


def main() -> None:
    """Simulates the night, reads it and prints what both took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument(
        "--algorithm", default="random", choices=["random", "grid", "hyperband", "bayesian", "freeze-thaw"]
    )
    parser.add_argument(
        "--folder", type=Path, help="where the run directory is made and left; default: a temporary one"
    )
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.trials < 1:
        parser.error("--trials must be at least 1")
    if options.folder is not None and layout.is_run(options.folder / "run"):
        parser.error(f"--folder {options.folder}: holds the run of an earlier night")
    threads.configure(1)
    with tempfile.TemporaryDirectory() as temporary:
        run = (options.folder or Path(temporary)) / "run"
        found = _night(run, _space(options.algorithm, options.trials), max(1, min(1000, options.trials // 2)))
        found |= {"resume, s": _restored(run)}
        found |= {f"{name}, s": processor_seconds(run, command) for name, command in _COMMANDS.items()}
        found |= {"ten million additions, s": _additions()}
    tell(found, options.json)


def tell(found: dict[str, Any], file: Path | None) -> None:
    """Prints figures with their names, and writes them as JSON where there is a file."""
    width = max(map(len, found))
    for name, value in found.items():
        print(f"{name:<{width}}  {value:>12,.2f}" if isinstance(value, float) else f"{name:<{width}}  {value:>12,}")
    if file is not None:
        file.write_text(json.dumps(found, indent=2))


def _space(algorithm: str, trials: int) -> spaces.SearchSpec:
    linear = {"name": "linear", "values": {"layers": 0, "optimizer": "adam", "learning_rate": 0.001}}
    return spaces.load({**space("long-night", algorithm, trials), "baselines": [linear]})


def space(name: str, algorithm: str, trials: int) -> dict[str, Any]:
    """The space that is searched, as plain data."""
    return {
        "name": name,
        "data": {"source": "digits", "validation": 0.2, "test": 0.2},
        "model": {
            "family": "mlp",
            "layers": {"min": 1, "max": 2},
            "units": {"min": 16, "max": 64, "step": 8},
            "dropout": {"min": 0.0, "max": 0.5},
        },
        "training": {
            "optimizer": ["adam", "sgd"],
            "learning_rate": {"min": 1e-3, "max": 1e-1, "log": True},
            "batch_size": 64,
            "epochs": {"min": 1, "max": 27} if ALGORITHMS[algorithm].multi_fidelity else 1,
        },
        "search": {"algorithm": algorithm, "seed": 3, "max_trials": trials},
    }


def _night(run: Path, spec: spaces.SearchSpec, every: int) -> dict[str, Any]:
    clock = SimulatedClock()
    data = spaces.load_data(spec)
    began, until = clock.now(), clock.now() + 1e9
    known = first_facts(spec, data, space=spec.name, command=["benchmark"], threads=1, started=began)
    with RunStore.create(run, known | {"until": until}) as store:
        (run / layout.SPACE).write_text(spaces.dump(spec), encoding="utf-8")
        asked = for_spec(spec)
        cost = _Cost(every)
        horizon = Horizon(Budget(Deadline(unix=until), clock), spec, data)

        def end() -> Deadline | None:
            return horizon.search_end(source.standing.leading(spec.final.candidates))

        source = SearchSource(spec, asked, store, clock, end, spec.search.max_trials)
        executor = SimulatedExecutor(World(failing=0.05), clock, Disk())
        Runner(executor, store, clock, Observers([LogFile(run, clock), cost])).run(source, [])
        sitting = {"started": began, "ended": clock.now(), "command": ["benchmark"], "reason": "interrupted"}
        store.put_meta(exit="interrupted", sessions=[sitting], planned={"trials": spec.search.max_trials})
    first, last = cost.seconds[0] / every * 1000, cost.seconds[-1] / every * 1000
    return {
        "first, ms a trial": first,
        "last, ms a trial": last,
        "last by first": last / first,
        "store, MB": (run / layout.STORE).stat().st_size / 1e6,
        "log, MB": (run / layout.LOG).stat().st_size / 1e6,
        "memory at most, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


def _restored(run: Path) -> float:
    """Seconds until a resumed search knows again what it knew."""
    began = time.process_time()
    spec = spaces.load(run / layout.SPACE)
    with RunStore(run) as store:
        asked = for_spec(spec)
        asked.restore(store.each_trial(TrialKind.SEARCH), store.oracle_state())
        SearchSource(spec, asked, store, SimulatedClock(), lambda: None, None)
    return time.process_time() - began


def processor_seconds(run: Path, command: tuple[str, ...]) -> float:
    """What a command that reads the run takes, in a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, str(ROOT / "run_search.py"), command[0], str(run), *command[1:]],
        check=True, stdout=subprocess.DEVNULL, env={**os.environ, "CUDA_VISIBLE_DEVICES": "-1"},
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _additions() -> float:
    """Seconds for ten million additions, which tell how busy the machine is: about 0.5 s on an idle one."""
    began, total = time.process_time(), 0
    for number in range(10_000_000):
        total += number
    return time.process_time() - began


if __name__ == "__main__":
    main()
