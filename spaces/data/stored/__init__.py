"""Rows that stay on the disk: read as they are used, never as a whole."""

from spaces.data.stored.rows import StoredRows

__all__ = ["StoredRows"]
