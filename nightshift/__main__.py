"""The command line: `run-search`, `nightshift` and `python -m nightshift`.

It stands here so that this program's packages have been claimed before the first of them is imported.
"""

import sys

if __name__ == "__main__" and not getattr(sys.flags, "safe_path", False):
    # `python -m` puts the current folder first. A `random.py` or `numpy.py` that a user keeps there must not stand for
    # what this program needs.
    sys.path.append(sys.path.pop(0))

from run_search import console as main

__all__ = ["main"]

if __name__ == "__main__":
    main()
