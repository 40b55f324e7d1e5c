"""The command line: `run-search`, `nightshift` and `python -m nightshift`.

It stands here so that this program's packages have been claimed before the first of them is imported.
"""

from run_search import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
