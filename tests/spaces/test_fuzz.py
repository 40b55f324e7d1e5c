"""Whatever is written into a space: it is refused with sentences, or it is a legal spec that can be used."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from typer.testing import CliRunner

import run_search
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
    spec, _ = loaded(data)
    if spec is not None:
        use(spec, seed)


def loaded(source: Any, overrides: Sequence[str] = ()) -> tuple[spaces.SearchSpec | None, Sequence[spaces.Problem]]:
    try:
        return spaces.load(source, overrides), ()
    except spaces.SpaceError as error:
        problems = error.problems
    assert all(problem.message and str(problem).isprintable() for problem in problems)
    return None, problems


def use(spec: spaces.SearchSpec, seed: int) -> None:
    assert spaces.load(YAML(typ="safe", pure=True).load(spaces.dump(spec))) == spec
    for drawn in spaces.sample(spec, seed, 3):
        assert spaces.configure(spec, drawn).values == drawn
    for extreme in spaces.extremes(spec):
        assert spaces.configure(spec, extreme).values == extreme
    for baseline in spec.baselines:
        spaces.configure_baseline(spec, baseline)
    size = spaces.size(spec)
    assert size is None or size >= 1


FILES = [spaces.library_file(name).read_bytes() for name in spaces.names()]
PIECES = [
    *(bytes([byte]) for byte in range(256)),
    b'"\\U00110000"', b'"\\uD800"', b'"\\0"', b'"\\x1b[2J"', b"0x" + b"f" * 4000, b"9" * 400, b"1e999", b".nan", b"~",
    b"\xef\xbb\xbf", b"\xff\xfe", b"\xc2\x85", b"\xe2\x80\xa8", b"\xe2\x80\xae", b"\r\n", b"\t", b"# ", b"&a ", b"*a",
    b"<<: *a", b"!!binary ", b"!x ", b"%YAML 1.1\n---\n", b"%TAG ! tag:x,1:\n---\n", b"---\n", b"...\n", b"- ", b"? ",
    b": ", b"{", b"[", b"[[[[[[[[[[[[[[[[[[[[[[", b"|", b">99", b"'", b"{min: 0.1, max: 1.0, step: 1.0e-9}",
    b"{min: 1e-300, max: 1, step: 1e-308}", b"2020-01-01", b"1:30", b"0o17", b"0b1", b"1__0",
]  # fmt: skip


@st.composite
def damaged_files(draw: st.DrawFn) -> bytes:
    content = draw(st.sampled_from([*FILES, b"", b"a: &a {b: 1}\n"]))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        end = min(len(content), start + draw(st.integers(0, 12)))
        put = draw(st.sampled_from(PIECES) | st.binary(max_size=6) | st.just(content[end : end + 40]))
        content = content[:start] + put + content[end:]
    return content


@settings(max_examples=120, deadline=None)
@given(damaged_files(), st.integers(0, 2**32 - 1))
def test_a_damaged_file_is_refused_in_sentences_or_can_be_used(content: bytes, seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "space.yaml"
        file.write_bytes(content)
        shown = CliRunner().invoke(run_search.app, ["run", str(file), "--dry-run"])
        spec, problems = loaded(file)
        assert shown.exit_code == (0 if spec is not None else 2)
        assert all(problem.line is not None for problem in problems)
        if spec is not None:
            use(spec, seed)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=12), st.sampled_from(PIECES) | st.binary(max_size=12))
def test_an_override_is_refused_in_sentences_or_can_be_used(key: str, value: bytes) -> None:
    for start in ("", "model.", "training.learning_rate", "baselines.", "baselines=[1]\0baselines."):
        overrides = f"{start}{key}={value.decode(errors='surrogateescape')}".split("\0")
        spec, _ = loaded(RICH, overrides)
        if spec is not None:
            use(spec, 1)
