"""Fonts of pictures: names of classes, columns and baselines may be in any script."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

# The first comes with Matplotlib, and has Latin, Greek and Cyrillic letters; systems have some of the others.
_FAMILIES = (
    "DejaVu Sans", "Noto Sans CJK JP", "Noto Sans CJK SC", "Noto Sans JP", "Noto Sans SC", "Noto Sans KR",
    "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback", "IPAexGothic", "NanumGothic",
    "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Devanagari", "Noto Sans Bengali", "Noto Sans Tamil",
    "Noto Sans Thai", "FreeSans", "Unifont", "Arial Unicode MS",
)  # fmt: skip
_LACKING = r"Glyph \d+ .*missing from|Matplotlib currently does not support "


@contextmanager
def any_script() -> Iterator[None]:
    """While Matplotlib draws: letters that its own font lacks come from another one that is installed.

    Those that none has become boxes, without a warning for each: the page has the names as text.
    """
    import matplotlib as mpl

    with mpl.rc_context({"font.family": _installed()}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", _LACKING)
        yield


@cache
def _installed() -> list[str]:
    from matplotlib import font_manager

    known = set(font_manager.get_font_names())
    return [family for family in _FAMILIES if family in known]
