from pathlib import Path

import numpy as np
import pytest

from spaces.data.csv import load_csv, read_table
from spaces.errors import DataError

TABLE = "age,town,member,price\n30,Bonn,True,1.5\n40,Köln,False,2\n50,Bonn,True,3.25\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


def test_last_column_is_the_target_and_text_is_spread_out(table: Path) -> None:
    raw = load_csv(table, None)
    np.testing.assert_array_equal(raw.train.x, [[30, 1, 0, 1], [40, 0, 1, 0], [50, 1, 0, 1]])
    np.testing.assert_array_equal(raw.train.y, [1.5, 2, 3.25])
    assert raw.train.x.dtype == np.float32
    assert raw.columns == ("age", "town", "member")
    assert raw.categories == {"town": ("Bonn", "Köln")}
    assert raw.indicators is not None
    assert raw.indicators.tolist() == [False, True, True, False]


@pytest.mark.parametrize(
    ("target", "labels"), [("town", ["Bonn", "Köln", "Bonn"]), ("member", ["True", "False", "True"])]
)
def test_target_by_name_may_be_text_or_boolean(table: Path, target: str, labels: list[str]) -> None:
    raw = load_csv(table, target)
    assert raw.train.y.tolist() == labels
    assert target not in raw.columns


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_and_a_byte_order_mark(table: Path, separator: str) -> None:
    expected = load_csv(table, None).train.x
    table.write_text(TABLE.replace(",", separator), encoding="utf-8-sig")
    raw = load_csv(table, None)
    assert raw.columns == ("age", "town", "member")
    np.testing.assert_array_equal(raw.train.x, expected)


def test_cells_are_never_evaluated(tmp_path: Path) -> None:
    path = tmp_path / "formulas.csv"
    path.write_text("a,b\n=1+1,0\n__import__('os').abort(),1\n")
    assert load_csv(path, None).categories == {"a": ("=1+1", "__import__('os').abort()")}


@pytest.mark.parametrize(
    ("content", "target", "message"),
    [
        ("", None, "no readable table"),
        ("a,b\n", None, "holds no rows"),
        ("1,2\n3,4\n", None, "must name the columns"),
        ("a\n1\n", None, "one column only"),
        ("price,size\n1,2\n", "prise", "no column 'prise'; did you mean 'price'"),
        ("a,b\n1,2\n", "zzz", "its columns are a, b"),
        ("a,b\n1,2\n,4\n", None, "1 empty cells, the first in line 3, column 'a'"),
        ("a,b\n1,2\n1,2,3,4\n", None, "no readable table"),
        ("a,b\n1,2,3\n4,5,6\n", None, "more cells than the first line has names"),
        ("a,b\n" + "".join(f"v{i},0\n" for i in range(300)), None, "300 different values"),
        ("\x1f\x8b" + "a,b", None, "is compressed"),
    ],
)
def test_unusable_table_is_named(tmp_path: Path, content: str, target: str | None, message: str) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(DataError, match=message) as caught:
        load_csv(path, target)
    assert str(path) in str(caught.value)


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        load_csv(tmp_path / "absent.csv", None)
    with pytest.raises(DataError, match="cannot be read"):
        load_csv(tmp_path, None)
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"a,b\n\xff\xfe,1\n")
    with pytest.raises(DataError, match="not text in UTF-8"):
        load_csv(binary, None)


def test_header_line_is_optional_where_columns_have_no_names(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("1,2\n3,4\n")
    assert read_table(path, header=False).to_numpy().tolist() == [[1, 2], [3, 4]]
    path.write_text("a,b\n1,2\n")
    assert read_table(path, header=False).to_numpy().tolist() == [[1, 2]]
