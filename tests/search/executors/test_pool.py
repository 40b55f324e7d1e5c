"""The pool of worker processes: real processes, a trainer that does what the trial's id says."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from collections import deque
from concurrent.futures import Future
from multiprocessing.connection import Pipe

import pytest

from search.budget import Deadline, MovingDeadline
from search.errors import CheckpointError, DiskError
from search.executors import pool as pools
from search.executors import protocol
from search.executors.inline import InlineExecutor
from search.executors.tasks import Task, give_up_late
from search.record.trial import Epoch, FailureReason, Outcome, Stop, TrialJob
from tests.search.simulation import SimulatedClock

SOON = 30.0


def job(trial_id, **changes):
    made = {
        "settings": {},
        "seed": 7,
        "objective": "val_accuracy",
        "direction": "max",
        "epochs_from": 0,
        "epochs_to": 3,
    }
    return TrialJob(**{"trial_id": trial_id, **made, **changes})


def nothing(*_):
    pass


def finish(pool, *futures):
    """Waits for all of them."""
    left, end = set(futures), time.monotonic() + SOON
    while left:
        left -= pool.wait(left, 1.0)
        assert time.monotonic() < end, "the pool does not answer"
    return [future.exception() or future.result() for future in futures]


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stream:
            return stream.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_jobs_are_trained_and_their_epochs_told_in_order(make_pool):
    pool, told = make_pool(), []
    done = finish(pool, *(pool.submit(job(name), lambda t, e: told.append((t, e.number))) for name in ("a", "b")))
    assert [len(outcome.epochs) for outcome in done] == [3, 3]
    assert told == [(name, number) for name in ("a", "b") for number in (1, 2, 3)]
    assert len({epoch.metrics["pid"] for outcome in done for epoch in outcome.epochs}) == 1, "one worker, kept"


def test_what_a_training_prints_is_no_data_of_the_search(make_pool, capfd):
    pool = make_pool()
    finish(pool, pool.submit(job("prints"), nothing))
    pool.shutdown()
    printed = capfd.readouterr()
    assert printed.out == ""
    assert "of a model" in printed.err
    assert "of a program" in printed.err


def test_workers_train_side_by_side(make_pool):
    pool, done = make_pool(2), []
    # How long the second one takes to start is up to the machine.
    while len({outcome.epochs[0].metrics["pid"] for outcome in done}) < 2:
        done += finish(pool, *(pool.submit(job(f"slow {len(done) + i}", epochs_to=8), nothing) for i in range(4)))
        assert len(done) < 100, "one of them trains everything"


def test_where_there_are_several_workers_one_more_trial_may_wait(make_pool):
    assert [make_pool(count).slots for count in (1, 2, 3)] == [1, 3, 4]


def test_no_more_workers_are_started_than_there_are_jobs(make_pool, tmp_path):
    pool = make_pool(4)
    finish(pool, pool.submit(job("a"), nothing))
    assert len(pool.processes) == 1


@pytest.mark.parametrize(("name", "error"), [("checkpoint", CheckpointError), ("disk", DiskError)])
def test_what_is_no_fault_of_the_configuration_is_raised(make_pool, name, error):
    pool = make_pool()
    (found,) = finish(pool, pool.submit(job(name), nothing))
    assert type(found) is error
    assert "trials/0/state.npz" in str(found)
    assert finish(pool, pool.submit(job("a"), nothing))[0].score == 0.5


def test_a_fault_of_the_program_is_raised_with_its_name(make_pool):
    pool = make_pool()
    (found,) = finish(pool, pool.submit(job("raises"), nothing))
    assert "ZeroDivisionError: unlucky" in str(found)


def test_a_worker_that_dies_costs_its_trial_one_retry(make_pool):
    pool = make_pool()
    once, after = finish(pool, pool.submit(job("exits once"), nothing), pool.submit(job("a"), nothing))
    assert (once.failure, len(once.epochs)) == (None, 3)
    assert after.failure is None
    assert pool.events == ["the worker of trial exits once died (exit code 3); it is tried once more"]


@pytest.mark.parametrize(("name", "ending"), [("exits", "exit code 3"), ("killed", "SIGKILL")])
def test_a_trial_that_ends_its_worker_twice_has_failed(make_pool, name, ending):
    pool = make_pool(2)
    bad, *good = finish(pool, *(pool.submit(job(n), nothing) for n in (name, "a", "b", "c")))
    assert bad.failure.reason is FailureReason.CRASHED
    assert "ended twice" in bad.failure.message
    assert ending in bad.failure.message
    assert all(outcome.failure is None for outcome in good)
    assert len(pool.events) == 1


def test_a_worker_killed_from_outside_while_it_trains(make_pool):
    pool, told = make_pool(), []

    def kill(_, epoch):
        told.append(epoch.number)
        if told == [1, 2]:
            os.kill(pool.processes[0], signal.SIGKILL)

    (outcome,) = finish(pool, pool.submit(job("slow", epochs_to=12), kill))
    everything = list(range(1, 13))
    assert [epoch.number for epoch in outcome.epochs] == everything
    first, again = told[:-12], told[-12:]
    assert again == everything
    # What it has told before the signal reaches it is up to the machine.
    assert 2 <= len(first) < 12
    assert first == everything[: len(first)]


def test_an_idle_worker_that_is_killed_is_replaced(make_pool):
    pool = make_pool()
    finish(pool, pool.submit(job("a"), nothing))
    os.kill(pool.processes[0], signal.SIGKILL)
    assert finish(pool, pool.submit(job("b"), nothing))[0].failure is None


def test_a_worker_that_dies_while_it_starts_is_replaced(make_pool, tmp_path):
    (tmp_path / "die at start").touch()
    pool = make_pool()
    assert finish(pool, pool.submit(job("a"), nothing))[0].failure is None
    assert pool.events == ["a worker died while it started (exit code 5); another one is started"]


def test_a_worker_that_hangs_while_it_starts_is_replaced(make_pool, tmp_path, monkeypatch):
    (tmp_path / "hang at start").touch()
    monkeypatch.setattr(pools, "STARTING", 1.0)
    pool = make_pool()
    future, end = pool.submit(job("a"), nothing), time.monotonic() + SOON
    while not pool.events and time.monotonic() < end:
        pool.wait({future}, 0.1)
    monkeypatch.undo()
    (tmp_path / "hang at start").unlink()
    assert pool.events[0] == "a worker died while it started (it was not ready after 1 s); another one is started"
    assert finish(pool, future)[0].failure is None


def test_workers_that_never_start_end_the_search_with_the_reason(make_pool, tmp_path):
    (tmp_path / "die at every start").touch()
    pool = make_pool()
    with pytest.raises(RuntimeError, match=r"3 worker processes in a row ended .*exit code 5"):
        finish(pool, pool.submit(job("a"), nothing))


class Here:
    """A trainer in the asking process."""

    def train(self, job, should_stop, on_epoch):
        return Outcome(score=float(os.getpid()))


@pytest.mark.parametrize("why", ["exit code 5", "Resource temporarily unavailable"])
def test_where_no_worker_can_be_started_the_asking_process_trains(make_pool, tmp_path, monkeypatch, why):
    (tmp_path / "die at every start").touch()
    if why != "exit code 5":
        monkeypatch.setattr(pools, "_PAUSE", 0.0)

        def refused(*_, **__):
            raise BlockingIOError(errno.EAGAIN, why)

        monkeypatch.setattr("search.executors.pool.subprocess.Popen", refused)
    pool = make_pool(2, inline=InlineExecutor(Here))
    done = finish(pool, *(pool.submit(job(name), nothing) for name in ("a", "b", "c")))
    assert [outcome.score for outcome in done] == [float(os.getpid())] * 3
    assert pool.events[-2:] == [
        f"3 worker processes in a row ended while they started ({why}): no more are started",
        "no worker is left: training goes on in this process, one trial at a time",
    ]
    assert pool.pace({"pace": 1.0}, 0.1) == 0


def test_where_no_more_workers_can_be_started_those_that_are_there_go_on(make_pool, tmp_path, monkeypatch):
    pool = make_pool(2, inline=InlineExecutor(Here))
    assert finish(pool, pool.submit(job("a"), nothing))[0].failure is None
    (tmp_path / "die at every start").touch()
    done = []
    # How long three starts take is up to the machine.
    while not (pool.events and pool.events[-1].endswith("no more are started")):
        done += finish(pool, *(pool.submit(job(f"slow {len(done) + i}", epochs_to=40), nothing) for i in range(3)))
        assert len(done) < 100, pool.events
    assert {outcome.score for outcome in done} == {0.5}


def test_a_trial_that_hangs_past_its_deadline_is_ended_and_those_that_wait_are_not_begun(make_pool, monkeypatch):
    monkeypatch.setattr(pools, "LATE", 0.3)
    pool = make_pool()
    # How long a worker takes to start is up to the machine, and no part of the time.
    assert finish(pool, pool.submit(job("a"), nothing))[0].failure is None
    soon = Deadline(monotonic=time.monotonic() + 2.0)
    hanging, waiting = (pool.submit(job("hangs", deadline=soon), nothing) for _ in range(2))
    hung, late = finish(pool, hanging, waiting)
    assert (hung.stopped, hung.failure, hung.epochs) == (Stop.DEADLINE, None, ())
    assert (late.stopped, late.seconds) == (Stop.DEADLINE, 0.0)
    assert pool.events == ["trial hangs gave no answer 0.3 s after its time was up; it is ended"]
    assert finish(pool, pool.submit(job("a"), nothing))[0].failure is None


def test_a_worker_whose_helper_keeps_its_connection_open_is_known_to_be_dead(make_pool):
    pool = make_pool()
    (outcome,) = finish(pool, pool.submit(job("leaves a helper"), nothing))
    assert outcome.failure.reason is FailureReason.CRASHED


@pytest.mark.parametrize("limit", ["seconds_per_trial", "seconds_per_epoch"])
def test_a_trial_that_hangs_is_ended_and_the_others_go_on(make_pool, monkeypatch, limit):
    monkeypatch.setattr(pools, "_GRACE", 0.3)
    pool = make_pool()
    hanging, good = finish(
        pool, pool.submit(job("hangs", **{limit: 0.2}), nothing), pool.submit(job("a", **{limit: 10.0}), nothing)
    )
    assert hanging.failure.reason is FailureReason.HUNG
    assert "limit of 0.2 s" in hanging.failure.message
    assert good.failure is None


def test_a_process_that_cannot_be_ended_is_left_behind_and_the_others_go_on(make_pool, monkeypatch):
    """As one that waits in the kernel for a driver or a disk that never answers."""
    left = []

    def never(process, timeout=None):
        assert timeout is not None, "waited for without an end"
        left.append(process)
        raise subprocess.TimeoutExpired(process.args, timeout)

    monkeypatch.setattr(pools, "_GRACE", 0.3)
    monkeypatch.setattr(subprocess.Popen, "wait", never)
    pool = make_pool()
    hanging, good = finish(
        pool, pool.submit(job("hangs", seconds_per_trial=0.2), nothing), pool.submit(job("a"), nothing)
    )
    pool.shutdown()
    monkeypatch.undo()
    for process in left:
        process.wait()
    assert hanging.failure.reason is FailureReason.HUNG
    assert good.failure is None
    assert [event.partition(" of ")[2] for event in pool.events] == ["worker 0 cannot be ended; it is left behind"] * 2


def test_an_epochs_limit_counts_neither_building_nor_saving(make_pool, monkeypatch):
    monkeypatch.setattr(pools, "_GRACE", 0.2)
    pool = make_pool()
    (outcome,) = finish(pool, pool.submit(job("builds slowly, saves slowly", seconds_per_epoch=0.6), nothing))
    assert (outcome.failure, len(outcome.epochs)) == (None, 3)


def test_a_hang_while_building_is_ended_by_the_limit_of_the_trial(make_pool, monkeypatch):
    monkeypatch.setattr(pools, "_GRACE", 0.3)
    pool = make_pool()
    both = {"seconds_per_trial": 0.4, "seconds_per_epoch": 0.1}
    (outcome,) = finish(pool, pool.submit(job("hangs while it is built", **both), nothing))
    assert outcome.failure.reason is FailureReason.HUNG
    assert "limit of 0.4 s" in outcome.failure.message


def test_a_slow_trial_that_keeps_within_its_epochs_does_not_hang(make_pool, monkeypatch):
    monkeypatch.setattr(pools, "_GRACE", 0.2)
    pool = make_pool()
    (outcome,) = finish(pool, pool.submit(job("slow", epochs_to=20, seconds_per_epoch=0.7), nothing))
    assert outcome.failure is None
    assert len(outcome.epochs) == 20


def test_a_worker_that_has_grown_is_replaced_between_trials(make_pool):
    pool = make_pool(memory_limit=250 << 20)
    grown, after = finish(pool, pool.submit(job("grows"), nothing), pool.submit(job("a"), nothing))
    assert (grown.failure, after.failure) == (None, None)
    assert grown.epochs[0].metrics["pid"] != after.epochs[0].metrics["pid"]
    assert len(pool.events) == 1
    assert "MiB and is replaced" in pool.events[0]


def test_a_stop_ends_running_trials_after_their_epoch_and_waiting_ones_at_once(make_pool):
    pool = make_pool()

    def stop(_, epoch):
        if epoch.number == 3:
            pool.stop(Stop.INTERRUPTED)

    running, waiting = finish(pool, pool.submit(job("slow", epochs_to=1000), stop), pool.submit(job("a"), nothing))
    assert (running.stopped, waiting.stopped) == (Stop.INTERRUPTED, Stop.INTERRUPTED)
    assert 3 <= len(running.epochs) < 1000
    assert waiting.epochs == ()


def test_after_a_stop_a_free_worker_gets_nothing_that_waits(make_pool):
    pool = make_pool()
    first, second = pool.submit(job("a"), nothing), pool.submit(job("slow", epochs_to=1000), nothing)
    while not pool.wait({first}, SOON):
        pass
    pool.stop(Stop.INTERRUPTED)
    (waiting,) = finish(pool, second)
    assert (waiting.stopped, waiting.epochs) == (Stop.INTERRUPTED, ())


def test_waiting_has_an_end(make_pool):
    pool = make_pool()
    future = pool.submit(job("hangs"), nothing)
    started = time.monotonic()
    assert pool.wait({future}, 0.3) == set()
    assert time.monotonic() - started < 5


def test_a_shutdown_leaves_no_process(make_pool):
    pool = make_pool(2)
    futures = [pool.submit(job("hangs"), nothing) for _ in range(2)]
    pool.wait(set(futures), 1.0)
    workers = pool.processes
    assert len(workers) == 2
    pool.shutdown()
    assert not any(alive(pid) for pid in workers)


def test_an_interrupt_of_the_terminal_and_a_logout_reach_the_search_alone(make_pool):
    pool = make_pool()

    def interrupt(_, epoch):
        if epoch.number == 1:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                os.kill(pool.processes[0], number)
            assert os.getpgid(pool.processes[0]) != os.getpgid(0)

    (outcome,) = finish(pool, pool.submit(job("slow", epochs_to=5), interrupt))
    assert (outcome.failure, len(outcome.epochs)) == (None, 5)
    assert pool.events == []


_PARENT = """
import sys, time
from pathlib import Path
from search.executors.pool import WorkerPool
from search.executors.protocol import Setup
from search.record.trial import TrialJob
here = Path(sys.argv[1])
pool = WorkerPool([Setup(here, here, 1, tuple(sys.path))] * 2, [{}, {}], 1 << 40, print)
futures = {pool.submit(TrialJob("hangs", {}, 7, "x", "max", 0, 3), print) for _ in range(2)}
while len((here / "starts").read_text().split() if (here / "starts").exists() else []) < 2:
    pool.wait(futures, 0.1)
print(*pool.processes, flush=True)
time.sleep(1000)
"""


def test_workers_end_by_themselves_when_the_search_is_killed(make_pool, tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), os.getcwd()])}
    parent = subprocess.Popen(
        [sys.executable, "-c", _PARENT, str(tmp_path)], env=environment, stdout=subprocess.PIPE, text=True
    )
    workers = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(workers) == 2
    assert all(alive(pid) for pid in workers)
    parent.kill()
    parent.communicate()
    end = time.monotonic() + SOON
    while any(alive(pid) for pid in workers) and time.monotonic() < end:
        time.sleep(0.05)
    orphans = [pid for pid in workers if alive(pid)]
    for pid in orphans:
        os.kill(pid, signal.SIGKILL)
    assert orphans == []


def test_all_workers_measure_their_pace_and_are_counted_together(make_pool):
    pool = make_pool(2)
    assert pool.pace({"pace": 250.0}, 0.1) == 500
    assert len(pool.processes) == 2


def test_a_worker_that_dies_of_measuring_counts_nothing_and_is_replaced(make_pool):
    pool = make_pool(2)
    assert pool.pace({"pace": 7.0, "kills": True}, 0.1) == 7
    assert pool.pace({"pace": 10.0}, 0.1) == 20


def test_a_worker_that_hangs_while_it_is_measured_counts_nothing_and_is_replaced(make_pool, monkeypatch):
    pool = make_pool(2)
    assert pool.pace({"pace": 7.0}, 0.1) == 14
    monkeypatch.setattr(pools, "_TO_MEASURE", 0.5)
    assert pool.pace({"pace": 7.0, "hangs": True}, 0.1) == 7
    assert finish(pool, pool.submit(job("a"), nothing), pool.submit(job("b"), nothing))[0].failure is None


def test_files_of_the_user_that_are_named_like_ours_or_pythons_stand_in_nobodys_way(make_pool, tmp_path, monkeypatch):
    folder = tmp_path / "user"
    folder.mkdir()
    for name in ("search", "results", "spaces", "queue", "random", "numpy", "signal", "pathlib"):
        (folder / f"{name}.py").write_text(f"raise RuntimeError('{name}.py of the user')\n")
    monkeypatch.chdir(folder)
    pool = make_pool()
    assert finish(pool, pool.submit(job("a"), nothing))[0].score == 0.5
    assert pool.events == []


def waiting(**changes):
    return Task(job("0", **changes), nothing, Future())


def test_what_waits_without_time_for_a_first_epoch_is_not_begun():
    clock = SimulatedClock()
    late = waiting(deadline=Deadline(monotonic=5.0, first_epoch=10.0))
    graced = waiting(deadline=Deadline(monotonic=5.0, grace=6.0, first_epoch=10.0))
    continued = waiting(deadline=Deadline(monotonic=5.0, first_epoch=10.0), history=(Epoch(1, {}, 3.0, 2.0),))
    queue = deque([late, graced, continued])
    give_up_late(queue, clock)
    assert list(queue) == [graced, continued]
    assert (late.future.result().stopped, late.future.result().epochs) == (Stop.DEADLINE, ())


def test_a_trial_is_late_only_by_what_its_worker_was_told():
    clock, end = SimulatedClock(), [Deadline(monotonic=100.0)]
    task = waiting(deadline=MovingDeadline(lambda: end[0]))
    task.begin(0.0)
    assert task.moved(clock) is None
    end[0] = Deadline(monotonic=-1.0, grace=50.0)
    assert task.moved(clock) == end[0]
    assert task.moved(clock) is None
    assert not task.is_overdue(0.0, clock, 0.0), "it has no epoch yet"
    task.epoch_done(Epoch(1, {}, 3.0, 2.0))
    assert task.is_overdue(0.0, clock, 0.0)
    end[0] = Deadline(monotonic=200.0)
    assert task.moved(clock) == end[0]
    assert not task.is_overdue(99.0, clock, 0.0)


def test_nobody_waits_for_a_worker_that_reads_nothing_any_more(monkeypatch):
    ours, theirs = Pipe()
    for end in (ours, theirs):
        os.set_blocking(end.fileno(), False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(ours.fileno(), bytes(1000))
    deadlines, sent = [Deadline(monotonic=100.0)], []
    monkeypatch.setattr(pools, "_try_send", lambda connection, message: sent.append(message))
    task = pools._Task(job("0", deadline=MovingDeadline(lambda: deadlines[0])), nothing, Future())
    task.begin(0.0)
    pool = pools.WorkerPool([], [], 1 << 30, nothing, clock=SimulatedClock())
    pool._workers[0] = pools._Worker(0, None, ours, 0.0, ready=True, task=task)
    deadlines[0] = Deadline(monotonic=50.0)
    pool._tell_deadlines()
    # It is ended then all the same.
    assert task.told == deadlines[0]
    pool.stop(Stop.INTERRUPTED)
    pool._pass_on_stop()
    assert sent == []
    with contextlib.suppress(BlockingIOError):
        while True:
            os.read(theirs.fileno(), 1 << 16)
    for _ in range(2):
        pool._tell_deadlines()
        pool._pass_on_stop()
    assert sent == [protocol.MoveDeadline(deadlines[0]), protocol.StopTraining(Stop.INTERRUPTED)]


def test_a_deadline_that_moves_holds_for_what_is_trained_and_what_waits(make_pool):
    pool, end = make_pool(), [Deadline(monotonic=time.monotonic() + 1000.0)]
    moving = MovingDeadline(lambda: end[0])

    def sooner(_, epoch):
        if epoch.number == 3:
            end[0] = Deadline(monotonic=time.monotonic())

    running, late = finish(
        pool,
        pool.submit(job("slow", epochs_to=100, deadline=moving), sooner),
        pool.submit(job("a", deadline=moving), nothing),
    )
    assert running.stopped is Stop.DEADLINE
    assert 3 <= len(running.epochs) < 100
    assert (late.stopped, late.epochs) == (Stop.DEADLINE, ())
    assert pool.events == []
