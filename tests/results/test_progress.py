"""The state of a run, finished or not."""

import contextlib
import dataclasses
import io
import json
import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

import results
from results.notify import variables
from results.ranked.formats import write
from results.ranked.ranking import ranking
from results.watching import progress_view
from results.watching.progress_view import show_status
from search.errors import DiskError, RunError
from search.files import layout
from search.files.lock import Holder, RunLock
from search.files.store import RunStore
from search.loop.observer import Observers
from search.night.views.steps import ExportFollows, Steps
from search.record.trial import Epoch, Outcome

MakeRun = Callable[..., Path]
STARTED = 1_780_000_000.0


def printed(state: dict[str, object]) -> str:
    stream = io.StringIO()
    show_status(state, Console(file=stream, width=100, color_system=None))
    return stream.getvalue()


def test_running(make_run: MakeRun) -> None:
    run = make_run(running=True, meta={"until": STARTED + 1000}, failures=["nan"])
    state = results.status(run, now=STARTED + 100)
    assert state["active"]
    assert state["phase"] == "search"
    assert state["elapsed"] == 100
    assert state["time_left"] == 900
    trials = state["trials"]
    # The baseline, nine, three and one trial over the rungs, and the failure.
    assert trials == {"done": 15, "failed": 1, "running": 1, "planned": 30, "left": 15}
    assert state["configurations"] == 11
    best = results.rows(run)[0]
    assert (state["best"]["name"], state["best"]["score"]) == (best["name"], best["score"])
    assert state["baseline"]["name"] == "linear"
    assert state["lead"] == pytest.approx(state["best"]["score"] - state["baseline"]["score"])
    assert [work["trial"] for work in state["working_on"]] == ["9000"]
    assert 0 < state["since_improved"] < 100
    assert state["winner"] is None
    json.dumps(state, allow_nan=False)
    text = " ".join(printed(state).split())
    for part in ("15 of 30 done, 1 failed", "time left", "15 min 00 s", "ahead by", "working on", "epochs 1 to 9"):
        assert part in text


def test_a_search_that_takes_more_trials_than_were_planned_is_not_said_to_have_done_more_than_all(
    make_run: MakeRun,
) -> None:
    state = results.status(make_run(running=True, meta={"planned": {"trials": 12}}), now=STARTED + 100)
    assert (state["trials"]["done"], state["trials"]["planned"], state["trials"]["left"]) == (14, 12, 0)
    assert "14 done" in printed(state)
    assert " of 12" not in printed(state)


def test_a_trial_that_waits_for_a_worker_is_not_worked_on(make_run: MakeRun) -> None:
    run = make_run(running=True)
    with RunStore(run) as store:
        store.put_meta(at_once=1)
        store.begin(dataclasses.replace(store.trial("9000"), id="9001", configuration="9001"))
    state = results.status(run, now=STARTED + 100)
    assert ([work["trial"] for work in state["working_on"]], state["waiting"]) == (["9000"], 1)
    assert state["trials"]["running"] == 1
    assert "1 trial for a worker" in printed(state)


def test_nothing_is_worked_on_where_no_worker_of_a_cluster_is_ready(make_run: MakeRun) -> None:
    run = make_run(running=True)
    with RunStore(run) as store:
        store.put_meta(at_once=4, cluster={"workers": 0, "room": 4, "needs": "2 CPU", "nodes": []})
    state = results.status(run, now=STARTED + 100)
    assert (state["working_on"], state["waiting"], state["trials"]["running"]) == ([], 1, 0)


def test_of_very_many_trainings_the_first_are_shown(make_run: MakeRun) -> None:
    run = make_run(running=True)
    with RunStore(run) as store:
        store.put_meta(at_once=41)
        for number in range(9001, 9041):
            store.begin(dataclasses.replace(store.trial("9000"), id=f"{number}", configuration=f"{number}"))
    state = results.status(run, now=STARTED + 100)
    assert len(state["working_on"]) == 41
    text = printed(state)
    assert text.count("working on") == 24
    assert "and 17 more" in text


def test_how_far_a_training_is(make_run: MakeRun) -> None:
    run, now = make_run(running=True), [0.0]
    with RunStore(run) as store:
        store.put_meta(reached={"9000": 8})
        steps, trial = Steps(store, lambda: now[0]), store.trial("9000")
        # What a sitting before had reached is trained anew.
        assert results.status(run)["working_on"][0]["epochs_done"] == 0
        assert "of them done" not in printed(results.status(run))
        for number, seconds in enumerate((0.0, 1.0, 7.0, 8.0), start=1):
            now[0] = seconds
            steps.epoch(trial, Epoch(number, {"val_accuracy": 0.5}, 1.0, 1.0))
        # Noted every five seconds, whatever the number of epochs.
        assert results.status(run)["working_on"][0]["epochs_done"] == 3
        assert "epochs 1 to 9, 3 of them done, for" in " ".join(printed(results.status(run)).split())


def test_what_there_was_no_room_for_is_noted_when_there_is(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise DiskError("run.sqlite: cannot be written (database or disk is full)")

    run, now = make_run(running=True), [0.0]
    with RunStore(run) as store:
        steps, trial = Steps(store, lambda: now[0]), store.trial("9000")
        followed = Observers([steps])
        with monkeypatch.context() as patch:
            patch.setattr(store, "put_meta", full)
            followed.phase("retraining", 3)
            followed.epoch(trial, Epoch(1, {"val_accuracy": 0.5}, 1.0, 1.0))
        now[0] = 6.0
        followed.phase("final training", 1)
        followed.epoch(trial, Epoch(2, {"val_accuracy": 0.5}, 1.0, 1.0))
        assert (store.meta("step"), store.meta("reached")) == ("final training", {"9000": 2})


def test_a_training_that_goes_on_has_its_epochs_and_no_pause(make_run: MakeRun) -> None:
    run = make_run(running=True, meta={"sitting": STARTED + 5000})
    with RunStore(run) as store:
        store.interrupt("9000", Outcome((Epoch(1, {}, 9.0, 8.0), Epoch(2, {}, 9.0, 8.0)), 0.5, 1, seconds=20.0))
        (work,) = results.status(run, now=STARTED + 5003)["working_on"]
        assert (work["epochs_done"], work["seconds"]) == (2, 23.0)
        # What it goes on from may be lost: then it begins anew.
        store.put_meta(reached={"9000": 1})
    assert results.status(run, now=STARTED + 5003)["working_on"][0]["epochs_done"] == 1


class Nodes:
    """An executor somewhere else, of which so many workers are ready."""

    def __init__(self):
        self.ready = self.asked = 0
        self.look = lambda: None

    def watch(self, look):
        self.look = look

    def where(self):
        self.asked += 1
        return {"workers": self.ready, "room": 4, "needs": "2 CPU", "nodes": []}


def test_where_trials_are_trained_is_noted_when_it_changes_whatever_begins_or_ends(make_run: MakeRun) -> None:
    run, nodes = make_run(running=True), Nodes()
    with RunStore(run) as store:
        steps, trial = Steps(store), store.trial("9000")
        steps.follow(nodes)
        assert store.meta("cluster")["workers"] == 0
        nodes.ready = 3
        nodes.look()
        assert store.meta("cluster")["workers"] == 3
        asked = nodes.asked
        for _ in range(10):
            steps.started(trial)
            steps.finished(trial, trial.outcome)
        assert nodes.asked == asked


def test_where_an_executor_trains_that_calls_nobody_is_noted_when_a_trial_begins_or_ends(make_run: MakeRun) -> None:
    class Silent:
        ready = 0

        def where(self):
            return {"workers": self.ready, "room": 4, "needs": "2 CPU", "nodes": []}

    run, nodes = make_run(running=True), Silent()
    with RunStore(run) as store:
        steps, trial = Steps(store), store.trial("9000")
        steps.follow(nodes)
        for tell in (steps.started, lambda one: steps.finished(one, one.outcome)):
            nodes.ready += 1
            tell(trial)
            assert store.meta("cluster")["workers"] == nodes.ready


def test_what_another_hour_is_expected_to_bring(make_run: MakeRun) -> None:
    state = results.status(make_run(running=True, meta={"hourly_gain": 0.0123}), now=STARTED + 100)
    assert state["hourly_gain"] == 0.0123
    assert "another hour expected to bring 0.0123" in " ".join(printed(state).split())
    unknown = results.status(make_run("other", running=True), now=STARTED + 100)
    assert unknown["hourly_gain"] is None
    assert "another hour" not in printed(unknown)


def test_since_improved_counts_from_the_best_trial(make_run: MakeRun) -> None:
    run = make_run(running=True)
    early = results.status(run, now=STARTED + 50)["since_improved"]
    assert results.status(run, now=STARTED + 80)["since_improved"] == pytest.approx(early + 30)


def test_finished(make_run: MakeRun) -> None:
    run = make_run()
    state = results.status(run, now=STARTED + 1e6)
    assert not state["active"]
    assert (state["phase"], state["exit"]) == ("done", "done")
    assert state["elapsed"] < 1000
    assert state["winner"]["name"] == results.rows(run)[0]["name"]
    assert state["winner"]["test"] > 0.9
    assert "winner" in printed(state)


def test_the_headline_speaks_of_the_winner_alone(make_run: MakeRun) -> None:
    run = make_run()
    row, told = results.rows(run)[0], variables(run, "done", None)
    assert told["NIGHTSHIFT_HEADLINE"] == (
        f"{results.status(run)['name']} done: winner {row['name']}, val_accuracy {row['score']:.4f} in the search, "
        f"{row['retrained']:.4f} as mean over 2 fresh seeds, test {row['test']:.4f}, "
        f"{float(told['NIGHTSHIFT_DIFFERENCE']):+.4f} to the best baseline in the search"
    )
    assert float(told["NIGHTSHIFT_SCORE"]) == row["score"]
    assert float(told["NIGHTSHIFT_TEST"]) == row["test"]


def test_a_score_of_several_models_together_is_not_told_as_that_of_the_first(make_run: MakeRun) -> None:
    run = make_run()
    before = results.status(run)
    with RunStore(run) as store:
        winner = store.meta("winner")
        facts_of = {"measure": "accuracy", "together": 0.9, "alone": 0.8, "rows": 9}
        store.put_meta(ensemble={"trials": [winner, "0001", "0002"], **facts_of})
    state, row = results.status(run), results.rows(run)[0]
    assert (before["winner"]["together"], state["winner"]["together"]) == (1, 3)
    told = f"test {row['test']:.4f} (3 models together)"
    assert f", {told}, " in variables(run, "done", None)["NIGHTSHIFT_HEADLINE"]
    assert told in printed(state)
    assert "together" not in printed(before)
    table = ranking(run)
    assert table.notes == (f"test of {row['name']} is that of 3 models together, of which it is the first",)
    stream = io.StringIO()
    write(table, Console(file=stream, width=200))
    assert table.notes[0] in stream.getvalue()
    assert table.select(columns=["name", "score"]).notes == ()
    assert table.select(columns=["name", "test"]).notes == table.notes
    with RunStore(run) as store:
        store.put_meta(ensemble={"trials": [], **facts_of})
    assert (results.status(run)["winner"]["together"], ranking(run).notes) == (1, ())


def test_a_winner_that_is_not_first_is_told_with_its_own_numbers(make_run: MakeRun) -> None:
    run = make_run()
    with RunStore(run) as store:
        winner = store.trial(store.meta("winner"))
        assert winner is not None
        store.begin(dataclasses.replace(winner, id="winner-linear", configuration="baseline-linear", name="linear"))
        store.put_meta(winner="winner-linear")
    state = results.status(run)
    row = next(row for row in results.rows(run) if row["name"] == "linear")
    assert (state["winner"]["name"], state["winner"]["score"]) == ("linear", row["score"])
    assert (state["winner"]["baseline"], state["winner"]["lead"]) == (True, None)
    headline = variables(run, "done", None)["NIGHTSHIFT_HEADLINE"]
    assert f"winner linear (a baseline), val_accuracy {row['score']:.4f} in the search" in headline
    assert f"{state['best']['score']:.4f}" not in headline


@pytest.mark.parametrize("held", [True, False])
def test_what_follows_the_search_is_not_done_before_it_is(make_run: MakeRun, held: bool) -> None:
    run = make_run()
    with RunStore(run) as store:
        store.put_meta(morning="export")
    with RunLock(run) if held else contextlib.nullcontext():
        state = results.status(run)
    assert (state["phase"], state["exit"], state["active"]) == ("export", None, held)
    assert ("resume it" in printed(state)) is not held
    with RunStore(run) as store:
        store.put_meta(morning=None)
    state = results.status(run)
    assert (state["phase"], state["exit"], state["active"]) == ("done", "done", False)


def test_a_run_after_which_export_and_report_follow_is_at_no_moment_done_before_them(make_run: MakeRun) -> None:
    run = make_run(running=True, meta={"phase": "search", "step": "search"})
    ExportFollows(run).phase("search", None)
    assert results.status(run)["phase"] == "search"
    with RunStore(run) as store:
        store.put_meta(phase="done", exit="done")
    assert (results.status(run)["phase"], results.status(run)["exit"]) == ("export", None)


@pytest.mark.parametrize(
    ("phase", "step", "shown"),
    [
        ("search", None, "search"),
        ("search", "measuring workers", "measuring workers"),
        ("final", None, "retraining"),
        ("final", "retraining", "retraining"),
        ("final", "final training", "final training"),
        # What is left over goes back into the search.
        ("final", "search", "search"),
        ("final", "evaluation", "evaluation"),
    ],
)
def test_every_step_of_a_run_has_its_name(make_run: MakeRun, phase: str, step: str | None, shown: str) -> None:
    run = make_run(running=True, meta={"phase": phase, "step": step})
    assert results.status(run)["phase"] == shown


def test_minimised_objective_leads_when_lower(make_run: MakeRun) -> None:
    state = results.status(make_run(task="regression"))
    assert state["best"]["score"] < state["baseline"]["score"]
    assert state["lead"] > 0


def sitting(start: float, end: float) -> dict[str, object]:
    return {"started": STARTED + start, "ended": STARTED + end, "command": [], "reason": "interrupted"}


def test_a_run_that_goes_on_after_a_pause(make_run: MakeRun) -> None:
    run = make_run(running=True, configurations=0, baselines=(), meta={"sessions": [sitting(-1000, -900)]})
    with RunStore(run) as store:
        early = dataclasses.replace(store.trials()[0], id="0000", configuration="0000", started=STARTED - 990)
        store.begin(early)
        store.finish(early.id, Outcome(seconds=10.0), STARTED - 980)
    # The trial that is running began at the start of the second sitting.
    assert results.status(run, now=STARTED + 10)["elapsed"] == 110


def test_interrupted(make_run: MakeRun) -> None:
    facts = {"sessions": [sitting(0, 60)], "exit": "interrupted", "until": STARTED + 5000}
    state = results.status(make_run(running=True, meta=facts), now=STARTED + 2000)
    assert not state["active"]
    assert state["elapsed"] == 60
    assert state["time_left"] is None
    assert "search, interrupted" in printed(state)


def test_cut_off(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(running=True)
    # A copy of it, on which nobody works, whatever process its lock file names.
    copy = shutil.copytree(run, tmp_path / "copy")
    for held in (Holder(socket.gethostname(), os.getpid()), Holder("elsewhere", 1), None):
        (copy / layout.LOCK).write_text("" if held is None else json.dumps(vars(held)), encoding="utf-8")
        state = results.status(copy, now=STARTED + 2000)
        assert not state["active"]
        # As far as its trials show, not up to now.
        assert 0 < state["elapsed"] < 100
        assert (state["working_on"], state["waiting"], state["trials"]["running"]) == ([], 0, 0)
        assert "cut off" in printed(state)
    assert results.status(run)["active"]


def test_last_warnings_only(make_run: MakeRun) -> None:
    run = make_run(running=True)
    with RunStore(run) as store:
        store.add_event(STARTED, "info", "hello")
        for i in range(7):
            store.add_event(STARTED + i, "warning", f"[red]trouble {i}[/red]\x1b[2J")
    state = results.status(run)
    assert [event["message"][:14] for event in state["warnings"]] == [f"[red]trouble {i}" for i in range(2, 7)]
    text = printed(state)
    assert "[red]trouble 6[/red]" in text
    assert "\x1b" not in text


def test_nothing_yet(make_run: MakeRun) -> None:
    run = make_run(running=True, configurations=0, baselines=(), meta={"planned": {}})
    state = results.status(run, now=STARTED)
    assert (state["best"], state["baseline"], state["lead"], state["since_improved"]) == (None,) * 4
    assert state["trials"]["left"] is None
    assert "nothing finished yet" in printed(state)


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        results.status(tmp_path)


def test_where_a_cluster_trains_and_who_gets_no_trials_is_shown():
    nodes = [
        {"name": "one 10.0.0.1", "cpus": 8.0, "gpus": 0.0, "room": 4, "refused": None},
        {"name": "two 10.0.0.2", "cpus": 8.0, "gpus": 0.0, "room": 4, "refused": "keras 3.10.0 there, 3.15.1 here"},
        {"name": "three 10.0.0.3", "cpus": 1.0, "gpus": 0.0, "room": 0, "refused": None},
        {"name": "head 10.0.0.4", "cpus": 0.0, "gpus": 0.0, "room": 0, "refused": None},
        {"name": "of an earlier version", "room": 0, "refused": None},
    ]
    assert progress_view._cluster({"workers": 3, "room": 4, "needs": "2 CPU", "nodes": nodes}) == [
        ("cluster", "3 of 4 workers with 2 CPU each, on 1 node"),
        ("refused", "two 10.0.0.2: keras 3.10.0 there, 3.15.1 here"),
        ("no room", "three 10.0.0.3: 1 CPU"),
    ]
