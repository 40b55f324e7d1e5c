"""A run directory as an object: what `search.run` returns and what every reading command starts from."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import spaces
from search import layout
from search.store import RunReader

if TYPE_CHECKING:
    import pandas as pd

_READING_SIDE = "results"
"""The package that reads runs, looked up by this name when it is asked for: nothing here is built on it."""


@dataclass(frozen=True)
class Run:
    """One search with everything it has left behind.

    Attributes:
        directory: The run directory.
    """

    directory: Path

    def read(self) -> RunReader:
        """Opens the run store for reading; use it as a context manager. Works while the search is running."""
        return RunReader(self.directory)

    @property
    def spec(self) -> spaces.SearchSpec:
        """The space file of the run, as it was frozen when the run began."""
        return spaces.load(self.directory / layout.SPACE)

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
        columns: Sequence[str] | None = None,
        epochs: bool = False,
    ) -> pd.DataFrame:
        """The ranked table, best first: what `results.table` gives for this run, with the same arguments and errors."""
        table = import_module(_READING_SIDE).table
        return table(self, where=where, sort=sort, top=top, columns=columns, epochs=epochs)


def open_run(run: Run | str | Path) -> Run:
    """The run in a directory.

    Raises:
        RunError: There is none, or its store cannot be read.
    """
    if isinstance(run, Run):
        return run
    directory = Path(run)
    RunReader(directory).close()
    return Run(directory)
