"""What a node has to have before it gets a trial. No Ray is needed for that, and no TensorFlow."""

from __future__ import annotations

import shutil
import sys
from types import SimpleNamespace

import pytest

from search.cluster import fitness, slot
from search.cluster.fitness import Unfit
from spaces import DataError, DataInfo
from spaces.backbones.names import digest
from spaces.basics import registry
from spaces.families import FAMILIES, family_of
from spaces.outside import given, importing
from tests.search import small

INFO = DataInfo("tabular", (2,), "float32", "classification", "integer", 3)
SCORE = "def score(y, answers):\n    return 1.0\n"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A folder with modules of the user's, which are found by their names; it is gone on another machine."""
    folder = tmp_path / "home"
    folder.mkdir()
    for name in ("_SHIPPED", "_NAMED"):
        monkeypatch.setattr(importing, name, {})
    monkeypatch.setattr(given, "_functions", dict(given._functions))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    monkeypatch.syspath_prepend(folder)
    yield folder
    forget()


def forget():
    for name in [name for name in sys.modules if "of_home" in name]:
        del sys.modules[name]


def elsewhere(folder, told, names=None):
    """The same process as another machine: what was sent is there, and the folder is not."""
    shutil.rmtree(folder)
    forget()
    importing.ship(told["code"], told["names"] if names is None else names)
    fitness.require_usable(told)


def measured(reference):
    return small.spec(training={"metrics": ["accuracy", reference]})


def test_a_module_that_is_found_by_its_name_is_sent(home):
    (home / "far_of_home.py").write_text(SCORE)
    told = fitness.told(measured("far_of_home:score"), INFO)
    elsewhere(home, told)
    assert sys.modules["far_of_home"].score(None, None) == 1.0


def test_without_it_the_node_is_unfit(home):
    (home / "absent_of_home.py").write_text(SCORE)
    told = fitness.told(measured("absent_of_home:score"), INFO)
    with pytest.raises(Unfit, match="there is no module absent_of_home; of code of your own, only the file"):
        elsewhere(home, told, names={})


@pytest.mark.parametrize(
    ("imports", "absent"),
    [
        ("import helpers_of_home", "helpers_of_home.py"),
        ("def later():\n    from helpers_of_home import one", "helpers_of_home.py"),
        ("import far_package_of_home.inner", "inner.py"),
    ],
)
@pytest.mark.parametrize("by_file", [False, True])
def test_what_a_module_imports_from_beside_it_has_to_be_there(home, imports, absent, by_file):
    (home / "helpers_of_home.py").write_text("one = 1\n")
    (home / "far_package_of_home").mkdir()
    for name in ("__init__", "inner"):
        (home / "far_package_of_home" / f"{name}.py").write_text("")
    (home / "pair_of_home.py").write_text(f"{imports}\n{SCORE}")
    reference = f"{home}/pair_of_home.py:score" if by_file else "pair_of_home:score"
    told = fitness.told(measured(reference), INFO)
    importing.ship(told["code"], told["names"])
    fitness.require_usable(told)
    with pytest.raises(Unfit, match=rf"pair_of_home\.py imports .*{absent}, not to be found there; of code of"):
        elsewhere(home, told)


def test_a_module_of_a_package_is_not_sent_without_it(home):
    package = home / "package_of_home"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "parts.py").write_text("")
    (package / "measure.py").write_text(f"from . import parts\n{SCORE}")
    told = fitness.told(measured(f"{package}/measure.py:score"), INFO)
    with pytest.raises(Unfit, match=r"measure\.py imports .*__init__\.py, .*parts\.py, not to be found there"):
        elsewhere(home, told)


def test_an_error_of_the_module_itself_is_told_with_its_line(home):
    (home / "wrong_of_home.py").write_text(f"open('/no/such/file')\n{SCORE}")
    told = fitness.told(measured("wrong_of_home:score"), INFO)
    with pytest.raises(Unfit, match=r"line 1: importing it raised FileNotFoundError: .*file'$"):
        elsewhere(home, told)


def test_a_given_function_that_could_not_be_taken_makes_a_node_unfit(home):
    told = fitness.told(small.spec(training={"callbacks": "__given__:follow_1a2b3c4d"}), INFO)
    with pytest.raises(Unfit, match="follow cannot be sent to another machine"):
        fitness.require_usable(told)
    told["given"] = {"__given__:follow_1a2b3c4d": b"nothing"}
    given.unpack(told["given"])
    with pytest.raises(Unfit, match="follow cannot be taken by a worker process"):
        fitness.require_usable(told)
    given.unpack({"__given__:follow_1a2b3c4d": given._packed(print)})
    fitness.require_usable(told)


def test_weights_that_cannot_be_loaded_make_a_node_unfit(monkeypatch):
    spec = small.spec()
    told = fitness.told(spec, INFO)

    def without_network(self, spec, info):
        assert info == INFO
        raise DataError("its ImageNet weights cannot be downloaded")

    monkeypatch.setattr(type(family_of(spec.model)), "require", without_network)
    with pytest.raises(Unfit, match="its ImageNet weights cannot be downloaded"):
        fitness.require_usable(told)


def test_files_that_models_are_made_of_have_to_be_there_and_the_same(tmp_path):
    file = tmp_path / "backbone.keras"

    def require(expected):
        fitness.require_installed({"family": "mlp", "files": {str(file): expected}})

    with pytest.raises(Unfit, match="copy it to the same path"):
        require("0")
    file.write_bytes(b"weights")
    require(digest(str(file)))
    with pytest.raises(Unfit, match="is not the file"):
        require("0")


def test_a_family_has_to_be_installed():
    with pytest.raises(Unfit, match="no package that is installed there has the family maxout"):
        fitness.require_installed({"family": "maxout", "files": {}})


def test_the_package_of_a_family_has_to_be_of_the_same_version(monkeypatch):
    spec = small.spec()
    assert fitness.packages(spec) == ()
    entry = SimpleNamespace(dist=SimpleNamespace(name="keras-nightshift-maxout"))
    monkeypatch.setattr(registry, "_declared_in", lambda group, path: {"maxout": (entry,), "mlp": (entry,)})
    assert FAMILIES.distribution("mlp") is None
    assert FAMILIES.distribution("maxout") == "keras-nightshift-maxout"
    assert slot.versions(("keras-nightshift-maxout",)).keys() == {*slot.PACKAGES, "keras-nightshift-maxout"}
    assert slot.versions(("keras-nightshift-maxout",))["keras-nightshift-maxout"] is None
