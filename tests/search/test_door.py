"""What a store may say, value by value. Each test writes what no run writes, and reads it."""

from __future__ import annotations

import json
import math
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from search.errors import DamageWarning, RunError
from search.files import layout
from search.files.checked import door
from search.files.checked.recorded import fact
from search.files.rundir import data_info
from search.files.store import Evaluation, RunReader, RunStore
from search.record.trial import TrialKind, metric
from tests.search.records import CHECKPOINT, outcome, trial

CLUSTER = {
    "workers": 2,
    "room": 4,
    "needs": "1 core",
    "nodes": [{"name": "a", "cpus": 4.0, "gpus": 0, "room": 4, "refused": None}],
}
DATA = {
    "name": "d", "origin": "o", "fingerprint": "f", "rows": {"train": 3, "validation": 1, "test": 1},
    "info": {
        "kind": "image", "input_shape": [8, 8, 1], "dtype": "uint8", "task": "classification", "labels": "integer",
        "outputs": 2, "class_names": ["a", "b"], "scale": None, "mean": None, "std": None, "image_size": None,
        "resized": False, "white": 16.0, "columns": [], "categories": {},
    },
}  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Two finished trials, one of them with checkpoints, an evaluation and an event."""
    with RunStore.create(tmp_path / "run", {"winner": "0", "until": None}) as store:
        for name in ("0", "1"):
            store.begin(trial(name))
            store.finish(name, outcome([0.5, 0.6], best=CHECKPOINT), 200.0, {"trial_id": name}, {"seed": 1})
        store.add_evaluation(Evaluation("0", "test", {"accuracy": 0.5}, 10, 0.1, "evaluation/0.npz", 5.0))
        store.add_event(1.0, "warning", "careful")
    return tmp_path / "run"


def spoil(run: Path, statement: str, *values: Any) -> None:
    connection = sqlite3.connect(run / layout.STORE)
    with connection:
        connection.execute(statement, values)
    connection.close()


def kept(run: Path, message: str) -> list[str]:
    """Ids of the trials that can be read still; the rest is told with `message`, and no writer takes the store."""
    with pytest.warns(DamageWarning, match=message), RunReader(run) as reader:
        found = [trial.id for trial in reader.trials()]
    with RunStore(run) as store, pytest.raises(RunError, match=message):
        store.trials()
    return found


@pytest.mark.parametrize(
    "name", ["../../outside", "a/b", "a\\b", "..", ".hidden", "", "a\nb", "a\x1b[2Jb", "a\u202eb", "x" * 300]
)
def test_an_id_that_is_no_file_name_is_refused(run, name):
    spoil(run, "UPDATE trial SET id = ? WHERE id = '1'", name)
    assert kept(run, r"trial: .*id is") == ["0"]
    spoil(run, "UPDATE trial SET id = '1', configuration = ? WHERE id != '0'", name)
    assert kept(run, "configuration is") == ["0"]


@pytest.mark.parametrize(
    "file", ["../victim.txt", "/etc/passwd", "trials/../../x/y", "trials/0/../../x", "report/0/x.npz", "trials/x", 7]
)  # fmt: skip
@pytest.mark.parametrize("which", ["state", "best", "last"])
def test_a_checkpoint_lies_in_the_folder_of_a_trial(run, which, file):
    with RunReader(run) as reader:
        connection = reader._connection
        data = json.loads(connection.execute("SELECT outcome FROM trial WHERE id = '1'").fetchone()[0])
    data[which] = {"file": file, "bytes": 9, "digest": "00", "epoch": 2}
    spoil(run, "UPDATE trial SET outcome = ? WHERE id = '1'", json.dumps(data))
    assert kept(run, rf"outcome\.{which}\.file") == ["0"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("kind", "spy"), ("state", "undead"), ("seed", -1), ("seed", "x"), ("seed", 2**40), ("epochs_from", -1),
        ("epochs_to", 0.5), ("epochs_to", 10**9), ("started", "noon"), ("started", -5.0), ("started", 1e300),
        ("finished", "x"), ("name", "../x"), ("note", b"\xff\xfe"), ("values", "[1]"), ("values", '{"a": [1]}'),
        ("values", '{"a": 1e308}'), ("values", '{"a": {"$float": "nan"}}'), ("values", "[" * 100_000),
        ("settings", "NaN"), ("settings", '{"family": 3}'), ("settings", '{"training": {"epochs": "x"}}'),
        ("settings", '{"training": {"fold_epochs": -1}}'), ("settings", '{"training": {"metrics": [1]}}'),
        ("settings", '{"training": {"metrics": 1}}'), ("outcome", "{}"), ("outcome", '{"$float": "x"}'),
        ("oracle", "[]"), ("parent", "1"),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_takes_its_row_and_no_other(run, column, value):
    spoil(run, f"UPDATE trial SET \"{column}\" = ? WHERE id = '1'", value)
    assert kept(run, column) == ["0"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": {"$float": "nan"}}, "score"), ({"score": True}, "score"), ({"score": 1e300}, "score"),
        ({"best_epoch": -1}, "best_epoch"), ({"parameters": 10**400}, "parameters"), ({"seconds": -1}, "seconds"),
        ({"stopped": "tired"}, "stopped"), ({"failure": {"reason": "bored"}}, "failure"), ({"best": [1]}, "best"),
    ],
)  # fmt: skip
def test_an_outcome_that_no_training_gives_is_refused(run, change, message):
    with RunReader(run) as reader:
        data = json.loads(reader._connection.execute("SELECT outcome FROM trial WHERE id = '1'").fetchone()[0])
    spoil(run, "UPDATE trial SET outcome = ? WHERE id = '1'", json.dumps({**data, **change}))
    assert kept(run, message) == ["0"]


def test_one_broken_letter_is_no_reason_to_lose_the_row(run):
    spoil(run, "UPDATE trial SET note = CAST(? AS TEXT) WHERE id = '1'", b"because\xff")
    with RunReader(run) as reader:
        assert reader.trial("1").note == "because\ufffd"


def test_trials_that_descend_from_each_other_are_refused(run):
    spoil(run, "UPDATE trial SET parent = '1' WHERE id = '0'")
    assert kept(run, "parent is a later trial") == ["1"]


def test_a_damaged_epoch_leaves_the_others(run):
    spoil(run, "UPDATE epoch SET metrics = '{\"loss\": \"x\"}' WHERE trial = '1' AND number = 2")
    with pytest.warns(DamageWarning, match="epoch: '1': metrics has 'loss'"), RunReader(run) as reader:
        assert [len(t.outcome.epochs) for t in reader.trials()] == [2, 1]


@pytest.mark.parametrize("file", ["../../../etc/passwd", "evaluation/a\0b", "trials/0/best.npz", ""])
def test_predictions_lie_in_their_folder(run, file):
    spoil(run, "UPDATE evaluation SET file = ?", file)
    with pytest.warns(DamageWarning, match="evaluation: '0': file is"), RunReader(run) as reader:
        assert reader.evaluations() == []


def test_what_steers_a_terminal_does_not_leave_the_store(run):
    evil = "a\x1b[2J\x07\x9b\u202eb\rc"
    spoil(run, "UPDATE event SET message = ?", evil)
    spoil(run, "UPDATE trial SET note = ?, \"values\" = ? WHERE id = '1'", evil, json.dumps({evil: evil}))
    spoil(run, "UPDATE meta SET value = ? WHERE key = 'until'", json.dumps("x"))
    spoil(run, "INSERT INTO meta VALUES ('name', ?)", json.dumps(evil))
    with RunReader(run) as reader:
        found = reader.trial("1")
        texts = [reader.events()[0].message, found.note, *found.values, *found.values.values(), reader.meta("name")]
    assert set(texts) == {"a\ufffd[2J\ufffd\ufffd\ufffdb\ufffdc"}
    assert door.harmless("two\nlines\tand ü") == "two\nlines\tand ü"


def test_what_is_recorded_of_a_huge_metric_passes_the_door():
    for value in (1e60, -1e60, 1e39, 3.5, math.inf):
        assert door.measures("metrics", {"a": metric(value)}) == {"a": metric(value)}
    assert (metric(1e60), metric(-1e60), metric(1e38)) == (math.inf, -math.inf, 1e38)
    assert math.isnan(metric(math.nan))


def test_an_event_of_an_unknown_level_is_left_out(run):
    spoil(run, "INSERT INTO event (at, level, message) VALUES (2, ?, 'x')", "\x1b[2J")
    with pytest.warns(DamageWarning, match=r"event: 2: level is '\\x1b"), RunReader(run) as reader:
        assert [event.message for event in reader.events()] == ["careful"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("until", "x"), ("until", -5), ("winner", "../x"), ("winner", 3), ("threads", 0), ("workers", "many"),
        ("threads", 10**6), ("alone", {"threads": 10**6, "factor": 0.5}),
        ("sessions", {}), ("sessions", [{"started": 1}]), ("sessions", [{"started": 1, "ended": "x"}]),
        ("work", [{"what": "export", "started": None, "ended": 1}]),
        ("work", [{"what": "expor", "started": 1, "ended": 2}]), ("planned", [1]), ("planned", {"trials": -1}),
        ("versions", {"keras": 3}), ("command", "run"), ("objective", {}),
        ("objective", {"name": "a", "direction": "up"}),
        ("data", None), ("data", {**DATA, "info": {}}), ("data", {**DATA, "rows": {"train": "x"}}),
        ("data", {**DATA, "info": {**DATA["info"], "class_names": ["a"]}}),
        ("data", {**DATA, "info": {**DATA["info"], "class_names": [1, 2]}}),
        ("data", {**DATA, "info": {**DATA["info"], "input_shape": [-1, 8]}}), ("phase", "lunch"), ("seed", -1),
        ("hardware", {"cores": "x"}), ("git", {"dirty": 1}), ("started", None), ("finished", 1e300),
        ("cluster", [1]), ("cluster", "x"), ("cluster", {"workers": 2}), ("cluster", {**CLUSTER, "workers": -3}),
        ("cluster", {**CLUSTER, "nodes": [{"name": "a"}]}), ("files", ["x"]), ("files", {"a": 1}),
        ("feature_bytes", "many"),
    ],
)  # fmt: skip
def test_facts_of_another_shape_are_refused(key, value):
    with pytest.raises(door.Damaged, match=key):
        fact(key, value)


def test_facts_that_a_run_records_pass():
    assert fact("data", DATA) == DATA
    assert fact("until", None) is None
    for cluster in (None, {}, CLUSTER):
        assert fact("cluster", cluster) == cluster
    assert fact("something of tomorrow", [1, "x"]) == [1, "x"]


def test_a_fact_without_which_nothing_can_be_said_is_named(run):
    with RunReader(run) as reader, pytest.raises(RunError, match="meta has no objective"):
        reader.meta("objective")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TRIGGER t AFTER INSERT ON event BEGIN DELETE FROM trial; END",
        "CREATE VIEW more AS SELECT * FROM trial",
        "CREATE TABLE more (a)",
        "CREATE INDEX more ON trial (upper(id))",
        "ALTER TABLE event ADD COLUMN twice AS (id * 2)",
    ],
)
def test_a_store_with_tables_views_or_triggers_of_its_own_is_refused(run, statement):
    spoil(run, statement)
    for kind in (RunReader, RunStore):
        with pytest.raises(RunError, match="is none of a store's"):
            kind(run)
    spoil_free = sqlite3.connect(run / layout.STORE)
    assert spoil_free.execute("SELECT count(*) FROM trial").fetchone() == (2,)
    spoil_free.close()


def test_a_view_in_place_of_a_table_is_refused(run):
    spoil(run, "ALTER TABLE event RENAME TO hidden")
    spoil(run, "CREATE VIEW event AS SELECT * FROM hidden")
    with pytest.raises(RunError, match="is none of a store's"):
        RunReader(run)


def test_a_missing_table_leaves_the_others(run):
    spoil(run, "DROP TABLE event")
    with RunReader(run) as reader:
        with pytest.warns(DamageWarning, match="event: no such table"):
            assert reader.events() == []
        assert len(reader.trials()) == 2
    spoil(run, "DROP TABLE trial")
    with RunReader(run) as reader, pytest.raises(RunError, match="trial: no such table"):
        reader.trials()


def test_a_huge_value_takes_its_row_and_no_memory(run, monkeypatch):
    monkeypatch.setattr("search.files.storefile._LARGEST_VALUE", 100_000)
    spoil(run, "INSERT INTO event (at, level, message) VALUES (2, 'info', ?)", "x" * 200_000)
    spoil(run, "INSERT INTO event (at, level, message) VALUES (3, 'info', 'last')")
    with pytest.warns(DamageWarning, match="event: 2: .*too big"), RunReader(run) as reader:
        assert [event.message for event in reader.events()] == ["careful", "last"]


def test_a_sound_store_is_sound_and_a_changed_byte_is_found(run):
    with RunReader(run, strict=True) as reader, pytest.raises(RunError, match="meta has no objective"):
        reader.meta("objective")
    with RunReader(run, strict=True) as reader:
        reader.require_sound()
    spoil(run, "UPDATE oracle SET state = '[]'")
    with RunReader(run, strict=True) as reader, pytest.raises(RunError, match="oracle: "):
        reader.require_sound()


def test_evidence_and_baselines_pass(run):
    with RunStore(run) as store:
        store.begin(trial("old-0", TrialKind.EVIDENCE))
        store.begin(trial("baseline-a b", TrialKind.BASELINE, name="a b"))
        assert [t.id for t in store.trials()] == ["0", "1", "old-0", "baseline-a b"]


def test_an_id_or_a_key_that_is_no_utf8_is_told(run):
    spoil(run, "UPDATE trial SET id = CAST(? AS TEXT), state = 'running' WHERE id = '1'", b"\x801")
    for read in (RunReader.each_trial, RunReader.running, RunReader.trials):
        with pytest.warns(DamageWarning, match=r"trial: '\\udc801': id is"), RunReader(run) as reader:
            assert [t.id for t in read(reader)] == ([] if read is RunReader.running else ["0"])
    with RunReader(run) as reader:
        assert reader.trial("\udc801") is None
        assert reader.of_configuration("\udc801") == []
    spoil(run, "INSERT INTO meta VALUES (CAST(? AS TEXT), '1')", b"\xeeame")
    with RunReader(run, strict=True) as reader, pytest.raises(RunError, match=r"meta: '\\udceeame': key is"):
        reader.require_sound()


@pytest.mark.parametrize("keys", [(b"\x80",), (b"\x80", b"\x81")])
def test_behind_a_key_that_is_no_utf8_nothing_is_looked_for(run, monkeypatch, keys):
    monkeypatch.setattr("search.files.storefile._LARGEST_VALUE", 100_000)
    for key in keys:
        spoil(run, "INSERT INTO meta VALUES (CAST(? AS TEXT), ?)", key, "1" if key != keys[-1] else "x" * 200_000)
    with RunReader(run) as reader, pytest.warns(DamageWarning, match=r"left out: meta: '\\udc80': (string|not text)"):
        assert ("null",) in reader._table.rows("meta", ("key",), "value")


def test_a_record_of_the_data_that_knows_more_is_refused(tmp_path):
    newer = {**DATA, "info": {**DATA["info"], "axes": 3}}
    with RunStore.create(tmp_path / "run", {"data": newer}) as store:
        assert store.meta("data") == newer, "what is known of it is shown"
        with pytest.raises(RunError, match=r"run: its record of the data was written by another version .*axes"):
            data_info(store)
