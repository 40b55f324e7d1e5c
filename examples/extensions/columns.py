"""A data source of one's own: a text file, one row a line, numbers between blanks, the class first.

In a package it is registered by two lines of its pyproject.toml:

    [project.entry-points."nightshift.sources"]
    columns = "columns:COLUMNS"
"""

from __future__ import annotations

from spaces.basics.errors import DataError
from spaces.data.readers.source import Part, RawData
from spaces.sections.sources import DataSource


class Columns(DataSource):
    """`data: {source: {columns: FILE}}`."""

    name = "columns"

    def load(self, location: str) -> RawData:
        """The rows as they are; labels, checks, splits and preprocessing follow, as for all sources."""
        import numpy as np

        try:
            rows = np.loadtxt(location, dtype=np.float32, ndmin=2)
        except (OSError, ValueError) as error:
            raise DataError(f"{location}: {error}") from error
        return RawData("columns", location, Part(rows[:, 1:], rows[:, 0].astype(np.int64), location))


COLUMNS = Columns()
