"""Stores in folders that may not be written, and stores that are read while somebody writes."""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import tempfile
from pathlib import Path

import pytest

from search.errors import RunError
from search.files import layout
from search.files.rundir import Run, require_inside
from search.files.store import RunReader, RunStore
from tests.search.records import outcome, trial


@pytest.fixture
def cut_off(tmp_path: Path) -> Path:
    """What a killed process leaves: all that was committed last stands in the log alone."""
    with RunStore.create(tmp_path / "run", {"name": "x"}) as store:
        store.begin(trial("0"))
        copy = tmp_path / "copy"
        copy.mkdir()
        for name in (layout.STORE, f"{layout.STORE}-wal"):
            shutil.copy(store.directory / name, copy / name)
    return copy


@pytest.fixture
def read_only(monkeypatch, tmp_path):
    """SQLite as it is in a folder that may not be written, also for a user whom no permission stops."""
    connect = sqlite3.connect
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))

    def refuse(path, *args, **kwargs):
        if str(scratch) not in str(path) and "immutable" not in str(path):
            raise sqlite3.OperationalError("unable to open database file")
        return connect(path, *args, **kwargs)

    monkeypatch.setattr(sqlite3, "connect", refuse)
    return scratch


def test_a_cut_off_run_in_a_folder_that_may_not_be_written_shows_what_was_committed(cut_off, read_only):
    before = {path.name: path.read_bytes() for path in cut_off.iterdir()}
    with RunReader(cut_off) as reader:
        assert [t.id for t in reader.trials()] == ["0"]
    assert {path.name: path.read_bytes() for path in cut_off.iterdir()} == before
    assert list(read_only.iterdir()) == [], "the copy is deleted"


def test_without_a_log_the_store_itself_is_read_there(cut_off, read_only, monkeypatch):
    (cut_off / f"{layout.STORE}-wal").write_bytes(b"")
    monkeypatch.setattr("search.files.storefile._copied", lambda *_: pytest.fail("nothing is to be copied"))
    with RunReader(cut_off) as reader:
        assert reader.trials() == []


def test_a_store_that_changes_while_it_is_copied_is_refused(cut_off, read_only, monkeypatch):
    numbers = iter(range(100))
    monkeypatch.setattr("search.files.storefile._stamps", lambda *_: [(next(numbers), 0)])
    with pytest.raises(RunError, match="changes while it is copied"):
        RunReader(cut_off)
    assert list(read_only.iterdir()) == []


def test_everything_that_a_run_is_asked_is_of_one_moment(tmp_path):
    with RunStore.create(tmp_path / "run", {"name": "x"}) as store:
        store.begin(trial("0"))
        with Run(tmp_path / "run").read() as reader:
            assert len(reader.trials()) == 1
            store.finish("0", outcome([0.5]), 1.0)
            store.begin(trial("1"))
            store.put_meta(name="y")
            assert [(t.id, t.outcome) for t in reader.trials()] == [("0", None)]
            assert reader.trial("1") is None
            assert reader.meta("name") == "x"
        with Run(tmp_path / "run").read() as reader:
            assert len(reader.trials()) == 2


def test_a_snapshot_shows_one_moment_to_all_who_read_it_and_closes_with_its_block(tmp_path):
    with RunStore.create(tmp_path / "run", {"name": "x"}) as store:
        with Run(tmp_path / "run").snapshot() as standing:
            with standing.read() as first:
                assert first.meta("name") == "x"
            store.put_meta(name="y")
            with standing.read() as second:
                assert second.meta("name") == "x"
        with pytest.raises(sqlite3.ProgrammingError, match="closed"):
            second.meta("name")


def test_trials_and_their_epochs_are_of_one_moment_without_a_snapshot_too(tmp_path, monkeypatch):
    with RunStore.create(tmp_path / "run", {"name": "x"}) as store, RunReader(tmp_path / "run") as reader:
        store.begin(trial("0"))
        read = reader._epochs

        def read_and_let_the_search_go_on(*of):
            found = read(*of)
            store.finish("0", outcome([0.5]), 1.0)
            return found

        monkeypatch.setattr(reader, "_epochs", read_and_let_the_search_go_on)
        (found,) = reader.trials()
        assert found.outcome is None, "with the score of an epoch that is not there"


@pytest.mark.parametrize("name", ["trials", "trials/0", "report", "export", "evaluation", "tensorboard", "space.yaml"])
def test_a_link_out_of_the_run_directory_is_refused(tmp_path, name):
    run, outside = tmp_path / "run", tmp_path / "outside"
    outside.mkdir()
    (run / name).parent.mkdir(parents=True)
    (run / name).symlink_to(outside, target_is_directory=True)
    with pytest.raises(RunError, match=f"{name}: a link that leads out"):
        require_inside(run)


@pytest.mark.parametrize("name", ["log.txt", "output.txt", "evaluation/rows.npz", "data/data.json"])
def test_a_pipe_in_the_run_directory_is_refused(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(RunError, match=f"{name}: is not a file but a pipe"):
        require_inside(tmp_path)


@pytest.mark.parametrize("ending", ["-journal", "-wal", "-shm"])
@pytest.mark.parametrize("open_store", [RunReader, RunStore])
def test_a_pipe_beside_the_store_is_not_waited_for(tmp_path, ending, open_store):
    RunStore.create(tmp_path / "run", {"name": "x"}).close()
    os.mkfifo(tmp_path / "run" / f"{layout.STORE}{ending}")
    (tmp_path / "link").symlink_to("run", target_is_directory=True)
    for run in ("run", "link"):
        with pytest.raises(RunError, match=f"run.sqlite{ending}: is not a file but a pipe"):
            open_store(tmp_path / run)


def test_a_journal_of_a_stranger_deletes_nothing(tmp_path):
    """After an interrupted commit to several databases SQLite deletes the file whose name stands at a journal's end."""
    RunStore.create(tmp_path / "run", {str(i): "y" * 200 for i in range(100)}).close()
    connection = sqlite3.connect(tmp_path / "run" / layout.STORE, isolation_level=None)
    for statement in ("PRAGMA journal_mode = DELETE", "PRAGMA cache_size = 1", "BEGIN", "UPDATE meta SET value = '1'"):
        connection.execute(statement)
    precious = tmp_path / "precious"
    precious.write_text("precious")
    name = bytes(precious)
    end = struct.pack(f">I{len(name)}sII", 2**30 // 4096 + 1, name, len(name), sum(name))
    copy = shutil.copytree(tmp_path / "run", tmp_path / "copy")
    connection.close()
    with open(copy / f"{layout.STORE}-journal", "ab") as journal:
        journal.write(end + bytes.fromhex("d9d505f920a163d7"))
    with pytest.raises(RunError, match=r"run\.sqlite-journal: names another file, which would be deleted"):
        RunStore(copy)
    assert precious.exists()


def test_links_within_the_run_directory_and_to_it_are_as_good_as_files(tmp_path):
    run = tmp_path / "run"
    (run / "trials").mkdir(parents=True)
    (run / "best").symlink_to("trials", target_is_directory=True)
    (tmp_path / "link").symlink_to(run, target_is_directory=True)
    require_inside(run)
    require_inside(tmp_path / "link")


def test_a_schema_with_bytes_that_are_no_text_is_told(tmp_path):
    RunStore.create(tmp_path / "run", {"name": "x"}).close()
    path = tmp_path / "run" / layout.STORE
    content = path.read_bytes()
    assert content.count(b"CREATE TABLE event") == 1
    path.write_bytes(content.replace(b"CREATE TABLE event", b"CREATE \xd2ABLE event"))
    for opened in (RunReader, RunStore):
        with pytest.raises(RunError, match=r"malformed database schema"):
            opened(tmp_path / "run")
