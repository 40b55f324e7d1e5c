"""Finds out what the cells of a column are. What is nearly all numbers or dates is never taken for words in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from spaces.basics.errors import DataError
from spaces.basics.printable import printable, some_of
from spaces.data.tables import dates, numbers
from spaces.data.tables.cells import Cells
from spaces.data.tables.columns import Array, Column, Kind

if TYPE_CHECKING:
    import pandas as pd

_NEARLY_ALL = 0.8
_HALF = 0.5
_MANY = 0.3
_MANY_NUMBERS = 10
_FEW_WORDS = 20
_WORDS_OF_TEXT = 3
_NO_CATEGORY = frozenset(("", "?", "-", "--", "–", "—"))
_BOOLEANS = (("false", "true"), ("no", "yes"), ("n", "y"), ("f", "t"), ("off", "on"), ("nein", "ja"), ("non", "oui"))
_DIGITS = (("0", "1"), ("0.0", "1.0"))
_LARGEST = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Reader:
    """Reads the columns of one table.

    Attributes:
        cells: the table.
        decimal: the decimal sign where it is given.
        otherwise: the decimal sign of numbers that can be read either way.
        literal: whether cells are read as earlier versions did, see `numbers.parse`.
    """

    cells: Cells
    decimal: numbers.Decimal | None
    otherwise: numbers.Decimal
    literal: bool = False

    def parse(self, words: list[str], counts: Array | None = None) -> numbers.Parsed:
        """Cells read as numbers of one column, as for `numbers.parse`."""
        return numbers.parse(words, self.decimal, self.otherwise, counts, literal=self.literal)

    def understand(self, name: str, wanted: Kind | None, *, categorical: bool = False) -> tuple[Column, Array]:
        """A column and its values: numbers, days, or the numbers of its words; NaN where nothing is given.

        Args:
            name: of the column.
            wanted: what the user says that it is.
            categorical: whether it is known to hold no numbers, though its cells may look like some.

        Raises:
            DataError: its cells are neither one thing nor the other, or not what is wanted.
        """
        series = self.cells.frame[name]
        if series.dtype == bool and wanted in (None, "boolean", "number"):
            return Column(name, "boolean", values=("False", "True")), series.to_numpy(dtype=np.float64)
        if series.dtype.kind == "M" and wanted in (None, "date"):
            return self._moments(name, series)
        if series.dtype.kind in "iuf" and wanted is None and categorical:
            wanted = "category"
        if series.dtype.kind in "iuf" and wanted in (None, "number"):
            return self._plain_numbers(name, series.to_numpy(dtype=np.float64))
        codes, words = factorized(as_words(series))
        counts = np.bincount(codes, minlength=len(words))
        if wanted is not None:
            column, values = self._read(name, wanted, words, counts, codes)
            return column, values[codes]
        kind = self._kind(name, words, counts, codes, categorical=categorical)
        column, values = self._read(name, kind, words, counts, codes)
        if column.kind in ("category", "text") and _look_like_numbers(words, counts):
            note = (
                "its cells look like numbers with words around them; if they are, write the numbers alone (`number` "
                "takes those with the commonest unit)"
            )
            column = replace(column, notes=(*column.notes, note))
        return column, values[codes]

    def _kind(self, name: str, words: list[str], counts: Array, codes: Array, *, categorical: bool) -> Kind:
        spelled = [numbers.unwrapped(word) for word in words]
        given = np.array([not numbers.is_missing(word) for word in spelled], dtype=bool)
        if not given.any():
            return "category"
        if _boolean_words([word for word, here in zip(words, given, strict=True) if here]) is not None:
            return "boolean"
        if not categorical and self._holds_numbers(name, words, counts, codes, given):
            return "number"
        wanted = [word for word, here in zip(spelled, given, strict=True) if here]
        form, unread, _ = dates.find_format(wanted, day_first=self.otherwise == ",")
        if form is not None:
            if not unread:
                return "date"
            if not categorical and unread <= (1 - _NEARLY_ALL) * len(wanted):
                unknown = given & ~np.isfinite(dates.days(spelled, form))
                self._refuse(name, "dates", "date", words, counts, codes, unknown)
        if not categorical:
            self._refuse_surrounded(name, words, counts, codes, given)
        distinct, many = len(wanted), counts[given].sum() / 2
        long = sum(len(word.split()) for word in wanted) >= _WORDS_OF_TEXT * distinct
        return "text" if distinct > max(_FEW_WORDS, many) and long else "category"

    def _holds_numbers(self, name: str, words: list[str], counts: Array, codes: Array, given: Array) -> bool:
        """Whether all cells that give something are numbers; refuses a column of which nearly all are."""
        read = self.parse(words, counts)
        fitting = given & ~read.misfits
        if fitting.sum() == given.sum():
            return True
        # Written in two ways, all may be numbers though no way reads them all.
        other = numbers.parse(words, "," if read.decimal == "." else ".", unit=read.unit, strict=False)
        either = fitting | (given & ~other.misfits)
        share = counts[either].sum() / counts[given].sum()
        # What stands behind numbers may be part of a code: `3rd`, `2D`, `12A`. A unit stands behind many of them.
        many = either.sum() > _MANY_NUMBERS
        if (share >= _HALF and many) if read.unit else (share >= _NEARLY_ALL or (share >= _MANY and many)):
            self._refuse_mixed(name, read, counts, codes, words)
            self._refuse(name, "numbers", "number", words, counts, codes, read.misfits & given)
        return False

    def _refuse(
        self, name: str, what: str, kind: str, words: list[str], counts: Array, codes: Array, misfits: Array
    ) -> None:
        row = int(np.argmax(misfits[codes]))
        others = Counter({words[i]: int(counts[i]) for i in np.flatnonzero(misfits)})
        shown = ", ".join(f"{count} {printable(word)[:40]!r}" for word, count in others.most_common(3))
        fitting = int(counts.sum()) - int(counts[misfits].sum())
        raise DataError(
            f"{self.cells.path}: column {name!r} holds {fitting} {what} or empty cells and "
            f"{sum(others.values())} cells that are none ({shown}), the first in {self.cells.place(row)}; "
            f"correct them, or say what the column is: "
            f"data.columns: {{{name}: {kind}}} takes them as missing, {{{name}: category}} takes all cells as words"
        )

    def _refuse_mixed(self, name: str, read: numbers.Parsed, counts: Array, codes: Array, words: list[str]) -> None:
        """Refuses numbers of two decimal signs: what one of them makes a thousand, the other makes one."""
        if read.mixed.any():
            row, other = int(np.argmax(read.mixed[codes])), "," if read.decimal == "." else "."
            raise DataError(
                f"{self.cells.path}: column {name!r} is read with the decimal sign {read.decimal!r}, but "
                f"{int(counts[read.mixed].sum())} of its cells have {other!r}, the first in {self.cells.place(row)} "
                f"({printable(words[codes[row]])[:40]!r}); correct them, or say data.columns: {{{name}: category}}, "
                "which takes all cells as words"
            )

    def _refuse_surrounded(self, name: str, words: list[str], counts: Array, codes: Array, given: Array) -> None:
        """Refuses many different numbers with the same mark before, or unit behind, nearly all of them."""
        found = [numbers.surrounding(word) if here else None for word, here in zip(words, given, strict=True)]
        # With a word before them, as in `row 12`, they may be names.
        around = Counter(parts for parts in found if parts and any(parts) and not any(map(str.isalpha, parts[0])))
        for parts, distinct in around.most_common(1):
            same = np.array([one == parts for one in found])
            if distinct > _MANY_NUMBERS and counts[same].sum() >= _NEARLY_ALL * counts[given].sum():
                row = int(np.argmax(same[codes]))
                stands = " and ".join(
                    f"{part!r} {where} them"
                    for part, where in zip(map(printable, parts), ("before", "behind"), strict=True)
                    if part
                )
                raise DataError(
                    f"{self.cells.path}: column {name!r} holds numbers with {stands} in {int(counts[same].sum())} "
                    f"rows, the first in {self.cells.place(row)} ({printable(words[codes[row]])[:40]!r}); write the "
                    f"numbers alone, or say data.columns: {{{name}: category}}, which takes all cells as words"
                )

    def _read(self, name: str, kind: Kind, words: list[str], counts: Array, codes: Array) -> tuple[Column, Array]:
        if kind == "number":
            return self._numbers(name, words, counts, codes)
        if kind == "date":
            return self._dates(name, words, counts)
        if kind == "boolean":
            given = [word for word in words if not numbers.is_missing(word)]
            known = _boolean_words(given, (*_BOOLEANS, *_DIGITS))
            if known is None:
                raise DataError(f"{self.cells.path}: column {name!r} is no boolean: it holds {_some(words)}")
            values = boolean_values(words, known)
            return Column(name, kind, values=known, missing=_missing(values, counts)), values
        return numbered(name, kind, words, counts)

    def _plain_numbers(self, name: str, values: Array) -> tuple[Column, Array]:
        self._check_range(name, values)
        column = Column(name, "number", ".", missing=int(np.isnan(values).sum()), notes=_about(name, values))
        return column, values

    def _numbers(self, name: str, words: list[str], counts: Array, codes: Array) -> tuple[Column, Array]:
        read = self.parse(words, counts)
        self._refuse_mixed(name, read, counts, codes, words)
        self._check_range(name, read.values[codes])
        notes = list(_about(name, read.values[codes]))
        if read.unsure:
            notes.append(guessed_sign(read.decimal))
        if misfits := int(counts[read.misfits].sum()):
            notes.append(f"{misfits} cells that are no numbers taken as missing")
        if read.carried:
            notes.append(f"in {read.carried}")
        unit = (read.unit,) if read.unit else ()
        missing, lenient = _missing(read.values, counts), misfits > 0
        column = Column(name, "number", read.decimal, unit, missing, tuple(notes), lenient, read.sign, read.unsure)
        return column, read.values

    def _dates(self, name: str, words: list[str], counts: Array) -> tuple[Column, Array]:
        words = [numbers.unwrapped(word) for word in words]
        given = [word for word in words if not numbers.is_missing(word)]
        form, unread, unsure = dates.find_format(given, day_first=self.otherwise == ",", numbers=True)
        if form is None:
            raise DataError(f"{self.cells.path}: column {name!r} holds no dates that can be read: {_some(given)}")
        values, notes = dates.days(words, form), []
        if unsure:
            notes.append(f"read as {form}, which is a guess: no cell tells the day from the month")
        if "%y" in form:
            notes.append("years of two digits are taken for 1969 to 2068; write four digits where they are others")
        if unread:
            lost = np.isnan(values) & np.array([not numbers.is_missing(word) for word in words])
            notes.append(f"{int(counts[lost].sum())} cells that are no dates taken as missing")
        return Column(name, "date", form, (), _missing(values, counts), tuple(notes), unread > 0), values

    def _moments(self, name: str, series: pd.Series[Any]) -> tuple[Column, Array]:
        values = moments_in_days(series)
        return Column(name, "date", dates.ISO, (), int(np.isnan(values).sum())), values

    def _check_range(self, name: str, values: Array) -> None:
        wrong = np.isinf(values) | (np.abs(values) > _LARGEST)
        if wrong.any():
            place = self.cells.place(int(np.argmax(wrong)))
            raise DataError(
                f"{self.cells.path}: {place}, column {name!r} holds infinity, or a number too large for float32"
            )


def guessed_sign(decimal: numbers.Decimal) -> str:
    """The sentence that no cell tells the decimal sign."""
    other = "," if decimal == "." else "."
    return f"decimal sign {decimal!r} is a guess; `decimal: {other!r}` beside the file says otherwise"


def moments_in_days(series: pd.Series[Any]) -> Array:
    """Days since the beginning of 1970 of a column of moments; NaN where there is none."""
    moments = series.to_numpy(dtype="datetime64[us]")
    return np.where(np.isnat(moments), np.nan, moments.astype("int64") / 86_400e6)


def boolean_words(known: tuple[str, ...]) -> dict[str, float]:
    """What words mean, in lower case: those for 0 and 1 of a boolean column, and those of other booleans."""
    meant = {word: float(value) for pair in _BOOLEANS for value, word in enumerate(pair)}
    meant |= {word: float(value) for pair in _DIGITS for value, word in enumerate(pair)}
    return meant | {word.lower(): float(value) for value, word in enumerate(known)}


def boolean_values(words: list[str], known: tuple[str, ...]) -> Array:
    """0 or 1 for the two words of a boolean column, and for the words of other booleans; NaN for any other cell."""
    meant = boolean_words(known)
    return np.array([meant.get(word.strip().lower(), np.nan) for word in words])


def is_no_category(word: str) -> bool:
    """Whether a cell of a category column gives nothing; `NA` and `None` are words there."""
    return word.strip() in _NO_CATEGORY


def _boolean_words(words: list[str], pairs: Sequence[tuple[str, str]] = _BOOLEANS) -> tuple[str, str] | None:
    """The words for 0 and 1, as they are written, if these are exactly two of a kind."""
    found = {word.strip().lower(): word.strip() for word in words}
    pair = next((pair for pair in pairs if set(found) == set(pair)), None)
    return None if pair is None else (found[pair[0]], found[pair[1]])


def numbered(
    name: str, kind: Kind, words: list[str], counts: Array, known: Collection[str] = ()
) -> tuple[Column, Array]:
    """A column of categories or texts in the training table, and for each of its words the number of its value.

    Args:
        name: of the column.
        kind: what it is.
        words: its different cells.
        counts: how often each occurs.
        known: words that are values, whatever they look like: a run has begun with them.
    """
    stripped = [printable(word.strip()) for word in words]
    given = {word for word in stripped if not is_no_category(word)}
    if len(given) > _FEW_WORDS:
        # One of many names, `NA` is the mark of whoever wrote the file that there is none.
        given = {word for word in given if word in known or not numbers.is_missing(word)}
    values = tuple(sorted(given))
    number = {word: float(index) for index, word in enumerate(values)}
    coded = np.array([number.get(word, np.nan) for word in stripped])
    notes = []
    missing = _missing(coded, counts)
    names = len(values) == counts.sum() and len(values) >= _FEW_WORDS and kind == "category"
    # What some rows have and others lack can be learnt from.
    if len(values) == 1 and not missing:
        notes.append("constant: nothing can be learnt from it; `drop` leaves it out")
    elif names and not _look_like_numbers(words, counts):
        notes.append("looks like an identifier: every row has another value; `drop` leaves it out")
    return Column(name, kind, "", values, missing, tuple(notes)), coded


def _look_like_numbers(words: list[str], counts: Array) -> bool:
    """Whether nearly all cells are a number with something short before or behind it."""
    given = np.array([not numbers.is_missing(word) for word in words], dtype=bool)
    around = np.array([any(numbers.surrounding(word) or ()) for word in words], dtype=bool)
    return bool(counts[given & around].sum() >= _NEARLY_ALL * counts[given].sum() > 0)


def _about(name: str, values: Array) -> tuple[str, ...]:
    given = values[~np.isnan(values)]
    if not len(given) or (len(given) == len(values) and (given == given[0]).all()):
        return ("constant: nothing can be learnt from it; `drop` leaves it out",)
    whole = len(given) >= _FEW_WORDS and len(given) == len(values) and bool((given == np.floor(given)).all())
    if whole and len(np.unique(given)) == len(given):
        steps = np.diff(np.sort(given))
        last = name.lower().replace("-", "_").split("_")[-1].split(" ")[-1]
        if (steps == 1).all() or last in ("id", "key", "uuid", "nr", "index"):
            return ("looks like an identifier: every row has another value; `drop` leaves it out",)
    return ()


def as_words(series: pd.Series[Any]) -> pd.Series[Any]:
    """Any column as the words that a text file would have."""
    import pandas as pd

    if isinstance(series.dtype, pd.CategoricalDtype):  # of words
        return series
    if series.dtype.kind in "iuf":
        return series.map(_as_written)
    # Moments have gaps, and so has a column of words that comes from frames of which one has none in it.
    return series.astype(str).where(series.notna(), "")


def factorized(series: pd.Series[Any]) -> tuple[Array, list[str]]:
    """For each row the number of its word, and the words."""
    import pandas as pd

    codes, words = pd.factorize(series)
    return np.asarray(codes), [str(word) for word in words]


def _as_written(value: float) -> str:
    if np.isnan(value):
        return ""
    return str(int(value)) if float(value).is_integer() else repr(value)


def _missing(values: Array, counts: Array) -> int:
    return int(counts[np.isnan(values)].sum())


def _some(words: list[str]) -> str:
    return some_of([repr(printable(word)[:40]) for word in words[:6]], 5)
