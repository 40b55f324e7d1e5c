"""Several runs on one page."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import results
from results.errors import ResultError
from results.reporting import compare_report
from results.reporting.comparison.comparing import compare_document
from results.reporting.document import Table
from results.reporting.facts import read_facts
from results.reporting.words import scalar
from search.errors import RunError
from search.files.rundir import open_run
from search.files.store import RunReader

MakeRun = Callable[..., Path]


def charts(text: str) -> Any:
    found = re.search(r'id="page-data">(.*?)</script>', text, re.S)
    assert found is not None
    return json.loads(found[1])["charts"]


def test_two_runs(make_run: MakeRun, tmp_path: Path) -> None:
    runs = [make_run("first", configurations=20), make_run("second", configurations=30, seed=2)]
    page = compare_report(runs, tmp_path / "new" / "comparison.html")
    text = page.read_text(encoding="utf-8")
    assert page == tmp_path / "new" / "comparison.html"
    tests = {}
    for run in runs:
        with RunReader(run) as reader:
            winner = reader.meta("winner")
            tests[run.name] = next(e.metrics["accuracy"] for e in reader.evaluations() if e.trial == winner)
    assert "is best" not in text
    assert "These scores are not of the same rows." in text
    for value in tests.values():
        assert f"{value:.4f}" in text
    views = charts(text)["history"]
    assert [view["name"] for view in views] == ["by time", "by epochs"]
    for view in views:
        assert view["panels"][0]["names"] == ["first", "second"]


def test_while_there_is_no_winner_the_best_of_the_search_stands_for_it(make_run: MakeRun) -> None:
    options: dict[str, Any] = {"score": lambda values: 0.5, "winner": False, "evaluate": False}
    runs = [open_run(make_run(name, seed=seed, **options)) for seed, name in enumerate(("first", "second"))]
    document = compare_document({run.directory.name: read_facts(run, time.time()) for run in runs}, runs)
    [table] = next(section for section in document.sections if section.key == "winners").items
    assert isinstance(table, Table)
    for k, run in enumerate(runs, 1):
        first, second, *_ = results.rows(run)
        assert (first["kind"], second["kind"]) == ("baseline", "search")
        assert table.columns[k] == f"{run.directory.name}: {second['name']}"
        assert {row[0]: row[k] for row in table.rows}["learning_rate"] == scalar(second["learning_rate"])


def test_different_objectives_have_no_order(make_run: MakeRun, tmp_path: Path) -> None:
    runs = [make_run("classes"), make_run("numbers", task="regression")]
    text = compare_report(runs, tmp_path / "c.html").read_text(encoding="utf-8")
    assert "Different objectives" in text
    assert "val_accuracy and val_loss" in text
    assert len(charts(text)["history"][0]["panels"]) == 2


def test_runs_without_scores(make_run: MakeRun, tmp_path: Path) -> None:
    options: dict[str, Any] = {"configurations": 0, "baselines": (), "running": True}
    text = compare_report([make_run("a", **options), make_run("b", **options)], tmp_path / "c.html").read_text()
    assert "No run has a score yet." in text
    assert "not all finished" in text


def test_names_are_only_text(make_run: MakeRun, tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    runs = [make_run("a", meta={"name": evil, "algorithm": evil, "command": [evil]}), make_run("b")]
    assert "<img src=x" not in compare_report(runs, tmp_path / "c.html").read_text(encoding="utf-8")


def test_mistakes_of_the_user(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    with pytest.raises(ResultError, match="at least two different runs"):
        compare_report([run], tmp_path / "c.html")
    with pytest.raises(RunError):
        compare_report([run, tmp_path], tmp_path / "c.html")
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultError, match="at least two different runs"):
        compare_report([run, run], tmp_path / "c.html")
    with pytest.raises(ResultError, match="file: cannot be written"):
        compare_report([run, make_run("other")], tmp_path / "file" / "c.html")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ResultError, match=f"{tmp_path}/folder: cannot be written"):
        compare_report([run, tmp_path / "other"], tmp_path / "folder")


def test_a_pipe_in_the_place_of_an_exported_file_is_not_waited_for(make_run: MakeRun, tmp_path: Path) -> None:
    runs = [make_run(name, configurations=3, promotions=False) for name in ("first", "second")]
    (runs[0] / "export").mkdir()
    os.mkfifo(runs[0] / "export" / "metadata.json")
    assert compare_report(runs, tmp_path / "c.html").is_file()


def test_a_page_goes_through_a_link(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "link.html").symlink_to("page.html")
    compare_report([make_run("a"), make_run("b")], tmp_path / "link.html")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "page.html").stat().st_size > 1000
