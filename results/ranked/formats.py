"""Tables for other programs: CSV, JSON, Markdown and Parquet, with full precision."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from results.errors import OptionError, ResultError, not_written
from results.named import named
from results.ranked.tables import Table, Value
from results.text import cell, unmarked
from search.files import atomic

if TYPE_CHECKING:
    from rich.console import Console

FORMATS = ("rich", "csv", "json", "markdown", "parquet")
_SUFFIXES = {".csv": "csv", ".json": "json", ".md": "markdown", ".markdown": "markdown", ".parquet": "parquet",
             ".txt": "rich"}  # fmt: skip
_FILE_WIDTH = 200
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_LEAST_WHOLE = -(2**63)
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)


def write(
    table: Table, console: Console, format: str | None = None, output: Path | None = None, *, notes: bool = True
) -> None:
    """Writes a table to the console, or to a file.

    Args:
        table: What to write.
        console: Where it goes without `output`; formats other than `rich` are written there as they are.
        format: One of `FORMATS`; None takes that of the suffix of `output`, without one `rich`.
        notes: Whether lines of explanation follow the table on a terminal.
        output: File to write, see `replaced_by`.

    Raises:
        OptionError: The format is unknown, or it needs a file.
        ResultError: A package is missing, or the file cannot be written.
        DiskError: The disk is full.
    """
    chosen = chosen_format(format, output)
    if output is None:
        if chosen == "parquet":
            raise OptionError("parquet is binary: give a file, for example --output table.parquet")
        if chosen == "rich":
            from results.ranked.terminal import show

            show(table, console, notes=notes)
        else:
            console.file.write(_TEXT[chosen](table))
        return
    if chosen == "parquet":
        # A pipe, unlike this, takes no writer that goes back and forth.
        stream = io.BytesIO()
        write_parquet(table, stream)
        replaced_by(output, stream.getvalue())
    else:
        replaced_by(output, _rich_text(table) if chosen == "rich" else _TEXT[chosen](table))


def drawn(draw: Callable[[Console], None]) -> str:
    """What is drawn on a console, as text for a file."""
    from rich.console import Console

    stream = io.StringIO()
    draw(Console(file=stream, width=_FILE_WIDTH, color_system=None))
    return stream.getvalue()


def replaced_by(output: Path, content: str | bytes) -> None:
    """Writes a file that the user named, whole or not at all; a device or a pipe is written into.

    Raises:
        ResultError: Its folder is missing, or it cannot be written.
        DiskError: The disk is full.
    """
    if not os.path.isdir(output.parent):
        # A folder is made for what belongs to a run; here a missing one is a slip of the pen.
        raise ResultError(f"{output}: cannot be written (there is no folder {output.parent})")
    try:
        with atomic.replacing_what_is_named(output) as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise not_written(output, error) from error


def csv_text(table: Table) -> str:
    """Comma-separated values with a header line, RFC 4180; missing values are empty, truth is true or false.

    Text that a spreadsheet would take for a formula gets an apostrophe in front; a number in words, such as the class
    `-1`, is none.
    """
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([_csv_cell(name) for name in table.columns])
    writer.writerows([_csv_cell(row[name]) for name in table.columns] for row in table.rows)
    return stream.getvalue()


def json_text(table: Table) -> str:
    """A list of objects, one per row, with null for missing values and no NaN; in ASCII, which every encoding has."""
    return json.dumps([table.shown(row) for row in table.rows], indent=2, allow_nan=False) + "\n"


def finite_only(data: Any) -> Any:
    """Plain data in which None stands for numbers that are not finite, and all keys are texts."""
    if isinstance(data, Mapping):
        return {str(key): finite_only(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [finite_only(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def plain_json(data: Any, indent: int | None = 2) -> str:
    """JSON text of plain data; numbers that are not finite, which JSON does not know, become null."""
    return json.dumps(finite_only(data), indent=indent, allow_nan=False)


def markdown_text(table: Table) -> str:
    """A pipe table as GitHub reads it, numbers rounded for people and right-aligned."""
    right = [not any(isinstance(row[name], str) for row in table.rows) for name in table.columns]
    lines = [
        [markdown_escape(name) for name in table.columns],
        ["---:" if flag else "---" for flag in right],
        *([markdown_escape(cell(name, row[name])) for name in table.columns] for row in table.rows),
    ]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines) if table.columns else ""


def markdown_escape(text: str) -> str:
    """Text that Markdown shows as it is: no markup, no HTML, no new cell or line."""
    line = " ".join(text.split())
    return unmarked(line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))


def write_parquet(table: Table, file: Path | BinaryIO) -> None:
    """Writes a Parquet file with one typed column each.

    A column that mixes text and numbers becomes text, and so does one with whole numbers beyond 64 bits.

    Raises:
        ResultError: pyarrow is not installed.
        OSError: The file cannot be written.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise ResultError('parquet needs pyarrow: pip install "keras-nightshift[parquet]"') from error
    data = {name: _typed([row[name] for row in table.rows]) for name in table.columns}
    parquet.write_table(pyarrow.table(data), file)


def fits_64_bits(values: Sequence[Value]) -> bool:
    """Whether a column of whole numbers can hold those among these cells; a function's range may go beyond."""
    return all(_LEAST_WHOLE <= value < -_LEAST_WHOLE for value in values if isinstance(value, int))


def for_people(format: str | None, output: Path | None, columns: str | None = None) -> bool:
    """Whether people read what `write` makes of these, who look for the winner whatever they have asked for.

    Args:
        format: As for `write`.
        output: As for `write`.
        columns: Those that were picked; None: all. Markdown, which has no lines below the table, says in a column who
            won.

    Raises:
        OptionError: As `write`.
    """
    chosen = chosen_format(format, output)
    return chosen == "rich" or (chosen == "markdown" and (columns is None or "verdict" in named(columns)))


def chosen_format(
    format: str | None,
    output: Path | None,
    formats: Sequence[str] = FORMATS,
    suffixes: Mapping[str, str] = _SUFFIXES,
) -> str:
    """What to write: the format that was named, or that of the file's name, without a file `rich`.

    Args:
        format: Its name.
        output: The file.
        formats: Those that there are.
        suffixes: Those of files, with the format of each.

    Raises:
        OptionError: There is no such format.
    """
    if format is not None:
        if format not in formats:
            raise OptionError(f"--format {format}: must be one of {', '.join(formats)}")
        return format
    if output is None:
        return "rich"
    if output.suffix.lower() not in suffixes:
        known = ", ".join(suffixes)
        raise OptionError(f"{output}: no format has this suffix (there are {known}); give --format")
    return suffixes[output.suffix.lower()]


def _rich_text(table: Table) -> str:
    from results.ranked.terminal import show

    return drawn(lambda console: show(table, console))


def _csv_cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_FORMULA) and not _NUMBER.fullmatch(value):
        return "'" + value
    return str(value)


def _typed(values: list[Any]) -> list[Any]:
    kinds = {type(value) for value in values if value is not None}
    if (kinds <= {int, float} or len(kinds) < 2) and (float in kinds or fits_64_bits(values)):
        return [float(v) if v is not None and kinds == {int, float} else v for v in values]
    return [None if value is None else str(value) for value in values]


_TEXT: dict[str, Callable[[Table], str]] = {"csv": csv_text, "json": json_text, "markdown": markdown_text}
