import logging
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spaces.basics.errors import DataError
from spaces.data.readers.folder import list_images, load_folder
from spaces.data.stored.store import RowStore


def draw(path: Path, value: int, size: tuple[int, int] = (6, 4), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value if mode == "L" else (value, value // 2, 0)).save(path)


def fill(folder: Path, classes: str = "ab", count: int = 5, mode: str = "RGB") -> Path:
    for number, name in enumerate(classes):
        for image in range(count):
            draw(folder / name / f"{image}.png", 100 * number + image, mode=mode)
    return folder


def load(folder: Path, seed: int = 0, image_size: tuple[int, int] | None = None, color: str = "auto") -> Any:
    return load_folder(folder, seed, image_size, color)


def test_each_row_has_the_label_of_its_folder(tmp_path: Path) -> None:
    raw = load(fill(tmp_path))
    assert raw.class_names == ("a", "b")
    assert raw.train.x.shape == (10, 4, 6, 3)
    assert raw.train.x.dtype == np.uint8
    np.testing.assert_array_equal(raw.train.x[:, 0, 0, 0] // 100, raw.train.y)
    assert sorted(raw.train.x[:, 0, 0, 0].tolist()) == [0, 1, 2, 3, 4, 100, 101, 102, 103, 104]


def test_order_depends_on_the_seed_alone(tmp_path: Path) -> None:
    orders = [load(fill(tmp_path), seed).train.x[:, 0, 0, 0].tolist() for seed in (3, 3, 4)]
    assert orders[0] == orders[1] != orders[2]


def test_training_part_is_that_of_keras(some_photographs: Path) -> None:
    import keras

    training = keras.utils.image_dataset_from_directory(
        some_photographs,
        validation_split=0.2,
        subset="training",
        seed=123,
        image_size=(40, 60),
        batch_size=None,
        verbose=False,
    )
    raw = load(some_photographs, 123, (40, 60))
    places = {str(path): number for number, path in enumerate(training.file_paths)}
    rows = dict(_in_file_order(some_photographs))
    assert len(places) == 48 == len(raw.train.x) - int(0.2 * len(raw.train.x))
    for path, place in places.items():
        assert raw.class_names[raw.train.y[place]] == Path(path).parent.name
    # The pixels are those of Keras too, but for antialiasing, as runs that began without it go on.
    plain = load_folder(some_photographs, 123, (40, 60), "auto", antialias=False)
    for path, place in places.items():
        np.testing.assert_array_equal(plain.train.x[place], rows[path])


def _in_file_order(folder: Path) -> list[tuple[str, np.ndarray]]:
    import keras

    files = keras.utils.image_dataset_from_directory(
        folder, shuffle=False, image_size=(40, 60), batch_size=None, verbose=False
    )
    return [(path, np.rint(x)) for path, (x, _) in zip(files.file_paths, files.as_numpy_iterator(), strict=True)]


def test_given_parts(tmp_path: Path) -> None:
    for name, count in (("train", 4), ("val", 2), ("test", 3)):
        fill(tmp_path / name, count=count)
    raw = load(tmp_path)
    assert (len(raw.train.x), len(raw.validation.x), len(raw.test.x)) == (8, 4, 6)
    assert raw.class_names == ("a", "b")


def test_part_may_lack_a_class_but_not_bring_a_new_one(tmp_path: Path) -> None:
    fill(tmp_path / "train", "abc")
    fill(tmp_path / "test", "c")
    assert load(tmp_path).test.y.tolist() == [2] * 5
    fill(tmp_path / "test", "d")
    with pytest.raises(DataError, match=r"test/d: a class that is absent from .*train"):
        load(tmp_path)


def test_classes_named_like_parts_are_classes(tmp_path: Path) -> None:
    for name in ("train", "plane", "test_plane"):
        draw(tmp_path / name / "1.png", 0)
    assert load(tmp_path).class_names == ("plane", "test_plane", "train")


@pytest.mark.parametrize(
    ("folders", "found"),
    [
        (("train", "test", "extra"), "extra, test, train"),
        (("train", "val", "validation"), "train, val, validation"),
        (("seg_train", "seg_test", "seg_pred"), "seg_pred, seg_test, seg_train"),
        (("trainA", "trainB", "testA"), "testA, trainA, trainB"),
    ],
)
def test_parts_beside_other_folders(tmp_path: Path, folders: tuple[str, ...], found: str) -> None:
    for name in folders:
        fill(tmp_path / name)
    with pytest.raises(DataError, match=f"and no others, found {found}"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("mode", "color", "channels"), [("L", "auto", 1), ("RGB", "auto", 3), ("L", "rgb", 3), ("RGB", "grayscale", 1)]
)
def test_channels(tmp_path: Path, mode: str, color: str, channels: int) -> None:
    assert load(fill(tmp_path, mode=mode), color=color).train.x.shape[3] == channels


def test_sizes_that_differ_ask_for_image_size(tmp_path: Path) -> None:
    fill(tmp_path)
    draw(tmp_path / "a" / "wide.png", 0, (60, 4))
    with pytest.raises(DataError, match=r"2 different sizes \(4x6 to 4x60\); set data.image_size"):
        load(tmp_path)
    assert load(tmp_path, image_size=(8, 9)).train.x.shape == (11, 8, 9, 3)


def test_other_files_are_left_out_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill(tmp_path)
    (tmp_path / "LICENSE.txt").write_text("free")
    (tmp_path / "a" / ".hidden").write_text("")
    (tmp_path / ".cache").mkdir()
    with caplog.at_level(logging.WARNING):
        load(tmp_path)
        assert not caplog.records
        (tmp_path / "a" / "notes.txt").write_text("")
        (tmp_path / "c.jpg").write_text("")
        assert len(load(tmp_path).train.x) == 10
    assert f"{tmp_path}: 1 images beside the class folders are left out" in caplog.text
    assert f"{tmp_path / 'a'}: 1 files are no images" in caplog.text


def test_unreadable_images_are_named(some_photographs: Path, tmp_path: Path) -> None:
    good = sorted((some_photographs / "roses").iterdir())[0]
    bad = some_photographs / "roses" / "0.jpg"
    bad.write_text("no image")
    with pytest.raises(DataError, match=r"roses/0.jpg: is not a readable image"):
        load(some_photographs, image_size=(20, 20))
    content = good.read_bytes()
    bad.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"roses/0.jpg: is not a readable image \(.+\)") as caught:
        load(some_photographs, image_size=(20, 20))
    assert "{{" not in str(caught.value)
    assert "\n" not in str(caught.value)
    bad.unlink()
    bad.symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"roses/0.jpg: is not a readable image \(.*No such file"):
        load(some_photographs, image_size=(20, 20))


def test_folders_without_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent: no such folder"):
        load(tmp_path / "absent")
    with pytest.raises(DataError, match="aaa: cannot be read: File name too long"):
        load(tmp_path / ("a" * 300))
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="file: is a file"):
        load(tmp_path / "file")
    with pytest.raises(DataError, match="holds no class folders"):
        load(tmp_path)
    fill(tmp_path)
    shutil.rmtree(tmp_path / "b")
    (tmp_path / "b").mkdir()
    with pytest.raises(DataError, match="b: holds no image"):
        load(tmp_path)


def test_size_of_all_images_is_checked_before_they_are_read(tmp_path: Path) -> None:
    huge = fill(tmp_path)
    with pytest.raises(DataError, match=r"its rows take 30720.0 GiB on the disk, .* GiB are free"):
        load(huge, image_size=(2**20, 2**20))
    with pytest.raises(DataError, match="of the memory"):
        load_folder(huge, 0, (2**20, 2**20), "auto", store=RowStore(False))


@pytest.mark.parametrize(
    ("train", "validation", "test"),
    [
        ("Training", None, "Testing"),
        ("Train", "Valid", "Test"),
        ("train_set", "VALIDATION", None),
        ("trainset", None, "testset"),
        ("traindata", "valdata", "TestData"),
        ("train", "valset", "testset"),
        ("trainval", None, "test"),
        ("train_val", None, "test"),
        ("train", "vals", "hold-out"),
        ("Train", None, "Held out"),
        ("train", None, "HoldOut"),
        ("Train", None, "Tests"),
        ("train", None, "unseen"),
        ("seg_trainset", None, "seg_testset"),
    ],
)
def test_parts_are_known_in_any_usual_spelling(
    tmp_path: Path, train: str, validation: str | None, test: str | None
) -> None:
    counts = {train: 4, validation: 3, test: 2}
    for name, count in counts.items():
        if name is not None:
            fill(tmp_path / name, count=count)
    raw = load(tmp_path)
    assert raw.class_names == ("a", "b")
    assert len(raw.train.x) == 8
    for name, part in ((validation, raw.validation), (test, raw.test)):
        assert (part is None) is (name is None)
        assert part is None or len(part.x) == 2 * counts[name]


@pytest.mark.parametrize(
    ("files", "inner", "outer"),
    [
        (("train/cat", "train/dog", "dev_test/cat", "dev_test/dog"), "cat, dog", "dev_test, train"),
        (("development/cat", "development/dog", "test/cat", "test/dog"), "cat, dog", "development, test"),
        (("development/cat", "development/dog", "test"), "cat, dog", "development"),
        (("train/cat", "train/dog", "spare"), "cat, dog", "train"),
        (("learning/cat", "learning/dog", "exam/cat"), "cat", "exam, learning"),
        (("cat/train", "cat/test", "dog/train", "dog/test"), "test, train", "cat, dog"),
        (("cat", "cat/testset", "dog", "dog/testset"), "testset", "cat, dog"),
    ],
)
def test_what_may_be_parts_is_not_taken_for_classes_in_silence(
    tmp_path: Path, files: tuple[str, ...], inner: str, outer: str
) -> None:
    for name in files:
        draw(tmp_path / name / "1.png", 0)
    message = rf"taken for classes, but with folders of images in them \({inner}\): {outer}; .*data.source.parts: none"
    with pytest.raises(DataError, match=message):
        load(tmp_path)
    expected = tuple(sorted({name.partition("/")[0] for name in files}))
    assert load_folder(tmp_path, 0, None, "auto", parts="none").class_names == expected
    assert load_folder(tmp_path, 0, None, "auto", begun=True).class_names == expected, "a run goes on as it began"


@pytest.mark.parametrize(
    "files",
    [
        ("cat/images", "dog/images"),
        ("cat/images", "dog/images", "dog"),
        ("cat/indoors", "cat/outdoors", "dog/kennel", "dog"),
        ("cat/london/2021", "dog/paris/2021", "train"),
    ],
)
def test_folders_in_classes_that_tell_nothing_apart_are_fine(tmp_path: Path, files: tuple[str, ...]) -> None:
    for name in files:
        draw(tmp_path / name / "1.png", 0)
    raw = load(tmp_path)
    assert raw.class_names == tuple(sorted({name.partition("/")[0] for name in files}))
    assert len(raw.train.x) == len(files)


def test_folders_with_the_names_of_parts_may_be_said_to_be_classes(tmp_path: Path) -> None:
    for name in ("train", "test", "tram"):
        fill(tmp_path / name, count=1)
    with pytest.raises(DataError, match=r"data.source.parts: none"):
        load(tmp_path)
    assert load_folder(tmp_path, 0, None, "auto", parts="none").class_names == ("test", "train", "tram")


@pytest.mark.parametrize(
    ("train", "other"),
    [
        ("seg_train", "seg_test"),
        ("train2017", "val2017"),
        ("01_train", "02_test"),
        ("train", "my_eval"),
        ("cats_train", "dev"),
    ],
)
def test_parts_may_have_another_word_in_their_names(tmp_path: Path, train: str, other: str) -> None:
    fill(tmp_path / train)
    fill(tmp_path / other, count=2)
    raw = load(tmp_path)
    assert raw.class_names == ("a", "b")
    held = raw.test or raw.validation
    assert (len(raw.train.x), len(held.x)) == (10, 4)


def test_parts_without_one_for_training_are_no_classes(tmp_path: Path) -> None:
    for name in ("Testing", "Val"):
        fill(tmp_path / name)
    with pytest.raises(DataError, match="found the folders Testing, Val, but none for training"):
        load(tmp_path)


def test_what_an_archive_was_packed_in_is_looked_through(tmp_path: Path) -> None:
    fill(tmp_path / "photos" / "Train" / "Train")
    fill(tmp_path / "photos" / "Test" / "Test", count=2)
    raw = load(tmp_path)
    assert (len(raw.train.x), len(raw.test.x)) == (10, 4)


def test_images_to_be_named_by_the_model_are_no_test_part(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill(tmp_path / "train")
    draw(tmp_path / "test" / "1.png", 0)
    assert load(tmp_path).test is None
    assert "test: left out, its images are in no class folders" in caplog.text


def test_links_within_classes_are_followed_once(tmp_path: Path) -> None:
    folder = fill(tmp_path / "photos")
    draw(tmp_path / "elsewhere" / "9.png", 9)
    for name, target in (
        ("again", tmp_path / "elsewhere"),
        ("linked", tmp_path / "elsewhere"),
        ("round", folder),
        ("itself", folder / "a"),
    ):
        (folder / "a" / name).symlink_to(target, target_is_directory=True)
    raw = load(folder)
    assert sorted(raw.train.x[raw.train.y == 0][:, 0, 0, 0].tolist()) == [0, 1, 2, 3, 4, 9]
    assert len(raw.train.x) == 11


def test_a_class_that_leads_nowhere_is_told(tmp_path: Path) -> None:
    (fill(tmp_path) / "c").symlink_to(tmp_path / "unmounted")
    with pytest.raises(DataError, match=r"/c: is a link that leads nowhere: .*; it may stand for a folder of images"):
        list_images(tmp_path)


def test_what_is_there_without_a_link_keeps_its_name(tmp_path: Path) -> None:
    folder = fill(tmp_path / "photos")
    draw(folder / "a" / "there" / "9.png", 9)
    (folder / "a" / "copy").symlink_to(folder / "a" / "there", target_is_directory=True)
    files = list_images(folder).files
    assert [file for file in files if file.endswith("9.png")] == [str(folder / "a" / "there" / "9.png")]


def test_a_name_that_is_no_text_is_a_name(tmp_path: Path) -> None:
    folder = fill(tmp_path)
    draw(folder / "a" / "cafe.png", 9)
    os.rename(folder / "a" / "cafe.png", os.fsencode(folder / "a") + b"/caf\xe9.png")
    raw = load(folder)
    assert 9 in raw.train.x[raw.train.y == 0][:, 0, 0, 0]
    draw(folder / "b" / "cafe.png", 9)
    broken = os.fsencode(folder / "b") + b"/caf\xe9.png"
    os.rename(folder / "b" / "cafe.png", broken)
    with open(broken, "wb") as stream:
        stream.write(b"no picture")
    with pytest.raises(DataError, match=r"caf\\udce9\.png: is not a readable image"):
        load(folder)


def test_what_systems_leave_behind_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fill(tmp_path)
    for name in ("a/._0.png", "a/.DS_Store", "b/Thumbs.db", "b/desktop.ini", "__MACOSX/a/._0.png", "b/@eaDir/0.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"\0\5\x16\7")
    assert len(load(tmp_path).train.x) == 10
    assert not caplog.records


@pytest.fixture
def partly_broken(tmp_path: Path) -> Path:
    """Ten images, three of them broken, each in its own way."""
    fill(tmp_path)
    (tmp_path / "a" / "1.png").write_bytes(b"")
    (tmp_path / "a" / "3.png").write_text("no image")
    Image.effect_noise((6, 4), 90).convert("RGB").resize((60, 40)).save(tmp_path / "b" / "2.jpg")
    whole = (tmp_path / "b" / "2.jpg").read_bytes()
    (tmp_path / "b" / "2.jpg").write_bytes(whole[: len(whole) * 2 // 3])
    return tmp_path


def test_all_broken_images_are_named_at_once(partly_broken: Path) -> None:
    with pytest.raises(
        DataError, match=r"3 of 11 files are no readable images: a/1.png \(it is empty\); a/3.png; b/2.jpg"
    ):
        load(partly_broken, image_size=(4, 6))


def test_of_many_broken_images_the_first_are_named_and_the_rest_counted(tmp_path: Path) -> None:
    fill(tmp_path)
    for number in range(33):
        (tmp_path / "b" / f"x{number:02}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"33 of 43 files .* b/x19.png \(it is empty\); and 13 more; data.broken: skip"):
        load(tmp_path)


def test_broken_images_can_be_skipped(partly_broken: Path, caplog: pytest.LogCaptureFixture) -> None:
    raw = load_folder(partly_broken, 0, (4, 6), "auto", "skip")
    assert sorted(raw.train.x[:, 0, 0, 0].tolist()) == [0, 2, 4, 100, 101, 102, 103, 104]
    np.testing.assert_array_equal(raw.train.x[:, 0, 0, 0] // 100, raw.train.y)
    assert "3 of 11 files are no readable images" in caplog.text
    for path in (partly_broken / "b").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match="b: holds no readable image"):
        load_folder(partly_broken, 0, (4, 6), "auto", "skip")


def test_a_palette_gives_its_shades(tmp_path: Path) -> None:
    for name in "ab":
        draw(tmp_path / name / "0.bmp", 0, mode="L")
        shades = Image.new("P", (6, 4), 1)
        shades.putpalette([0, 0, 0, 90, 90, 90])
        shades.save(tmp_path / name / "1.bmp")
    assert sorted(load(tmp_path, color="grayscale").train.x[:, 0, 0, 0].tolist()) == [0, 0, 90, 90]


def test_an_image_of_another_format_than_its_name_says_is_read(tmp_path: Path) -> None:
    fill(tmp_path)
    Image.new("RGB", (6, 4), (200, 0, 0)).save(tmp_path / "a" / "0.png", format="WEBP", lossless=True)
    assert 200 in load(tmp_path).train.x[:, 0, 0, 0]
