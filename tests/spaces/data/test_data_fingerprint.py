import numpy as np

from spaces.data import Split
from spaces.data.fingerprint import fingerprint

X = np.arange(24, dtype=np.uint8).reshape(6, 4)
Y = np.arange(6, dtype=np.int32)


def test_everything_counts() -> None:
    changed = X.copy()
    changed[5, 3] += 1
    parts = [
        (Split(X, Y),),
        (Split(changed, Y),),
        (Split(X, Y + 1),),
        (Split(X.reshape(6, 2, 2), Y),),
        (Split(X.view(np.int8), Y),),
        (Split(X, Y), None),
        (None, Split(X, Y)),
        (Split(X[:3], Y[:3]), Split(X[3:], Y[3:])),
    ]
    assert len({fingerprint(*part) for part in parts}) == len(parts)


def test_layout_in_memory_does_not_count() -> None:
    assert fingerprint(Split(np.asfortranarray(X), Y)) == fingerprint(Split(X, Y.copy()))
