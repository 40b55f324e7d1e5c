"""Numbers and times as people read them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from typing import Any

DASH = "–"


def number(value: float | None, digits: int = 4) -> str:
    """A score: `0.8934`, `12.35`, `1.2e-05`; a dash for None."""
    if value is None:
        return DASH
    if not math.isfinite(value):
        return "not finite"
    if value != 0 and (abs(value) < 10 ** (1 - digits) or abs(value) >= 1e6):
        return f"{value:.3g}"
    before = len(str(int(abs(value))))
    return f"{value:.{max(0, digits + 1 - before)}f}"


def alike(value: float | None, score: float | None) -> str:
    """A difference or a spread with as many decimals as the score it belongs to."""
    if value is None or score is None:
        return number(value)
    decimals = len(number(score).partition(".")[2])
    text = f"{value:.{decimals}f}"
    return text if "e" not in number(score) and float(text) != 0 else number(value)


def signed(value: float, score: float | None) -> str:
    """A difference with its sign, as `alike` writes it: `+0.0123`, `−0.0040`, `±0`."""
    text = alike(abs(value), score)
    if value == 0:
        return "±0"
    return f"{'+' if value > 0 else '−'}{text}"


def count(value: int | None) -> str:
    """A whole number with its thousands apart: `543,860`."""
    return DASH if value is None else f"{value:,}"


def percent(share: float) -> str:
    """A share of 0 to 1: `12 %`, `0.4 %`, `99.7 %`; `0 %` and `100 %` are of none and of all."""
    value = round(100 * share, 6)
    if 0 < value < 0.05:
        return "< 0.1 %"
    if 99.95 <= value < 100:
        return "> 99.9 %"
    return f"{value:.1f} %" if 0 < value < 1 or 99 < value < 100 else f"{value:.0f} %"


def compact(value: float) -> str:
    """A mark on a logarithmic axis: `0.001`, `500`, `20k`, `3M`."""
    for factor, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g}{unit}"
    return f"{value:.3g}"


def size(length: int) -> str:
    """Bytes: `812 B`, `1.3 MB`."""
    value = float(length)
    for unit in ("B", "kB", "MB"):
        if value < 999.5:
            return f"{value:.0f} {unit}" if unit == "B" or value >= 99.5 else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


def moment(time: float | None) -> str:
    """A unix time in the reader's time zone, with the zone: `2026-03-01 22:15 UTC`."""
    return DASH if time is None else datetime.fromtimestamp(time).astimezone().strftime("%Y-%m-%d %H:%M %Z")


def scalar(value: Any) -> str:
    """A hyperparameter's value: floats without rounding noise, the others as YAML writes them."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)


def listed(names: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    found = list(names)
    return " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)


def distinct(names: Iterable[str], length: int) -> list[str]:
    """A label of at most `length` characters for each name, no two alike: the middle goes before the ends."""
    labels: list[str] = []
    for name in names:
        label = " ".join(name.split())
        if len(label) > length:
            head = (length - 1) // 2
            label = f"{label[:head].rstrip()}…{label[head + 1 - length :].lstrip()}"
        if label in labels:
            suffix = f" ({len(labels)})"
            label = label[: length - len(suffix)] + suffix
        labels.append(label)
    return labels


def shortened(text: str, length: int) -> str:
    """The text on one line, cut with an ellipsis at `length` characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1].rstrip() + "…"
