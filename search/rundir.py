"""A run directory as an object: what `search.run` returns and what every reading command starts from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import spaces
from search import layout
from search.store import RunReader


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
