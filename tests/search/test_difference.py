from __future__ import annotations

import pytest

import spaces
from search.record.difference import asked, between
from search.record.first.beginning import first_facts
from tests.search import small


def test_equal_spaces_differ_in_nothing():
    assert between(small.spec(), small.spec()) == []


@pytest.mark.parametrize(
    ("changed", "text", "compatible"),
    [
        ({"search": {"max_trials": 60}}, "search.max_trials: 6 -> 60", True),
        ({"final": {"candidates": 2}}, "final.candidates: 1 -> 2", True),
        ({"export": {"formats": ["keras", "h5"]}}, "export.formats: ['keras'] -> ['keras', 'h5']", True),
        ({"limits": {"seconds_per_trial": 60}}, "limits.seconds_per_trial", True),
        ({"keep_checkpoints": {"best": 3}}, "keep_checkpoints.best", True),
        ({"name": "other"}, "name: tiny -> other", True),
        ({"data": {"stream": True}}, "data.stream: auto -> True", True),
        ({"search": {"seed": 4}}, "search.seed: 3 -> 4", False),
        ({"search": {"objective": "val_loss"}}, "search.objective: val_accuracy -> val_loss", False),
        ({"training": {"batch_size": 32}}, "training.batch_size: 64 -> 32", False),
        ({"model": {"layers": {"min": 1, "max": 3}}}, "model.layers.max: 2 -> 3", False),
        ({"data": {"validation": 0.3}}, "data.validation: 0.2 -> 0.3", False),
        ({"constraints": {"parameters": 100}}, "constraints.parameters", False),
    ],
)
def test_what_may_change_in_a_run_and_what_may_not(changed, text, compatible):
    """What a finished trial means must not change: its data, its space, how it was trained and scored."""
    (found,) = between(small.spec(), small.spec(**changed))
    assert str(found).startswith(text)
    assert found.compatible is compatible


def test_the_same_rows_may_be_in_another_place_by_now():
    def at(**source):
        return small.spec(data={"source": source})

    (moved,) = between(at(csv="/a.csv"), at(csv="/b.csv"))
    assert (str(moved), moved.compatible) == ("data.source.csv: /a.csv -> /b.csv", True)
    others = between(at(csv="/a.csv"), at(npz="/a.npz")) + between(at(python="a:rows"), at(python="b:rows"))
    assert [change.compatible for change in others] == [False] * 3


def test_every_change_is_named():
    found = between(small.spec(), small.spec(search={"seed": 4, "max_trials": 7}, training={"batch_size": 8}))
    assert [c.key for c in found] == ["search.max_trials", "search.seed", "training.batch_size"]


@pytest.mark.parametrize(
    ("precision", "expected"),
    [
        ("auto", {"training.precision": "auto"}),
        ("float32", {}),
        ({"value": "auto", "when": {"optimizer": "sgd"}}, {"training.precision.value": "auto"}),
    ],
)
def test_a_run_knows_what_was_left_to_the_machine(precision, expected, tmp_path):
    spec = small.spec(training={"precision": precision})
    assert asked(spec) == expected
    # Also beside changes; what it keeps to, its frozen space, leaves nothing open.
    assert asked(spaces.load(spec, ["training.epochs=2"])) == expected
    (tmp_path / "space.yaml").write_text(spaces.dump(spec), encoding="utf-8")
    frozen = spaces.load(tmp_path / "space.yaml")
    assert frozen == spec
    assert asked(frozen) == {}


def test_it_records_that_when_it_begins(tensorflow):
    spec = small.spec(training={"precision": "auto"})
    known = first_facts(spec, spaces.load_data(spec), space="tiny", command=(), threads=1, started=0.0)
    assert known["asked"] == {"training.precision": "auto"}
