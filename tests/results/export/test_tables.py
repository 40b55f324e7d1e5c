"""A table with gaps, words, dates and prices: searched, exported in every kind of format, and predicted from files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import results
import search
import spaces
from results.errors import ResultError
from results.exporting.card import model_card

FORMATS = ("keras", "savedmodel", "onnx", "tflite")


def rows(count: int, seed: int) -> list[tuple[str, str, str, int]]:
    generator = np.random.default_rng(seed)
    made = []
    for index in range(count):
        size, town = float(generator.uniform(20, 120)), "ABC"[index % 3]
        price = round(3000 * size + 50_000 * (index % 3))
        made.append(
            ("?" if index % 10 == 0 else f"{size:.1f}".replace(".", ","), town, f"1.{index % 9 + 1}.2020", price)
        )
    return made


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tensorflow: Any) -> Path:
    folder = tmp_path_factory.mktemp("tables")
    lines = [
        f"{index};{size};{town};{sold};{f'{price:,}'.replace(',', '.')} €"
        for index, (size, town, sold, price) in enumerate(rows(240, 0))
    ]
    (folder / "houses.csv").write_text("id;size;town;sold;price\n" + "\n".join(lines) + "\n", encoding="utf-16")
    spec = spaces.load({
        "name": "houses",
        "data": {"source": {"csv": str(folder / "houses.csv")}, "columns": {"id": "drop"}},
        "model": {"family": "mlp", "layers": 1, "units": 16, "block": "residual", "embedding": 2},
        "training": {"epochs": 30, "loss": "mse", "learning_rate": 0.02, "metrics": ["mae", "r2_score"]},
        "search": {"algorithm": "random", "max_trials": 1, "objective": "val_mae"},
        "final": {"candidates": 1, "seeds": 0},
        "export": {"formats": list(FORMATS)},
    })  # fmt: skip
    return search.run(spec, run_dir=folder / "run", workers=0).directory


@pytest.fixture(scope="module")
def exported(run: Path) -> Path:
    found = results.export(run)
    assert [(file.format, file.failure) for file in found.files] == [(name, None) for name in FORMATS]
    return found.directory


def test_scores_are_in_the_unit_of_the_price(run: Path) -> None:
    with search.open_run(run).read() as reader:
        data, (evaluation,) = reader.meta("data"), reader.evaluations()
        reference = reader.meta("reference")
    guess = data["understood"]["guess"]["scores"]["test"]
    assert guess["mae"] > 50_000
    assert 1000 < evaluation.metrics["mae"] < guess["mae"] / 2
    assert evaluation.metrics["r2_score"] > 0.5
    assert reference["scores"]["test"]["mae"] < guess["mae"]


@pytest.mark.parametrize("file", ["model.keras", "savedmodel", "model.onnx", "model.tflite"])
def test_every_format_predicts_prices_from_a_file_with_gaps_and_unknown_words(
    exported: Path, tmp_path: Path, file: str
) -> None:
    known = rows(30, 1)
    lines = [f"{town},{size.replace(',', '.')},2020-0{sold[2]}-01" for size, town, sold, _ in known]
    (tmp_path / "new.csv").write_text("\n".join(["town,size,sold", *lines, "Z,80,2020-01-01", ",,"]) + "\n")
    values = np.array([prediction.values[0] for prediction in results.predict(exported / file, [tmp_path / "new.csv"])])
    assert len(values) == 32
    whole = [index for index, (size, *_) in enumerate(known) if size != "?"]
    errors = values[whole] - [known[index][3] for index in whole]
    assert np.abs(errors).mean() < 60_000
    assert np.isfinite(values).all()


def test_what_a_program_holds_is_predicted_as_a_file_is(run: Path, exported: Path, tmp_path: Path) -> None:
    import pandas as pd

    frame = pd.DataFrame(
        {
            "town": ["A", "Z", None],
            "size": [80.5, np.nan, 30],
            "sold": pd.to_datetime(["2020-01-03", None, "2020-04-01"]),
        }
    )
    frame.to_csv(tmp_path / "new.csv", index=False)
    told = [prediction.values for prediction in results.predict(exported, [tmp_path / "new.csv"])]
    for model in (exported, search.open_run(run)):
        held = results.predict(model, frame)
        np.testing.assert_allclose([one.values for one in held], told, rtol=1e-5)
        assert [(one.file, one.row) for one in held] == [("rows", 0), ("rows", 1), ("rows", 2)]
    encoded = np.stack([one.input for one in results.predict(exported, frame)])
    np.testing.assert_allclose([one.values for one in results.predict(exported, encoded)], told, rtol=1e-5)
    with pytest.raises(ResultError, match="rows: has no column 'town', which the model needs"):
        results.predict(exported, frame[["size", "sold"]])
    with pytest.raises(ResultError, match=r"rows: has shape \(4, 3\), the model takes rows of shape"):
        results.predict(exported, np.zeros((4, 3)))


def test_metadata_and_card_say_how_a_row_is_made(exported: Path) -> None:
    described = json.loads((exported / "metadata.json").read_text())
    assert [(c["name"], c["kind"]) for c in described["input"]["table"]] == [
        ("size", "number"), ("town", "category"), ("sold", "date"),
    ]  # fmt: skip
    assert described["input"]["table"][0]["form"] == ","
    card = model_card(described)
    for line in (
        "| 0 to 1 | size | number | standardized; missing: the median",
        "| 2 to 4 | town | category | in this order: town = A, town = B, town = C |",
        "| 5 to 9 | sold | date | days since 1970, year, month, day, weekday",
        "- Target: price, ",
        "- Columns left out: id (as asked).",
        "- Without a model: the mean scores mae ",
    ):
        assert line in card, line


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda table: table[0].update(kind="formula"), "unknown kind of column 'formula'"),
        (lambda table: table[0].update(fill="x"), "impossible description of column 'size'"),
        (lambda table: table[2].update(form="%Q"), "unknown format of dates '%Q'"),
        (lambda table: table[1].update(values=["A"]), "8 inputs of columns for rows of"),
        (lambda table: table[0].update(name="sice"), "the columns are not those of the table"),
    ],
)
def test_a_damaged_description_of_columns_is_named(
    exported: Path, tmp_path: Path, damage: Callable[[Any], Any], message: str
) -> None:
    described = json.loads((exported / "metadata.json").read_text())
    damage(described["input"]["table"])
    (tmp_path / "metadata.json").write_text(json.dumps(described))
    (tmp_path / "model.onnx").write_bytes((exported / "model.onnx").read_bytes())
    with pytest.raises(results.ResultError, match=message):
        results.predict(tmp_path, [tmp_path / "new.csv"])
