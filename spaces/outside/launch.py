"""Starts modules of this program in fresh interpreters, whatever lies in the folder where the user works.

`python -m MODULE` looks for every module in the current folder first, where a user may well keep a `search.py` or a
`queue.py`. This file is run as a script instead: `python -P launch.py MODULE ARGUMENT...`. It therefore imports
nothing but the standard library before this program's packages are told from the user's files.
"""

from __future__ import annotations

import runpy
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[2]
OWN = ("nightshift", "spaces", "search", "results", "run_search")
"""What this program is made of, as modules that a user's files might stand for."""


class _OwnPackages:
    """Finds this program's packages beside this file, and no others of their names."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: Any = None) -> ModuleSpec | None:
        return PathFinder.find_spec(name, [str(_ROOT)]) if name in OWN else None


def own_packages_first() -> None:
    """Makes this interpreter find this program's packages beside this file, whatever its module search path says."""
    if not any(getattr(finder, "__name__", "") == _OwnPackages.__name__ for finder in sys.meta_path):
        sys.meta_path.insert(0, _OwnPackages)


def command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module of this program as `__main__` in a fresh interpreter.

    Args:
        module: Dotted name.
        arguments: Its `sys.argv[1:]`.
    """
    return [sys.executable, "-P", str(Path(__file__).resolve()), module, *arguments]


def module_path(path: Sequence[str], main_file: str | None, here: str) -> tuple[str, ...]:
    """The module search path for a fresh interpreter that is to find what this one finds.

    What Python put in front for the sake of a script or a notebook comes last: there, a user's `queue.py` stands beside
    their model, and this process has long imported Python's own.

    Args:
        path: `sys.path`.
        main_file: File of `__main__`, or None.
        here: The current folder.
    """
    entries = list(dict.fromkeys(str(Path(here, entry)) for entry in path))
    users = {str(Path(here)), *([str(Path(here, main_file).parent)] if main_file else [])}
    return tuple([entry for entry in entries if entry not in users] + [entry for entry in entries if entry in users])


def _main() -> None:
    own_packages_first()
    from spaces.basics.ending import Ending

    ending = Ending()
    module, sys.argv[1:] = sys.argv[1], sys.argv[2:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
    ending.code = 0


if __name__ == "__main__":
    _main()
