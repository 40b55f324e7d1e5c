"""The package `results` as its users import it."""

import subprocess
import sys
from pathlib import Path

import pytest

import results

ROOT = Path(results.__file__).parents[1]


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def test_reading_imports_nothing_heavy() -> None:
    done = run(
        "import sys, results, results.ranking, results.progress_view, results.formats, results.terminal\n"
        "import results.comparison, results.ledger, results.finalists\n"
        "heavy = {'pandas', 'matplotlib', 'tensorflow', 'keras', 'keras_tuner', 'numpy', 'scipy', 'pyarrow'}\n"
        "found = heavy & set(sys.modules)\n"
        "sys.exit(f'imported {found}' if found else 0)"
    )
    assert done.returncode == 0, done.stderr


def test_names_are_functions_whatever_was_imported_before() -> None:
    modules = sorted(f"results.{path.stem}" for path in (ROOT / "results").glob("[a-z]*.py"))
    done = run(
        f"import importlib, results\n"
        f"for module in {modules!r}: importlib.import_module(module)\n"
        "import results.reporting.facts\n"
        "wrong = [name for name in results.__all__ if not callable(getattr(results, name))]\n"
        "raise SystemExit(f'not callable: {wrong}' if wrong else 0)"
    )
    assert done.returncode == 0, done.stderr


def test_unknown_names() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = results.nothing
