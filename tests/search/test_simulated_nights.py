"""Whole searches in simulated time: the real loop, the real oracles and the real store, with faults of all kinds."""

from __future__ import annotations

import random
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

import spaces
from search.errors import DiskError, SearchFailed
from search.files.store import RunStore
from search.loop.observer import Observer
from search.loop.runner import Runner
from search.loop.warn import warn
from search.phases.gain import HourlyGain
from search.phases.proposer import Proposal, Proposer
from search.phases.sources import SearchSource
from search.record.trial import Failure, FailureReason, Outcome, Stop, TrialKind, TrialState
from tests.search import records
from tests.search.listening import Listener
from tests.search.simulation import (
    Disk,
    Killed,
    Night,
    SimulatedClock,
    SimulatedExecutor,
    World,
    all_ended,
    at_moment,
    die,
    proposer,
    space,
)

pytestmark = pytest.mark.usefixtures("tensorflow")  # Keras Tuner, behind the oracles, imports it

ALGORITHMS = ("freeze-thaw", "hyperband", "bayesian", "random", "grid")
# Where each proposal fits a Gaussian process, a search takes seconds: with many variants that is for the long tests.
QUICK_FIRST = [
    pytest.param(name, marks=[pytest.mark.night] if name in ("freeze-thaw", "bayesian") else []) for name in ALGORITHMS
]
FAULTY = World(failing=0.15, nan=0.15)


class BreakingStore(RunStore):
    """Kills its process at a transaction: just before it is on disk, or just after."""

    kill_in = 0
    after = False

    @contextmanager
    def _transaction(self):
        with super()._transaction() as execute:
            yield execute
            self._count(after=False)
        self._count(after=True)

    def _count(self, after):
        if after is not self.after:
            return
        self.kill_in -= 1
        if self.kill_in == 0:
            raise Killed


def broken_store(kill_in, after):
    def make(run: Path) -> RunStore:
        store = BreakingStore(run)
        store.kill_in, store.after = kill_in, after
        return store

    return make


def few(algorithm, trials):
    """So many trials, fewer where each proposal fits a Gaussian process."""
    return min(trials, {"bayesian": 14, "freeze-thaw": 24}.get(algorithm, trials))


def undisturbed(folder, algorithm, world=FAULTY, **options):
    night = Night(folder / f"whole-{algorithm}", space(algorithm, **options), world)
    night.go()
    return night


def killed_at_random(night, rng, longest=20):
    """Sittings, each killed at a random moment, until one is not; returns how many were."""
    kills = 0
    while True:
        moment, after = rng.randint(1, longest), rng.random() < 0.5
        try:
            if rng.random() < 0.5:
                night.go(make_store=broken_store(moment, after))
            else:
                night.go(at_moment(moment, die))
            return kills
        except Killed:
            kills += 1
            assert kills < 500, "no progress"


def unnamed(night):
    """The table without ids, whose width follows the planned number of trials."""
    return [row[2:] for row in night.table()]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("seed", [1, 2])
def test_kills_at_random_moments_change_nothing_in_the_table(tmp_path, algorithm, seed):
    whole = undisturbed(tmp_path, algorithm, max_trials=few(algorithm, 40), seed=seed)
    night = Night(tmp_path / "killed", whole.spec, FAULTY)
    kills = killed_at_random(night, random.Random(seed))
    assert kills >= 2
    assert night.table() == whole.table()
    assert [t.id for t in night.trials()] == [t.id for t in whole.trials()]
    assert all_ended(night.trials())


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_kill_costs_no_more_than_the_trial_that_was_running(tmp_path, algorithm):
    whole = undisturbed(tmp_path, algorithm, max_trials=few(algorithm, 20))
    night = Night(tmp_path / "killed", whole.spec, FAULTY)
    kills = killed_at_random(night, random.Random(5))
    assert kills >= 1
    assert night.epochs_trained <= whole.epochs_trained + kills * whole.spec.max_epochs


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_interruptions_lose_no_epoch_at_all(tmp_path, algorithm):
    """A stop on request saves the running trial, which goes on from there: nothing is trained twice."""
    whole = undisturbed(tmp_path, algorithm, max_trials=few(algorithm, 20))
    night = Night(tmp_path / "stopped", whole.spec, FAULTY)
    rng, sittings = random.Random(2), 0
    while not night.ended:
        night.go(at_moment(rng.randint(1, 8), Runner.stop))
        sittings += 1
    assert sittings > 5
    assert night.table() == whole.table()
    assert night.epochs_trained == whole.epochs_trained


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("slots", [2, 5])
def test_several_slots_end_with_as_many_trials_each_told_once(tmp_path, algorithm, slots):
    night = Night(tmp_path / "run", space(algorithm, max_trials=few(algorithm, 30)), FAULTY, slots=slots)
    night.go()
    trials = night.trials()
    assert night.most_at_once == slots
    assert sum(t.kind is TrialKind.SEARCH for t in trials) == few(algorithm, 30)
    assert all_ended(trials)
    assert len({t.id for t in trials}) == len(trials)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_kills_with_several_slots_leave_a_whole_search(tmp_path, algorithm):
    night = Night(tmp_path / "run", space(algorithm, max_trials=few(algorithm, 25)), FAULTY, slots=3)
    assert killed_at_random(night, random.Random(4)) >= 1
    trials = night.trials()
    assert sum(t.kind is TrialKind.SEARCH for t in trials) == few(algorithm, 25)
    assert all_ended(trials)
    for trial in trials:
        if trial.state is TrialState.COMPLETED:
            assert [e.number for e in trial.outcome.epochs] == list(range(trial.epochs_from + 1, trial.epochs_to + 1))


@pytest.mark.parametrize("algorithm", ["random", "grid"])
def test_the_outcome_of_a_configuration_does_not_depend_on_the_slots(tmp_path, algorithm):
    tables = []
    for slots in (1, 4):
        night = Night(tmp_path / str(slots), space(algorithm, max_trials=40), FAULTY, slots=slots)
        night.go()
        tables.append({repr(row[2]): row[2:] for row in night.table()})
    assert tables[0] == tables[1]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_same_search_gives_the_same_table_another_seed_another(tmp_path, algorithm):
    first, second = (undisturbed(tmp_path / name, algorithm, max_trials=few(algorithm, 20)) for name in ("a", "b"))
    assert first.table() == second.table()
    if algorithm != "grid":
        other = undisturbed(tmp_path / "c", algorithm, max_trials=few(algorithm, 20), seed=4)
        assert [row[2] for row in other.table()] != [row[2] for row in first.table()]


def test_max_trials_counts_the_whole_search_and_can_be_raised_later(tmp_path):
    night = Night(tmp_path / "run", space("random", max_trials=7))
    night.go()
    night.go()
    assert (len(night.trials(TrialKind.SEARCH)), night.ended) == (7, "max_trials")
    night.spec = space("random", max_trials=12)
    night.go()
    assert len(night.trials(TrialKind.SEARCH)) == 12
    whole = undisturbed(tmp_path, "random", World(), max_trials=12)
    assert unnamed(night) == unnamed(whole), "seven and five more are twelve"


@pytest.mark.parametrize("algorithm", ["hyperband", "bayesian", "grid"])
def test_raising_max_trials_later_is_as_good_as_at_once(tmp_path, algorithm):
    night = Night(tmp_path / "run", space(algorithm, max_trials=9))
    night.go()
    night.spec = space(algorithm, max_trials=few(algorithm, 20))
    night.go()
    assert unnamed(night) == unnamed(undisturbed(tmp_path, algorithm, World(), max_trials=few(algorithm, 20)))


def test_a_small_space_is_used_up(tmp_path):
    spec = spaces.load(space("grid", max_trials=None), ("model.layers=1", "training.epochs=2", "model.dropout=0"))
    night = Night(tmp_path / "run", spec)
    night.go()
    assert night.ended == "exhausted"
    assert len(night.trials(TrialKind.SEARCH)) == spaces.size(spec)


def test_hyperband_without_a_limit_runs_its_plan(tmp_path):
    from spaces.sections.algorithms import ALGORITHMS

    spec = space("hyperband", max_trials=None)
    night = Night(tmp_path / "run", spec)
    night.go()
    planned = ALGORITHMS["hyperband"].plan(
        min_epochs=1, max_epochs=9, max_trials=None, configurations=spaces.size(spec)
    )
    found: dict[tuple[int, int], int] = {}
    for trial in night.trials(TrialKind.SEARCH):
        found[trial.epochs_from, trial.epochs_to] = found.get((trial.epochs_from, trial.epochs_to), 0) + 1
    expected: dict[tuple[int, int], int] = {}
    for group in planned:
        key = group.epochs_from, group.epochs_to
        expected[key] = expected.get(key, 0) + group.count
    assert found == expected


def test_a_promotion_goes_on_with_the_same_seed_and_values(tmp_path):
    night = Night(tmp_path / "run", space("hyperband", max_trials=30))
    night.go()
    by_id = {t.id: t for t in night.trials()}
    promoted = [t for t in by_id.values() if t.parent]
    assert promoted
    for trial in promoted:
        parent = by_id[trial.parent]
        assert (trial.seed, dict(trial.values), trial.configuration) == (
            parent.seed, dict(parent.values), parent.configuration,
        )  # fmt: skip
        assert trial.epochs_from == parent.epochs_to
    seeds = {t.configuration: t.seed for t in by_id.values()}
    assert len(set(seeds.values())) == len(seeds)


class DamagingDisk(Disk):
    """Loses or changes every checkpoint to go on from."""

    def __init__(self, damage):
        super().__init__()
        self.damage = damage

    def write(self, file, epoch):
        made = super().write(file, epoch)
        if file.endswith("state.npz"):
            if self.damage == "missing":
                del self.files[file]
            else:
                self.files[file] += 1
        return made


@pytest.mark.parametrize("damage", ["missing", "changed"])
def test_a_checkpoint_that_is_gone_costs_a_training_from_the_start_and_a_warning(tmp_path, damage):
    whole = undisturbed(tmp_path, "hyperband", max_trials=30)
    listener = Listener()
    night = Night(tmp_path / "run", whole.spec, FAULTY, observer=listener)
    night.disk = DamagingDisk(damage)
    night.go()
    promotions = sum(t.parent is not None for t in night.trials())
    assert promotions > 0
    assert night.table() == whole.table()
    assert len(listener.messages) == len(listener.warnings) == promotions
    assert all("training it again from the start" in text for text in listener.texts)
    with RunStore(night.run) as store:
        assert [e.message for e in store.events()] == listener.texts


def test_a_checkpoint_lost_while_the_search_was_stopped(tmp_path):
    whole = undisturbed(tmp_path, "hyperband", max_trials=30)
    night = Night(tmp_path / "run", whole.spec, FAULTY)
    night.go(at_moment(60, Runner.stop))
    night.disk.files.clear()
    night.go()
    assert night.table() == whole.table()


def test_what_begins_again_and_is_cut_short_has_the_epochs_of_that_time_alone(tmp_path):
    class Even(World):
        def epoch_seconds(self, values):
            return 10.0

    night = Night(tmp_path / "run", space("random", max_trials=1, epochs={"min": 6, "max": 6}), Even())
    # Four epochs and the end of the baseline, four epochs of the first trial.
    night.go(at_moment(9, Runner.stop))
    (waiting,) = [t for t in night.trials() if t.state is TrialState.RUNNING]
    assert [epoch.number for epoch in waiting.outcome.epochs] == [1, 2, 3, 4]
    night.disk.files.clear()
    # An epoch until it turns out that there is nothing to go on from, and two and a half.
    night.until = night.clock.now() + 35.0
    night.go()
    (cut,) = [t for t in night.trials() if t.id == waiting.id]
    assert cut.outcome.stopped is Stop.DEADLINE
    assert [epoch.number for epoch in cut.outcome.epochs] == [1, 2]


@pytest.mark.parametrize(
    ("known", "forgotten", "at_once", "expected"),
    [
        ([40, 1, 2], 0, 1, 40), ([40, 1, 2, 1], 0, 1, 2), ([40, 50, 1, 2, 1], 0, 2, 2),
        # The first ones are forgotten one after the other: what stands at their place then says as much as all others.
        ([40] * 19 + [1] * 6, 1, 20, 1), ([9] + [1] * 24, 20, 20, 9), ([40] * 20 + [1] * 5, 0, 24, 40),
    ],
)  # fmt: skip
def test_the_first_training_of_each_process_says_nothing_of_later_ones(known, forgotten, at_once, expected):
    source = SimpleNamespace(_first_epochs=known, _forgotten=forgotten, _at_once=lambda: at_once)
    assert SearchSource._first_epoch(source) == expected


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_same_failure_ten_times_ends_the_search_with_everything_saved(tmp_path, algorithm):
    broken = World(always=Failure(FailureReason.DATA, "labels out of range"))
    night = Night(tmp_path / "run", space(algorithm), broken)
    with pytest.raises(SearchFailed, match=r"first 10 configurations .*\(data\): labels out of range"):
        night.go()
    trials = night.trials()
    assert len(trials) == 10
    assert all(t.state is TrialState.FAILED for t in trials)
    assert {t.outcome.failure.message for t in trials} == {"labels out of range"}


def test_ten_failures_for_different_reasons_end_nothing(tmp_path):
    night = Night(tmp_path / "run", space("random", max_trials=30), World(failing=1.0))
    night.go()
    assert len(night.trials(TrialKind.SEARCH)) == 30
    assert len({t.outcome.failure.reason for t in night.trials()}) > 3


def test_one_success_shows_that_the_cause_is_in_the_configurations(tmp_path):
    """30 failures with one message, but the baseline trained: the search goes on."""
    failure = Failure(FailureReason.NAN, "loss became nan in epoch 1")

    class BaselineOnly(World):
        def failure(self, values):
            return None if values.get("layers") == 0 else failure

    night = Night(tmp_path / "run", space("random", max_trials=30), BaselineOnly())
    night.go()
    assert sum(t.state is TrialState.FAILED for t in night.trials()) == 30


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_failed_for_good_is_not_tried_again(tmp_path, algorithm):
    night = Night(tmp_path / "run", space(algorithm, max_trials=few(algorithm, 40)), World(nan=0.5, failing=0.2))
    killed_at_random(night, random.Random(3))
    failed = [repr(sorted(t.values.items())) for t in night.trials() if t.state is TrialState.FAILED]
    assert len(failed) > 5
    assert len(set(failed)) == len(failed)


def test_hyperbands_upper_rungs_are_filled_although_many_fail(tmp_path):
    night = Night(tmp_path / "run", space("hyperband", max_trials=None), World(nan=0.3))
    night.go()
    healthy = Night(tmp_path / "healthy", night.spec)
    healthy.go()

    def full_length(of):
        return sum(t.epochs_to == 9 and t.state is TrialState.COMPLETED for t in of.trials(TrialKind.SEARCH))

    assert full_length(night) == full_length(healthy) > 0


def test_at_the_deadline_running_trials_end_and_no_more_begin(tmp_path):
    clock = SimulatedClock()
    begun = clock.now()
    night = Night(tmp_path / "run", space("random", max_trials=None), World(seconds=2.0), slots=3, clock=clock)
    night.until = begun + 60
    night.go()
    assert night.ended == "deadline"
    longest_epoch = 3.0
    assert begun + 50 < clock.now() < night.until + longest_epoch
    trials = night.trials()
    assert all(t.started < night.until for t in trials)
    assert any(t.outcome.stopped is Stop.DEADLINE for t in trials)
    assert all(t.outcome.epochs for t in trials)
    assert all_ended(trials)


def test_a_trial_cut_by_the_deadline_counts_with_the_epochs_it_has(tmp_path):
    night = Night(tmp_path / "run", space("random", max_trials=None))
    night.until = night.clock.now() + 30
    night.go()
    cut = [t for t in night.trials() if t.outcome.stopped is Stop.DEADLINE]
    assert cut
    assert all(t.state is TrialState.COMPLETED and t.outcome.score is not None for t in cut)


@pytest.mark.parametrize(("cut_at", "begins"), [(5, 5), (3, 3), (9, 9)])
def test_what_goes_on_after_a_cut_begins_where_that_was(tmp_path, cut_at, begins):
    """Hyperband may go on with a training of 4 to 9 epochs that the end of the time has ended."""
    spec = spaces.load(space("hyperband"), ["baselines=[]"])
    (values,) = spaces.sample(spec, 0, 1)
    asked = SimpleNamespace(
        ask=lambda: Proposal("2", values, 9, 27, "1", ""), beat=lambda _: None, failed=False, record=lambda _: None,
        outlook=None,
    )  # fmt: skip
    stopped = Stop.LENGTH if cut_at == 9 else Stop.DEADLINE
    with RunStore.create(tmp_path / "run", {}) as store:
        store.begin(records.trial("0", epochs_to=3))
        store.finish("0", records.outcome([0.1, 0.2, 0.3]), 1.0)
        store.begin(records.trial("1", configuration="0", parent="0", epochs_from=3, epochs_to=9))
        store.finish("1", records.outcome([0.4] * (cut_at - 3), first=4, stopped=stopped), 2.0)
        went_on = SearchSource(spec, asked, store, SimulatedClock(), lambda: None, None).next(1)
    assert (went_on.epochs_from, went_on.epochs_to, went_on.configuration) == (begins, 27, "0")


def test_no_time_at_all_begins_nothing(tmp_path):
    night = Night(tmp_path / "run", space("random"))
    night.until = night.clock.now()
    night.go()
    assert (night.trials(), night.ended) == ([], "deadline")


def test_a_stop_ends_every_running_trial_and_keeps_its_epochs(tmp_path):
    night = Night(tmp_path / "run", space("random", max_trials=20), slots=4)
    night.go(at_moment(9, Runner.stop))
    waiting = [t for t in night.trials() if t.state is TrialState.RUNNING]
    assert waiting
    for trial in waiting:
        assert trial.outcome.stopped is Stop.INTERRUPTED
        assert trial.outcome.state.epoch == len(trial.outcome.epochs) >= 1
    before = {t.id: len(t.outcome.epochs) for t in waiting}
    trained = night.epochs_trained
    night.go()
    assert all_ended(night.trials())
    assert night.epochs_trained - trained == sum(len(t.outcome.epochs) for t in night.trials()) - trained
    assert before


def test_unfinished_trials_come_first_after_a_kill(tmp_path):
    night = Night(tmp_path / "run", space("random", max_trials=10), slots=3)
    with pytest.raises(Killed):
        night.go(make_store=broken_store(8, True))
    waiting = [t.id for t in night.trials() if t.state is TrialState.RUNNING]
    assert len(waiting) > 1
    night.observer = Listener()
    night.go()
    assert night.observer.started_trials[: len(waiting)] == waiting


def test_observers_are_told_in_order_and_after_the_commit(tmp_path):
    night = Night(tmp_path / "run", space("random", max_trials=5), FAULTY)
    events = []

    class Checking(Observer):
        def started(self, trial):
            assert trial.id in {t.id for t in night.trials()}
            events.append(("started", trial.id))

        def epoch(self, trial, epoch):
            events.append((epoch.number, trial.id))

        def finished(self, trial, outcome):
            (stored,) = [t for t in night.trials() if t.id == trial.id]
            assert (stored.state, stored.outcome) == (trial.state, outcome)
            events.append(("finished", trial.id))

    night.observer = Checking()
    night.go()
    expected = []
    for trial in night.trials():
        expected += [("started", trial.id), *((e.number, trial.id) for e in trial.outcome.epochs)]
        expected.append(("finished", trial.id))
    assert events == expected


class FullStore(RunStore):
    """A store whose disk is full from its n-th transaction on."""

    writes_left = 0

    @contextmanager
    def _transaction(self):
        if self.writes_left == 0:
            raise DiskError("run.sqlite: cannot be written (database or disk is full)")
        self.writes_left -= 1
        with super()._transaction() as execute:
            yield execute


@pytest.mark.parametrize("slots", [1, 3])
@pytest.mark.parametrize("writes", range(1, 12))
def test_a_full_disk_ends_the_search_with_what_is_committed_and_it_goes_on_later(tmp_path, slots, writes):
    def make(run):
        store = FullStore(run)
        store.writes_left = writes
        return store

    whole = undisturbed(tmp_path, "hyperband", max_trials=8)
    night = Night(tmp_path / "run", whole.spec, FAULTY, slots=slots)
    with pytest.raises(DiskError, match="disk is full"):
        night.go(make_store=make)
    night.go()
    assert all_ended(night.trials())
    if slots == 1:
        assert night.table() == whole.table()


def test_a_warning_that_a_full_disk_cannot_record_is_told(tmp_path):
    """Raised while an executor replaces a worker, the error would leave a trial that never ends."""
    told = []
    observer = SimpleNamespace(message=lambda level, text: told.append((level, text)))
    RunStore.create(tmp_path / "run", {}).close()
    with FullStore(tmp_path / "run") as store:
        warn(store, SimulatedClock(), observer, "worker 0 is replaced")
    assert told == [("warning", "worker 0 is replaced")]


def test_a_trial_stopped_before_it_began_keeps_what_was_saved_before(tmp_path):
    """Workers may be stopped while they start: the trial they were to go on with loses nothing."""
    whole = undisturbed(tmp_path, "random", World(), max_trials=6)
    night = Night(tmp_path / "run", whole.spec)
    # Four epochs and the end of the baseline, one epoch of the first trial.
    night.go(at_moment(6, Runner.stop))
    (waiting,) = [t for t in night.trials() if t.state is TrialState.RUNNING]
    assert waiting.outcome.epochs

    class Starting(SimulatedExecutor):
        def wait(self, pending, timeout=None):
            for future in pending:
                future.set_result(Outcome(stopped=Stop.INTERRUPTED))
            return set(pending)

    with RunStore(night.run) as store:
        source = SearchSource(night.spec, proposer(night.spec), store, night.clock, lambda: None, most=None)
        runner = Runner(Starting(night.world, night.clock, night.disk), store, night.clock, Observer())
        source.next = lambda slots: None
        runner.run(source, [waiting])
    assert [t for t in night.trials() if t.id == waiting.id] == [waiting]
    night.go()
    assert night.table() == whole.table()
    assert night.epochs_trained == whole.epochs_trained


def test_a_search_ends_when_another_hour_is_not_worth_it(tmp_path):
    wanted = space("bayesian", max_trials=40)
    spec = wanted.model_copy(update={"search": wanted.search.model_copy(update={"stop_when_gain_below": 1e3})})
    night = Night(tmp_path / "run", spec)
    night.go()
    # After eight spread over the space three estimates follow, one with each proposal of the model.
    assert night.ended == "gain"
    assert len(night.trials(TrialKind.SEARCH)) == 11
    with RunStore(night.run) as store:
        assert 0 < store.meta("hourly_gain") < 1e3


@pytest.mark.parametrize("order", ["free", "fixed"])
def test_what_the_last_workers_find_lets_a_search_go_on(tmp_path, monkeypatch, order):
    from search.oracles.surrogate.outlook import Outlook

    def outlook(asker):
        """Another hour is worth it after four trials, not before, and no longer after ten."""
        done = sum(trial.status == "COMPLETED" for trial in asker._oracle.trials.values())
        return Outlook([1.0 if 4 <= done < 10 else 0.0])

    monkeypatch.setattr(Proposer, "outlook", property(outlook))
    wanted = space("random", max_trials=40)
    spec = wanted.model_copy(
        update={"search": wanted.search.model_copy(update={"stop_when_gain_below": 0.1, "order": order})}
    )
    night = Night(tmp_path / "run", spec, slots=4)
    night.go()
    assert night.ended == "gain"
    assert 12 <= len(night.trials(TrialKind.SEARCH)) < 20
    assert all_ended(night.trials())
    assert len({repr(sorted(trial.values.items())) for trial in night.trials()}) == len(night.trials())


def test_another_hour_is_reckoned_with_those_that_train_and_not_with_those_that_wait(tmp_path, monkeypatch):
    reckoned = set()
    monkeypatch.setattr(HourlyGain, "estimate", lambda gain, at_once: reckoned.add(at_once))
    Night(tmp_path / "run", space("random", max_trials=5), slots=2, waiting=1).go()
    assert reckoned == {2}


def test_the_oracle_knows_what_the_best_is_baselines_included(tmp_path, monkeypatch):
    told, beat = [], Proposer.beat
    monkeypatch.setattr(Proposer, "beat", lambda asker, score: (told.append(score), beat(asker, score)))
    night = Night(tmp_path / "run", space("random", max_trials=5))
    night.go()
    scores = [trial.outcome.score for trial in night.trials()]
    assert night.trials()[0].kind is TrialKind.BASELINE
    assert told == [max(scores[:count]) for count in range(1, 6)]


def night_whose_end_moves(folder, first, later):
    """Two workers and a trial that waits; the search is to end after `first` seconds, and once the baseline has ended
    `later` seconds from then."""
    spec = space("random", max_trials=None, epochs={"min": 50, "max": 50})
    night = Night(folder / "run", spec, World(seconds=2.0), slots=2, waiting=1)
    night.until = night.clock.now() + first

    class Mover(Observer):
        def finished(self, trial, outcome):
            if trial.kind is TrialKind.BASELINE:
                night.until = night.clock.now() + later

    night.observer = Mover()
    night.go()
    return night, night.trials(TrialKind.SEARCH)


def test_an_end_that_comes_sooner_holds_for_trials_that_run_and_that_wait(tmp_path):
    """They had the time that was thought to be left when they were asked for."""
    night, (running, waiting, *_) = night_whose_end_moves(tmp_path, 1000.0, 20.0)
    assert night.clock.now() <= night.until
    assert running.outcome.stopped is waiting.outcome.stopped is Stop.DEADLINE
    assert running.outcome.epochs
    assert waiting.outcome.epochs


def test_what_waits_while_the_end_comes_near_is_not_begun(tmp_path):
    night, (running, waiting, *others) = night_whose_end_moves(tmp_path, 1000.0, 1.0)
    assert night.clock.now() <= night.until
    assert running.outcome.epochs
    assert (waiting.outcome.stopped, waiting.outcome.epochs, others) == (Stop.DEADLINE, (), [])


def test_an_end_that_comes_later_holds_for_them_too(tmp_path):
    night, (running, *_) = night_whose_end_moves(tmp_path, 25.0, 100.0)
    assert sum(epoch.seconds for epoch in running.outcome.epochs) > 25
    assert night.until - 10 < night.clock.now() <= night.until
