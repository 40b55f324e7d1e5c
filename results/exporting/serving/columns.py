"""The columns of a table as a model takes them, in TensorFlow: what `spaces.data.tables.encoding` does in NumPy."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import tensorflow as tf

from spaces.data.tables import dates
from spaces.data.tables.encoding import ColumnEncoding
from spaces.data.tables.kinds import boolean_words
from spaces.data.tables.numbers import MISSING

_DATE = r"\s*\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?Z?\s*"
_DAYS_TO_1970 = 719_468


def encoded(encoding: ColumnEncoding, given: Any) -> Any:
    """The inputs of one column, float32 of shape (n, inputs).

    Args:
        encoding: How the model takes it.
        given: Numbers, NaN where there is none; or words, dates as ISO 8601.
    """
    if encoding.kind == "number":
        absent = tf.math.is_nan(given)
        found = [tf.where(absent, np.float32(encoding.fill), given)[:, None]]
    elif encoding.kind == "boolean":
        found, absent = _boolean(encoding, tf.strings.lower(tf.strings.strip(given)))
    elif encoding.kind == "date":
        found, absent = _date(encoding, given)
    else:
        words = _in_known_spelling(encoding, tf.strings.strip(given))
        equal = tf.equal(words[:, None], tf.constant([*encoding.values, ""])[None, :-1])
        known = tf.reduce_any(equal, axis=1)
        absent = _is_in(tf.strings.lower(words, encoding="utf-8"), MISSING)
        # The values of a text are words, which its cells may consist of and say nothing, if any of training did.
        absent &= tf.constant(encoding.kind == "text" and encoding.missing) | ~known
        found = [tf.cast(equal, tf.float32)] if encoding.kind == "category" else [_text(encoding, words, absent)]
        if encoding.other:
            other = ~known & ~absent if encoding.missing else ~known
            found.append(tf.cast(other, tf.float32)[:, None])
    if encoding.missing:
        found.append(tf.cast(absent, tf.float32)[:, None])
    return tf.concat(found, axis=1)


def _in_known_spelling(encoding: ColumnEncoding, words: Any) -> Any:
    """Categories that other programs write in other ways, as training had them."""
    if not (aliases := encoding.aliases):
        return words
    same = tf.equal(words[:, None], tf.constant(list(aliases))[None])
    known = tf.gather(tf.constant(list(aliases.values())), tf.argmax(tf.cast(same, tf.int32), axis=1))
    return tf.where(tf.reduce_any(same, axis=1), known, words)


def _is_in(words: Any, known: Any) -> Any:
    return tf.reduce_any(tf.equal(words[:, None], tf.constant(sorted(known))[None]), axis=1)


def _boolean(encoding: ColumnEncoding, words: Any) -> tuple[list[Any], Any]:
    meant = boolean_words(encoding.values)
    no, yes = (_is_in(words, [word for word, value in meant.items() if value == wanted]) for wanted in (0.0, 1.0))
    absent = ~(no | yes)
    value = tf.where(absent, np.float32(encoding.fill), tf.cast(yes, tf.float32))
    return [value[:, None]], absent


def _text(encoding: ColumnEncoding, words: Any, absent: Any) -> Any:
    lower = tf.strings.lower(words, encoding="utf-8")
    spaced = tf.strings.join([" ", tf.strings.regex_replace(lower, r"[^\pL\pN_]+", " "), " "])
    has = [tf.strings.regex_full_match(spaced, f".* {re.escape(word)} .*") for word in encoding.values]
    if not has:
        return tf.zeros((tf.shape(words)[0], 0))
    return tf.cast(tf.stack(has, axis=1) & ~absent[:, None], tf.float32)


def _date(encoding: ColumnEncoding, given: Any) -> tuple[list[Any], Any]:
    absent = _is_in(tf.strings.lower(tf.strings.strip(given)), MISSING)
    written = tf.strings.regex_full_match(given, _DATE)
    tf.debugging.Assert(
        tf.reduce_all(absent | written),
        [f"{encoding.name}: holds no date like 2027-01-31 or 2027-01-31 12:30:00", given],
    )
    text = tf.strings.join([tf.where(written, tf.strings.strip(given), "1970-01-01"), " 00:00:00"])
    year, month, day = (_number(text, start, length) for start, length in ((0, 4), (5, 2), (8, 2)))
    clock = tf.strings.regex_full_match(text, r".{10}[T ]\d{2}:\d{2}.*")
    hour, minute = _number(text, 11, 2), _number(text, 14, 2)
    # Where no seconds are given, what stands there is the end of the text or of the appended midnight.
    second = tf.strings.regex_replace(text, r"^.{10}[T ]\d{2}:\d{2}(?::(\d{2}(?:\.\d+)?))?.*$", r"0\1")
    seconds = tf.strings.to_number(second, tf.float64)
    fraction = tf.where(clock, (hour * 3600 + minute * 60 + seconds) / 86_400, tf.zeros_like(hour))
    whole = _days(year, month, day)
    parts = {
        "days since 1970": whole + fraction,
        "year": year,
        "month": month,
        "day": day,
        "weekday": tf.math.floormod(whole + 3, 7.0),
        "hour": fraction * 24,
    }
    filled = dates.parts(np.array([encoding.fill]), times=encoding.times)
    columns = [tf.where(absent, tf.constant(float(value[0]), tf.float64), parts[name]) for name, value in filled]
    return [tf.cast(column, tf.float32)[:, None] for column in columns], absent


def _number(text: Any, start: int, length: int) -> Any:
    return tf.strings.to_number(tf.strings.substr(text, start, length), tf.float64)


def _days(year: Any, month: Any, day: Any) -> Any:
    """Days since 1970-01-01 in the Gregorian calendar, by counting years from March on, whose lengths repeat."""
    early = tf.cast(month <= 2, tf.float64)
    year, month = year - early, month + 12 * early - 3
    in_year = tf.floor((153 * month + 2) / 5) + day - 1
    leaps = tf.floor(year / 4) - tf.floor(year / 100) + tf.floor(year / 400)
    return 365 * year + leaps + in_year - _DAYS_TO_1970
