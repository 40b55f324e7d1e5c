"""Searches that everything happens to: killed, stopped, starved of disk, with configurations that hang or crash.

What is left has to be what an undisturbed search leaves. The short form is part of every test run; the long one,
marked `night`, does the same with many more faults. Both print one line for each fault.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import random
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from search.files import layout
from search.files.store import RunReader
from search.record.trial import FailureReason, TrialKind, TrialState
from tests.search import small
from tests.search.simulation import all_ended, table

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 600.0


class Starter:
    """Starts one search after the other; see `starter.py`."""

    def __init__(self, output: Path) -> None:
        self._output = output
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.search.starter"], cwd=ROOT, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        self._answers: queue.SimpleQueue[dict] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()
        assert self._answer() == {"ready": True}

    def start(self, space, run, workers=0, resume=False, file_bytes=None):
        order = {"space": str(space), "run": str(run), "workers": workers, "resume": resume,
                 "file_bytes": file_bytes, "output": str(self._output)}  # fmt: skip
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()["pid"]

    @property
    def ended(self):
        """Whether the search of the last start has ended by itself."""
        return not self._answers.empty()

    def code(self):
        """Exit code of the last start, once it has ended."""
        return self._answer()["code"]

    def close(self):
        self._process.stdin.close()
        self._process.wait(PATIENCE)
        self._process.stdout.close()

    def _read(self):
        for line in self._process.stdout:
            self._answers.put(json.loads(line))

    def _answer(self):
        return self._answers.get(timeout=PATIENCE)


@pytest.fixture(scope="module")
def starter(tmp_path_factory):
    made = Starter(tmp_path_factory.mktemp("starter") / "output.txt")
    yield made
    made.close()


@pytest.fixture
def report(capsys):
    """Prints a numbered line for a fault, past pytest's capturing."""
    count = [0]

    def line(text):
        count[0] += 1
        with capsys.disabled():
            print(f"\n  fault {count[0]:2}: {text}", end="", flush=True)

    return line


class Search:
    """One run directory, and what is done to it."""

    def __init__(self, starter, space, run, workers=0):
        self.starter, self.space, self.run, self.workers = starter, space, run, workers
        self.pid = 0

    def start(self, **options):
        # Both ways to go on are the same way.
        resume = layout.is_run(self.run) and random.Random(self.lines()).random() < 0.5
        self.pid = self.starter.start(self.space, self.run, self.workers, resume, **options)

    def finish(self):
        self.start()
        assert self.starter.code() == 0, self.said()

    def said(self):
        return self.starter._output.read_text()[-3000:]

    def log(self):
        try:
            return (self.run / layout.LOG).read_text()
        except OSError:
            return ""

    def lines(self):
        return self.log().count("\n")

    def wait_until(self, happened):
        """Until `happened` (False if the search ended first)."""
        end = time.monotonic() + PATIENCE
        while not happened():
            if self.starter.ended:
                return False
            assert time.monotonic() < end, f"nothing happens; log:\n{self.log()[-2000:]}"
            time.sleep(0.005)
        return True

    def wait_for_lines(self, count):
        target = self.lines() + count
        return self.wait_until(lambda: self.lines() >= target)

    def end(self, number):
        """Sends a signal; the exit code."""
        os.kill(self.pid, number)
        return self.starter.code()

    def ended(self):
        """Trials that have ended, in all starts together."""
        log = self.log()
        return log.count(" done in ") + log.count(" failed (")

    def tried_once_more(self):
        """Trials of the running phase that have lost a worker and go on in another one."""
        log = self.log().rsplit(" phase ", 1)[-1]
        ended = re.findall(r"(\S+) (?:done in|failed \()", log)
        return set(re.findall(r"the worker of trial (\S+) died", log)) - set(ended)

    def kill_children(self, count=1, rng=None):
        """Kills workers, chosen at random; how many there were to kill."""
        workers = children(self.pid)
        for pid in (rng or random).sample(workers, min(count, len(workers))):
            os.kill(pid, signal.SIGKILL)
        return min(count, len(workers))

    def result(self):
        """The ranked table, and what was made of it: retrained scores, the winner, its test metrics."""
        with RunReader(self.run) as reader:
            trials = reader.trials()
            assert all_ended(trials)
            assert (reader.meta("phase"), reader.meta("exit")) == ("done", "done")
            final = [
                (t.id, t.seed, t.epochs_to, t.outcome.score, small.curve(t.outcome))
                for t in trials
                if t.kind in (TrialKind.CANDIDATE, TrialKind.WINNER)
            ]
            evaluations = sorted((e.trial, tuple(e.metrics.items()), e.rows) for e in reader.evaluations())
            return table(trials), final, reader.meta("winner"), evaluations

    def warnings(self):
        with RunReader(self.run) as reader:
            return [event.message for event in reader.events() if event.level == "warning"]


def children(pid):
    """Ids of the processes that `pid` has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            found.append(int(path.parent.name))
    return found


def write_space(folder, **changes):
    path = folder / "tiny.yaml"
    path.write_text(json.dumps({**small.SPACE, **changes}), encoding="utf-8")
    return path


@pytest.fixture
def undisturbed(tmp_path, starter):
    """`undisturbed(space)`: what a search leaves that nothing happens to."""

    def make(space):
        search = Search(starter, space, tmp_path / "undisturbed")
        search.finish()
        return search.result()

    return make


def disturbed(search, report, rng, kills, longest=9):
    """Kills and stops a search at random moments until it has ended; returns how often it was killed."""
    killed, stopped = 0, 0
    while True:
        search.start()
        moment = rng.randint(1, longest)
        if killed >= kills or not search.wait_for_lines(moment):
            assert search.starter.code() == 0, search.said()
            return killed
        time.sleep(rng.random() * 0.1)
        if stopped < 1 + killed // 8:
            number = signal.SIGTERM if stopped % 2 else signal.SIGINT
            code = search.end(number)
            assert code in (130, 0), search.said()
            stopped += 1
            report(f"{signal.Signals(number).name} {moment} log lines after the start: exit code {code}")
        else:
            code = search.end(signal.SIGKILL)
            assert code in (-signal.SIGKILL, 0), search.said()
            killed += 1
            report(f"kill -9 {moment} log lines after the start")


def tear_states(run):
    """Cuts every checkpoint to go on from in half; how many there were."""
    files = list(run.glob("trials/*/state.npz"))
    for file in files:
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    return len(files)


def until_a_promotion(search):
    """Starts the search and kills it right after a promoted trial has begun."""
    search.start()
    assert search.wait_until(lambda: "epochs 1 to 3" in search.log())
    search.end(signal.SIGKILL)


def second_starter(search, report):
    """What a second process on the same directory is told, while the first one is held."""
    os.kill(search.pid, signal.SIGSTOP)
    refused = subprocess.run(
        [sys.executable, str(ROOT / "run_search.py"), "resume", str(search.run), "--workers", "0"],
        capture_output=True, text=True, check=False, timeout=PATIENCE,
    )  # fmt: skip
    os.kill(search.pid, signal.SIGCONT)
    assert refused.returncode == 2
    assert f"already in use by process {search.pid} " in refused.stderr
    report("a second process on the same directory: refused with exit code 2")


def test_kills_stops_a_torn_checkpoint_and_a_second_starter_leave_the_undisturbed_result(
    tmp_path, starter, undisturbed, report
):
    space = write_space(tmp_path)
    expected = undisturbed(space)
    search = Search(starter, space, tmp_path / "run")
    until_a_promotion(search)
    report("kill -9 in a promoted trial")
    torn = tear_states(search.run)
    assert torn
    report(f"{torn} checkpoints torn")
    search.start()
    assert search.wait_until(lambda: "training it again from the start" in search.log())
    second_starter(search, report)
    search.end(signal.SIGKILL)
    report("kill -9 while a torn checkpoint's configuration is trained again")
    assert disturbed(search, report, random.Random(7), kills=4) >= 2
    assert any("training it again from the start" in text for text in search.warnings())
    assert search.result() == expected


@pytest.fixture
def tight(tmp_path):
    """A folder on a small disk of its own, if this user may mount one."""
    folder = tmp_path / "tight"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    yield folder if done.returncode == 0 else None
    if done.returncode == 0:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path):
    """Takes all that is left of the disk, down to the last block."""
    with open(path, "wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(bytes(1 << 12))


def test_a_full_disk_stops_the_run_cleanly_and_room_lets_it_go_on(tmp_path, starter, undisturbed, tight, report):
    space = write_space(tmp_path, search={**small.SPACE["search"], "max_trials": 4})
    expected = undisturbed(space)
    run = (tight or tmp_path) / "run"
    search = Search(starter, space, run)
    search.start()
    assert search.wait_until(lambda: " done in " in search.log())
    if tight is not None:
        fill(tight / "ballast")
        code = starter.code()
    else:
        search.end(signal.SIGKILL)
        search.start(file_bytes=4096)
        code = starter.code()
    assert code == 1, search.said()
    assert "DiskError" in search.said()
    report(f"full disk ({'a tmpfs' if tight else 'a limit on the size of files'}): exit code 1")
    if tight is not None:
        (tight / "ballast").unlink()
    with RunReader(run) as reader:
        assert any(t.state is TrialState.COMPLETED for t in reader.trials()), "what was committed is kept"
    search.finish()
    assert search.result() == expected


MODELS = '''
"""Models that do whatever a night brings."""
import os, time
import keras

def build(hp):
    units = hp.Choice("units", UNITS)
    kind = hp.Choice("kind", ["good", "nan", "hang", "memory", "crash", "deep"])
    if kind == "hang":
        time.sleep(1000)
    if kind == "memory":
        raise MemoryError("cannot allocate 1 TiB")
    if kind == "crash":
        os._exit(7)
    inputs = keras.Input((8, 8))
    x = keras.layers.Flatten()(inputs)
    if kind == "nan":
        x = keras.layers.Rescaling(float("inf"))(x)
    for _ in range(2 if kind == "deep" else 1):
        x = keras.layers.Dense(units, activation="relu")(x)
        x = keras.layers.Dropout(0.1)(x)
    return keras.Model(inputs, keras.layers.Dense(10, activation="softmax")(x))
'''

EXPECTED = {
    "good": None,
    "deep": None,
    "nan": FailureReason.NAN,
    "hang": FailureReason.HUNG,
    "memory": FailureReason.OUT_OF_MEMORY,
    "crash": FailureReason.CRASHED,
}


def write_models(folder, units, seconds):
    """A space whose configurations are all of these kinds times `units`; each trial may take `seconds`."""
    reference = small.write_module(folder, "night_models", MODELS.replace("UNITS", repr(units)))
    return write_space(
        folder,
        model={"family": {"python": reference}},
        training={"optimizer": "adam", "learning_rate": 0.01, "batch_size": 64, "epochs": 3},
        search={"algorithm": "grid", "objective": "val_accuracy", "seed": 3},
        limits={"seconds_per_trial": seconds},
        baselines=[],
    )


def by_values(search):
    """Configuration to score, curve and cause of failure; the words of a failure may hold times."""
    with RunReader(search.run) as reader:
        rows = table(reader.trials())
    return {tuple(row[2].items()): (*row[3:10], row[10] and row[10][0]) for row in rows}


@pytest.mark.night
def test_configurations_that_hang_crash_or_starve_end_nothing_and_workers_may_die(tmp_path, starter, report):
    space = write_models(tmp_path, [8], 8.0)
    search = Search(starter, space, tmp_path / "run", workers=2)
    search.start()
    assert search.wait_until(lambda: " epoch 1 " in search.log())
    assert search.kill_children() == 1
    report("kill -9 of a worker")
    assert starter.code() == 0, search.said()
    found = {dict(values)["kind"]: row[-1] for values, row in by_values(search).items()}
    assert found == EXPECTED
    for kind, reason in found.items():
        if reason is not None:
            report(f"a configuration that ends as {kind}: recorded as {reason}")
    assert any("tried once more" in text for text in search.warnings())
    assert children(search.pid) == []


@pytest.mark.night
@pytest.mark.timeout(3000)
def test_a_long_night_in_one_process(tmp_path, starter, undisturbed, report):
    space = write_space(tmp_path, search={**small.SPACE["search"], "max_trials": 40})
    expected = undisturbed(space)
    search = Search(starter, space, tmp_path / "run")
    until_a_promotion(search)
    report("kill -9 in a promoted trial")
    report(f"{tear_states(search.run)} checkpoints torn")
    search.start()
    assert search.wait_for_lines(3)
    second_starter(search, report)
    search.end(signal.SIGKILL)
    report("kill -9")
    killed = disturbed(search, report, random.Random(1), kills=25, longest=6)
    assert killed >= 20
    assert search.result() == expected


@pytest.mark.night
@pytest.mark.timeout(3000)
def test_a_long_night_with_workers(tmp_path, starter, report):
    space = write_models(tmp_path, [4, 6, 8, 10, 12], 15.0)
    whole = Search(starter, space, tmp_path / "whole", workers=1)
    whole.finish()
    search = Search(starter, space, tmp_path / "run", workers=2)
    rng, workers_killed, killed = random.Random(2), 0, 0
    search.start()
    while not starter.ended:
        # A trial whose worker is killed twice has failed: one that has lost a worker ends before the next kill.
        ended = search.ended()
        if not search.wait_until(lambda ended=ended: search.ended() >= ended + 2 and not search.tried_once_more()):
            break
        time.sleep(rng.random())
        if workers_killed <= 2 * killed:
            workers_killed += search.kill_children(rng=rng)
            report("kill -9 of a worker")
        elif not starter.ended:
            search.end(signal.SIGKILL)
            killed += 1
            report("kill -9 of the search and its workers")
            search.start()
    assert starter.code() == 0, search.said()
    assert workers_killed + killed >= 8
    assert by_values(search) == by_values(whole)
    counts = [row[-1] for row in by_values(search).values()]
    for reason in (FailureReason.HUNG, FailureReason.NAN, FailureReason.OUT_OF_MEMORY):
        assert counts.count(reason) == 5
        report(f"5 configurations that end as {reason}: recorded")
