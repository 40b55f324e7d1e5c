"""Stores that are damaged, or made by somebody who means harm: what can be read is shown, the rest is told."""

from __future__ import annotations

import contextlib
import json
import random
import re
import shutil
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import results
from results.errors import ResultError
from results.notebook import Page
from results.ranked.curves import epochs
from results.ranked.formats import csv_text, json_text, plain_json
from results.ranked.ranking import ranking
from results.ranked.tables import Table
from results.reporting.compose import compose
from results.reporting.facts import read_facts
from results.watching.ledger import Account
from search.errors import DamageWarning, RunError
from search.files import layout
from search.files.rundir import Run

MakeRun = Callable[..., Path]

FLIPS = 400
VALUES = 700
_WRONG: tuple[Any, ...] = (
    None, "", "x", "=1+1", "\x1b[2J", "../../x", "a/b", 0, -1, 1, 2**62, 1e308, -1e308, 0.5, b"\xff\xfe", "\x00",
    "[" * 100_000, "{}", "[]", "null", "NaN", '{"$float":"nan"}', '{"$float":"x"}', '"\\ud800"', "1" * 5000, "true",
)  # fmt: skip
_WRONG_JSON: tuple[Any, ...] = (
    None, "x", "\x1b[2J", "../../x", -1, 0, 10**400, 1e308, -1e308, True, [], {}, [1], {"a": 1}, {"$float": "nan"},
    {"$float": "inf"}, {"$float": "x"}, 0.5, 2**62, "",
)  # fmt: skip


@pytest.fixture
def whole(make_run: MakeRun) -> Path:
    """A small finished run with everything in it, its store one file."""
    run = make_run(configurations=3, epochs=3, failures=("nan",), candidates=1)
    connection = sqlite3.connect(run / layout.STORE)
    connection.execute("INSERT INTO event (at, level, message) VALUES (1.0, 'warning', 'careful')")
    work = [{"what": what, "started": 1.0, "ended": 2.0} for what in ("data", "export", "report")]
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('work', ?)", (json.dumps(work),))
    connection.commit()
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    return run


def read_everything(run: Path, thoroughly: bool) -> None:
    """Does what the reading commands do; a store that cannot be used is refused by name."""

    def page(run: Path) -> None:
        with Run(run).snapshot() as standing:
            compose(read_facts(standing, 1_790_000_000.0), standing)

    commands: list[Callable[[Path], Any]] = [ranking, epochs, results.status, results.time_spent, page]
    refusals = []
    for command in commands if thoroughly else commands[:-1]:
        try:
            found = command(run)
        except (RunError, ResultError) as error:
            refusals.append(str(error))
            continue
        if isinstance(found, Table):
            assert "\x1b" not in csv_text(found) + json_text(found)
        elif command is results.status:
            assert "\\u001b" not in plain_json(found)
    assert all(str(run) in refusal for refusal in refusals)


def flipped(content: bytes, rng: random.Random) -> bytes:
    """The content with a few bytes changed, a stretch of zeros, or an end that is missing."""
    found = bytearray(content)
    way = rng.randrange(8)
    start = rng.randrange(len(found))
    if way == 0:
        return bytes(found[:start])
    if way == 1:
        length = rng.randrange(1, 600)
        found[start : start + length] = bytes(len(found[start : start + length]))
        return bytes(found)
    for _ in range(rng.choice((1, 1, 2, 8))):
        found[rng.randrange(len(found))] ^= 1 << rng.randrange(8)
    return bytes(found)


def changed_value(connection: sqlite3.Connection, rng: random.Random) -> str:
    """Puts a wrong value somewhere, whole or deep in JSON, and says where."""
    tables = ("meta", "trial", "epoch", "evaluation", "event", "trial", "meta")
    table = rng.choice(tables)
    columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
    column = rng.choice([c for c in columns if c != "key"])
    rows = connection.execute(f"SELECT * FROM {table}").fetchall()
    row = rng.choice(rows)
    old = row[columns.index(column)]
    new: Any = rng.choice(_WRONG)
    if isinstance(old, str) and old.startswith(("{", "[")) and rng.random() < 0.8:
        data = json.loads(old)
        _change(data, rng)
        new = json.dumps(data)
    keys = {"meta": 1, "trial": 1, "epoch": 2, "evaluation": 1, "event": 1}[table]
    where = " AND ".join(f'"{name}" = ?' for name in columns[:keys])
    with connection, contextlib.suppress(sqlite3.IntegrityError):
        connection.execute(f'UPDATE OR IGNORE {table} SET "{column}" = ? WHERE {where}', (new, *row[:keys]))
    return f"{table}.{column} of {row[:keys]}: {str(new)[:60]}"


def _change(data: Any, rng: random.Random) -> None:
    while True:
        places: list[Any] = list(data) if isinstance(data, dict) else list(range(len(data)))
        if not places:
            return
        place = rng.choice(places)
        if isinstance(data[place], dict | list) and data[place] and rng.random() < 0.7:
            data = data[place]
            continue
        if isinstance(data, dict) and rng.random() < 0.3:
            del data[place]
        else:
            data[place] = rng.choice(_WRONG_JSON)
        return


@pytest.fixture
def quiet() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DamageWarning)
        yield


@pytest.mark.usefixtures("quiet")
def test_no_changed_byte_of_a_store_ends_in_a_surprise(whole: Path) -> None:
    rng = random.Random(1)
    content = (whole / layout.STORE).read_bytes()
    for number in range(FLIPS):
        (whole / layout.STORE).write_bytes(flipped(content, rng))
        try:
            read_everything(whole, thoroughly=number % 25 == 0)
        except Exception as error:
            raise AssertionError(f"mutation {number}") from error
        for left_over in whole.glob(f"{layout.STORE}-*"):
            left_over.unlink()


@pytest.mark.usefixtures("quiet")
def test_no_wrong_value_in_a_store_ends_in_a_surprise(whole: Path, tmp_path: Path) -> None:
    rng = random.Random(2)
    kept = tmp_path / "kept"
    shutil.copyfile(whole / layout.STORE, kept)
    for number in range(VALUES):
        shutil.copyfile(kept, whole / layout.STORE)
        connection = sqlite3.connect(whole / layout.STORE)
        where = changed_value(connection, rng)
        connection.close()
        try:
            read_everything(whole, thoroughly=number % 25 == 0)
        except Exception as error:
            raise AssertionError(f"mutation {number}: {where}") from error


def test_a_notebook_shows_what_is_wrong(whole: Path) -> None:
    (whole / layout.STORE).write_bytes(b"no store")
    assert "run.sqlite: not a run store, or damaged" in Run(whole)._repr_html_()
    assert "&lt;gone&gt;: no run here" in Run(whole / "<gone>")._repr_html_()
    assert "index.html: cannot be read (No such file" in Page(whole / "index.html")._repr_html_()


def test_work_of_a_kind_that_nobody_knows_is_told_and_left_out(whole: Path) -> None:
    connection = sqlite3.connect(whole / layout.STORE)
    with connection:
        connection.execute("UPDATE meta SET value = replace(value, 'export', 'expor') WHERE key = 'work'")
    connection.close()
    with pytest.warns(DamageWarning, match="what is 'expor', none of data, export, report"):
        found = results.time_spent(whole)
    assert [entry.seconds for entry in found if entry.account is Account.EXPORT] == [0.0]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_a_loss_that_is_no_number_is_a_gap_in_the_report(whole: Path, value: str) -> None:
    connection = sqlite3.connect(whole / layout.STORE)
    with connection:
        for trial, number, metrics in connection.execute("SELECT trial, number, metrics FROM epoch").fetchall():
            changed = json.dumps({**json.loads(metrics), "val_loss": {"$float": value}, "loss": {"$float": value}})
            connection.execute("UPDATE epoch SET metrics = ? WHERE trial = ? AND number = ?", (changed, trial, number))
    connection.close()
    page = results.report(whole, png=False).read_text(encoding="utf-8")
    for text in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, re.DOTALL):
        json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
