"""The command line as a user meets it: exit codes, what goes where, and what is never imported."""

from __future__ import annotations

import io
import json
import math
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

import results
import run_search
import spaces
from results.morning import Morning
from results.ranked.formats import plain_json
from search.errors import CheckpointError, ClusterLost, DamageWarning, NightEnded, RunError
from search.files import layout
from search.files.rundir import Run
from search.files.store import RunStore
from spaces.basics.errors import RowsNotWritten
from tests.results.conftest import SPACE, make_run  # noqa: F401  (a fixture)
from tests.search import small

ROOT = Path(__file__).parent.parent
PROGRAM = [sys.executable, str(ROOT / "run_search.py")]


def call(*arguments, **environment):
    """The command in this process; `stdout` and `stderr` apart."""
    return CliRunner(env={"COLUMNS": "200", **environment}).invoke(run_search.app, [str(a) for a in arguments])


def process(*arguments, **options):
    """The command in a process of its own."""
    return subprocess.run(
        [*PROGRAM, *(str(a) for a in arguments)], capture_output=True, text=True, check=False, timeout=200, **options
    )


def one_error(result, code, *parts):
    """An exit code, and one sentence on standard error that has all these parts."""
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr
    for part in parts:
        assert part in result.stderr


@pytest.fixture
def run(make_run):  # noqa: F811
    """A finished run, made without training."""
    return make_run()


@pytest.fixture
def space_file(tmp_path):
    path = tmp_path / "tiny.yaml"
    path.write_text(json.dumps(small.SPACE), encoding="utf-8")
    return path


# --- reading commands ---------------------------------------------------------------------------------------------


def test_help_lists_every_command_of_the_contract():
    shown = call("--help")
    assert shown.exit_code == 0
    for command in ("run", "check", "resume", "status", "table", "report", "compare", "export", "predict",
                    "reproduce", "spaces", "schema"):  # fmt: skip
        assert f"│ {command} " in shown.stdout


def test_spaces_lists_the_shipped_ones_and_shows_one():
    shown = call("spaces")
    assert shown.exit_code == 0
    assert shown.stdout.split() == list(spaces.names())
    assert call("spaces", "digits").stdout == spaces.library_file("digits").read_text()
    one_error(call("spaces", "digit"), 2, "digit", "did you mean 'digits'")


def test_schema_is_json():
    shown = call("schema")
    assert shown.exit_code == 0
    assert {"name", "data", "model", "training"} <= json.loads(shown.stdout)["properties"].keys()


def test_table_in_every_text_format(run, tmp_path):
    rows = json.loads(call("table", run, "--format", "json").stdout)
    assert len(rows) > 5
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))
    csv = call("table", run, "--format", "csv").stdout.splitlines()
    assert len(csv) == len(rows) + 1
    assert csv[0].split(",")[:3] == ["rank", "name", "score"]
    markdown = call("table", run, "--format", "markdown").stdout
    assert markdown.startswith("|")
    assert "linear" in call("table", run).stdout
    target = tmp_path / "table.csv"
    written = call("table", run, "--output", target)
    assert (written.exit_code, written.stdout) == (0, "")
    assert target.read_text().splitlines() == csv


def test_table_selects(run):
    def names(*options):
        return [row["name"] for row in json.loads(call("table", run, "--format", "json", *options).stdout)]

    everything = names()
    assert names("--top", 2) == everything[:2]
    assert names("--where", "layers >= 2 and score > 0") != []
    assert set(names("--where", "kind == 'baseline'")) == {"linear"}
    assert names("--sort", "-rank") == everything[::-1]
    columns = json.loads(call("table", run, "--format", "json", "--columns", "score,name").stdout)
    assert list(columns[0]) == ["score", "name"]


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--where", "__import__('os')"), ("--where",)),
        (("--where", "no_such > 1"), ("no_such",)),
        (("--sort", "no_such"), ("no_such",)),
        (("--columns", "no_such"), ("no_such",)),
        (("--format", "xml"), ("xml",)),
    ],
)
def test_table_refuses_what_it_does_not_know(run, options, parts):
    one_error(call("table", run, *options), 2, *parts)


def test_the_winner_and_what_it_is_tied_with_are_always_shown(run):
    rows = json.loads(call("table", run, "--format", "json").stdout)
    told = {row["name"] for row in rows if row["verdict"] is not None}
    assert len(told) > 1
    for options in (("--top", "1"), ("--where", "score < 0"), ("--sort", "score", "--top", "1")):
        shown = call("table", run, *options).stdout
        assert all(re.search(rf"\b{name}\b", shown) for name in told)
    assert len(json.loads(call("table", run, "--format", "json", "--top", "1").stdout)) == 1


def test_why_the_winner_is_there_is_always_told(run):
    for options in (("--where", "score < 0"), ("--top", "1", "--sort", "score")):
        assert "winner: " in call("table", run, *options, "--columns", "name,score").stdout
        markdown = ("--format", "markdown", *options)
        told = call("table", run, *markdown, "--columns", "name,verdict").stdout
        assert "winner" in told
        rows = call("table", run, *markdown, "--columns", "name,score").stdout.splitlines()[2:]
        assert len(rows) == (1 if "--top" in options else 0), "without a word, no row beyond those asked for"


def test_empty_parts_of_a_list_do_not_count(run):
    columns = json.loads(call("table", run, "--format", "json", "--columns", "name,,score,").stdout)
    assert list(columns[0]) == ["name", "score"]
    one_error(call("table", run, "--columns", ","), 2, "--columns: names none")
    one_error(call("export", run, "--formats", ","), 2, "no export format given")
    one_error(call("export", run, "--formats", "keras,,oonx"), 2, "unknown export format 'oonx'")


@pytest.mark.skipif(not Path("/dev/fd").is_dir(), reason="this system shows no open files")
def test_standard_output_is_a_file_too(run):
    asked = ("table", run, "--format", "csv")
    assert process(*asked, "--output", "/dev/fd/1").stdout == process(*asked).stdout != ""


def test_status(run):
    shown = json.loads(call("status", run, "--format", "json").stdout)
    assert (shown["name"], shown["phase"]) == ("digits", "done")
    assert call("status", run).exit_code == 0
    one_error(call("status", run, "--format", "csv"), 2, "--format csv: must be one of rich, json")


def test_a_status_for_programs_has_nothing_beside_it(run):
    shown = call("status", run, "--watch", "--format", "json", FORCE_COLOR="1")
    assert json.loads(shown.stdout)["run"] == str(run)
    assert "\x1b[2J" not in call("status", run, "--watch", FORCE_COLOR="1").stdout


def test_compare(run, make_run):  # noqa: F811
    shown = call("compare", run, make_run("second", seed=5))
    assert shown.exit_code == 0
    assert shown.stdout


@pytest.mark.parametrize("format", ["xml", "parquet"])
def test_compare_refuses_a_format_before_it_writes_anything(run, make_run, tmp_path, format):  # noqa: F811
    page = tmp_path / "page.html"
    told = f"--format {format}: must be one of rich, csv, json, markdown"
    one_error(call("compare", run, make_run("second"), "--format", format, "--html", page), 2, told)
    assert not page.exists()


@pytest.mark.parametrize("command", ["status", "table", "report", "resume", "compare", "export", "log-mlflow"])
def test_a_directory_without_a_run(tmp_path, command):
    one_error(call(command, tmp_path / "nothing"), 2, "no run here", str(tmp_path / "nothing"))
    (tmp_path / "file").write_text("")
    one_error(call(command, tmp_path / "file"), 2, "no run here")


@pytest.mark.parametrize("command", ["status", "table", "report"])
def test_a_damaged_run(run, command):
    (run / "run.sqlite").write_bytes(b"no database" * 100)
    one_error(call(command, run), 2, "run.sqlite", "damaged")


def test_log_mlflow_prints_the_run_that_it_made(run, tmp_path, monkeypatch):
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    monkeypatch.chdir(tmp_path)
    uri = f"sqlite:///{tmp_path}/tracking.db"
    done = call("log-mlflow", run, "--tracking-uri", uri, "--experiment", "nights", MLFLOW_DISABLE_TELEMETRY="true")
    assert done.exit_code == 0, done.stderr
    assert f"{uri}, experiment nights: " in done.stderr
    assert f"mlflow ui --backend-store-uri {uri}" in done.stderr
    again = call("log-mlflow", run, "--tracking-uri", uri, "--experiment", "nights", "-q")
    assert (again.stdout, again.stderr) == (done.stdout, "")


# --- space files --------------------------------------------------------------------------------------------------


def test_dry_run_prints_the_resolved_space_and_makes_nothing(tmp_path, monkeypatch, space_file):
    monkeypatch.chdir(tmp_path)
    shown = call("run", space_file, "--dry-run", "--set", "search.max_trials=9", "--seed", 5)
    assert shown.exit_code == 0
    assert shown.stderr == ""
    assert list(tmp_path.iterdir()) == [space_file]
    (tmp_path / "again.yaml").write_text(shown.stdout)
    again = spaces.load(tmp_path / "again.yaml")
    assert (again.search.max_trials, again.search.seed) == (9, 5)
    assert call("run", tmp_path / "again.yaml", "--dry-run").stdout == shown.stdout


def test_options_win_over_the_file_and_over_set():
    shown = call("run", "--dry-run", "--set", "search.max_trials=3", "--max-trials", 4).stdout
    assert spaces.load(_parsed(shown)).search.max_trials == 4


def _parsed(text):
    from ruamel.yaml import YAML

    return YAML(typ="safe").load(text)


def test_a_scalar_gives_place_to_a_mapping(tmp_path):
    shown = call("run", "digits", "--dry-run", "--set", f"data.source.folder={tmp_path}")
    assert shown.exit_code == 0
    assert _parsed(shown.stdout)["data"]["source"] == {"folder": str(tmp_path)}


@pytest.mark.parametrize("command", ["run", "check"])
def test_an_unknown_space_names_the_nearest(command):
    one_error(call(command, "fashion-mnist-mpl"), 2, "fashion-mnist-mpl", "did you mean 'fashion-mnist-mlp'")


@pytest.mark.parametrize("command", ["run", "check"])
def test_every_mistake_of_a_space_file_is_shown_at_once_with_its_line(tmp_path, command):
    path = tmp_path / "broken.yaml"
    path.write_text(
        "name: broken\ndata: {source: digits}\nmodel: {family: mlp, layer: 2}\n"
        "training: {epochs: 0, learning_rate: fast}\n"
    )
    result = call(command, path)
    one_error(result, 2, f"{path}:3", "layers", f"{path}:4", "learning_rate", "epochs")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (("--set", "search.max_trials"), ("--set", "search.max_trials")),
        (("--set", "search.max_trails=3"), ("max_trails", "max_trials")),
        (("--budget", "soon"), ("--budget soon", "8h")),
        (("--budget", "0"), ("--budget 0",)),
        (("--until", "25:00"), ("--until 25:00", "07:00")),
        (("--workers", "many"), ("--workers many",)),
    ],
)
def test_options_that_cannot_be_meant(tmp_path, monkeypatch, options, parts):
    monkeypatch.chdir(tmp_path)
    one_error(call("run", *options), 2, *parts)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--workers", "many"), "--workers many: must be a whole number"),
        (("--cpus-per-trial", "nan"), "--cpus-per-trial nan: must be above 0"),
        (("--gpus-per-trial", "7"), "--gpus-per-trial 7: must be from 0 to 1"),
        (("--ray", "nowhere"), "--ray nowhere: must be local"),
        (("--ray", "local", "--workers", "0"), "--workers 0 trains in this process"),
        (("--fork", "new"), "--fork NEW needs --run-dir OLD"),
    ],
)
@pytest.mark.parametrize("way", ["--dry-run", "--detach"])
def test_they_are_refused_before_anything_is_shown_or_begun(tmp_path, monkeypatch, way, options, told):
    monkeypatch.chdir(tmp_path)
    one_error(call("run", "digits", way, *options), 2, told)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [("run", "--no-such-option"), ("no-such-command",), ("run", "--max-trials", "0"),
                                       ("run", "--max-trials", "x"), ("table",), ("run", "--seed", "-1")])  # fmt: skip
def test_wrong_usage(arguments):
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


@pytest.mark.usefixtures("tensorflow")
@pytest.mark.parametrize("command", ["run", "check"])
def test_missing_data(tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    one_error(call(command, "digits", "--set", f"data.source.npz={tmp_path}/no.npz"), 2, f"{tmp_path}/no.npz")
    assert list(tmp_path.iterdir()) == [], "no run directory is left by a run that never began"


@pytest.mark.usefixtures("tensorflow")
def test_a_run_directory_that_cannot_be_made(tmp_path, space_file):
    (tmp_path / "file").write_text("in the way")
    one_error(call("run", space_file, "--run-dir", tmp_path / "file" / "run"), 2, str(tmp_path / "file" / "run"))
    one_error(call("run", space_file, "--run-dir", tmp_path / "file"), 2, str(tmp_path / "file"))


def test_where_no_node_of_a_cluster_can_train_what_there_is_is_shown(run, monkeypatch):
    def night(*_, **__):
        raise ClusterLost("no node of the Ray cluster can train: two: keras is missing there")

    monkeypatch.setattr("results.morning.night", night)
    found = call("resume", run)
    assert found.exit_code == 1
    assert "linear" in found.stdout
    assert "error: no node of the Ray cluster can train" in found.stderr


@pytest.mark.parametrize("error", [ZeroDivisionError("unlucky"), CheckpointError("winner-07: not its weights")])
def test_whatever_ends_a_night_what_it_has_found_is_shown(run, monkeypatch, error):
    def night(*_, **__):
        raise error

    monkeypatch.setattr("results.morning.night", night)
    found = call("resume", run)
    assert found.exit_code == 1
    assert "linear" in found.stdout
    assert str(error) in found.stderr


def test_a_night_that_was_stopped_says_which_command_goes_on(run, monkeypatch):
    monkeypatch.setattr("results.morning.night", lambda *_, **__: Morning(Run(run), "interrupted", "", None, ()))
    found = call("resume", run)
    assert (found.exit_code, found.stdout) == (130, "")
    assert f"go on with: run-search resume {run}" in found.stderr


def test_what_code_of_others_prints_is_no_data(run, space_file, monkeypatch):
    def printing(given):
        print("of somebody else")
        return given

    def checked(spec, found, **_):
        seen = printing(SimpleNamespace(to_json=lambda: {"models": []}, fails=False))
        found(seen)
        return printing(seen)

    monkeypatch.setattr("results.reporting.report", lambda *_, **__: printing("page"))
    monkeypatch.setattr(
        "results.morning.night", lambda *_, **__: printing(Morning(Run(run), "interrupted", "", None, ()))
    )
    monkeypatch.setattr("nightshift.check", checked)
    for arguments, data in (
        (("report", run), "page\n"),
        (("resume", run), ""),
        (("check", space_file, "--quick", "--format", "json"), plain_json({"models": []}) + "\n"),
    ):
        shown = call(*arguments)
        assert shown.stdout == data
        assert "of somebody else" in shown.stderr


def test_a_disk_that_is_full_of_rows_is_no_wrong_usage(monkeypatch):
    def full(*_, **__):
        raise RowsNotWritten("photos: its rows cannot be kept in /var/tmp (No space left on device)")

    monkeypatch.setattr("nightshift.check", full)
    one_error(call("check", "digits"), 1, "photos: its rows cannot be kept in /var/tmp")


def test_an_unexpected_error_is_one_sentence_and_a_traceback_only_on_request(monkeypatch):
    def broken():
        raise ZeroDivisionError("unlucky")

    monkeypatch.setattr(spaces, "names", broken)
    one_error(call("spaces"), 1, "ZeroDivisionError: unlucky", "-v")
    assert isinstance(call("spaces", "-v").exception, ZeroDivisionError)


def test_a_working_folder_that_is_gone_is_told_as_that(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    refused = call("run", "digits", "--dry-run", "--set", f"data.source.csv={tmp_path}/rows.csv")
    one_error(refused, 2, "the folder that this command was started in has been deleted")


def test_names_of_strangers_cannot_steer_the_terminal(tmp_path):
    evil = tmp_path / "\x1b[2J\u202e.yaml"
    evil.write_text("name: [1")
    for arguments in (("run", evil, "--dry-run"), ("check", evil), ("table", evil), ("predict", evil, evil)):
        result = call(*arguments)
        assert result.exit_code == 2
        assert "\\x1b[2J\\u202e" in result.stderr
        assert result.stderr.replace("\n", "").isprintable()


def test_a_name_that_no_disk_takes_is_told(tmp_path):
    for command in ("status", "table", "resume"):
        one_error(call(command, tmp_path / ("x" * 300)), 2, "cannot be read (File name too long)")


def test_markup_in_a_name_is_shown_as_it_is(tmp_path):
    one_error(call("status", tmp_path / "[red]x[/red]"), 2, "[red]x[/red]")


# --- streams, colours, imports ------------------------------------------------------------------------------------


def test_what_the_encoding_lacks_is_printed_as_an_escape(monkeypatch):
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(run_search, "app", lambda: print("runs/caf\udce9 …"))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit):
        run_search.main()
    assert output.buffer.getvalue() == b"runs/caf\\udce9 \\u2026\n"


_LOADED = """
import sys
sys.argv = sys.argv[1:]
sys.path.insert(0, "{root}")
import run_search
try:
    run_search.main()
except SystemExit as ended:
    code = ended.code
print("code", code, *sys.modules, file=sys.stderr)
"""
HEAVY = {"tensorflow", "keras", "keras_tuner", "pandas", "sklearn", "matplotlib", "plotly", "scipy"}


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["spaces"], ["spaces", "digits"], ["table", "RUN"], ["table", "RUN", "--format", "csv"],
     ["table", "RUN", "--format", "json"], ["status", "RUN"], ["run", "digits", "--dry-run"], ["schema"]],
)  # fmt: skip
def test_reading_commands_load_nothing_heavy(run, arguments):
    arguments = [str(run) if a == "RUN" else a for a in arguments]
    done = subprocess.run(
        [sys.executable, "-c", _LOADED.format(root=ROOT), "run-search", *arguments],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    loaded = done.stderr.splitlines()[-1].split()
    assert loaded[:2] == ["code", "0"]
    assert "run_search" in loaded
    assert HEAVY & set(loaded) == set()
    assert done.stdout


def test_a_pipe_and_no_color_get_plain_text(run):
    for environment in ({}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}):
        shown = process("table", run, env={**os.environ, "COLUMNS": "200", **environment})
        assert shown.returncode == 0
        assert "\x1b[3" not in shown.stdout
        assert shown.stderr == ""


def test_a_reader_that_has_seen_enough_is_no_error(run):
    shown = subprocess.run(
        f"'{sys.executable}' '{ROOT}/run_search.py' schema | head -c 10",
        shell=True, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "Traceback" not in shown.stderr
    assert "BrokenPipe" not in shown.stderr


@pytest.mark.parametrize(("closed", "arguments", "code"), [("stdout", ("table",), 0), ("stderr", ("table", "-q"), 2)])
def test_a_pipe_without_a_reader_changes_no_exit_code(run, closed, arguments, code):
    reading, writing = os.pipe()
    os.close(reading)
    where = run if closed == "stdout" else run / "nowhere"
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, closed: writing}
    ended = subprocess.run([*PROGRAM, *arguments, where], **streams, text=True, check=False)
    os.close(writing)
    assert ended.returncode == code
    assert not ended.stdout
    assert not ended.stderr


def test_a_reader_that_has_seen_enough_ends_nothing_that_is_still_to_be_done(run, monkeypatch, tmp_path):
    def closed(*_, **__):
        raise BrokenPipeError

    def checked(spec, found, **_):
        seen = SimpleNamespace(fails=True)
        found(seen)
        return seen

    monkeypatch.setattr("results.ranked.formats.write", closed)
    monkeypatch.setattr("search.night.rehearsal_view.show", closed)
    monkeypatch.setattr("results.predicting.output.write_predictions", closed)
    monkeypatch.setattr("nightshift.check", checked)
    unverified = Morning(Run(run), "done", "best of all", None, ("export: not verified",))
    monkeypatch.setattr("results.morning.night", lambda *_, **__: unverified)
    monkeypatch.setattr("results.predict", lambda *_, **__: ["cat"])
    drawn = []
    monkeypatch.setattr("results.predicting.grid.draw_grid", lambda *given: drawn.append(given))
    night = call("resume", run)
    assert night.exit_code == 1
    assert "best of all" in night.stderr
    assert call("check", "digits", "--quick").exit_code == 1
    grid = tmp_path / "grid.png"
    assert call("predict", run, "cat.png", "--grid", grid).exit_code == 0
    assert drawn == [(["cat"], grid)]


_CLOSED = """
import json, os, subprocess, sys
told, root = sys.argv[1:]
sys.path.insert(0, root)
import run_search
sys.argv = ["run-search", "--version"]
try:
    run_search.main()
except SystemExit as ended:
    sys.stderr.flush()
    there = "import os\\nfor number in range(3): os.fstat(number)"
    child = subprocess.run([sys.executable, "-c", there]).returncode
    with open(told, "w") as file:
        json.dump([ended.code, file.fileno() > 2, child], file)
"""


def test_streams_that_are_closed_give_their_numbers_to_no_file(tmp_path):
    told = tmp_path / "told"
    ways = 'exec "$0" "$@" <&- >&- 2>&-'
    subprocess.run(["sh", "-c", ways, sys.executable, "-c", _CLOSED, str(told), str(ROOT)], check=False)
    assert json.loads(told.read_text(encoding="utf-8")) == [0, True, 0]


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is full")
@pytest.mark.parametrize(
    "arguments",
    [("--version",), ("--help",), ("spaces",), ("schema",), ("table", "RUN"), ("table", "RUN", "--format", "csv"),
     ("status", "RUN", "--format", "json")],
)  # fmt: skip
def test_a_standard_output_that_is_full_is_told(run, arguments):
    arguments = [str(run) if a == "RUN" else a for a in arguments]
    with open(FULL, "w") as full:
        ended = subprocess.run([*PROGRAM, *arguments], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        told = subprocess.run([*PROGRAM, "table", "nowhere"], stdout=full, stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, ended.stderr) == (1, "error: standard output: No space left on device\n")
    assert told.returncode == 2, "nothing was to be written"


# --- a real search ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def searched(tmp_path_factory):
    """A whole small search by the command line: its run directory and what it said."""
    folder = tmp_path_factory.mktemp("searched")
    (folder / "tiny.yaml").write_text(json.dumps(small.SPACE), encoding="utf-8")
    done = process("run", "tiny.yaml", "--run-dir", "run", "--workers", "0", "--max-trials", "2", cwd=folder)
    return folder / "run", done


def test_a_search_leaves_everything_and_says_what_it_did(searched):
    run, done = searched
    assert done.returncode == 0, done.stderr
    for name in ("space.yaml", "run.sqlite", "log.txt", "report/report.md", "report/index.html", "export"):
        assert (run / name).exists(), name
    assert "Traceback" not in done.stderr
    assert "WARNING:tensorflow" not in done.stderr
    assert "linear" in done.stdout, "the table is data"
    assert "search, 3 trials expected" in done.stderr, "progress is not"
    assert "search, 3" not in done.stdout
    rows = json.loads(call("table", run, "--format", "json").stdout)
    assert len(rows) == 3
    spent = {str(entry.account): entry.seconds for entry in results.time_spent(run)}
    assert min(spent["export"], spent["report"]) > 0


@pytest.mark.night
def test_a_finished_run_is_left_as_it_is(searched):
    run, _ = searched
    before = json.loads(call("table", run, "--format", "json").stdout)
    again = process("resume", "run", "-q", cwd=run.parent)
    assert (again.returncode, again.stdout) == (0, "")
    assert json.loads(call("table", run, "--format", "json").stdout) == before


@pytest.mark.night
def test_another_space_in_the_same_directory_is_refused(searched):
    run, _ = searched
    other = process("run", "tiny.yaml", "--run-dir", "run", "--seed", "99", cwd=run.parent)
    assert other.returncode == 2
    assert "search.seed" in other.stderr
    assert "--fork" in other.stderr


def test_reproduce_reaches_the_recorded_score(searched):
    run, _ = searched
    (row, *_) = json.loads(call("table", run, "--format", "json").stdout)
    done = process("reproduce", run, row["name"], "--format", "json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["difference"], found["same_data"], found["same_sources"]) == (0.0, True, True)
    one_error(call("reproduce", run, "no-such"), 2, "no configuration 'no-such'")


@pytest.mark.parametrize(
    "number", [signal.SIGINT, *(pytest.param(one, marks=pytest.mark.night) for one in (signal.SIGTERM, signal.SIGHUP))]
)
def test_a_signal_ends_the_search_orderly_with_130(tmp_path, number):
    """Enough epochs to be in the middle of a training for sure when the signal comes."""
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("these tests were started with nohup, which searches inherit")
    (tmp_path / "tiny.yaml").write_text(json.dumps(small.SPACE), encoding="utf-8")
    command = [*PROGRAM, "run", "tiny.yaml", "--run-dir", "run", "--workers", "0", "--no-check",
               "--set", "training.epochs=100000", "--set", "search.algorithm=random"]  # fmt: skip
    running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    log = tmp_path / "run/log.txt"
    while not (log.exists() and " epoch 2 " in log.read_text()):
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    running.send_signal(number)
    stdout, stderr = running.communicate(timeout=60)
    assert (running.returncode, stdout) == (130, "")
    assert "stopping after the current epoch" in stderr
    assert "resume run" in stderr
    assert "Traceback" not in stderr
    shown = json.loads(call("status", tmp_path / "run", "--format", "json").stdout)
    assert (shown["exit"], shown["active"]) == ("interrupted", False)
    assert shown["epochs"] >= 2


@pytest.mark.night
def test_a_detached_night_survives_its_terminal(tmp_path):
    (tmp_path / "tiny.yaml").write_text(json.dumps(small.SPACE), encoding="utf-8")
    longer = ("--workers", "0", "--no-check", "--set", "training.epochs=100000", "--set", "search.algorithm=random")
    started = subprocess.Popen(
        [*PROGRAM, "run", "tiny.yaml", "--run-dir", "run", "--detach", *longer],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    stdout, stderr = started.communicate(timeout=200)
    assert started.returncode == 0, stderr
    night = int(stdout.split()[1])
    assert os.getsid(night) == night
    assert "run-search status run --watch" in stdout
    log = tmp_path / "run/log.txt"
    # Once it trains, it listens to signals.
    while not (log.exists() and " epoch 1 " in log.read_text()):
        os.kill(night, 0)
        time.sleep(0.1)
    shown = json.loads(call("status", tmp_path / "run", "--format", "json").stdout)
    assert shown["active"]
    os.kill(night, signal.SIGTERM)
    while json.loads(call("status", tmp_path / "run", "--format", "json").stdout)["active"]:
        time.sleep(0.1)
    assert "stopping after the current epoch" in (tmp_path / "run/output.txt").read_text()
    done = process("resume", "run", "--detach", "--budget", "nonsense", cwd=tmp_path)
    assert done.returncode == 2


@pytest.fixture
def detach(monkeypatch, tmp_path):
    """A command with `--detach` whose night is only pretended: its command line comes back."""
    monkeypatch.chdir(tmp_path)
    started = []

    def detached(*arguments, night=77):
        def start(command, directory, wait):
            started.append(command[command.index("run_search") + 1 :])
            if isinstance(night, Exception):
                raise night
            return night

        monkeypatch.setattr("search.night.detached.start", start)
        monkeypatch.setattr(sys, "argv", ["run-search", *arguments])
        return call(*arguments), started[-1]

    return detached


def test_what_a_detached_night_is_told_besides_stands_before_what_is_no_option(detach, space_file):
    result, command = detach("run", "--detach", "--", str(space_file))
    assert result.exit_code == 0
    assert result.stdout.startswith("process 77 goes on in runs/tiny-")
    assert command[:2] == ["run", "--run-dir"]
    assert command[3:] == ["--", str(space_file)]
    assert detach("run", str(space_file), "--run-dir", "x", "--detach")[1] == ["run", str(space_file), "--run-dir", "x"]


def test_commands_that_are_shown_can_be_copied_whatever_the_folder_is_called(detach, space_file):
    shown = detach("run", str(space_file), "--run-dir", "Läufe von heute", "--detach")[0].stdout.splitlines()
    assert shown[1:3] == ["  run-search status 'Läufe von heute' --watch", "  tail -f 'Läufe von heute/log.txt'"]
    assert shown[3].endswith("run-search resume 'Läufe von heute' goes on")


@pytest.mark.parametrize("file", ["run_search.py", "/there/.venv/bin/run-search", "/there/nightshift/__main__.py"])
def test_a_run_records_a_command_that_can_be_typed_again_however_it_was_called(monkeypatch, tmp_path, run, file):
    monkeypatch.chdir(tmp_path)
    recorded = []

    def train(*_, command, **__):
        recorded.append(command)
        raise RunError("enough")

    monkeypatch.setattr(run_search, "_load_tensorflow", lambda: None)
    for name, *arguments in (("run", "digits", "--run-dir", "x y", "--budget", "1h"), ("resume", str(run), "-q")):
        monkeypatch.setattr(f"search.{name}", train)
        monkeypatch.setattr(sys, "argv", [file, name, *arguments])
        one_error(call(name, *arguments), 2, "enough")
        assert recorded.pop() == ["run-search", name, *arguments]


def test_before_a_night_is_done_it_says_that_export_and_report_follow(monkeypatch, run):
    def train(*_, observers, **__):
        for one in observers:
            one.phase("search", None)
        raise RunError("enough")

    monkeypatch.setattr(run_search, "_load_tensorflow", lambda: None)
    monkeypatch.setattr("search.resume", train)
    one_error(call("resume", run, "-q"), 2, "enough")
    assert json.loads(call("status", run, "--format", "json").stdout)["phase"] == "export"


def test_a_detached_night_that_ends_at_once_is_told_as_it_ended(detach, space_file):
    over, _ = detach("run", str(space_file), "--run-dir", "x", "--detach", night=None)
    assert (over.exit_code, over.stdout.splitlines()[0]) == (0, "nothing was left to do in x")
    assert "goes on" not in over.stdout
    failed, _ = detach("run", str(space_file), "--run-dir", "x", "--detach", night=NightEnded("the disk is full", 1))
    one_error(failed, 1, "the disk is full")


def test_a_detached_night_that_cannot_begin_says_why(tmp_path):
    space = {**small.SPACE, "data": {"source": {"npz": "absent.npz"}}}
    (tmp_path / "tiny.yaml").write_text(json.dumps(space), encoding="utf-8")
    done = process("run", "tiny.yaml", "--run-dir", "run", "--detach", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "absent.npz" in done.stderr


# --- a user's own code --------------------------------------------------------------------------------------------


@pytest.fixture
def own_model(tmp_path):
    """Writes a module of the user's and a space file for its `build`; returns the file."""

    def written(body, **search):
        (tmp_path / "model.py").write_text(body, encoding="utf-8")
        space = {
            "name": "own",
            "data": {"source": "digits", "limit": 200},
            "model": {"family": {"python": "model:build"}},
            "training": {"epochs": 1},
            "search": {"algorithm": "random", "max_trials": 2, **search},
        }
        (tmp_path / "own.yaml").write_text(json.dumps(space), encoding="utf-8")
        return tmp_path / "own.yaml"

    return written


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("def build(hp):\n    hp.Int('units', 8, 32)\n    return Sequential([])\n", "line 3: NameError: name 'Sequ"),
        ("def build(hp):\n    return hp.Int('units', 8, 32)\n", "line 1: returned int; it has to return a keras.Model"),
        ("import keras\ndef build(hp)\n    return 1\n", "line 2: importing it raised SyntaxError: expected ':'"),
        ("def build(hp):\n    raise SystemExit(0)\n", "line 2: SystemExit: 0"),
    ],
)
def test_a_mistake_in_a_users_function_is_told_with_its_line(own_model, tmp_path, body, told):
    space = own_model(body)
    checked = call("check", space)
    announced, error = checked.stderr.split("\n", 1)
    assert announced.startswith("this space runs Python code: ")
    assert f"model.py:build from {tmp_path / 'model.py'}" in announced
    assert error.startswith("error: ")
    assert f"model.py:build, {told}" in error
    assert (checked.exit_code, checked.stdout) == (2, "")
    begun = call("run", space, "--run-dir", tmp_path / "run")
    assert begun.exit_code == 2
    assert f"model.py:build, {told}" in begun.stderr


FIXED = """
import keras

def build(hp):
    print("building")
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""


def test_what_a_function_that_compiles_leaves_without_effect_is_told_with_its_place(own_model):
    found = call("check", own_model(FIXED), "--set", "training.optimizer=sgd")
    assert found.exit_code == 2
    assert "error: --set training.optimizer: has no effect: the model's function compiles the model" in found.stderr


@pytest.mark.night
def test_an_objective_that_nothing_reports_ends_check_and_run(own_model, tmp_path):
    space = own_model(FIXED, objective={"name": "val_typo", "direction": "max"})
    told = "objective val_typo is not reported; reported are loss, accuracy, val_loss, val_accuracy"
    for command in (["check", space], ["run", space, "--run-dir", tmp_path / "run", "--workers", "0", "--no-check"]):
        found = call(*command)
        assert found.exit_code == 2
        assert f"error: {told}" in found.stderr
    rows = json.loads(call("table", tmp_path / "run", "--format", "json").stdout)
    assert [(row["status"], row["epochs"], row["message"]) for row in rows] == [("failed", 1, told)]
    assert f"error (1): {told}" in call("table", tmp_path / "run").stdout


@pytest.mark.night
def test_a_function_that_chooses_and_prints_nothing_of_ours_is_trained_once(own_model, tmp_path):
    space = own_model(FIXED)
    checked = call("check", space, "--quick", "--format", "json")
    assert json.loads(checked.stdout)["configurations"] == 1
    assert "building" in checked.stderr
    done = call("run", space, "--run-dir", tmp_path / "run", "--workers", "0", "--set", "final.seeds=0",
                "--set", "export.formats=[keras]")  # fmt: skip
    assert done.exit_code == 0, done.output
    assert len(json.loads(call("table", tmp_path / "run", "--format", "json").stdout)) == 1


@pytest.fixture
def spoilt(run):
    """Runs a statement on the run's store."""

    def spoil(statement, *values):
        connection = sqlite3.connect(run / layout.STORE)
        with connection:
            connection.execute(statement, values)
        connection.close()
        return run

    return spoil


def test_damage_is_told_once_and_the_rest_is_shown(spoilt):
    run = spoilt("UPDATE trial SET seed = 'x' WHERE id = '0002'")
    shown = call("table", run, "--format", "json")
    assert shown.exit_code == 0
    assert len(json.loads(shown.stdout)) == 10
    assert shown.stderr.count("warning: ") == 1
    assert f"{run / layout.STORE}: damaged, and left out: trial: '0002': seed is 'x'" in shown.stderr
    assert call("table", run, "-q").stderr == ""
    for command in ("status", "report", "compare"):
        arguments = (command, run, "--no-png") if command == "report" else (command, run)
        assert "seed is 'x'" in call(*arguments).stderr


def test_of_very_many_warnings_fifty_are_shown_and_the_others_counted(run, monkeypatch):
    def damaged(_):
        for number in (*range(60), 0):
            warnings.warn(f"row {number}", DamageWarning, stacklevel=1)
        raise RunError("nothing is left")

    monkeypatch.setattr(results, "status", damaged)
    result = call("status", run)
    assert result.exit_code == 2
    told = result.stderr.splitlines()
    assert told == [*(f"warning: row {n}" for n in range(50)), "… and 10 more warnings", "error: nothing is left"]
    assert call("status", run, "-q").stderr == "error: nothing is left\n"


def test_a_store_of_which_nothing_can_be_read_is_refused(spoilt):
    run = spoilt("UPDATE meta SET value = '{}' WHERE key = 'objective'")
    for command in ("table", "status", "report", "compare", "export", "resume"):
        result = call(command, run)
        assert result.exit_code == 2, command
        assert "objective" in result.stderr
        assert "unexpected" not in result.stderr


def test_what_steers_a_terminal_is_not_printed(spoilt):
    evil = "a\x1b[2J\x1b]0;title\x07b"
    spoilt("INSERT INTO event (at, level, message) VALUES (1, 'warning', ?)", evil)
    run = spoilt("UPDATE trial SET note = ?", evil)
    ways = [("status",), ("status", "--format", "json"), ("table",), ("table", "--columns", "why")]
    for command, *options in [*ways, ("table", "--format", "csv"), ("table", "--format", "markdown")]:
        result = call(command, run, *options)
        assert result.exit_code == 0
        assert "\x1b" not in result.stdout + result.stderr
        assert "\\u001b" not in result.stdout


@pytest.mark.parametrize("command", [("export",), ("reproduce", "linear"), ("resume",)])
def test_code_that_only_the_store_names_is_never_run(run, tmp_path, command):
    evil = tmp_path / "evil.py"
    evil.write_text(f"open({str(tmp_path / 'EXECUTED')!r}, 'w')\ndef build(hp): raise SystemExit\n")
    with RunStore(run) as store:
        connection = store._connection
        for name, text in connection.execute("SELECT id, settings FROM trial").fetchall():
            settings = {**json.loads(text), "family": f"python:{evil}:build"}
            connection.execute("UPDATE trial SET settings = ? WHERE id = ?", (json.dumps(settings), name))
        checkpoint = {"file": "trials/0/best.npz", "bytes": 1, "digest": "00", "epoch": 1}
        for name, text in connection.execute("SELECT id, outcome FROM trial").fetchall():
            outcome = {**json.loads(text), "best": checkpoint}
            connection.execute("UPDATE trial SET outcome = ? WHERE id = ?", (json.dumps(outcome), name))
    result = call(command[0], run, *command[1:])
    assert result.exit_code == 2
    assert "run.sqlite disagrees with space.yaml" in result.stderr
    assert not (tmp_path / "EXECUTED").exists()


@pytest.mark.parametrize("command", [("export",), ("reproduce", "linear"), ("resume",)])
def test_whose_code_will_run_is_said_before_it_runs(make_run, tmp_path, command):  # noqa: F811
    (tmp_path / "mine.py").write_text("raise SystemExit(77)\n")
    space = (
        SPACE[: SPACE.index("model:")]
        + f"""model:
  family: {{python: "{tmp_path / "mine.py"}:build"}}
training: {{optimizer: adam, learning_rate: 0.1, batch_size: 32, epochs: {{min: 1, max: 9}}}}
search: {{algorithm: hyperband, max_trials: 30, seed: 7}}
"""
    )
    result = call(command[0], make_run(space=space, baselines=()), *command[1:])
    assert f"this space runs Python code: {tmp_path / 'mine.py'}:build from {tmp_path / 'mine.py'}" in result.stderr
    assert result.exit_code == 2


def test_json_has_no_number_that_json_does_not_know():
    text = plain_json({"a": [math.nan, {"b": math.inf}], "c": 0.5})
    assert json.loads(text, parse_constant=pytest.fail) == {"a": [None, {"b": None}], "c": 0.5}
