"""The ranked table as records, and as a DataFrame."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import pytest

import results
from results.errors import ResultError
from results.ranked.measured import test_scores as scores_on_test
from results.ranked.ranking import (
    FAILURE,
    MEASURED,
    REASON,
    RECORDED,
    column_names,
    finite,
    hyperparameter_order,
    ranking,
)
from search.errors import RunError
from search.files.rundir import Run
from search.files.store import Evaluation, RunStore
from search.record.trial import Trial, TrialKind, TrialState

MakeRun = Callable[..., Path]


def test_one_row_per_configuration_best_first_failed_last(make_run: MakeRun) -> None:
    table = ranking(make_run(failures=["nan", "oversized"]))
    assert table.columns[: len(RECORDED)] == RECORDED
    assert table.columns[len(RECORDED) :][: len(MEASURED)] == MEASURED
    assert all(tuple(row) == table.columns for row in table.rows)
    # Nine searched ones, one baseline, two failures; promotions and retraining add no rows.
    assert len(table.rows) == 12
    names = [row["name"] for row in table.rows]
    assert len(set(names)) == 12
    scores = [row["score"] for row in table.rows[:10]]
    assert scores == sorted(scores, reverse=True)
    assert [row["rank"] for row in table.rows] == [*range(1, 11), None, None]
    assert [row["failure"] for row in table.rows[10:]] == ["nan", "oversized"]
    assert all(row["message"] and row["status"] == "failed" and row["score"] is None for row in table.rows[10:])
    assert [row["name"] for row in table.rows if row["kind"] == "baseline"] == ["linear"]


def test_a_promoted_configuration_shows_all_its_epochs_and_time(make_run: MakeRun) -> None:
    best = results.rows(make_run())[0]
    assert (best["epochs"], best["best_epoch"]) == (9, 9)
    # Three trials of 0.8 s and nine epochs of 0.5 s.
    assert best["seconds"] == pytest.approx(3 * 0.8 + 9 * 0.5)


def test_measured_scores_stand_apart_from_the_one_that_chose(make_run: MakeRun) -> None:
    run = make_run(candidates=2, seeds=3)
    rows = results.rows(run)
    assert [row["retrained"] is not None for row in rows[:4]] == [True, True, False, False]
    assert rows[0]["retrained"] != rows[0]["score"]
    assert (rows[0]["seeds"], rows[0]["verdict"]) == (3, "winner")
    tested = {row["name"] for row in rows if row["test"] is not None}
    assert tested == {rows[0]["name"], "linear"}


def test_rows_that_chose_are_no_test(make_run: MakeRun) -> None:
    assert all(row["test"] is None for row in results.rows(make_run(test_part="validation")))


def test_hyperparameters_follow_the_space_and_inactive_ones_are_empty(make_run: MakeRun) -> None:
    table = ranking(make_run(configurations=20))
    assert table.hyperparameters == (
        "layers", "units_0", "units_1", "units_2", "dropout", "optimizer", "learning_rate", "momentum",
    )  # fmt: skip
    for row in table.rows:
        assert (row["momentum"] is not None) == (row["optimizer"] == "sgd")
        assert (row["units_2"] is not None) == (row["layers"] == 3)


def test_the_search_speaks_for_the_order_of_columns(make_run: MakeRun) -> None:
    odd = {"learning_rate": 0.1, "nesterov": True, "layers": 1}
    table = ranking(make_run(baselines={"odd": odd}, score=lambda values: 0.5))
    assert table.rows[0]["name"] == "odd"
    names = table.hyperparameters
    assert names.index("layers") < names.index("optimizer") < names.index("learning_rate")
    assert "nesterov" in names


def test_a_baseline_that_won_shows_the_test_of_the_final_model() -> None:
    def trial(name: str, kind: TrialKind) -> Trial:
        return Trial(name, "b", kind, "b", {}, {}, 0, 0, 1, None, TrialState.COMPLETED, None, 0.0, 1.0)

    def evaluation(name: str, accuracy: float, at: float) -> Evaluation:
        return Evaluation(name, "test", {"accuracy": accuracy}, 10, 1.0, "", at)

    trials = [trial("b", TrialKind.BASELINE), trial("winner-b", TrialKind.WINNER)]
    found = [evaluation("winner-b", 0.9, 1.0), evaluation("b", 0.8, 2.0)]
    assert scores_on_test(trials, found, "val_accuracy") == {"b": 0.9}
    assert scores_on_test(trials, found[::-1], "val_accuracy") == {"b": 0.9}
    assert scores_on_test(trials, found, "val_auc") == {}


def test_minimised_objective(make_run: MakeRun) -> None:
    scores = [row["score"] for row in results.rows(make_run(task="regression"))]
    assert scores == sorted(scores)


def test_unfinished_run(make_run: MakeRun) -> None:
    last = results.rows(make_run(running=True))[-1]
    assert (last["status"], last["rank"], last["score"], last["stopped"]) == ("running", None, None, None)


def test_a_configuration_in_promotion_is_running_again(make_run: MakeRun) -> None:
    run = make_run(running=True)
    with RunStore(run) as store:
        parent = next(t for t in store.trials(TrialKind.SEARCH) if t.parent is None)
        store.begin(dataclasses.replace(parent, id="9001", parent=parent.id, state=TrialState.RUNNING, outcome=None))
    row = next(row for row in results.rows(run) if row["name"] == parent.id)
    assert (row["status"], row["stopped"]) == ("running", None)
    assert row["score"] is not None


def test_several_runs_are_ranked_together(make_run: MakeRun) -> None:
    runs = [make_run("a"), make_run("b", seed=1)]
    table = ranking(runs)
    assert table.columns[0] == "run"
    assert {row["run"] for row in table.rows} == {"a", "b"}
    assert len(table.rows) == 20
    scores = [row["score"] for row in table.rows]
    assert scores == sorted(scores, reverse=True)
    assert [row["rank"] for row in table.rows] == list(range(1, 21))


def test_runs_of_the_same_name_show_their_paths(make_run: MakeRun) -> None:
    runs = [make_run("x/night"), make_run("y/night")]
    assert {row["run"] for row in results.rows(runs)} == {str(run) for run in runs}


def test_different_objectives_are_refused(make_run: MakeRun) -> None:
    with pytest.raises(ResultError, match=r"a: val_accuracy \(max\); b: val_loss \(min\)"):
        ranking([make_run("a"), make_run("b", task="regression")])


def test_no_run(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run"):
        ranking(tmp_path)
    with pytest.raises(ResultError, match="no run is given"):
        ranking([])


def test_a_hyperparameter_named_like_a_column_gets_a_prefix(make_run: MakeRun) -> None:
    values = {"epochs": 4, "score": 7, "hp_score": 1}
    table = ranking(make_run(values=lambda i, rng: values, baselines=()))
    assert table.hyperparameters == ("hp_epochs", "hp_score", "hp_hp_score")
    assert (table.rows[0]["hp_score"], table.rows[0]["hp_hp_score"]) == (7, 1)
    assert column_names(["a", "b"], ["a"], "hp_") == {"a": "hp_a", "b": "b"}


def test_hyperparameter_order_puts_rare_ones_in_their_place() -> None:
    seen = [{"layers": 1, "units_0": 1, "dropout": 0}, {"layers": 2, "units_0": 1, "units_1": 1, "dropout": 0},
            {"family": 1, "layers": 1}]  # fmt: skip
    assert hyperparameter_order(seen) == ["family", "layers", "units_0", "units_1", "dropout"]


def test_rows_without_a_new_name_cost_little() -> None:
    compared = 0

    class Name(str):
        __slots__ = ()
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            nonlocal compared
            compared += 1
            return str.__eq__(self, other)

    names: list[str] = [Name(f"units_{i}") for i in range(100)]
    assert hyperparameter_order([dict.fromkeys(names, 1)] * 50) == names
    assert compared < 1000, "the place of each name was looked for in each row"


def test_cells_are_plain_and_finite(make_run: MakeRun) -> None:
    assert finite(float("nan")) is None
    assert finite(float("inf")) is None
    assert finite([1]) == "[1]"
    run = make_run(values=lambda i, rng: {"rate": 1e300, "note": "x"})
    json.dumps(results.rows(run), allow_nan=False)


def test_select(make_run: MakeRun) -> None:
    table = ranking(make_run(failures=["nan"]))
    deep = table.select(where="layers >= 2 and score > 0.7")
    assert deep.rows
    assert all(row["layers"] >= 2 and row["score"] > 0.7 for row in deep.rows)
    by_size = table.select(sort="-parameters", top=3)
    sizes = [row["parameters"] for row in by_size.rows]
    assert sizes == sorted((row["parameters"] for row in table.rows), reverse=True)[:3]
    # What has no value stays last in both directions.
    assert table.select(sort="momentum").rows[-1]["momentum"] is None
    assert table.select(sort="-momentum").rows[-1]["momentum"] is None
    picked = table.select(columns=["score", " name", "score"])
    assert picked.columns == ("score", "name")
    assert list(picked.shown(picked.rows[0])) == ["score", "name"]
    assert not picked.hyperparameters


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sort": "scor"}, "--sort: no column 'scor'; did you mean score"),
        ({"sort": "-nothing_like_it"}, "there are: rank"),
        ({"columns": ["naem"]}, "--columns: no column 'naem'; did you mean name"),
        ({"columns": " , "}, "--columns: names none"),
        ({"top": 0}, "--top: must be at least 1, got 0"),
        ({"where": "scor > 1"}, "--where: no column 'scor'; did you mean score"),
    ],
)
def test_mistaken_options(make_run: MakeRun, options: dict[str, object], message: str) -> None:
    with pytest.raises(ResultError, match=message):
        ranking(make_run(configurations=2)).select(**options)  # type: ignore[arg-type]


def test_columns_are_a_list_or_a_text_with_commas(make_run: MakeRun) -> None:
    table = ranking(make_run())
    for columns in (["score", "name"], "score,name", " score, name,,"):
        assert table.select(columns=columns).columns == ("score", "name")
    assert table.select(columns="score").columns == ("score",)
    assert list(results.table(make_run("other"), columns="name,score").columns) == ["name", "score"]


def test_one_name_stands_for_a_column_per_layer(make_run: MakeRun) -> None:
    table = ranking(make_run())
    layers = tuple(name for name in table.columns if name.startswith("units_"))
    assert len(layers) > 1
    assert table.select(columns="name,units").columns == ("name", *layers)
    assert table.select(columns="units_1,units").columns[0] == "units_1"


def test_a_run_that_is_named_twice_is_one(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    (tmp_path / "link").symlink_to(run)
    for twice in ([run, run], [run, tmp_path / "link"], [run, Run(run)]):
        assert ranking(twice) == ranking(run)
        assert len(results.compare(twice).rows) == 1


def test_sorting_a_column_with_numbers_and_text(make_run: MakeRun) -> None:
    table = ranking(make_run(values=lambda i, rng: {"kernel": "x" if i % 2 else i}, configurations=4, baselines=()))
    assert [row["kernel"] for row in table.select(sort="kernel").rows] == [0, 2, "x", "x"]


def test_epochs_are_one_row_each(make_run: MakeRun) -> None:
    run = make_run(configurations=3)
    table = results.epochs(run)
    assert table.columns == (
        "configuration", "name", "kind", "epoch", "seconds", "accuracy", "loss", "val_accuracy", "val_loss",
    )  # fmt: skip
    # Baseline 5; three of one epoch, one of them promoted to three and to nine.
    assert len(table.rows) == 5 + 3 + 2 + 6
    best = results.rows(run)[0]
    curve = [row for row in table.rows if row["configuration"] == best["name"]]
    assert [row["epoch"] for row in curve] == list(range(1, 10))
    assert max(row["val_accuracy"] for row in curve) == best["score"]


def test_epochs_that_were_taken_over_are_told_as_in_the_table(make_run: MakeRun) -> None:
    run = make_run(configurations=3)
    with RunStore(run) as store:
        taken = next(iter(store.trials(TrialKind.SEARCH)))
        old = dataclasses.replace(taken, id="old-0", configuration="old-0", kind=TrialKind.EVIDENCE)
        assert taken.outcome is not None
        store.begin(old)
        store.finish("old-0", taken.outcome, taken.started)
    told = {row["name"]: row["kind"] for row in results.epochs(run).rows}
    assert told == {row["name"]: row["kind"] for row in results.rows(run)}
    assert told["old-0"] == "evidence"


def test_dataframe(make_run: MakeRun) -> None:
    pd = pytest.importorskip("pandas")
    run = make_run(failures=["error"])
    frame = results.table(run, where="kind == 'search'", sort="-score", top=5, columns=["rank", "score", "units_2"])
    assert list(frame.columns) == ["rank", "score", "units_2"]
    assert frame["score"].is_monotonic_decreasing
    everything = results.table(run)
    assert everything["rank"].dtype == pd.Int64Dtype()
    assert everything["retrained"].dtype == "float64"
    assert everything["score"].isna().sum() == 1
    assert list(everything.columns) == [*RECORDED, *MEASURED, *FAILURE, *REASON, *ranking(run).hyperparameters]
    assert len(results.table(run, epochs=True)) == len(results.epochs(run).rows)
    assert list(results.table(run, where="score > 2").columns) == list(everything.columns)
    # What nobody has measured yet is compared like any other number.
    failed = results.table(run, where="failure == 'error'")
    assert [failed[name].dtype for name in ("score", "test", "seeds")] == ["float64", "float64", pd.Int64Dtype()]
    assert not (failed["retrained"] > 0.9).any()
