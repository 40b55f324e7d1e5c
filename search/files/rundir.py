"""A run directory as an object: what `search.run` returns and what every reading command starts from."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import spaces
from search.errors import RunError
from search.files import layout
from search.files.store import RunReader
from spaces.basics.files import unreadable
from spaces.outside.launch import own_packages_first

if TYPE_CHECKING:
    import keras
    import pandas as pd

    # What the reading side gives has types of its own.
    ExportResult = Any
    Page = Any


@dataclass(frozen=True)
class Run:
    """One search with everything it has left behind.

    Attributes:
        directory: The run directory.
    """

    directory: Path

    def __post_init__(self) -> None:
        # A program may give a text, as it may wherever a run is asked for.
        object.__setattr__(self, "directory", Path(self.directory))

    def read(self) -> RunReader:
        """Opens the run store for reading; use it as a context manager. Works while the search is running.

        Everything that is read through it is of one moment, whatever is committed meanwhile.
        """
        return RunReader(self.directory, snapshot=True)

    @contextmanager
    def snapshot(self) -> Iterator[Run]:
        """The run as it stands now: within the block, every `read` of what it gives shows the same moment."""
        with self.read() as reader:
            yield _Snapshot(self.directory, reader)

    @property
    def spec(self) -> spaces.SearchSpec:
        """The space file of the run, as it was frozen when the run began."""
        return spaces.load(self.directory / layout.SPACE, begun=True)

    @property
    def promised(self) -> float | None:
        """The Unix time by which the run was last said to be done, if that is still to come."""
        with self.read() as reader:
            until: float | None = reader.meta("until")
        return until if until is not None and until > time.time() else None

    def table(
        self,
        *,
        where: str | None = None,
        sort: str | None = None,
        top: int | None = None,
        columns: str | Sequence[str] | None = None,
        epochs: bool = False,
    ) -> pd.DataFrame:
        """The ranked table, best first: what `results.table` gives for this run, with the same arguments and errors."""
        table = _reading_side().table
        return table(self, where=where, sort=sort, top=top, columns=columns, epochs=epochs)

    def report(self, *, png: bool = True) -> Page:
        """Writes the report, as `results.report` does, and gives its page, which a notebook shows where it stands."""
        found: Page = _reading_side(".notebook").report(self, png=png)
        return found

    def export(
        self,
        trial: str | int | None = None,
        formats: str | Sequence[str] | None = None,
        output: str | Path | None = None,
        serve: bool | None = None,
    ) -> ExportResult:
        """Writes the model's files: what `results.export` does for this run, with the same arguments and errors."""
        found: ExportResult = _reading_side().export(self, trial, formats, output, serve=serve)
        return found

    def best_model(self) -> keras.Model:
        """The winner's model with its weights, or before there is one that of the best configuration so far."""
        return _reading_side().best_model(self)

    def _repr_html_(self) -> str:
        """What a notebook shows of it: the outcome, the best rows of its table, and where its report is."""
        return str(_reading_side(".notebook").summary(self))


def _reading_side(module: str = "") -> Any:
    """What reads runs, looked up by its name when it is asked for: nothing here is built on it.

    Not what a user may keep under that name in the folder where they work.
    """
    own_packages_first()
    return import_module(f"results{module}")


@dataclass(frozen=True)
class _Snapshot(Run):
    """A run at one moment."""

    reader: RunReader

    def read(self) -> RunReader:
        return self.reader


def open_run(run: Run | str | Path) -> Run:
    """The run in a directory.

    Args:
        run: The directory; a run is given back as it is.

    Raises:
        RunError: There is none, or its store cannot be read.
    """
    if isinstance(run, Run):
        return run
    directory = Path(run)
    RunReader(directory).close()
    return Run(directory)


def data_info(reader: RunReader) -> spaces.DataInfo:
    """What a run recorded about its data.

    Raises:
        RunError: The record is missing or damaged, or says what this version does not know.
    """
    try:
        return spaces.DataInfo.from_json(reader.meta("data")["info"])
    except (TypeError, ValueError, KeyError, AttributeError) as error:
        raise RunError(
            f"{reader.directory}: its record of the data was written by another version ({error})"
        ) from error


@contextmanager
def telling_of_other_places(directory: Path, spec: spaces.SearchSpec) -> Iterator[None]:
    """Inside, data that are not where they were are told with what lets the run go on with them.

    Args:
        directory: The run directory.
        spec: The space file of the run.
    """
    try:
        yield
    except spaces.DataError as error:
        if (told := _moved(directory, spec)) is None:
            raise
        raise spaces.DataError(f"{error}; {told}") from error


def _moved(directory: Path, spec: spaces.SearchSpec) -> str | None:
    """How a run goes on whose data are not where they were, in words; None: they are there, or no files."""
    # Reading a run imports this module, and takes next to nothing of the space file.
    from spaces.sections.data_section import Source, is_path

    source = spec.data.source
    if not isinstance(source, Source) or not is_path(source.kind) or os.path.exists(source.location):
        return None
    space = quote(str(directory / layout.SPACE))
    return (
        f"if the data are in another place by now, `run-search run {space} --run-dir {quote(str(directory))} --set "
        f"data.source.{source.kind}=PATH` goes on with them"
    )


def require_inside(directory: Path) -> None:
    """Refuses a run directory in which there is anything but folders, files, and links to what is in it.

    What is written or deleted through a link that leads out would be elsewhere; a pipe would be waited for.

    Raises:
        RunError: There is such a thing.
    """
    root = directory.resolve()
    for folder, folders, files in os.walk(directory):
        for entry in (*folders, *files):
            path = Path(folder, entry)
            try:
                mode = path.lstat().st_mode
            except OSError:
                continue  # It was deleted while we looked.
            if stat.S_ISLNK(mode):
                if not Path(os.path.realpath(path)).is_relative_to(root):
                    raise RunError(f"{path}: a link that leads out of the run directory; nothing is written through it")
            elif not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise RunError(f"{path}: {unreadable(path)}, and no run has made it; remove it")
