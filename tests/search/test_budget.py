from __future__ import annotations

import pickle
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta, timezone
from datetime import time as daytime
from pathlib import Path

import numpy as np
import pytest

from search.budget import Budget, Deadline, MovingDeadline
from search.clock import process_began
from tests.search.simulation import SimulatedClock


def test_a_length_of_time_passes_whatever_is_done_to_the_clock():
    clock = SimulatedClock()
    budget = Budget.given("60s", clock=clock)
    clock.pass_time(20)
    clock.set(-3600)
    assert (budget.left, budget.spent) == (40, 20)
    assert budget.promised == clock.now() + 40
    clock.set(+7200)
    clock.pass_time(45)
    assert budget.left == -5


def test_an_hour_is_that_of_the_clock_that_people_read():
    clock = SimulatedClock()
    budget = Budget.given(until=clock.now() + 600, clock=clock)
    clock.set(+300)
    assert budget.left == 300
    assert budget.promised == clock.now() + 300


def test_of_a_length_and_an_hour_the_earlier_end_holds():
    clock = SimulatedClock()
    assert Budget.given("60s", clock.now() + 600, clock).left == 60
    assert Budget.given("20m", clock.now() + 600, clock).left == 600


def test_an_hour_may_be_given_as_people_write_it():
    clock = SimulatedClock()
    budget = Budget.given(until="07:00", clock=clock)
    ends = datetime.fromtimestamp(budget.promised)
    assert (ends.hour, ends.minute, ends.second) == (7, 0, 0)
    assert 0 < budget.left <= 25 * 3600


def test_without_an_end_nothing_runs_out():
    budget = Budget(clock=SimulatedClock())
    assert not budget.limited
    assert (budget.left, budget.total, budget.promised, budget.training_left, budget.training_end) == (None,) * 5


def test_what_is_kept_for_the_end_is_not_for_training():
    clock = SimulatedClock()
    budget = Budget.given("100s", clock=clock)
    budget.keep(30)
    assert (budget.total, budget.left, budget.training_left) == (100, 100, 70)
    assert budget.training_end.left(clock) == 70
    clock.pass_time(80)
    assert (budget.total, budget.left, budget.training_left) == (100, 20, -10)


def test_a_deadline_on_both_clocks_is_the_earlier_one():
    clock = SimulatedClock()
    deadline = Deadline(monotonic=50, unix=clock.now() + 100)
    assert deadline.left(clock) == 50
    clock.set(+80)
    assert deadline.left(clock) == 20
    assert deadline.earlier(5).left(clock) == 15


@pytest.mark.parametrize(
    ("budget", "until", "option"),
    [
        ("soon", None, "--budget soon"), (None, "7", "--until 7"), (None, 1e12, "until 1e.12: not a Unix time"),
        (None, float("nan"), "until nan"), (None, 7, "until 7: not a Unix time of the next ten years"),
        (None, datetime(2020, 1, 2, 7), "until 2020-01-02 07:00:00: not a time of the next ten years"),
        (None, date(2030, 1, 2), r"until datetime.date\(2030, 1, 2\): give a time of day"),
        (None, daytime(7), r"until datetime.time\(7, 0\): give a time of day such as '07:00'"),
        (None, True, "until True: give a time of day"), (None, np.timedelta64(1, "h"), "until .*: give a time of day"),
        ([30], None, r"--budget \[30\]: not a duration"),
        (timedelta(hours=-1), None, "not a duration"), ("4000d", None, "--budget 4000d: longer than ten years"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named_with_its_option(budget, until, option):
    with pytest.raises(ValueError, match=option):
        Budget.given(budget, until)


def test_what_python_calls_a_moment_and_a_length_is_taken():
    clock = SimulatedClock()
    assert Budget.given(timedelta(hours=8), clock=clock).left == 8 * 3600
    local = datetime.fromtimestamp(clock.now() + 600)
    for until in (local, local.astimezone(UTC), local.astimezone(timezone(timedelta(hours=9)))):
        assert Budget.given(until=until, clock=clock).left == pytest.approx(600, abs=1e-3)


def test_the_first_epoch_of_a_training_may_end_later():
    clock = SimulatedClock()
    deadline = Deadline(monotonic=50, grace=30)
    assert (deadline.left(clock), deadline.left(clock, first=True)) == (50, 80)
    assert deadline.earlier(20) == Deadline(monotonic=30, grace=30)


def test_a_deadline_that_moves_is_asked_for_again_and_travels_as_it_is():
    clock, now = SimulatedClock(), [Deadline(monotonic=50)]
    deadline = MovingDeadline(lambda: now[0])
    before = deadline.earlier(5)
    now[0] = Deadline(monotonic=20, grace=3, first_epoch=22)
    assert (deadline.left(clock), deadline.left(clock, first=True), before.left(clock)) == (20, 23, 45)
    assert not deadline.is_too_late_to_begin(clock)
    clock.pass_time(1)
    assert deadline.is_too_late_to_begin(clock)
    assert pickle.loads(pickle.dumps(deadline)) == now[0]


def test_the_end_is_written_as_people_read_it():
    clock = SimulatedClock()
    assert Budget.given(clock=clock).ends_by is None
    ends_by = Budget.given("60s", clock=clock).ends_by
    assert datetime.fromisoformat(ends_by).timestamp() == round(clock.now() + 60)


def test_a_length_is_what_was_given_however_long_ago_it_began():
    clock = SimulatedClock()
    clock.pass_time(100.0)
    budget = Budget.given("60s", clock=clock, began=clock.monotonic() - 75)
    assert (budget.length, budget.left, budget.total) == (60.0, -15.0, 0.0)
    assert Budget.given(until=clock.now() + 60, clock=clock).length is None


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="the system does not say when a process began")
def test_a_budget_counts_from_the_start_of_the_process():
    said = "import time; known = time.monotonic(); from search.clock import process_began as b; print(known - b(known))"
    began = time.monotonic()
    before = float(subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True).stdout)
    assert 0 < before < time.monotonic() - began + 0.02
    # Whoever calls it hours later, from a process that is older, has asked then.
    known = time.monotonic() + 1000
    assert process_began(known) == known
