"""Where the time went."""

import dataclasses
import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

import results
from results.watching.ledger import Account, booked
from search.errors import DiskError
from search.files import layout
from search.files.store import RunReader, RunStore
from search.record.trial import Epoch, Outcome, Stop, Trial, TrialKind, TrialState

MakeRun = Callable[..., Path]
STARTED = 1_780_000_000.0


def spent(run: Path) -> dict[Account, float]:
    return {entry.account: entry.seconds for entry in results.time_spent(run, now=STARTED + 1000)}


def test_every_second_of_every_trial_is_in_one_account(make_run: MakeRun) -> None:
    run = make_run(failures=["nan", "hung"])
    entries = results.time_spent(run)
    with RunReader(run) as reader:
        trials = reader.trials()
        work = sum(t.outcome.seconds for t in trials if t.outcome) + 2.0
    accounts = {entry.account: entry for entry in entries}
    waiting = accounts[Account.WAITING].seconds
    assert sum(entry.seconds for entry in entries) - waiting == pytest.approx(work)
    assert waiting == pytest.approx(0, abs=1e-3)
    assert sum(entry.share for entry in entries) == pytest.approx(1)
    assert sum(entry.trials for entry in entries) == len(trials)
    assert [entry.account for entry in entries] == list(Account)


def test_accounts(make_run: MakeRun) -> None:
    found = spent(make_run(failures=["nan", "hung", "hung"]))
    # One of nine goes all the way: nine epochs of half a second; of each trial 0.1 s are not building.
    assert found[Account.SEARCH] == pytest.approx(9 * 0.5 + 3 * 0.1)
    # Two end at three epochs, six at one.
    assert found[Account.PRUNED] == pytest.approx((2 * 3 + 6) * 0.5 + (2 * 2 + 6) * 0.1)
    assert found[Account.FAILED] == pytest.approx(2.0)
    assert found[Account.TOO_LONG] == pytest.approx(4.0)
    assert found[Account.BASELINES] == pytest.approx(2.6)
    assert found[Account.RETRAINING] == pytest.approx(6 * 4.6)
    assert found[Account.WINNER] == pytest.approx(4.6)
    assert found[Account.EVALUATION] == pytest.approx(2.0)
    assert found[Account.START] == pytest.approx(0.7 * (13 + 1 + 6 + 1))
    assert found[Account.DUPLICATE] == 0


def test_nothing_is_pruned_without_promotions(make_run: MakeRun) -> None:
    found = spent(make_run(promotions=False))
    assert found[Account.PRUNED] == 0
    assert found[Account.SEARCH] == pytest.approx(9 * 4.6)


@pytest.mark.parametrize("stop", [Stop.EARLY_STOPPING, Stop.TARGET])
def test_what_ended_by_itself_was_not_pruned(make_run: MakeRun, stop: Stop) -> None:
    run = make_run()
    before = spent(run)
    with RunReader(run) as reader:
        trials = {trial.id: trial for trial in reader.trials()}
    promoted = {trial.parent for trial in trials.values()}
    short = next(t for t in trials.values() if t.kind is TrialKind.SEARCH and t.epochs_to == 1 and t.id not in promoted)
    assert short.outcome is not None
    with RunStore(run) as store:
        store.finish(short.id, dataclasses.replace(short.outcome, stopped=stop), short.finished or 0.0)
    found = spent(run)
    moved = pytest.approx(short.outcome.seconds - short.outcome.build_seconds)
    assert found[Account.SEARCH] - before[Account.SEARCH] == moved
    assert before[Account.PRUNED] - found[Account.PRUNED] == moved


def test_equal_values_are_duplicates_whatever_their_order(make_run: MakeRun) -> None:
    values = [{"layers": 1, "rate": 0.1}, {"rate": 0.1, "layers": 1}, {"layers": 2, "rate": 0.1}]
    found = spent(make_run(promotions=False, configurations=3, values=lambda i, rng: values[i]))
    assert found[Account.DUPLICATE] == pytest.approx(4.6)


def test_waiting_is_wall_time_in_which_nothing_ran(make_run: MakeRun) -> None:
    run = make_run(running=True, configurations=0, baselines=())
    with RunStore(run) as store:
        # Two trials side by side for ten seconds, in a session of a minute.
        for name in ("0001", "0002"):
            store.begin(
                Trial(name, name, TrialKind.SEARCH, "", {"n": name}, {}, 0, 0, 1, None, TrialState.RUNNING, None,
                      STARTED + 5, None)
            )  # fmt: skip
            outcome = Outcome((Epoch(1, {}, 9.0, 8.0),), 0.5, 1, Stop.LENGTH, 10, 10.0)
            store.finish(name, outcome, STARTED + 15)
    entries = {entry.account: entry for entry in results.time_spent(run, now=STARTED + 60)}
    assert entries[Account.SEARCH].seconds == pytest.approx(20)
    assert entries[Account.WAITING].seconds == pytest.approx(50)
    assert entries[Account.SEARCH].share == pytest.approx(20 / 70)


def test_trainings_that_went_on_after_a_pause_leave_no_time_below_zero(make_run: MakeRun) -> None:
    sittings = [{"started": STARTED + a, "ended": STARTED + b} for a, b in ((0, 110), (1000, 1060), (2000, 2020))]
    run = make_run(running=True, configurations=0, baselines=(), meta={"sessions": sittings, "exit": "interrupted"})
    with RunStore(run) as store:
        # Both began in the first sitting, side by side; the second one had 50 s of the second sitting besides.
        for name, seconds, ended in (("0001", 105.0, 1005.0), ("0002", 160.0, 2010.0)):
            begun = dataclasses.replace(store.trials()[0], id=name, configuration=name, values={"n": name})
            store.begin(begun)
            store.finish(name, Outcome((Epoch(1, {}, 9.0, 8.0),), 0.5, 1, Stop.LENGTH, 10, seconds), STARTED + ended)
    assert results.status(run, now=STARTED + 9000)["elapsed"] == 110 + 60 + 20
    entries = {entry.account: entry.seconds for entry in results.time_spent(run, now=STARTED + 9000)}
    assert (entries[Account.SEARCH], entries[Account.WAITING]) == (265, 0)


def test_export_and_report_have_accounts_of_their_own(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run()
    before = results.time_spent(run)
    elapsed = results.status(run)["elapsed"]
    times = iter([STARTED + 5000, STARTED + 5030, STARTED + 5030, STARTED + 5040, STARTED + 9000, STARTED + 9001])
    monkeypatch.setattr("results.watching.ledger.time.time", lambda: next(times))
    with booked(run, Account.EXPORT):
        pass
    with pytest.raises(ZeroDivisionError), booked(run, Account.REPORT):
        raise ZeroDivisionError
    with booked(run, Account.EXPORT):
        pass
    after = {entry.account: entry for entry in results.time_spent(run, now=STARTED + 9999)}
    assert after[Account.EXPORT].seconds == pytest.approx(31)
    assert after[Account.REPORT].seconds == pytest.approx(10)
    for entry in before:
        if entry.account not in (Account.EXPORT, Account.REPORT):
            assert after[entry.account].seconds == pytest.approx(entry.seconds, abs=1e-3)
    assert sum(entry.share for entry in after.values()) == pytest.approx(1)
    monkeypatch.undo()
    assert results.status(run)["elapsed"] == pytest.approx(elapsed + 41)


def test_a_ledger_that_cannot_be_written_stops_nothing(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run()
    done = []

    def full(self: RunStore, work: object) -> None:
        raise DiskError("full")

    monkeypatch.setattr(RunStore, "add_work", full)
    with booked(run, Account.EXPORT):
        done.append(1)
    assert done == [1]


@pytest.mark.parametrize("settings", [{"family": "of-a-package"}, {}])
def test_a_family_that_is_not_installed_here_takes_nothing_from_the_ledger(
    make_run: MakeRun, settings: dict[str, str]
) -> None:
    run = make_run()
    expected = spent(run)
    with sqlite3.connect(run / layout.STORE) as connection:
        connection.execute("UPDATE trial SET settings = ?", (json.dumps(settings),))
    connection.close()
    assert spent(run) == expected


def test_empty_run(make_run: MakeRun) -> None:
    run = make_run(running=True, configurations=0, baselines=())
    assert all(entry.seconds == 0 for entry in results.time_spent(run, now=STARTED))


def test_what_workers_waited_for_the_fixed_order_has_an_account(make_run: MakeRun) -> None:
    run = make_run()
    assert spent(run)[Account.ORDER] == 0
    with RunStore(run) as store:
        store.put_meta(idle_seconds=12.5)
    assert spent(run)[Account.ORDER] == 12.5
