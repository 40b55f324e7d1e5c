"""A training that goes on later, in another process, is the training that was never interrupted."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from unittest.mock import Mock

import pytest

from search.errors import CheckpointError
from search.files import checkpoint as checkpoints
from search.record import jsondata
from search.record.trial import Checkpoint, Stop
from tests.search import small

_IN_A_FRESH_PROCESS = """
import json, os, sys
sys.path.insert(0, os.getcwd())
from pathlib import Path
import spaces
from search.record import jsondata
from search.clock import SystemClock
from search.training import threads
from search.training.trainer import Trainer
from search.record.trial import Checkpoint, Epoch
from tests.search import small
threads.configure(1)
trainer = Trainer(Path(sys.argv[1]), spaces.load_data(small.spec()), SystemClock())
answers = []
for changes in json.loads(sys.stdin.read()):
    changes["history"] = tuple(Epoch(**epoch) for epoch in changes.get("history", []))
    for name in ("resume", "best"):
        changes[name] = Checkpoint(**changes[name]) if changes.get(name) else None
    outcome = trainer.train(small.job(**changes))
    answers.append({**jsondata.outcome_to_json(outcome), "curve": small.curve(outcome)})
print(jsondata.dumps(answers))
"""


def in_a_fresh_process(run, jobs):
    """Trains jobs, given as changes to `small.job`, in a process of their own; returns outcomes as plain data."""
    done = subprocess.run(
        [sys.executable, "-c", _IN_A_FRESH_PROCESS, str(run)],
        input=jsondata.dumps(jobs), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def continuing(outcome, **changes):
    """Changes to `small.job` that go on after `outcome`."""
    return {
        "epochs_from": len(outcome.epochs),
        "history": [vars(epoch) for epoch in outcome.epochs],
        "resume": vars(outcome.state),
        "best": vars(outcome.best),
        **changes,
    }


def test_two_epochs_and_four_more_in_a_fresh_process_are_six_bit_for_bit(tmp_path, trainer):
    jobs, wholes, firsts = [], {}, {}
    for name in small.VALUES:
        wholes[name] = trainer.train(small.job(f"whole {name}", name))
        firsts[name] = trainer.train(small.job(f"first {name}", name, epochs_to=2))
        jobs.append(continuing(firsts[name], trial_id=f"rest {name}", values=name))
    for name, rest in zip(small.VALUES, in_a_fresh_process(tmp_path, jobs), strict=True):
        whole, first = wholes[name], firsts[name]
        assert small.curve(first) + [tuple(pair) for pair in rest["curve"]] == small.curve(whole)
        assert (rest["score"], rest["best_epoch"]) == (whole.score, whole.best_epoch)
        for kind in ("state", "last", "best"):
            mine = checkpoints.read(tmp_path, getattr(whole, kind))
            theirs = checkpoints.read(tmp_path, Checkpoint(**rest[kind]))
            small.assert_same_arrays(mine, theirs)
        assert len(checkpoints.read(tmp_path, whole.state)["optimizer"]) > 2, "the optimizer has slots to remember"


def test_dropout_and_shuffling_differ_from_epoch_to_epoch(tmp_path, trainer):
    """Otherwise the test above would pass with streams that start anew at every continuation."""
    from search.training.engine import Engine, Rows

    engine = Engine(_model(trainer), 11, 64)
    seen = []
    for epoch in (1, 2, 1):
        engine._seed_random_layers(epoch)
        seen.append([state.numpy().tolist() for state in engine._seed_states])
    assert seen[0]
    assert seen[0] == seen[2] != seen[1]
    orders = []
    engine._train_rows = rows = Rows(trainer._data.train)
    engine.prepare(rows)
    engine._train = Mock(side_effect=lambda order, *_: orders.append(order.numpy().tolist()))
    for epoch in (1, 2, 1):
        engine.train_epoch(rows, epoch)
    assert orders[0] == orders[-1]
    assert len({tuple(order) for order in orders}) == 2


def _model(trainer):
    import spaces
    from spaces import Settings

    return spaces.build_model(Settings.from_json(small.job().settings), trainer._data.info, seed=1)


def test_the_same_job_gives_the_same_numbers_and_another_seed_others(tmp_path, trainer):
    one, same = (trainer.train(small.job(name, epochs_to=2)) for name in ("a", "b"))
    other = trainer.train(small.job("c", epochs_to=2, seed=12))
    assert small.curve(one) == small.curve(same) != small.curve(other)
    small.assert_same_arrays(checkpoints.read(tmp_path, one.state), checkpoints.read(tmp_path, same.state))


def test_an_interrupted_training_saves_what_it_needs_to_go_on_whatever_was_asked(tmp_path, trainer):
    whole = trainer.train(small.job("whole", keep=()))
    asked = []

    def after_three():
        asked.append(1)
        return Stop.INTERRUPTED if len(asked) == 3 else None

    first = trainer.train(small.job("cut", keep=()), should_stop=after_three)
    assert (first.stopped, len(first.epochs), first.state.epoch) == (Stop.INTERRUPTED, 3, 3)
    rest = trainer.train(
        small.job("cut", keep=(), epochs_from=3, history=first.epochs, resume=first.state, best=first.best)
    )
    assert small.curve(first) + small.curve(rest) == small.curve(whole)
    assert (rest.score, rest.best_epoch) == (whole.score, whole.best_epoch)


def test_a_better_earlier_epoch_keeps_its_checkpoint(trainer):
    first = trainer.train(small.job("first", epochs_to=2))
    alike = {"val_accuracy": 1.0, "val_loss": 0.0}
    unbeatable = tuple(replace(epoch, metrics={**epoch.metrics, **alike}) for epoch in first.epochs)
    changes = {"epochs_from": 2, "history": unbeatable, "resume": first.state, "best": first.best, "epochs_to": 3}
    rest = trainer.train(small.job("rest", **changes))
    assert (rest.score, rest.best_epoch, rest.best) == (1.0, 1, first.best)


def test_early_stopping_remembers_over_a_continuation(trainer):
    stopping = {"early_stopping": {"monitor": "val_loss", "patience": 2}, "epochs": 50, "learning_rate": 0.05}
    values = small.VALUES["adam with dropout"]
    settings = small.settings(values, training=stopping, search={"algorithm": "random"})
    whole = trainer.train(small.job("whole", settings=settings, epochs_to=50))
    assert whole.stopped is Stop.EARLY_STOPPING
    cut = len(whole.epochs) - 1
    first = trainer.train(small.job("first", settings=settings, epochs_to=cut))
    rest = trainer.train(
        small.job("rest", settings=settings, epochs_from=cut, epochs_to=50, history=first.epochs,
                  resume=first.state, best=first.best)
    )  # fmt: skip
    assert (rest.stopped, len(rest.epochs)) == (Stop.EARLY_STOPPING, 1)


def test_a_training_that_had_ended_by_itself_trains_nothing_when_it_is_promoted(trainer):
    target = {"epochs": 9, "stop_when": {"val_loss": {"below": 100.0}}}
    settings = small.settings(small.VALUES["adam with dropout"], training=target, search={"algorithm": "random"})
    first = trainer.train(small.job("first", settings=settings))
    assert (first.stopped, len(first.epochs)) == (Stop.TARGET, 1)
    promoted = trainer.train(
        small.job("next", settings=settings, epochs_from=1, history=first.epochs, resume=first.state, best=first.best)
    )
    assert (promoted.stopped, promoted.epochs, promoted.score) == (Stop.TARGET, (), first.score)
    assert (promoted.state, promoted.best) == (first.state, first.best)


@pytest.mark.parametrize("damage", ["torn", "missing"])
def test_a_damaged_checkpoint_is_no_fault_of_the_configuration(tmp_path, trainer, damage):
    first = trainer.train(small.job("first", epochs_to=1))
    path = tmp_path / first.state.file
    path.unlink() if damage == "missing" else path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"state\.npz"):
        trainer.train(small.job("rest", epochs_from=1, history=first.epochs, resume=first.state))


def test_a_checkpoint_of_another_architecture_is_refused(trainer):
    other = trainer.train(small.job("other", "sgd with momentum", epochs_to=1))
    outcome = trainer.train(small.job("mine", epochs_from=1, history=other.epochs, resume=other.state))
    assert outcome.failure is not None
