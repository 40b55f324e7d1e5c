"""`import nightshift`: the promised names, how little it loads, and what a user's files may be called."""

from __future__ import annotations

import inspect
import os
import shutil
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

import nightshift
import results
import run_search
import search
import spaces
from tests.test_imports import HEAVY

ROOT = Path(__file__).parent.parent
PROMISED = {
    "load", "check", "run", "resume", "table", "report", "export", "predict", "best_model", "oracle", "hypermodel",
    "__version__",
}  # fmt: skip


def python(*arguments, cwd=ROOT, path=ROOT):
    """A fresh interpreter; `path` is its PYTHONPATH."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, [path] if isinstance(path, Path) else path))}
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def folder(tmp_path):
    """A user's folder with files of this program's names, none of which can be imported."""
    for name in ("spaces", "search", "results", "run_search"):
        (tmp_path / f"{name}.py").write_text("raise RuntimeError('the user')\n")
    return tmp_path


def test_the_names_are_those_promised_and_each_is_documented():
    assert set(nightshift.__all__) == PROMISED
    assert set(dir(nightshift)) >= PROMISED
    for name in PROMISED - {"__version__"}:
        assert inspect.getdoc(getattr(nightshift, name)), name


def test_the_names_are_those_of_the_packages():
    for package, names in (
        (spaces, ("load", "hypermodel")),
        (search, ("oracle", "run", "resume")),
        (results, ("table", "report", "export", "predict", "best_model")),
    ):
        for name in names:
            assert getattr(nightshift, name) is getattr(package, name)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'tune'"):
        _ = nightshift.tune


def test_importing_it_loads_nothing_but_itself():
    loaded = set(python("-c", "import sys, nightshift; print(*sys.modules)").stdout.split())
    assert "nightshift" in loaded
    assert loaded.isdisjoint({*HEAVY, "spaces", "search", "results", "numpy", "pydantic"})


def test_files_of_its_packages_names_do_not_stand_for_them(folder):
    program = "import nightshift as ns; print(ns.load('digits').name, ns.run.__module__, ns.table.__module__)"
    done = python("-c", program, cwd=folder)
    assert (done.stdout, done.stderr) == ("digits search.api results.ranked.frame\n", "")


def test_a_run_is_read_by_this_program_beside_a_package_of_the_users_called_results(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "__init__.py").touch()
    done = python("-c", "from pathlib import Path; import search; search.Run(Path('night')).table()", cwd=tmp_path)
    assert done.stderr.splitlines()[-1].startswith("search.errors.RunError: night: no run here")


CONSOLE_COMMAND = ("-c", "from nightshift.__main__ import main; main()")


@pytest.mark.parametrize("command", [(ROOT / "run_search.py",), ("-m", "nightshift"), CONSOLE_COMMAND])
def test_the_commands_run_from_a_folder_with_files_of_such_names(folder, command):
    done = python(*command, "spaces", cwd=folder, path=[folder, ROOT])
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == list(spaces.names())


def test_a_file_of_such_a_name_that_is_loaded_already_is_named(folder):
    (folder / "search.py").write_text("mine = 1\n")
    done = python("-c", "import search, nightshift", cwd=folder)
    assert done.returncode == 1
    assert f"ImportError: {folder}/search.py is loaded under the name 'search'" in done.stderr


def test_a_folder_of_such_a_name_that_is_loaded_already_is_named():
    program = (
        "import sys, types; m = sys.modules['search'] = types.ModuleType('search'); m.__path__ = ['/home/me/search']"
    )
    done = python("-c", f"{program}\nimport nightshift")
    assert "ImportError: /home/me/search is loaded under the name 'search'" in done.stderr


def test_folders_of_such_names_do_not_stand_for_an_editable_installation(tmp_path):
    """A line in the module search path: a package there goes before a folder without an `__init__.py` elsewhere."""
    pytest.importorskip("setuptools")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "README.md").touch()
    (tmp_path / "run_search.py").touch()
    for package in ("nightshift", "spaces", "search", "results"):
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text('__version__ = "1"\n')
    build = "from setuptools.build_meta import build_editable; build_editable('.')"
    done = subprocess.run([sys.executable, "-c", build], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    [wheel] = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        [line] = [archive.read(name).decode() for name in archive.namelist() if name.endswith(".pth")]
    assert line.strip() == str(tmp_path)


def test_what_is_loaded_already_may_be_its_own():
    done = python("-c", "import run_search, results, nightshift; print(nightshift.load('digits').name)")
    assert (done.stdout, done.stderr) == ("digits\n", "")


@pytest.mark.night
def test_a_script_with_such_neighbours_searches_with_workers(folder, tmp_path):
    script = folder / "night.py"
    script.write_text(
        "import nightshift as ns\n"
        "if __name__ == '__main__':\n"
        "    run = ns.run('digits', overrides=['search.algorithm=random', 'training.epochs=1', 'final.candidates=1',\n"
        "        'final.seeds=0', 'data.limit=100'], max_trials=2, seed=3, workers=2, check=False, run_dir='night')\n"
        "    print(run.spec.search.max_trials, run.spec.search.seed, len(ns.table(run)))\n"
    )
    done = python(script, cwd=folder)
    assert done.stdout == "2 3 3\n", done.stderr


def test_a_function_comes_with_data_and_anything_else_is_named():
    with pytest.raises(TypeError, match=r"needs data, such as data=\(x, y\)"):
        nightshift.run(lambda hp: None)
    with pytest.raises(TypeError, match=r"must be a function build\(hp\), .*; received 5"):
        nightshift.run(5)


def test_what_is_changed_is_validated_with_the_space(tmp_path):
    with pytest.raises(spaces.SpaceError, match=r"search\.max_trials: found 0"):
        nightshift.run("digits", max_trials=0, run_dir=tmp_path / "run")
    with pytest.raises(spaces.SpaceError, match=r"training\.epoch: unknown key"):
        nightshift.run("digits", overrides=["training.epoch=1"], run_dir=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_both_console_commands_are_the_command_line():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    entry = "nightshift.__main__:main"
    assert project["project"]["scripts"] == {"run-search": entry, "nightshift": entry}
    assert import_module(entry.partition(":")[0]).main is run_search.console
    # One place knows the version.
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "nightshift.__version__"}
    for package in project["tool"]["setuptools"]["packages"]["find"]["include"]:
        assert (ROOT / package.rstrip("*") / "py.typed").is_file()


def test_a_python_without_its_packages_is_told_what_to_do():
    done = python("-S", ROOT / "run_search.py", "spaces")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error: Nightshift is not installed for {sys.executable} (Python 3.")
    assert "`make search`" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_package_that_is_missing_is_told_without_a_traceback():
    program = "import sys; sys.modules['pydantic'] = None; sys.argv = ['run-search', 'spaces', 'digits']"
    done = python("-c", f"{program}\nfrom nightshift.__main__ import main; main()")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: import of pydantic halted")
    assert "requirements.lock" in done.stderr


def test_the_version_is_one_line():
    for command in ((ROOT / "run_search.py",), ("-m", "nightshift")):
        assert python(*command, "--version").stdout == f"nightshift {nightshift.__version__}\n"


def test_the_suites_for_authors_are_there_when_they_are_asked_for():
    program = "import sys, nightshift; assert 'nightshift.testing' not in sys.modules; nightshift.testing.check_oracle"
    done = python("-c", program)
    assert done.returncode == 0, done.stderr
