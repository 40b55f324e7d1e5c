"""Overrides from Python, as the space file that they change would have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import spaces
from search.asked import as_spec


@pytest.mark.parametrize("folder", ["/tmp/\U0001f4f7", "/tmp/\u2028\x85\x7f", '/tmp/"quoted"\\', "/tmp/\xe9\t"])
def test_any_text_comes_through(folder):
    assert as_spec("photos-cnn", overrides={"data.source.folder": folder}).data.source.location == folder
    assert as_spec("photos-cnn", overrides={"data.source.folder": Path(folder)}).data.source.location == folder


@pytest.mark.parametrize(
    ("value", "plain"), [(np.int64(64), 64), (np.array([32, 64]), [32, 64]), ((32, 64), [32, 64]), (np.float32(8), 8)]
)
def test_numbers_of_numpy_are_numbers(value, plain):
    found = as_spec("digits", overrides={"training.batch_size": value})
    assert found == as_spec("digits", overrides={"training.batch_size": plain})


@pytest.mark.parametrize("value", [object(), {1, 2}, {"a": range(3)}, b"x"])
def test_what_no_space_file_could_hold_is_refused_by_its_key(value):
    with pytest.raises(TypeError, match=r"overrides: training\.batch_size: found .*; allowed: texts, paths, numbers"):
        as_spec("digits", overrides={"training.batch_size": value})


def test_one_text_is_one_override():
    wanted = spaces.load("digits", ["training.batch_size=77"])
    assert spaces.load("digits", "training.batch_size=77") == wanted
    assert as_spec("digits", overrides="training.batch_size=77") == wanted
