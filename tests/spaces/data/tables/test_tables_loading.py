"""Tables as people have them: what is read, what is refused, and where the file's own line is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import spaces
from spaces.basics.errors import DataError
from spaces.data.readers.source import RawData
from spaces.data.tables.cells import read_cells
from spaces.data.tables.columns import Column
from spaces.data.tables.dates import find_format
from spaces.data.tables.encoding import ColumnEncoding, encode, fit
from spaces.data.tables.loading import TableOptions, load_table
from spaces.data.tables.rows import encoded_rows
from spaces.data.tables.values import values as table_values

TABLE = "age,town,member,price\n30,Bonn,True,1.5\n40,Köln,False,2\n50,Bonn,True,3.25\n"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "people.csv"


def read(path: Path, content: str | bytes, *, task: Any = "classification", **options: Any) -> RawData:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_table(path, TableOptions(**options), task)


def columns(raw: RawData) -> dict[str, Column]:
    assert raw.table is not None
    return {column.name: column for column in raw.table.columns}


def kinds(raw: RawData) -> dict[str, str]:
    return {name: column.kind for name, column in columns(raw).items()}


def values(raw: RawData, name: str) -> list[float | None]:
    position = list(columns(raw)).index(name)
    return [None if np.isnan(value) else float(value) for value in raw.train.x[:, position]]


def test_the_last_column_is_the_target_and_every_other_one_an_input(path: Path) -> None:
    raw = read(path, TABLE)
    assert kinds(raw) == {"age": "number", "town": "category", "member": "boolean"}
    np.testing.assert_array_equal(raw.train.x, [[30, 0, 1], [40, 1, 0], [50, 0, 1]])
    np.testing.assert_array_equal(raw.train.y, [1.5, 2, 3.25])


@pytest.mark.parametrize(
    ("target", "labels"), [("town", ["Bonn", "Köln", "Bonn"]), ("member", ["True", "False", "True"])]
)
def test_target_by_name_may_be_text_or_boolean(path: Path, target: str, labels: list[str]) -> None:
    raw = read(path, TABLE, target=target)
    assert raw.train.y.tolist() == labels
    assert target not in columns(raw)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16", "utf-16-le"])
def test_separators_and_encodings_are_found(path: Path, separator: str, encoding: str) -> None:
    raw = read(path, TABLE.replace(",", separator).encode(encoding))
    assert columns(raw)["town"].values == ("Bonn", "Köln")
    np.testing.assert_array_equal(raw.train.x, [[30, 0, 1], [40, 1, 0], [50, 0, 1]])


def test_an_encoding_can_be_given(path: Path) -> None:
    raw = read(path, "stadt,y\nŁódź,0\nŁask,1\n".encode("cp1250"), encoding="cp1250")
    assert columns(raw)["stadt"].values == ("Łask", "Łódź")


def test_a_separator_can_be_given_and_excel_may_name_it(path: Path) -> None:
    assert list(columns(read(path, "a:b:y\n1:2:0\n3:4:1\n", separator=":"))) == ["a", "b"]
    assert list(columns(read(path, "sep=;\na;b,c;y\n1;2;0\n3;4;1\n"))) == ["a", "b,c"]


def test_separators_count_outside_of_quotes_only(path: Path) -> None:
    raw = read(path, '"warm, dry";"wet, cold";kind\n3.25;1.5;y\n4.5;6.125;n\n')
    assert kinds(raw) == {"warm, dry": "number", "wet, cold": "number"}
    raw = read(path, '"a;b","c;d;e;f",kind\n3.25,1.5,y\n4.5,6.125,n\n')
    assert values(raw, "c;d;e;f") == [1.5, 6.125]


def test_a_line_break_in_a_quoted_name_or_cell_is_part_of_it(path: Path) -> None:
    raw = read(path, '"room\nsize",note,y\n1,"a\nb",0\n2,c,1\n')
    assert list(columns(raw)) == ["room\\nsize", "note"]
    assert values(raw, "room\\nsize") == [1, 2]


def test_a_cell_may_hold_a_document(path: Path) -> None:
    document = "many words " * 20_000
    raw = read(path, f"text,v,y\n{document},1,0\nb,2,1\n", columns={"text": "text"})
    assert (list(columns(raw)), values(raw, "v")) == (["text", "v"], [1, 2])
    with pytest.raises(DataError, match=r"target column 'y' is empty in 1 rows, the first in line 3;"):
        read(path, f"text,v,y\n{document},1,0\nb,2,\n", columns={"text": "text"})


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_quote_that_is_closed_nowhere_is_told(path: Path, separator: str) -> None:
    content = 'a,b,y\n1,"x,0\n' + "2,some words,1\n" * 80_000
    with pytest.raises(DataError, match=r"in line 2 begins a row with a cell of more than 1 MiB; a quote may be"):
        read(path, content.replace(",", separator))


def test_lines_of_messages_are_those_of_the_file(path: Path) -> None:
    rows = "".join(f'"first\nsecond",{i}.5,0\n\n' for i in range(10))
    with pytest.raises(DataError, match=r"column 'v' holds 20 numbers .* 1 cells that are none \(1 'x'\), .* line 32;"):
        read(path, "note,v,y\n" + rows + '"z",x,1\n' + "".join(f"z,{i}.25,1\n" for i in range(10)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,y,y\n1,2,0\n", r"the name 'y' stands above 2 columns \(2, 3\)"),
        (b"a,b\n\xff\x00,1\n", "is not text"),
        ("", "is empty"),
        ("a,b\n", "holds no rows"),
        ("1,2\n3,4\n", "must name the columns"),
        ("a b y\n1 2 0\n", r"one column only \('a b y'\).*such as a space, `separator: ' '`"),
        ("a,b\n1,2\n1,2,3,4\n", "line 3 has 4 cells, the first line 2; every line needs as many"),
        ("# from the shop\n# in 2026\na,b\n1,2\n", "line 3 has 2 cells, the first line 1"),
        ("a,b\n1,2,3\n4,5,6\n", "more cells than the first line has names"),
        ("a,b\n1,2\n3,\n", r"target column 'b' is empty in 1 rows, the first in line 3"),
        ("a,b\n1e39,2\n", "line 2, column 'a' holds infinity, or a number too large"),
        ("\x1f\x8ba,b", "is compressed"),
    ],
)
def test_what_is_no_table_is_named(path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read(path, content.encode("latin-1") if isinstance(content, str) else content)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "pric"}, "no column 'pric'; did you mean 'price'"),
        ({"target": "zzzz"}, "its columns are age, town, member, price"),
        ({"columns": {"agee": "drop"}}, "no column 'agee'; did you mean 'age'"),
        ({"columns": {"age": "drop", "town": "drop", "member": "drop"}}, "no column is left as an input"),
        ({"columns": dict.fromkeys(("age", "town", "member", "price"), "drop")}, "no column is left as an input"),
        ({"columns": {"town": "date"}}, "column 'town' holds no dates"),
        ({"columns": {"town": "boolean"}}, "column 'town' is no boolean: it holds 'Bonn'"),
        ({"encoding": "ascii"}, "is not text in ascii"),
    ],
)
def test_what_the_space_file_says_must_fit(path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(path, TABLE, **options)


def test_an_empty_column_without_a_name_is_left_out(path: Path) -> None:
    for content in ("v,u,y,\n1,2,0,\n3,4,1,\n", "v,u,y\n1,2,0,\n3,4,1,\n"):
        raw = read(path, content)
        assert list(columns(raw)) == ["v", "u"]
        assert raw.table is not None
        assert raw.table.notes == ("1 column without a name and without a cell left out",)


def test_na_and_none_are_words_where_a_column_has_few(path: Path) -> None:
    raw = read(path, "area,alley,quality\n1,NA,None\n2,Grvl,TA\n3,NA,None\n")
    assert columns(raw)["alley"].values == ("Grvl", "NA")
    assert raw.train.y.tolist() == ["None", "TA", "None"]


def test_na_is_missing_where_a_column_has_many_words(path: Path) -> None:
    raw = read(path, "name,y\nNA,0\n" + "".join(f"n{i % 30},{i % 2}\n" for i in range(60)))
    assert columns(raw)["name"].missing == 1
    assert len(columns(raw)["name"].values) == 30


def test_a_mark_that_an_earlier_version_has_begun_with_stays_a_value_and_a_class(path: Path) -> None:
    path.write_text("name,y\n" + "(null),0\n" * 10 + "".join(f"n{i % 30},{i % 2}\n" for i in range(60)))
    known = [ColumnEncoding("name", "category", values=("(null)",), other=True, sign="")]
    assert "(null)" in columns(load_table(path, TableOptions(), "classification", known))["name"].values
    assert "(null)" not in columns(load_table(path, TableOptions()))["name"].values
    path.write_text("v,y\n1,1\n2,2\n3,(null)\n")
    known = [ColumnEncoding("v", "number", ".", sign="")]
    assert load_table(path, TableOptions(), "classification", known).train.y.tolist() == ["1", "2", "(null)"]
    with pytest.raises(DataError, match="correct them"):
        load_table(path, TableOptions())


@pytest.mark.parametrize("word", ["?", "-", "NA", "N/A", "", "nan", "NULL", "None", "--"])
def test_a_mark_for_no_value_leaves_numbers_numbers(path: Path, word: str) -> None:
    raw = read(path, f"power,y\n{word},0\n130,1\n165,0\n")
    assert values(raw, "power") == [None, 130, 165]
    assert columns(raw)["power"].missing == 1


def test_decimal_commas_where_semicolons_separate(path: Path) -> None:
    raw = read(path, "länge;preis;art\n5,1;1.234,50;rot\n2,2;1.000;blau\n")
    assert values(raw, "länge") == [5.1, 2.2]
    assert values(raw, "preis") == [1234.5, 1000]


def test_points_and_commas_of_a_file_are_read_by_what_the_others_say(path: Path) -> None:
    assert values(read(path, "a;b;y\n1.133;2,5;0\n2.500;3,5;1\n"), "a") == [1133, 2500]
    assert values(read(path, "a;b;y\n1.133;2.5;0\n2.500;3.5;1\n"), "a") == [1.133, 2.5]
    assert values(read(path, 'a,y\n"1,133",0\n"2,500",1\n'), "a") == [1133, 2500]
    assert values(read(path, "a;y\n1,133;0\n2,500;1\n"), "a") == [1.133, 2.5]
    unsure = columns(read(path, "a;y\n1,133;0\n2,500;1\n"))["a"]
    assert any("is a guess" in note for note in unsure.notes)
    assert values(read(path, "a;y\n1,133;0\n2,500;1\n", decimal="."), "a") == [1133, 2500]


def test_a_regression_target_may_be_written_in_any_way(path: Path) -> None:
    raw = read(path, "flaeche;miete\n20,9;1.050,5 €\n22,4;112,2 €\n", task="regression")
    assert raw.train.y.tolist() == [1050.5, 112.2]
    with pytest.raises(
        DataError, match=r"target column 'm' holds 2 numbers and 1 cells that are none, .* line 3 \('x'\)"
    ):
        read(path, "a,m\n1,2.5\n2,x\n3,4\n", task="regression")


def test_several_targets_are_for_regression(path: Path) -> None:
    options = {"columns": {"b": "target", "c": "target"}}
    assert read(path, "a,b,c\n1,2,3\n4,5,6\n", task="regression", **options).train.y.tolist() == [[2, 3], [5, 6]]
    with pytest.raises(DataError, match="several target columns"):
        read(path, "a,b,c\n1,2,3\n4,5,6\n", **options)


def test_what_is_nearly_all_numbers_is_refused_unless_it_is_said_what_it_is(path: Path) -> None:
    content = "size,y\n" + "".join(f"{i},{i % 2}\n" for i in range(55)) + "five,0\n" * 5
    with pytest.raises(DataError, match=r"'size' holds 55 numbers .* 5 cells that are none \(5 'five'\), .* line 57"):
        read(path, content)
    assert columns(read(path, content, columns={"size": "number"}))["size"].missing == 5
    assert len(columns(read(path, content, columns={"size": "category"}))["size"].values) == 56


def test_numbers_in_two_ways_of_writing_are_refused(path: Path) -> None:
    with pytest.raises(
        DataError, match=r"'a' is read with the decimal sign ',', but 1 of its cells have '\.', .* line 3"
    ):
        read(path, "a;y\n1,5;0\n2.5;1\n3,5;0\n")
    for options in ({"columns": {"a": "number"}}, {"decimal": ","}):
        with pytest.raises(DataError, match=r"1 of its cells have '\.', the first in line 3 \('2\.5'\)"):
            read(path, "a;y\n1,5;0\n2.5;1\n3,5;0\n", **options)


def test_numbers_in_two_currencies_are_refused_beside_a_decimal_sign_too(path: Path) -> None:
    content = "a,y\n" + "".join(f"{'€' if i % 5 == 0 else '$'}{i},{i % 2}\n" for i in range(40))
    for options in ({}, {"decimal": "."}):
        with pytest.raises(DataError, match=r"column 'a' holds 32 numbers .* 8 cells that are none"):
            read(path, content, **options)


def test_one_unknown_mark_among_many_numbers_is_refused(path: Path) -> None:
    with pytest.raises(DataError, match=r"20 numbers .* 10 cells that are none \(10 'k.A.'\), the first in line 2"):
        read(path, "a,y\n" + "".join(f"{i if i % 3 else 'k.A.'},{i % 2}\n" for i in range(30)))


def test_a_class_that_is_missing_is_no_class_of_its_own_where_classes_are_numbers(path: Path) -> None:
    with pytest.raises(DataError, match=r"'y' holds 2 numbers and 1 cells that are none, the first in line 2 \('NA'\)"):
        read(path, "a,y\n1,NA\n2,1\n3,0\n")


def test_codes_are_words(path: Path) -> None:
    raw = read(path, "size,code,y\nA1,01,0\n12B,02,1\n7,01,0\nC3,02,1\n", columns={"code": "category"})
    assert kinds(raw) == {"size": "category", "code": "category"}
    assert columns(raw)["code"].values == ("01", "02")


def test_dates_and_booleans_are_found(path: Path) -> None:
    content = "joined,left,paid,y\n2020-02-29,1.3.2021,yes,0\n2020-03-01,15.4.2022,no,1\n,16.4.2022,Yes,0\n"
    raw = read(path, content)
    assert kinds(raw) == {"joined": "date", "left": "date", "paid": "boolean"}
    assert values(raw, "joined") == [18321, 18322, None]
    assert columns(raw)["left"].form == "%d.%m.%Y"
    assert values(raw, "paid") == [1, 0, 1]


def test_a_date_that_may_be_read_two_ways_is_a_guess(path: Path) -> None:
    assert any("guess" in note for note in columns(read(path, "d,y\n1/2/2020,0\n3/4/2020,1\n"))["d"].notes)
    assert columns(read(path, "d,y\n13/2/2020,0\n3/4/2020,1\n"))["d"].form == "%d/%m/%Y"


def test_identifiers_and_constants_are_named_and_dropped_on_demand(path: Path) -> None:
    content = "id,same,empty,v,y\n" + "".join(f"{i},7,,{i * i % 13},{i % 2}\n" for i in range(30))
    raw = read(path, content)
    assert "identifier" in columns(raw)["id"].notes[0]
    assert "constant" in columns(raw)["same"].notes[0]
    assert columns(raw)["v"].notes == ()
    assert raw.table is not None
    assert dict(raw.table.dropped) == {"empty": "no cell gives anything"}
    assert list(columns(read(path, content, columns={"id": "drop", "same": "drop"}))) == ["v"]


def test_sentences_are_text(path: Path) -> None:
    content = "note,y\n" + "".join(f"order number {i} came late,{i % 2}\n" for i in range(40))
    assert kinds(read(path, content)) == {"note": "text"}


def test_cells_are_never_evaluated(path: Path) -> None:
    raw = read(path, "a,b\n=1+1,0\n__import__('os').abort(),1\n")
    assert columns(raw)["a"].values == ("=1+1", "__import__('os').abort()")


def test_a_parquet_table_is_read_like_a_text_table(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    table = pa.table({
        "size": [1.5, None, 3.0], "town": ["Bonn", "Köln", None], "member": [True, False, True],
        "since": pa.array([18321, 18322, None], pa.date32()), "kind": pa.array(["a", "b", "a"]).dictionary_encode(),
    })  # fmt: skip
    parquet.write_table(table, tmp_path / "t.parquet")
    raw = load_table(tmp_path / "t.parquet", TableOptions())
    assert kinds(raw) == {"size": "number", "town": "category", "member": "boolean", "since": "date"}
    assert values(raw, "size") == [1.5, None, 3]
    assert values(raw, "since") == [18321, 18322, None]
    assert raw.train.y.tolist() == ["a", "b", "a"]
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nothing")
    with pytest.raises(DataError, match=r"broken.parquet: no readable Parquet table"):
        load_table(tmp_path / "broken.parquet", TableOptions())


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        load_table(tmp_path / "absent.csv", TableOptions())
    with pytest.raises(DataError, match=r"cannot be read|is not a file"):
        load_table(tmp_path, TableOptions())


@pytest.mark.parametrize(
    ("kind", "cell", "odd"), [("number", str, "seven"), ("date", lambda i: f"2024-01-{i % 28 + 1:02}", "soon")]
)
def test_cells_that_were_taken_as_missing_are_so_when_a_run_goes_on_and_when_it_predicts(
    path: Path, kind: str, cell: Any, odd: str
) -> None:
    lines = (f"{odd if i % 9 == 0 else cell(i)},{i * 2},{'u' if i % 2 else 'v'}\n" for i in range(60))
    path.write_text("a,b,y\n" + "".join(lines))
    space = {
        "name": "x", "model": {"family": "mlp", "layers": 1, "units": 4}, "training": {"epochs": 1},
        "data": {"source": {"csv": str(path)}, "columns": {"a": kind}, "validation": 0.2, "test": "none"},
    }  # fmt: skip
    first = spaces.load_data(spaces.load(space))
    assert spaces.load_data(spaces.load(space), first.info).fingerprint == first.fingerprint
    info = spaces.DataInfo.from_json(first.info.to_json())
    assert info.encodings[0].lenient
    marks = encoded_rows(path, info.encodings)[:, info.encodings[0].inputs.index("a is missing")]
    assert marks.tolist() == [float(i % 9 == 0) for i in range(60)]
    path.write_text("a,b\n1,2\n1,many\n")
    with pytest.raises(DataError, match=r"column 'b' holds text \('many'\), a number is expected"):
        encoded_rows(path, info.encodings)


def inputs(raw: RawData, path: Path | None = None, **options: Any) -> np.ndarray:
    """The rows as a model takes them; with a path as a run reads them that goes on."""
    assert raw.table is not None
    known = fit(raw.table.columns, table_values(raw.table, raw.train.x))
    if path is not None:
        raw = load_table(path, TableOptions(**options), "regression", known, written=raw.table.written)
    assert raw.table is not None
    return encode(known, raw.table.columns, raw.train.x)


def predicted(path: Path, raw: RawData) -> np.ndarray:
    assert raw.table is not None
    known = fit(raw.table.columns, table_values(raw.table, raw.train.x))
    return encoded_rows(path, known, raw.table.written)


@pytest.mark.parametrize("unit", ["km/h", "°C", "m²", "+", " sq ft", "kr"])
def test_numbers_with_any_unit_are_read_alike_when_a_run_goes_on_and_when_it_predicts(path: Path, unit: str) -> None:
    raw = read(path, "v,y\n" + "".join(f"{i / 2}{unit},{i}\n" for i in range(30)), task="regression")
    assert kinds(raw) == {"v": "number"}
    np.testing.assert_array_equal(inputs(raw, path), inputs(raw))
    assert predicted(path, raw)[:, 0].tolist() == [i / 2 for i in range(30)]


@pytest.mark.parametrize("odd", ["T", "no", "f", "yes", "12"])
def test_words_of_booleans_that_were_taken_as_missing_stay_so(path: Path, odd: str) -> None:
    content = "rain,y\n" + "".join(f"{odd if i % 10 == 0 else f'{i / 4} mm'},{i}\n" for i in range(60))
    raw = read(path, content, task="regression", columns={"rain": "number"})
    assert columns(raw)["rain"].missing == 6
    np.testing.assert_array_equal(inputs(raw, path, columns={"rain": "number"}), inputs(raw))
    assert predicted(path, raw)[:, 1].tolist() == [float(i % 10 == 0) for i in range(60)]


@pytest.mark.parametrize(
    ("content", "options"),
    [
        ("town:y\nŁódź:1\nŁask:2\nŻory:3\n".encode("cp1250"), {"encoding": "cp1250", "separator": ":"}),
        ("town y\nŁódź 1\nŁask 2\nŻory 3\n".encode(), {"separator": " "}),
        (b"0,y\n5,1\n7,2\n9,3\n", {}),
        (b"0,1\n5,1\n7,2\n9,3\n", {"target": "1"}),
        ("\ufefftown,y\nŁódź,1\nŁask,2\nŻory,3\n".encode(), {"encoding": "utf-8"}),
    ],
)
def test_what_training_read_is_read_when_a_run_goes_on_and_when_it_predicts(
    path: Path, content: bytes, options: dict[str, Any]
) -> None:
    raw = read(path, content, task="regression", **options)
    np.testing.assert_array_equal(inputs(raw, path, **options), inputs(raw))
    rows = predicted(path, raw)
    assert len(rows) == 3
    # Files to predict have no target.
    separator = options.get("separator", ",").encode()
    path.write_bytes(b"\n".join(line.rpartition(separator)[0] for line in content.splitlines()) + b"\n")
    np.testing.assert_array_equal(predicted(path, raw), rows)


def test_bytes_that_speak_for_themselves_say_more_than_how_training_was_written(path: Path) -> None:
    raw = read(path, "town,y\nŁódź,1\nŁask,2\n".encode("cp1250"), task="regression", encoding="cp1250")
    rows = predicted(path, raw)
    path.write_text("y;town\n1;Łódź\n2;Łask\n", encoding="utf-8")
    np.testing.assert_array_equal(predicted(path, raw), rows)
    path.write_text("y;town\n1;Łódź\n2;Łask\n", encoding="utf-16-le")
    np.testing.assert_array_equal(predicted(path, raw), rows)


def test_numbers_in_several_units_are_refused_or_said_to_be_words(path: Path) -> None:
    many = "size,y\n" + "".join(f"{10 + i}{'kM'[i % 2]},{i}\n" for i in range(40))
    with pytest.raises(DataError, match=r"'size' holds 20 numbers .* 20 cells that are none"):
        read(path, many, task="regression")
    few = "size,y\n" + "".join(f"{i % 4}{'kMGT'[i % 4]},{i}\n" for i in range(40))
    assert any("look like numbers" in note for note in columns(read(path, few))["size"].notes)


@pytest.mark.parametrize(
    "codes",
    [
        [f"{i % 36 + 1}{'ABC'[i % 3]}" for i in range(120)],
        ["3rd"] * 100 + ["1st", "2nd"] * 8,
        ["2D"] * 90 + ["3D"] * 20 + ["IMAX"] * 5,
        [f"{i % 12 + 1} {('years', 'months', 'weeks')[i % 3]}" for i in range(120)],
    ],
)
def test_what_stands_behind_numbers_may_be_part_of_a_code(path: Path, codes: list[str]) -> None:
    raw = read(path, "seat,y\n" + "".join(f"{code},{i % 2}\n" for i, code in enumerate(codes)))
    assert columns(raw)["seat"].kind == "category"


def test_a_column_called_as_parquet_files_begin_is_text(path: Path) -> None:
    assert [*columns(read(path, "PAR1,PAR2,y\n1,2,3\n2,3,4\n", task="regression"))] == ["PAR1", "PAR2"]


@pytest.mark.parametrize(
    ("cells", "form"),
    [
        (["01/31/2020 05:30:00 PM", "02/01/2020 01:00:00 AM"], "%m/%d/%Y %I:%M:%S %p"),
        (["01/31/20 17:30", "02/01/20 01:00"], "%m/%d/%y %H:%M"),
        (["31.01.2020 5:30 PM", "01.02.2020 1:00 AM"], "%d.%m.%Y %I:%M %p"),
        (["Jan 31, 2020 17:30", "Feb 1, 2020 01:00"], "%b %d, %Y %H:%M"),
        (["2020-01-31 17:30:00 UTC", "2020-02-01 01:00:00 UTC"], "ISO8601"),
        (["Fri, 31 Jan 2020 17:30:00 GMT", "Sat, 01 Feb 2020 01:00:00 GMT"], "%d %b %Y %H:%M:%S"),
        (["Friday, January 31, 2020 5:30 PM", "Saturday, February 1, 2020 1:00 AM"], "%B %d, %Y %I:%M %p"),
        (["01/31/2020 17:30:00.000", "02/01/2020 01:00:00.000"], "%m/%d/%Y %H:%M:%S.%f"),
    ],
)
def test_dates_have_times_in_any_usual_spelling(path: Path, cells: list[str], form: str) -> None:
    raw = read(path, "d;y\n" + "".join(f"{cell};{i}\n" for i, cell in enumerate(cells)))
    assert columns(raw)["d"].form == form
    assert values(raw, "d") == pytest.approx([18292 + 17.5 / 24, 18293 + 1 / 24])


def test_digits_alone_behind_a_day_of_the_week_are_no_year() -> None:
    assert find_format(["Mon 0900", "Tue  1145"], day_first=False)[0] is None


def test_years_of_two_digits_are_said_to_be_a_guess(path: Path) -> None:
    raw = read(path, "born;seen;y\n31.03.58;31.03.2020;1\n30.04.75;01.04.2020;2\n")
    (note,) = columns(raw)["born"].notes
    assert note.startswith("years of two digits are taken for 1969 to 2068")
    assert columns(raw)["seen"].notes == ()


def test_zeros_and_ones_may_be_said_to_be_booleans(path: Path) -> None:
    raw = read(path, "a,b,y\n0,1.0,0\n1,0.0,1\n,1.0,1\n", columns={"a": "boolean", "b": "boolean"})
    assert kinds(raw) == {"a": "boolean", "b": "boolean"}
    assert values(raw, "a") == [0, 1, None]
    assert values(raw, "b") == [1, 0, 1]


def test_the_guess_of_a_targets_decimal_sign_is_said(path: Path) -> None:
    raw = read(path, "x;price\n" + "".join(f"{i};1.{100 + i}\n" for i in range(30)), target="price", task="regression")
    assert raw.table is not None
    assert raw.table.notes == (
        "target column 'price': decimal sign ',' is a guess; `decimal: '.'` beside the file says otherwise",
    )


def test_a_class_that_nobody_knows_is_refused_with_the_count(path: Path) -> None:
    with pytest.raises(DataError, match=r"'y' holds no class but '\?' in 2 rows, the first in line 3"):
        read(path, "x,y\n1,a\n2,?\n3,b\n4,?\n")
    assert read(path, "x,y\n1,+\n2,-\n3,+\n4,-\n").train.y.tolist() == ["+", "-", "+", "-"]


def test_a_cell_that_is_no_time_is_shown_where_times_divide_the_rows(path: Path) -> None:
    content = "day,y\n01/02/2020,0\n13/02/2020,1\nunclear,1\n14/02/2020,0\n"
    with pytest.raises(
        DataError, match=r"'day' divides the rows, but holds no date in 1 of them, .* line 4 \('unclear'\)"
    ):
        read(path, content, times=("day",), columns={"day": "date"})


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("5.1,3.5,setosa\n4.9,3.0,setosa\n6.1,2.8,virginica\n", True),
        ("5,3,setosa\n4,3,setosa\n6,2,virginica\n", True),
        ("a,y\n1,y\n2,n\n", False),
        ("0,1,y\n5,1,a\n0,2,b\n", False),
        ("2019,2020,town\n5,1,a\n0,2,b\n", False),
    ],
)
def test_a_first_line_that_looks_like_the_others_is_said(path: Path, content: str, said: bool) -> None:
    raw = read(path, content)
    assert raw.table is not None
    assert any("is taken for names" in note for note in raw.table.notes) is said


@pytest.mark.parametrize(
    "form",
    ['="{}"', "'{}'", "'{}", '"{}"', "[{}]", "{}.--", "{},-", "{}D+03", "\u200b{}", "\u200e{}", "{}:15", "{}:15:30"],
)
@pytest.mark.parametrize("different", [12, 40])
def test_numbers_in_any_spelling_are_numbers_when_a_run_goes_on_and_when_it_predicts(
    path: Path, form: str, different: int
) -> None:
    cells = [form.format(i % different).replace('"', '""') for i in range(60)]
    content = "v,b,y\n" + "".join(f'"{cell}",{i / 4},{i}\n' for i, cell in enumerate(cells))
    raw = read(path, content, task="regression")
    assert kinds(raw) == {"v": "number", "b": "number"}
    assert columns(raw)["v"].missing == 0
    np.testing.assert_array_equal(inputs(raw, path), inputs(raw))
    np.testing.assert_array_equal(predicted(path, raw), inputs(raw))


@pytest.mark.parametrize("form", ["#{}", "<{}", "№ {}", "*{}*", "{}-", "{} sq ft"])
def test_many_numbers_with_the_same_around_them_are_refused(path: Path, form: str) -> None:
    content = "v,y\n" + "".join(f"{form.format(i) if i % 10 else 'n.b.'},{i % 2}\n" for i in range(60))
    with pytest.raises(DataError, match=r"'v' holds numbers with '.*' (before|behind) them in 54 rows, .* line 3 \('"):
        read(path, content)
    assert kinds(read(path, content, columns={"v": "category"})) == {"v": "category"}
    few = "v,y\n" + "".join(f"{form.format(i % 5)},{i % 2}\n" for i in range(60))
    if "sq ft" not in form:
        assert kinds(read(path, few)) == {"v": "category"}


def test_numbers_with_words_before_them_are_named_as_such(path: Path) -> None:
    for words in ("ab", "aa"):
        raw = read(path, "v,y\n" + "".join(f"{words[i % 2]} {i},{i % 2}\n" for i in range(40)))
        assert [note[:28] for note in columns(raw)["v"].notes] == ["its cells look like numbers "]
    raw = read(path, "v,y\n" + "".join(f"{'ab'[i % 2]}{i},{i % 2}\n" for i in range(40)))
    assert [note[:27] for note in columns(raw)["v"].notes] == ["looks like an identifier: e"]


@pytest.mark.parametrize(
    ("cell", "day"),
    [("Mar 2020", 18322), ("March 2020", 18322), ("Mar-20", 18322), ("03/2020", 18322), ("'2020-03-01'", 18322)],
)
def test_months_are_dates_and_may_divide_the_rows(path: Path, cell: str, day: int) -> None:
    content = f"d,v,y\n{cell},1,0\n{cell[::-1].replace('02', '12', 1)[::-1]},2,1\n"
    raw = read(path, content, times=("d",))
    assert kinds(raw)["d"] == "date"
    assert raw.keys["d"].astype("datetime64[D]").astype(int).tolist() == [day, day + 365]
    np.testing.assert_array_equal(predicted(path, raw), inputs(raw))


def test_clocks_may_divide_the_rows(path: Path) -> None:
    assert read(path, "t,v,y\n09:30,1,0\n08:15,2,1\n", times=("t",)).keys["t"].tolist() == [9.5, 8.25]


@pytest.mark.parametrize("name", ["t.parquet", "t.pq", "t.parq", "t.parquet.gzip"])
def test_parquet_as_pandas_writes_it(tmp_path: Path, name: str) -> None:
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"a": np.arange(20) * 1.5, "emb": [[1.0, 2.0]] * 20, "price": np.arange(20) * 2.0})
    path = tmp_path / name
    frame.sample(frac=1, random_state=0).to_parquet(path)
    options = TableOptions(columns={"emb": "drop"}, parquet=True)
    raw = load_table(path, options, "regression")
    assert raw.table is not None
    assert (list(columns(raw)), raw.table.targets) == (["a"], ("price",))
    assert raw.table.dropped["__index_level_0__"] == "the index of the DataFrame that was written"
    assert predicted(path, raw).shape == (20, 1)
    roles = {"emb": "drop", "__index_level_0__": "number", "price": "target"}
    named = load_table(path, TableOptions(columns=roles), "regression")
    assert list(columns(named)) == ["a", "__index_level_0__"]
    with pytest.raises(DataError, match="column 'emb' holds values of type list"):
        load_table(path, TableOptions(), "regression")


def test_what_pandas_calls_categories_is_no_number_in_a_parquet_file(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    zones = np.arange(20) % 2 + 1
    frame = pd.DataFrame({"zone": pd.Categorical(zones), "word": pd.Categorical(zones.astype(str)), "y": zones * 1.5})
    frame.to_parquet(tmp_path / "t.parquet")
    raw = load_table(tmp_path / "t.parquet", TableOptions(), "regression")
    assert kinds(raw) == {"zone": "category", "word": "category"}
    assert columns(raw)["zone"].values == columns(raw)["word"].values == ("1", "2")


def test_texts_without_a_common_word_leave_no_input(path: Path) -> None:
    path.write_text("say,y\n" + "".join(f"w{i}a w{i}b w{i}c,{i % 2}\n" for i in range(60)))
    space = {
        "name": "x", "model": {"family": "mlp", "layers": 1, "units": 4}, "training": {"epochs": 1},
        "data": {"source": {"csv": str(path)}},
    }  # fmt: skip
    with pytest.raises(DataError, match=r"no input is left: the texts of 'say' have no words in common"):
        spaces.load_data(spaces.load(space))


@pytest.mark.parametrize("classes", [("3G", "4G", "5G"), ("10%", "20%", "30%"), ("$1", "$2", "$3")])
def test_classes_may_all_have_the_same_sign(path: Path, classes: tuple[str, ...]) -> None:
    raw = read(path, "x,y\n" + "".join(f"{i},{classes[i % 3]}\n" for i in range(30)))
    assert sorted(set(raw.train.y.tolist())) == sorted(classes)


def test_a_mark_that_some_rows_have_and_others_lack_is_not_constant(path: Path) -> None:
    found = columns(read(path, "flag,one,y\n" + "".join(f"{'Y' * (i % 2)},{'1' * (i % 2)},{i}\n" for i in range(40))))
    assert (found["flag"].notes, found["one"].notes) == ((), ())
    assert (found["flag"].missing, found["one"].missing) == (20, 20)


def test_lines_of_blanks_count_as_lines_and_are_no_rows(path: Path) -> None:
    rows = [f"{i}.5,{i % 2}" for i in range(20)]
    rows[9:9], rows[18:18] = ["   "], ["\t", ""]
    wrong = "\n".join(["v,y", *rows, "x,1"])
    line = wrong.splitlines().index("x,1") + 1
    with pytest.raises(DataError, match=rf"1 cells that are none \(1 'x'\), the first in line {line};"):
        read(path, wrong)


@pytest.mark.parametrize(
    ("written", "given"),
    [
        ("utf-16-le", "utf-16"),
        ("utf-16-be", "utf-16"),
        ("utf-16", "utf-16-le"),
        ("utf-16", "utf-16"),
        ("utf-32-le", "utf-32"),
        ("utf-8-sig", "utf-8"),
    ],
)
def test_a_given_encoding_holds_with_and_without_a_mark_of_the_byte_order(path: Path, written: str, given: str) -> None:
    assert kinds(read(path, TABLE.encode(written), encoding=given)) == {
        "age": "number", "town": "category", "member": "boolean",
    }  # fmt: skip


def test_an_encoding_that_the_file_is_not_in_is_refused(path: Path) -> None:
    with pytest.raises(DataError, match=r"is not text in utf-16|one column only|holds no rows"):
        read(path, TABLE, encoding="utf-16")


def test_the_index_that_pandas_writes_is_left_out(path: Path) -> None:
    frame = pd.DataFrame({"a": np.arange(30) * 1.5, "y": [0, 1] * 15}).sample(frac=1, random_state=0)
    frame.iloc[:20].to_csv(path)
    raw = load_table(path, TableOptions())
    assert raw.table is not None
    assert (list(columns(raw)), raw.table.dropped) == (
        ["a"], {"Unnamed: 0": "the index of the DataFrame that was written"},
    )  # fmt: skip
    frame.iloc[20:].to_csv(path, index=False)
    assert predicted(path, raw).shape == (10, 1)
    frame.to_csv(path)
    assert predicted(path, raw).shape == (30, 1)
    named = load_table(path, TableOptions(columns={"Unnamed: 0": "number"}))
    assert list(columns(named)) == ["Unnamed: 0", "a"]
    # Numbers that come again number no rows.
    assert list(columns(read(path, ",a,y\n" + "1,2,0\n1,3,1\n" * 10))) == ["Unnamed: 0", "a"]


def test_groups_have_names_without_blanks_around_them(path: Path) -> None:
    raw = read(path, "g,x,y\n" + "".join(f"{'AB'[i % 2]}{' ' * (i % 3)},{i},0\n" for i in range(12)), groups=("g",))
    assert len(set(raw.keys["g"].tolist())) == 2
    with pytest.raises(DataError, match=r"'g' says which rows .* no group in 2 of them, the first in line 3;"):
        read(path, "g,x,y\nA,1,0\n,2,0\n?,3,1\nB,4,1\n", groups=("g",))


def test_a_cell_that_says_there_is_nothing_is_no_label(path: Path) -> None:
    content = "x,y\n" + "1,red;blue\n2,NA\n3,blue\n4,none\n5,\n6,green;none\n" * 4
    raw = read(path, content, labels_apart=";", target="y")
    assert raw.class_names == ("blue", "green", "none", "red")
    assert raw.train.y[:6].sum(axis=1).tolist() == [2, 0, 1, 0, 0, 2]
    assert raw.table is not None
    assert raw.table.notes == (
        "target column 'y': cells that say there is nothing (4 'NA', 4 'none') are rows without a label",
    )


def test_cells_that_are_no_dates_are_counted_by_rows(path: Path) -> None:
    days = "".join(f"2020-01-{i + 1:02},0\n" for i in range(25))
    found = columns(read(path, "d,y\n" + days + "soon,1\n" * 6, columns={"d": "date"}))
    assert found["d"].notes == ("6 cells that are no dates taken as missing",)


def test_a_weight_that_is_no_number_is_shown(path: Path) -> None:
    options = {"columns": {"w": "weight"}, "target": "y"}
    with pytest.raises(DataError, match="weight column 'w' holds heavy in line 3; weights are 0 or more"):
        read(path, "x,w,y\n1,1,0\n2,heavy,1\n", **options)
    with pytest.raises(DataError, match="weight column 'w' is empty in line 3"):
        read(path, "x,w,y\n1,1,0\n2,,1\n", **options)


def test_a_cell_may_be_as_long_as_a_line(path: Path) -> None:
    path.write_text("note,y\n" + "".join(f'"{"word " * (40_000 if i == 1 else 1)}",{i % 2}\n' for i in range(60)))
    cells = read_cells(path)
    assert cells.names == ("note", "y")
    assert cells.place(3) == "line 5"
    path.write_text(path.read_text() + '"' + "word\n" * 300_000 + '",1\n"",0\n')
    assert read_cells(path).place(61) == "row 61", "only pandas reads lines beyond it"


def test_names_of_many_columns_are_put_together_once(path: Path) -> None:
    path.write_text(TABLE)
    cells = read_cells(path)
    assert cells.names is cells.names, "they are asked for once for each column"
