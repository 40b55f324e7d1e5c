"""Is the promised hour kept, and the time before it used? Real nights, one after the other, on a busy machine.

    python benchmarks/nights.py [--space fashion-mnist-mlp] [--budget 5m] [--busy 0 1 2 4 5] [--nights 2]
        [--set KEY=VALUE] [--json nights.json]

Each night is the command `run SPACE --budget BUDGET`, from its start to its end, with everything that follows the
search; beside it so many other processes count without end. A night is kept if it has ended with exit code 0 by then;
its length as a share of the budget is what it used. A space with a limit on trials may end sooner, of its own accord.
Prints a line for each night and, last, how many were kept and the least that one of them used. What a night that was
not kept has said is left in a file, which is named.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from search import durations  # noqa: E402

# The promise counts from when the command begins to when it has shown everything; Python itself starts and ends too.
_PYTHON_SECONDS = 1.0


def main() -> None:
    """Runs the nights and prints what became of their promises."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--space", default="fashion-mnist-mlp", help="name of a shipped space, or a file")
    parser.add_argument("--budget", default="5m")
    parser.add_argument("--busy", nargs="+", type=int, default=[0, 1, 2, 4, 5], help="processes beside each night")
    parser.add_argument("--nights", type=int, default=2, help="for each number of them")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a key of the space")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    try:
        budget = durations.budget_seconds(options.budget)
    except ValueError as error:
        parser.error(str(error))
    if options.nights < 1 or min(options.busy) < 0:
        parser.error("--nights must be at least 1, and --busy at least 0")
    nights: list[dict[str, Any]] = []
    print(f"{'busy':>4}{'load':>7}{'exit':>6}{'seconds':>9}{'used':>8}  kept", flush=True)
    for number in range(options.nights):
        changes = [*options.set, f"search.seed={number}"]
        for busy in options.busy:
            with tempfile.TemporaryDirectory() as folder:
                command = [sys.executable, str(ROOT / "run_search.py"), "run", options.space]
                command += ["--run-dir", f"{folder}/run", "--budget", options.budget]
                command += [word for change in changes for word in ("--set", change)]
                nights.append(night(command, budget, busy))
            print(line(nights[-1]), flush=True)
            if options.json is not None:
                # After every night: what is measured stays, whatever becomes of the next.
                options.json.write_text(json.dumps(nights, indent=2) + "\n")
    used = min(one["used"] for one in nights)
    print(f"kept: {sum(one['kept'] for one in nights)} of {len(nights)}; used: at least {used:.1%}")


def night(command: Sequence[str], budget: float, busy: int) -> dict[str, Any]:
    """What becomes of a command that is to end within so many seconds, with so many busy processes beside it."""
    with tempfile.NamedTemporaryFile(prefix="night-", suffix=".txt", delete=False) as said, beside(busy):
        began = time.perf_counter()
        done = subprocess.run(command, stdout=said, stderr=subprocess.STDOUT, check=False)
        seconds = time.perf_counter() - began
        load = os.getloadavg()[0]
    found = {"busy": busy, "load": load, "exit": done.returncode, "seconds": seconds, "used": seconds / budget}
    if done.returncode == 0 and seconds <= budget + _PYTHON_SECONDS:
        Path(said.name).unlink()
        return {**found, "kept": True}
    return {**found, "kept": False, "said": said.name}


@contextlib.contextmanager
def beside(count: int) -> Iterator[None]:
    """Inside, so many processes count without end."""
    running: list[subprocess.Popen[bytes]] = []
    try:
        for _ in range(count):
            running.append(subprocess.Popen([sys.executable, "-c", "while True: pass"]))
        yield
    finally:
        for process in running:
            process.kill()
        for process in running:
            process.wait()


def line(found: dict[str, Any]) -> str:
    """A night as a line of the table."""
    numbers = f"{found['busy']:>4}{found['load']:>7.1f}{found['exit']:>6}{found['seconds']:>9.0f}{found['used']:>8.1%}"
    return f"{numbers}  {'yes' if found['kept'] else 'no, see ' + found['said']}"


if __name__ == "__main__":
    main()
