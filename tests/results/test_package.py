"""The package `results` as its users import it."""

import inspect
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import results
from search.files.rundir import Run

ROOT = Path(results.__file__).parents[1]


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)


def test_reading_imports_nothing_heavy() -> None:
    done = run(
        "import sys, results, results.ranked.ranking, results.ranked.formats, results.ranked.terminal\n"
        "import results.ranked.finalists, results.verdicts.comparison\n"
        "import results.watching.ledger, results.watching.progress_view\n"
        "heavy = {'pandas', 'matplotlib', 'tensorflow', 'keras', 'keras_tuner', 'numpy', 'scipy', 'pyarrow'}\n"
        "found = heavy & set(sys.modules)\n"
        "sys.exit(f'imported {found}' if found else 0)"
    )
    assert done.returncode == 0, done.stderr


def test_names_are_functions_whatever_was_imported_before() -> None:
    found = (path.relative_to(ROOT).with_suffix("").parts for path in (ROOT / "results").rglob("[a-z]*.py"))
    modules = sorted(".".join(parts) for parts in found)
    done = run(
        f"import importlib, results\n"
        f"for module in {modules!r}: importlib.import_module(module)\n"
        "import results.reporting.facts\n"
        "wrong = [name for name in results.__all__ if not callable(getattr(results, name))]\n"
        "raise SystemExit(f'not callable: {wrong}' if wrong else 0)"
    )
    assert done.returncode == 0, done.stderr


def test_a_run_gives_its_table_to_those_who_import_search_alone(make_run: Callable[..., Path]) -> None:
    directory = make_run()
    done = run(
        "import sys, search\n"
        f"found = search.open_run({str(directory)!r})\n"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'results']\n"
        "options = dict(where='layers >= 1', sort='-score', top=3, columns=['name', 'score'])\n"
        "table = found.table(**options)\n"
        "import results\n"
        "same = results.table(found, **options)\n"
        "assert table.equals(same) and len(table) == 3, (table, same)\n"
        "assert found.table(epochs=True).equals(results.table(found, epochs=True))"
    )
    assert done.returncode == 0, done.stderr


def test_the_table_of_a_run_takes_the_arguments_of_the_function() -> None:
    of_run, of_results = (inspect.signature(one).parameters for one in (Run.table, results.table))
    assert [str(one) for one in of_run.values()][1:] == [str(one) for one in of_results.values()][1:]


def test_unknown_names() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = results.nothing
