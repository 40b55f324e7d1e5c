"""Data sources that installed packages declare, beside those of this program."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from spaces.basics.registry import Registry

if TYPE_CHECKING:
    from spaces.data.readers.source import RawData


class DataSource:
    """A kind of data: `data: {source: {NAME: LOCATION}}`.

    A stateless object under the entry points `nightshift.sources`. Labels, checks, splits and preprocessing are the
    same for all sources. Its module is imported by commands that only read, so it imports what is heavy in `load`.

    Attributes:
        name: What the space file has as the key.
        is_path: Whether the location is a path, which is then made absolute and part of the frozen space file.
    """

    name: ClassVar[str]
    is_path: ClassVar[bool] = True

    def load(self, location: str) -> RawData:
        """The rows, judging nothing but where they come from.

        Raises:
            DataError: They are missing or cannot be read; the message names the file.
        """
        raise NotImplementedError


OTHER_SOURCES: Registry[DataSource] = Registry("nightshift.sources", {}, DataSource)
