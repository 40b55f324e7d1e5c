"""The winner against the baselines on the test rows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from results.errors import ResultError
from results.verdicts.significance import measured
from search.files import layout

MakeRun = Callable[..., Path]


def test_winner_first_with_interval_and_paired_test(make_run: MakeRun) -> None:
    winner, baseline = measured(make_run())
    assert (winner.winner, winner.p, winner.ahead) == (True, None, None)
    assert winner.right == round(winner.value * 200)
    assert winner.interval.low < winner.value < winner.interval.high
    assert baseline.name == "linear"
    assert baseline.ahead == pytest.approx(winner.value - baseline.value)
    assert 0 < baseline.p < 0.01


def test_identical_predictions_are_not_different(make_run: MakeRun) -> None:
    run = make_run()
    winner = next((run / layout.EVALUATION).glob("winner-*.npz"))
    (run / layout.evaluation_file("baseline-linear")).write_bytes(winner.read_bytes())
    _, baseline = measured(run)
    assert (baseline.ahead, baseline.p) == (0.0, 1.0)


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
    assert measured(run)[0].right == right


def test_regression_has_no_accuracy(make_run: MakeRun) -> None:
    found = measured(make_run(task="regression"))
    assert [m.metric for m in found] == ["loss", "loss"]
    assert all(m.interval is None and m.p is None and m.value is not None for m in found)


def test_no_test_part_no_answer(make_run: MakeRun) -> None:
    assert measured(make_run(test_part="validation")) == []
    assert measured(make_run("b", evaluate=False)) == []


def test_damaged_predictions(make_run: MakeRun) -> None:
    run = make_run()
    (run / layout.evaluation_file("baseline-linear")).write_bytes(b"PK torn")
    with pytest.raises(ResultError, match=r"baseline-linear\.npz: predictions cannot be read"):
        measured(run)
