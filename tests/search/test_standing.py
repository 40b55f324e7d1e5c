"""The standing of a search, against folding everything anew."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from search.loop import housekeeping
from search.record.configuration import configurations, ranked
from search.record.marks import best_first, best_of, contenders, mark
from search.record.standing import Standing, folds_needed
from search.record.trial import Checkpoint, Stop, TrialKind, TrialState
from tests.search import small
from tests.search.records import failed, outcome, trial


def events(seed):
    """Trials as they begin and end: promotions, baselines, failures, ties, trials that came too late."""
    rng = random.Random(seed)
    ended: list = []
    for number in range(80):
        name = f"{number:03d}"
        kind = TrialKind.BASELINE if number % 17 == 3 else TrialKind.SEARCH
        parent = rng.choice(ended) if ended and rng.random() < 0.3 else None
        begun = trial(name, kind, name="article" if kind is TrialKind.BASELINE else "")
        if parent is not None and kind is TrialKind.SEARCH:
            begun = replace(begun, configuration=parent.configuration, parent=parent.id, epochs_from=1)
        yield begun
        how = rng.random()
        if how < 0.15:
            yield replace(begun, state=TrialState.FAILED, outcome=failed())
            continue
        if how < 0.25:
            yield replace(begun, state=TrialState.COMPLETED, outcome=outcome([], stopped=Stop.DEADLINE))
            continue
        score = round(rng.random(), 1)
        if begun.parent is not None:
            score = max(score, parent.outcome.score)
            # Nothing goes on twice from the same trial.
            ended.remove(parent)
        best = Checkpoint(f"trials/{name}/best.npz", 1, "00", 1)
        done = outcome([score], parameters=rng.choice([None, 10, 20]), best=best if rng.random() < 0.5 else None)
        ended.append(replace(begun, state=TrialState.COMPLETED, outcome=done))
        yield ended[-1]


@pytest.mark.parametrize("direction", ["max", "min"])
@pytest.mark.parametrize("seed", range(5))
def test_it_is_what_folding_all_trials_anew_gives_after_every_event(seed, direction):
    known: dict = {}
    standing = Standing(direction, 3, known.get)
    for now in events(seed):
        standing.take(now)
        known[now.id] = now
        order = [c for c in ranked(configurations(known.values()), direction) if c.score is not None]
        assert standing.best(3) == order[:3]
        assert standing.leading(2) == order[:2] + [c for c in order[2:] if c.baseline]
        assert standing.running == [t for t in known.values() if t.state is TrialState.RUNNING]
        holding = {t.id for t in standing.holding(1)}
        assert {t.id for t in known.values() if t.outcome and t.outcome.best} <= holding


@pytest.mark.parametrize("folds", [0, 2])
@pytest.mark.parametrize("seed", range(5))
def test_what_it_holds_decides_about_checkpoints_as_all_trials_do(seed, folds):
    known: dict = {}
    standing = Standing("max", 3, known.get, folds)
    for now in events(seed):
        standing.take(now)
        known[now.id] = now
        spared = housekeeping.spare(standing.holding(2), "max", 2, standing.continued, folds)
        assert spared == housekeeping.spare(list(known.values()), "max", 2, (), folds)


def test_configurations_with_all_folds_stay_at_hand_where_the_first_fold_is_easy():
    """All others had better scores, and took their places and their weights."""
    known: dict = {}
    standing = Standing("max", 3, known.get, folds=3)
    for number in range(12):
        scores = [0.7, 0.7, 0.7 + number / 100] if number < 4 else [0.9]
        best = Checkpoint(f"trials/{number}/best.npz", 1, "00", len(scores))
        done = replace(outcome(scores, best=best), score=scores[-1])
        known[str(number)] = replace(trial(str(number)), state=TrialState.COMPLETED, outcome=done)
        standing.take(known[str(number)])
        for name, left in housekeeping.spare(standing.holding(2), "max", 2, (), folds=3).items():
            known[name] = replace(known[name], outcome=left)
            standing.take(known[name])
    assert {c.id for c in standing.ranked(3, ())} >= {"1", "2", "3"}
    assert [name for name, one in known.items() if one.outcome.best is not None] == ["2", "3"]
    assert [len(c.epochs) for c in standing.best(3)] == [1, 1, 1], "what the table says is another thing"


def test_what_is_paused_after_few_folds_by_a_bar_has_a_score_that_counts():
    folded = {"data": {"validation": {"folds": 4}}}
    assert folds_needed(small.spec(**folded)) == 4
    assert folds_needed(small.spec(**folded, search={"algorithm": "random"})) == 0
    assert folds_needed(small.spec()) == 0


def test_what_runs_and_has_nothing_yet_costs_nothing_when_another_ends():
    standing = Standing("max", 3, {}.get)
    kept = outcome([0.5], best=Checkpoint("trials/0/best.npz", 1, "00", 1))
    standing.take(trial("0", state=TrialState.COMPLETED, outcome=kept))
    for number in range(1, 100):
        standing.take(trial(str(number), parent="0" if number == 7 else None))
    standing.take(trial("interrupted", outcome=outcome([0.4])))
    assert [one.id for one in standing.holding(1)] == ["0", "interrupted"]
    assert standing.continued == {"0"}
    assert len(standing.running) == 100


@pytest.mark.parametrize("direction", ["max", "min"])
@pytest.mark.parametrize("seed", range(5))
def test_trials_in_brief_have_the_configurations_and_the_order_of_whole_ones(seed, direction):
    known: dict = {}
    for now in events(seed):
        known[now.id] = now
        found, whole = contenders(map(mark, known.values())), configurations(known.values())
        assert [(name, *one[:3]) for name, one in found.items()] == [
            (c.id, c.baseline, c.score, c.parameters) for c in whole
        ]
        order = [c for c in ranked(whole, direction) if c.score is not None]
        assert best_first(found, direction) == [c.id for c in order]
        for baseline in (True, False):
            assert best_of(found, direction, baseline) == next((c.id for c in order if c.baseline is baseline), None)


def test_the_best_of_the_search_is_there_beside_evidence_that_fills_the_first_places():
    known: dict = {}
    standing = Standing("max", 3, known.get)
    for number, score in enumerate([0.9, 0.8, 0.7, 0.6]):
        taken = trial(f"old-{number}", TrialKind.EVIDENCE)
        known[taken.id] = replace(taken, state=TrialState.COMPLETED, outcome=outcome([score]))
        standing.take(known[taken.id])
    assert [c.id for c in standing.leading(2)] == ["old-0", "old-1"]
    for name, score in (("a", 0.4), ("b", 0.5)):
        known[name] = replace(trial(name), state=TrialState.COMPLETED, outcome=outcome([score]))
        standing.take(known[name])
    assert [c.id for c in standing.leading(2)] == ["old-0", "old-1", "b"]
    assert [c.id for c in standing.ranked(2, ())] == ["old-0", "old-1", "b"]
