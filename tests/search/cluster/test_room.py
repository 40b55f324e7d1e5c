from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from search.cluster.room import Room


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


def test_the_last_one_who_leaves_removes_the_folder():
    first = Room()
    second = Room(first.folder)
    (first.folder / "data").write_text("rows")
    first.leave()
    assert (second.folder / "data").exists()
    second.leave()
    assert not second.folder.exists()


def test_what_a_killed_search_left_behind_goes_when_the_next_one_begins(tmp_path):
    left = tmp_path / "nightshift-node-left"
    left.mkdir()
    (left / "lock").touch()
    (tmp_path / "somebody-elses").mkdir()
    living = Room()
    another = Room()
    assert not left.exists()
    assert living.folder.exists()
    assert another.folder.exists()
    assert (tmp_path / "somebody-elses").exists()


def test_a_folder_that_is_gone_cannot_be_shared(tmp_path):
    with pytest.raises(OSError, match="gone"):
        Room(Path(tmp_path / "gone"))


def test_files_that_models_are_made_of_have_to_be_there_and_the_same(tmp_path):
    from search.cluster.work import _require_files
    from spaces.backbones.names import digest

    file = tmp_path / "backbone.keras"
    with pytest.raises(FileNotFoundError, match="copy it to the same path"):
        _require_files({str(file): "0"})
    file.write_bytes(b"weights")
    _require_files({str(file): digest(str(file))})
    with pytest.raises(ValueError, match="is not the file"):
        _require_files({str(file): "0"})
