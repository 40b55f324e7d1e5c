"""A run in a few numbers is the same whether SQLite sums it up or every trial is looked at."""

from __future__ import annotations

import json
import random
import sqlite3
from pathlib import Path

import pytest

from results.watching.worked import elapsed, elapsed_in_all
from search.files import layout, summary
from search.files.store import RunReader, RunStore
from search.record.marks import COUNTED, Mark, best_first, contenders
from search.record.overview import overview
from search.record.trial import Stop, TrialKind, TrialState

RANDOM_RUNS = 25


@pytest.fixture(autouse=True)
def _long(monkeypatch):
    """Every run is long."""
    monkeypatch.setattr("search.files.store.LONG", 1)


def a_run(directory: Path, marks: list[Mark], **facts) -> Path:
    RunStore.create(directory, {"started": 100.0, "exit": "done", "sessions": [], **facts}).close()
    columns = {**dict.fromkeys(Mark._fields), "name": "", "values": "{}", "settings": "{}", "seed": 1,
               "epochs_from": 0, "note": ""}  # fmt: skip
    names = ", ".join(f'"{name}"' for name in columns)
    with sqlite3.connect(directory / layout.STORE) as connection:
        connection.executemany(
            f"INSERT INTO trial ({names}) VALUES ({', '.join(f':{name}' for name in columns)})",
            [columns | {"values": values_of(one)} | one._asdict() for one in marks],
        )
    connection.close()
    return directory


def values_of(trial: Mark) -> str:
    """Hyperparameters that depend on the configuration: which there are, and what they say."""
    rng = random.Random(trial.configuration)
    names = [name for name in ("layers", "units_0", "units_1", "optimizer") if rng.random() < 0.7]
    return json.dumps({name: rng.choice([1, 2.5, -1e-05, True, 'a":7', "b\n"]) for name in names})


def one(number: int, **changes) -> Mark:
    name = f"{number:04d}"
    started = 100.0 + 10 * number
    plain = Mark(name, name, "search", "completed", started, started + 9, 0.5, 10, 8.0, 1.0, "length", None, 3, 3, None)
    return plain._replace(**changes)


def random_marks(rng: random.Random) -> list[Mark]:
    """Trials as runs have them: promoted, late, failed, interrupted, trained again; with ties."""
    marks: list[Mark] = []
    promoting, ties, late = rng.choice([0.0, 0.3]), rng.choice([1, 2]), rng.choice([0.0, 0.1])
    for number in range(rng.choice([3, 20, 60])):
        found = one(number, score=round(rng.random(), ties), parameters=rng.choice([None, 5, 10]))
        luck = rng.random()
        if number < 2:
            found = found._replace(kind=rng.choice([TrialKind.BASELINE, TrialKind.EVIDENCE, TrialKind.SEARCH]))
        elif luck < promoting:
            origin = rng.choice(marks)
            found = found._replace(configuration=origin.configuration, parent=origin.id, kind=TrialKind.SEARCH)
        if luck > 1 - late:
            found = found._replace(stopped=Stop.DEADLINE, epochs=0, score=None)
        elif luck > 0.85:
            found = found._replace(state=TrialState.FAILED, failure="nan", stopped=None, score=None)
        elif luck > 0.8:
            found = found._replace(state=TrialState.RUNNING, finished=None)
        elif luck > 0.77:
            found = found._replace(state=TrialState.RUNNING, finished=None, score=None, seconds=None, epochs=0)
        elif luck > 0.74 and marks:
            found = found._replace(kind=TrialKind.CANDIDATE, configuration=rng.choice(marks).configuration)
        marks.append(found)
    return marks


def test_what_sqlite_sums_up_is_what_all_trials_tell(tmp_path, monkeypatch):
    rng, summed = random.Random(7), []
    for number in range(RANDOM_RUNS):
        marks = random_marks(rng)
        directory = a_run(tmp_path / str(number), marks)
        with RunReader(directory, snapshot=True) as reader:
            assert reader.marks() == marks
            for direction in ("min", "max"):
                assert reader.overview(direction) == overview(marks, direction), (number, direction, marks)
                summed.append(summary.summed_up(reader._table, reader._survey(), direction) is not None)
    assert sum(summed) > 0.5 * len(summed), "mostly by SQLite, or this test shows nothing"


def test_the_best_and_the_names_of_hyperparameters_are_found_without_the_other_trials(tmp_path):
    rng, fewer = random.Random(9), 0
    for number in range(RANDOM_RUNS):
        marks = random_marks(rng)
        found = contenders(marks)
        winner = rng.choice([None, marks[-1].id])
        with RunReader(a_run(tmp_path / str(number), marks, winner=winner), snapshot=True) as reader:
            for direction, top in (("min", 1), ("max", 4)):
                order = best_first(found, direction)
                leading = reader.leading(direction, top)
                assert best_first(contenders(leading), direction)[:top] == order[:top]
                others = {one.configuration for one in marks if one.kind not in COUNTED or one.id == winner}
                others |= {name for name, one in found.items() if one.baseline}
                assert [one for one in marks if one.configuration in others] == [
                    one for one in leading if one.configuration in others
                ]
                fewer += len(leading) < len(marks)
                unscored = [name for name, one in found.items() if one.score is None]
                names = sorted([*order, *unscored], key=lambda name: found[name].baseline)
                first = {one.id: tuple(json.loads(values_of(one))) for one in marks if one.id in found}
                expected = list(dict.fromkeys(first[name] for name in names))
                assert reader.names_by_rank(direction) == expected
    assert fewer


def test_the_time_of_a_run_is_the_same_without_the_trials_inside_of_its_sittings(tmp_path):
    rng, fewer = random.Random(8), 0
    for number in range(RANDOM_RUNS):
        marks = random_marks(rng)
        ends = sorted(rng.uniform(90, 120 + 10 * len(marks)) for _ in range(2 * rng.choice([0, 1, 3])))
        sittings = [{"started": a, "ended": b} for a, b in zip(ends[::2], ends[1::2], strict=True)]
        facts = {"exit": rng.choice([None, "done"]), "sessions": sittings}
        with RunReader(a_run(tmp_path / str(number), marks, **facts), snapshot=True) as reader:
            for active in (True, False):
                now = 100.0 + 10 * len(marks)
                assert elapsed_in_all(reader, now, active) == pytest.approx(elapsed(reader, marks, now, active))
            spans = [(sitting["started"], sitting["ended"]) for sitting in sittings]
            fewer += len(reader.marks_outside(spans)) < len(marks) - 1
    assert fewer


def test_a_configuration_that_got_worse_gives_way(tmp_path):
    marks = [one(1, score=0.9), one(2, score=0.7), one(3, score=0.2, configuration="0001", parent="0001")]
    with RunReader(a_run(tmp_path / "run", marks), snapshot=True) as reader:
        assert reader.overview("max").best == ("0002",)
        assert reader.overview("min").best == ("0001", "0003")


@pytest.mark.parametrize(
    "damage",
    [
        "score = 'high'", "score = 9e999", "score = x'00'", "seconds = -1", "seconds = 'long'", "epochs = -1",
        "epochs = 1.5", "epochs = 'many'", "parameters = 0.5", "finished = 1e40", "stopped = 'tired'",
        "failure = 'bad luck'", "kind = 'hobby'", "state = ''", "configuration = x'30'", "parent = x'30'",
        "parent = 7.5",
        "configuration = cast(x'30ff' AS TEXT)", "parent = cast(x'ff' AS TEXT)",
    ],
)  # fmt: skip
def test_a_row_that_no_run_writes_is_noticed(tmp_path, damage):
    directory = a_run(tmp_path / "run", [one(1), one(2), one(3)])
    with RunReader(directory) as reader:
        assert reader._survey() is not None
    with sqlite3.connect(directory / layout.STORE) as connection:
        connection.execute(f"UPDATE trial SET {damage} WHERE id = '0002'")
    connection.close()
    noticed = damage != "parent = 7.5"  # A number in a column of text is text, and an id may be anything printable.
    with RunReader(directory) as reader:
        assert (reader._survey() is None) is noticed


def test_ids_in_other_scripts_are_no_damage(tmp_path):
    marks = [one(1), one(2, id="baseline-größe", configuration="baseline-größe", kind=TrialKind.BASELINE)]
    with RunReader(a_run(tmp_path / "run", marks), snapshot=True) as reader:
        assert reader._survey() is not None
        assert reader.overview("max").baseline == ("baseline-größe",)
