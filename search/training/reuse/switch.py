"""Whether compiled functions are shared between trainings: the environment says it, here and on other machines.

Importing the module does not import Keras.
"""

from __future__ import annotations

import os

from search.errors import RunError

_NAME = "NIGHTSHIFT_REUSE"
_WORDS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def reuse() -> bool:
    """Whether compiled functions are shared, which leans on internals of Keras; `NIGHTSHIFT_REUSE=0` says no.

    Raises:
        RunError: The variable says neither yes nor no.
    """
    found = os.environ.get(_NAME, "1")
    if found.strip().lower() not in _WORDS:
        raise RunError(f"{_NAME}: found {found[:60]!r}; allowed: {', '.join(_WORDS)}")
    return _WORDS[found.strip().lower()]


def as_environment() -> dict[str, str]:
    """What an interpreter elsewhere is told, so that it trains as this one would."""
    return {_NAME: "1" if reuse() else "0"}
