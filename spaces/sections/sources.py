"""Data sources that installed packages declare, beside those of this program."""

from __future__ import annotations

from typing import Any, ClassVar

from spaces.basics.registry import Registry


class DataSource:
    """A kind of data: `data: {source: {NAME: LOCATION}}`.

    A stateless object under the entry points `nightshift.sources`. Labels, checks, splits and preprocessing are the
    same for all sources. Its module is imported by commands that only read, so it imports what is heavy in `load`.

    Attributes:
        name: What the space file has as the key.
        is_path: Whether the location is a path, which is then made absolute and part of the frozen space file.
        has_columns: Whether it may give DataFrames, so that a space file may name a target, columns and groups.
    """

    name: ClassVar[str]
    is_path: ClassVar[bool] = True
    has_columns: ClassVar[bool] = False

    def load(self, location: str) -> Any:
        """The rows, judging nothing but where they come from.

        Returns:
            `spaces.data.readers.source.RawData`; where `has_columns`, also a DataFrame, or whatever else a function
            under `{python: ...}` may return of DataFrames and arrays.

        Raises:
            DataError: They are missing or cannot be read; the message names the file.
        """
        raise NotImplementedError


OTHER_SOURCES: Registry[DataSource] = Registry("nightshift.sources", {}, DataSource)
