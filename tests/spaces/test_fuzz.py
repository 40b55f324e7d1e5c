"""Whatever is written into a space: it is refused with sentences, or it is a legal spec that can be used."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

import spaces

RICH: dict[str, Any] = {
    "name": "rich",
    "data": {"source": {"csv": "a.csv", "target": "y"}, "validation": {"first": 7}, "test": 0.25, "seed": 1},
    "model": {
        "family": "mlp",
        "layers": [0, 1, 2],
        "units": {"shared": {"min": 8, "max": 64, "step": 2, "log": True}},
        "dropout": {"choices": [0.1, 0.2], "when": {"optimizer": ["sgd", "adamw"]}},
        "batch_normalization": [True, False],
    },
    "training": {
        "optimizer": ["sgd", "adamw", "adam"],
        "learning_rate": {"min": 1e-5, "max": 1e-1, "log": True},
        "momentum": {"min": 0.5, "max": 0.9, "step": 0.1, "when": {"layers": [1, 2]}},
        "epochs": {"min": 2, "max": 9},
        "early_stopping": {"monitor": "val_loss", "patience": 2},
        "stop_when": {"loss": {"below": 0.4}},
    },
    "search": {"algorithm": "random", "objective": {"name": "val_accuracy", "direction": "max"}},
    "limits": {"disk": "20GB"},
    "baselines": [{"name": "b", "values": {"layers": 1, "units": 3, "optimizer": "adam"}, "epochs": 2}],
    "export": {"formats": ["keras"]},
}
SHIPPED = [YAML(typ="safe", pure=True).load(spaces.library_file(name)) for name in spaces.names()]
WORDS = [
    "min",
    "max",
    "step",
    "when",
    "shared",
    "choices",
    "value",
    "layers",
    "units_0",
    "sgd",
    "none",
    "auto",
    "x",
    "",
]

values = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-3, 40), st.integers(), st.floats(), st.sampled_from(WORDS), st.text()
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in items for place in places(item, (*path, key)))]


@st.composite
def changed_spaces(draw: st.DrawFn) -> dict[str, Any]:
    data: dict[str, Any] = copy.deepcopy(draw(st.sampled_from([RICH, *SHIPPED])))
    for _ in range(draw(st.integers(0, 3))):
        *way, last = draw(st.sampled_from(places(data)[1:]))
        holder: Any = data
        for key in way:
            holder = holder[key]
        if draw(st.booleans()) and isinstance(holder, dict):
            holder[draw(st.sampled_from([*WORDS, *holder]))] = draw(values)
        else:
            holder[last] = draw(values)
    return data


@settings(max_examples=150, deadline=None)
@given(changed_spaces(), st.integers(0, 2**32 - 1))
def test_a_space_is_refused_in_sentences_or_can_be_used(data: dict[str, Any], seed: int) -> None:
    spec, refused = None, None
    try:
        spec = spaces.load(data)
    except spaces.SpaceError as error:
        refused = error
    if refused is not None:
        assert all(problem.message and str(problem).isprintable() for problem in refused.problems)
        return
    assert spec is not None
    assert spaces.load(YAML(typ="safe", pure=True).load(spaces.dump(spec))) == spec
    for drawn in spaces.sample(spec, seed, 3):
        assert spaces.configure(spec, drawn).values == drawn
    for extreme in spaces.extremes(spec):
        assert spaces.configure(spec, extreme).values == extreme
    for baseline in spec.baselines:
        spaces.configure_baseline(spec, baseline)
    size = spaces.size(spec)
    assert size is None or size >= 1
