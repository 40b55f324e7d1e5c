"""The importance of hyperparameters, on functions with a known answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from results.reporting.comparison.columns import Column
from results.reporting.sections.searching import importance
from results.reporting.sections.searching.importance import Importance, importance_chart, importances
from results.verdicts.evidence import Evidence

Score = Callable[[Mapping[str, Any], np.random.Generator], float]


def judge(score: Score, rows: int = 120, seed: int = 0, maximize: bool = True) -> dict[str, Importance]:
    rng = np.random.default_rng(seed)
    values = [
        {
            "strong": float(rng.uniform()),
            "weak": float(rng.uniform()),
            "nothing": float(rng.uniform()),
            "choice": str(rng.choice(["a", "b", "c"])),
        }
        for _ in range(rows)
    ]
    for one in values:
        if one["choice"] == "a":
            one["only_a"] = float(rng.uniform())
    scores = [score(one, rng) if maximize else -score(one, rng) for one in values]
    order = sorted(range(rows), key=lambda i: -scores[i])
    pairs: Any = tuple((SimpleNamespace(id=str(i)), scores[i]) for i in order)
    columns = []
    for name in ("strong", "weak", "nothing", "choice", "only_a"):
        found = {str(i): one[name] for i, one in enumerate(values) if name in one}
        categories = ("a", "b", "c") if name == "choice" else ()
        columns.append(Column(name, found, False, 0.0, 0.0 if categories else 1.0, categories, False))
    return {one.name: one for one in importances(columns, Evidence(9, 0, pairs))}


def test_order_of_a_known_function() -> None:
    found = judge(lambda v, rng: -10 * (v["strong"] - 0.7) ** 2 - (v["weak"] - 0.4) ** 2 + rng.normal(0, 0.02))
    assert next(iter(found)) == "strong"
    assert found["strong"].share > 0.5
    assert found["strong"].real
    assert not found["nothing"].real
    assert sum(one.share for one in found.values()) == pytest.approx(1)
    for one in found.values():
        assert 0 <= one.low <= one.share <= one.high <= 1


def test_direction() -> None:
    """What the best share is what counts, not what the worst share: here those are two hyperparameters."""
    found = judge(lambda v, rng: v["strong"] if v["strong"] < 0.25 else 1 + v["weak"], maximize=False)
    assert next(iter(found)) == "strong"
    assert found["strong"].real


def test_a_few_disasters_do_not_decide() -> None:
    """A loss that explodes for some values of one hyperparameter says little about what good ones share."""
    found = judge(lambda v, rng: 1e6 * (v["weak"] > 0.97) + (v["strong"] - 0.5) ** 2, maximize=False)
    assert next(iter(found)) == "strong"


def test_choices_and_conditional_ones() -> None:
    assert next(iter(judge(lambda v, rng: (v["choice"] == "b") + rng.normal(0, 0.1)))) == "choice"
    found = judge(lambda v, rng: v.get("only_a", rng.uniform()) + rng.normal(0, 0.05), rows=240)
    assert found["only_a"].real
    assert not found["nothing"].real


def test_noise_is_seldom_called_real() -> None:
    """8 runs of pure noise with 5 hyperparameters each; at 5 % a run, more than 2 have a probability of 0.6 %."""
    false = sum(any(one.real for one in judge(lambda v, rng: rng.normal(), 60, seed).values()) for seed in range(8))
    assert false <= 2


def test_same_answer_twice() -> None:
    first, second = (judge(lambda v, rng: v["strong"] + rng.normal(0, 0.3), 60) for _ in range(2))
    assert first == second


def test_a_forest_is_asked_about_a_part_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importance, "_RESAMPLES", 1)
    together = judge(lambda v, rng: v["strong"] + rng.normal(0, 0.3), 40)
    monkeypatch.setattr(importance, "_AT_ONCE", 1)
    assert judge(lambda v, rng: v["strong"] + rng.normal(0, 0.3), 40) == together


def test_of_very_many_the_largest_shares_are_drawn() -> None:
    found = [Importance(f"x{i}", 0.01, 0.0, 0.02, i < 30) for i in range(100)]
    chart = importance_chart(found, Evidence(9, 0, ()))
    (view,) = chart.views
    assert view.panels[0].labels == tuple(f"x{i}" for i in range(60))
    assert chart.caption.endswith("The 60 hyperparameters with the largest shares are shown.")


def test_too_few_rows() -> None:
    assert judge(lambda v, rng: v["strong"], rows=15) == {}


def test_of_how_many_the_trees_have_learnt_is_said() -> None:
    for count, told in ((300, False), (301, True)):
        pairs: Any = tuple((SimpleNamespace(id=str(i)), 0.5) for i in range(count))
        caption = importance_chart([Importance("units", 1.0, 0.9, 1.0, True)], Evidence(9, 0, pairs)).caption
        assert f"It rests on {count} configurations." in caption
        assert caption.endswith("learnt from 300 configurations drawn at random.") is told
