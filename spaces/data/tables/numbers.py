"""Numbers as people write them: decimal commas, grouped thousands, percent signs, currencies, brackets, clocks."""

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
     "missing", "unknown", "not available",
     # As databases and pandas write it.
     "\\n", "(null)", "<na>", "#n/a n/a", "-nan", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan")
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
_CLOCK = re.compile(r"([+-]?)(\d{1,3}):([0-5]\d)(?::([0-5]\d(?:\.\d+)?))?(?:\s*([AaPp])\.?[Mm]\.?)?")
_CLOCKS = ("h:mm", "h:mm:ss", "h:mm am/pm", "h:mm:ss am/pm")
# Signs that numbers without them do not go with; one without a currency is in that of the others.
_APART = frozenset(("%", "‰", *_CLOCKS))
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")
_AROUND = frozenset(("''", '""', "‘’", "“”", "„“", "«»", "[]"))
_OPEN_END = re.compile(r"(?<=\d)([.,])[-–—]{1,2}$")
_UNDERSCORED = re.compile(r"[+-]?\d{1,3}(?:_\d{3})+(?:\.\d*)?")
_FORTRAN = re.compile(r"(?<=[\d.,])[dD](?=[+-]\d+$)")
_SPACES = re.compile(r"(?<=\d)[\s\u00a0\u202f\u2009'’](?=\d{3}(?!\d))")
_EXPONENT = r"(?:[eE][+-]?\d+)?"
_UNIT = re.compile(r"([+-]?[\d.,]*\d[.,]?)\s*(\+|[^\W\d_][^\d\n]{0,11}|[^\w\s.,+()-][^\d\n]{0,11})")
_START = re.compile(r"([^\W\d_]{1,12}[.:]?\s+|[^\w\s.,+()-]{1,3}\s*)(?=[+-]?[.,]?\d)")
_END = re.compile(r"([+-]?[\d.,]*\d[.,]?)\s*([^\d\s][^\d\n]{0,11})")
_PLAIN = re.compile(rf"[+-]?(?:\d+\.?\d*|\.\d+){_EXPONENT}")
_COMMA = re.compile(rf"[+-]?(?:\d+,?\d*|,\d+){_EXPONENT}")
_GROUPED: dict[Decimal, re.Pattern[str]] = {
    ".": re.compile(r"[+-]?[1-9]\d{0,2}(?:,\d{2,3})*,\d{3}(?:\.\d*)?"),
    ",": re.compile(r"[+-]?[1-9]\d{0,2}(?:\.\d{3})+(?:,\d*)?"),
}
_UNGROUPED: dict[Decimal, re.Pattern[str]] = {".": _PLAIN, ",": _COMMA}


@dataclass(frozen=True)
class Parsed:
    """Cells read as numbers.

    Attributes:
        values: one per cell; NaN where nothing is given or the cell is no number.
        misfits: for each cell whether it gives something that is no number.
        decimal: the decimal sign they were read with.
        sign: the percent sign or currency that they carry, or for clocks such as 08:15, which are read as hours, how
            they are written; or "".
        mixed: for each cell whether it is a misfit only for its decimal sign, which is not that of the others.
        foreign: for each cell whether it is a misfit only for its percent sign or currency, or for having none.
        unit: the word that stands behind them, or "".
        unsure: whether the decimal sign is a guess: no cell tells.
    """

    values: Array
    misfits: Array
    decimal: Decimal
    sign: str
    mixed: Array
    foreign: Array
    unit: str = ""
    unsure: bool = False

    @property
    def carried(self) -> str:
        """All that stands around the digits."""
        return " ".join(filter(None, (self.sign, self.unit)))


def is_missing(cell: str) -> bool:
    """Whether a cell stands for no value in a column of numbers or dates."""
    return cell.strip().lower() in MISSING


def votes(cells: Iterable[str]) -> Counter[Decimal]:
    """How many cells can be read only with a decimal point (".") and only with a decimal comma (",")."""
    found: Counter[Decimal] = Counter()
    for cell in cells:
        digits, sign = _digits(cell)
        fits = [decimal for decimal in _UNGROUPED if sign not in _CLOCKS and _fits(digits, decimal)]
        if len(fits) == 1:
            found[fits[0]] += 1
    return found


def is_grouped(cell: str, decimal: Decimal) -> bool:
    """Whether with that decimal sign it has grouped thousands, and with the other one decimals."""
    digits, _ = _digits(cell)
    other: Decimal = "," if decimal == "." else "."
    return bool(_GROUPED[decimal].fullmatch(digits) and _UNGROUPED[other].fullmatch(digits))


def parse(
    cells: Sequence[str],
    decimal: Decimal | None,
    otherwise: Decimal = ".",
    counts: Array | None = None,
    unit: str | None = None,
    *,
    bare: bool = True,
    sign: str | None = None,
    strict: bool | None = None,
    literal: bool = False,
) -> Parsed:
    """Reads cells of one column as numbers.

    Args:
        cells: different cells, as they are in the file.
        decimal: the decimal sign where it is known; a comma that no cell needs while some need a point is none. None:
            found from the cells.
        otherwise: the decimal sign of cells that can be read either way, such as `1,133`.
        counts: how often each cell occurs; None: once.
        unit: a word such as `kg` that stands behind the numbers; None: the one that stands behind most of them.
        bare: whether numbers without `unit` fit too.
        sign: the `sign` of the numbers, where it is known; None: the commonest.
        strict: whether numbers in another currency or with another decimal sign do not fit, nor those without the
            percent sign of the others; None: yes, but for literal cells of a known decimal sign.
        literal: whether cells are taken as they stand, as earlier versions did: quotes and brackets around them,
            invisible signs, clocks, and ways of writing that few have, make them no numbers.
    """
    strict = not (literal and decimal is not None) if strict is None else strict
    cells = cells if literal else [unwrapped(cell) for cell in cells]
    stripped = [_bare(cell, literal=literal) for cell in cells]
    given = np.array([not is_missing(cell) for cell in cells], dtype=bool)
    weights = np.ones(len(cells)) if counts is None else np.asarray(counts)
    stripped, word = _without_unit(stripped, given, weights, unit, required=unit is None or not bare)
    fits = {sign: np.array([_fits(text, sign) for text, _ in stripped], dtype=bool) for sign in _UNGROUPED}
    numeric = given & (fits["."] | fits[","])
    told = decimal
    if told is None:
        point, comma = float(weights[given & fits["."]].sum()), float(weights[given & fits[","]].sum())
        told = otherwise if point == comma else "." if point > comma else ","
    elif told == "," and strict and not (numeric & ~fits["."]).any() and (numeric & ~fits[","]).any():
        told = "."
    shown = [text for (text, _), here in zip(stripped, given, strict=True) if here]
    undecided = bool((fits["."] & fits[","] & given).any()) and bool((fits["."] == fits[","])[given].all())
    ambiguous = undecided and any("," in text or "." in text for text in shown)
    signs: Counter[str] = Counter()
    for (_, found), weight, here, fitting in zip(stripped, weights, given, numeric, strict=True):
        signs[found] += int(weight) if fitting or (here and found) else 0
    common = _common(signs, sign, literal=literal)
    others = np.array([_is_foreign(found, common) for _, found in stripped], dtype=bool)
    foreign = numeric & others & strict
    mixed = numeric & ~foreign & ~fits[told] & (strict or told == ".")
    misfits = given & (~numeric | foreign | mixed)
    values = np.full(len(cells), np.nan)
    for index in np.flatnonzero(given & ~misfits):
        values[index] = _value(stripped[index][0], told if fits[told][index] else ".")
    return Parsed(values, misfits, told, common, mixed, foreign, word, decimal is None and ambiguous)


def surrounding(cell: str) -> tuple[str, str] | None:
    """Something short that stands before and behind the one number of a cell, each "" where nothing does.

    None: it is no number with that around it. What is joined to the digits before them by nothing, as in `A12`, is
    part of a code.
    """
    text, sign = _bare(unwrapped(cell))
    start = _START.match(text)
    before, text = (start[0].strip(), text[start.end() :]) if start else (sign, text)
    end = _END.fullmatch(text)
    behind, text = (end[2].strip(), end[1]) if end else ("", text)
    return (before, behind) if any(_fits(text, decimal) for decimal in _UNGROUPED) else None


def unwrapped(cell: str) -> str:
    """The cell without what programs leave around it: quotes, square brackets, Excel's `="…"`, invisible signs."""
    text = (cell if cell.isascii() else _INVISIBLE.sub("", cell)).strip()
    if text.startswith('="') and text.endswith('"'):
        text = text[1:]
    while len(text) > 1 and text[0] + text[-1] in _AROUND:
        text = text[1:-1].strip()
    return text.removeprefix("'")  # which tells a spreadsheet that a text follows


def _common(signs: Counter[str], known: str | None, *, literal: bool) -> str:
    """The sign of a column's numbers, from how many have which; "" among `signs`: none."""
    if known:
        return known

    def most(some: Iterable[str]) -> str:
        return max(some, key=lambda sign: signs[sign], default="")

    named = [sign for sign in signs if sign]
    if literal and known is None:
        return most(named)
    apart = most(sign for sign in named if sign in _APART)
    together = [sign for sign in signs if sign not in _APART]
    if apart and known is None and signs[apart] > sum(signs[sign] for sign in together):
        return apart
    return most(filter(None, together))


def _is_foreign(sign: str, common: str) -> bool:
    """Whether a number with this sign does not go with others that have the common one."""
    return sign != common and ("" not in (sign, common) or bool({sign, common} & _APART))


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


def _digits(cell: str) -> tuple[str, str]:
    """The cell without all that is around its digits, and its percent sign or currency."""
    text, sign = _bare(unwrapped(cell))
    match = _UNIT.fullmatch(text)
    return (match[1] if match else text), sign


def _bare(cell: str, *, literal: bool = False) -> tuple[str, str]:
    """The cell without what is around and between its digits, and its percent sign or currency."""
    text, sign = cell.strip().replace("−", "-"), ""
    if not literal and (clock := _CLOCK.fullmatch(text)):
        return _hours(clock)
    if text.startswith("(") and text.endswith(")") and any(c.isdigit() for c in text):
        text = f"-{text[1:-1].strip()}"
    if match := _BEFORE.match(text):
        text, sign = match[1] + text[match.end() :], match[2]
    elif match := _AFTER.search(text):
        text, sign = text[: match.start()], match[1]
    text = _SPACES.sub("", text.strip())
    if not literal:
        text = _FORTRAN.sub("e", _OPEN_END.sub(r"\1", text))
        text = text.replace("_", "") if _UNDERSCORED.fullmatch(text) else text
    return text, sign


def _hours(clock: re.Match[str]) -> tuple[str, str]:
    """A time of day or a duration as hours, with so many decimals that they are no thousands; and how it is written."""
    hours, half = int(clock[2]), clock[5]
    if half:
        hours = hours % 12 + 12 * (half in "pP")
    value = hours + int(clock[3]) / 60 + float(clock[4] or 0) / 3600
    written = f"h:mm{':ss' if clock[4] else ''}{' am/pm' if half else ''}"
    return f"{clock[1]}{value:.6f}", written


def _fits(text: str, decimal: Decimal) -> bool:
    return bool(_UNGROUPED[decimal].fullmatch(text) or _GROUPED[decimal].fullmatch(text))


def _value(text: str, decimal: Decimal) -> float:
    if _UNGROUPED[decimal].fullmatch(text):
        return float(text.replace(",", "."))
    return float(text.replace("." if decimal == "," else ",", "").replace(",", "."))
