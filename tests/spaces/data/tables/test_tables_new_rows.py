"""Files that a model predicts: their numbers and categories mean what they meant in training, or are refused."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import spaces
from spaces import DataInfo
from spaces.basics.errors import DataError
from spaces.data.inputs import held_rows, read_rows
from spaces.data.tables.rows import as_called, bare_rows, places

Load = Callable[..., spaces.Dataset]
GERMAN = ["a;b", *(f"{i},{i % 10};{i % 7}" for i in range(60))]
ENGLISH = ["a,b", *(f"{i}.{i % 10},{i % 7}" for i in range(60))]

GUESSED = ["a;b", *(f"{1 + i / 30:.3f};{i}" for i in range(60))]


def table(tmp_path: Path, lines: Sequence[str]) -> str:
    """A csv of these lines with a target behind them."""
    path = tmp_path / "table.csv"
    mark = max(";,\t", key=lines[0].count) if len(lines[0]) > 1 else ","
    labels = ["y", *("pq"[i % 2] for i in range(len(lines) - 1))]
    path.write_text("".join(f"{line}{mark}{label}\n" for line, label in zip(lines, labels, strict=True)))
    return str(path)


def trained(load: Load, tmp_path: Path, lines: Sequence[str], source: Any = None, **data: Any) -> spaces.DataInfo:
    """What is known of a table whose lines but the first are rows."""
    source = {"csv": table(tmp_path, lines), **(source or {})}
    info = load(source, validation=0.2, test="none", **data).info
    assert spaces.DataInfo.from_json(json.loads(json.dumps(info.to_json()))) == info
    return info


def predicted(tmp_path: Path, info: spaces.DataInfo, content: str) -> list[list[float]]:
    path = tmp_path / "new.csv"
    path.write_text(content)
    found: list[list[float]] = read_rows(path, info).tolist()
    return found


def space(tmp_path: Path, lines: Sequence[str], columns: Any, **source: Any) -> dict[str, Any]:
    """A space whose table has these lines."""
    return {
        "name": "table",
        "data": {
            "source": {"csv": table(tmp_path, lines), **source}, "columns": columns, "validation": 0.2, "test": "none",
        },
        "model": {"family": "mlp", "layers": 0}, "training": {"epochs": 1},
    }  # fmt: skip


def earlier(info: spaces.DataInfo) -> spaces.DataInfo:
    """As an earlier version noted it."""
    plain = json.loads(json.dumps(info.to_json()))
    for column in plain["table"]:
        column.pop("sign")
        column.pop("guessed", None)
    return spaces.DataInfo.from_json(plain)


@pytest.mark.parametrize(
    ("lines", "content", "expected"),
    [
        (GERMAN, "a,b\n1.133,2\n1.5,3\n", [1.133, 1.5]),
        (GERMAN, "a;b\n1.133;2\n1,5;3\n", [1133, 1.5]),
        (GERMAN, "a;b\n1.133;2\n1.5;3\n", [1.133, 1.5]),
        (GERMAN, 'a,b\n"1,133",2\n', [1.133]),
        (GERMAN, "a,b\n1.133,2.5\n", [1.133]),
        (ENGLISH, "a;b\n1,5;2\n", [1.5]),
        (ENGLISH, "a;b\n1,133;2\n2,5;3\n", [1.133, 2.5]),
        (ENGLISH, "a;b\n1,133;2,5\n", [1.133]),
        (ENGLISH, 'a,b\n"1,133",2\n', [1133]),
        (ENGLISH, "a\tb\n1.133\t2\n", [1.133]),
    ],
)
def test_a_column_has_one_decimal_sign_that_of_its_file(
    load: Load, tmp_path: Path, lines: list[str], content: str, expected: list[float]
) -> None:
    found = predicted(tmp_path, trained(load, tmp_path, lines), content)
    assert [row[0] for row in found] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("lines", "content", "message"),
    [
        (GERMAN, "a;b\n1,5;2\n1,7;2\n2.5;3\n", r"line 4, column 'a' holds '2\.5', but other numbers .* sign ','"),
        (ENGLISH, "a;b\n1.5;2\n1,5;2\n2.5;3\n", r"line 3, column 'a' holds '1,5', but other numbers .* sign '\.'"),
        (GERMAN, "a,b\n1.133,2\n2.250,3\n", r"line 2, column 'a' holds '1\.133', and no cell tells"),
        (ENGLISH, "a;b\n1,133;2\n", "line 2, column 'a' holds '1,133', and no cell tells"),
        (GUESSED, "a;b\n0.95;2\n", r"column 'a' has the decimal sign '\.' here, but training took ',' for it"),
        (GUESSED, "a;b\n0.95;2,5\n", r"column 'a' has the decimal sign '\.' here, but training took ',' for it"),
    ],
)
def test_a_new_file_whose_decimal_sign_is_unclear_is_refused(
    load: Load, tmp_path: Path, lines: list[str], content: str, message: str
) -> None:
    info = trained(load, tmp_path, lines)
    with pytest.raises(DataError, match=message):
        predicted(tmp_path, info, content)


def test_columns_of_two_decimal_signs_in_training_keep_theirs(load: Load, tmp_path: Path) -> None:
    info = trained(load, tmp_path, ["price;lat", *(f"{i},5;52.{1000 + i}" for i in range(60))])
    assert predicted(tmp_path, info, "price;lat\n12,5;52.123\n") == [[12.5, pytest.approx(52.123)]]


def test_a_column_that_was_lenient_loses_no_number_of_another_decimal_sign(load: Load, tmp_path: Path) -> None:
    lines = ["a,b", *(f"{'low' if i % 9 == 0 else i + 0.5},{i}" for i in range(60))]
    info = trained(load, tmp_path, lines, columns={"a": "number"})
    fill = info.encodings[0].fill
    assert predicted(tmp_path, info, "a;b\n1,5;2\nhigh;3\n") == [[1.5, 0, 2], [fill, 1, 3]]
    with pytest.raises(DataError, match="line 4, column 'a' holds '2,5', but other numbers"):
        predicted(tmp_path, info, "a;b\n1.5;2\nhigh;3\n2,5;3\n")


def test_a_column_that_was_lenient_loses_no_file_of_another_currency(load: Load, tmp_path: Path) -> None:
    lines = ["a,b", *(f"{'€7' if i % 9 == 0 else f'${i}'},{i}" for i in range(60))]
    info = trained(load, tmp_path, lines, columns={"a": "number"})
    assert predicted(tmp_path, info, "a,b\n€7,2\n$5,3\n")[1] == [5, 0, 3]
    with pytest.raises(DataError, match=r"line 2, column 'a' holds '€7', numbers in \$ are expected"):
        predicted(tmp_path, info, "a,b\n€7,2\n€8,3\n")


@pytest.mark.parametrize(
    ("form", "same", "other"),
    [
        ("${}K", ["$50K", "50"], ["€50K", "50%"]),
        ("{}", ["50", "$50"], ["50%", "5:30"]),
        ("{}%", ["50%", "50 %"], ["0.5", "$5", "5:30"]),
        ("{}:30", ["50:30"], ["50", "50%", "5:30:30"]),
    ],
)
def test_numbers_in_another_currency_or_without_the_percent_sign_are_refused(
    load: Load, tmp_path: Path, form: str, same: list[str], other: list[str]
) -> None:
    info = trained(load, tmp_path, ["a", *(form.format(i) for i in range(60))])
    for cell in same:
        assert predicted(tmp_path, info, f"a\n{cell}\n")[0][0] == pytest.approx(50.5 if "30" in form else 50)
    for cell in other:
        with pytest.raises(DataError, match=rf"line 2, column 'a' holds '{re.escape(cell)}', numbers .* are expected"):
            predicted(tmp_path, info, f"a\n{cell}\n")


def test_one_and_zero_are_no_booleans_among_percents(load: Load, tmp_path: Path) -> None:
    info = trained(load, tmp_path, ["a", *(f"{i}%" for i in range(60))])
    with pytest.raises(DataError, match="holds '1', numbers in % are expected"):
        predicted(tmp_path, info, "a\n1\n")


@pytest.mark.parametrize("written", ["{}", "{}.0"])
@pytest.mark.parametrize("new", ["{}", "{}.0"])
def test_whole_numbers_that_are_categories_have_two_spellings(
    load: Load, tmp_path: Path, written: str, new: str
) -> None:
    lines = ["a,k", *(f"{i},{written.format(i % 4)}" for i in range(60))]
    info = trained(load, tmp_path, lines, columns={"k": "category"})
    content = "a,k\n" + "".join(f"1,{new.format(i)}\n" for i in range(5))
    expected = [[1, *row] for row in [*np.eye(4).tolist(), [0, 0, 0, 0]]]
    assert predicted(tmp_path, info, content) == expected
    for cells in ([0, 1, 2, 3, 4], [0.0, 1.0, 2.0, 3.0, 4.0]):
        assert held_rows(pd.DataFrame({"a": [1] * 5, "k": cells}), info, "frame").tolist() == expected


def test_spellings_of_two_categories_stay_apart(load: Load, tmp_path: Path) -> None:
    lines = ["a,k", *(f"{i},{('1', '1.0', '02')[i % 3]}" for i in range(60))]
    info = trained(load, tmp_path, lines, columns={"k": "category"})
    assert predicted(tmp_path, info, "a,k\n1,1\n1,1.0\n1,2\n1,02\n1,02.0\n") == [
        [1, 0, 1, 0], [1, 0, 0, 1], [1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 0, 0],
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "source", "columns"),
    [
        (["a", *((f"{i}.5", "'1.5'", "5.--", "08:15")[i % 4] for i in range(60))], {}, {"a": "number"}),
        (["a", *(f"{i}" if i % 9 else f"{i + 1}%" for i in range(60))], {}, {"a": "number"}),
        (["a;b", *(f"{i},5;1" if i % 2 else f"{i}.25;2" for i in range(60))], {"decimal": ","}, {}),
        (["a", *(f"{'$€'[i % 2]}{i}" for i in range(60))], {"decimal": "."}, {}),
        (["a,d", *(f"{i},2020-01-09" if i % 2 else f"{i},'2020-03-01'" for i in range(60))], {}, {"d": "date"}),
    ],
)
def test_a_run_of_an_earlier_version_goes_on_with_the_rows_it_began_with(
    tmp_path: Path, lines: list[str], source: Any, columns: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spaces.data.tables import numbers

    plain = space(tmp_path, lines, columns, **source)
    parse = numbers.parse
    with monkeypatch.context() as then:  # that version read cells as they stood
        then.setattr(numbers, "parse", lambda *given, **how: parse(*given, **{**how, "literal": True}))
        then.setattr(numbers, "unwrapped", lambda cell: cell)
        began = spaces.load_data(spaces.load(plain))
    info = earlier(began.info)
    assert spaces.load_data(spaces.load(plain), info).fingerprint == began.fingerprint


TEXTS = ["a,k", *(f"{i},{f'none of the {i} parts fit' if i % 5 else 'none'}" for i in range(60))]


@pytest.mark.parametrize(
    ("lines", "columns"),
    [
        (["a,k", *(f"{i},{'unknown' if i == 7 else ('', 'p', 'q')[i % 3]}" for i in range(300))], {}),
        (TEXTS, {}),
        (["a,d", *(f"{i},{f'{i % 28 + 1:02}.02.2020' if i % 9 else '2020-03-01'}" for i in range(60))], {"d": "date"}),
        (["a,k", *(f"{i},{'TRUE' * (i % 2)}" for i in range(60))], {}),
    ],
    ids=["a rare word for nothing", "texts that say nothing", "dates in two forms", "truth with gaps"],
)
def test_a_run_goes_on_with_the_rows_it_began_with(tmp_path: Path, lines: list[str], columns: Any) -> None:
    plain = space(tmp_path, lines, columns)
    began = spaces.load_data(spaces.load(plain))
    assert spaces.load_data(spaces.load(plain), began.info).fingerprint == began.fingerprint


def test_truth_with_gaps_has_the_spellings_of_other_programs(load: Load, tmp_path: Path) -> None:
    info = trained(load, tmp_path, ["a,k", *(f"{i},{'TRUE' * (i % 2)}" for i in range(60))])
    expected = [[1, 1, 0], [1, 1, 0], [1, 1, 0], [1, 0, 1]]
    assert predicted(tmp_path, info, "a,k\n1,TRUE\n1,true\n1,True\n1,\n") == expected
    frame = pd.DataFrame({"a": [1, 1], "k": [True, None]})
    assert held_rows(frame, info, "frame").tolist() == expected[2:]


def test_texts_that_say_nothing_are_missing_though_their_words_are_known(load: Load, tmp_path: Path) -> None:
    info = trained(load, tmp_path, TEXTS)
    names = info.encodings[1].inputs
    nothing, something = (
        dict(zip(names, row[1:], strict=True)) for row in predicted(tmp_path, info, "a,k\n1,none\n1,none fit\n")
    )
    assert {name for name, value in nothing.items() if value} == {"k is missing"}
    assert {name for name, value in something.items() if value} == {"k has none", "k has fit"}


def test_a_text_that_said_something_in_training_does_so(load: Load, tmp_path: Path) -> None:
    lines = ["a,k", *(f"{i},{('none', 'much wind', 'no wind')[i % 3]}" for i in range(60))]
    info = trained(load, tmp_path, lines, columns={"k": "text"})
    assert info.encodings[1].inputs == ("k has much", "k has no", "k has none", "k has wind")
    assert predicted(tmp_path, info, "a,k\n1,none\n1,no wind\n") == [[1, 0, 0, 1, 0], [1, 0, 1, 0, 1]]


def test_blanks_around_names_are_those_of_a_program(load: Load, tmp_path: Path) -> None:
    info = trained(load, tmp_path, ["a, k ", *(f"{i},{'pq'[i % 2]}" for i in range(60))])
    frame = pd.DataFrame({" k ": ["q"], "b": [[]], " a": [5]})
    assert held_rows(frame, info, "frame").tolist() == [[5, 0, 1]]
    blank = replace(info, table=tuple(replace(column, name=f" {column.name}") for column in info.table))
    assert predicted(tmp_path, blank, "k,a\nq,5\n") == [[5, 0, 1]]
    assert as_called(["a", " a"], [" a"]) == ["a", " a"], "that is the other one"
    assert as_called(["a"], [" a", "a "]) == ["a"], "nobody knows which"
    assert as_called([" a", "a "], ["a"]) == [" a", "a "], "it cannot be both"
    assert places([" b", "a"], ["a", "b"], "rows") == [1, 0]


def test_a_row_of_a_frame_knows_its_columns(load: Load, tmp_path: Path) -> None:
    info = trained(load, tmp_path, ["a,k", *(f"{i},{'pq'[i % 2]}" for i in range(60))])
    frame = pd.DataFrame({"k": ["q", "p"], "z": [0, 1], "a": [5, 6]})
    assert held_rows(frame.iloc[0], info, "row").tolist() == [[5, 0, 1]]
    numbers = DataInfo("tabular", (2,), "float32", "regression", "number", 1, frame_columns=("a", "z"))
    assert held_rows(frame.iloc[1], numbers, "row").tolist() == [[6, 1]]
    assert held_rows(frame[["z", "a"]].iloc[1], numbers, "row").tolist() == [[6, 1]]
    assert held_rows(pd.Series([6.0, 1.0]), numbers, "row").tolist() == [[6, 1]]


def test_a_model_of_an_earlier_version_reads_what_it_read(load: Load, tmp_path: Path) -> None:
    info = earlier(trained(load, tmp_path, ["a,b", *(f"{i}.5,{'xy'[i % 2]}" for i in range(60))]))
    assert info.encodings[0].sign is None
    assert predicted(tmp_path, info, "a,b\n5%,x\n6%,z\n") == [[5, 1, 0], [6, 0, 0]]
    with pytest.raises(DataError, match="holds text"):
        predicted(tmp_path, info, "a,b\n08:15,x\n")


def test_a_known_sign_is_checked_where_metadata_are_read(load: Load, tmp_path: Path) -> None:
    from results.exporting.info import info_problem
    from search.files.checked.recorded import fact

    info = trained(load, tmp_path, ["a", *(f"${i}" for i in range(60))])
    assert info_problem(info) is None
    wrong: Any = 5
    assert "not described by texts" in str(info_problem(replace(info, table=(replace(info.table[0], sign=wrong),))))
    data = {"name": "x", "origin": "x", "fingerprint": "x", "rows": {}, "info": info.to_json()}
    assert fact("data", data)["info"]["table"][0]["sign"] == "$"


def test_tables_of_bare_numbers_have_one_decimal_sign_too(tmp_path: Path) -> None:
    path = tmp_path / "bare.csv"
    path.write_text("1,5;1.133\n2,5;2\n")
    assert bare_rows(path).tolist() == [[1.5, 1133], [2.5, 2]]
    path.write_text("1,5;1\n2.5;2\n2,5;2\n")
    with pytest.raises(DataError, match=r"line 2, column '0' holds '2\.5', but other numbers"):
        bare_rows(path)


def test_names_that_are_numbers_are_no_row_of_a_bare_table(tmp_path: Path) -> None:
    path = tmp_path / "bare.csv"
    path.write_text("1,0\n5,6\n")
    assert bare_rows(path, ["0", "1"]).tolist() == [[6, 5]]
    assert bare_rows(path, ["0", "2"]).tolist() == [[1, 0], [5, 6]]
