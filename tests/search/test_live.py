from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

import spaces
from search.budget import Budget, Deadline
from search.loop.observer import Earlier, Observer, Observers
from search.night.live import LiveView, PlainLines, Tally, finished_line, make_view
from search.night.logfile import LogFile
from search.phases.searching import Searching
from search.record.configuration import configurations
from search.record.standing import Standing
from search.record.trial import FailureReason, Stop, TrialKind
from spaces.basics.terminal import Console as Terminal
from tests.search.listening import Listener
from tests.search.records import epoch, failed, outcome, trial
from tests.search.simulation import SimulatedClock


def console(**options):
    return Console(file=io.StringIO(), width=200, record=True, **options)


def lines(direction="max", objective="val_accuracy"):
    shown = console()
    return shown, PlainLines(shown, Tally(objective, direction, None))


def test_every_event_is_a_line():
    shown, view = lines()
    view.phase("search", 3)
    view.finished(trial("0", values={"layers": 2, "rate": 0.00123456}), outcome([0.5, 0.75]))
    view.finished(trial("1"), failed(FailureReason.NAN, "loss became nan in epoch 1"))
    view.finished(trial("b", TrialKind.BASELINE, name="article"), outcome([0.7], stopped=Stop.EARLY_STOPPING))
    view.interrupted(trial("2"), outcome([0.1]))
    view.message("warning", "trials/0/state.npz: torn [bold]markup[/bold]")
    assert shown.export_text().splitlines() == [
        "search, 3 trials expected",
        "[1/3] 0: val_accuracy 0.7500, 2 epochs, 2.0 s  layers=2 rate=0.001235  best so far",
        "[2/3] 1: failed, nan: loss became nan in epoch 1",
        "[3/3] article: val_accuracy 0.7000, 1 epoch (early stopping), 1.0 s  layers=2 learning_rate=0.001",
        "2 interrupted; its epochs are saved",
        "warning: trials/0/state.npz: torn [bold]markup[/bold]",
    ]


def test_nobody_knows_how_many_trials():
    shown, view = lines()
    view.phase("search", None)
    view.finished(trial("0"), outcome([0.5]))
    assert shown.export_text().startswith("search\n[1] 0: ")


def test_a_phase_in_which_nothing_begins_is_not_announced():
    shown, view = lines()
    view.phase("search", None)
    view.phase("retraining", 0)
    view.phase("final training", 1)
    view.phase("search", None)
    view.started(trial("0"))
    view.phase("search", 2)
    view.message("warning", "the search ends early")
    view.phase("evaluation", 2)
    expected = ["final training, 1 trial expected", "search", "search, 2 trials expected"]
    expected += ["warning: the search ends early", "evaluation, 2 trials expected"]
    assert shown.export_text().splitlines() == expected


def test_a_promotion_shows_all_the_epochs_of_its_configuration():
    line = finished_line(trial("4", epochs_from=3, epochs_to=5), outcome([0.5, 0.6], first=4), "val_accuracy")
    assert "5 epochs" in line


def test_final_trainings_go_by_their_ids():
    baseline = trial("candidate-baseline-a-1", TrialKind.CANDIDATE, name="a")
    assert finished_line(baseline, outcome([0.5]), "val_accuracy").startswith("candidate-baseline-a-1: ")
    winner = finished_line(trial("winner-0", TrialKind.WINNER), replace(outcome([]), epochs=(epoch(1),)), "x")
    assert winner.startswith("winner-0: 1 epoch,"), "without validation there is no score"


def test_long_values_are_cut():
    line = finished_line(trial("0", values={f"units_{i}": 512 for i in range(20)}), outcome([0.5]), "val_accuracy")
    assert line.endswith("…")
    assert len(line) < 140


@pytest.mark.parametrize(("direction", "flags"), [("max", [True, False, True]), ("min", [True, True, False])])
def test_the_best_so_far_follows_the_direction(direction, flags):
    tally = Tally("val_accuracy", direction, None)
    tally.begin("search", 3)
    assert [tally.finished(trial(str(i)), outcome([s])) for i, s in enumerate([0.5, 0.4, 0.6])] == flags


def test_only_search_and_baselines_can_be_best():
    tally = Tally("val_accuracy", "max", None)
    tally.begin("search", None)
    tally.finished(trial("b", TrialKind.BASELINE, name="article"), outcome([0.5]))
    tally.finished(trial("0"), outcome([0.6]))
    tally.finished(trial("candidate-0-1", TrialKind.CANDIDATE), outcome([0.9]))
    tally.finished(trial("1"), failed())
    assert (tally.best, tally.best_name, tally.best_baseline) == (0.6, "0", 0.5)
    assert (tally.done, tally.failed) == (4, 1)


def test_a_resumed_search_goes_on_from_where_it_was():
    shown, view = lines()
    first = configurations([replace(trial("7"), outcome=outcome([0.9]))])[0]
    article = replace(trial("b", TrialKind.BASELINE, name="article"), outcome=outcome([0.8]))
    view.resumed(Earlier(40, 2, first, configurations([article])[0]))
    view.phase("search", 51)
    view.finished(trial("8"), outcome([0.6], seconds=3.0))
    assert shown.export_text().splitlines() == [
        "search, 51 trials expected, 40 done before",
        "[41/51] 8: val_accuracy 0.6000, 1 epoch, 3.0 s  layers=2 learning_rate=0.001",
    ]
    tally = Tally("val_accuracy", "max", None)
    tally.resumed(Earlier(40, 2, first, configurations([article])[0]))
    tally.begin("search", 51)
    tally.finished(trial("8"), outcome([0.6], seconds=3.0))
    assert (tally.best, tally.best_name, tally.best_baseline, tally.failed) == (0.9, "7", 0.8, 2)
    assert tally.seconds_left() == 10 * 3.0
    tally.begin("retraining", 4)
    assert tally.done == 0


def test_a_search_that_goes_on_counts_what_has_failed_before_also_where_nothing_has_a_score():
    told, overview = [], SimpleNamespace(done=8, failed=8)
    observer = Observer()
    observer.resumed = told.append
    store, source = SimpleNamespace(overview=lambda _: overview), SimpleNamespace(standing=Standing("max", 3, None))
    searching = Searching(spaces.load("digits"), store, Budget(None), observer)
    searching._tell_earlier(source)
    assert told == [Earlier(8, 8, None, None)]
    overview.done = 0
    searching._tell_earlier(source)
    assert len(told) == 1, "a new search has nothing before it"


def test_what_takes_the_place_of_failures_is_not_counted_as_one_of_those_that_were_expected():
    shown, view = lines()
    view.phase("search", 1)
    view.finished(trial("0"), failed())
    view.finished(trial("1"), outcome([0.5]))
    view.resumed(Earlier(40, 0, None, None))
    view.phase("search", 12)
    view.started(trial("2"))
    text = [line.split(":")[0] for line in shown.export_text().splitlines()]
    assert text == ["search, 1 trial expected", "[1/1] 0", "[2] 1", "search, 40 done before"]


def test_time_left_is_the_mean_of_the_trials_so_far_over_those_at_once():
    clock = SimulatedClock(1000.0)
    tally = Tally("val_accuracy", "max", None, clock)
    tally.begin("search", 10)
    assert tally.seconds_left() is None
    tally.finished(trial("0"), outcome([0.5], seconds=4.0))
    tally.finished(trial("1"), outcome([0.5], seconds=6.0))
    assert tally.seconds_left() == 8 * 5.0
    tally.outlook(None, 2)
    assert tally.seconds_left() == 8 * 5.0 / 2, "two are trained at once"
    tally.outlook(None, 20)
    assert tally.seconds_left() == 5.0, "more workers than trials make none of them shorter"


def test_what_is_planned_is_told_when_the_end_moves_or_others_train_at_once():
    told, planned, runner = [], [None], SimpleNamespace(workers=2)
    observer = Observer()
    observer.outlook = lambda ends, at_once: told.append((ends, at_once))
    searching = Searching(None, None, Budget(None, SimulatedClock(1000.0)), observer)
    ends = searching._told(lambda best: planned[0], runner)
    for workers, end in ((2, None), (2, None), (3, None), (3, 1060.0), (3, 1060.5), (3, 1030.0)):
        runner.workers, planned[0] = workers, None if end is None else Deadline(unix=end)
        ends([])
    assert told == [(None, 2), (None, 3), (1060.0, 3), (1030.0, 3)]


def test_the_search_ends_when_what_follows_has_to_begin():
    clock = SimulatedClock(1000.0)
    limited = Tally("val_accuracy", "max", 1100.0, clock)
    limited.begin("search", None)
    limited.outlook(1060.0, 1)
    assert limited.seconds_left() == 60.0
    limited.outlook(1030.0, 1)
    assert limited.seconds_left() == 30.0
    limited.begin("search", 10)
    limited.outlook(1030.0, 1)
    limited.finished(trial("0"), outcome([0.5], seconds=60.0))
    assert limited.seconds_left() == 30.0
    clock.pass_time(100.0)
    assert limited.seconds_left() == 0.0
    limited.begin("evaluation", 2)
    assert limited.seconds_left() is None, "the hour of the whole night says nothing about this phase"


def test_with_a_promised_hour_the_bar_shows_time():
    clock = SimulatedClock(1000.0)
    tally = Tally("val_accuracy", "max", 1190.0, clock, began=990.0)
    tally.begin("loading", None)
    assert (tally.share, tally.progress) == (0.05, "10 s of 3 min 20 s")
    tally.begin("search", None)
    clock.pass_time(90.0)
    tally.finished(trial("0"), outcome([0.5]))
    assert (tally.share, tally.progress) == (0.5, "1 min 40 s of 3 min 20 s, 1 trial")
    free = Tally("val_accuracy", "max", None, clock)
    free.begin("loading", None)
    assert (free.share, free.progress) == (None, "0.0 s")
    free.begin("search", 4)
    free.finished(trial("0"), outcome([0.5]))
    assert (free.share, free.progress) == (0.25, "0.0 s, 1/4 trials")


def test_a_terminal_gets_the_live_view_a_pipe_plain_lines():
    able = console(force_terminal=True, _environ={"TERM": "xterm"})
    assert isinstance(make_view(able, "val_accuracy", "max"), LiveView)
    assert isinstance(make_view(console(force_terminal=False), "val_accuracy", "max"), PlainLines)


def test_what_cannot_be_drawn_anew_gets_plain_lines_whatever_colours_it_has():
    dumb = console(force_terminal=True, _environ={"TERM": "dumb"})
    coloured = Terminal(file=io.StringIO(), _environ={"FORCE_COLOR": "1", "TERM": "xterm"})
    assert coloured.is_terminal
    for shown in (dumb, coloured):
        assert isinstance(make_view(shown, "val_accuracy", "max"), PlainLines)


def test_the_live_view_shows_what_is_running_and_what_is_best():
    shown = console(force_terminal=True, force_interactive=False)
    view = LiveView(shown, Tally("val_accuracy", "max", None))
    view.phase("search [1]", 5)
    view.started(trial("0"))
    view.epoch(trial("0"), epoch(2))
    view.finished(trial("b", TrialKind.BASELINE, name="article"), outcome([0.7]))
    view.finished(trial("1"), failed())
    view.started(trial("gone"))
    view.interrupted(trial("gone"), outcome([]))
    shown.export_text()
    shown.print(view._view())
    text = shown.export_text()
    view.close()
    assert "search [1]" in text
    assert "2/5 trials" in text
    assert "epoch 2/3" in text
    assert "best val_accuracy 0.7000 by article   best baseline 0.7000   1 failed" in text
    assert "gone" not in text
    assert "1: failed, nan" in text


def test_a_trial_that_goes_on_shows_the_epochs_that_it_has():
    shown = console(force_terminal=True, force_interactive=False)
    view = LiveView(shown, Tally("val_accuracy", "max", None))
    view.started(trial("0", epochs_to=9, outcome=outcome([0.5, 0.6], stopped=Stop.INTERRUPTED)))
    shown.print(view._view())
    assert "epoch 2/9" in shown.export_text()


def test_a_trial_that_waits_for_a_worker_is_not_said_to_be_trained():
    shown = console(force_terminal=True, force_interactive=False)
    view = LiveView(shown, Tally("val_accuracy", "max", None))
    view.phase("search", None)
    view.outlook(None, 2)
    for name in "012":
        view.started(trial(name))
    shown.export_text()
    shown.print(view._view())
    lines = shown.export_text().splitlines()
    view.close()
    assert ["waits for a worker" in line for line in lines if "layers=2" in line] == [False, False, True]


def test_of_a_thousand_trainings_no_more_are_drawn_than_a_screen_shows():
    shown = console(force_terminal=True, force_interactive=False)
    view = LiveView(shown, Tally("val_accuracy", "max", None))
    view.phase("search", None)
    view.outlook(None, 1_000)
    for number in range(1_000):
        view.started(trial(f"{number:04}"))
    shown.export_text()
    shown.print(view._view())
    lines = shown.export_text().splitlines()
    view.close()
    assert sum("layers=2" in line for line in lines) == 24
    assert any("and 976 more" in line for line in lines)


def test_the_log_file_has_everything_with_its_time(tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    log = LogFile(tmp_path, SimulatedClock(0.0))
    log.phase("search", 4)
    log.started(trial("0", note="the most promising", values={"layers": 2}))
    log.epoch(trial("0"), epoch(1, val_accuracy=0.25))
    log.finished(trial("0"), outcome([0.25]))
    log.finished(trial("1"), failed())
    log.interrupted(trial("2"), outcome([0.1, 0.2]))
    log.message("warning", "a worker died")
    assert len((tmp_path / "log.txt").read_text().splitlines()) == 9, "each line is written at once"
    log.close()
    LogFile(tmp_path, SimulatedClock(0.0)).phase("retraining", None)
    texts = [line[20:] for line in (tmp_path / "log.txt").read_text().splitlines()]
    assert texts == [
        "phase search, 4 expected",
        "0 starts, epochs 0 to 3, seed 7: layers=2",
        "0 was chosen because: the most promising",
        "0 epoch 1 in 1.00 s: loss=1 val_accuracy=0.25",
        "0 done in 1.00 s (length), score 0.25",
        "1 failed (nan): loss became nan in epoch 1",
        "    Traceback ...",
        "2 interrupted after 2 epochs of this trial",
        "warning: a worker died",
        "phase retraining",
    ]


def test_a_log_that_cannot_be_written_harms_nobody(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    (tmp_path / "log.txt").symlink_to("/dev/full")
    log = LogFile(tmp_path, SimulatedClock())
    log.epoch(trial("0"), epoch(1))
    log.message("warning", "the disk is full")
    log.close()


def test_what_a_message_of_user_code_says_does_not_steer_the_terminal():
    shown, view = lines()
    view.message("warning", "a\x1b[2Jb")
    assert shown.file.getvalue() == "warning: a\ufffd[2Jb\n"


def test_an_observer_that_wants_to_end_the_process_ends_only_the_following():
    class Ends(Observer):
        def started(self, trial):
            raise SystemExit(3)

    other = Listener()
    observers = Observers([Ends(), other])
    observers.started(trial("0"))
    observers.started(trial("1"))
    assert other.texts == ["Ends stops: SystemExit: 3"]


def test_a_pipe_that_nobody_reads_any_more_ends_the_view_and_nothing_else():
    other = Listener()
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w", encoding="utf-8") as stream:
        view = PlainLines(Terminal(file=stream), Tally("val_accuracy", "max", None))
        observers = Observers([view, other])
        observers.message("info", "first")
        observers.message("info", "second")
    assert other.texts == ["PlainLines stops: BrokenPipeError: [Errno 32] Broken pipe", "first", "second"]


def test_observers_that_cannot_hear_of_each_others_end_are_told_nothing_more_and_end_nothing():
    class Full(Observer):
        def __init__(self):
            self.told = []

        def phase(self, name, expected_trials):
            self.told.append(name)
            raise OSError("no space")

        def message(self, level, text):
            self.phase(level, None)

    first, second, other = Full(), Full(), Listener()
    observers = Observers([first, second, other])
    observers.phase("search", None)
    observers.phase("retraining", None)
    assert (first.told, second.told) == (["search"], ["warning"])
    assert other.texts == ["Full stops: OSError: no space"] * 2
