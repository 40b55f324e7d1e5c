"""What the report says of two classes with a threshold, several labels or targets, weights, and cross-validation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from results.ranked.ranking import ranking
from results.reporting.chart import Cells, Chart, Line
from results.reporting.compose import compose
from results.reporting.document import Section, Table, Text
from results.reporting.facts import Facts, read_facts
from results.reporting.sections.headline import headline
from results.reporting.sections.measured.classes import classes
from results.reporting.sections.measured.labels import several_labels
from results.reporting.sections.measured.precision_recall import precision_recall
from results.reporting.sections.measured.residuals import residuals
from results.reporting.sections.searching.curves import curves, fitting
from results.reporting.sections.searching.history import best_so_far, ended_trials, epochs_spent
from results.verdicts.answers import Answers, read_answers
from search.files.rundir import open_run
from search.files.store import Evaluation, RunStore

MakeRun = Callable[..., Path]
RANDOM = np.random.default_rng(2)
THRESHOLD = {"value": 0.3, "class": "1", "measure": "f1", "score": 0.9, "plain": 0.6, "rows": 90, "models": 2}


def facts(run: Path) -> Facts:
    return read_facts(open_run(run), now=1_790_000_000.0)


def answers(predictions: Any, labels: Any) -> Answers:
    return Answers(np.asarray(predictions, float), np.asarray(labels), np.zeros(0, np.int64), np.zeros(0))


def told(known: Facts, **understood: Any) -> Facts:
    """The run, with what its data were understood as."""
    data = {**known.meta["data"], "understood": understood}
    return dataclasses.replace(known, meta={**known.meta, "data": data})


def informed(known: Facts, **info: Any) -> Facts:
    """The run, with rows of which this is known."""
    data = known.meta["data"]
    return dataclasses.replace(known, meta={**known.meta, "data": {**data, "info": {**data["info"], **info}}})


def weighted(known: Facts) -> Facts:
    """The run, with rows that have weights."""
    return informed(known, weighted=True)


def of_winner(known: Facts) -> tuple[Evaluation, Answers]:
    assert known.winner is not None
    evaluation = known.evaluations[known.winner.id]
    found = read_answers(known.directory, evaluation, known.info)
    assert found is not None
    return evaluation, found


def texts(section: Section) -> str:
    return " ".join([item.text for item in section.items if isinstance(item, Text)])


def test_two_classes_are_shown_at_the_threshold_too(make_run: MakeRun) -> None:
    run = make_run(class_names=("no", "yes"), meta={"threshold": THRESHOLD}, winner=True)
    known = facts(run)
    evaluation = next(iter(known.evaluations.values()))
    found = answers([[0.6, 0.4], [0.9, 0.1], [0.2, 0.8], [0.6, 0.4]], [1, 0, 1, 0])
    section = classes(known, evaluation, found)
    text = next(i.text for i in section.items if isinstance(i, Text) and "validation rows" in i.text)
    assert "from a probability of 0.3" in text
    table = next(i for i in section.items if isinstance(i, Table) and i.columns[0] == "threshold")
    assert [(row[0], row[4]) for row in table.rows] == [("0.5", "1"), ("0.3000", "3")]
    assert [row[3] for row in table.rows] == ["0.5000", "1.0000"]


def test_of_very_many_classes_those_that_are_confused_are_in_the_matrix(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("results.reporting.sections.measured.classes._MOST_CONFUSED", 20)
    known = facts(make_run(winner=True))
    found = answers(np.eye(30)[[*range(3), 28, *range(4, 30)]], np.arange(30))
    section = classes(known, next(iter(known.evaluations.values())), found)
    chart = next(item for item in section.items if isinstance(item, Chart) and item.key == "confusion")
    (cells,) = chart.views[0].panels[0].marks
    assert isinstance(cells, Cells)
    assert [*cells.rows] == [*map(str, range(19)), "28"]
    assert (cells.shares[3][19], cells.shares[19][19], cells.shares[4][4]) == (1, 1, 1)
    assert chart.caption.startswith("29 of 30 test rows")
    assert chart.caption.endswith("Of 30 classes the 20 that are confused most are shown.")


def test_precision_against_recall_of_the_second_of_two_classes_or_of_each_of_many() -> None:
    labels = RANDOM.integers(0, 2, 50)
    probabilities = np.clip(0.3 + 0.4 * labels + RANDOM.normal(size=50) * 0.2, 0, 1)
    both = np.stack([1 - probabilities, probabilities], axis=1)
    (two,) = precision_recall(["no", "yes"], both, labels[:, None] == range(2))
    assert isinstance(two, Chart)
    (line,) = two.views[0].panels[0].marks
    assert isinstance(line, Line)
    assert (min(line.x), max(line.x)) == (0.0, 1.0)
    many = RANDOM.integers(0, 12, 200)
    (chart,) = precision_recall([str(k) for k in range(12)], RANDOM.random((200, 12)), many[:, None] == range(12))
    assert isinstance(chart, Chart)
    assert len(chart.views[0].panels[0].marks) == 8
    assert "smallest areas" in chart.caption
    assert precision_recall(["a", "b"], both, np.zeros((50, 2), bool)) == []


def test_rows_with_several_labels_have_a_table_by_label(make_run: MakeRun) -> None:
    run = make_run(winner=True)
    known = facts(run)
    info = {**known.info, "labels": "multi-label", "outputs": 3, "class_names": ["red", "round", "old"]}
    several = dataclasses.replace(known, meta={**known.meta, "data": {**known.meta["data"], "info": info}})
    evaluation = next(iter(known.evaluations.values()))
    found = answers([[0.9, 0.1, 0.8], [0.2, 0.9, 0.1], [0.7, 0.2, 0.3]], [[1, 0, 1], [0, 1, 1], [1, 0, 0]])
    assert found.right.tolist() == [True, False, True]
    section = several_labels(several, evaluation, found)
    assert "67 %" in next(i.text for i in section.items if isinstance(i, Text))
    table = next(i for i in section.items if isinstance(i, Table))
    assert [row[0] for row in table.rows] == ["red", "round", "old", "mean of the labels"]
    assert table.rows[2][1:3] == ("1.0000", "0.5000")


def test_answers_of_several_labels_are_read_as_they_are(make_run: MakeRun) -> None:
    run = make_run(winner=True)
    known = facts(run)
    info = {**known.info, "labels": "multi-label"}
    evaluation = next(iter(known.evaluations.values()))
    y = (RANDOM.random((6, 10)) < 0.3).astype(np.float32)
    np.savez(run / evaluation.file, predictions=RANDOM.random((6, 10)), labels=y)
    found = read_answers(run, evaluation, info)
    assert found is not None
    np.testing.assert_array_equal(found.labels, y)


def test_folds_stand_in_table_and_report(make_run: MakeRun) -> None:
    run = make_run(promotions=False, configurations=2, epochs=3, winner=True)
    with RunStore(run) as store:
        data = store.meta("data")
        store.put_meta(data={**data, "understood": {"folds": "3 folds of 96 rows, of each class in proportion"}})
    known = facts(run)
    assert known.unit == "fold"
    assert any("3 folds of 96 rows" in notice.text for notice in compose(known, open_run(run)).notices)
    assert "folds" not in ranking(run).columns, "no epoch of this run is a fold"


def test_folds_give_no_hint_at_longer_training(make_run: MakeRun) -> None:
    known = told(facts(make_run(promotions=False, configurations=2, epochs=3, baselines=())), folds="3 folds")
    section = fitting(known)
    assert section is not None
    shown = [item.caption for item in (*section.items, *curves(known).items) if isinstance(item, Chart)]
    assert shown[0].startswith("As the mean over 3 folds, the winner has accuracy ")
    assert "longer training" not in shown[0]
    assert shown[1] == "The best 2 configurations ran for 3 folds."
    short = curves(facts(make_run("short", promotions=False, configurations=2, epochs=1, baselines=()))).items[0]
    assert getattr(short, "caption", "").startswith("The best 2 configurations ran for 1 epoch.")


def test_a_lucky_first_fold_is_not_the_best_so_far(make_run: MakeRun) -> None:
    known = told(facts(make_run()), folds="9 folds")
    went_on = {trial.parent for trial in known.trials}
    lucky = tuple(
        dataclasses.replace(trial, outcome=dataclasses.replace(trial.outcome, score=0.999))
        if trial.id in went_on and trial.outcome
        else trial
        for trial in known.trials
    )
    known = dataclasses.replace(known, trials=lucky)
    ended = ended_trials(known)
    assert best_so_far(known, ended, epochs_spent(ended))[1][-1] == known.searched[0].score


ROOMS_AND_PRICES = answers([[2.0, 210_000.0], [5.0, 390_000.0]], [[2.0, 200_000.0], [4.0, 400_000.0]])
HOUSES = [{"name": "size", "role": "input"}, {"name": "rooms", "role": "target"}, {"name": "price", "role": "target"}]
OF_BOTH = {"what": "the mean", "scores": {"test": {"mae": 50_000.0, "mse": 5e9, "rmse": 70_711.0, "r2": 0.0}}}


def test_each_target_has_its_name_and_the_errors_of_its_own_mean(make_run: MakeRun) -> None:
    known = facts(make_run(task="regression"))
    evaluation, _ = of_winner(known)
    guess = {**OF_BOTH, "values": [3.0, 300_000.0]}
    section = residuals(told(known, columns=HOUSES, guess=guess), evaluation, ROOMS_AND_PRICES)
    chart = next(item for item in section.items if isinstance(item, Chart))
    assert "half of the predictions of rooms are within 0.5000" in chart.caption
    assert chart.caption.endswith(
        "The mean absolute error is 0.5000, the root of the mean square 0.7071; predicting the mean for every row has "
        "1.0000 and 1.0000."
    )
    table = next(item for item in section.items if isinstance(item, Table))
    assert table.columns[4:] == ("R²", "mean absolute error of the mean", "root mean square of the mean")
    assert list(table.rows) == [
        ("rooms", "0.5000", "0.7071", "0.5000", "0.5000", "1.0000", "1.0000"),
        ("price", "10000", "10000", "0.0000", "0.9900", "100000", "100000"),
    ]


def test_several_outputs_have_the_names_of_their_targets(make_run: MakeRun) -> None:
    known = facts(make_run(task="regression"))
    pieces = [{"name": name, "shape": [], "dtype": "float32"} for name in ("rooms", "price")]
    for named, names in ((True, ["rooms", "price"]), (False, ["target 0", "target 1"])):
        several = informed(told(known), targets={"pieces": pieces, "named": named})
        section = residuals(several, of_winner(known)[0], ROOMS_AND_PRICES)
        table = next(item for item in section.items if isinstance(item, Table))
        assert [row[0] for row in table.rows] == names


def test_what_an_earlier_version_averaged_over_targets_stands_beside_none_of_them(make_run: MakeRun) -> None:
    known = facts(make_run(task="regression"))
    evaluation, single = of_winner(known)
    earlier = told(known, guess=OF_BOTH)
    section = residuals(earlier, evaluation, ROOMS_AND_PRICES)
    assert "predicting the mean" not in str(section)
    table = next(item for item in section.items if isinstance(item, Table))
    assert [row[0] for row in table.rows] == ["target 0", "target 1"]
    assert "predicting the mean for every row has 50000 and 70711" in str(residuals(earlier, evaluation, single))
    assert "predicting the mean" not in str(residuals(weighted(earlier), evaluation, single))


def test_a_score_that_weighs_rows_has_no_interval_of_rows_that_count_alike(make_run: MakeRun) -> None:
    for task in ("classification", "regression"):
        known = facts(make_run(task, task=task))
        assert headline(known).interval
        assert headline(weighted(known)).interval == ""


def test_a_loss_with_a_penalty_has_no_interval_of_the_rows_alone(make_run: MakeRun) -> None:
    known = facts(make_run(task="regression"))
    evaluation, _ = of_winner(known)
    penalty = dataclasses.replace(evaluation, metrics={"loss": evaluation.metrics["loss"] + 0.5})
    found = headline(dataclasses.replace(known, evaluations={**known.evaluations, evaluation.trial: penalty}))
    assert found.number == f"{penalty.metrics['loss']:.4f}"
    assert found.interval == ""


def test_an_accuracy_that_counts_rows_otherwise_has_no_interval_of_those_that_are_right(make_run: MakeRun) -> None:
    known = facts(make_run())
    evaluation, _ = of_winner(known)
    of_logits = dataclasses.replace(evaluation, metrics={"accuracy": evaluation.metrics["accuracy"] - 0.1})
    found = headline(dataclasses.replace(known, evaluations={**known.evaluations, evaluation.trial: of_logits}))
    assert found.number == f"{of_logits.metrics['accuracy']:.4f}"
    assert found.interval == ""


def test_a_few_rows_that_are_far_off_make_no_verdict_against_most_rows(make_run: MakeRun) -> None:
    run = make_run(task="regression")
    known = facts(run)
    _, found = of_winner(known)
    # Closer on all rows but one, on which it is so far off that its mean error is larger.
    closer = found.labels + 0.5 * found.errors
    closer[0] += 1000.0
    baseline = known.evaluations[known.baselines[0].id]
    np.savez(run / baseline.file, predictions=closer, labels=found.labels[:, 0])
    worse = dataclasses.replace(baseline, metrics={"loss": 5000.0})
    told = headline(dataclasses.replace(known, evaluations={**known.evaluations, baseline.trial: worse})).versus[0]
    assert told.difference.startswith("+")
    assert told.verdict.startswith("most rows say otherwise: closer on 1 rows against 199")


def test_the_mean_over_the_classes_counts_one_that_no_row_is_of(make_run: MakeRun) -> None:
    known = facts(make_run(class_names=("a", "b", "c")))
    evaluation, _ = of_winner(known)
    section = classes(known, evaluation, answers([[1, 0, 0], [0, 1, 0], [0, 0, 1]], [0, 1, 1]))
    table = next(item for item in section.items if isinstance(item, Table))
    assert table.rows[-1] == ("mean of the classes", "0.6667", "0.5000", "0.5556", "3")


def test_classes_that_are_all_recognised_alike_are_not_one_class(make_run: MakeRun) -> None:
    known = facts(make_run(class_names=("a", "b", "c")))
    evaluation, _ = of_winner(known)
    two = texts(classes(known, evaluation, answers([[1, 0, 0], [0, 1, 0], [0, 1, 0]], [0, 1, 1])))
    assert two == "The 2 classes among these rows are recognised alike (F1 1.0000)."
    one = texts(classes(known, evaluation, answers([[0, 1, 0], [0, 1, 0]], [1, 1])))
    assert one == "Only b occurs among these rows (F1 1.0000)."


def test_a_score_that_weighs_rows_makes_no_verdict_against_most_rows(make_run: MakeRun) -> None:
    run = make_run()
    known = facts(run)
    assert known.winner is not None
    winner, baseline = known.evaluations[known.winner.id], known.evaluations[known.baselines[0].id]
    labels = np.arange(200) % 10
    shown = np.where(np.arange(200) < 12, (labels + 1) % 10, labels)
    for evaluation, given in ((winner, labels), (baseline, shown)):
        np.savez(run / evaluation.file, predictions=np.eye(10)[given], labels=labels)
    scores = {winner.trial: 0.5, baseline.trial: 0.9}
    heavy = {name: dataclasses.replace(known.evaluations[name], metrics={"accuracy": s}) for name, s in scores.items()}
    told = headline(weighted(dataclasses.replace(known, evaluations=heavy))).versus[0]
    assert told.difference.startswith("−")
    assert told.verdict.startswith("most rows say otherwise: alone right on 12 rows against 0")


def test_what_counts_rows_by_their_weights_is_said(make_run: MakeRun) -> None:
    run = make_run()
    guess = {"what": "the commonest class (3)", "scores": {"test": {"accuracy": 0.25}}}
    known = told(facts(run), guess=guess)
    evaluation, found = of_winner(known)
    plain, by_weight = (texts(classes(one, evaluation, found)) for one in (known, weighted(known)))
    sentence = "Always answering the commonest class (3) would be right in 25 % of these rows"
    assert f"{sentence}." in plain
    assert f"{sentence}, by their weights." in by_weight
    assert ("count all rows alike" in plain, "count all rows alike" in by_weight) == (False, True)
    numbers = weighted(facts(make_run("numbers", task="regression")))
    assert "count all rows alike" in texts(residuals(numbers, *of_winner(numbers)))


def reference_of(known: Facts, **scores: Any) -> Any:
    meta = {**known.meta, "reference": {"name": "gradient boosting", "scores": {"validation": scores}}}
    return dict(headline(dataclasses.replace(known, meta=meta, winner=None)).facts).get("reference")


def test_another_method_is_told_in_a_measure_by_name_where_it_has_not_that_of_the_run(make_run: MakeRun) -> None:
    known = facts(make_run())
    assert reference_of(known, accuracy=0.8) == "gradient boosting 0.8000 on the validation rows"
    own = dataclasses.replace(known, objective="val_cost")
    assert reference_of(own, accuracy=0.8) == "gradient boosting accuracy 0.8000 on the validation rows"
    assert reference_of(own, mae=2.0, r2=0.87) == "gradient boosting R² 0.8700 on the validation rows"
    assert reference_of(own) is None


def test_another_method_is_measured_on_the_first_fold_only(make_run: MakeRun) -> None:
    known = told(facts(make_run()), folds="3 folds of 96 rows")
    assert reference_of(known, accuracy=0.8) == "gradient boosting 0.8000 on the first fold"
