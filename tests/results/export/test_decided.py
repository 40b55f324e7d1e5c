"""From probabilities to answers: the threshold of two classes, rows with several labels."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from results import ResultError
from results.exporting.card import model_card
from results.exporting.metadata import ModelInfo, read_model_info
from results.predicting.grid import _title
from results.predicting.inputs import Rows
from results.predicting.predictions import Prediction, _predict
from results.predicting.show import show
from spaces import DataInfo

TWO = DataInfo("tabular", (1,), "float32", "classification", "integer", 2, ("no", "yes"))
TAGS = DataInfo("tabular", (1,), "float32", "classification", "multi-label", 3, ("red", "round", "old"))
THRESHOLD = {"value": 0.3, "class": "yes", "measure": "f1", "score": 0.8, "plain": 0.7, "rows": 90, "models": 2}


class Model:
    """Answers what it is told."""

    def __init__(self, *answers: list[float]) -> None:
        self.answers = np.array(answers, np.float32)

    def predict(self, values: Any) -> Any:
        return self.answers


def predicted(info: DataInfo, *answers: list[float], output: Any = "probabilities", **more: Any) -> list[Prediction]:
    rows = Rows("rows.csv", True, np.zeros((len(answers), 1)))
    known = ModelInfo(info, output, len(answers[0]), more.get("threshold"))
    return _predict(Model(*answers), Path("model.onnx"), [rows], info, known)  # type: ignore[arg-type]


@pytest.mark.parametrize("answers", [([0.75, 0.25], [0.65, 0.35]), ([0.25], [0.35])], ids=["two outputs", "one output"])
def test_of_two_classes_the_second_is_given_from_the_threshold_on(answers: Any) -> None:
    first, second = predicted(TWO, *answers, threshold=0.3)
    assert (first.label, first.confidence) == ("no", pytest.approx(0.75))
    assert (second.label, second.confidence) == ("yes", pytest.approx(0.35))
    assert [one.label for one in predicted(TWO, *answers)] == ["no", "no"]


def test_a_row_may_have_several_labels_or_none() -> None:
    several, none = predicted(TAGS, [0.9, 0.6, 0.2], [0.1, 0.4, 0.3])
    assert (several.labels, several.confidence) == (("red", "round"), pytest.approx(0.6))
    assert none.labels == ()
    assert several.to_json()["labels"] == ["red", "round"]
    assert none.to_json()["probabilities"]["round"] == pytest.approx(0.4)
    logits = predicted(TAGS, [2.0, 1.0, -1.0], output="logits")[0]
    assert logits.labels == ("red", "round")
    assert logits.probabilities["old"] == pytest.approx(1 / (1 + np.e))
    text = io.StringIO()
    show([several, none], Console(file=text, width=100))
    lines = text.getvalue().splitlines()
    assert "red, round" in lines[1]
    assert "none" in lines[2]
    assert [_title(one) for one in (several, none)] == ["red, round\n60.0%", "none\n60.0%"]


def metadata(info: DataInfo, threshold: Any) -> dict[str, Any]:
    output = {"kind": "probabilities", "units": info.outputs, "classes": list(info.class_names), "threshold": threshold}
    return {"format_version": 1, "input": info.to_json(), "output": output, "files": []}


def test_the_metadata_file_says_the_threshold(tmp_path: Path) -> None:
    file = tmp_path / "metadata.json"
    file.write_text(json.dumps(metadata(TWO, THRESHOLD)))
    assert read_model_info(file).threshold == 0.3
    file.write_text(json.dumps(metadata(TWO, None)))
    assert read_model_info(file).threshold is None


@pytest.mark.parametrize(("info", "value"), [(TWO, 2), (TWO, "0.3"), (TWO, True), (TAGS, 0.3)])
def test_an_impossible_threshold_is_refused(tmp_path: Path, info: DataInfo, value: Any) -> None:
    file = tmp_path / "metadata.json"
    file.write_text(json.dumps(metadata(info, {**THRESHOLD, "value": value})))
    with pytest.raises(ResultError, match="impossible threshold"):
        read_model_info(file)


@pytest.mark.parametrize(
    ("info", "threshold", "words"),
    [(TWO, THRESHOLD, "of class yes from a probability of 0.3 on"), (TAGS, None, "which of 3 labels a row has")],
)
def test_the_model_card_says_how_to_decide(info: DataInfo, threshold: Any, words: str) -> None:
    described = {
        **metadata(info, threshold),
        "run": {
            "name": "a", "baseline": None, "configuration": "1", "algorithm": "random", "seed": 1, "trials": 3,
            "role": "winner", "trained": "winner",
        },
        "model": {
            "family": "mlp", "parameters": 10, "tta": "none", "ensemble": None, "hyperparameters": {}, "epochs": 3,
        },
        "dtypes": ["int32"],
        "fixed": {"schedule": "cosine", "units": [8, 4]},
        "data": {"name": "rows", "rows": {}, "fingerprint": "0"},
        "preprocessing": [],
        "metrics": {
            "objective": {"name": "val_f1", "direction": "max"}, "retrained": None, "final": None,
            "search": {"score": 0.8, "folds": 5, "spread": 0.01},
        },
        "files": [
            {"file": "model.onnx", "format": "onnx", "bytes": 1, "sha256": "0", "verification": {"difference": 0.0}}
        ],
        "failed": [{"format": "h5", "reason": "left out for want of time"}],
        "verification": {"rows": 1, "source": "test rows"},
    }  # fmt: skip
    card = model_card(described)
    assert words in card
    assert ("The scores below are at 0.5." in card) is (threshold is not None)
    assert "That made it the best of many noisy scores" in card
    assert "| schedule | cosine |\n| units | 8, 4 |" in card
    assert "as the mean over 5 folds (standard deviation 0.0100)" in card
    described["metrics"]["retrained"] = {"mean": 2e-6, "spread": 3.14e-8, "seeds": 2}
    assert "That made it one of the best of many noisy scores" in model_card(described)
    assert "val_f1 2e-06 ± 3.1e-08 (standard deviation) over 2 fresh seeds" in model_card(described)
    described["metrics"] |= {"objective": {"name": "loss", "direction": "min"}, "search": {"score": 0.8}}
    assert "In the search: loss 0.8000 on the training rows." in model_card(described)
    assert "- h5 is not here: left out for want of time" in card
    assert 'rows.astype("int32")' in card
