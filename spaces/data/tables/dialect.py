"""How a text file writes its table: encoding, separator, header; and where a row of it stands."""

from __future__ import annotations

import codecs
import csv
import itertools
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spaces.basics.errors import DataError
from spaces.basics.printable import printable, some_of
from spaces.data.readers.memory import check_size
from spaces.data.tables.columns import Written
from spaces.data.tables.numbers import parse

SEPARATORS = (",", ";", "\t", "|")
_LONGEST_LINE = 2**20
_MOST_COLUMNS = 50_000
_CELL_BYTES = 16  # of a number, once as it is parsed and once in its column
_SAMPLE = 50
_GZIP_MAGIC = b"\x1f\x8b"
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE = re.compile(r"utf-(16|32)")
_HINT = re.compile(r"sep=(.)\s*")
_BLANKS = " \t\r\n"
_NO_TEXT = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")


@dataclass(frozen=True)
class Dialect:
    """How the cells of a text file are written.

    Attributes:
        encoding: Python name of the encoding.
        separator: what stands between two cells.
        header: cells of the first line, if they are names; None where they are numbers.
        width: cells of the widest of the first lines.
        skipped: lines before the first one that counts.
        guesses: what the file does not say for certain, and how to say otherwise.
    """

    encoding: str
    separator: str
    header: tuple[str, ...] | None
    width: int
    skipped: int = 0
    guesses: tuple[str, ...] = ()


def find_dialect(
    path: Path,
    separator: str | None = None,
    encoding: str | None = None,
    wanted: Collection[str] = (),
    like: Written | None = None,
) -> Dialect:
    """Looks at a file's bytes and at its first lines.

    Args:
        path: an existing file.
        separator: what stands between cells, where it is given.
        encoding: the same for the encoding.
        wanted: names of columns: a first line that holds them all is the header, even if they are numbers.
        like: how an earlier file of the same kind was written: what decides where the file leaves it open.

    Raises:
        DataError: compressed, binary, not in the given encoding, lines or cells without end, or more than memory holds.
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        first = stream.read(4096)
    if first.startswith(_GZIP_MAGIC):
        raise DataError(f"{path}: is compressed; unpack it first")
    check_size(path.stat().st_size, str(path), "; as Parquet it is read a column at a time")
    guesses = []
    if encoding is None:
        encoding, guess = _find_encoding(path, first, like.encoding if like is not None else None)
        guesses += [guess] if guess else []
    else:
        encoding = _as_marked(encoding, first)
    _check_lines(path, encoding)
    with path.open(encoding=encoding, newline="") as text:
        hint = _HINT.fullmatch(text.readline(16))
    skipped = 1 if hint else 0
    separator = separator or (hint[1] if hint else None)
    marks = (separator,) if separator else (*([like.separator] if like is not None else []), *SEPARATORS)
    samples = _samples(path, encoding, marks, skipped)
    found = max(samples, key=lambda mark: (_holds(samples[mark], wanted), _regularity(samples[mark])))
    rows = samples[found]
    if rows and len(rows[0]) > _MOST_COLUMNS:
        raise DataError(f"{path}: has more than {_MOST_COLUMNS:,} columns")
    first_row = rows[0] if rows else []
    bare = bool(first_row) and all(_is_number(cell) for cell in first_row) and not _holds(rows, wanted)
    header = None if bare else tuple(map(_name, first_row))
    if header is not None and not _holds(rows, wanted) and _is_like_the_others(rows):
        guesses.append(
            f"the first line ({some_of(header, 3)}) is taken for names, though it looks like the others; if it is "
            "none, write names above it"
        )
    width = max((len(row) for row in rows[:2]), default=0)
    return Dialect(encoding, found, header, width, skipped, tuple(guesses))


def _name(cell: str) -> str:
    return printable(cell.strip())


def _holds(rows: list[list[str]], wanted: Collection[str]) -> bool:
    """Whether the first line has all these names."""
    return bool(rows and wanted) and set(map(_name, wanted)) <= set(map(_name, rows[0]))


def _is_like_the_others(rows: list[list[str]]) -> bool:
    """Whether most cells of a first line are numbers with decimals, or words that stand in their column again."""
    like = [
        cell in column or _is_number(cell)
        for cell, *column in zip(*rows, strict=False)
        if cell.strip() and not cell.strip().isdigit()  # a year or a position is a usual name
    ]
    return sum(like) > len(like) / 2


def line_of(path: Path, dialect: Dialect, row: int) -> int:
    """Line of the file, from 1, in which a row of the table begins; rows count from 0, below the header."""
    wanted = row + (dialect.header is not None)
    last = dialect.skipped
    for record, end in _records(path, dialect.encoding, dialect.separator, dialect.skipped):
        if record:
            if not wanted:
                return last + 1
            wanted -= 1
        last = end
    return last


def _records(path: Path, encoding: str, separator: str, skipped: int) -> Iterator[tuple[list[str], int]]:
    """The records of a file, each with the number of its last line; those of blank lines, which are no rows, are [].

    Raises:
        DataError: A cell has no end.
    """
    line = ""

    def lines() -> Iterator[str]:
        nonlocal line
        while line := text.readline():
            yield line

    with path.open(encoding=encoding, newline="") as text:
        for _ in range(skipped):
            text.readline()
        # Python's own limit is 128 KiB, which a document in a cell may have.
        csv.field_size_limit(max(_LONGEST_LINE, csv.field_size_limit()))
        reader = csv.reader(lines(), delimiter=separator, skipinitialspace=True)
        begins = skipped + 1
        try:
            for record in reader:
                blank = len(record) == 1 and not line.strip(_BLANKS)
                yield [] if blank else record, reader.line_num + skipped
                begins = reader.line_num + skipped + 1
        except csv.Error as error:
            raise DataError(
                f"{path}: in line {begins} begins a row with a cell of more than {_LONGEST_LINE // 2**20} MiB; a quote "
                "may be closed nowhere"
            ) from error


def _samples(path: Path, encoding: str, separators: Iterable[str], skipped: int) -> dict[str, list[list[str]]]:
    """The first records that each separator makes; none where it makes a cell without end.

    Raises:
        DataError: One does, and no other one divides the first line.
    """
    found: dict[str, list[list[str]]] = {}
    endless: DataError | None = None
    for separator in separators:
        records = (record for record, _ in _records(path, encoding, separator, skipped))
        try:
            found[separator] = list(itertools.islice((record for record in records if any(record)), _SAMPLE))
        except DataError as error:
            found[separator], endless = [], error
    if endless is not None and not any(len(rows[0]) > 1 for rows in found.values() if rows):
        raise endless
    return found


def _regularity(rows: list[list[str]]) -> tuple[Any, ...]:
    """Larger for a separator that splits all lines alike, and into more cells."""
    if not rows or len(rows[0]) < 2:
        return (0, 0, 0)
    sizes = [len(row) for row in rows]
    common = max(set(sizes), key=sizes.count)
    numbers = sum(_is_number(cell) for row in rows[1:] for cell in row)
    return (1 + (sizes.count(common) / len(sizes) > 0.9 and common > 1), common if common > 1 else 0, numbers)


def _find_encoding(path: Path, first: bytes, likely: str | None) -> tuple[str, str | None]:
    """The encoding, and the sentence that it is a guess; the likely one where the bytes do not speak for another."""
    for mark, name in _MARKS:
        if first.startswith(mark):
            return name, None
    wide = first.count(0) > len(first) // 3
    fits = likely is not None and wide == bool(_WIDE.match(codecs.lookup(likely).name))
    if likely is not None and fits and not _is_utf8(path) and _can_be(path, likely):
        return likely, None
    if wide:
        name = "utf-16-le" if first[1:2] == b"\0" else "utf-16-be"
        return name, f"read as {name}; `encoding:` beside the file says otherwise"
    decoder = codecs.getincrementaldecoder("utf-8")()
    with path.open("rb") as stream:
        try:
            while block := stream.read(_LONGEST_LINE):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            stream.seek(0)
            if _NO_TEXT.search(stream.read(_LONGEST_LINE).decode("latin-1")):
                raise DataError(f"{path}: is not text ({error.reason} for UTF-8 at byte {error.start})") from error
            return _western(path), "is not UTF-8, read as Latin-1; `encoding:` beside the file says otherwise"
    return "utf-8", None


def _as_marked(encoding: str, first: bytes) -> str:
    """The given encoding with or without the mark that a file begins with, which is no part of its first name."""
    name = codecs.lookup(encoding).name
    marked = next((found for mark, found in _MARKS if first.startswith(mark)), None)
    if marked is not None and marked.startswith(name[: len("utf-16")] if _WIDE.match(name) else f"{name}-"):
        return marked
    if name in ("utf-16", "utf-32"):
        return f"{name}-be" if first.startswith(b"\0") else f"{name}-le"
    return encoding


def _is_utf8(path: Path) -> bool:
    """Whether it can be nothing else, for it has letters that are not ASCII."""
    return _can_be(path, "utf-8") and not _can_be(path, "ascii")


def _can_be(path: Path, encoding: str) -> bool:
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as stream:
        try:
            while block := stream.read(_LONGEST_LINE):
                decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeError:
            return False
    return True


def _western(path: Path) -> str:
    """Windows' version of Latin-1, which has the euro sign, unless the file uses bytes that it leaves open."""
    with path.open("rb") as stream:
        while block := stream.read(_LONGEST_LINE):
            if any(byte in block for byte in (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d")):
                return "latin-1"
    return "cp1252"


def _check_lines(path: Path, encoding: str) -> None:
    """Refuses lines and tables that reading would need far more memory for than the file has bytes."""
    number, length, separators = 1, 0, 0
    decoder = codecs.getincrementaldecoder(encoding)()
    with path.open("rb") as stream:
        while True:
            read = stream.read(_LONGEST_LINE)
            try:
                block = decoder.decode(read, final=not read)
            except UnicodeDecodeError as error:
                raise DataError(f"{path}: is not text in {encoding} ({error.reason} at byte {error.start})") from error
            except UnicodeError as error:
                raise DataError(f"{path}: is not text in {encoding} ({error})") from error
            separators += sum(block.count(separator) for separator in SEPARATORS)
            pieces = block.replace("\r\n", "\n").replace("\r", "\n").split("\n")
            for piece in pieces[:-1]:
                if length + len(piece) > _LONGEST_LINE:
                    break
                number, length = number + 1, 0
            else:
                piece = pieces[-1]
            length += len(piece)
            if length > _LONGEST_LINE:
                raise DataError(f"{path}: line {number} is longer than {_LONGEST_LINE // 2**20} MiB")
            if not read:
                break
    check_size((separators + number) * _CELL_BYTES, str(path))


def _is_number(cell: str) -> bool:
    return any(c.isdigit() for c in cell) and not parse([cell], None, unit="", literal=True).misfits[0]
