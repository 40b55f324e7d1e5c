"""The run store: one SQLite file in WAL mode that holds all a table or a report needs.

`RunReader` answers questions and works while a search is writing; `RunStore` adds the writing. A finished trial
and the oracle's state are one transaction, so that after a crash either both are there or neither is.
Reading needs neither TensorFlow nor pandas.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from search import jsondata, layout
from search.errors import DiskError, RunError
from search.trial import Epoch, Outcome, Trial, TrialKind, TrialState

_VERSION = 1

_SCHEMA = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE trial (
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, configuration TEXT NOT NULL, kind TEXT NOT NULL,
    name TEXT NOT NULL, "values" TEXT NOT NULL, settings TEXT NOT NULL, seed INTEGER NOT NULL,
    epochs_from INTEGER NOT NULL, epochs_to INTEGER NOT NULL, parent TEXT, state TEXT NOT NULL, outcome TEXT,
    started REAL NOT NULL, finished REAL, oracle TEXT, note TEXT NOT NULL);
CREATE TABLE epoch (
    trial TEXT NOT NULL REFERENCES trial(id), number INTEGER NOT NULL, metrics TEXT NOT NULL,
    seconds REAL NOT NULL, train_seconds REAL NOT NULL, PRIMARY KEY (trial, number)) WITHOUT ROWID;
CREATE TABLE oracle (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL);
CREATE TABLE evaluation (
    trial TEXT PRIMARY KEY REFERENCES trial(id), part TEXT NOT NULL, metrics TEXT NOT NULL,
    "rows" INTEGER NOT NULL, seconds REAL NOT NULL, file TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE event (id INTEGER PRIMARY KEY, at REAL NOT NULL, level TEXT NOT NULL, message TEXT NOT NULL);
"""

_COLUMNS = (
    'id, configuration, kind, name, "values", settings, seed, epochs_from, epochs_to, parent, state, outcome, '
    "started, finished, oracle, note"
)


@dataclass(frozen=True)
class Evaluation:
    """A final model measured once on rows that the search never saw.

    Attributes:
        trial: Id of the trial whose model it is.
        part: `test`, or `validation` where the data has no test part.
        metrics: Name to value, for example `accuracy` and `loss`.
        rows: Number of rows.
        seconds: Wall time of the predictions.
        file: npz file relative to the run directory: `predictions` (rows, outputs), `labels`.
        at: Unix time.
    """

    trial: str
    part: str
    metrics: Mapping[str, float]
    rows: int
    seconds: float
    file: str
    at: float


@dataclass(frozen=True)
class Work:
    """Time that was spent on a run besides its trials and evaluations.

    Attributes:
        what: What was done, for example `export`.
        started: Unix time.
        ended: Unix time.
    """

    what: str
    started: float
    ended: float


@dataclass(frozen=True)
class Event:
    """A warning or a milestone of the run, in words; `level` is `info`, `warning` or `error`."""

    at: float
    level: str
    message: str


class RunReader:
    """Read access to a run directory's store.

    Args:
        directory: The run directory.

    Raises:
        RunError: There is no run, or its store is damaged or from another version.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = Path(directory)
        self._connection = self._connect()
        try:
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise RunError(f"{self.directory / layout.STORE}: not a run store, or damaged ({error})") from error
        if version != _VERSION:
            raise RunError(
                f"{self.directory / layout.STORE}: written by another version (store version {version}, "
                f"this program reads {_VERSION})"
            )

    def _connect(self) -> sqlite3.Connection:
        path = self.directory / layout.STORE
        if not path.is_file():
            raise RunError(f"{self.directory}: no run here (it has no {layout.STORE})")
        return _open_for_reading(path)

    def close(self) -> None:
        """Closes the file; the object is of no use afterwards."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def meta(self, key: str, default: Any = None) -> Any:
        """The fact recorded under `key`, or `default`."""
        row = self._one("SELECT value FROM meta WHERE key = ?", (key,))
        return default if row is None else jsondata.loads(row[0])

    def trials(self, *kinds: TrialKind) -> list[Trial]:
        """The trials of these kinds (of all, if none is named), in the order in which they were asked for."""
        where = f"WHERE kind IN ({','.join('?' * len(kinds))})" if kinds else ""
        epochs = self._epochs()
        rows = self._all(f"SELECT {_COLUMNS} FROM trial {where} ORDER BY position", kinds)
        return [_trial(row, epochs.get(row[0], ())) for row in rows]

    def trial(self, trial_id: str) -> Trial | None:
        """The trial with this id, or None."""
        row = self._one(f"SELECT {_COLUMNS} FROM trial WHERE id = ?", (trial_id,))
        return None if row is None else _trial(row, self._epochs(trial_id).get(trial_id, ()))

    def oracle_state(self) -> dict[str, Any] | None:
        """What the oracle's `get_state` gave at the last commit, or None."""
        row = self._one("SELECT state FROM oracle")
        return None if row is None else jsondata.loads(row[0])

    def evaluations(self) -> list[Evaluation]:
        """The final models' evaluations, oldest first."""
        rows = self._all('SELECT trial, part, metrics, "rows", seconds, file, at FROM evaluation ORDER BY at')
        return [Evaluation(row[0], row[1], jsondata.loads(row[2]), *row[3:]) for row in rows]

    def work(self) -> list[Work]:
        """What was done besides trials and evaluations, oldest first; older versions recorded nothing of it."""
        return [Work(**one) for one in self.meta("work", [])]

    def events(self) -> list[Event]:
        """Warnings and milestones, oldest first."""
        return [Event(*row) for row in self._all("SELECT at, level, message FROM event ORDER BY id")]

    def _epochs(self, trial_id: str | None = None) -> dict[str, tuple[Epoch, ...]]:
        where = "WHERE trial = ?" if trial_id is not None else ""
        found: dict[str, list[Epoch]] = {}
        for trial, number, metrics, seconds, train_seconds in self._all(
            f"SELECT trial, number, metrics, seconds, train_seconds FROM epoch {where} ORDER BY trial, number",
            (trial_id,) if trial_id is not None else (),
        ):
            found.setdefault(trial, []).append(Epoch(number, jsondata.loads(metrics), seconds, train_seconds))
        return {trial: tuple(epochs) for trial, epochs in found.items()}

    def _all(self, query: str, arguments: Iterable[Any] = ()) -> list[Any]:
        try:
            return self._connection.execute(query, tuple(arguments)).fetchall()
        except sqlite3.DatabaseError as error:
            raise RunError(f"{self.directory / layout.STORE}: damaged ({error})") from error

    def _one(self, query: str, arguments: Iterable[Any] = ()) -> Any:
        rows = self._all(query, arguments)
        return rows[0] if rows else None


class RunStore(RunReader):
    """The only writer of a run's state. Every method is one transaction, on disk when it returns.

    Every method that writes raises `DiskError` if it cannot, for example on a full disk; nothing of it is then there.
    """

    @classmethod
    def create(cls, directory: Path, meta: Mapping[str, Any]) -> RunStore:
        """Makes an empty store.

        Args:
            directory: The run directory; it is made if it is missing.
            meta: The facts of the run, JSON data.

        Raises:
            RunError: The directory already holds a run, or cannot be written.
        """
        directory = Path(directory)
        path = directory / layout.STORE
        if path.exists():
            raise RunError(f"{directory}: already holds a run")
        # A half-made store must never look like a run: it gets its name when it is complete.
        making = path.with_suffix(".making")
        try:
            directory.mkdir(parents=True, exist_ok=True)
            making.unlink(missing_ok=True)
            connection = sqlite3.connect(making, isolation_level=None)
            try:
                connection.executescript(_SCHEMA)
                connection.executemany(
                    "INSERT INTO meta VALUES (?, ?)", [(key, jsondata.dumps(value)) for key, value in meta.items()]
                )
                connection.execute(f"PRAGMA user_version = {_VERSION}")
            finally:
                connection.close()
            making.rename(path)
        except (OSError, sqlite3.Error) as error:
            raise RunError(f"{directory}: cannot be written ({error})") from error
        return cls(directory)

    def _connect(self) -> sqlite3.Connection:
        path = self.directory / layout.STORE
        if not path.is_file():
            raise RunError(f"{self.directory}: no run here (it has no {layout.STORE})")
        try:
            connection = sqlite3.connect(path, isolation_level=None, timeout=30.0)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error as error:
            raise RunError(f"{path}: cannot be opened for writing ({error})") from error
        return connection

    def put_meta(self, **facts: Any) -> None:
        """Records facts of the run, replacing those of the same name."""
        with self._transaction() as execute:
            _put_meta(execute, facts)

    def begin(self, trial: Trial, oracle_state: Mapping[str, Any] | None = None) -> None:
        """Records a trial that is about to run, and the state of the oracle that proposed it."""
        with self._transaction() as execute:
            execute(
                f"INSERT INTO trial ({_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    trial.id, trial.configuration, trial.kind, trial.name, jsondata.dumps(trial.values),
                    jsondata.dumps(trial.settings), trial.seed, trial.epochs_from, trial.epochs_to, trial.parent,
                    trial.state, None, trial.started, trial.finished, _dump(trial.oracle), trial.note,
                ),
            )  # fmt: skip
            _put_oracle(execute, oracle_state)

    def interrupt(self, trial_id: str, outcome: Outcome) -> None:
        """Records how far a running trial came; it stays `running` and can go on from `outcome.state`."""
        with self._transaction() as execute:
            _put_outcome(execute, trial_id, outcome)

    def finish(
        self,
        trial_id: str,
        outcome: Outcome,
        finished: float,
        oracle: Mapping[str, Any] | None = None,
        oracle_state: Mapping[str, Any] | None = None,
    ) -> None:
        """Records the end of a trial and the oracle that has learnt of it, together."""
        state = TrialState.FAILED if outcome.failure else TrialState.COMPLETED
        with self._transaction() as execute:
            _put_outcome(execute, trial_id, outcome)
            execute(
                "UPDATE trial SET state = ?, finished = ?, oracle = COALESCE(?, oracle) WHERE id = ?",
                (state, finished, _dump(oracle), trial_id),
            )
            _put_oracle(execute, oracle_state)

    def tell(
        self, trial_id: str, oracle: Mapping[str, Any] | None, oracle_state: Mapping[str, Any] | None, **facts: Any
    ) -> None:
        """Records that the oracle has learnt of a trial whose end is recorded already, and `facts` as `put_meta`."""
        with self._transaction() as execute:
            execute("UPDATE trial SET oracle = COALESCE(?, oracle) WHERE id = ?", (_dump(oracle), trial_id))
            _put_oracle(execute, oracle_state)
            _put_meta(execute, facts)

    def update_checkpoints(self, outcomes: Mapping[str, Outcome]) -> None:
        """Records, by trial id, which checkpoint files are left. Call it before the files are deleted."""
        with self._transaction() as execute:
            for trial_id, outcome in outcomes.items():
                execute(
                    "UPDATE trial SET outcome = ? WHERE id = ?",
                    (jsondata.dumps(jsondata.outcome_to_json(outcome)), trial_id),
                )

    def add_evaluation(self, evaluation: Evaluation) -> None:
        """Records what a final model reached. A second evaluation of the same model is refused.

        Raises:
            RunError: The model has been evaluated before.
        """
        try:
            with self._transaction() as execute:
                execute(
                    "INSERT INTO evaluation VALUES (?,?,?,?,?,?,?)",
                    (
                        evaluation.trial, evaluation.part, jsondata.dumps(evaluation.metrics), evaluation.rows,
                        evaluation.seconds, evaluation.file, evaluation.at,
                    ),
                )  # fmt: skip
        except sqlite3.IntegrityError as error:
            raise RunError(f"trial {evaluation.trial} has been evaluated before ({error})") from error

    def add_work(self, work: Work) -> None:
        """Records time that was spent besides trials and evaluations."""
        with self._transaction() as execute:
            done = [*self.meta("work", []), vars(work)]
            execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", ("work", jsondata.dumps(done)))

    def add_event(self, at: float, level: str, message: str) -> None:
        """Records a warning or a milestone."""
        with self._transaction() as execute:
            execute("INSERT INTO event (at, level, message) VALUES (?, ?, ?)", (at, level, message))

    @contextmanager
    def _transaction(self) -> Iterator[Any]:
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            yield self._connection.execute
            self._connection.execute("COMMIT")
        except BaseException as error:
            # A COMMIT that failed (a full disk, say) may or may not have ended the transaction already.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError):
                raise DiskError(f"{self.directory / layout.STORE}: cannot be written ({error})") from error
            raise


def _open_for_reading(path: Path) -> sqlite3.Connection:
    uri = path.resolve().as_uri()
    try:
        connection = sqlite3.connect(f"{uri}?mode=ro", uri=True, timeout=30.0)
        connection.execute("SELECT 1 FROM sqlite_master").fetchone()
        return connection
    except sqlite3.OperationalError:
        # In a folder that may not be written, a WAL store has no shared-memory file; nobody writes there either.
        try:
            connection = sqlite3.connect(f"{uri}?mode=ro&immutable=1", uri=True)
            connection.execute("SELECT 1 FROM sqlite_master").fetchone()
            return connection
        except sqlite3.Error as error:
            raise RunError(f"{path}: cannot be read ({error})") from error
    except sqlite3.DatabaseError as error:
        raise RunError(f"{path}: not a run store, or damaged ({error})") from error


def _dump(data: Mapping[str, Any] | None) -> str | None:
    return None if data is None else jsondata.dumps(data)


def _put_meta(execute: Any, facts: Mapping[str, Any]) -> None:
    for key, value in facts.items():
        execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, jsondata.dumps(value)))


def _put_oracle(execute: Any, state: Mapping[str, Any] | None) -> None:
    if state is not None:
        execute("INSERT OR REPLACE INTO oracle VALUES (1, ?)", (jsondata.dumps(state),))


def _put_outcome(execute: Any, trial_id: str, outcome: Outcome) -> None:
    execute("DELETE FROM epoch WHERE trial = ?", (trial_id,))
    for epoch in outcome.epochs:
        execute(
            "INSERT INTO epoch VALUES (?,?,?,?,?)",
            (trial_id, epoch.number, jsondata.dumps(epoch.metrics), epoch.seconds, epoch.train_seconds),
        )
    execute("UPDATE trial SET outcome = ? WHERE id = ?", (jsondata.dumps(jsondata.outcome_to_json(outcome)), trial_id))


def _trial(row: Any, epochs: tuple[Epoch, ...]) -> Trial:
    (trial_id, configuration, kind, name, values, settings, seed, epochs_from, epochs_to, parent, state, outcome,
     started, finished, oracle, note) = row  # fmt: skip
    return Trial(
        id=trial_id,
        configuration=configuration,
        kind=TrialKind(kind),
        name=name,
        values=jsondata.loads(values),
        settings=jsondata.loads(settings),
        seed=seed,
        epochs_from=epochs_from,
        epochs_to=epochs_to,
        parent=parent,
        state=TrialState(state),
        outcome=None if outcome is None else jsondata.outcome_from_json(jsondata.loads(outcome), epochs),
        started=started,
        finished=finished,
        oracle=None if oracle is None else jsondata.loads(oracle),
        note=note,
    )
