"""The run store: one SQLite file in WAL mode that holds all a table or a report needs.

`RunReader` answers questions and works while a search is writing; `RunStore` adds the writing. A finished trial
and the oracle's state are one transaction, so that after a crash either both are there or neither is.
Reading needs neither TensorFlow nor pandas.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from search.errors import DiskError, RunError, not_written
from search.files import layout, storefile, summary
from search.files.checked import door, recorded
from search.files.rows import Rows
from search.files.summary import Ranked, Survey
from search.record import jsondata
from search.record.marks import Contender, Mark, best_first, contenders, mark
from search.record.overview import Overview, overview
from search.record.trial import Epoch, Outcome, Scalar, Trial, TrialKind, TrialState
from spaces.basics.printable import writable

_VERSION = 2
_READABLE = (1, 2)
"""Version 1 wrote the oracle's whole state each time. A store of it is brought up to date when it is written again."""

_LOG = "log"
_LOG_TABLE = "CREATE TABLE oracle_log (position INTEGER PRIMARY KEY, entry TEXT NOT NULL);"

_TRIAL_COLUMNS = """
    position INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, configuration TEXT NOT NULL, kind TEXT NOT NULL,
    name TEXT NOT NULL, "values" TEXT NOT NULL, settings TEXT NOT NULL, seed INTEGER NOT NULL,
    epochs_from INTEGER NOT NULL, epochs_to INTEGER NOT NULL, parent TEXT, state TEXT NOT NULL, outcome TEXT,
    started REAL NOT NULL, finished REAL, oracle TEXT, note TEXT NOT NULL"""

# Of the outcome, what answers questions about all trials of a long run.
_IN_BRIEF = {
    "score": "REAL",
    "parameters": "INTEGER",
    "seconds": "REAL",
    "build_seconds": "REAL",
    "stopped": "TEXT",
    "failure": "TEXT",
    "epochs": "INTEGER NOT NULL DEFAULT 0",
}

_SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE trial ({_TRIAL_COLUMNS}, {", ".join(f"{name} {kind}" for name, kind in _IN_BRIEF.items())});
CREATE TABLE epoch (
    trial TEXT NOT NULL REFERENCES trial(id), number INTEGER NOT NULL, metrics TEXT NOT NULL,
    seconds REAL NOT NULL, train_seconds REAL NOT NULL, PRIMARY KEY (trial, number)) WITHOUT ROWID;
CREATE TABLE oracle (id INTEGER PRIMARY KEY CHECK (id = 1), state TEXT NOT NULL);
{_LOG_TABLE}
CREATE TABLE evaluation (
    trial TEXT PRIMARY KEY REFERENCES trial(id), part TEXT NOT NULL, metrics TEXT NOT NULL,
    "rows" INTEGER NOT NULL, seconds REAL NOT NULL, file TEXT NOT NULL, at REAL NOT NULL) WITHOUT ROWID;
CREATE TABLE event (id INTEGER PRIMARY KEY, at REAL NOT NULL, level TEXT NOT NULL, message TEXT NOT NULL);
"""

_EARLIER_TABLES = f"CREATE TABLE trial ({_TRIAL_COLUMNS});"
_FROM_VERSION_1 = (
    _LOG_TABLE,
    *(f"ALTER TABLE trial ADD COLUMN {name} {kind}" for name, kind in _IN_BRIEF.items()),
    "UPDATE trial SET epochs = (SELECT count(*) FROM epoch WHERE trial = trial.id)",
    """UPDATE trial SET score = json_extract(outcome, '$.score'), parameters = json_extract(outcome, '$.parameters'),
    seconds = json_extract(outcome, '$.seconds'), build_seconds = json_extract(outcome, '$.build_seconds'),
    stopped = json_extract(outcome, '$.stopped'), failure = json_extract(outcome, '$.failure.reason')
    WHERE json_valid(outcome)""",
)

_COLUMNS = (
    'id, configuration, kind, name, "values", settings, seed, epochs_from, epochs_to, parent, state, outcome, '
    "started, finished, oracle, note"
)


LONG = 2_000
"""Trials from which on a run is long: not everything about each of them is read to answer a question about all."""

_AT_ONCE = 500
# SQLite's level of care that keeps a write-ahead log whole, and waits for the disk at its checkpoints only.
_NORMAL = 1
_PLAIN_NUMBERS = re.compile(r'":-?[0-9][0-9.eE+-]*')
_NUMBERS = re.compile(r'(?<!\\)":-?[0-9][0-9.eE+-]*')


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


LEVELS = ("info", "warning", "error")


@dataclass(frozen=True)
class Event:
    """A warning or a milestone of the run, in words; `level` is one of `LEVELS`."""

    at: float
    level: str
    message: str


class RunReader:
    """Read access to a run directory's store.

    What is damaged is left out and told in a `DamageWarning`, so that all the rest can be shown.

    Args:
        directory: The run directory.
        snapshot: Whether everything is read as it was when the first question was asked, however much is
            written meanwhile.
        strict: Whether anything that is damaged is an error instead: nothing is built on half a record.

    Raises:
        RunError: There is no run, or its store is damaged or from another version. Every question raises it if
            nothing of what it asks for can be read.
    """

    _file = layout.STORE

    def __init__(self, directory: Path, *, snapshot: bool = False, strict: bool = False) -> None:
        self.directory = Path(directory)
        self._held = 0
        self._copy: Any = None
        # What a snapshot has read, and need not read again.
        self._kept: list[Trial] | None = None
        self._known: dict[str, Trial] = {}
        self._marks: list[Mark] | None = None
        self._contenders: dict[str, Contender] | None = None
        self._surveyed: tuple[Survey | None] | None = None
        self._connection = self._connect()
        self._table = Rows(self._connection, self._path, strict)
        try:
            self._require_version()
            storefile.require_tables(self._connection, self._path, _SCHEMA + _EARLIER_TABLES)
            if snapshot:
                self._connection.execute("BEGIN")
        except BaseException:
            self.close()
            raise
        self._frozen = snapshot

    @property
    def _path(self) -> Path:
        return self.directory / self._file

    def _connect(self) -> sqlite3.Connection:
        self._require_file()
        connection, self._copy = storefile.open_for_reading(self._path)
        return connection

    def _require_file(self) -> None:
        try:
            found = self._path.is_file()
        except OSError as error:
            # A name that is too long, or a folder that may not be entered.
            raise RunError(f"{self.directory}: cannot be read ({error.strerror})") from error
        if not found:
            below = sorted(store.parent for store in self.directory.glob(f"*/{layout.STORE}"))
            there = f"; there is one in {below[-1]}" if below else ""
            raise RunError(f"{self.directory}: no run here (it has no {layout.STORE}){there}")
        storefile.require_plain(self._path)

    def _require_version(self) -> None:
        try:
            self._version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        except sqlite3.DatabaseError as error:
            raise storefile.not_a_store(self._path, error) from error
        if self._version not in _READABLE:
            raise RunError(
                f"{self._path}: written by another version (store version {self._version}, "
                f"this program reads {' and '.join(str(version) for version in _READABLE)}); install the version that "
                f"wrote it, which `versions` in its table meta and in {layout.EXPORT}/metadata.json names; what is "
                "exported needs no particular version"
            )

    def close(self) -> None:
        """Closes the file; the object is of no use afterwards."""
        self._connection.close()
        if self._copy is not None:
            self._copy.cleanup()

    def __enter__(self) -> Self:
        self._held += 1
        return self

    def __exit__(self, *exc: object) -> None:
        # One that is handed on while it is open is closed by whoever opened it.
        self._held -= 1
        if not self._held:
            self.close()

    def meta(self, key: str, default: Any = None) -> Any:
        """The fact recorded under `key`, or `default`.

        Raises:
            RunError: It is missing or damaged, and nothing can be said about a run without it.
        """
        rows = self._table.rows("meta", ("key",), "value", "key = ?", (key,))
        values = self._table.checked("meta", [(key, *row) for row in rows], lambda row: _fact(*row))
        if not values and key in recorded.ESSENTIAL:
            raise RunError(f"{self._path}: damaged: meta has no {key} that can be read")
        return values[0] if values else default

    def trials(self, *kinds: TrialKind) -> list[Trial]:
        """The trials of these kinds (of all, if none is named), in the order in which they were asked for."""
        if self._kept is None:
            found = self._read(*_of_kinds(() if self._frozen else kinds))
            if not self._frozen:
                return found
            self._kept = found
        return [trial for trial in self._kept if not kinds or trial.kind in kinds]

    def _read(self, where: str, given: tuple[str, ...]) -> list[Trial]:
        with self._table.one_state():
            epochs = self._epochs(where and f"trial IN (SELECT id FROM trial WHERE {where})", given)
            rows = self._table.rows("trial", ("position",), _COLUMNS, where, given)
        found = self._table.checked("trial", rows, lambda row: door.trial(row, epochs.get(row[0], ())))
        return self._descended(found)

    def each_trial(self, *kinds: TrialKind) -> Iterator[Trial]:
        """As `trials`, but a few at a time: those of a long night are too many to be held at the same time."""
        ids = self._ids(*_of_kinds(kinds))
        for start in range(0, len(ids), _AT_ONCE):
            yield from self._with_ids(ids[start : start + _AT_ONCE])

    def _ids(self, where: str, given: tuple[str, ...]) -> list[str]:
        rows = self._table.rows("trial", ("position",), "id", where, given)
        return self._table.checked("trial", rows, lambda row: door.name("id", row[0]))

    def _with_ids(self, ids: list[str]) -> list[Trial]:
        return self._read(f"id IN ({','.join('?' * len(ids))})", tuple(ids))

    def some(self, ids: Iterable[str]) -> list[Trial]:
        """The trials with these ids, which are given in the order in which they were asked for."""
        wanted = list(ids)
        known = self._known if self._frozen else {}
        unknown = [trial_id for trial_id in wanted if trial_id not in known]
        for start in range(0, len(unknown), _AT_ONCE):
            known.update((trial.id, trial) for trial in self._with_ids(unknown[start : start + _AT_ONCE]))
        return [known[trial_id] for trial_id in wanted if trial_id in known]

    def of_configuration(self, configuration: str) -> list[Trial]:
        """All trials of a configuration, those from fresh seeds included, in order; nothing else is read."""
        return self._read("configuration = ?", (configuration,))

    def running(self, *kinds: TrialKind) -> list[Trial]:
        """The trials of these kinds that were asked for and have no end yet, in order; nothing else is read."""
        where, given = _of_kinds(kinds)
        where = " AND ".join(part for part in (where, "state = ?") if part)
        ids = self._ids(where, (*given, TrialState.RUNNING))
        return [trial for trial_id in ids if (trial := self.trial(trial_id)) is not None]

    def trial(self, trial_id: str) -> Trial | None:
        """The trial with this id, or None."""
        with self._table.one_state():
            epochs = self._epochs("trial = ?", (trial_id,))
            rows = self._table.rows("trial", ("position",), _COLUMNS, "id = ?", (trial_id,))
        found = self._table.checked("trial", rows, lambda row: door.trial(row, epochs.get(row[0], ())))
        return found[0] if found else None

    def marks(self) -> list[Mark]:
        """All trials in brief, in the order in which they were asked for."""
        if self._marks is not None:
            return self._marks
        found = self._in_brief()
        if self._frozen:
            self._marks = found
        return found

    def _in_brief(self) -> list[Mark]:
        with self._table.one_state():
            found = summary.marks(self._table) if self._survey() else None
        if found is not None:
            return found
        return [mark(trial) for trial in self.trials()]

    def overview(self, direction: str) -> Overview:
        """All trials in a few numbers; `direction` is `min` or `max`, of the objective."""
        with self._table.one_state():
            known = self._survey()
            found = summary.summed_up(self._table, known, direction) if known else None
        return overview(self.marks(), direction) if found is None else found

    def marks_outside(self, spans: Sequence[tuple[float, float]]) -> list[Mark]:
        """At least the run's own trials in brief that did not begin and end inside of one of the spans (Unix times).

        Of a short run they are all trials, of a long one the last that ended is among them.
        """
        with self._table.one_state():
            found = summary.outside(self._table, spans) if self._survey() else None
        return self.marks() if found is None else found

    def first_start(self, after: float) -> float | None:
        """When the first of the run's own trials began that began after a time (Unix times); None without one."""
        with self._table.one_state():
            if self._survey():
                return summary.first_start(self._table, after)
        own = (one.started for one in self.marks() if one.kind != TrialKind.EVIDENCE)
        return min((started for started in own if started > after), default=None)

    @property
    def count(self) -> int:
        """Number of trials."""
        return self._table.count("trial", ("position",))

    @property
    def _is_long(self) -> bool:
        return self._version == _VERSION and self.count >= LONG

    def _survey(self) -> Survey | None:
        """What the columns in brief of a long run tell; None where only whole trials do."""
        if self._surveyed is None:
            found = summary.survey(self._table) if self._is_long else None
            if not self._frozen:
                return found
            self._surveyed = (found,)
        return self._surveyed[0]

    def leading(self, direction: str, top: int) -> list[Mark]:
        """At least the trials in brief of the best configurations, the winner, the baselines, and those trained again.

        Args:
            direction: `min` or `max`, of the objective.
            top: How many of the best, at least 1.
        """
        with self._table.one_state():
            known = self._survey()
            winner = self.meta("winner") or ""
            found = summary.leading(self._table, known, direction, top, winner) if known else None
        return self.marks() if found is None else found

    def names_by_rank(self, direction: str) -> list[tuple[str, ...]]:
        """Each set of hyperparameters that configurations have, in the order of the first of them in the table.

        Args:
            direction: `min` or `max`, of the objective.
        """
        with self._table.one_state():
            known = self._survey()
            rows = summary.values_by_rank(self._table, known, direction) if known else None
        if rows is not None:
            with suppress(door.Damaged, TypeError):
                return _names_by_rank(rows)
        found = self.contenders()
        scored = best_first(found, direction)
        unscored = (name for name, one in found.items() if one.score is None)
        values = dict(self.first_values())
        ordered = sorted([*scored, *unscored], key=lambda name: found[name].baseline)
        return list(dict.fromkeys(tuple(values[name]) for name in ordered if name in values))

    def first_values(self) -> Iterator[tuple[str, Mapping[str, Scalar]]]:
        """Configuration id to the values of its first trial, for all configurations."""
        if not self._is_long:
            yield from ((trial.id, trial.values) for trial in self.trials() if trial.id == trial.configuration)
            return
        rows = self._table.rows("trial", ("position",), 'id, "values"', "id = configuration")
        yield from self._table.checked("trial", rows, _id_and_values)

    def alike(self) -> Iterator[tuple[str, Mapping[str, Scalar]]]:
        """As `first_values`, at least for all configurations that have the same values as another one."""
        if not self._is_long:
            yield from self.first_values()
            return
        rows = self._table.rows("trial", ("position",), 'id, "values"', "id = configuration")
        signs = [_sign(values) for _, values in rows]
        often = Counter(signs)
        doubtful = [row for row, sign in zip(rows, signs, strict=True) if sign is None or often[sign] > 1]
        yield from self._table.checked("trial", doubtful, _id_and_values)

    def contenders(self) -> dict[str, Contender]:
        """Configuration id to what is known of it in brief; see `search.record.marks.contenders`."""
        if self._contenders is not None:
            return self._contenders
        found = contenders(self.marks())
        if self._frozen:
            self._contenders = found
        return found

    def oracle_state(self) -> dict[str, Any] | None:
        """What the oracle's `memory` gave at the last commit (its `get_state` in a store of version 1), or None."""
        with self._table.one_state():
            states = self._table.rows("oracle", ("id",), "state")
            entries = self._table.rows("oracle_log", ("position",), "entry") if self._version > 1 else []
        found = self._table.checked("oracle", states, lambda row: door.mapping("state", door.parsed("state", row[0])))
        if not found:
            return None
        log = self._table.checked("oracle_log", entries, lambda row: door.parsed("entry", row[0]))
        return {**found[0], _LOG: log} if log else found[0]

    def evaluations(self) -> list[Evaluation]:
        """The final models' evaluations, oldest first."""
        rows = self._table.rows("evaluation", ("trial",), 'trial, part, metrics, "rows", seconds, file, at')
        return sorted(self._table.checked("evaluation", rows, _evaluation), key=lambda evaluation: evaluation.at)

    def work(self) -> list[Work]:
        """What was done besides trials and evaluations, oldest first; older versions recorded nothing of it."""
        return [Work(one["what"], one["started"], one["ended"]) for one in self.meta("work", [])]

    def ensemble(self) -> list[str]:
        """Ids of the trials whose models answer together as the winner, which is the first; none where it is alone."""
        return list((self.meta("ensemble") or {}).get("trials", ()))

    def answering_with(self, trial_id: str | None) -> list[str]:
        """Ids of the trials whose models answer together with that of the winner; none with that of any other."""
        members = self.ensemble()
        return members[1:] if members[:1] == [trial_id] else []

    def winner(self) -> Trial | None:
        """The trial whose model is exported; None before there is one."""
        return self.trial(self.meta("winner") or "")

    def chosen(self) -> set[str]:
        """Ids of the trials whose models the run ends with: the winner, and what answers together with it."""
        winner = self.meta("winner")
        return {*self.ensemble(), *([] if winner is None else [winner])}

    def events(self) -> list[Event]:
        """Warnings and milestones, oldest first."""
        return self._table.checked("event", self._table.rows("event", ("id",), "id, at, level, message"), _event)

    def require_sound(self) -> None:
        """Reads everything there is, down to the pages of the file.

        Raises:
            RunError: Something is damaged, and this is a strict reader.
        """
        try:
            problems = self._connection.execute("PRAGMA integrity_check(1)").fetchall()
        except sqlite3.DatabaseError as error:
            raise storefile.not_a_store(self._path, error) from error
        if problems != [("ok",)]:
            self._table.damaged("file", [str(problem).splitlines()[0] for (problem,) in problems])
        keys = self._table.rows("meta", ("key",), "key")
        for key in self._table.checked("meta", keys, lambda row: door.name("key", row[0])):
            self.meta(key)
        for read in (self.trials, self.oracle_state, self.evaluations, self.work, self.events):
            read()

    def _epochs(self, where: str, given: tuple[str, ...]) -> dict[str, tuple[Epoch, ...]]:
        columns = "trial, number, metrics, seconds, train_seconds"
        rows = self._table.rows("epoch", ("trial", "number"), columns, where, given)
        found: dict[str, list[Epoch]] = {}
        for trial, epoch in self._table.checked("epoch", rows, lambda row: (row[0], door.epoch(row[1:]))):
            found.setdefault(trial, []).append(epoch)
        return {trial: tuple(epochs) for trial, epochs in found.items()}

    def _descended(self, trials: list[Trial]) -> list[Trial]:
        """Those whose parent was asked for before them: nothing ever goes round in circles."""
        position = {trial.id: i for i, trial in enumerate(trials)}
        kept = [trial for i, trial in enumerate(trials) if position.get(trial.parent or "", -1) < i]
        if len(kept) < len(trials):
            lost = sorted({trial.id for trial in trials} - {trial.id for trial in kept})
            self._table.damaged("trial", [f"{trial}: parent is a later trial" for trial in lost])
        return kept


class RunStore(RunReader):
    """The only writer of a run's state. Every method is one transaction, on disk when it returns, but for `begin`.

    It builds on nothing that is damaged: what it is asked for is read strictly.

    Args:
        directory: The run directory.

    Every method that writes raises `DiskError` if it cannot, for example on a full disk; nothing of it is then there.

    Where a method takes the oracle's state, the list under `log` in it only grows, and what is stored of it already is
    not written again.
    """

    _care = "FULL"

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, strict=True)
        if self._version < _VERSION:
            try:
                with self._transaction() as execute:
                    for statement in _FROM_VERSION_1:
                        execute(statement)
                    execute(f"PRAGMA user_version = {_VERSION}")
            except BaseException:
                self.close()
                raise
            self._version = _VERSION

    @classmethod
    def create(
        cls, directory: Path, meta: Mapping[str, Any], fill: Callable[[RunStore], object] | None = None
    ) -> RunStore:
        """Makes a store without trials.

        Args:
            directory: The run directory; it is made if it is missing.
            meta: The facts of the run, JSON data.
            fill: Writes what the store begins with; before it has ended there is no run.

        Raises:
            RunError: The directory already holds a run, or cannot be written.
            DiskError: The disk is full.
        """
        directory = Path(directory)
        path = directory / layout.STORE
        if path.exists():
            raise RunError(f"{directory}: already holds a run")
        # A half-made store must never look like a run: it gets its name when it is complete.
        making = directory / _Unnamed._file
        try:
            directory.mkdir(parents=True, exist_ok=True)
            for left_over in directory.glob(f"{making.name}*"):
                left_over.unlink()
            connection = sqlite3.connect(making, isolation_level=None)
            try:
                connection.executescript(_SCHEMA)
                connection.executemany(
                    "INSERT INTO meta VALUES (?, ?)", [(key, jsondata.dumps(value)) for key, value in meta.items()]
                )
                connection.execute(f"PRAGMA user_version = {_VERSION}")
            finally:
                connection.close()
            if fill is not None:
                with _Unnamed(directory) as unnamed:
                    fill(unnamed)
            making.rename(path)
        except (OSError, sqlite3.Error) as error:
            raise not_written(directory, error) from error
        return cls(directory)

    def _connect(self) -> sqlite3.Connection:
        path = self._path
        self._require_file()
        storefile.require_own_journal(path)
        try:
            connection = sqlite3.connect(path, isolation_level=None, timeout=30.0)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {self._care}")
            storefile.prepare(connection)
        except UnicodeDecodeError as error:
            raise storefile.not_a_store(path, storefile.unreadable(error)) from error
        except sqlite3.Error as error:
            raise not_written(path, error) from error
        return connection

    def put_meta(self, **facts: Any) -> None:
        """Records facts of the run, replacing those of the same name."""
        with self._transaction() as execute:
            _put_meta(execute, facts)

    def begin(self, trial: Trial, oracle_state: Mapping[str, Any] | None = None) -> None:
        """Records a trial that is about to run, and the state of the oracle that proposed it.

        It is there for every process, whatever ends this one. Should the power go before the next end of a trial is on
        disk, and this with it, the store is as it was before: the oracle proposes anew what nobody has finished.
        """
        with self._without_waiting(), self._transaction() as execute:
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

    def forget_evaluation(self, trial_id: str) -> None:
        """Takes back what a model reached, which may answer by itself, or together with others, from now on."""
        with self._transaction() as execute:
            execute("DELETE FROM evaluation WHERE trial = ?", (trial_id,))

    def add_work(self, work: Work) -> None:
        """Records time that was spent besides trials and evaluations."""
        with self._transaction() as execute:
            done = [*self.meta("work", []), vars(work)]
            execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", ("work", jsondata.dumps(done)))

    def add_event(self, at: float, level: str, message: str) -> None:
        """Records a warning or a milestone."""
        with self._transaction() as execute:
            execute("INSERT INTO event (at, level, message) VALUES (?, ?, ?)", (at, level, writable(message)))

    @contextmanager
    def _without_waiting(self) -> Iterator[None]:
        """What is written goes to the disk, in its order, with the next transaction that waits for it."""
        (before,) = self._connection.execute("PRAGMA synchronous").fetchone()
        self._connection.execute(f"PRAGMA synchronous = {min(before, _NORMAL)}")
        try:
            yield
        finally:
            self._connection.execute(f"PRAGMA synchronous = {before}")

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


class _Unnamed(RunStore):
    """A store that is being made: on disk as a whole when it is closed, before which there is no run."""

    _file = layout.MAKING
    # The evidence of a fork may be 100,000 trials; waiting for the disk after each of them would take minutes.
    _care = "NORMAL"


def _id_and_values(row: tuple[Any, ...]) -> tuple[str, Mapping[str, Scalar]]:
    return row[0], door.hyperparameters("values", row[1])


def _sign(values: Any) -> frozenset[str] | None:
    """The same for equal values, in whatever order they stand and whether or not a whole number has a point."""
    if not isinstance(values, str):
        return None
    return frozenset(values.replace(".0,", ",").replace(".0}", "}").strip("{}").split(","))


def _names_by_rank(rows: list[tuple[str, Ranked]]) -> list[tuple[str, ...]]:
    first: dict[str, Ranked] = {}
    for shape, (_, rank) in zip(_shapes([values for values, _ in rows]), rows, strict=True):
        if shape not in first or rank < first[shape]:
            first[shape] = rank
    names = (tuple(door.hyperparameters("values", shape)) for shape in sorted(first, key=first.__getitem__))
    return list(dict.fromkeys(names))


def _shapes(texts: list[str]) -> list[str]:
    """The texts without what their numbers are: few are left that differ."""
    together = "\n".join(texts)
    if "\\" not in together:
        shapes = _PLAIN_NUMBERS.sub('":0', together).split("\n")
        if len(shapes) == len(texts):
            return shapes
    return [_NUMBERS.sub('":0', text) for text in texts]


def _of_kinds(kinds: tuple[TrialKind, ...]) -> tuple[str, tuple[str, ...]]:
    """A condition that only these kinds meet, and its parameters; all do where none is named."""
    return (f"kind IN ({','.join('?' * len(kinds))})" if kinds else ""), kinds


def _dump(data: Mapping[str, Any] | None) -> str | None:
    return None if data is None else jsondata.dumps(data)


def _put_meta(execute: Any, facts: Mapping[str, Any]) -> None:
    for key, value in facts.items():
        execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, jsondata.dumps(value)))


def _put_oracle(execute: Any, state: Mapping[str, Any] | None) -> None:
    if state is None:
        return
    small = {key: value for key, value in state.items() if key != _LOG}
    execute("INSERT OR REPLACE INTO oracle VALUES (1, ?)", (jsondata.dumps(small),))
    (known,) = execute("SELECT coalesce(max(position) + 1, 0) FROM oracle_log").fetchone()
    for position, entry in enumerate(state.get(_LOG, ())[known:], known):
        execute("INSERT INTO oracle_log VALUES (?, ?)", (position, jsondata.dumps(entry)))


def _put_outcome(execute: Any, trial_id: str, outcome: Outcome) -> None:
    execute("DELETE FROM epoch WHERE trial = ?", (trial_id,))
    for epoch in outcome.epochs:
        execute(
            "INSERT INTO epoch VALUES (?,?,?,?,?)",
            (trial_id, epoch.number, jsondata.dumps(epoch.metrics), epoch.seconds, epoch.train_seconds),
        )
    brief = (
        outcome.score, outcome.parameters, outcome.seconds, outcome.build_seconds, outcome.stopped,
        outcome.failure and outcome.failure.reason, len(outcome.epochs),
    )  # fmt: skip
    execute(
        f"UPDATE trial SET outcome = ?, {', '.join(f'{name} = ?' for name in _IN_BRIEF)} WHERE id = ?",
        (jsondata.dumps(jsondata.outcome_to_json(outcome)), *brief, trial_id),
    )


def _fact(key: str, value: Any) -> Any:
    return recorded.fact(key, door.parsed("value", value))


def _evaluation(row: tuple[Any, ...]) -> Evaluation:
    trial, part, metrics, rows, seconds, file, at = row
    return Evaluation(
        door.name("trial", trial),
        door.text("part", part),
        door.measures("metrics", door.parsed("metrics", metrics)),
        door.whole("rows", rows),
        door.span("seconds", seconds),
        door.file_below("file", file, layout.EVALUATION, 1),
        door.instant("at", at),
    )


def _event(row: tuple[Any, ...]) -> Event:
    _, at, level, message = row
    if level not in LEVELS:
        raise door.Damaged(f"level is {ascii(level)[:60]}, none of {', '.join(LEVELS)}")
    return Event(door.instant("at", at), level, door.text("message", message))
