import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import spaces
from spaces.basics.errors import DataError, SpaceError
from spaces.data import Dataset
from spaces.data.load import _some_of, _with_weights
from spaces.data.readers.source import Part, RawData
from spaces.data.stored.store import RowStore
from spaces.sections.data_section import DataSection

Load = Callable[..., Dataset]
SaveNpz = Callable[..., Path]

RANDOM = np.random.default_rng(0)
X = RANDOM.random((100, 4))
Y = np.arange(100) % 4
IMAGES = RANDOM.integers(0, 256, (100, 5, 6, 3), np.uint8)


def test_rows_keep_their_labels(load: Load, save_npz: SaveNpz) -> None:
    x = Y[:, np.newaxis] * np.ones((1, 3))
    data = load({"npz": str(save_npz(x=x, y=Y + 1))}, validation=0.2, test=0.1)
    assert data.test is not None
    assert [len(part) for part in (data.train, data.validation, data.test)] == [70, 20, 10]
    for part in (data.train, data.validation, data.test):
        np.testing.assert_array_equal(part.x[:, 0], part.y)
        assert part.y.dtype == np.int32
    assert data.info.class_names == ("1", "2", "3", "4")
    assert data.name == "rows"


def test_statistics_come_from_training_rows_only(load: Load, save_npz: SaveNpz) -> None:
    x = X.copy()
    x[:30] = 1000
    data = load({"npz": str(save_npz(x=x, y=np.arange(100) // 30 % 2))}, validation={"first": 30}, test="none")
    assert data.info.kind == "tabular"
    assert data.info.mean == pytest.approx(x[30:].mean(axis=0))
    assert data.info.std == pytest.approx(x[30:].std(axis=0))
    assert data.test is None


def test_rows_of_a_source_of_a_package_count_by_weights_that_are_some(tmp_path: Path) -> None:
    def part(weight: Any, count: int = 3) -> Part:
        return Part(np.zeros((count, 2)), np.zeros(count, int), "rows", weight)

    plain = RawData("rows", "rows", part(None))
    assert _with_weights(plain) is plain
    weighted = _with_weights(RawData("rows", "rows", part(np.array([[0], [1], [2]])), test=part(None, 2)))
    assert [one.weight.tolist() for one in weighted.parts if one.weight is not None] == [[0, 1, 2], [1, 1]]
    held: Any = RowStore(True, tmp_path).whole(np.array([1.0, 2.0, 0.0]), "weights")
    read = _with_weights(RawData("rows", "rows", part(held))).train.weight
    assert isinstance(read, np.ndarray)
    assert read.tolist() == [1, 2, 0]
    for wrong, told in (
        (np.array([1.0, np.nan, 1.0]), "row 1 counts nan; weights are 0 or more"),
        (np.array([1.0, -1.0, 1.0]), "row 1 counts -1; weights are 0 or more"),
        (np.ones(2), r"rows of shape \(3, 2\) but 2 weights"),
        (np.array(["a", "b", "c"]), "cannot say how much each row counts"),
    ):
        with pytest.raises(DataError, match=told):
            _with_weights(RawData("rows", "rows", part(wrong)))


def of_a_function(source: Any, **data: Any) -> spaces.SearchSpec:
    model = {"family": {"python": "nowhere:build"}}
    return spaces.load({"name": "x", "data": {"source": source, **data}, "model": model, "training": {"epochs": 1}})


def test_the_model_of_a_function_gets_rows_as_they_are(save_npz: SaveNpz) -> None:
    images = {"npz": str(save_npz(x=IMAGES, y=Y))}
    data = spaces.load_data(of_a_function(images))
    assert (data.info.scale, data.info.mean, data.info.white) == (None, None, 255)
    assert not any("multiplied" in sentence for sentence in data.understood["prepared"])
    for key, value in (("preprocessing", "standardize"), ("image_size", 4)):
        with pytest.raises(SpaceError, match=rf"data.{key}: has no effect: the model of a function gets the rows as"):
            of_a_function(images, **{key: value})
    begun = spaces.SearchSpec.of_run(
        name="x",
        data={"source": images, "image_size": 4},
        model={"family": {"python": "nowhere:build"}},
        training={"epochs": 1},
    )
    assert spaces.load_data(begun, data.info).info.image_size is None
    columns = spaces.load_data(of_a_function({"npz": str(save_npz(x=X, y=Y))}))
    assert (columns.info.mean, columns.info.std) == (None, None)


def test_files_are_brought_to_one_size_for_the_model_of_a_function(pets: Path) -> None:
    assert of_a_function({"folder": str(pets), "parts": "none"}, image_size=3).data.image_size == (3, 3)


def test_test_part_is_chosen_as_asked(load: Load, save_npz: SaveNpz) -> None:
    path = str(save_npz(x_train=X, y_train=Y, x_test=X[:8] + 1, y_test=Y[:8]))

    def test_rows(**data: Any) -> int | None:
        test = load({"npz": path}, **data).test
        return None if test is None else len(test)

    assert test_rows() == test_rows(test="given") == 8
    assert test_rows(test="none") is None
    assert test_rows(test=0.25) == 25
    assert test_rows(test=12) == 12
    assert test_rows(test={"first": 7}) == 7
    path = str(save_npz(x=X, y=Y))
    assert test_rows() == 20
    with pytest.raises(DataError, match=r"rows.npz: has no test part of its own"):
        load({"npz": path}, test="given")


def test_given_test_rows_do_not_change_the_training_part(load: Load, save_npz: SaveNpz) -> None:
    trains = []
    for test_rows in (10, 50):
        path = save_npz(x_train=X, y_train=Y, x_test=X[:test_rows], y_test=Y[:test_rows])
        trains.append(load({"npz": str(path)}).train.x)
    np.testing.assert_array_equal(*trains)


def test_own_validation_folder_is_used(load: Load, tmp_path: Path) -> None:
    for part, count in (("train", 10), ("validation", 3)):
        for name in "ab":
            (tmp_path / part / name).mkdir(parents=True)
            for number in range(count):
                Image.new("RGB", (4, 4)).save(tmp_path / part / name / f"{number}.png")
    data = load({"folder": str(tmp_path)}, validation=0.5)
    assert data.test is not None
    assert [len(part) for part in (data.train, data.validation, data.test)] == [16, 6, 4]
    assert "validation: 6 images" in data.origin


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """Pictures of two classes, by year in each."""
    for number, name in enumerate(("cat/2020", "cat/2021", "dog/2020", "dog/2021") * 5):
        (tmp_path / "pets" / name).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4)).save(tmp_path / "pets" / name / f"{number}.png")
    return tmp_path / "pets"


def test_folders_are_classes_where_the_file_says_so(load: Load, save_npz: SaveNpz, pets: Path) -> None:
    source = {"folder": str(pets)}
    with pytest.raises(DataError, match=r"with folders .* \(2020, 2021\): cat, dog; .*data.source.parts: none"):
        load(source)
    data = load({**source, "parts": "none"})
    assert data.info.class_names == ("cat", "dog")
    assert data.rows == {"train": 12, "validation": 4, "test": 4}
    with pytest.raises(SpaceError, match=r"data.source.parts: has no effect: only a folder"):
        load({"npz": str(save_npz(x=X, y=Y)), "parts": "none"})


def test_a_run_whose_folders_were_taken_for_classes_goes_on(pets: Path) -> None:
    space = spaces.load("photos-cnn", [f"data.source.folder={pets}"])
    said = spaces.load(space, ["data.source.parts=none"])
    first = spaces.load_data(said)
    assert spaces.load_data(space, first.info).fingerprint == first.fingerprint


def test_a_validation_part_can_be_asked_for(load: Load, save_npz: SaveNpz) -> None:
    x, y = np.arange(40, dtype=np.float32).reshape(20, 2), np.arange(20) % 2
    given = load({"npz": str(save_npz(x_train=x, y_train=y, x_val=x[:6], y_val=y[:6]))}, validation="given")
    np.testing.assert_array_equal(given.validation.x, x[:6])
    with pytest.raises(DataError, match="has no validation part of its own"):
        load({"npz": str(save_npz(x=x, y=y))}, validation="given")


def test_photographs(load: Load, some_photographs: Path) -> None:
    data = load({"folder": str(some_photographs)}, image_size=[40, 60], validation=0.1, test=0.1, seed=123)
    assert data.test is not None
    assert [len(part) for part in (data.train, data.validation, data.test)] == [48, 6, 6]
    assert data.info.class_names == ("daisy", "dandelion", "roses", "sunflowers", "tulips")
    assert (data.info.input_shape, data.info.image_size, data.info.resized) == ((40, 60, 3), (40, 60), True)
    assert data.train.x.base is data.test.x.base  # views of one array


def test_csv_standardizes_numbers_and_leaves_indicators(load: Load, tmp_path: Path) -> None:
    path = tmp_path / "houses.csv"
    rows = "".join(f"{i % 7},{'north' if i % 3 else 'south'},{i / 2}\n" for i in range(60))
    path.write_text("rooms,side,price\n" + rows)
    data = load({"csv": str(path), "target": "price"}, loss="mse")
    assert data.info.task == "regression"
    assert (data.info.outputs, data.info.input_shape, data.info.columns) == (1, (3,), ("rooms", "side"))
    assert data.info.categories == {"side": ("north", "south")}
    assert data.info.mean is not None
    assert data.info.mean[1:] == (0, 0)
    assert data.info.std is not None
    assert data.info.std[1:] == (1, 1)
    assert data.train.y.dtype == np.float32


def test_metrics_may_ask_for_regression(load: Load, save_npz: SaveNpz) -> None:
    path = str(save_npz(x=X, y=X[:, 0]))
    assert load({"npz": path}, metrics=["mae"]).info.task == "regression"
    with pytest.raises(DataError, match=r"for regression set training.loss"):
        load({"npz": path})


def test_limit_reduces_training_rows_only(load: Load, save_npz: SaveNpz) -> None:
    path = str(save_npz(x=X, y=Y))
    full, limited = load({"npz": path}), load({"npz": path}, limit=12)
    assert np.bincount(limited.train.y).tolist() == [3, 3, 3, 3]
    np.testing.assert_array_equal(limited.validation.x, full.validation.x)
    assert {tuple(row) for row in limited.train.x} <= {tuple(row) for row in full.train.x}


@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize("folds", [False, True])
def test_a_limit_leaves_rare_classes_though_rows_are_drawn_at_random(
    load: Load, save_npz: SaveNpz, one_hot: bool, folds: bool
) -> None:
    y = np.repeat([0, 1, 2], [90, 5, 5])
    path = str(save_npz(x=X, y=np.eye(3)[y] if one_hot else y))
    data = load({"npz": path}, stratify=False, limit=4, **({"validation": {"folds": 2}} if folds else {}))
    found = np.concatenate([data.train.y, data.validation.y]) if folds else data.train.y
    assert len(found) == 4
    assert set(found.argmax(axis=1) if one_hot else found) == {0, 1, 2}


def test_a_limit_leaves_rows_that_count() -> None:
    weight = (np.arange(100) == 7).astype(np.float32)
    kept = _some_of(DataSection(source="digits"), 5, Part(X, Y, "rows", weight), np.arange(100), labelled=True)
    assert weight[kept].any()
    assert set(Y[kept]) == {0, 1, 2, 3}


def test_class_absent_from_training_is_named(load: Load, save_npz: SaveNpz) -> None:
    y = Y.copy()
    y[y == 3] = 2
    y[:4] = 3
    with pytest.raises(DataError, match=r"rows.npz \(x, y\): no training row of class '3'"):
        load({"npz": str(save_npz(x=X, y=y))}, validation={"first": 10})


def test_image_size_of_columns(load: Load, save_npz: SaveNpz) -> None:
    with pytest.raises(DataError, match=r"data.image_size: .*rows.npz .* holds rows of columns"):
        load({"npz": str(save_npz(x=X, y=Y))}, image_size=32)


SERIES = RANDOM.normal(size=(100, 12, 3))
DENSE: dict[str, Any] = {"family": "mlp", "layers": 0}


def own(**values: Any) -> dict[str, Any]:
    """A space with a baseline that has these values."""
    return {"baselines": [{"name": "own", "values": values}]}


@pytest.mark.parametrize(("x", "what"), [(X, "rows of columns"), (SERIES, "time series")], ids=["table", "series"])
@pytest.mark.parametrize(
    ("sections", "place"),
    [
        ({"model": {**DENSE, "augmentation": {"shift": [0, 0.1]}}}, "model.augmentation"),
        (own(augmentation_flip="none", augmentation_shift=0.1), "baselines.0.values.augmentation_shift"),
    ],
    ids=["space", "baseline"],
)
def test_images_are_changed_where_there_are_any(
    x: np.ndarray, what: str, sections: dict[str, Any], place: str, save_npz: SaveNpz
) -> None:
    source = {"npz": str(save_npz(x=x, y=Y))}
    space = {"name": "x", "data": {"source": source}, "model": DENSE, "training": {"epochs": 1}, **sections}
    with pytest.raises(DataError, match=rf"^{re.escape(place)}: .* holds {what}, no images$"):
        spaces.load_data(spaces.load(space))


@pytest.mark.parametrize("key", ["class_weight", "oversample"])
@pytest.mark.parametrize("in_baseline", [False, True], ids=["space", "baseline"])
def test_several_labels_in_a_row_are_no_classes_to_balance(key: str, in_baseline: bool, save_npz: SaveNpz) -> None:
    asked = {key: "balanced" if key == "class_weight" else True}
    space: dict[str, Any] = {
        "name": "x",
        "data": {"source": {"npz": str(save_npz(x=X, y=(RANDOM.random((100, 3)) > 0.5).astype(np.int32)))}},
        "model": DENSE,
        "training": {"epochs": 1, "loss": "binary_crossentropy", **({} if in_baseline else asked)},
        **(own(**asked) if in_baseline else {}),
    }
    place = f"{'baselines.0.values' if in_baseline else 'training'}.{key}"
    with pytest.raises(DataError, match=rf"{re.escape(place)} is for rows of one class each"):
        spaces.load_data(spaces.load(space))
    if in_baseline:
        # A run of an earlier version goes on: its baseline says by itself that it fails.
        begun = spaces.load_data(spaces.load({**space, "baselines": []}))
        assert spaces.load_data(spaces.load(space), begun.info).fingerprint == begun.fingerprint


@pytest.mark.parametrize("in_baseline", [False, True], ids=["space", "baseline"])
def test_a_functions_model_computes_in_bfloat16_with_pixels_only(
    in_baseline: bool, save_npz: SaveNpz, tmp_path: Path
) -> None:
    (tmp_path / "model.py").write_text("def build(hp): ...")
    asked = {"precision": "bfloat16"}

    def loaded(x: np.ndarray) -> Dataset:
        return spaces.load_data(
            spaces.load({
                "name": "x",
                "data": {"source": {"npz": str(save_npz(x=x, y=Y))}},
                "model": {"family": {"python": f"{tmp_path / 'model.py'}:build"}},
                "training": {"epochs": 1, **({} if in_baseline else asked)},
                **(own(**asked) if in_baseline else {}),
            })
        )  # fmt: skip

    assert loaded(IMAGES).info.kind == "image"
    with pytest.raises(DataError, match=r"precision: .* holds rows of columns, of whose values bfloat16 keeps two or"):
        loaded(X)


def test_images_in_arrays_are_resized_by_the_model(load: Load, save_npz: SaveNpz) -> None:
    info = load({"npz": str(save_npz(x=IMAGES, y=Y))}, image_size=32).info
    assert (info.input_shape, info.image_size, info.resized) == ((5, 6, 3), (32, 32), False)
    assert (info.dtype, info.scale, info.white) == ("uint8", 1 / 255, 255)


def test_fingerprint_tells_data_and_splits_apart(load: Load, save_npz: SaveNpz) -> None:
    def fingerprint(x: np.ndarray = X, y: np.ndarray = Y, **data: Any) -> str:
        return load({"npz": str(save_npz(x=x, y=y))}, **data).fingerprint

    changed_x, changed_y = X.copy(), Y.copy()
    changed_x[50, 2] += 0.1
    changed_y[50] = (changed_y[50] + 1) % 4
    different = [
        fingerprint(),
        fingerprint(changed_x),
        fingerprint(y=changed_y),
        fingerprint(seed=1),
        fingerprint(validation=0.3),
        fingerprint(test="none"),
    ]
    assert fingerprint() == different[0]
    assert len(set(different)) == len(different)


def test_fresh_processes_load_the_same_rows(load: Load, save_npz: SaveNpz) -> None:
    path = save_npz(x=X, y=Y)
    program = f"""
import spaces
space = {{
    "name": "data",
    "data": {{"source": {{"npz": {str(path)!r}}}, "seed": 4}},
    "model": {{"family": "mlp", "layers": 0}},
    "training": {{"optimizer": "sgd", "learning_rate": 0.1, "batch_size": 8, "epochs": 1}},
}}
print(spaces.load_data(spaces.load(space)).fingerprint)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == load({"npz": str(path)}, seed=4).fingerprint
