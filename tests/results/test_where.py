"""The conditions of `--where`."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from results.errors import ResultError
from results.ranked.where import MAX_DEPTH, MAX_LENGTH, where

ROW = {
    "layers": 2, "score": 0.93, "optimizer": "adam", "nesterov": True, "momentum": None, "dense 1": 5, "a.b": 1,
    "name": "it's",
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("layers >= 2 and score > 0.9", True),
        ("layers >= 2 and score > 0.95", False),
        ("layers > 2 or score > 0.9", True),
        ("1 < layers <= 2", True),
        ("1 < layers < 2", False),
        ("3 > layers > 1 < score", False),
        ("not layers == 2", False),
        ("not (layers == 2 and score < 0.5)", True),
        ("layers == 2 or layers == 3 and score < 0", True),
        ("(layers == 2 or layers == 3) and score < 0", False),
        ("optimizer in ('sgd', 'adam')", True),
        ("optimizer not in ('sgd', 'adam',)", False),
        ("layers in (1, 2.0)", True),
        ('optimizer == "adam"', True),
        ("optimizer != 'adam'", False),
        ("nesterov", True),
        ("not nesterov", False),
        ("nesterov == true and NOT nesterov == FALSE", True),
        ("`dense 1` == 5 and a.b == 1", True),
        (r"name == 'it\'s'", True),
        ("layers > -1e-4 and layers < +1_000", True),
        ("score < .94 and score > 9e-1", True),
    ],
)
def test_holds(text: str, expected: bool) -> None:
    assert where(text, ROW)(ROW) is expected


@pytest.mark.parametrize("sign", ["<", "<=", ">", ">=", "==", "!="])
def test_a_missing_value_makes_every_comparison_false(sign: str) -> None:
    assert not where(f"momentum {sign} 0.9", ROW)(ROW)
    assert not where(f"0.9 {sign} momentum", ROW)(ROW)
    assert not where(f"momentum {sign} momentum", ROW)(ROW)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("momentum == none", True),
        ("momentum != none", False),
        ("layers == null", False),
        ("layers != none", True),
        ("momentum < none", False),
        ("momentum in (0.9, none)", True),
        ("momentum in (0.9)", False),
        ("momentum not in (0.9)", False),
        ("momentum", False),
    ],
)
def test_none_asks_whether_a_value_is_there(text: str, expected: bool) -> None:
    assert where(text, ROW)(ROW) is expected


def test_text_and_numbers_are_unequal_and_neither_is_less() -> None:
    assert where("optimizer != 2", ROW)(ROW)
    for sign in ("<", "<=", ">", ">=", "=="):
        assert not where(f"optimizer {sign} 2", ROW)(ROW)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layer >= 2", "did you mean layers?"),
        ("optimizer == adam", r"no column 'adam'.*text needs quotes"),
        ("layers = 2", "equality is written =="),
        ("layers >= ", "found the end"),
        ("", "found the end"),
        ("   ", "found the end"),
        ("layers >= 2 score", "expected and, or, or the end, found 'score'"),
        ("(layers >= 2", r"expected '\)'"),
        ("layers in 2", r"expected '\('"),
        ("layers in ()", "found '\\)'"),
        ("layers in (score)", "a number or text in quotes"),
        ("5", "a value alone is no condition"),
        ("layers >= 2; import os", "';' is not understood"),
        ("__import__('os')", "no column '__import__'"),
        ("layers.__class__ == 1", "no column 'layers.__class__'"),
        ("layers >= 2_", "is not a number"),
        ("layers >= 'x", "is not understood"),
        ("layers >= 2x", "is not understood"),
        ("layers >= " + "9" * 5000, "is not a number"),
        ("layers + 1 > 2", "is not understood"),
    ],
)
def test_mistakes_are_named_with_their_place(text: str, message: str) -> None:
    with pytest.raises(ResultError, match=message) as caught:
        where(text, ROW)
    assert "at character" in str(caught.value)


def test_a_name_with_a_sign_in_it_is_told_how_it_is_written() -> None:
    row = {"decoder/units": 16, "encoder/units": 8, **ROW, "encoder/units_2": 32}
    with pytest.raises(ResultError, match="'/' is not understood; `encoder/units_2` stands between backquotes"):
        where("encoder/units_2 > 16", row)
    assert where("`encoder/units_2` > 16", row)(row)
    with pytest.raises(ResultError, match="'2' is not understood, at"):
        where("layers >= 2x", row)


def test_depth_and_length_are_bounded() -> None:
    assert where("(" * (MAX_DEPTH - 1) + "layers == 2" + ")" * (MAX_DEPTH - 1), ROW)(ROW)
    with pytest.raises(ResultError, match="nested more than"):
        where("(" * MAX_DEPTH + "layers == 2" + ")" * MAX_DEPTH, ROW)
    with pytest.raises(ResultError, match="nested more than"):
        where("not " * MAX_DEPTH + "layers == 2", ROW)
    with pytest.raises(ResultError, match="longer than"):
        where("layers == 2" + " " * MAX_LENGTH, ROW)
    assert where(" and ".join(["layers == 2"] * 600), ROW)(ROW)


@pytest.mark.parametrize("text", ["9" * 9990 + "x", "'" + "\\" * 9990, "`" * 9990, "9_" * 4990 + "."])
def test_no_text_takes_long(text: str) -> None:
    # Of this process: others may keep it waiting.
    start = time.process_time()
    with pytest.raises(ResultError):
        where(text, ROW)
    assert time.process_time() - start < 0.5


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["layers", "score", "optimizer", "momentum", "and", "or", "not", "in", "(", ")", ",",
                                 "<", "==", "!=", "2", "0.5", "'adam'", "none", "true"]), max_size=12))  # fmt: skip
def test_any_words_give_a_truth_value_or_a_result_error(words: list[str]) -> None:
    try:
        holds = where(" ".join(words), ROW)
    except ResultError:
        return
    assert isinstance(holds(ROW), bool)
