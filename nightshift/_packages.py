"""This program's packages come before a user's files of the same names."""

from __future__ import annotations

import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

_ROOT = Path(__file__).resolve().parents[1]


def claim() -> None:
    """From now on `spaces`, `search` and `results` are the packages beside this one.

    Raises:
        ImportError: A file of the user's has one of these names in this process already.
    """
    launch = _launch()
    for name in launch.OWN:
        loaded = sys.modules.get(name)
        if loaded is not None and not _is_ours(loaded):
            # A folder without an `__init__.py` has no file.
            places = [getattr(loaded, "__file__", None), *getattr(loaded, "__path__", ()), "another module"]
            raise ImportError(
                f"{next(filter(None, places))} is loaded under the name {name!r}, which nightshift's own package has: "
                "import nightshift before it, or rename it",
                name=name,
            )
    launch.own_packages_first()


def _is_ours(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    own = (_ROOT / module.__name__ / "__init__.py", _ROOT / f"{module.__name__}.py")
    return file is not None and Path(file).resolve() in own


def _launch() -> ModuleType:
    """`spaces.outside.launch`, by its path: by its name, a user's `spaces.py` might be found."""
    spec = spec_from_file_location("nightshift._launch", _ROOT / "spaces" / "outside" / "launch.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
