"""The scripts that measure still fit the program: what they import, their options, and a few trials of each kind."""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import os
import re
import shlex
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

import spaces
from search.record.trial import Epoch, TrialJob

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "benchmarks"
PAGES = [ROOT / "README.md", FOLDER / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
SCRIPTS = sorted(file.stem for file in FOLDER.glob("*.py") if "\ndef main(" in file.read_text())


@pytest.fixture(scope="module")
def load():
    """Imports a script as it is run: it finds its neighbours by their names alone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(FOLDER), *sys.path])
        patch.setenv("OMP_NUM_THREADS", "1")
        patch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")
        yield importlib.import_module
    for file in FOLDER.glob("*.py"):
        sys.modules.pop(file.stem, None)


class Asked(Exception):
    """The script has asked for its options."""


def parser_of(script):
    made = []

    def keep(self, *_):
        made.append(self)
        raise Asked

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argparse.ArgumentParser, "parse_args", keep)
        with pytest.raises(Asked):
            script.main()
    return made[0]


def refused(script, monkeypatch, capsys, *words):
    """What a script says to options that it refuses."""
    monkeypatch.setattr(sys, "argv", [script.__name__, *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        script.main()
    assert ended.value.code == 2
    return capsys.readouterr().err


def commands():
    """Name and options of each script that a page calls with some."""
    for page in PAGES:
        text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
        for module, file, options in re.findall(r"`(?:python )?(?:-m benchmarks\.(\w+)|([\w/]+)\.py) ([^`]+)`", text):
            name = module or file.removeprefix("benchmarks/")
            if name in SCRIPTS:
                yield name, shlex.split(options)


def test_every_script_is_in_the_table():
    listed = re.findall(r"^\| `(\w+)\.py` \|", (FOLDER / "README.md").read_text(), flags=re.MULTILINE)
    assert sorted(listed) == SCRIPTS


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_has_the_options_that_it_names(load, name):
    script = load(name)
    known = parser_of(script).format_help()
    assert {option for option in re.findall(r"--[a-z][a-z-]*", script.__doc__) if option not in known} == set()


def test_options_that_pages_show_are_understood(load):
    found = list(commands())
    assert len(found) > 8
    for name, words in found:
        assert parser_of(load(name)).parse_args(words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["wide", "--seconds", "1"], "wide has no --seconds"),
        (["epochs", "--slots", "4", "--seconds", "1"], "epochs has no --seconds, --slots"),
        (["sleep", "--trials", "0"], "must be above 0"),
    ],
)
def test_scale_refuses_what_a_measure_does_not_take(load, monkeypatch, capsys, words, said):
    assert said in refused(load("scale"), monkeypatch, capsys, *words)


@pytest.mark.parametrize(("keep", "epoch"), [(("best", "state"), 3), (("best",), None)])
def test_a_simulated_training_is_gone_on_with_from_where_it_was(load, keep, epoch):
    job = TrialJob("0001", {"values": {}}, 1, "val_accuracy", "max", 0, 3, keep=keep)
    curve = [Epoch(number, {"val_accuracy": 0.5}, 1.0, 1.0) for number in (1, 2, 3)]
    state = load("scale")._outcome(job, curve).state
    assert (state and state.epoch) == epoch


@pytest.mark.parametrize(
    ("name", "option"), [("oracles", "--surrogate"), ("outlook", "--surrogate"), ("advice", "--folder")]
)
def test_where_the_surrogate_is_missing_a_script_says_so(load, monkeypatch, capsys, tmp_path, name, option):
    assert f"no LCBench surrogate (model.onnx) in {tmp_path}" in refused(
        load(name), monkeypatch, capsys, option, tmp_path
    )


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("advice", ["--algorithm", "hyperbnd"], "invalid choice: 'hyperbnd'"),
        ("advice", ["--processes", "0"], "must be at least 1"),
        ("outlook", ["--seeds", "0"], "--seeds must be at least 1"),
        ("augmentation", ["--repeats", "0"], "--repeats must be at least 1"),
        ("folds", ["--folds", "1"], "--folds 2 to 50"),
        ("gpu", ["--epochs", "0"], "must be at least 1"),
        ("gpu", ["--space", "table-classes"], "invalid choice: 'table-classes'"),
        ("gpu", ["--space", "photos-pretrained"], "invalid choice: 'photos-pretrained'"),
        ("larger_than_memory", ["--folder", "/no/such"], "--folder /no/such: no such folder"),
        ("long_night", ["--trials", "0"], "--trials must be at least 1"),
        ("memory", ["--workers", "-1"], "--workers must be at least 0"),
        ("parallel", ["--repeats", "0"], "--repeats must be at least 1"),
        ("recipes", ["--seeds", "0"], "must be at least 1"),
        ("schedules", ["--epochs", "2"], "--epochs must be at least 3"),
        ("tables", ["--seconds", "0"], "--seconds above 0"),
        ("throughput", ["--rounds", "0"], "must be at least 1"),
        ("throughput", ["--workers", "-1"], "--workers at least 0"),
    ],
)
def test_what_cannot_be_measured_is_refused(load, monkeypatch, capsys, name, words, said):
    assert said in refused(load(name), monkeypatch, capsys, *words)


def test_the_run_of_an_earlier_night_is_not_taken_for_a_new_one(load, monkeypatch, capsys, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/run.sqlite").touch()
    assert "holds the run of an earlier night" in refused(load("long_night"), monkeypatch, capsys, "--folder", tmp_path)


def test_a_part_is_added_to_what_changes_images_already(load):
    found = load("recipes")._spec(("flip", "shift"), rows=100, epochs=3).model.augmentation
    assert (found.flip.value, found.shift.value) == ("horizontal", 0.07)


def test_where_the_search_itself_trains_one_process_has_an_overhead(load):
    rows = {"floor": {"seconds_per_trial": 1.0}, "all workers": {"seconds_per_trial": 1.5}}
    load("throughput")._add_overheads(rows, {"floor": [{"seconds": [1.0, 1.0]}], "all workers": [{"workers": 0}]})
    assert rows["all workers"]["overhead_per_trial"] == 0.5


def test_a_training_on_a_card_that_fails_ends_the_measurement(load, monkeypatch):
    script = load("gpu")
    ended = SimpleNamespace(communicate=lambda: ("", None), returncode=3)
    monkeypatch.setattr(script.subprocess, "Popen", lambda *_, **__: ended)
    with pytest.raises(SystemExit, match="xla float32: exit code 3"):
        script._processes("xla float32", 2, argparse.Namespace(space="digits", rows=10, epochs=1))


def test_a_scale_is_read_by_other_processes_only_when_it_is_whole(load, monkeypatch, tmp_path):
    task, seen, replace = object.__new__(load("lcbench").Task), [], os.replace
    task.task, task._best = "168331", lambda unit: unit.mean(axis=1)

    def replaced(made, target):
        seen.append((json.loads(Path(made).read_text()), Path(target).exists()))
        replace(made, target)

    monkeypatch.setattr(os, "replace", replaced)
    scale = task.scale(tmp_path / "cache")
    assert seen == [({"best": scale.best, "median": scale.median}, False)]
    assert task.scale(tmp_path / "cache") == scale


def test_searches_of_several_widths_are_compared(load, monkeypatch, capsys, tmp_path):
    oracles = load("oracles")
    monkeypatch.setattr(oracles, "ProcessPoolExecutor", ThreadPoolExecutor)
    monkeypatch.setattr(oracles, "regrets", lambda *_, workers: [workers / 100])
    words = ["--tasks", "problems", "--only", "bowl", "--methods", "hyperband", "Optuna TPE", "--seeds", "1"]
    monkeypatch.setattr(
        sys, "argv", ["oracles", *words, "--workers", "4", "16", "--json", str(tmp_path / "found.json")]
    )
    oracles.main()
    shown = capsys.readouterr()
    assert "| problem | hyperband, 4 at a time | hyperband, 16 at a time |" in shown.out
    assert "| bowl | 0.04 | 0.16 |" in shown.out
    assert "Optuna TPE, 16 at a time: left out" in shown.err
    assert "none of the methods" in refused(oracles, monkeypatch, capsys, *words[:5], "Optuna TPE", "--workers", 16)


def test_what_real_searches_have_measured_stays_and_why_one_failed_is_said(load, monkeypatch, tmp_path):
    script, left = load("real_search"), [SimpleNamespace(returncode=0, stdout="said\n[[1.5, 0.9], [2.5, 0.8]]\n")]

    def run(command, **_):
        return left.pop() if left else SimpleNamespace(returncode=2, stderr="no such space", stdout="")

    monkeypatch.setattr(script.subprocess, "run", run)
    monkeypatch.setattr(sys, "argv", ["real_search", "--levels", "0.9", "--json", str(tmp_path / "found.json")])
    with pytest.raises(SystemExit, match="hyperband, seed 0: exit code 2\nno such space"):
        script.main()
    found = json.loads((tmp_path / "found.json").read_text())
    assert found["rows"] == [{"method": "freeze-thaw", "0.9": 1.5, "best": 0.9}]
    assert found["curves"]["freeze-thaw"] == [[[1.5, 0.9], [2.5, 0.8]]]


def test_a_configuration_that_failed_in_a_fold_is_counted_and_never_best(load):
    def trial(name, *scores):
        metrics = [{"val_accuracy": score, "fold_val_accuracy": score} for score in scores]
        epochs = tuple(Epoch(number, one, 1.0, 1.0) for number, one in enumerate(metrics, 1))
        return SimpleNamespace(id=name, outcome=SimpleNamespace(epochs=epochs))

    found = load("folds")._replayed([trial("failed", 0.99), trial("whole", 0.5, 0.6, 0.7)], 3)
    assert found == {"best": "whole", "score": 0.7, "trainings": 4}


def test_rows_on_the_disk_are_refused_trainings_without_a_counted_epoch(load, monkeypatch, capsys):
    assert "--epochs must be at least 2" in refused(load("larger_than_memory"), monkeypatch, capsys, "--epochs", 1)


@pytest.mark.usefixtures("tensorflow")  # it resizes pictures
@pytest.mark.parametrize(("pictures", "table"), [(False, None), (True, None), (False, 3)])
def test_rows_that_may_stay_on_the_disk_are_data(load, tmp_path, pictures, table):
    script = load("larger_than_memory")
    rows = tmp_path / "rows"
    if table is None:
        assert script.write(rows, 40, 8, pictures) == 40 * 8 * 8 * 3
    else:
        pytest.importorskip("pyarrow")
        assert script.write_table(rows, 40, table) == 40 * 3 * 4
    options = argparse.Namespace(pictures=pictures, table=table, side=8, epochs=2, trials=2)
    (tmp_path / "space.yaml").write_text(script.space(rows, True, options))
    data = spaces.load_data(spaces.load(tmp_path / "space.yaml"), folder=tmp_path / "stored")
    assert data.info.outputs == 4
    assert len(data.train) + len(data.validation) + len(data.test or ()) == 40
    assert data.streamed is not None


def test_rows_a_second_are_those_of_the_rows_that_there_are(load, capsys):
    load("gpu")._print("1 process", [{"rows": 100, "epochs": [9.0, 0.5]}, {"rows": 100, "epochs": [9.0, 1.0]}])
    assert " 300 rows/s " in capsys.readouterr().out


def test_a_night_is_kept_only_if_it_ends_well_and_in_time(load):
    nights = load("nights")
    kept = nights.night([sys.executable, "-c", ""], budget=60.0, busy=1)
    assert kept["kept"]
    assert kept["used"] < 1.0
    failed = nights.night([sys.executable, "-c", "print('no such space'); raise SystemExit(2)"], budget=60.0, busy=0)
    said = Path(failed["said"])
    try:
        assert (failed["kept"], failed["exit"], said.read_text()) == (False, 2, "no such space\n")
        assert nights.line(failed).endswith(f"no, see {said}")
    finally:
        said.unlink()
    late = nights.night([sys.executable, "-c", ""], budget=-1.0, busy=0)
    Path(late["said"]).unlink()
    assert not late["kept"]


def test_suggestions_are_timed_up_to_ten_thousand_rungs(load):
    suggest = load("suggest")
    assert max(suggest.SIZES["freeze-thaw"]) == 10_000
    values = {name: low for name, (low, *_) in suggest.lcbench.RANGES.items()}
    told = []
    oracle = SimpleNamespace(
        create_trial=lambda _: SimpleNamespace(trial_id="0", hyperparameters=SimpleNamespace(values=values)),
        update_trial=lambda _, metrics, step: told.append(step),
        end_trial=lambda _: None,
    )
    row = suggest.timed("freeze-thaw", 10_000, oracle, 2)
    assert re.fullmatch(r"\| freeze-thaw \| 10,000 \| \d+ \| \d+ \| [\d,]+ \|", row)
    assert told == 2 * list(range(1, 53))


@pytest.mark.usefixtures("tensorflow")  # Keras Tuner, behind the oracles, imports it
def test_oracles_are_asked_for_suggestions(load):
    suggest = load("suggest")
    for name in suggest.SIZES:
        assert suggest.step(suggest.filled(name, 6)) >= 0


@pytest.mark.usefixtures("tensorflow")
def test_a_problem_is_searched(load, monkeypatch, tmp_path):
    # The process that searches is the script's own; this one has other tests.
    monkeypatch.setattr(logging, "disable", lambda _: None)
    (regret,) = load("oracles").regrets("hyperband", "small scale", 0, tmp_path, tmp_path, budgets=(1,))
    assert regret >= 0


@pytest.mark.usefixtures("tensorflow")
def test_a_long_night_of_six_trials(load, tmp_path):
    script = load("long_night")
    found = script._night(tmp_path / "run", script._space("random", 6), every=2)
    assert found["store, MB"] > 0
    assert script._restored(tmp_path / "run") > 0


@pytest.mark.usefixtures("tensorflow")
def test_twenty_epochs_go_into_the_store(load, tmp_path):
    found = load("scale")._epochs(tmp_path, trials=10, length=2)
    assert (found["trials"], found["epochs"]) == (10, 20)
