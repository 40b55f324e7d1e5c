"""Text of strangers made harmless before it is printed: it shall not steer the terminal or hide what it says."""

from __future__ import annotations

from collections.abc import Sequence


def printable(text: str) -> str:
    """The text on one line, with everything that is no visible character spelt as an escape.

    Control characters (ESC, C1 and line breaks among them), marks that turn the direction of writing, invisible
    characters and lone surrogates become `\\x1b`, `\\n`, `\\u202e`, `\\udc80`; all else stays as it is. Doing it
    twice changes nothing. Text of several lines is made printable line by line.
    """
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def writable(text: str) -> str:
    """The text as files, stores and pipes take it: a byte of a name that is no UTF-8 becomes an escape, `\\udce9`."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def cut(text: str, longest: int) -> str:
    """The text; where it has more than `longest` characters, an ellipsis stands for its end."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def some_of(words: Sequence[str], most: int) -> str:
    """`a, b`, or `a, b, …` where there are more than `most`."""
    return ", ".join([*words[:most], "…"] if len(words) > most else words)


def first_of(texts: Sequence[str], most: int) -> str:
    """The first `most` texts, and how many more there are, in one line."""
    more = len(texts) - most
    return "; ".join([*texts[:most], *([f"and {more} more"] if more > 0 else [])])
