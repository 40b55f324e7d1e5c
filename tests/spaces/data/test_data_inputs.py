import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from spaces.basics.errors import DataError
from spaces.data import DataInfo
from spaces.data.inputs import read_image, read_rows
from spaces.data.readers.folder import list_images, load_folder

RGB = DataInfo("image", (20, 30, 3), "uint8", "classification", "integer", 2, ("a", "b"), resized=True, white=255.0)
GRAY = dataclasses.replace(RGB, input_shape=(8, 8), resized=False)
DIGITS = dataclasses.replace(GRAY, white=16.0, scale=1 / 16)
COLUMNS = DataInfo(
    "tabular",
    (4,),
    "float32",
    "classification",
    "integer",
    2,
    ("a", "b"),
    columns=("age", "code", "height"),
    categories={"code": ("01", "x")},
)


def test_training_photographs_give_the_pixels_that_training_saw(some_photographs: Path) -> None:
    raw = load_folder(some_photographs, 7, (50, 70), "auto")
    info = dataclasses.replace(RGB, input_shape=(50, 70, 3), antialias=True)
    order = np.arange(60)
    np.random.RandomState(7).shuffle(order)
    files = list_images(some_photographs).files
    for place in (0, 1, 2, 30, 59):
        np.testing.assert_array_equal(read_image(files[order[place]], info), raw.train.x[place])


def gradient(mode: str) -> Image.Image:
    return Image.fromarray(np.arange(0, 250, 2, dtype=np.uint8).reshape(5, 25)).convert("RGB").convert(mode)


@pytest.mark.parametrize(
    ("mode", "ending"),
    [("RGB", "png"), ("RGBA", "png"), ("P", "png"), ("L", "png"), ("1", "png"), ("CMYK", "jpg"), ("L", "jpg"),
     ("P", "gif"), ("RGB", "bmp"), ("RGB", "tiff"), ("CMYK", "tiff"), ("RGB", "webp"), ("L", "bmp")],
)  # fmt: skip
@pytest.mark.parametrize("info", [RGB, GRAY])
def test_every_size_and_mode(tmp_path: Path, mode: str, ending: str, info: DataInfo) -> None:
    path = tmp_path / f"image.{ending}"
    gradient(mode).save(path)
    row = read_image(path, info)
    assert row.shape == info.input_shape
    assert row.dtype == np.uint8
    assert row[0, 0].mean() < row[-1, -1].mean()


def test_orientation_tag_is_not_applied_as_in_keras(tmp_path: Path) -> None:
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[:, :15] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # rotated by 180 degrees
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", RGB), pixels)


def test_image_of_the_right_size_is_taken_pixel_by_pixel(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png", GRAY), pixels)


def test_white_becomes_white(tmp_path: Path) -> None:
    digit = np.random.default_rng(0).integers(0, 17, (8, 8), np.uint8)
    Image.fromarray((digit * 255.0 / 16).astype(np.uint8)).save(tmp_path / "digit.png")
    np.testing.assert_array_equal(read_image(tmp_path / "digit.png", DIGITS), digit)
    unit = dataclasses.replace(GRAY, white=1.0, dtype="float32")
    np.testing.assert_allclose(read_image(tmp_path / "digit.png", unit), digit / 16, atol=1 / 255)


def test_shrinking_averages_where_training_did_not_resize(tmp_path: Path) -> None:
    stripes = np.tile(np.isin(np.arange(64) % 8, (3, 4)), (64, 1))  # what sampling without averaging would hit
    Image.fromarray((stripes * 255).astype(np.uint8)).save(tmp_path / "stripes.png")
    assert read_image(tmp_path / "stripes.png", GRAY).mean() < 128
    gray = dataclasses.replace(GRAY, resized=True)
    assert read_image(tmp_path / "stripes.png", gray).min() == 255


def test_files_that_are_no_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_image(tmp_path / "absent.png", RGB)
    (tmp_path / "text.png").write_text("text")
    with pytest.raises(DataError, match=r"text.png: is not a readable image"):
        read_image(tmp_path / "text.png", RGB)
    gradient("RGB").save(tmp_path / "torn.png")
    (tmp_path / "torn.png").write_bytes((tmp_path / "torn.png").read_bytes()[:-30])
    with pytest.raises(DataError, match=r"torn.png: is not a readable image"):
        read_image(tmp_path / "torn.png", RGB)


def test_image_for_a_model_of_columns(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="takes rows of 4 columns"):
        read_image(tmp_path / "a.png", COLUMNS)
    with pytest.raises(DataError, match="the model takes 7"):
        read_image(tmp_path / "a.png", dataclasses.replace(RGB, input_shape=(4, 4, 7)))


@pytest.mark.parametrize("shape", [(5, 8, 8), (8, 8), (5, 64)])
def test_npy_rows_in_every_layout(tmp_path: Path, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(0).integers(0, 256, shape)
    np.save(tmp_path / "rows.npy", values)
    rows = read_rows(tmp_path / "rows.npy", GRAY)
    assert rows.dtype == np.uint8
    np.testing.assert_array_equal(rows, values.reshape(-1, 8, 8))


def test_csv_rows_by_column_name(tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("height,comment,code,age\n1.5,,01,30\n2,hello,01,40\n")
    np.testing.assert_array_equal(read_rows(path, COLUMNS), [[30, 1, 0, 1.5], [40, 1, 0, 2]])


def test_a_category_that_training_never_saw_does_not_fail_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("age,code,height\n30,z,1\n40,x,2\n")
    np.testing.assert_array_equal(read_rows(path, COLUMNS)[:, 1:3].sum(axis=1) <= 1, True)
    assert read_rows(path, COLUMNS)[0, 1:3].tolist() == [0, 0]


def test_csv_rows_by_position(tmp_path: Path) -> None:
    info = dataclasses.replace(COLUMNS, columns=(), categories={})
    path = tmp_path / "new.csv"
    for header in ("", "a,b,c,d\n"):
        path.write_text(header + "1,2,3,4\n5,6,7,8\n")
        np.testing.assert_array_equal(read_rows(path, info), [[1, 2, 3, 4], [5, 6, 7, 8]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("age,code\n30,x\n", "no column 'height'"),
        ("age,code,height\nold,x,1\n", "line 2, column 'age' holds text"),
        ("age,code,height\ninf,x,1\n", "line 2, column 'age' holds text"),
        ("age,code,height\n1e39,x,1\n", "line 2, column 'age' holds a number too large for float32"),
    ],
)
def test_csv_rows_that_do_not_fit(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "new.csv").write_text(text)
    with pytest.raises(DataError, match=message):
        read_rows(tmp_path / "new.csv", COLUMNS)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.full((2, 8, 8), 256), "row 0 has values that are no whole numbers from 0 to 255"),
        (np.full((2, 8, 8), 0.5), "no whole numbers"),
        (np.full((2, 8, 8), np.nan), "no whole numbers"),
        (np.zeros((2, 9, 8)), r"has shape \(2, 9, 8\), the model takes rows of shape \(8, 8\)"),
        (np.zeros((0, 8, 8)), "has shape"),
        (np.array(["a"]), "values of type <U1"),
    ],
)
def test_npy_rows_that_do_not_fit(tmp_path: Path, values: np.ndarray, message: str) -> None:
    np.save(tmp_path / "rows.npy", values)
    with pytest.raises(DataError, match=message):
        read_rows(tmp_path / "rows.npy", GRAY)


@pytest.mark.parametrize(
    "names", [("x",), ("x", "y"), ("x_test", "y_test", "x_train", "y_train"), ("X_test", "x"), ("arr_0",)]
)
def test_npz_rows_are_those_of_the_test_part_or_x(tmp_path: Path, names: tuple[str, ...]) -> None:
    rows = np.arange(128, dtype=np.uint8).reshape(2, 8, 8)
    others = dict.fromkeys(names[1:], np.zeros(2, np.uint8))
    np.savez(tmp_path / "rows.npz", **{names[0]: rows, **others})
    np.testing.assert_array_equal(read_rows(tmp_path / "rows.npz", GRAY), rows)


def test_npz_rows_that_could_be_several_arrays_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "rows.npz", x_train=np.zeros((2, 8, 8)), y_train=np.zeros(2))
    with pytest.raises(DataError, match=r"rows\.npz: holds x_train, y_train; expected the rows as x_test, as x, or as"):
        read_rows(tmp_path / "rows.npz", GRAY)
    (tmp_path / "rows.npz").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"rows\.npz: damaged, or no \.npz file"):
        read_rows(tmp_path / "rows.npz", GRAY)


def test_npy_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="No such file"):
        read_rows(tmp_path / "absent.npy", GRAY)
    np.save(tmp_path / "objects.npy", np.array([{}], object))
    with pytest.raises(DataError, match="Python objects"):
        read_rows(tmp_path / "objects.npy", GRAY)


@pytest.mark.parametrize("ending", ["png", "tiff"])
def test_of_sixteen_bits_the_upper_half_counts(tmp_path: Path, ending: str) -> None:
    deep = np.linspace(0, 2**16 - 1, 64).astype(np.uint16).reshape(8, 8)
    Image.fromarray(deep).save(tmp_path / f"deep.{ending}")
    np.testing.assert_array_equal(read_image(tmp_path / f"deep.{ending}", GRAY), deep >> 8)


@pytest.mark.parametrize("kind", [np.float32, np.int32])
def test_pixels_of_no_known_white_are_refused(tmp_path: Path, kind: type) -> None:
    Image.fromarray(np.ones((8, 8), kind)).save(tmp_path / "scan.tiff")
    with pytest.raises(DataError, match=r"scan.tiff: is not a readable image \(its pixels have 32 bits"):
        read_image(tmp_path / "scan.tiff", GRAY)


def test_a_model_of_rows_without_a_known_white_takes_no_pictures(tmp_path: Path) -> None:
    gradient("L").save(tmp_path / "a.png")
    with pytest.raises(DataError, match=r"a.png: is an image of pixels from 0 to 255; the model was trained on"):
        read_image(tmp_path / "a.png", dataclasses.replace(GRAY, dtype="float32", white=None))
