"""The names that Keras gives to what has none: the same for every model that a function of the user's builds.

Keras counts: the second metric `AUC()` of a process is called `auc_1`, whichever model it belongs to. So an objective
`val_auc` would exist for the first model only. A stock Keras Tuner forgets the counts before every model.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

# Keras has no public way to read or set the counts alone. `clear_session` would forget compiled functions too.
_COUNTS = "object_name_uids"


@contextmanager
def counting_from(counts: Mapping[str, int]) -> Iterator[None]:
    """Counts from here inside; what was counted before goes on afterwards. Without Keras loaded it does nothing."""
    if "keras" not in sys.modules:
        yield
        return
    before = current()
    _set(counts)
    try:
        yield
    finally:
        _set(before)


def current() -> dict[str, int]:
    """How many names of each kind have been given; nothing where Keras is not loaded."""
    if "keras" not in sys.modules:
        return {}
    from keras.src.backend.common import global_state

    return dict(global_state.get_global_attribute(_COUNTS) or {})


def _set(counts: Mapping[str, int]) -> None:
    from keras.src.backend.common import global_state

    global_state.set_global_attribute(_COUNTS, defaultdict(int, counts))
