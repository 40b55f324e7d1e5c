"""`search.order: fixed`: the same table for the same number of slots, whatever ends first and whatever happens."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import spaces
from search.files.store import RunReader
from search.loop.observer import Observer
from search.loop.runner import Runner
from search.record.trial import Failure, FailureReason, Stop, TrialKind, TrialState
from tests.search.simulation import Night, SimulatedClock, World, all_ended, at_moment, share, space
from tests.search.test_simulated_nights import ALGORITHMS, QUICK_FIRST, few, killed_at_random

# Keras Tuner, behind the oracles, imports TensorFlow; the fixtures search for tens of seconds.
pytestmark = [pytest.mark.usefixtures("tensorflow"), pytest.mark.timeout(900)]

LEARNING = ("freeze-thaw", "hyperband", "bayesian")
ROOT = Path(__file__).parents[2]

SEARCH = """
import json, sys, tempfile
from pathlib import Path
from tests.search.test_order import ALGORITHMS, LEARNING, gone
with tempfile.TemporaryDirectory() as folder:
    searches = [*((name, "fixed") for name in ALGORITHMS), *((name, "free") for name in LEARNING)]
    made = {f"{name} {order}": gone(Path(folder), name, order, pace=int(sys.argv[1])) for name, order in searches}
    tables = {name: night.table() for name, night in made.items()}
print(json.dumps(tables))
"""


@dataclass
class Uneven(World):
    """Some trials take a hundred times as long as others; which ones, `pace` decides."""

    pace: int = 0

    def epoch_seconds(self, values):
        return 100.0 ** share("speed", self.pace, dict(values))


class Crashing(Uneven):
    def failure(self, values):
        return super().failure(values) and Failure(FailureReason.CRASHED, "its process ended twice")


def night(folder, algorithm, order="fixed", slots=3, trials=18, pace=0, **options):
    spec = spaces.load(space(algorithm, max_trials=few(algorithm, trials)), (f"search.order={order}",))
    world = Uneven(failing=0.1, nan=0.1, pace=pace)
    return Night(folder / f"{algorithm}-{order}-{slots}-{pace}", spec, world, slots=slots, **options)


def gone(*arguments, **options):
    made = night(*arguments, **options)
    made.go()
    assert all_ended(made.trials())
    return made


def asked(found):
    return [(trial.id, dict(trial.values), trial.epochs_from, trial.epochs_to) for trial in found.trials()]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, tensorflow):
    """`undisturbed(algorithm)`: a search in fixed order to which nothing happened; each is made once."""
    made = {}

    def make(algorithm):
        if algorithm not in made:
            made[algorithm] = gone(tmp_path_factory.mktemp("whole"), algorithm)
        return made[algorithm]

    return make


@pytest.fixture(scope="module")
def elsewhere():
    """What two fresh processes found, whose trials have other speeds."""
    found = []
    for pace in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", SEARCH, pace], cwd=ROOT, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONHASHSEED": pace}, check=True, timeout=400,
        )  # fmt: skip
        found.append(json.loads(done.stdout))
    return found


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_in_fixed_order_the_speed_of_the_trials_changes_nothing(elsewhere, undisturbed, algorithm):
    first, other = (found[f"{algorithm} fixed"] for found in elsewhere)
    assert first == other
    assert first == json.loads(json.dumps(undisturbed(algorithm).table()))


@pytest.mark.parametrize("algorithm", LEARNING)
def test_in_free_order_it_does(elsewhere, algorithm):
    first, other = (found[f"{algorithm} free"] for found in elsewhere)
    assert first != other


def test_in_fixed_order_failures_end_the_search_after_the_same_trial(tmp_path):
    found = []
    for pace in range(3):
        spec = spaces.load(space("random", max_trials=120), ("search.order=fixed",))
        made = Night(tmp_path / str(pace), spec, Crashing(failing=0.9, pace=pace), slots=3)
        made.go()
        assert len(made.trials()) < 120
        found.append(made.table())
    assert all(table == found[0] for table in found)


@pytest.mark.parametrize("algorithm", QUICK_FIRST)
def test_one_trial_at_a_time_makes_both_orders_the_same(tmp_path, algorithm):
    fixed, free = (gone(tmp_path, algorithm, order, slots=1) for order in ("fixed", "free"))
    assert fixed.table() == free.table()
    with RunReader(fixed.run) as reader:
        assert reader.meta("idle_seconds") == 0


@pytest.mark.parametrize("algorithm", QUICK_FIRST)
def test_kills_at_random_moments_change_nothing_in_fixed_order(tmp_path, undisturbed, algorithm):
    whole, killed = undisturbed(algorithm), night(tmp_path, algorithm, pace=1)
    assert killed_at_random(killed, random.Random(1)) >= 2
    assert killed.table() == whole.table()
    assert asked(killed) == asked(whole)


@pytest.mark.parametrize("algorithm", LEARNING)
def test_interruptions_change_nothing_in_fixed_order_and_lose_no_epoch(tmp_path, undisturbed, algorithm):
    whole, stopped = undisturbed(algorithm), night(tmp_path, algorithm, pace=1)
    rng, sittings = random.Random(2), 0
    while not stopped.ended or not all_ended(stopped.trials()):
        stopped.go(at_moment(rng.randint(1, 12), Runner.stop))
        sittings += 1
    assert sittings > 3
    assert stopped.table() == whole.table()
    assert stopped.epochs_trained == whole.epochs_trained


@pytest.mark.parametrize("algorithm", ["hyperband", "bayesian"])
def test_raising_max_trials_later_is_as_good_as_at_once_in_fixed_order(tmp_path, undisturbed, algorithm):
    short, whole = gone(tmp_path, algorithm, trials=9, pace=1), undisturbed(algorithm)
    short.spec = whole.spec
    short.go()
    assert [row[2:] for row in short.table()] == [row[2:] for row in whole.table()]


def test_what_ended_out_of_turn_is_in_the_store_before_the_oracle_knows_with_what_it_may_go_on_from(tmp_path):
    found = night(tmp_path, "hyperband")
    ahead = []

    def look(what, runner):
        with RunReader(found.run) as reader:
            trials, told = reader.trials(), reader.meta("told", 0)
        untold = [trial for trial in trials[told:] if trial.state is not TrialState.RUNNING]
        ahead.append(len(untold))
        short = [
            t for t in untold if t.kind is TrialKind.SEARCH and t.state is TrialState.COMPLETED and t.epochs_to < 9
        ]
        assert all(trial.outcome.state is not None for trial in short)

    found.go(look)
    assert min(ahead) == 0
    assert max(ahead) > 0
    with RunReader(found.run) as reader:
        assert reader.meta("idle_seconds") > 0


@pytest.mark.parametrize("by", [86_400.0, -86_400.0])
def test_a_clock_that_is_set_changes_nothing_of_how_long_was_waited(by):
    clock = SimulatedClock()

    class Waits:
        workers = 2

        def wait(self, pending, timeout):
            clock.set(by)
            clock.pass_time(3.0)
            return set()

    runner = Runner(Waits(), None, clock, Observer())
    runner._wait(held_back=True)
    assert runner._idle_seconds == 2 * 3.0


def test_another_number_of_slots_may_give_another_table(tmp_path, undisturbed):
    assert gone(tmp_path, "bayesian", slots=2).table() != undisturbed("bayesian").table()


@pytest.mark.parametrize("algorithm", ["hyperband", "random"])
def test_with_a_time_the_tables_agree_up_to_the_first_trial_that_was_cut(tmp_path, algorithm):
    found = []
    for pace in (1, 2):
        made = night(tmp_path, algorithm, trials=1000, pace=pace)
        made.until = made.clock.now() + 400
        made.go()
        assert made.ended == "deadline"
        trials = made.trials()
        cut = next(index for index, trial in enumerate(trials) if trial.outcome.stopped is Stop.DEADLINE)
        found.append([(trial.id, dict(trial.values), trial.outcome.score) for trial in trials[:cut]])
    both = min(map(len, found))
    assert both > 5
    assert found[0][:both] == found[1][:both]
