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

_SIGNS = "€$£¥₹₽₩¢%‰"
_CODES = ("EUR", "USD", "GBP", "CHF", "JPY", "CNY", "INR", "SEK", "NOK", "DKK", "PLN", "CZK", "CAD", "AUD", "BRL", "R$")
_BEFORE = re.compile(rf"^([+-]?)\s*({'|'.join(map(re.escape, _CODES))}|[{_SIGNS}])\s*(?=[-+.,\d])")
_AFTER = re.compile(rf"(?<=[.,\d-])\s*({'|'.join(map(re.escape, _CODES))}|[{_SIGNS}])$")
_SPACES = re.compile(r"(?<=\d)[\s\u00a0\u202f\u2009'’](?=\d{3}(?!\d))")
_EXPONENT = r"(?:[eE][+-]?\d+)?"
_UNIT = re.compile(r"([+-]?[\d.,]+)\s?([A-Za-zµμ°²³/]{1,6})")
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
        sign: the percent sign, currency or unit that they carry, or "".
        unsure: whether the decimal sign is a guess: no cell tells.
    """

    values: Array
    misfits: Array
    decimal: Decimal
    sign: str
    unsure: bool = False


def is_missing(cell: str) -> bool:
    """Whether a cell stands for no value in a column of numbers or dates."""
    return cell.strip().lower() in MISSING


def votes(cells: Iterable[str]) -> Counter[str]:
    """How many cells can be read only with a decimal point (".") and only with a decimal comma (",")."""
    found: Counter[str] = Counter()
    for cell in cells:
        bare, _ = _bare(cell)
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
) -> Parsed:
    """Reads cells of one column as numbers.

    Args:
        cells: different cells, as they are in the file.
        decimal: the decimal sign where it is known; cells that do not fit are also tried with a decimal point.
            None: found from the cells.
        otherwise: the decimal sign of cells that can be read either way, such as `1,133`.
        counts: how often each cell occurs; None: once.
        unit: a word such as `kg` that may stand behind the numbers; None: it must, if it does, behind all of them.
    """
    bare = [_bare(cell) for cell in cells]
    given = np.array([not is_missing(cell) for cell in cells], dtype=bool)
    weights = np.ones(len(cells)) if counts is None else np.asarray(counts)
    bare, word = _without_unit(bare, given, unit)
    fits = {sign: np.array([_fits(text, sign) for text, _ in bare], dtype=bool) for sign in _UNGROUPED}
    told = decimal
    if told is None:
        point, comma = (float(weights[given & fits[sign]].sum()) for sign in (".", ","))
        told = otherwise if point == comma else "." if point > comma else ","
    shown = [text for (text, _), here in zip(bare, given, strict=True) if here]
    undecided = bool((fits["."] & fits[","] & given).any()) and bool((fits["."] == fits[","])[given].all())
    ambiguous = undecided and any("," in text or "." in text for text in shown)
    signs: Counter[str] = Counter()
    for (_, sign), weight, here in zip(bare, weights, given, strict=True):
        signs[sign] += int(weight) if here and sign else 0
    common = max(signs, key=lambda sign: signs[sign], default="")
    values, misfits = np.full(len(cells), np.nan), np.zeros(len(cells), dtype=bool)
    for index, ((text, sign), here) in enumerate(zip(bare, given, strict=True)):
        if not here:
            continue
        read_as = told if fits[told][index] else "." if decimal is not None and fits["."][index] else None
        # A number without a percent sign among others with one is in another unit; one without a currency is not.
        foreign = decimal is None and sign != common and (sign != "" or common in ("%", "‰"))
        if read_as is None or foreign:
            misfits[index] = True
        else:
            values[index] = _value(text, read_as)
    return Parsed(values, misfits, told, common or word, decimal is None and ambiguous)


def _without_unit(bare: list[tuple[str, str]], given: Array, unit: str | None) -> tuple[list[tuple[str, str]], str]:
    """The cells without the unit that all given ones have, or without `unit`; and the unit."""
    matches = [_UNIT.fullmatch(text) if not sign else None for text, sign in bare]
    found = {match[2] if match else "" for match, here in zip(matches, given, strict=True) if here}
    common = unit if unit is not None else next(iter(found)) if len(found) == 1 else ""
    if not common:
        return bare, ""
    short = [(m[1], "") if m and m[2] == common else pair for m, pair in zip(matches, bare, strict=True)]
    return short, common


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
