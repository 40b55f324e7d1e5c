"""Several runs side by side."""

import io
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import results
from results.ranked.ranking import run_labels
from results.ranked.tables import Table
from results.reporting import compare_report
from results.verdicts.answers import read_answers
from results.verdicts.comparison import show_comparison
from results.verdicts.pairs import best_of, pairs
from search.files import layout
from search.files.rundir import Run
from search.files.store import Evaluation, RunStore
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


def answered(run: Path, predictions: np.ndarray, labels: np.ndarray, **data: object) -> Path:
    """The run, whose winner gave these answers on the test part."""
    with RunStore(run) as store:
        winner = store.meta("winner")
        store.put_meta(data={**store.meta("data"), **data})
    file = run / layout.evaluation_file(winner)
    np.savez(file, predictions=predictions, labels=labels)
    return run


def shares(right: int, rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Answers to rows of class 0, the first ones right."""
    hits = np.arange(rows) < right
    return np.stack([hits, ~hits], axis=1).astype(np.float32), np.zeros(rows, np.int32)


def test_runs_on_other_rows_are_not_compared(make_run: MakeRun) -> None:
    runs = [make_run("a"), make_run("b", seed=1)]
    table = results.compare(runs)
    assert {row["versus"] for row in table.rows} == {
        "a and b: were not measured on the same test rows: their scores say nothing about each other"
    }
    shown = printed(table)
    assert "32m" not in shown, "no score is the best for itself"
    assert shown.count("not measured on the same test rows") == 1
    alone = make_run("c", winner=False, evaluate=False)
    assert "the winner of c has not been measured" in str(results.compare([runs[0], alone]).rows[0]["versus"])


def test_winners_are_compared_row_by_row(make_run: MakeRun) -> None:
    runs = [answered(make_run(name), *shares(right)) for name, right in (("a", 300), ("b", 330), ("c", 301))]
    found = pairs([Run(run) for run in runs], ["a", "b", "c"])
    assert [(pair.better, pair.rows) for pair in found] == [("b", 400), (None, 400), ("b", 400)]
    assert found[0].ahead == pytest.approx(-0.075)
    assert found[0].interval is not None
    assert found[0].interval.low < -0.075 < found[0].interval.high < 0
    assert found[0].p == pytest.approx(2 * 0.5**30)
    assert str(found[0]).startswith(
        "b is better than a by 0.0750 in accuracy on 400 shared test rows (95 % interval 0.0"
    )
    assert str(found[1]).startswith("c and a cannot be told apart: a difference of 0.0025 in accuracy")
    assert best_of(found, ["a", "b", "c"]) == "b"
    assert best_of(found[1:2], ["a", "c"]) is None


def test_rows_with_weights_are_counted_alike_and_it_is_said(make_run: MakeRun) -> None:
    runs = []
    for name, right in (("a", 300), ("b", 330)):
        run = make_run(name)
        info = {**Run(run).read().meta("data")["info"], "weighted": True}
        runs.append(answered(run, *shares(right), info=info))
    [pair] = pairs([Run(run) for run in runs], ["a", "b"])
    assert (pair.better, pair.measure) == ("b", "accuracy (rows counted alike)")


def test_equal_answers_have_an_interval_with_a_width(make_run: MakeRun) -> None:
    runs = [answered(make_run(name), *shares(300)) for name in ("a", "b")]
    [pair] = pairs([Run(run) for run in runs], ["a", "b"])
    assert (pair.ahead, pair.p, pair.better) == (0.0, 1.0, None)
    assert pair.interval is not None
    assert pair.interval.low < 0 < pair.interval.high


def test_of_rows_with_several_labels_all_have_to_be_right(make_run: MakeRun) -> None:
    labels = np.zeros((400, 3), np.int32)
    labels[:, 1] = 1
    runs = []
    for name, right in (("a", 300), ("b", 200)):
        given = np.tile(np.float32([0.3, 0.9, 0.1]), (400, 1))
        # The most probable label is right everywhere, and one that is missing is not seen by it.
        given[right:, 2] = 0.6
        run = make_run(name)
        info = {**Run(run).read().meta("data")["info"], "labels": "multi-label"}
        runs.append(answered(run, given, labels, info=info))
    [pair] = pairs([Run(run) for run in runs], ["a", "b"])
    assert (pair.better, pair.measure, pair.ahead) == ("a", "subset accuracy", 0.25)


@pytest.mark.parametrize(
    ("predictions", "labels", "right"),
    [
        ([[0.9], [0.2], [0.6]], [1, 0, 1], 3),
        ([[0.1, 0.9], [0.8, 0.2], [0.4, 0.6]], [[0, 1], [0, 1], [0, 1]], 2),
        ([[0.1, 0.9], [0.8, 0.2], [0.4, 0.6]], [[1], [0], [1]], 3),
    ],
)
def test_forms_of_labels(make_run: MakeRun, predictions: list[list[float]], labels: list[object], right: int) -> None:
    run = make_run(baselines=())
    file = next((run / layout.EVALUATION).glob("winner-*.npz"))
    np.savez(file, predictions=np.array(predictions, np.float32), labels=np.array(labels, np.int32))
    with Run(run).read() as reader:
        found = read_answers(run, next(iter(reader.evaluations())), reader.meta("data")["info"])
    assert found is not None
    assert found.right.sum() == right


def test_damaged_answers_are_none(make_run: MakeRun) -> None:
    runs = [answered(make_run(name), *shares(300)) for name in ("a", "b")]
    next((runs[1] / layout.EVALUATION).glob("winner-*.npz")).write_bytes(b"PK torn")
    assert pairs([Run(run) for run in runs], ["a", "b"])[0].why_not == "the winner of b has answers that cannot be read"


@pytest.mark.parametrize(
    ("change", "readable"),
    [
        ({}, True),
        ({"labels": np.array([0, 10**12])}, False),
        ({"labels": np.array([0, -1])}, False),
        ({"labels": np.array([0, np.nan])}, False),
        ({"labels": np.array(["a", "b"])}, False),
        ({"predictions": np.zeros((2, 0))}, False),
        ({"predictions": np.full((2, 10), np.nan)}, False),
    ],
)
def test_answers_that_no_run_writes_are_none(change: dict[str, np.ndarray], readable: bool, tmp_path: Path) -> None:
    evaluation = Evaluation("0", "test", {}, 2, 1.0, "answers.npz", 1.0)
    answers = {"predictions": np.full((2, 10), 0.1), "labels": np.array([0, 9]), **change}
    examples = {"examples_index": np.zeros((1, 1)), "examples": np.array([["a"]])}
    np.savez(tmp_path / evaluation.file, **answers, **examples)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = read_answers(tmp_path, evaluation, {"outputs": 10})
    assert (found is not None) == readable
    assert found is None or len(found.index) == len(found.examples) == 0


def test_a_name_that_steers_a_terminal_does_not_reach_a_table(tmp_path: Path) -> None:
    runs = [Run(tmp_path / name) for name in ("a\x1b[2Jb\x9b", "caf\udce9")]
    assert run_labels(runs) == ["a\ufffd[2Jb\ufffd", "caf\\udce9"]


SEVERAL = {"pieces": [{"name": n, "shape": [1], "dtype": "float32"} for n in ("digit", "mean")], "named": True}


def test_several_outputs_are_not_compared(make_run: MakeRun) -> None:
    runs = []
    for name in ("a", "b"):
        run = make_run(name)
        info = {**Run(run).read().meta("data")["info"], "targets": SEVERAL}
        runs.append(answered(run, np.zeros((100, 11), np.float32), np.zeros((100, 2), np.float32), info=info))
    table = results.compare(runs)
    assert table.rows[0]["versus"] == (
        "a and b: the winner of a has several outputs, which are not compared row by row, "
        "and the winner of b has several outputs, which are not compared row by row"
    )


def test_regressions_are_compared_by_their_errors_in_pairs(make_run: MakeRun) -> None:
    rng = np.random.default_rng(0)
    labels = rng.normal(size=300).astype(np.float32)
    hard = np.abs(rng.normal(0, 2, 300))
    runs = [
        answered(make_run(name, task="regression"), (labels + hard + more)[:, None].astype(np.float32), labels)
        for name, more in (("a", 0.1 + rng.normal(0, 0.02, 300)), ("b", rng.normal(0, 0.02, 300)))
    ]
    [pair] = pairs([Run(run) for run in runs], ["a", "b"])
    # The errors of both differ from row to row by far more than from each other.
    assert (pair.better, pair.measure) == ("b", "absolute error")
    assert pair.ahead == pytest.approx(-0.1, abs=0.01)
    assert pair.interval is not None
    assert -0.11 < pair.interval.low < pair.interval.high < -0.09


def test_the_same_test_rows_are_known_though_validation_differs(make_run: MakeRun) -> None:
    runs = [answered(make_run(name), *shares(300), fingerprint=name * 64) for name in ("a", "b")]
    both = [Run(run) for run in runs]
    # `make_run` draws the same rows for the same seed.
    assert pairs(both, ["a", "b"])[0].rows == 400
    np.savez(runs[1] / layout.TEST_ROWS, x=np.zeros((64, 8, 8, 1), np.uint8), y=np.zeros(64))
    assert pairs(both, ["a", "b"])[0].why_not.startswith("were not measured on the same test rows")


def test_hours(make_run: MakeRun) -> None:
    started = 1_780_000_000.0
    sessions = [{"started": started, "ended": started + 3600}, {"started": started + 9000, "ended": started + 12600}]
    assert results.compare(make_run(meta={"sessions": sessions})).rows[0]["hours"] == pytest.approx(2.0)


def test_a_page_of_a_run_whose_best_was_taken_over_tells_what_it_reached_itself(
    make_run: MakeRun, tmp_path: Path
) -> None:
    first, forked = make_run("first"), make_run("forked", seed=1)
    trained = results.compare(forked).rows[0]["epochs"]
    with RunStore(forked) as store:
        best = max((t for t in store.trials(TrialKind.SEARCH)), key=lambda t: t.outcome.score)
        taken = replace(best, id="old-0", configuration="old-0", parent=None, kind=TrialKind.EVIDENCE)
        store.begin(taken)
        store.finish("old-0", replace(best.outcome, score=0.999), best.started)
    assert best.outcome is not None
    page = compare_report([first, forked], tmp_path / "page.html").read_text()
    assert f"forked reached {best.outcome.score:.4f}" in page
    assert results.compare(forked).rows[0]["epochs"] == results.status(forked)["epochs"] == trained
