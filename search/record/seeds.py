"""Seeds: every random stream of a run is derived from the run's seed and the name of what it is for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_LIMIT = 2**31


def derive(seed: int, *names: Any) -> int:
    """A seed for the stream that `names` describe.

    Args:
        seed: The run's seed.
        names: Plain data, for example a configuration's values; mappings count regardless of the order of their keys.

    Returns:
        A whole number from 0 to 2**31 - 1: equal for equal arguments in every process, unrelated otherwise
        (BLAKE2b of the canonical JSON text).
    """
    text = json.dumps([seed, *names], sort_keys=True, separators=(",", ":"), default=str)
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") % _LIMIT


def configuration_seed(seed: int, values: Mapping[str, Any]) -> int:
    """The seed of a configuration's weights, shuffling and dropout."""
    return derive(seed, "configuration", dict(values))
