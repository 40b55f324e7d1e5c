"""Several runs side by side."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

import results
from results.ranked.tables import Table
from results.reporting import compare_report
from results.verdicts.comparison import show_comparison
from search.files.store import RunStore
from search.record.trial import TrialKind

MakeRun = Callable[..., Path]


def printed(table: Table) -> str:
    stream = io.StringIO()
    show_comparison(table, Console(file=stream, width=100, color_system="standard", force_terminal=True))
    return stream.getvalue()


def test_one_row_per_run(make_run: MakeRun) -> None:
    runs = [make_run("a", failures=["nan"]), make_run("b", seed=1, meta={"algorithm": "random"})]
    table = results.compare(runs)
    assert [row["run"] for row in table.rows] == ["a", "b"]
    assert [row["algorithm"] for row in table.rows] == ["hyperband", "random"]
    for run, row in zip(runs, table.rows, strict=True):
        best = next(r for r in results.rows(run) if r["verdict"] == "winner")
        assert (row["winner"], row["parameters"]) == (best["name"], best["parameters"])
        assert (row["retrained"], row["test"]) == (best["retrained"], best["test"])
        assert row["learning_rate"] == best["learning_rate"]
    assert (table.rows[0]["configurations"], table.rows[0]["failed"]) == (10, 1)
    assert table.rows[0]["trials"] == 14
    # Baseline 5, search 9 + 3 * 2 + 6, six candidates and the winner of 9 epochs each.
    assert table.rows[0]["epochs"] == 5 + 9 + 6 + 6 + 7 * 9


def test_only_hyperparameters_of_all_winners(make_run: MakeRun) -> None:
    first = make_run("a", values=lambda i, rng: {"layers": 1, "momentum": 0.9})
    second = make_run("b", values=lambda i, rng: {"layers": 2, "rate": 0.1})
    assert results.compare([first, second]).hyperparameters == ("layers",)


def test_the_best_baseline_is_not_the_best_of_the_search(make_run: MakeRun) -> None:
    run = make_run(score=lambda values: 0.5)
    row = results.compare([run]).rows[0]
    assert row["score"] < 0.6 < max(r["score"] for r in results.rows(run))


def test_runs_without_any_score(make_run: MakeRun) -> None:
    run = make_run(configurations=0, failures=["nan"], baselines=(), winner=False, evaluate=False)
    row = results.compare([run]).rows[0]
    assert (row["score"], row["winner"], row["failed"]) == (None, None, 1)


def test_best_scores_are_emphasised_only_within_one_objective(make_run: MakeRun) -> None:
    runs = [make_run("a"), make_run("b", seed=1)]
    scores = {row["score"] for row in results.compare(runs).rows}
    green = [line for line in printed(results.compare(runs)).splitlines() if "32m" in line]
    assert any(f"32m{max(scores):.4f}" in line.replace(" ", "") for line in green)
    mixed = results.compare([runs[0], make_run("r", task="regression")])
    assert "32m" not in printed(mixed)


def test_hours(make_run: MakeRun) -> None:
    started = 1_780_000_000.0
    sessions = [{"started": started, "ended": started + 3600}, {"started": started + 9000, "ended": started + 12600}]
    assert results.compare(make_run(meta={"sessions": sessions})).rows[0]["hours"] == pytest.approx(2.0)


def test_a_page_of_a_run_whose_best_was_taken_over_tells_what_it_reached_itself(
    make_run: MakeRun, tmp_path: Path
) -> None:
    first, forked = make_run("first"), make_run("forked", seed=1)
    with RunStore(forked) as store:
        best = max((t for t in store.trials(TrialKind.SEARCH)), key=lambda t: t.outcome.score)
        taken = replace(best, id="old-0", configuration="old-0", parent=None, kind=TrialKind.EVIDENCE)
        store.begin(taken)
        store.finish("old-0", replace(best.outcome, score=0.999), best.started)
    assert best.outcome is not None
    page = compare_report([first, forked], tmp_path / "page.html").read_text()
    assert f"forked reached {best.outcome.score:.4f}" in page
