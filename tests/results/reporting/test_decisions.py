"""What the report says of two classes with a threshold, of rows with several labels, and of cross-validation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from results.ranked.ranking import ranking
from results.reporting.chart import Chart, Line
from results.reporting.compose import compose
from results.reporting.document import Table, Text
from results.reporting.facts import Facts, read_facts
from results.reporting.sections.classes import classes
from results.reporting.sections.labels import several_labels
from results.reporting.sections.precision_recall import precision_recall
from results.verdicts.answers import Answers, read_answers
from search.files.rundir import open_run
from search.files.store import RunStore

MakeRun = Callable[..., Path]
RANDOM = np.random.default_rng(2)
THRESHOLD = {"value": 0.3, "class": "1", "measure": "f1", "score": 0.9, "plain": 0.6, "rows": 90, "models": 2}


def facts(run: Path) -> Facts:
    return read_facts(open_run(run), now=1_790_000_000.0)


def answers(predictions: Any, labels: Any) -> Answers:
    return Answers(np.asarray(predictions, float), np.asarray(labels), np.zeros(0, np.int64), np.zeros(0))


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
