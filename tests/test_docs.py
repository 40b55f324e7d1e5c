"""The documentation says what the program does."""

from __future__ import annotations

import ast
import itertools
import re
import shlex
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
import typer.main

import run_search
import spaces
from docs.site.commands import EXIT_CODES, command_page
from docs.site.links import moved
from docs.site.python_names import python_page
from docs.site.space_file import space_file_page

ROOT = Path(__file__).parent.parent
PAGES = sorted({*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"})


def sections(page):
    """Heading -> text below it."""
    parts = re.split(r"^## (.*)\n", page, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def keys(text):
    """The first cells of a table, without their marks."""
    return [re.sub(r"[*`]", "", line.split("|")[1].strip()) for line in text.splitlines() if line.startswith("| ")][2:]


def test_every_key_of_the_schema_is_in_the_reference():
    schema = spaces.json_schema()
    found = sections(space_file_page(schema))
    tables = sorted(tuple(keys(text)) for text in found.values())
    mappings = [schema, *(made for name, made in schema["$defs"].items() if name != "When")]
    assert tables == sorted(tuple(made["properties"]) for made in mappings)


def test_the_reference_says_what_a_key_takes():
    found = sections(space_file_page(spaces.json_schema()))
    assert "| **`layers`** | whole number from 0 to 100 | list, range |" in found["model (mlp)"]
    assert "| `units` | whole number from 1 to 1,000,000 | list, range; `shared` |" in found["model (mlp)"]
    assert "| `optimizer` | `adam`, `adamw`, `lion`, `muon`, `nadam`, `rmsprop`, `sgd` | list |" in found["training"]
    assert "[training.early_stopping](#trainingearly_stopping)" in found["training"]
    assert "The same stands at `baselines[].early_stopping`" in found["training.early_stopping"]
    assert (
        "| `validation` | whole number from 1 or number above 0 below 1 or `given` or `{first: …}` "
        "or `{group: …, time: …, size: …}` or `{folds: …, group: …, pause: …}` |  | `0.2` |" in found["data"]
    )
    assert "`freeze-thaw` |  | `hyperband` |" in found["search"]
    assert "| `weights` | `imagenet`, `none` or text | list |" in found["model (pretrained)"]


def test_every_key_says_what_it_means():
    for heading, text in sections(space_file_page(spaces.json_schema())).items():
        for line in text.splitlines():
            assert not line.startswith("| ") or not line.endswith("|  |"), (heading, line)


def test_a_key_that_a_schema_gains_is_shown():
    schema = {
        "properties": {"pick": {"$ref": "#/$defs/Pick"}},
        "required": ["pick"],
        "$defs": {"Pick": {"properties": {"a|b": {"type": "boolean", "default": True}}, "description": "Choose."}},
    }
    page = space_file_page(schema)
    assert "| **`pick`** | [pick](#pick) |" in page
    assert r"| `a\|b` | `true`, `false` |  | `true` |  |" in page


def test_every_command_and_option_is_in_the_reference():
    program = typer.main.get_command(run_search.app)
    found = sections(command_page(program))
    assert list(found) == [*program.commands, "Exit codes"]
    for name, command in program.commands.items():
        for parameter in command.params:
            for option in parameter.opts if parameter.param_type_name == "option" else ():
                assert option == "--help" or re.search(rf"`[^`]*{re.escape(option)}\b", found[name]), (name, option)
    assert "run-search table RUN... [OPTION]..." in found["table"]
    assert "| `SPACE` | `digits` |" in found["run"]


def test_the_reference_says_what_has_to_be_given_what_else_holds_and_what_stands_before_a_command():
    page = command_page(typer.main.get_command(run_search.app))
    assert "| `--version` |" in page.partition("\n## ")[0]
    found = sections(page)
    assert "run-search export-study RUN --storage STORAGE [OPTION]..." in found["export-study"]
    assert "| **`--storage STORAGE`** |" in found["export-study"]
    assert "| `--png / --no-png` | `--png` |" in found["report"]
    assert "| `--serve / --no-serve` |  |" in found["export"]


def test_the_exit_codes_are_those_of_the_program_and_of_the_readme():
    assert [int(code) for code, _ in EXIT_CODES] == [
        run_search.DONE, run_search.FAILED, run_search.USAGE, run_search.INTERRUPTED,
    ]  # fmt: skip
    readme = (ROOT / "README.md").read_text()
    for code, meaning in EXIT_CODES:
        assert f"| {code} | {meaning} |" in readme


def test_a_package_is_shown_by_its_public_names():
    page = python_page("search", "Runs.", ["run", "Run", "_inner", "__version__"])
    assert re.findall(r"^::: (.*)$", page, flags=re.MULTILINE) == ["search.run", "search.Run"]


PACKAGES = ("nightshift", "nightshift.testing", "spaces", "search", "results")

DOCUMENTED = (ast.FunctionDef, ast.ClassDef)


@cache
def parsed(module):
    path = ROOT / module.replace(".", "/")
    return ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_text())


@cache
def definition(module, name):
    """The function or class that a module has under a name, wherever it is written."""
    tree = parsed(module)
    for node in ast.walk(tree):
        if isinstance(node, DOCUMENTED) and node.name == name:
            return node
    [home] = {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and name in {alias.asname or alias.name for alias in node.names}
    }
    return definition(home, name)


def public():
    """The names of each package's `__all__`; nothing is imported."""
    for package in PACKAGES:
        [names] = (
            ast.literal_eval(node.value)
            for node in parsed(package).body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        )
        yield from ((package, name) for name in names if not name.startswith("_"))


def test_what_a_public_docstring_names_is_in_the_reference_too():
    known = {f"{package}.{name}" for package, name in public()}
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    for package, name in public():
        written = (node for node in ast.walk(definition(package, name)) if isinstance(node, DOCUMENTED))
        text = "".join(ast.get_docstring(node) or "" for node in written)
        for found in re.findall(r"`((?:spaces|search|results)\.[\w.]+)`", text):
            assert found in known or f"`{found.rpartition('.')[2]}`" in contributing, f"{package}.{name}: {found}"


def test_what_a_public_function_returns_is_in_the_reference_too():
    known = {name for _, name in public()}
    elsewhere = {
        "Any", "Array", "None", "Path", "Row", "Value", "dict", "float", "int", "keras", "keras_tuner", "list", "pd",
        "str", "tuple",
    }  # fmt: skip
    for package, name in public():
        returned = getattr(definition(package, name), "returns", None)
        found = {node.id for node in ast.walk(returned) if isinstance(node, ast.Name)} if returned else set()
        assert found <= known | elsewhere, f"{package}.{name}: {found - known - elsewhere}"


def test_public_functions_say_what_their_arguments_are():
    for package, name in public():
        node = definition(package, name)
        text = ast.get_docstring(node)
        if not isinstance(node, ast.FunctionDef) or re.search(r"\barguments\b", text):
            continue  # a class, or one that has most of its arguments in common with another
        for argument in [*node.args.args, *node.args.kwonlyargs]:
            told = rf"^    (?:\w+, )*{argument.arg}(?:, \w+)*: "
            assert re.search(told, text, flags=re.MULTILINE), f"{package}.{name}: {argument.arg}"


def test_links_of_a_page_that_is_moved_lead_to_the_same_places():
    pages = {"docs/a/one.md": "a/one.md", "README.md": "b/start.md"}
    text = "[one](../docs/a/one.md#x) [start](../README.md) [code](../spaces/spec.py) [there](https://x.org) [here](#y)"
    assert moved(text, "benchmarks/README.md", "b/bench.md", pages) == (
        "[one](../a/one.md#x) [start](start.md) code (`spaces/spec.py`) [there](https://x.org) [here](#y)"
    )


def functions_of(file):
    tree = ast.parse((ROOT / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_promise_names_tests_that_are_there():
    promises = (ROOT / "docs/promises.md").read_text()
    rows = [line for line in promises.splitlines() if line.startswith("| ") and "held by" not in line]
    assert len(rows) > 30
    for row in rows:
        named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", row)
        assert named, row
        for file, test in named:
            assert test in functions_of(file), f"{file}::{test}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_files_that_a_page_names_are_there(page):
    text = page.read_text()
    for link in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
        target = (page.parent / link).resolve()
        generated = target.parent.name == "reference" or target.name in ("changelog.md", "contributing.md")
        assert target.exists() or generated, link
    for file in re.findall(r"`((?:spaces|search|results|tests|benchmarks|examples|docs)/[\w/.-]+)`", text):
        assert "NAME" in file or (ROOT / file).exists(), file


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_space_files_that_a_page_shows_are_legal(page, tmp_path):
    for block in re.findall(r"```yaml\n(name: .*?)```", page.read_text(), flags=re.DOTALL):
        file = tmp_path / "space.yaml"
        file.write_text(block)
        assert spaces.load(file).name


def commands_of(text):
    """The words after `run-search` of each command in the blocks of a page; a pattern stands for two files."""
    for block in re.findall(r"^```\w*\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        for line in re.findall(r"^[$ ]*(?:\.venv/bin/)?run-search ([a-z].*)$", block, flags=re.MULTILINE):
            words = itertools.takewhile(lambda word: word != ">", shlex.split(line, comments=True))
            yield [one for word in words for one in dict.fromkeys((word.replace("*", "1"), word.replace("*", "2")))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_that_a_page_shows_are_understood(page):
    program = typer.main.get_command(run_search.app)
    for name, *arguments in commands_of(page.read_text()):
        assert program.commands[name].make_context(name, arguments).params


def test_the_commands_of_a_page_are_found():
    page = "```\n.venv/bin/run-search table runs/a-* > all    # ranked\n$ run-search run --where 'a > 1'\n```\n"
    assert list(commands_of(page)) == [["table", "runs/a-1", "runs/a-2"], ["run", "--where", "a > 1"]]


@pytest.mark.skipif(find_spec("mkdocs") is None, reason="the documentation's tools are not installed: make docs")
def test_the_site_is_built_without_a_warning(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    references = ("space-file", "command-line", "nightshift", "testing")
    for page in ("index", *(f"reference/{name}" for name in references), "contributing"):
        assert (tmp_path / f"site/{page}.html").is_file()
