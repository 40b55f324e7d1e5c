"""Numbers as people write them: decimal commas, grouped thousands, percent signs, currencies, accounting brackets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from spaces.data.tables.columns import Array

Decimal = Literal[".", ","]

MISSING = frozenset(
    ("", "?", "-", "--", "–", "—", ".", "..", "...", "na", "n/a", "n.a.", "#n/a", "#na", "nan", "null", "none", "nil",
     "missing", "unknown", "not available")
)  # fmt: skip
"""Cells, in lower case, that stand for no value in a column of numbers or dates."""

_SYMBOLS = "$¢£¤¥֏؋৲৳૱௹฿៛﷼" + "".join(map(chr, range(0x20A0, 0x20C1)))
_SIGNS = f"{_SYMBOLS}%‰~≈"
_CODES = (
    *(f"{country}$" for country in ("US", "CA", "AU", "NZ", "HK", "SG", "NT", "MX", "R", "A", "C", "S")),
    "EUR", "USD", "GBP", "CHF", "JPY", "CNY", "INR", "SEK", "NOK", "DKK", "ISK", "PLN", "CZK", "HUF", "RON", "BGN",
    "TRY", "RUB", "UAH", "KRW", "TWD", "HKD", "SGD", "THB", "IDR", "MYR", "PHP", "VND", "PKR", "BDT", "ILS", "AED",
    "SAR", "EGP", "NGN", "KES", "ZAR", "CAD", "AUD", "NZD", "MXN", "BRL", "ARS", "CLP", "COP",
    "Rs.", "Rs", "zł", "Kč", "kr.", "kr", "Ft", "lei", "лв.", "лв", "руб.", "руб", "грн", "TL",
)  # fmt: skip
_WRITTEN = "|".join(map(re.escape, sorted(_CODES, key=len, reverse=True)))
_BEFORE = re.compile(rf"^([+-]?)\s*({_WRITTEN}|[{_SIGNS}])\s*(?=[-+.,\d])")
_AFTER = re.compile(rf"(?<=[.,\d-])\s*({_WRITTEN}|[{_SIGNS}])$")
_SPACES = re.compile(r"(?<=\d)[\s\u00a0\u202f\u2009'’](?=\d{3}(?!\d))")
_EXPONENT = r"(?:[eE][+-]?\d+)?"
_UNIT = re.compile(r"([+-]?[\d.,]*\d[.,]?)\s*(\+|[^\W\d_][^\d\n]{0,11}|[^\w\s.,+()-][^\d\n]{0,11})")
_PLAIN = re.compile(rf"[+-]?(?:\d+\.?\d*|\.\d+){_EXPONENT}")
_COMMA = re.compile(rf"[+-]?(?:\d+,?\d*|,\d+){_EXPONENT}")
_GROUPED = {
    ".": re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{2,3})*,\d{3}(?:\.\d*)?"),
    ",": re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d*)?"),
}
_UNGROUPED = {".": _PLAIN, ",": _COMMA}


@dataclass(frozen=True)
class Parsed:
    """Cells read as numbers.

    Attributes:
        values: one per cell; NaN where nothing is given or the cell is no number.
        misfits: for each cell whether it gives something that is no number.
        decimal: the decimal sign they were read with.
        sign: the percent sign or currency that they carry, or "".
        unit: the word that stands behind them, or "".
        unsure: whether the decimal sign is a guess: no cell tells.
    """

    values: Array
    misfits: Array
    decimal: Decimal
    sign: str
    unit: str = ""
    unsure: bool = False

    @property
    def carried(self) -> str:
        """All that stands around the digits."""
        return " ".join(filter(None, (self.sign, self.unit)))


def is_missing(cell: str) -> bool:
    """Whether a cell stands for no value in a column of numbers or dates."""
    return cell.strip().lower() in MISSING


def votes(cells: Iterable[str]) -> Counter[str]:
    """How many cells can be read only with a decimal point (".") and only with a decimal comma (",")."""
    found: Counter[str] = Counter()
    for cell in cells:
        bare, _ = _bare(cell)
        match = _UNIT.fullmatch(bare)
        bare = match[1] if match else bare
        fits = [decimal for decimal in _UNGROUPED if _fits(bare, decimal)]
        if len(fits) == 1:
            found[fits[0]] += 1
    return found


def parse(
    cells: Sequence[str],
    decimal: Decimal | None,
    otherwise: Decimal = ".",
    counts: Array | None = None,
    unit: str | None = None,
    *,
    bare: bool = True,
    strict: bool | None = None,
) -> Parsed:
    """Reads cells of one column as numbers.

    Args:
        cells: different cells, as they are in the file.
        decimal: the decimal sign where it is known. None: found from the cells.
        otherwise: the decimal sign of cells that can be read either way, such as `1,133`.
        counts: how often each cell occurs; None: once.
        unit: a word such as `kg` that stands behind the numbers; None: the one that stands behind most of them.
        bare: whether numbers without `unit` fit too.
        strict: whether numbers in another currency or with another decimal sign do not fit, nor those without the
            percent sign of the others; None: where the decimal sign is not known.
    """
    stripped = [_bare(cell) for cell in cells]
    given = np.array([not is_missing(cell) for cell in cells], dtype=bool)
    weights = np.ones(len(cells)) if counts is None else np.asarray(counts)
    strict = decimal is None if strict is None else strict
    stripped, word = _without_unit(stripped, given, weights, unit, required=unit is None or not bare)
    fits = {sign: np.array([_fits(text, sign) for text, _ in stripped], dtype=bool) for sign in _UNGROUPED}
    told = decimal
    if told is None:
        point, comma = (float(weights[given & fits[sign]].sum()) for sign in (".", ","))
        told = otherwise if point == comma else "." if point > comma else ","
    shown = [text for (text, _), here in zip(stripped, given, strict=True) if here]
    undecided = bool((fits["."] & fits[","] & given).any()) and bool((fits["."] == fits[","])[given].all())
    ambiguous = undecided and any("," in text or "." in text for text in shown)
    signs: Counter[str] = Counter()
    for (_, sign), weight, here in zip(stripped, weights, given, strict=True):
        signs[sign] += int(weight) if here and sign else 0
    common = max(signs, key=lambda sign: signs[sign], default="")
    values, misfits = np.full(len(cells), np.nan), np.zeros(len(cells), dtype=bool)
    for index, ((text, sign), here) in enumerate(zip(stripped, given, strict=True)):
        if not here:
            continue
        read_as = told if fits[told][index] else "." if not strict and fits["."][index] else None
        # A number without a percent sign among others with one is in another unit; one without a currency is not.
        foreign = strict and sign != common and (sign != "" or common in ("%", "‰"))
        if read_as is None or foreign:
            misfits[index] = True
        else:
            values[index] = _value(text, read_as)
    return Parsed(values, misfits, told, common, word, decimal is None and ambiguous)


def with_words(cells: Sequence[str]) -> Array:
    """For each cell whether it is one number with something short before or behind it."""
    bare = [_bare(cell) for cell in cells]
    return np.array([bool(sign or _UNIT.fullmatch(text)) and any(map(str.isdigit, text)) for text, sign in bare], bool)


def _without_unit(
    bare: list[tuple[str, str]], given: Array, weights: Array, unit: str | None, *, required: bool
) -> tuple[list[tuple[str, str]], str]:
    """The cells without the unit that most given ones have, or without `unit`; and the unit."""
    matches = [_UNIT.fullmatch(text) for text, _ in bare]
    if unit is None:
        unit = _commonest(bare, matches, given, weights)
    if not unit:
        return bare, ""
    short = []
    for match, (text, sign) in zip(matches, bare, strict=True):
        if match and match[2] == unit:
            text = match[1]
        elif required and any(_fits(text, decimal) for decimal in _UNGROUPED):
            text = ""  # in another unit
        short.append((text, sign))
    return short, unit


def _commonest(
    bare: list[tuple[str, str]], matches: Sequence[re.Match[str] | None], given: Array, weights: Array
) -> str:
    """The unit that stands behind most numbers, "" where it is none; one of several words only if behind all cells."""
    votes: Counter[str] = Counter()
    for match, (text, _), weight, here in zip(matches, bare, weights, given, strict=True):
        if here and (match or any(_fits(text, decimal) for decimal in _UNGROUPED)):
            votes[match[2] if match else ""] += int(weight)
    most = max(votes, key=lambda word: (votes[word], not word), default="")
    return "" if " " in most and votes[most] < weights[given].sum() else most


def _bare(cell: str) -> tuple[str, str]:
    """The cell without what is around and between its digits, and its percent sign or currency."""
    text, sign = cell.strip().replace("−", "-"), ""
    if text.startswith("(") and text.endswith(")") and any(c.isdigit() for c in text):
        text = f"-{text[1:-1].strip()}"
    if match := _BEFORE.match(text):
        text, sign = match[1] + text[match.end() :], match[2]
    elif match := _AFTER.search(text):
        text, sign = text[: match.start()], match[1]
    return _SPACES.sub("", text.strip()), sign


def _fits(text: str, decimal: Decimal | str) -> bool:
    return bool(_UNGROUPED[decimal].fullmatch(text) or _GROUPED[decimal].fullmatch(text))


def _value(text: str, decimal: Decimal) -> float:
    if _UNGROUPED[decimal].fullmatch(text):
        return float(text.replace(",", "."))
    return float(text.replace("." if decimal == "," else ",", "").replace(",", "."))
