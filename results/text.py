"""How values are written for people, and how text from strangers is made harmless."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from spaces.basics.figures import deviation, duration, score
from spaces.basics.figures import plural as plural

SCORES = ("score", "retrained", "test")
SPREADS = ("spread", "fold_spread")
DURATIONS = {"seconds": 1, "hours": 3600}
"""Columns of time spans, with their unit in seconds."""

_MARKUP = re.compile(r"([\\`*\[\]|~$])|(?<![0-9A-Za-z])(_)|(_)(?![0-9A-Za-z])|^(>|[#+-](?=[\s#-]))")


def visible(text: str) -> str:
    """The text on one line without characters that steer a terminal; such characters become `\\ufffd`."""
    return "".join(c if c.isprintable() else " " if c in "\n\r\t" else "\ufffd" for c in text)


def unmarked(line: str) -> str:
    """A line of Markdown that is shown as it is: no markup and no links. What HTML would read is left to the caller."""
    line = _MARKUP.sub(lambda match: "\\" + match[0], line)
    # Bare addresses would become links.
    return re.sub(r"(?i)\b(https?|ftp|mailto):", r"\1&#58;", line).replace("www.", "www&#46;").replace("@", "&#64;")


def number(value: float) -> str:
    """A number with four significant digits and no trailing zeros; whole and large ones in full, in groups of three."""
    if isinstance(value, int) or (abs(value) < 1e15 and (value.is_integer() or abs(value) >= 9999.5)):
        return f"{round(value):,}"
    return f"{value:.4g}"


def numbers(values: Iterable[float]) -> str:
    """Several of them; commas are within them already, as in `123,457; 89,000`."""
    return "; ".join(map(number, values))


def cell(column: str, value: Any) -> str:
    """A table cell for people: rounded, with units, empty where there is no value."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return visible(value)
    if column in SPREADS:
        return deviation(value)
    if column in SCORES:
        return score(value)
    unit = DURATIONS.get(column)
    return number(value) if unit is None else duration(value * unit)


def p_value(p: float) -> str:
    """What stands behind the letter p: `= 0.03`, or `< 0.0001` for what is smaller."""
    return "< 0.0001" if p < 0.0001 else f"= {p:.2g}"


def together(models: int) -> str:
    """What stands behind a figure that several models reach by answering together; nothing for one by itself."""
    return f" ({models} models together)" if models > 1 else ""
