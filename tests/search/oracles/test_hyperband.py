"""Hyperband's schedule, in order and with workers and failures."""

from collections import Counter, defaultdict

import pytest

from search.oracles import PlannedTrials, oracle
from search.oracles.plan import first_size, next_size, rung_epochs
from spaces.sections.algorithms import ALGORITHMS


def hyperband(space, **changes):
    arguments = {"min_epochs": 3, "max_epochs": 27, "seed": 0, **changes}
    return oracle("hyperband", hyperparameters=space, objective="val_accuracy", **arguments)


def groups(proposals):
    """Consecutive equal trainings."""
    found = []
    for values in proposals:
        training = (values["tuner/initial_epoch"], values["tuner/epochs"])
        if found and found[-1][1:] == training:
            found[-1] = (found[-1][0] + 1, *training)
        else:
            found.append((1, *training))
    return [PlannedTrials(*group) for group in found]


@pytest.mark.parametrize(
    ("shortest", "longest", "rungs"),
    [(3, 27, [3, 9, 27]), (1, 52, [1, 3, 7, 19, 52]), (5, 5, [5]), (4, 5, [4, 5]), (1, 2, [1, 2]), (1, 1, [1])],
)
def test_rungs_reach_from_the_shortest_to_the_longest_training(shortest, longest, rungs):
    assert rung_epochs(shortest, longest) == rungs


def test_sizes_are_those_of_the_paper():
    # Li et al., Algorithm 1 with R = 81, factor 3: first rungs of the brackets 4 to 0
    assert [first_size(bracket, 5) for bracket in (4, 3, 2, 1, 0)] == [81, 34, 15, 8, 5]
    assert [next_size(81), next_size(34), next_size(1)] == [27, 12, 1]


@pytest.mark.parametrize("limit", [None, 5, 14, 40])
def test_the_search_is_what_was_planned(loop, limit):
    proposals = loop.drive(hyperband(loop.space(), max_trials=limit), 1000)
    plan = ALGORITHMS["hyperband"].plan(min_epochs=3, max_epochs=27, max_trials=limit, configurations=None)
    assert groups(proposals) == plan
    assert len(proposals) == (limit or 23)


def test_a_small_space_is_what_was_planned(loop):
    arguments = {"min_epochs": 1, "max_epochs": 27, "max_trials": None}
    searched = oracle("hyperband", hyperparameters=loop.small_space(), objective="val_accuracy", **arguments)
    proposals = loop.drive(searched, 1000, loop.flat)
    assert groups(proposals) == ALGORITHMS["hyperband"].plan(**arguments, configurations=11)
    assert [g.count for g in groups(proposals)] == [11, 4, 2, 1]


def test_where_somebody_else_ends_it_the_schedule_begins_anew(loop):
    whole = len(loop.drive(hyperband(loop.space()), 1000))
    endless = hyperband(loop.space())
    endless.endless = True
    assert len(loop.drive(endless, 2 * whole + 5)) == 2 * whole + 5


def test_promotions_are_the_best_of_their_rung(loop):
    searched = hyperband(loop.space())
    loop.drive(searched, 23)
    rungs = defaultdict(list)
    for trial in searched.trials.values():
        rungs[trial.hyperparameters.values["tuner/bracket"], trial.hyperparameters.values["tuner/round"]].append(trial)
    for (bracket, rung), trials in rungs.items():
        promoted = {t.hyperparameters.values["tuner/trial_id"] for t in rungs.get((bracket, rung + 1), [])}
        best = sorted(trials, key=lambda t: -t.score)[: len(promoted)]
        assert {t.trial_id for t in best} == promoted


def test_failures_are_replaced_so_that_rungs_keep_their_sizes(loop):
    failing = iter(range(10_000))

    def scorer(values, epochs):
        return None if next(failing) % 4 == 1 else loop.score(values, epochs)

    searched = hyperband(loop.space())
    loop.drive(searched, 1000, scorer)
    completed = [t.hyperparameters.values for t in searched.trials.values() if t.status == "COMPLETED"]
    counts = Counter((v["tuner/bracket"], v["tuner/round"]) for v in completed)
    assert counts == {(2, 0): 9, (2, 1): 3, (2, 2): 1, (1, 0): 5, (1, 1): 2, (0, 0): 3}


@pytest.mark.parametrize("workers", [2, 3, 7, 30])
def test_workers_train_the_same_schedule(loop, workers):
    searched = hyperband(loop.space())
    running, waited = {}, 0
    for turn in range(1000):
        answers = {}
        for worker in range(workers):
            if worker not in running:
                answers[worker] = loop.ask(searched, f"worker-{worker}")
        statuses = {t.status for t in answers.values()}
        running.update({w: t for w, t in answers.items() if t.status == "RUNNING"})
        if not running:
            assert statuses == {"STOPPED"}
            break
        waited += "IDLE" in statuses
        # The worker whose trial ends next changes from turn to turn.
        worker = sorted(running)[turn * 7 % len(running)]
        trial = running.pop(worker)
        values = trial.hyperparameters.values
        if values["tuner/round"]:
            origin = searched.trials[values["tuner/trial_id"]].hyperparameters.values
            assert origin["tuner/bracket"] == values["tuner/bracket"]
            assert origin["tuner/round"] == values["tuner/round"] - 1
            assert origin["tuner/epochs"] == values["tuner/initial_epoch"]
        loop.tell(searched, trial, loop.score(values, values["tuner/epochs"]))
    values = [t.hyperparameters.values for t in searched.trials.values()]
    counts = Counter((v["tuner/bracket"], v["tuner/round"]) for v in values)
    assert counts == {(2, 0): 9, (2, 1): 3, (2, 2): 1, (1, 0): 5, (1, 1): 2, (0, 0): 3}
    assert waited > 0


def test_a_failed_promotion_in_the_last_rung_is_replaced(loop):
    last = iter([None])
    searched = hyperband(loop.space())
    proposals = loop.drive(searched, 1000, lambda v, e: next(last, 0.9) if v["tuner/round"] == 2 else loop.score(v, e))
    tops = [v for v in proposals if v["tuner/round"] == 2]
    assert len(tops) == 2
    assert tops[0]["tuner/trial_id"] != tops[1]["tuner/trial_id"]


@pytest.mark.parametrize("workers", [1, 4])
def test_what_may_take_the_place_of_a_failed_promotion_is_continuable_until_then(loop, workers):
    searched = hyperband(loop.space())
    running, kept, continued = {}, set(), 0
    for turn in range(60):
        for worker in range(workers):
            if worker not in running:
                trial = loop.ask(searched, f"worker-{worker}")
                parent = trial.hyperparameters.values.get("tuner/trial_id")
                assert parent is None or parent in kept
                continued += parent is not None
                running |= {worker: trial} if trial.status == "RUNNING" else {}
        if not running:
            break
        worker = sorted(running)[turn * 7 % len(running)]
        trial = running.pop(worker)
        values = trial.hyperparameters.values
        fails = values["tuner/round"] and turn % 3 == 0
        loop.tell(searched, trial, None if fails else loop.score(values, values["tuner/epochs"]))
        # As a run does: what is not wanted at some moment is gone.
        kept = (kept | {trial.trial_id}) & searched.continuable()
    assert continued > 3


def test_a_space_that_grows_is_not_used_up(loop):
    import keras_tuner

    searched = hyperband(keras_tuner.HyperParameters())
    first = loop.ask(searched, "one")
    assert loop.ask(searched, "another").status == "IDLE"
    # Its model asks for what nobody had declared.
    first.hyperparameters.Int("units", 1, 64)
    loop.tell(searched, first, 0.5)
    assert loop.ask(searched, "another").status == "RUNNING"
