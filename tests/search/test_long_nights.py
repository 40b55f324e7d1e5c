"""A trial late in a long night costs what one at its beginning costs, and runs of earlier versions go on."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from pathlib import Path

import pytest

import spaces
from search.errors import DiskError
from search.files import layout
from search.files.store import RunReader, RunStore
from search.loop.observer import Observer
from search.record.configuration import configurations
from search.record.trial import TrialKind, TrialState
from tests.search.simulation import Night, World, all_ended, space

pytestmark = pytest.mark.usefixtures("tensorflow")  # Keras Tuner, behind the oracles, imports it

STORES = Path(__file__).parent / "stores"
FAULTY = World(failing=0.15, nan=0.1)


class Work:
    """Counts what is written, what is read again and how many trials are folded."""

    def __init__(self):
        self.done = []
        self._now = dict.fromkeys(("bytes", "statements", "read", "folded"), 0)

    def add(self, what, amount):
        self._now[what] += amount

    def next_trial(self):
        self.done.append(dict(self._now))
        self._now = dict.fromkeys(self._now, 0)

    def mean(self, what, trials):
        return sum(one[what] for one in self.done[trials]) / len(self.done[trials])


def worked(folder, algorithm, trials, monkeypatch, slots=1):
    work = Work()

    class Counting(RunStore):
        @contextmanager
        def _transaction(self):
            with super()._transaction() as execute:

                def counted(query, arguments=()):
                    work.add("statements", 1)
                    work.add("bytes", sum(len(a) for a in arguments if isinstance(a, str)))
                    return execute(query, arguments)

                yield counted

        def trial(self, trial_id):
            work.add("read", 1)
            return super().trial(trial_id)

    class Listener(Observer):
        def finished(self, trial, outcome):
            work.next_trial()

    def folded(found):
        found = list(found)
        work.add("folded", len(found))
        return configurations(found)

    for module in ("record.standing", "loop.housekeeping"):
        monkeypatch.setattr(f"search.{module}.configurations", folded)
    spec = spaces.load(space(algorithm, max_trials=trials), ("model.dropout={min: 0.0, max: 0.4}",))
    if algorithm in ("random", "grid", "bayesian"):
        spec = spaces.load(spec, ("training.epochs=1",))
    Night(folder / "run", spec, World(failing=0.05), slots=slots, observer=Listener()).go(make_store=Counting)
    return work


@pytest.mark.parametrize(("algorithm", "trials"), [("random", 400), ("grid", 240), ("hyperband", 240)])
def test_a_late_trial_writes_reads_and_folds_no_more_than_an_early_one(tmp_path, algorithm, trials, monkeypatch):
    work = worked(tmp_path, algorithm, trials, monkeypatch)
    early, late = slice(trials // 4, trials // 2), slice(-trials // 4, None)
    for what in ("bytes", "statements", "folded"):
        assert work.mean(what, late) <= 1.3 * work.mean(what, early), what
    assert work.mean("read", late) <= work.mean("read", early) + 2


def test_a_trial_among_many_folds_no_more_than_one_among_few(tmp_path, monkeypatch):
    few, many = (worked(tmp_path / str(slots), "random", 160, monkeypatch, slots) for slots in (2, 40))
    assert many.mean("folded", slice(80)) <= few.mean("folded", slice(80)) + 3


@pytest.mark.parametrize(("algorithm", "trials"), [("bayesian", 30), ("freeze-thaw", 40)])
def test_what_a_thinking_oracle_stores_of_itself_does_not_grow_with_its_trials(tmp_path, algorithm, trials):
    written = []

    class Watching(RunStore):
        @contextmanager
        def _transaction(self):
            with super()._transaction() as execute:

                def watched(query, arguments=()):
                    if "INTO oracle" in query:
                        written.append(len(arguments[-1]))
                    return execute(query, arguments)

                yield watched

    Night(tmp_path / "run", space(algorithm, max_trials=trials), FAULTY).go(make_store=Watching)
    assert len(written) > trials
    assert max(written) < 1000


def small(algorithm):
    """The space of the stored runs."""
    return spaces.load({
        "name": "old", "data": {"source": "digits"},
        "model": {"family": "mlp", "layers": 1, "units": {"min": 16, "max": 64, "step": 16}},
        "training": {
            "optimizer": ["adam", "sgd"], "learning_rate": 0.01, "batch_size": 32, "epochs": {"min": 1, "max": 4},
            "momentum": {"min": 0.8, "max": 0.9, "step": 0.1, "when": {"optimizer": "sgd"}},
        },
        "search": {"algorithm": algorithm, "objective": "val_accuracy", "max_trials": 16, "seed": 3},
        "baselines": [
            {"name": "linear", "values": {"layers": 0, "optimizer": "adam", "learning_rate": 0.001}, "epochs": 2}
        ],
    })  # fmt: skip


@pytest.mark.parametrize("algorithm", ["hyperband", "freeze-thaw"])
def test_a_run_of_store_version_1_is_read_and_goes_on_to_its_end(tmp_path, algorithm):
    """The stores were written by the version that wrote the oracle's whole state, and killed in a training."""
    night = Night(tmp_path / "run", small(algorithm), FAULTY)
    night.run.mkdir()
    connection = sqlite3.connect(night.run / layout.STORE)
    connection.executescript((STORES / f"version-1-{algorithm}.sql").read_text(encoding="utf-8"))
    connection.close()
    with RunReader(night.run) as reader:
        old = reader.trials()
        assert "tried_so_far" in reader.oracle_state()
        for trial in old:
            for checkpoint in (trial.outcome and trial.outcome.state, trial.outcome and trial.outcome.best):
                if checkpoint:
                    night.disk.files[checkpoint.file] = checkpoint.epoch
    assert any(trial.state is TrialState.RUNNING for trial in old)
    night.go()
    whole = Night(tmp_path / "whole", night.spec, FAULTY)
    whole.go()
    assert len(whole.trials()) >= len(old)
    assert all_ended(night.trials())
    kept = {trial.id: trial for trial in night.trials()}
    assert all(kept[trial.id].values == trial.values for trial in old)
    assert len(kept) == len(whole.trials())
    if algorithm == "hyperband":
        # What freeze-thaw chooses has changed since these stores were written.
        assert night.table() == whole.table()
    with RunReader(night.run) as reader:
        assert "tried_so_far" not in reader.oracle_state()


class OnceFull(RunStore):
    """A store in which one trial cannot be begun."""

    begins_left = 9

    def begin(self, trial, oracle_state=None):
        self.begins_left -= 1
        if self.begins_left == 0:
            raise DiskError("run.sqlite: cannot be written (database or disk is full)")
        super().begin(trial, oracle_state)


@pytest.mark.parametrize("algorithm", ["random", "hyperband", "freeze-thaw", "grid"])
def test_a_trial_that_could_not_be_recorded_leaves_its_place_to_another(tmp_path, algorithm):
    """While the disk is full for one trial, others end and are committed with what the oracle knew by then."""
    night = Night(tmp_path / "run", space(algorithm, max_trials=20), World(), slots=3)
    with pytest.raises(DiskError):
        night.go(make_store=OnceFull)
    night.go()
    assert all_ended(night.trials())
    assert sum(trial.kind is TrialKind.SEARCH for trial in night.trials()) == 20
