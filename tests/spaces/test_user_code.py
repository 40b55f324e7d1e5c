"""Mistakes in a user's own code are told with file and line. No TensorFlow is needed for that."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spaces.basics.errors import CodeError
from spaces.outside import branches, sources
from spaces.outside.references import call, line_of, load_function, resolve, sources_of, take_anew

MODULE = """import helpers

def plain():
    return 1

def name():
    a = 1
    return Sequential([a])

def inside():
    def layer():
        raise ValueError("too\\n  wide")
    return [layer()]

def elsewhere():
    x = 1
    return helpers.wrong(x)

def library():
    import json
    return json.loads("{")

def leaves():
    raise SystemExit(3)

class Odd(BaseException):
    pass

def odd():
    raise Odd

def talks():
    print("hello")
    return 2

def interrupted():
    raise KeyboardInterrupt
"""

HELPERS = """
def wrong(x):
    return x.nothing
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "helpers.py").write_text(HELPERS)
    (tmp_path / "model.py").write_text(MODULE)
    sys.modules.pop("helpers", None)
    return tmp_path / "model.py"


def told(file: Path, function: str, *arguments: object) -> str:
    reference = f"{file}:{function}"
    with pytest.raises(CodeError) as caught:
        call(reference, load_function(reference), *arguments)
    return str(caught.value).replace(str(file), "model.py")


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("name", "model.py:name, line 8: NameError: name 'Sequential' is not defined"),
        ("inside", "model.py:inside, line 12: ValueError: too wide"),
        ("elsewhere", "model.py:elsewhere, line 17, in helpers.py, line 3: AttributeError: 'int' object has no"),
        ("library", "model.py:library, line 21: JSONDecodeError: "),
        ("leaves", "model.py:leaves, line 24: SystemExit: 3"),
        ("odd", "model.py:odd, line 30: Odd"),
        ("missing", "model.py:missing: model.py has no function missing"),
        ("helpers", "model.py:helpers: model.py has no function helpers"),
    ],
)
def test_the_line_of_the_user_nearest_to_the_mistake_is_named(file: Path, function: str, message: str) -> None:
    assert told(file, function).startswith(message)


def test_a_wrong_signature_is_named_where_the_function_begins(file: Path) -> None:
    expected = "model.py:plain, line 3: TypeError: plain() takes 0 positional arguments but 1 was given"
    assert told(file, "plain", "hp") == expected


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("x = 1\ny = (1,\nz = 2\n", "line 2: importing it raised SyntaxError: "),
        ("import os\nimport no_such_package\n", "line 2: importing it raised ModuleNotFoundError: No module named"),
        ("import os\nos.nothing()\n", "line 2: importing it raised AttributeError: "),
        ("import broken_helper\n", "line 1, in broken_helper.py, line 2: importing it raised SyntaxError: "),
        ("import sys\nsys.exit(4)\n", "line 2: importing it raised SystemExit: 4"),
    ],
)
def test_a_module_that_cannot_be_imported_is_named_with_its_line(tmp_path: Path, body: str, message: str) -> None:
    (tmp_path / "broken_helper.py").write_text("a = 1\nb = = 2\n")
    (tmp_path / "model.py").write_text(body)
    with pytest.raises(CodeError) as caught:
        load_function(f"{tmp_path / 'model.py'}:build")
    assert str(caught.value).startswith(f"{tmp_path / 'model.py'}:build, {message}")


@pytest.mark.parametrize("text", [f"x = {'-' * 20_000}1", f"x = {'+'.join('1' * 20_000)}"], ids=["signs", "sum"])
def test_a_module_that_is_nested_too_deeply_is_named(tmp_path: Path, text: str) -> None:
    module = tmp_path / "deep.py"
    module.write_text(text)
    with pytest.raises(CodeError, match=f"{re.escape(str(module))}:f: importing it raised (Memory|Recursion)Error"):
        load_function(f"{module}:f")
    assert [*sources_of(f"{module}:f")] == [str(module)]
    assert branches.asks_in_branches(str(module))


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")], ids=["pipe", "device"])
def test_a_module_that_is_no_file_is_not_opened(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "model.py")
    with pytest.raises(CodeError, match=r"model\.py is not a file"):
        load_function(f"{tmp_path}/model.py:build")
    assert sources_of(f"{tmp_path}/model.py:build") == {}


def test_what_it_prints_leaves_our_output_alone(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference = f"{file}:talks"
    assert call(reference, load_function(reference)) == 2
    assert capsys.readouterr() == ("", "hello\n")


@pytest.mark.parametrize("end", ["pass", "raise ValueError"])
def test_a_module_and_a_function_may_go_to_another_working_directory_for_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    model = tmp_path / "model.py"
    model.write_text(f"import os\nos.chdir('elsewhere')\ndef build():\n    os.chdir('..')\n    {end}\n")
    monkeypatch.chdir(tmp_path)
    build = load_function(f"{model}:build")
    assert Path.cwd() == tmp_path
    monkeypatch.chdir(tmp_path / "elsewhere")
    with contextlib.suppress(CodeError):
        call(f"{model}:build", build)
    assert Path.cwd() == tmp_path / "elsewhere"


def test_what_it_prints_where_nobody_reads_is_lost(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    reference = f"{file}:talks"
    with open(writing, "w", encoding="utf-8", buffering=1) as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        assert call(reference, load_function(reference)) == 2
        assert call(reference, load_function(reference)) == 2


def test_an_interrupt_stays_one(file: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        told(file, "interrupted")


def test_an_error_from_elsewhere_has_no_line(file: Path) -> None:
    assert line_of(f"{file}:plain", ValueError("never raised")) is None


def test_what_a_notebook_defined_is_not_looked_for_in_vain() -> None:
    with pytest.raises(CodeError, match="__main__ has no function build_nothing; what a notebook or script defined"):
        load_function("__main__:build_nothing")


def test_a_module_that_was_sent_stands_for_its_file_and_its_errors_name_that(monkeypatch):
    from spaces.outside import importing, references

    monkeypatch.setattr(importing, "_SHIPPED", {})
    file = "/home/somebody/elsewhere/sent_model.py"
    importing.ship({file: b"def build(hp):\n    return 1 / hp\n"})
    build = references.load_function(f"{file}:build")
    assert build(2) == 0.5
    with pytest.raises(CodeError, match=r"sent_model\.py:build, line 2: ZeroDivisionError"):
        references.call(f"{file}:build", build, 0)
    with pytest.raises(CodeError, match="is not a file"):
        references.load_function("/home/somebody/elsewhere/other.py:build")


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A package and files beside it, as somebody has them whose space file lies there."""
    (tmp_path / "mypkg").mkdir()
    for name, text in {
        "mypkg/__init__.py": "",
        "mypkg/parts.py": "N = 3\n",
        "mypkg/relative.py": "from .parts import N\ndef build(hp):\n    return N\n",
        "mypkg/absolute.py": "from mypkg.parts import N\ndef build(hp):\n    return N\n",
        "inside.py": "def build(hp):\n    from beside_it import M\n    from mypkg.parts import N\n    return M + N\n",
        "beside_it.py": "M = 4\n",
        "search.py": "raise RuntimeError('of the user')\n",
        "results.py": "raise RuntimeError('of the user')\n",
    }.items():
        (tmp_path / name).write_text(text)
    yield tmp_path
    for name in [name for name in sys.modules if name.split(".")[0] in ("mypkg", "beside_it")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("reference", "value"), [("mypkg.relative:build", 3), ("mypkg.absolute:build", 3), ("inside:build", 7)]
)
def test_a_function_imports_its_package_and_what_lies_beside_it(project: Path, reference: str, value: int) -> None:
    path = list(sys.path)
    pinned = resolve(reference, (project,))
    assert call(pinned, load_function(pinned), None) == value
    assert sys.path == path


def test_files_of_the_users_that_are_called_like_ours_stand_in_nobodys_way(project: Path) -> None:
    (project / "named.py").write_text("def build(hp):\n    import results\n    return results.__file__\n")
    pinned = resolve("named:build", (project,))
    code = (
        "import sys; from spaces.outside.references import call, load_function\n"
        "print(call(sys.argv[1], load_function(sys.argv[1]), None))"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code, pinned], capture_output=True, text=True, check=True, cwd=root)
    assert done.stdout.strip() == str(root / "results" / "__init__.py")


def test_a_module_is_made_of_the_files_that_it_imports(project: Path) -> None:
    pinned = resolve("mypkg.relative:build", (project,))
    assert {Path(file).name for file in sources_of(pinned)} == {"relative.py", "parts.py", "__init__.py"}
    inside = resolve("inside:build", (project,))
    before = sources_of(inside)
    assert {Path(file).name for file in before} == {"inside.py", "beside_it.py", "parts.py", "__init__.py"}
    (project / "beside_it.py").write_text("# a remark\n\nM = 4\n")
    assert sources_of(inside) == before
    (project / "beside_it.py").write_text("M = 5\n")
    assert {name for name, digest in sources_of(inside).items() if before[name] != digest} == {
        str(project / "beside_it.py")
    }
    assert sources_of("keras:Model") == {}


def test_what_a_file_says_now_counts_when_it_is_taken_anew(project: Path) -> None:
    pinned = resolve("inside:build", (project,))
    assert call(pinned, load_function(pinned), None) == 7
    imported = sources_of(pinned)
    (project / "beside_it.py").write_text("M = 40\n")
    # In the middle of a search nothing changes.
    assert call(pinned, load_function(pinned), None) == 7
    assert sources_of(pinned) == imported
    take_anew()
    assert call(pinned, load_function(pinned), None) == 43
    assert sources_of(pinned) != imported


@pytest.mark.parametrize(
    ("body", "asks"),
    [
        ("kind = hp.Choice('kind', ['a', 'b'])\n    if kind == 'b':\n        stop(7)", False),
        ("if hp.Choice('kind', ['a', 'b']) == 'b':\n        hp.Int('units', 1, 3)", True),
        ("if hp.Boolean('deep'):\n        pass\n    else:\n        head(hp)", True),
        ("return hp.Int('a', 1, 2) if hp.Boolean('deep') else 3", True),
        ("return hp.Boolean('deep') and hp.Int('a', 1, 2)", True),
        ("for i in range(hp.Int('layers', 1, 3)):\n        hp.Int(f'units_{i}', 1, 3)", False),
        ("match hp.Choice('kind', ['a', 'b']):\n        case 'a':\n            hp.Int('units', 1, 3)", True),
        ("return (", True),
    ],
)
def test_a_branch_that_asks_for_more_is_seen_in_the_source(tmp_path, body, asks):
    file = tmp_path / "mine.py"
    file.write_text(f"def build(hp):\n    hp.Int('width', 1, 3)\n    {body}\n")
    assert branches.asks_in_branches(str(file)) == asks
    assert branches.asks_in_branches(str(tmp_path / "none.py"))


HEADS = """
def one(hp): return hp.Int("one", 1, 3)
def two(hp): return hp.Int("two", 1, 3)
def build(hp):
    kind = hp.Choice("kind", ["one", "two", "none"])
"""
NAMED = """
def units(hp, name): return hp.Int(f"{name}_units", 1, 3)
def layer(hp, name): return units(hp, name)
def build(hp):
    kind = hp.Choice("kind", ["one", "two", "none"])
"""
FACTORY = """
def head(classes):
    def build(hp):
        return Sequential([Dense(hp.Int("units", 1, 3)), Dense(classes)])
    return build
def main():
    tuner = RandomSearch(head(10), "val_loss")
    if tuner.ready:
        tuner.search()
"""
OBJECT = """
class Hyper(Base):
    def build(self, hp):
        self.hp = hp
        for size in self.sizes:
            self.hp.Int(f"units_{{size}}", 1, 3)
        {then}
    def build_deep(self):
        return self.hp.Int("deep", 1, 3)
"""
STRAIGHT = """
def optimizer(name, rate):
    if name == "sgd":
        return SGD(rate)
    return Adam(rate)
def layer(hp, number):
    return Dense(hp.Int(f"units_{number}", 1, 3))
def build(hp):
    made = [layer(hp, number) for number in range(hp.Int("layers", 1, 3))]
    if hp.Boolean("dropout"):
        made.append(Dropout(0.5))
    model = Sequential(made)
    model.compile(optimizer(hp.Choice("optimizer", ["sgd", "adam"]), hp.Float("rate", 0.1, 0.2)))
    return model
"""

DEEP = """
DEPTHS = {{"one": 1, "two": 3, "none": 2}}
class Block:
    def __init__(self, hp, depth):
        for i in range(depth):
            hp.Int(f"deep_{{i}}", 1, 3)
def stack(hp, depth):
    return [hp.Int(f"units_{{i}}", 1, 3) for i in range(depth + 1)]
def build(hp):
    kind = hp.Choice("kind", ["one", "two", "none"])
    layers = hp.Int("layers", 1, 4)
    {then}
"""
SPREAD = """
class Hyper(Base):
    def build(self, hp):
        self.size = hp.{size}
        return self.body(hp)
    def body(self, hp):
        {then}
"""


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        (DEEP.format(then="return stack(hp, DEPTHS[kind])"), True),
        (DEEP.format(then="return Block(hp, depth=5 - layers)"), True),
        (DEEP.format(then="return Block(hp, layers), stack(hp, layers - 1), stack(hp, hp['layers'])"), False),
        (
            DEEP.format(
                then="depth = 3 if kind == 'two' else 1\n    return [hp.Int(f'u{i}', 1, 3) for i in range(depth)]"
            ),
            True,
        ),
        (DEEP.format(then="depth = 1\n    if kind == 'two':\n        depth += 2\n    return stack(hp, depth)"), True),
        (DEEP.format(then="depth = 1\n    depth += layers\n    return stack(hp, 2 * depth)"), False),
        (
            DEEP.format(then="name = 'a'\n    if kind == 'two':\n        name = 'b'\n    return hp.Int(name, 1, 3)"),
            True,
        ),
        (
            DEEP.format(
                then="names = ['a']\n    if kind == 'two':\n        names.append('b')\n"
                "    return [hp.Int(name, 1, 3) for name in names]"
            ),
            True,
        ),
        (
            DEEP.format(then="made = []\n    if kind == 'two':\n        made.append(layers)\n    return stack(hp, 2)"),
            False,
        ),
        (
            DEEP.format(
                then="def name():\n        return f'{kind}_units'\n    return hp.Int(name(), 1, 3)",
            ),
            True,
        ),
        (
            SPREAD.format(size="Int('size', 1, 3)", then="return [hp.Int(f'u{i}', 1, 3) for i in range(self.size)]"),
            False,
        ),
        (
            SPREAD.format(
                size="Int('size', 1, 3)", then="return [hp.Int(f'u{i}', 1, 3) for i in range(8 // self.size)]"
            ),
            True,
        ),
        (SPREAD.format(size="Choice('size', ['s', 'm'])", then="return hp.Int(f'{self.size}_units', 1, 3)"), True),
        ("from elsewhere import model\ndef build(hps):\n    return model(hps)", True),
        (
            NAMED + "    for name in ('first', 'second'):\n        layer(hp, name)\n    return chosen(hp)\n"
            "def chosen(hp):\n    name = hp.Choice('optimizer', ['sgd', 'adam'])\n    return OPTIMIZERS[name]",
            False,
        ),
        (
            DEEP.format(then="return reset(hp, 1)")
            + "def reset(hp, depth):\n    depth = DEPTHS[hp.get('kind')]\n"
            + "    return [hp.Int(f'u{i}', 1, 3) for i in range(depth)]",
            True,
        ),
        (
            DEEP.format(
                then="depth = DEPTHS[kind]\n    def inner():\n"
                "        return [hp.Int(f'u{i}', 1, 3) for i in range(depth)]\n    return inner()"
            ),
            True,
        ),
        (
            DEEP.format(
                then="depth = 1\n    def more():\n        nonlocal depth\n        depth = DEPTHS[kind]\n    more()\n"
                "    return stack(hp, depth)"
            ),
            True,
        ),
        (HEADS + "    return {'one': one, 'two': two}[kind](hp)", True),
        (HEADS + "    return globals()[kind](hp)", True),
        (HEADS + "    make = one\n    return make(hp)", True),
        (HEADS + "    return one(hp)", False),
        (HEADS + "    if kind == 'none':\n        return 1\n    return hp.Int('units', 1, 3)", True),
        (
            HEADS
            + "    for i in range(3):\n        hp.Int(f'u{i}', 1, 3)\n        if kind == 'one':\n            break",
            True,
        ),
        (HEADS + "    for i in kind.split('n'):\n        hp.Int(f'u{len(i)}', 1, 3)", True),
        (
            HEADS + "    def deep():\n        return hp.Int('deep', 1, 3)\n    return deep() if kind == 'one' else 1",
            True,
        ),
        (HEADS + "    return {'one': lambda: hp.Int('a', 1, 3), 'two': lambda: 1}.get(kind, str)()", True),
        (HEADS + "    return [hp.Int(f'u{i}', 1, 3) for i in range(3) if kind == 'one']", True),
        (HEADS + "    return hp.Int(f'units_{kind}', 1, 3)", True),
        ("import elsewhere\ndef build(hp):\n    return elsewhere.model(hp)", True),
        ("import elsewhere\ndef build(hp):\n    return elsewhere.model({'hp': hp})", True),
        ("def build(hp):\n    ask = hp.Int\n    if hp.Boolean('deep'):\n        ask('units', 1, 3)", True),
        ("build = lambda hp: hp.Int('units', 1, 3) if hp.Boolean('deep') else 1", True),
        ("build = lambda hp: hp.Int('units', 1, 3)", False),
        ("class Own(Base):\n    def build(self, hp):\n        return super().build(hp)", True),
        (NAMED + "    return layer(hp, kind)", True),
        (NAMED + "    return [layer(hp, 'first'), layer(hp, name='second')]", False),
        (OBJECT.format(then="if hp.Boolean('deep'):\n            self.build_deep()"), True),
        (OBJECT.format(then="return getattr(self, hp.Choice('kind', ['build_deep', 'none']))()"), True),
        (OBJECT.format(then="return Dense(hp.Int('units', 1, 3))"), False),
        (FACTORY, False),
        (STRAIGHT, False),
    ],
)
def test_whatever_may_lead_to_more_is_seen(tmp_path, text, asks):
    file = tmp_path / "mine.py"
    file.write_text(text)
    assert branches.asks_in_branches(str(file)) == asks


def test_a_function_without_a_file_is_none_in_a_folder_of_a_package(tmp_path, monkeypatch):
    (tmp_path / "__init__.py").write_text("")
    monkeypatch.chdir(tmp_path)
    assert branches.asks_in_branches("")


def test_what_is_installed_is_not_read_for_branches(tmp_path, monkeypatch):
    file = tmp_path / "site-packages" / "theirs.py"
    file.parent.mkdir()
    file.write_text("def build(hp):\n    return hp.Int('units', 1, 3)\n")
    monkeypatch.setattr(sources, "texts", lambda file: pytest.fail("it was read"))
    assert branches.asks_in_branches(str(file))


SCRIPT = """
import keras_tuner as kt
def build(hp):
    return 1
class Mine(kt.RandomSearch):
    pass
tuner = {tuner}
{search}
"""


@pytest.mark.parametrize("tuner", ["kt.tuners.RandomSearch(build)", "Mine(build)"])
def test_a_script_that_would_search_when_it_is_imported_is_refused_by_its_line(tmp_path, tuner):
    file = tmp_path / "script.py"
    file.write_text(SCRIPT.format(tuner=tuner, search="tuner.search(1, 2)"))
    with pytest.raises(CodeError, match=r"script.py, line 8\); .* if __name__ == \"__main__\":"):
        load_function(f"{file}:build")
    for alone in (
        "if __name__ == '__main__':\n    tuner.search(1)",
        "def go():\n    tuner.search(1)",
        "open.search(1)",
    ):
        file.write_text(SCRIPT.format(tuner=tuner, search=alone))
        assert sources.searching(str(file)) is None
    file.write_text(SCRIPT.format(tuner=tuner, search="tuner.search(1)"))
    (tmp_path / "model.py").write_text("import script\n")
    assert sources.searching(str(tmp_path / "model.py")) == (str(file), 8)
    for late in ("def main():\n    import script\n", "import typing\nif typing.TYPE_CHECKING:\n    import script\n"):
        (tmp_path / "model.py").write_text(late)
        assert sources.searching(str(tmp_path / "model.py")) is None


RETURNED = """import keras_tuner as kt
def make():
    made = kt.Hyperband(1)
    return made
"""


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("import nightshift as ns\n\nrun = ns.run(1, data=2)\n", 3),
        ("import nightshift\nnightshift.check(1).to_json()\n", 2),
        ("from search import resume as again\nagain(1)\n", 2),
        ("import keras_tuner as kt\ntuner: kt.Tuner = kt.RandomSearch(1)\ntuner.search(2)\n", 3),
        ("import nightshift as ns\nspec = ns.load('digits')\ndef go():\n    ns.run(spec)\n", None),
        ("import nightshift as ns\ndef go():\n    ns.run(1)\ndef main():\n    return go()\nprint(main())\n", 3),
        ("import keras_tuner as kt\ndef main():\n    tuner = kt.Hyperband(1)\n    tuner.search(2)\nmain()\n", 4),
        ("import keras_tuner as kt\ndef make():\n    return kt.Hyperband(1)\ntuner = make()\ntuner.search(2)\n", 5),
        (f"{RETURNED}tuner = make()\ntuner.search(2)\n", 6),
        (f"{RETURNED}def build(hp):\n    return make()\n", None),
        ("import re\ndef main():\n    re.search('a', 'b')\n    main()\nmain()\n", None),
        ("import nightshift as ns\nif __name__ == '__main__':\n    ns.run(1)\n", None),
        ("from .search import run\nrun(1)\nother.run(2)\n(lambda: 1)()\n", None),
    ],
)
def test_a_script_that_would_begin_a_search_of_ours_is_refused_by_its_line(tmp_path, text, line):
    file = tmp_path / "night.py"
    file.write_text(text)
    assert sources.searching(str(file)) == (None if line is None else (str(file), line))
