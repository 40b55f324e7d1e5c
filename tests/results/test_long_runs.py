"""A long run read in brief tells what the whole of it tells. The limits are lowered, so that a short run is long."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

import results
from results.models import find_model
from results.ranked.ranking import ranking
from results.ranked.sample import sampled
from results.reporting.chart import Chart
from results.reporting.comparison.comparing import compare_document
from results.reporting.facts import read_facts
from search.files.rundir import open_run
from search.files.store import RunReader, RunStore
from search.record.marks import mark
from search.record.trial import Checkpoint, Trial, TrialKind
from tests.results.conftest import STARTED

MakeRun = Callable[..., Path]
FAILURES = ("nan", "oversized", "nan")


@pytest.fixture
def long(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run is long."""
    monkeypatch.setattr("search.files.store.LONG", 1)
    monkeypatch.setattr("results.ranked.first_rows.LONG", 1)


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of more than ten configurations is described by ten of them."""
    for module in ("ranked.sample", "reporting.facts", "reporting.compose", "reporting.sections.ranking"):
        monkeypatch.setattr(f"results.{module}.MOST", 10)
    monkeypatch.setattr("results.ranked.sample._BEST", 4)


def test_trials_in_brief_are_the_same_whether_read_so_or_from_whole_ones(make_run: MakeRun, long: None) -> None:
    run = make_run(configurations=20, failures=FAILURES, running=True)
    with RunReader(run) as reader:
        assert reader.marks() == [mark(trial) for trial in reader.trials()]


@pytest.mark.parametrize("damage", ["score = 'high'", "seconds = 9e999", "epochs = -1", "stopped = 'tired'"])
def test_a_damaged_record_is_left_to_whoever_reads_whole_trials(make_run: MakeRun, long: None, damage: str) -> None:
    import sqlite3

    run = make_run(configurations=5)
    connection = sqlite3.connect(run / "run.sqlite")
    connection.execute(f"UPDATE trial SET {damage} WHERE id = '0001'")
    connection.commit()
    connection.close()
    with RunReader(run) as reader:
        assert reader.marks() == [mark(trial) for trial in reader.trials()]


@pytest.mark.parametrize("running", [True, False])
def test_the_status_of_a_long_run(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, running: bool) -> None:
    run = make_run(configurations=20, failures=FAILURES, running=running)
    short = results.status(run, STARTED + 9000)
    monkeypatch.setattr("search.files.store.LONG", 1)
    again = results.status(run, STARTED + 9000)
    for state in (short, again):
        del state["last_sign"]
    assert again == short


@pytest.mark.parametrize("name", ["3", "0003", "linear"])
def test_one_row_of_a_long_run_is_found_without_reading_the_others(
    make_run: MakeRun, long: None, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    run, wanted = make_run(configurations=5), "baseline-linear" if name == "linear" else "0003"
    with RunStore(run) as store:
        for trial in store.of_configuration(wanted):
            if trial.outcome is not None:
                kept = Checkpoint(f"trials/{trial.id}/best.npz", 1, "0" * 32, 1)
                store.update_checkpoints({trial.id: replace(trial.outcome, best=kept)})
    monkeypatch.setattr(RunReader, "trials", lambda *_: pytest.fail("all trials are read"))
    with RunReader(run) as reader:
        model = find_model(reader, name)
    assert model.trial.configuration == wanted
    assert model.checkpoint.file == f"trials/{model.trial.id}/best.npz"


@pytest.mark.parametrize("top", [1, 3, 12, 500])
@pytest.mark.parametrize("task", ["classification", "regression"])
@pytest.mark.parametrize("promotions", [True, False])
def test_the_first_rows_of_a_long_run(make_run: MakeRun, long: None, top: int, task: str, promotions: bool) -> None:
    run = make_run(configurations=20, failures=FAILURES, task=task, promotions=promotions)
    whole = ranking(run).select(top=top, finalists=True)
    # The winner and what it is tied with stand below the others, without a rank that nobody counted.
    whole = replace(whole, rows=(*whole.rows[:top], *({**row, "rank": None} for row in whole.rows[top:])))
    for found in (ranking(run, top), ranking([run], top)):
        below = tuple({**row, "rank": None} for row in found.rows[top:])
        assert replace(found, rows=(*found.rows[:top], *below)) == whole


def test_the_first_rows_are_found_without_reading_the_others(
    make_run: MakeRun, long: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(configurations=40, promotions=False, candidates=1)
    read: list[str] = []
    some = RunReader.some

    def noted(self: RunReader, ids: Iterable[str]) -> list[Trial]:
        wanted = list(ids)
        read.extend(wanted)
        return some(self, wanted)

    monkeypatch.setattr(RunReader, "some", noted)
    monkeypatch.setattr(RunReader, "trials", lambda *_: pytest.fail("all trials are read"))
    assert len(ranking(run, 5).rows) == 5
    results.status(run)
    assert len(set(read)) < 15


def test_a_sample_has_the_best_the_baselines_and_what_was_trained_again(make_run: MakeRun, large: None) -> None:
    run = make_run(configurations=60, failures=FAILURES)
    with RunReader(run) as reader:
        whole = reader.trials()
        found = sampled(reader, "max")
        final = {t.configuration for t in whole if t.kind in (TrialKind.CANDIDATE, TrialKind.WINNER)}
    shown = {trial.configuration for trial in found}
    best = [str(row["name"]) for row in ranking(run).rows][:4]
    assert 10 <= len(shown) <= 10 + len(final) + 1
    assert final | set(best) | {"baseline-linear"} <= shown
    assert found == [trial for trial in whole if trial.configuration in shown], "whole configurations, in order"


def test_the_report_of_a_large_run_says_what_it_shows(make_run: MakeRun, large: None) -> None:
    run = make_run(configurations=60, failures=FAILURES)
    facts = read_facts(open_run(run), STARTED + 9000)
    assert facts.sampled
    assert facts.every == 64
    page = results.report(run, png=False)
    text = (page.parent / "report.md").read_text(encoding="utf-8")
    assert "This run has 64 configurations. The ranked table shows the best 10" in text
    assert f"table {run} --format csv" in text
    assert "The best 10 of 63 configurations and 1 baseline" in text
    assert len(ranking(run).rows) == 64, "the table stays complete"


def test_a_page_of_several_runs_counts_no_epochs_of_some_trials(make_run: MakeRun, large: None) -> None:
    runs = [open_run(make_run(name, configurations=n)) for name, n in (("first", 60), ("second", 3))]
    document = compare_document({run.directory.name: read_facts(run, STARTED + 9000) for run in runs}, runs)
    [chart] = next(section for section in document.sections if section.key == "history").items
    assert isinstance(chart, Chart)
    assert [view.name for view in chart.views] == ["by time"]


def test_the_report_of_an_ordinary_run_shows_everything(make_run: MakeRun) -> None:
    run = make_run(configurations=20, failures=FAILURES)
    assert not read_facts(open_run(run), STARTED + 9000).sampled
    text = (results.report(run, png=False).parent / "report.md").read_text(encoding="utf-8")
    assert "The ranked table shows the best" not in text


def test_first_rows_of_several_runs_are_those_of_all(make_run: MakeRun, long: None) -> None:
    runs = [make_run(f"run-{seed}", configurations=8, seed=seed) for seed in (1, 2)]
    assert ranking(runs, 5) == ranking(runs).select(top=5, finalists=True)
