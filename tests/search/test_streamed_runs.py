"""A run whose rows stay on the disk: cut off and gone on with, it ends with the table of the same rows in memory."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import search
import spaces
from results.watching.ledger import Account, time_spent
from search.errors import RunError, SearchFailed
from search.files import layout
from search.files.lock import RunLock
from search.loop.observer import Observer
from search.night import session
from spaces.basics.errors import DataError
from spaces.data.readers import folder as reader
from spaces.data.stored.rows import _OPEN
from tests.search import small
from tests.search.simulation import table

pytestmark = pytest.mark.usefixtures("tensorflow")

FEW = {"algorithm": "random", "objective": "val_accuracy", "seed": 3, "max_trials": 2}


class PowerCut(BaseException):
    pass


class Cut(Observer):
    """Ends the process, as it were, after the first trial."""

    def finished(self, trial, outcome):
        raise PowerCut


def trials(run):
    with run.read() as reader:
        return reader.trials()


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    generator, folder = np.random.default_rng(0), tmp_path_factory.mktemp("photos")
    for number in range(120):
        file = folder / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(exist_ok=True)
        Image.fromarray(generator.integers(0, 200 + 50 * (number % 2), (6, 6, 3), dtype=np.uint8)).save(file)
    (folder / "a" / "torn.png").write_bytes(b"")
    return folder


def space(photos, **data):
    source = {"folder": str(photos)}
    return small.spec(search=FEW, data={"source": source, "limit": 60, "broken": "skip", **data}, baselines=[])


def test_cut_off_and_gone_on_with_it_has_the_table_of_rows_in_memory(tmp_path, photos, monkeypatch):
    whole = search.run(space(photos, stream=False), run_dir=tmp_path / "whole", workers=0, check=False)
    there = tmp_path / "streamed"
    with pytest.raises(PowerCut):
        search.run(space(photos, stream=True), run_dir=there, workers=0, check=False, observers=[Cut()])
    assert list((there / layout.ROWS).glob("*.npy"))
    assert not [file for file in _OPEN if str(there) in file.path], "held open, they take room when they are deleted"
    monkeypatch.setattr(reader, "decode_all", lambda *_, **__: pytest.fail("decoded again"))
    with monkeypatch.context() as held:
        held.setattr(spaces, "load_data", lambda *_: pytest.fail("read beside whoever works on the run"))
        with RunLock(there), pytest.raises(RunError, match="already in use by"):
            search.resume(there, workers=0)
    streamed = search.resume(there, workers=0)
    assert table(trials(streamed)) == table(trials(whole))
    assert not (there / layout.ROWS).exists()
    assert not (there / layout.SAMPLE).exists(), "pictures can be decoded again"
    spent = {entry.account: entry.seconds for entry in time_spent(streamed)}
    assert spent[Account.DATA] > 0
    monkeypatch.setattr(spaces, "load_data", lambda *_: pytest.fail("decoded again, to find nothing to do"))
    search.resume(there, workers=0)
    assert not (there / layout.ROWS).exists()


SEVERAL = """
import pathlib
import keras
import numpy as np

HERE = pathlib.Path(__file__).parent

def rows():
    return {name: np.load(HERE / f"{name}.npy", "r") for name in ("image", "total")}, np.arange(120) % 3

def build(hp):
    image, total = keras.Input((4, 4), name="image"), keras.Input((1,), name="total")
    hidden = keras.layers.Concatenate()([keras.layers.Flatten()(image), total])
    hidden = keras.layers.Dense(hp.Int("units", 4, 8, step=4), activation="relu")(hidden)
    model = keras.Model({"image": image, "total": total}, keras.layers.Dense(3, activation="softmax")(hidden))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""


@pytest.mark.night
def test_several_inputs_in_files_have_the_table_of_those_in_memory(tmp_path):
    generator = np.random.default_rng(0)
    np.save(tmp_path / "image.npy", generator.integers(0, 9, (120, 4, 4), dtype=np.uint8))
    np.save(tmp_path / "total.npy", generator.normal(size=(120, 1)))
    (tmp_path / "mine.py").write_text(SEVERAL)

    def table_of(stream):
        spec = spaces.load({
            "name": "several",
            "data": {"source": {"python": f"{tmp_path / 'mine.py'}:rows"}, "stream": stream},
            "model": {"family": {"python": f"{tmp_path / 'mine.py'}:build"}},
            "training": {"epochs": 1, "batch_size": 16},
            "search": FEW,
            "final": {"candidates": 1, "seeds": 0},
        })  # fmt: skip
        folder = tmp_path / f"run-{stream}"
        looking = Looking(folder)
        run = search.run(spec, run_dir=folder, workers=0, check=False, observers=[looking])
        return table(trials(run)), looking.found

    (streamed, files), (whole, none) = table_of(True), table_of(False)
    assert (streamed, len(files), none) == (whole, 1, [])


class Looking(Observer):
    """Looks for rows on the disk while a run goes on."""

    def __init__(self, folder):
        self._folder = folder
        self.found = []

    def finished(self, trial, outcome):
        self.found = [path.name for path in (self._folder / layout.ROWS).glob("*.npy")]


def test_data_that_cannot_be_used_leave_no_run_directory(tmp_path, photos):
    with pytest.raises(DataError, match=r"torn.png: is not a readable image \(it is empty\)"):
        search.run(space(photos, stream=True, broken="refuse"), run_dir=tmp_path / "run", workers=0)
    assert list(tmp_path.iterdir()) == []


def test_a_search_that_cannot_begin_leaves_no_rows(tmp_path, photos, monkeypatch):
    there = tmp_path / "run" / layout.ROWS

    def none_can_be_trained(*_):
        assert list(there.glob("*.npy"))
        raise SearchFailed("no model of this space can be trained")

    monkeypatch.setattr(session, "first_look", none_can_be_trained)
    with pytest.raises(SearchFailed, match="can be trained"):
        search.run(space(photos, stream=True), run_dir=there.parent, workers=0)
    assert not there.exists()
