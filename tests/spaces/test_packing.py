"""Rows of several arrays as rows of bytes, and back. No TensorFlow is needed for that."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import spaces
from results.predicting.inputs import held
from spaces.basics.errors import DataError
from spaces.data.readers import memory
from spaces.data.readers.python import load_python
from spaces.data.stored import StoredRows
from spaces.data.stored import rows as stored
from spaces.data.stored.store import RowStore
from spaces.data.types import DataInfo
from spaces.models.outputs import as_targets
from spaces.outside.given import keep_data
from spaces.specs.objects import with_references
from spaces.values.packing import flat, is_structure, pack_inputs, pack_targets, single, unpack_inputs

IMAGES = np.arange(5 * 4, dtype=np.uint8).reshape(5, 2, 2)
AGES = np.linspace(0, 1, 5)
CODES = np.array([1, 2**30, 3, 4, 5])
X = {"image": IMAGES, "age": AGES, "code": CODES}


def test_every_value_comes_back_in_its_type():
    rows, structure = pack_inputs(X, "data")
    assert (rows.dtype, rows.shape) == (np.uint8, (5, 4 + 4 + 4))
    back = unpack_inputs(rows[::-1], structure)
    np.testing.assert_array_equal(back["image"], IMAGES[::-1])
    np.testing.assert_array_equal(back["code"], CODES[::-1])
    np.testing.assert_allclose(back["age"], AGES[::-1])
    assert {name: str(part.dtype) for name, part in back.items()} == {
        "image": "uint8", "age": "float32", "code": "int32",
    }  # fmt: skip
    rows, structure = pack_inputs([IMAGES, AGES], "data")
    assert [part.shape for part in unpack_inputs(rows, structure)] == [(5, 2, 2), (5,)]


def test_the_order_of_a_files_bytes_changes_no_value():
    given = {"short": np.array([1, 300, -5], ">i2"), "long": np.array([1, 2**30, -5], ">i4")}
    back = unpack_inputs(*pack_inputs(given, "data"))
    for name, values in given.items():
        assert back[name].tolist() == values.tolist()


@pytest.fixture
def lying(tmp_path: Path) -> Any:
    """`lying(form)`: the arrays above, each in a file of its own, opened and not read."""

    def opened(form: str, **changed: np.ndarray) -> dict[str, Any]:
        given, folder = {**X, **changed}, Path(tempfile.mkdtemp(dir=tmp_path))
        if form == "h5py":
            h5py = pytest.importorskip("h5py")
            with h5py.File(folder / "x.h5", "w") as file:
                file.update(given)
            return dict(h5py.File(folder / "x.h5"))
        for name, array in given.items():
            np.save(folder / f"{name}.npy", array)
        return {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in given}

    return opened


@pytest.mark.parametrize("form", ["mapped", "h5py"])
def test_inputs_that_lie_in_files_are_packed_a_few_at_a_time(
    lying: Any, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stored, "_BLOCK", 24)  # two rows
    y = np.array([0, 1, 0, 1, 0])
    expected, structure = pack_inputs(lying(form), "data")
    parts = keep_data(lambda: ((lying(form), y), (lying(form), y)))
    for rows in (lying(form), tuple(lying(form).values())):
        raw = load_python(keep_data(lambda rows=rows: (rows, y)), RowStore(True, tmp_path / "rows"))
        assert isinstance(raw.train.x, StoredRows)
        np.testing.assert_array_equal(raw.train.x[:], expected)
        assert raw.inputs is not None
        assert [piece.dtype for piece in raw.inputs.pieces] == [piece.dtype for piece in structure.pieces]
    both = load_python(parts, RowStore(True, tmp_path / "rows"))
    assert both.test is not None
    np.testing.assert_array_equal(both.test.x[:], both.train.x[:])
    broken = lying(form, age=np.array([0, 1, 2, np.nan, 4]))
    with pytest.raises(DataError, match="input 'age': row 3 holds NaN"):
        load_python(keep_data(lambda: (broken, y)), RowStore(True, tmp_path / "rows"))


def test_inputs_that_lie_in_files_count_as_all_rows_do(lying: Any, monkeypatch: pytest.MonkeyPatch):
    y = np.array([0, 1, 0, 1, 0])
    given = keep_data(lambda: (lying("mapped"), y))
    assert isinstance(load_python(given).train.x, np.ndarray)
    monkeypatch.setattr(memory, "memory_limit", lambda: 50)
    assert isinstance(load_python(given).train.x, StoredRows)
    with pytest.raises(DataError, match="half of the memory"):
        load_python(given, RowStore(False))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": IMAGES, "b": AGES[:3]}, "rows differ in number: a 5, b 3"),
        ({"a": np.array([1.0, np.nan])}, "input 'a': row 1 holds NaN"),
        ({"a": np.array(["x"])}, "input 'a' holds values of type <U1; numbers are expected"),
        ({"a": np.array([2**40])}, "input 'a' has whole numbers that int32 does not hold"),
    ],
)
def test_what_no_model_could_take_is_named(value: Any, message: str):
    with pytest.raises(DataError, match=message):
        pack_inputs(value, "data")
    with pytest.raises(DataError, match="target 'a' has whole numbers above 16777216"):
        pack_targets({"a": np.array([2**25])}, "data")


def test_a_list_of_rows_is_no_list_of_arrays():
    rows = [np.zeros(3), np.ones(3)]
    assert not is_structure(rows, 2)
    assert is_structure([np.zeros((3, 1)), np.zeros((3, 2))], 3)
    assert not is_structure([[1, 2], [3, 4]], 2)
    assert not is_structure(np.zeros((2, 2)), 2)


def test_answers_of_a_dict_are_laid_side_by_side_by_their_names():
    answers = {"b": np.full((2, 1), 2), "a": np.full((2, 2, 1), 1)}
    assert flat(answers).tolist() == [[1, 1, 2], [1, 1, 2]]
    assert flat([answers["b"], answers["a"]]).tolist() == [[2, 1, 1], [2, 1, 1]]
    assert [single(one) for one in ({"a": 1}, [1], 1, None)] == [1, 1, 1, None]
    assert single(answers) is answers


def test_a_function_may_return_dicts_and_lists():
    y = {"class": np.array([0, 1, 0, 1, 0]), "size": AGES}
    raw = load_python(keep_data(lambda: (X, y)))
    assert raw.inputs is not None
    assert raw.targets is not None
    assert raw.inputs.described() == "image (2, 2) uint8, age () float32, code () int32"
    assert [(piece.name, piece.dtype) for piece in raw.targets.pieces] == [("class", "int32"), ("size", "float32")]
    assert (raw.train.x.shape, raw.train.y.shape) == ((5, 12), (5, 2))
    listed = load_python(keep_data(lambda: ([IMAGES, AGES], y["class"])))
    assert (listed.inputs is not None, listed.targets) == (True, None)
    parts = load_python(keep_data(lambda: ((X, y), (X, y))))
    assert parts.test is not None
    with pytest.raises(DataError, match="the parts hold different arrays: age"):
        load_python(keep_data(lambda: ((X, y), ({"age": AGES}, y))))


def test_the_description_of_the_rows_keeps_it():
    rows, inputs = pack_inputs(X, "data")
    _, targets = pack_targets((AGES, CODES % 3), "data")
    info = DataInfo("tabular", rows.shape[1:], "uint8", "regression", "number", 2, inputs=inputs, targets=targets)
    assert DataInfo.from_json(info.to_json()) == info
    earlier = {name: value for name, value in info.to_json().items() if name not in ("inputs", "targets")}
    assert DataInfo.from_json(earlier).inputs is None


def test_families_of_layers_take_one_array():
    spec = spaces.SearchSpec(
        name="several",
        data=(X, np.array([0, 1, 0, 1, 0])),
        model={"family": "mlp", "layers": 1, "units": 4},
        training={"epochs": 1},
    )
    with pytest.raises(DataError, match=r"holds several arrays \(image .*a function of your own"):
        spaces.load_data(spec)


def test_tuples_are_inputs_and_outputs_where_they_can_be_no_parts():
    y = np.array([0, 1, 0, 1, 0])
    inputs = load_python(keep_data(lambda: ((IMAGES, AGES), y)))
    assert inputs.inputs is not None
    assert [piece.shape for piece in inputs.inputs.pieces] == [(2, 2), ()]
    assert inputs.test is None
    targets = load_python(keep_data(lambda: (IMAGES, (y, AGES))))
    assert (targets.inputs, targets.train.y.shape) == (None, (5, 2))
    both = load_python(keep_data(lambda: ((IMAGES, AGES, CODES), (y, AGES))))
    assert both.train.y.shape == (5, 2)
    parts = load_python(keep_data(lambda: ((IMAGES, y), (IMAGES, y))))
    assert parts.test is not None


def test_the_order_of_keys_does_not_count():
    y = np.array([0, 1, 0, 1, 0])
    other = {"age": AGES, "code": CODES, "image": IMAGES}
    raw = load_python(keep_data(lambda: ((X, y), (other, y))))
    assert raw.test is not None
    np.testing.assert_array_equal(raw.train.x, raw.test.x)
    info = DataInfo("tabular", raw.train.x.shape[1:], "uint8", "classification", "integer", 2, inputs=raw.inputs)
    np.testing.assert_array_equal(held(other, info).values, raw.train.x)


def test_a_list_of_one_hot_labels_is_one_target():
    labels = [np.eye(3)[i % 3] for i in range(5)]
    assert load_python(keep_data(lambda: (IMAGES, labels))).train.y.shape == (5, 3)
    assert load_python(keep_data(lambda: ([*IMAGES], labels))).train.x.shape == (5, 2, 2)
    raw = load_python(keep_data(lambda: (X, labels)))
    assert (raw.targets, raw.train.y.shape) == (None, (5, 3))
    two = load_python(keep_data(lambda: ([IMAGES, AGES], [np.eye(5), AGES])))
    assert two.targets is not None


def test_frames_are_inputs():
    import pandas as pd

    y, frame = np.array([0, 1, 0, 1, 0]), pd.DataFrame({"age": AGES, "old": AGES > 0.5})
    raw = load_python(keep_data(lambda: ({"table": frame, "code": pd.Series(CODES)}, pd.DataFrame({"y": y}))))
    assert raw.inputs is not None
    assert raw.inputs.described() == "table (2) float32, code () int32"
    np.testing.assert_allclose(unpack_inputs(raw.train.x, raw.inputs)["table"], frame.astype(np.float32))
    two = load_python(keep_data(lambda: ((frame, frame[["age"]]), y)))
    assert two.inputs is not None
    assert [piece.shape for piece in two.inputs.pieces] == [(2,), (1,)]
    info = DataInfo("tabular", (12,), "uint8", "classification", "integer", 2, inputs=raw.inputs)
    np.testing.assert_array_equal(held({"table": frame, "code": CODES}, info).values, raw.train.x)
    # One for each row is not one for each input.
    assert load_python(keep_data(lambda: ([frame] * 3, [0, 1, 0]))).train.x.shape == (3, 5, 2)
    with pytest.raises(DataError, match=r"x\['a'\] has columns that hold no numbers \('word'\)"):
        load_python(keep_data(lambda: ({"a": pd.DataFrame({"word": ["a", "b"]})}, [0, 1])))


def test_a_mapping_of_several_arrays_by_part_is_no_section_of_a_space():
    data = {"x_train": X, "y_train": {"class": np.array([0, 1, 0, 1, 0]), "size": AGES}}
    reference = with_references({"data": data})["data"]["source"]["python"]
    raw = load_python(reference)
    assert raw.inputs is not None
    assert raw.targets is not None


def test_what_is_masked_is_not_taken_for_a_value():
    masked = np.ma.array([[1.0, -999.0], [2.0, 3.0]], mask=[[0, 1], [0, 0]])
    y = np.array([0, 1])
    assert np.isnan(load_python(keep_data(lambda: (masked, y))).train.x[0, 1])
    with pytest.raises(DataError, match=r"x: what is masked \(row 0\) has no value; fill it"):
        load_python(keep_data(lambda: (masked.astype(int), y)))
    with pytest.raises(DataError, match="input 'a': row 0 holds NaN"):
        pack_inputs({"a": masked}, "data")
    assert load_python(keep_data(lambda: (np.ma.array([[1], [2]]), y))).train.x.tolist() == [[1], [2]]


def several_outputs(y: Any, **data: Any) -> spaces.SearchSpec:
    return spaces.SearchSpec(
        name="several",
        data={"source": (X, y), "validation": 1, "test": "none", **data},
        model={"family": {"python": "mine:build"}},
        training={"epochs": 1, "class_weight": "balanced"},
    )


@pytest.mark.parametrize(
    "y",
    [
        {"kind": np.array([0, 1, 0, 1, 0]), "size": AGES},
        {"mask": np.zeros((5, 2, 2))},
        {"size": np.array([0.5, 1, 2, 3, 4])},
        [np.array([0, 1, 0, 1, 0]), np.array([1, 0, 1, 0, 1])],
    ],
    ids=["two", "masks", "numbers", "list"],
)
def test_classes_of_several_targets_cannot_be_balanced(y: Any) -> None:
    with pytest.raises(
        DataError, match=r"training\.class_weight is for rows of one class each; the targets of these are"
    ):
        spaces.load_data(several_outputs(y))


@pytest.mark.parametrize("y", [np.array([0, 1, 0, 1, 0]), np.eye(2)[[0, 1, 0, 1, 0]]], ids=["numbers", "one-hot"])
def test_those_of_a_single_target_with_a_name_can(y: np.ndarray) -> None:
    assert len(spaces.load_data(several_outputs({"kind": y})).train) == 4


def test_several_arrays_are_told_as_such_where_a_kind_is_asked_for() -> None:
    spec = several_outputs(np.array([0, 1, 0, 1, 0]), kind="series")
    with pytest.raises(DataError, match=r"data\.kind: has no effect: data .*several arrays \(image .*taken as it is"):
        spaces.load_data(spec)


class _Listed:
    output = ("an output", "another")
    output_names = ("price", "age")


@pytest.mark.parametrize(("model", "laid"), [(object(), [3, 1, 2]), (_Listed(), [1, 2, 3])], ids=["dict", "list"])
def test_answers_are_compared_in_the_order_of_the_targets(model: Any, laid: list[int]) -> None:
    y = {"price": np.tile(np.array([1.0, 2.0]), (5, 1)), "age": np.full(5, 3.0)}
    packed, targets = pack_targets(y, "data")
    info = DataInfo("tabular", (2,), "float32", "regression", "number", 3, targets=targets)
    assert as_targets(np.tile(np.array(laid), (5, 1)), info, model).tolist() == packed.tolist()
    others = np.arange(20).reshape(5, 4)
    assert as_targets(others, info, model) is others
