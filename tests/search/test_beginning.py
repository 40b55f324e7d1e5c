"""In which folders a run begins: never where it would write over, or later delete, what it has not made."""

from __future__ import annotations

import pytest

from search.errors import RunError
from search.files import layout
from search.night.session import Options, Session
from tests.search import small

USERS = ("data/photos/a.jpg", "trials/patient-7/scan.csv", "rows/x.bin", "features/f.npy", "space.yaml", "export/m")


def begin(folder):
    Session(folder, small.spec(), Options()).go()


@pytest.mark.parametrize("name", USERS)
def test_a_folder_with_files_of_somebody_else_is_refused_and_stays_as_it_is(tmp_path, name):
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(RunError, match=rf"is not empty: it holds no run, but {name.split('/')[0]},"):
        begin(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before
    assert file.read_text() == "mine"


def test_a_link_to_nowhere_is_somebody_elses_too(tmp_path):
    (tmp_path / layout.SPACE).symlink_to(tmp_path / "nowhere")
    with pytest.raises(RunError, match="is not empty"):
        begin(tmp_path)


def test_what_a_start_that_failed_has_left_is_not_in_the_way(tmp_path):
    for name in (layout.LOCK, layout.OUTPUT, f"{layout.ROWS}/rows-0a1b.npy", "model.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert layout.in_the_way(tmp_path) == []
    for name in (layout.MAKING, layout.SPACE, "trials/old-0/best.npz"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    assert layout.in_the_way(tmp_path) == []
    (tmp_path / layout.DATA).mkdir()
    assert layout.in_the_way(tmp_path) == [layout.DATA]
    assert layout.in_the_way(tmp_path / "nowhere") == []
