from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spaces.basics.errors import DataError
from spaces.data.labels import encode_labels
from spaces.data.readers.python import load_python
from spaces.data.stored.store import RowStore

Write = Callable[[str], str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(body: str) -> str:
        path = tmp_path / "mine.py"
        path.write_text("import numpy as np\ndef rows():\n    " + body + "\n")
        return f"{path}:rows"

    return written


def test_one_part(write: Write) -> None:
    raw = load_python(write("return np.ones((4, 2)), [0, 1, 0, 1]"))
    assert raw.train.x.shape == (4, 2)
    np.testing.assert_array_equal(raw.train.y, [0, 1, 0, 1])
    assert raw.test is None
    assert raw.name == "rows"


def test_two_parts(write: Write) -> None:
    raw = load_python(write("return (np.ones((4, 2)), np.ones(4)), (np.zeros((3, 2)), np.zeros(3))"))
    assert raw.train.x.shape == (4, 2)
    assert raw.test is not None
    assert raw.test.x.shape == (3, 2)


CLOSED = """import h5py
    with h5py.File({file!r}, "w") as file:
        file["x"], file["y"] = np.ones((4, 2)), [0, 1, 0, 1]
        return file["x"], file["y"]"""
RAISING = """
    class Torn:
        shape, dtype = (4, 2), np.dtype(float)
        def __len__(self):
            return 4
        def __getitem__(self, key):
            raise RuntimeError("torn")
    return {returned}"""


@pytest.mark.parametrize(
    "body", [CLOSED, CLOSED.replace('return file["x"], file["y"]', 'return {{"a": file["x"]}}, [0, 1, 0, 1]')]
)
def test_arrays_of_a_file_that_is_closed(write: Write, tmp_path: Path, body: str) -> None:
    pytest.importorskip("h5py")
    with pytest.raises(DataError, match=r"mine\.py:rows: its arrays cannot be read \(.*must still be open"):
        load_python(write(body.format(file=str(tmp_path / "x.h5"))))


@pytest.mark.parametrize("returned", ["Torn(), [0, 1, 0, 1]", "{'a': Torn()}, [0, 1, 0, 1]"])
def test_what_arrays_raise_when_they_are_read(write: Write, tmp_path: Path, returned: str) -> None:
    with pytest.raises(DataError, match=r"mine\.py:rows: its arrays cannot be read \(RuntimeError: torn\)"):
        load_python(write(RAISING.format(returned=returned)), RowStore(True, tmp_path / "rows"))
    assert list((tmp_path / "rows").iterdir()) == []


def test_three_parts_have_validation_in_the_middle(write: Write) -> None:
    raw = load_python(write("return tuple((np.ones((n, 2)), np.ones(n)) for n in (5, 4, 3))"))
    assert [len(part.x) for part in raw.parts] == [5, 4, 3]


def test_a_dict_of_arrays_by_name(write: Write) -> None:
    raw = load_python(write("return dict(x_train=np.ones((4, 2)), y_train=np.ones(4), X_val=[[1, 2]], y_val=[0])"))
    assert raw.validation is not None
    assert (len(raw.train.x), len(raw.validation.x), raw.test) == (4, 1, None)


def test_an_archive_that_numpy_has_loaded(write: Write, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", x_train=np.ones((4, 2)), y_train=np.ones(4), x_val=[[1, 2]], y_val=[0])
    raw = load_python(write(f"return np.load({str(tmp_path / 'a.npz')!r})"))
    assert raw.validation is not None
    assert (len(raw.train.x), len(raw.validation.x)) == (4, 1)


def test_words_of_an_h5_file_are_labels(write: Write, tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["x"] = np.ones((3, 2))
        file.create_dataset("y", data=["b", "öl", "b"], dtype=h5py.string_dtype())
    body = f"import h5py; return dict(h5py.File({str(tmp_path / 'a.h5')!r}))"
    assert encode_labels(load_python(write(body)), "classification", "auto").class_names == ("b", "öl")


def test_arrays_of_a_dict_that_mean_nothing_are_refused(write: Write) -> None:
    with pytest.raises(DataError, match="weights: no rows or labels by these names"):
        load_python(write("return dict(x=np.ones((4, 2)), y=np.ones(4), weights=np.ones(4))"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return None", "must return .*, returned NoneType"),
        ("return np.ones(3), np.ones(3), np.ones(3)", "returned tuple of length 3"),
        ("return (1, 2), np.ones(3)", "returned tuple of length 2"),
        ("return [[1, 2], [3]], [0, 1]", r"x is no array \(its rows have different shapes, such as \(2,\) and \(1,\);"),
        ("return [np.ones((4, 3)), np.ones((5, 3))], [0, 1]", r"as \(4, 3\) and \(5, 3\); bring series to one length"),
        (
            "return np.array([np.ones(4), np.ones(5)], object), [0, 1]",
            r"such as \(4,\) and \(5,\); bring series to one",
        ),
        ("return [np.ones((4, 3)), np.ones((4, 5))], [0, 1]", r"as \(4, 3\) and \(4, 5\); bring images to one size"),
        ("return [np.ones((4, 3, 3)), np.ones((5, 3, 3))], [0, 1]", r"and \(5, 3, 3\); bring images to one size"),
        ("return np.ones((2, 2)), [[0, 1], [0]]", r"y is no array \(its rows have .* \(2,\) and \(1,\)\)"),
        ("return np.ones((2, 2)), 1", "y is int"),
        ("return np.ones(()), [0, 1]", "x is ndarray, an array is expected$"),
        ("return np.ones((3, 2)), ['a', None, 'b']", "y has no value in row 1; fill it, or leave its rows out"),
        ("return np.ones((3, 2)), np.array([0, 1, np.nan], object)", "y has no value in row 2"),
        ("return [[1, 2], [3, None]], [0, 1]", "x has no value in row 1"),
        ("return np.ones((2, 2)), np.ma.masked_equal([0, 1], 1)", r"rows: y: what is masked \(row 1\) has no value"),
        (
            "from scipy import sparse; return sparse.csr_matrix(np.eye(2)), [0, 1]",
            r"x is csr_matrix, an array is expected; x\.toarray\(\) makes one",
        ),
        ("raise KeyError('secret')", "raised KeyError: 'secret'"),
        ("return 1 +", "importing it raised SyntaxError"),
    ],
)
def test_unusable_function_is_named(write: Write, body: str, message: str) -> None:
    reference = write(body)
    with pytest.raises(DataError, match=message) as caught:
        load_python(reference)
    assert reference in str(caught.value)


@pytest.mark.parametrize(
    "reference", ["/nowhere/mine.py:rows", "no_such_module:rows", "math:no_such_function", "math:pi"]
)
def test_function_that_is_not_there(reference: str) -> None:
    with pytest.raises(DataError, match=reference.partition(":")[0]):
        load_python(reference)
