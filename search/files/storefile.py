"""Opening the file of a run store: for reading wherever it lies, and only if its tables are a store's."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import stat
import tempfile
from pathlib import Path

from search.errors import RunError
from spaces.basics import files

# Far above what a run writes, far below what fills the memory.
_LARGEST_VALUE = 1 << 28
_ATTEMPTS = 3
_JOURNAL = "-journal"
_BESIDE = (_JOURNAL, "-wal", "-shm")
# What a journal ends with behind the name of another file, which SQLite deletes when it has played the journal back.
_NAMES_ANOTHER = bytes.fromhex("d9d505f920a163d7")


def require_plain(path: Path) -> None:
    """Refuses a store beside which there is no file where SQLite would open one: at a pipe it would wait for ever.

    Raises:
        RunError: There is such a thing.
    """
    for ending in _BESIDE:
        beside = f"{os.path.realpath(path)}{ending}"
        try:
            plain = stat.S_ISREG(os.stat(beside).st_mode)
        except OSError:
            continue  # Whoever writes the run makes them and deletes them.
        if not plain:
            raise RunError(f"{beside}: {files.unreadable(beside)}, and no run has made it; remove it")


def require_own_journal(path: Path) -> None:
    """Refuses to write a store with a journal for which SQLite would delete a file that belongs to nobody's run.

    Raises:
        RunError: It has one.
    """
    journal = f"{os.path.realpath(path)}{_JOURNAL}"
    try:
        with open(journal, "rb") as stream:
            stream.seek(-len(_NAMES_ANOTHER), os.SEEK_END)
            end = stream.read()
    except OSError:
        return  # There is none, or it is too short to name anything.
    if end == _NAMES_ANOTHER:
        raise RunError(f"{journal}: names another file, which would be deleted, and no run has made it; remove it")


def open_for_reading(path: Path) -> tuple[sqlite3.Connection, tempfile.TemporaryDirectory[str] | None]:
    """Opens a store for reading, in a folder that cannot be written too.

    Args:
        path: The store.

    Returns:
        The connection, and the temporary folder with a copy that it reads, to be cleaned up after it; None where it
        reads the file itself.

    Raises:
        RunError: It cannot be read, or is no store.
    """
    uri = path.resolve().as_uri()
    try:
        return _tried(f"{uri}?mode=ro"), None
    except sqlite3.OperationalError as error:
        problem = error
    except sqlite3.DatabaseError as error:
        raise not_a_store(path, error) from error
    # Write-ahead logging wants a file of shared memory, which cannot be made in a folder that may not be written.
    log = _log_of(path)
    try:
        if not log.is_file() or not log.stat().st_size:
            return _tried(f"{uri}?mode=ro&immutable=1"), None
        # What was committed last is in the log alone, and only a file that can be written is brought up to date.
        copy = _copied(path, log)
    except (sqlite3.Error, OSError) as error:
        raise RunError(f"{path}: cannot be read ({error}; {problem})") from error
    try:
        return _tried(Path(copy.name, path.name).as_uri()), copy
    except sqlite3.Error as error:
        copy.cleanup()
        raise not_a_store(path, error) from error


def prepare(connection: sqlite3.Connection) -> None:
    """Sets a connection up for a file that somebody else may have written."""
    connection.text_factory = _decoded
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LARGEST_VALUE)
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")


def require_tables(connection: sqlite3.Connection, path: Path, schema: str) -> None:
    """Refuses a file with tables, views, triggers or columns of its own: they could do anything when they are used.

    Args:
        connection: To the file.
        path: The file, for the message.
        schema: The statements that make a store. A table that is missing is found where it is read.

    Raises:
        RunError: Something in it is not a store's.
    """
    ours = {_plain(statement) for statement in schema.split(";") if statement.strip()}
    try:
        found = connection.execute("SELECT type, name, sql FROM sqlite_master").fetchall()
    except sqlite3.DatabaseError as error:
        raise not_a_store(path, error) from error
    for kind, name, sql in found:
        # SQLite's own: the indexes of primary keys, which have no statement, and its statistics.
        own = isinstance(name, str) and name.startswith("sqlite_") and kind in ("index", "table")
        if not own and _plain(str(sql)) not in ours:
            raise RunError(f"{path}: not a run store, or damaged (its {kind} {ascii(name)[:60]} is none of a store's)")


def not_a_store(path: Path, error: Exception) -> RunError:
    """The error for a file that SQLite cannot read as a database."""
    return RunError(f"{path}: not a run store, or damaged ({error})")


def unreadable(error: UnicodeDecodeError) -> sqlite3.DatabaseError:
    """What SQLite said, where its message quotes damaged bytes of a statement."""
    return sqlite3.DatabaseError(error.object.decode("utf-8", "backslashreplace"))


def _tried(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=30.0)
    try:
        prepare(connection)
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
    except UnicodeDecodeError as error:
        connection.close()
        raise unreadable(error) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _decoded(content: bytes) -> str:
    # A damaged byte must not hide the rest of its row: the door finds it.
    return content.decode("utf-8", "surrogateescape")


def _plain(statement: str) -> str:
    return re.sub(r"\s+", " ", statement).strip()


def _log_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _copied(path: Path, log: Path) -> tempfile.TemporaryDirectory[str]:
    """The store and its log in a folder of their own, both from the same moment."""
    for _ in range(_ATTEMPTS):
        folder = tempfile.TemporaryDirectory(prefix="nightshift-")
        try:
            before = _stamps(path, log)
            for file in (path, log):
                # The content alone: a copy of a file that may not be written could not be written either.
                shutil.copyfile(file, Path(folder.name, file.name))
            if _stamps(path, log) == before:
                return folder
        except BaseException:
            folder.cleanup()
            raise
        folder.cleanup()
    raise OSError("it changes while it is copied")


def _stamps(*files: Path) -> list[tuple[int, int]]:
    return [(file.stat().st_mtime_ns, file.stat().st_size) for file in files]
