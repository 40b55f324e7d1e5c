"""How a night ends: the user's command hears of every end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import results
from results.morning import night
from results.notify import call
from search.errors import DiskError, RunError, SearchFailed
from search.files.rundir import Run
from spaces import CodeError, DataError

MakeRun = Callable[..., Path]
_HOLD = """
import sys
from pathlib import Path
from search.files.lock import RunLock
with RunLock(Path(sys.argv[1])):
    print(flush=True)
    sys.stdin.read()
"""
TELL = 'echo "$NIGHTSHIFT_EXIT|$NIGHTSHIFT_HEADLINE" >> "{}"'


def ended(directory: Path, train: Callable[[], Run], heard: Path, **options: Any) -> list[str]:
    """What the command heard, a line a call."""
    error: BaseException | None = None
    try:
        night(train, directory, on_finish=TELL.format(heard), report=lambda *_, **__: directory, **options)
    except BaseException as raised:  # whatever it is: the command was called before
        error = raised
    assert error is not None
    return heard.read_text().splitlines() if heard.exists() else []


def raising(error: BaseException) -> Callable[[], Run]:
    def train() -> Run:
        raise error

    return train


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (KeyboardInterrupt(), "interrupted"),
        (SearchFailed("no configuration gave a score"), "failed"),
        (DiskError("no space left"), "failed"),
        (ValueError("a mistake of ours"), "failed"),
    ],
    ids=["interrupted", "no score", "full disk", "fault"],
)
def test_the_command_is_called_however_a_run_ends(
    make_run: MakeRun, tmp_path: Path, error: BaseException, reason: str
) -> None:
    run = make_run(winner=False, evaluate=False)
    [line] = ended(run, raising(error), tmp_path / "heard")
    assert line.startswith(f"{reason}|digits {reason}: best val_accuracy 0.9")


def test_it_is_called_when_everything_is_done(make_run: MakeRun, tmp_path: Path) -> None:
    run, heard = make_run(), tmp_path / "heard"

    def export(*_: Any, **__: Any) -> Any:
        return SimpleNamespace(files=(), unfit=(), left_out=())

    morning = night(lambda: Run(run), run, on_finish=TELL.format(heard), export=export, report=lambda *_, **__: run)
    assert (morning.reason, morning.problems) == ("done", ())
    assert heard.read_text().startswith("done|digits done: winner ")


def test_it_is_called_too_where_there_is_no_run_yet(tmp_path: Path) -> None:
    run, heard = tmp_path / "none", tmp_path / "heard"
    assert ended(run, raising(KeyboardInterrupt()), heard) == ["interrupted|none interrupted"]
    lines = ended(run, raising(DataError("photos: no such folder")), heard)
    assert lines[1] == "failed|none failed: photos: no such folder"


def test_a_run_that_is_named_from_within_its_folder_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "none").mkdir()
    monkeypatch.chdir(tmp_path / "none")
    lines = ended(Path(), raising(DataError("photos: no such folder")), tmp_path / "heard")
    assert lines == ["failed|none failed: photos: no such folder"]


def test_a_mistake_in_the_users_code_is_its_headline(make_run: MakeRun, tmp_path: Path) -> None:
    run, mistake = make_run(winner=False, evaluate=False), "model.py:build, line 3: NameError: name 'x' is not defined"
    assert ended(run, raising(CodeError(mistake)), tmp_path / "heard") == [f"failed|{run.name} failed: {mistake}"]


def test_an_end_is_heard_of_where_nobody_waits_for_the_report(make_run: MakeRun, tmp_path: Path) -> None:
    run, heard = make_run(), tmp_path / "heard"

    def report(*_: Any, **__: Any) -> Path:
        raise KeyboardInterrupt

    with pytest.raises(DiskError):
        night(raising(DiskError("no space left")), run, on_finish=TELL.format(heard), report=report)
    assert heard.read_text().startswith("failed|")


def test_a_model_that_wants_to_end_the_process_costs_its_export_alone(make_run: MakeRun, tmp_path: Path) -> None:
    run, heard = make_run(), tmp_path / "heard"

    def export(*_: Any, **__: Any) -> None:
        raise SystemExit(3)

    morning = night(lambda: Run(run), run, on_finish=TELL.format(heard), export=export, report=lambda *_, **__: run)
    assert morning.problems == ("export: unexpected SystemExit: 3",)
    assert heard.read_text().startswith("failed|")


def test_it_is_not_called_for_a_run_on_which_another_process_goes_on(make_run: MakeRun, tmp_path: Path) -> None:
    run, heard = make_run(), tmp_path / "heard"
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(run)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert ended(run, raising(RunError("is being worked on")), heard) == []
        other.kill()
        other.wait()
        assert len(ended(run, raising(RunError("holds another space")), heard)) == 1


def test_a_run_is_held_while_it_is_exported_and_reported(make_run: MakeRun, tmp_path: Path) -> None:
    run, seen = make_run(), []

    def look(*_: Any, **__: Any) -> Any:
        seen.append(results.status(run))
        raise ValueError("enough seen")

    night(lambda: Run(run), run, export=look, report=look)
    assert [(state["phase"], state["active"]) for state in seen] == [("export", True), ("report", True)]
    assert not results.status(run)["active"]


def test_a_terminal_that_is_gone_takes_nothing_with_it(make_run: MakeRun, tmp_path: Path) -> None:
    run, heard = make_run(), tmp_path / "heard"

    def gone(_: str) -> None:
        raise OSError(5, "Input/output error")

    def export(*_: Any, **__: Any) -> None:
        raise ValueError("no model")

    morning = night(
        lambda: Run(run), run, on_finish=TELL.format(heard), say=gone, export=export, report=lambda *_, **__: run
    )
    assert morning.reason == "failed"
    assert morning.problems == ("export: unexpected ValueError: no model",)
    assert heard.read_text().startswith("failed|digits failed: winner ")


def test_what_the_command_prints_is_not_the_tables(capfd: pytest.CaptureFixture[str]) -> None:
    assert call('echo "$NIGHTSHIFT_EXIT"; exit 3', {"NIGHTSHIFT_EXIT": "done"}) == 3
    assert capfd.readouterr() == ("", "done\n")
