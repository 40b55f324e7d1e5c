from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spaces.basics.errors import DataError
from spaces.data import Dataset
from spaces.data.readers import builtin

Load = Callable[..., Dataset]

FASHION_MNIST = Path("/usr/share/datasets/fashion-mnist")


def test_digits(load: Load) -> None:
    digits = load("digits")
    assert digits.info.input_shape == (8, 8)
    assert digits.info.dtype == "uint8"
    assert digits.info.scale == 1 / 16
    assert digits.info.outputs == 10
    assert digits.test is not None
    assert [len(part) for part in (digits.train, digits.validation, digits.test)] == [1079, 359, 359]
    assert digits.train.x.max() == 16


def test_fashion_mnist_of_the_system(load: Load) -> None:
    if not FASHION_MNIST.is_dir():
        pytest.skip(f"Fashion-MNIST is not at {FASHION_MNIST}")
    data = load("fashion-mnist", validation={"first": 5000})
    assert data.test is not None
    assert [len(part) for part in (data.train, data.validation, data.test)] == [55000, 5000, 10000]
    assert data.info.class_names[data.validation.y[0]] == "Ankle boot"
    assert data.info.scale == 1 / 255
    assert data.train.x.dtype == np.uint8
    assert data.train.x.base is not None  # a view: the first rows are held out without a copy
    assert np.bincount(data.test.y).tolist() == [1000] * 10
    assert str(FASHION_MNIST) in data.origin


@pytest.fixture
def keras_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of Keras, and no data installed by the system."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(builtin, "_SYSTEM_FASHION_MNIST", tmp_path / "absent")
    return tmp_path


def test_fashion_mnist_from_the_cache_of_keras(load: Load, keras_home: Path) -> None:
    if not FASHION_MNIST.is_dir():
        pytest.skip(f"Fashion-MNIST is not at {FASHION_MNIST}")
    cache = keras_home / "datasets" / "fashion-mnist"
    cache.parent.mkdir()
    cache.symlink_to(FASHION_MNIST)
    assert str(cache) in load("fashion-mnist").origin


@pytest.mark.parametrize("name", ["fashion-mnist", "mnist", "cifar10", "cifar100"])
def test_keras_data_sets(load: Load, keras_home: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    import keras

    def downloaded() -> Any:
        x = np.zeros((40, 32, 32, 3), np.uint8)
        y = np.arange(40).reshape(40, 1) % 10
        return (x, y), (x[:20], y[:20])

    module = SimpleNamespace(load_data=downloaded, __name__=f"keras.src.datasets.{name}")
    monkeypatch.setattr(keras.datasets, name.replace("-", "_"), module)
    data = load(name, image_size=64)
    assert data.name == name
    assert data.info.input_shape == (32, 32, 3)
    assert data.info.image_size == (64, 64)
    assert data.info.outputs == 10
    assert len(data.test or ()) == 20
    assert f"keras.datasets.{name}" in data.origin


def test_failed_download_is_reported(load: Load, keras_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    def fails(*_: object, **__: object) -> Any:
        raise Exception("URL fetch failure")

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", fails)
    monkeypatch.setattr(keras.utils, "get_file", fails)
    told = r"not in .*download failed \(URL fetch failure\); .* another machine"
    with pytest.raises(DataError, match=f"keras.datasets.cifar10: {told}"):
        load("cifar10")
    with pytest.raises(DataError, match=f"flowers: {told}"):
        load("flowers", image_size=180)


def photograph(path: Path) -> None:
    path.parent.mkdir(parents=True)
    for number in range(5):
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path.with_name(f"{number}.png"))


@pytest.mark.parametrize(
    "place", ["flower_photos", "flower_photos/flower_photos", "flower_photos_extracted/flower_photos"]
)
def test_flowers_are_found_in_the_cache(load: Load, keras_home: Path, place: str) -> None:
    folder = keras_home / "datasets" / place
    for name in ("daisy", "roses"):
        photograph(folder / name / "0.png")
    data = load("flowers", image_size=6, validation=2, test=2)
    assert data.info.class_names == ("daisy", "roses")
    assert data.info.input_shape == (6, 6, 3)
    assert data.name == "flowers"


def test_flowers_are_downloaded_into_the_cache(load: Load, keras_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    extracted = keras_home / "elsewhere"

    def get_file(name: str, *, origin: str, extract: bool) -> str:
        assert origin.endswith("flower_photos.tgz")
        for flower in ("daisy", "roses"):
            photograph(extracted / "flower_photos" / flower / "0.png")
        return str(extracted)

    monkeypatch.setattr(keras.utils, "get_file", get_file)
    assert load("flowers", validation=2, test=2).info.class_names == ("daisy", "roses")
