"""What is learnt from training rows, and that new rows are encoded alike."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import spaces
from spaces.data.inputs import read_rows
from spaces.data.tables.columns import Column, Written
from spaces.data.tables.encoding import ColumnEncoding, encode, fit
from spaces.data.types import DataInfo

NAN = np.nan


def test_missing_numbers_are_the_median_of_training_and_are_marked() -> None:
    columns = [Column("size", "number", ".")]
    (encoding,) = fit(columns, np.array([[1.0], [NAN], [3.0], [11.0]]).T)
    assert (encoding.fill, encoding.inputs) == (3, ("size", "size is missing"))
    np.testing.assert_array_equal(encode([encoding], columns, np.array([[NAN], [5.0]])), [[3, 1], [5, 0]])


def test_without_missing_cells_in_training_there_is_no_mark_but_still_a_value() -> None:
    columns = [Column("size", "number", ".")]
    (encoding,) = fit(columns, np.array([[1.0], [3.0]]).T)
    np.testing.assert_array_equal(encode([encoding], columns, np.array([[NAN], [5.0]])), [[2], [5]])


def test_categories_are_those_of_training_and_unknown_ones_have_a_place() -> None:
    columns = [Column("town", "category", values=("A", "B", "C"))]
    (encoding,) = fit(columns, np.array([[0.0], [1.0], [NAN]]).T)
    assert encoding.inputs == ("town = A", "town = B", "town is missing")
    rows = encode([encoding], [Column("town", "category", values=("Z", "A"))], np.array([[0.0], [1.0], [NAN]]))
    np.testing.assert_array_equal(rows, [[0, 0, 0], [1, 0, 0], [0, 0, 1]])


def test_rare_categories_are_taken_together_with_unknown_ones() -> None:
    values = ("common", "often", "rare", "scarce")
    columns = [Column("town", "category", values=values)]
    rows = np.repeat([0.0, 1.0, 2.0, 3.0], [500, 485, 8, 7])[:, None]
    (encoding,) = fit(columns, rows.T)
    assert encoding.inputs == ("town = common", "town = often", "town is another")
    found = encode([encoding], [Column("town", "category", values=("new", "often"))], np.array([[0.0], [1.0], [NAN]]))
    np.testing.assert_array_equal(found, [[0, 0, 1], [0, 1, 0], [0, 0, 1]])


def test_dates_become_their_age_and_parts() -> None:
    columns = [Column("joined", "date", "ISO8601")]
    (encoding,) = fit(columns, np.array([[18321.5], [18321.5]]).T)
    assert [name.removeprefix("joined: ") for name in encoding.inputs] == [
        "days since 1970", "year", "month", "day", "weekday", "hour",
    ]  # fmt: skip
    assert encode([encoding], columns, np.array([[18321.5]])).tolist() == [[18321.5, 2020, 2, 29, 5, 12]]


def test_texts_become_their_words() -> None:
    columns = [Column("note", "text", values=("Late again", "late, and broken", "fine"))]
    (encoding,) = fit(columns, np.array([[0.0], [1.0], [2.0]]).T)
    assert encoding.inputs == ("note has late",)
    assert encode([encoding], columns, np.array([[0.0], [2.0]])).tolist() == [[1], [0]]


def test_texts_without_a_common_word_give_no_input() -> None:
    columns = [Column("note", "text", values=("one two", "three")), Column("a", "number", ".")]
    encodings = fit(columns, np.array([[0.0, 1.0], [5.0, 6.0]]))
    assert encodings[0].inputs == ()
    assert encode(encodings, columns, np.array([[0.0, 5.0], [1.0, 6.0], [NAN, 7.0]])).tolist() == [[5], [6], [7]]
    nothing = [Column("note", "text"), columns[1]]
    assert encode(encodings, nothing, np.array([[NAN, 5.0]])).tolist() == [[5]]


def test_the_description_survives_json() -> None:
    encodings = (
        ColumnEncoding("a", "category", values=("x",), other=True, missing=True),
        ColumnEncoding("b", "date", "ISO8601", fill=2.5, times=True),
        ColumnEncoding("c", "number", ",", sign="", guessed=True),
        ColumnEncoding("d", "number", ".", sign="$"),
    )
    names = tuple(encoding.name for encoding in encodings)
    info = DataInfo("tabular", (11,), "float32", "classification", "integer", 2, columns=names, table=encodings)
    assert DataInfo.from_json(json.loads(json.dumps(info.to_json()))) == info
    info = replace(info, written=Written(";", "cp1250"))
    assert DataInfo.from_json(json.loads(json.dumps(info.to_json()))) == info


@pytest.fixture
def people(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    lines = [
        f"{'' if i % 9 == 0 else i % 40},{'?' if i % 11 == 0 else 'ABCD'[i % 4]},2021-01-{i % 28 + 1:02},{i % 2}"
        for i in range(200)
    ]
    path.write_text("age,town,joined,y\n" + "\n".join(lines) + "\n")
    return path


def test_a_table_is_split_and_then_learnt_from_its_training_rows(
    people: Path, load: Callable[..., spaces.Dataset]
) -> None:
    data = load({"csv": str(people)}, test="none")
    assert data.info.columns == ("age", "town", "joined")
    assert data.info.categories == {"town": ("A", "B", "C", "D")}
    assert [column.missing for column in data.info.table] == [True, True, False]
    names = [name for column in data.info.table for name in column.inputs]
    assert data.train.x.shape == (160, len(names)) == (160, 12)
    seen = data.train.x[data.train.x[:, names.index("age is missing")] == 0, 0]
    assert data.info.table[0].fill == np.median(seen)
    assert data.info.mean is not None
    assert data.info.mean[names.index("town = A")] == 0
    assert data.info.mean[names.index("age")] == pytest.approx(data.train.x[:, 0].mean())


def test_new_rows_are_encoded_as_training_rows_were(people: Path, load: Callable[..., spaces.Dataset]) -> None:
    data = load({"csv": str(people)}, validation={"first": 40}, test="none")
    again = read_rows(people, data.info)
    np.testing.assert_array_equal(again[:40], data.validation.x)


def test_an_earlier_run_goes_on_with_the_encoding_it_began_with(people: Path) -> None:
    people.write_text("age,town,y\n" + "".join(f"{i},{'AB'[i % 2]},{i % 2}\n" for i in range(50)))
    spec = spaces.load({
        "name": "earlier", "data": {"source": {"csv": str(people)}},
        "model": {"family": "mlp", "layers": 0}, "training": {"epochs": 1},
    })  # fmt: skip
    now = spaces.load_data(spec)
    plain = now.info.to_json()
    del plain["table"]
    plain["categories"] = {"town": ["A", "B", "Z"]}
    then = spaces.load_data(spec, DataInfo.from_json(plain))
    assert then.train.x.shape[1] == 4
    np.testing.assert_array_equal(then.train.x[:, :3], now.train.x)
