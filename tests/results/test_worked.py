"""The run's own time."""

from __future__ import annotations

from typing import Any

from results.watching.worked import WorkTime, worked
from search.files.store import Work
from search.record.marks import Mark


def test_pauses_do_not_count() -> None:
    clock = WorkTime([(100.0, 110.0), (105.0, 120.0), (106.0, 107.0), (200.0, 210.0)])
    assert [clock.seconds(t) for t in (50, 100, 115, 120, 150, 200, 205, 999)] == [0, 0, 15, 20, 20, 20, 25, 30]
    assert clock.total == 30


def test_a_clock_that_is_set_back_takes_no_time_away() -> None:
    clock = WorkTime([(40.0, 60.0), (100.0, 50.0)])
    assert [clock.seconds(t) for t in (50, 80, 120)] == [10, 20, 20]
    assert clock.total == 20


def test_nothing() -> None:
    clock = WorkTime([])
    assert clock.seconds(5) == clock.total == 0


def test_running_and_cut_off_sittings() -> None:
    meta: dict[str, Any] = {"sessions": [], "started": 100.0, "exit": None}
    assert WorkTime(worked(meta.get, [], [], [], now=160.0, active=True)).total == 60
    assert WorkTime(worked(meta.get, [], [], [], now=160.0, active=False)).total == 0
    meta = {"sessions": [{"started": 100.0, "ended": 130.0}], "started": 100.0, "exit": "interrupted"}
    assert WorkTime(worked(meta.get, [], [], [], now=999.0, active=False)).total == 30


def test_the_pause_after_a_sitting_that_was_cut_off_does_not_count() -> None:
    mark = Mark("1", "1", "search", "completed", 110.0, 130.0, 0.5, 10, 20.0, 1.0, "length", None, 3, 3, None)
    meta: dict[str, Any] = {"sessions": [], "started": 100.0, "sitting": 100.0, "exit": None}
    assert WorkTime(worked(meta.get, [mark], [], [], now=999.0, active=False)).total == 30
    # Nobody has recorded the end of the first sitting; the second one goes on.
    meta["sitting"] = 900.0
    assert WorkTime(worked(meta.get, [mark], [], [], now=950.0, active=True)).total == 20 + 50
    later = mark._replace(id="2", configuration="2", started=910.0, finished=930.0)
    assert WorkTime(worked(meta.get, [mark, later], [], [], now=999.0, active=False)).total == 20 + 30


def test_the_pause_of_a_training_that_was_interrupted_and_went_on_does_not_count() -> None:
    # It had 18 s before the pause and 12 s after it.
    mark = Mark("1", "1", "search", "completed", 110.0, 915.0, 0.5, 10, 30.0, 1.0, "length", None, 3, 3, None)
    meta: dict[str, Any] = {"sessions": [{"started": 100.0, "ended": 130.0}], "sitting": 900.0, "exit": None}
    assert WorkTime(worked(meta.get, [mark], [], [], now=950.0, active=True)).total == 30 + 50
    assert WorkTime(worked(meta.get, [mark], [], [], now=999.0, active=False)).total == 30 + 15
    meta["sessions"].append({"started": 900.0, "ended": 920.0})
    clock = WorkTime(worked({**meta, "exit": "done"}.get, [mark], [], [], now=999.0, active=False))
    assert (clock.total, clock.seconds(915.0)) == (30 + 20, 30 + 15)


def test_the_pauses_of_a_training_that_was_interrupted_again_and_again_do_not_count() -> None:
    # It had 18 s before the first pause, and 50 s before the second one.
    mark = Mark("1", "1", "search", "running", 110.0, None, None, 10, 68.0, 1.0, "interrupted", None, 3, 9, None)
    sittings = [{"started": 100.0, "ended": 130.0}, {"started": 900.0, "ended": 960.0}]
    meta = {"sessions": sittings, "sitting": 900.0, "exit": "interrupted"}
    assert WorkTime(worked(meta.get, [mark], [], [], now=999.0, active=False)).total == 30 + 60
    # What follows the search follows its sitting.
    report = Work("report", 960.0, 970.0)
    assert WorkTime(worked(meta.get, [mark], [], [report], now=999.0, active=False)).total == 30 + 60 + 10


def test_what_another_run_has_trained_took_no_time_here() -> None:
    meta: dict[str, Any] = {"sessions": [{"started": 100.0, "ended": 130.0}], "started": 100.0, "exit": "done"}
    mark = Mark("1", "1", "search", "completed", 10.0, 60.0, 0.5, 10, 50.0, 1.0, "length", None, 3, 3, None)
    taken_over = mark._replace(id="old-1", configuration="old-1", kind="evidence")
    assert WorkTime(worked(meta.get, [mark], [], [], now=999.0, active=False)).total == 80
    clock = WorkTime(worked(meta.get, [taken_over], [], [], now=999.0, active=False))
    assert (clock.total, clock.seconds(110.0)) == (30, 10)
