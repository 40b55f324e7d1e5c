"""Text of strangers on the way to a terminal."""

from __future__ import annotations

import pytest

from spaces.basics.errors import DataError, Problem, SpaceError
from spaces.basics.printable import printable, writable

STEERING = [
    ("\x1b[2J", "\\x1b[2J"),
    ("a\nb\r\t", "a\\nb\\r\\t"),
    ("\x9b31m", "\\x9b31m"),
    ("\x00\x07\x7f", "\\x00\\x07\\x7f"),
    ("\u202egnp.exe\u2066", "\\u202egnp.exe\\u2066"),
    ("\u2028\ufeff", "\\u2028\\ufeff"),
    ("\udc80", "\\udc80"),
]


@pytest.mark.parametrize(("text", "expected"), STEERING)
def test_what_steers_a_terminal_becomes_an_escape(text: str, expected: str) -> None:
    assert printable(text) == expected
    assert printable(expected) == expected


def test_words_of_every_language_stay() -> None:
    for text in ("", "T-shirt/top", "Größe", "猫", "🐈", "a b", "\\n"):
        assert printable(text) == text


def test_a_name_that_is_no_text_can_be_written() -> None:
    assert writable("caf\udce9 größer\n") == "caf\\udce9 größer\n"


def test_errors_cannot_steer_the_terminal() -> None:
    evil = "\x1b[2J\u202e\n"
    for error in (DataError(f"{evil}: no"), SpaceError([Problem(evil, 3, 1, evil, evil, (evil,))])):
        assert str(error).isprintable()
