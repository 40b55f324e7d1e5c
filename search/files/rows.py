"""Reading tables that may be damaged: what can be read is given, what cannot is told."""

from __future__ import annotations

import contextlib
import sqlite3
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from search.errors import DamageWarning, RunError
from search.files.checked.door import Damaged
from spaces.basics.printable import first_of

# What a run is without these tables, nobody can say.
_NEEDED = ("meta", "trial")
_IN_USE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_MOST_LOST = 1000
_MOST_TOLD = 3

Row = tuple[Any, ...]
Checked = TypeVar("Checked")


class Rows:
    """The rows of a store's tables.

    Args:
        connection: To the store.
        path: The store's file, for messages.
        strict: Whether damage is an error; else it is a `DamageWarning`, and what is damaged is left out.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, strict: bool) -> None:
        self._connection = connection
        self._path = path
        self._strict = strict

    @contextlib.contextmanager
    def one_state(self) -> Iterator[None]:
        """Several SELECTs see one state of the store."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN")
        try:
            yield
        finally:
            # After some errors SQLite has ended the transaction itself.
            with contextlib.suppress(sqlite3.OperationalError):
                self._connection.execute("ROLLBACK")

    def rows(self, table: str, keys: tuple[str, ...], columns: str, where: str = "", given: Row = ()) -> list[Row]:
        """All rows in the order of their keys; behind one that SQLite cannot read it goes on with the next.

        Args:
            table: Name of the table.
            keys: Its primary key.
            columns: What to select.
            where: A condition, or empty.
            given: Values of the condition's parameters.

        Raises:
            RunError: Nothing of a table can be read without which there is no run; with `strict`, for any damage.
        """
        if not all(map(_is_kept, given)):
            return []
        found: list[Row] = []
        lost: list[str] = []
        after: Row = ()
        width = len(keys)

        def select(what: str, limit: int = -1) -> sqlite3.Cursor:
            return self._select(table, keys, what, where, given, after, limit)

        while len(lost) <= _MOST_LOST:
            try:
                for row in select(columns):
                    after = row[:width]
                    found.append(row[width:])
                break
            except sqlite3.ProgrammingError:
                raise
            except sqlite3.DatabaseError as error:
                if error.sqlite_errorcode & 0xFF in _IN_USE:
                    raise RunError(f"{self._path}: cannot be read now ({error})") from error
                problem = str(error)
            except UnicodeEncodeError:
                lost.append(f"{_key(after)}: not text, and what is behind it is not found")
                break
            try:
                behind = select("0", 1).fetchone()
            except (sqlite3.DatabaseError, UnicodeEncodeError):
                behind = None
            if behind is None:
                lost.append(problem)
                break
            try:
                # The error came with the row after the last one that was given, or with the one behind it.
                found += [row[width:] for row in select(columns, 1).fetchall()]
            except sqlite3.DatabaseError as error:
                lost.append(f"{_key(behind[:width])}: {error}")
            after = behind[:width]
        if lost and not found and table in _NEEDED:
            raise RunError(f"{self._path}: damaged: {table}: {lost[0]}")
        self.damaged(table, lost)
        return found

    def count(self, table: str, keys: tuple[str, ...]) -> int:
        """The number of rows that can be read; arguments and errors as for `rows`."""
        try:
            found: int = self._connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        except sqlite3.DatabaseError:
            return len(self.rows(table, keys, "0"))
        return found

    def undamaged(self, query: str, given: Row = ()) -> list[Row] | None:
        """All that a query with these parameters gives, faster than `rows`; None where anything of it cannot be read.

        Its text may hold what the door takes out.
        """
        decoding = self._connection.text_factory
        self._connection.text_factory = str
        try:
            return self._connection.execute(query, given).fetchall()
        except sqlite3.ProgrammingError:
            raise
        except sqlite3.DatabaseError:
            return None
        finally:
            self._connection.text_factory = decoding

    def checked(self, table: str, rows: list[Row], check: Callable[[Row], Checked]) -> list[Checked]:
        """What the rows say; those that no run writes are told and left out."""
        found, lost = [], []
        for row in rows:
            try:
                found.append(check(row))
            except Damaged as error:
                lost.append(f"{_key(row[:1])}: {error}")
        self.damaged(table, lost)
        return found

    def damaged(self, table: str, problems: list[str]) -> None:
        """Tells what is damaged in a table, if anything is.

        Raises:
            RunError: With `strict`.
        """
        if not problems:
            return
        if self._strict:
            raise RunError(f"{self._path}: damaged: {table}: {problems[0]}")
        told = first_of(problems, _MOST_TOLD)
        warnings.warn(f"{self._path}: damaged, and left out: {table}: {told}", DamageWarning, stacklevel=2)

    def _select(
        self, table: str, keys: tuple[str, ...], columns: str, where: str, given: Row, after: Row, limit: int
    ) -> sqlite3.Cursor:
        order = ", ".join(keys)
        behind = f"({order}) > ({', '.join('?' * len(keys))})" if after else ""
        condition = " AND ".join(part for part in (where, behind) if part)
        clause = f"WHERE {condition}" if condition else ""
        return self._connection.execute(
            f"SELECT {order}, {columns} FROM {table} {clause} ORDER BY {order} LIMIT {limit}", (*given, *after)
        )


def _is_kept(value: Any) -> bool:
    """Whether a store may have such a value: text is kept as UTF-8, which damaged bytes and names need not be."""
    try:
        str(value).encode()
    except UnicodeEncodeError:
        return False
    return True


def _key(values: Row) -> str:
    return " ".join(ascii(value)[:60] for value in values)
