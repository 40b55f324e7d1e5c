"""Overnight architecture search for Keras: the names for everyday use.

```python
import nightshift as ns

ns.check(build, data=(x, y))                       # what a night would do, and a tiny one of its own
run = ns.run(build, data=(x, y), until="07:00")    # Keras Tuner's build(hp), or a space: a name, a path, a mapping
run.table()                                        # pandas.DataFrame, best first
run.report()                                       # the page, shown in a notebook
run.export()
model = run.best_model()                           # keras.Model
```

Each name is loaded when it is first used: importing this package loads neither TensorFlow nor pandas. From then on,
`spaces`, `search` and `results` mean this program's packages, whatever files of these names lie in the folder where you
work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nightshift._packages import claim

if TYPE_CHECKING:
    from nightshift._checking import check
    from results import best_model, export, predict, report, table
    from search import oracle, resume, run
    from spaces import hypermodel, load

__all__ = [
    "__version__",
    "best_model",
    "check",
    "export",
    "hypermodel",
    "load",
    "oracle",
    "predict",
    "report",
    "resume",
    "run",
    "table",
]

__version__ = "0.1.0"

_HOME = {
    "best_model": "results",
    "check": "nightshift._checking",
    "export": "results",
    "hypermodel": "spaces",
    "load": "spaces",
    "oracle": "search",
    "predict": "results",
    "report": "results",
    "resume": "search",
    "run": "search",
    "table": "results",
}

# Modules for authors of packages, which nobody else needs.
_PARTS = ("testing",)

claim()


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in _PARTS:
        return import_module(f"nightshift.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'nightshift' has no attribute {name!r}")
    found = getattr(import_module(_HOME[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_PARTS})
