"""Nights in simulated time whose first epochs are cheap once everything is prepared, and whose later ones are dear."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest

import spaces
from search.loop.observer import Observer
from search.phases.winner import final_weights
from search.record.trial import TrialJob, TrialKind
from spaces.families.pretrained import PRETRAINED
from tests.search.simulation import share
from tests.whole_nights import NightExecutor, NightWorld, WholeNight

pytestmark = pytest.mark.usefixtures("tensorflow")  # Keras Tuner, behind the oracles, imports it

FROZEN, LONGEST, HEADS = 3, 6, 20


@dataclass
class PreparedWorld(NightWorld):
    """Heads of a frozen backbone, and the fine-tuning of its last layers.

    Attributes:
        features: Seconds that all rows that train and validate take to pass the backbone.
        tuning: Seconds of an epoch that trains it.
        gain: What fine-tuning adds to the score in the end.
        head: Seconds of an epoch that trains the head alone.
    """

    features: float = 60.0
    tuning: float = 10.0
    gain: float = 0.02
    head: float = 1.0

    def accuracy(self, values: Mapping[str, Any], epoch: int) -> float:
        found = 0.9 - 0.03 * abs(math.log10(values["learning_rate"]) + 2.5) - 0.02 * abs(values["dropout"] - 0.3)
        found += 0.01 * share("noise", dict(values)) - 0.1 * math.exp(-epoch)
        if epoch > FROZEN and values["fine_tune"]:
            found += self.gain * (1 - math.exp(FROZEN - epoch))
        return round(found, 4)


class PreparingExecutor(NightExecutor):
    """Prepares once what the heads and what the fine-tuning needs."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._prepared: set[str] = set()

    def _seconds(self, job: TrialJob, number: int) -> float:
        world = self._world
        seconds = world.tuning if number > FROZEN and job.settings["model"]["fine_tune"] else world.head
        return seconds * world.slowness(job.trial_id)

    def _besides(self, job: TrialJob, number: int) -> float:
        tuned = bool(job.settings["model"]["fine_tune"])
        what = "maps" if number > FROZEN and tuned else "vectors"
        if what in self._prepared:
            return 0.0
        # The first to pass the network takes along what its fine-tuning will need.
        self._prepared |= {what, "maps"} if tuned else {what}
        return self._world.features


@pytest.fixture(autouse=True)
def _simulated(monkeypatch):
    """There is no backbone, no checkpoint and no curve on the disk, and nobody else on the machine."""
    monkeypatch.setattr(type(PRETRAINED), "require", lambda *_: [])
    monkeypatch.setattr("search.phases.proposer._TRIED_FIRST", HEADS)
    monkeypatch.setattr("search.night.session.TensorBoardWriter", lambda *_: Observer())
    monkeypatch.setattr("search.files.checkpoint.intact", lambda *_: True)
    monkeypatch.setattr("search.record.environment.others", lambda _: 0.0)


def night(folder, budget, **world):
    """A night of the shipped space, on digits, which nobody looks at."""
    made = PreparedWorld(**world)
    spec = spaces.load("photos-pretrained", ["data.source=digits"])
    rows = spaces.load_data(spec)
    passed = made.features * len(rows.test) / (len(rows.train) + len(rows.validation))
    # Both ways round.
    made.evaluation = 2 * (1 + 2 * passed)
    lived = WholeNight(folder / "run", spec, made, executor=PreparingExecutor)
    began = lived.clock.now()
    morning = lived.go(budget)
    assert (morning.reason, morning.problems) == ("done", ())
    return lived, lived.clock.now() - began


@pytest.mark.parametrize("features", [60.0, *(pytest.param(one, marks=pytest.mark.night) for one in (30.0, 90.0))])
def test_five_minutes_try_heads_and_end_with_a_fine_tuned_network(tmp_path, features):
    lived, seconds = night(tmp_path, "5m", features=features, tuning=features / 8)
    assert seconds <= 300
    assert sum(t.epochs_from == 0 for t in lived.trials(TrialKind.SEARCH)) >= HEADS
    winner = lived.winner()
    assert final_weights(winner).epoch > FROZEN


@pytest.mark.night
def test_twenty_minutes_tune_the_winner_again_and_to_its_end(tmp_path):
    lived, seconds = night(tmp_path, "20m")
    assert 0.9 * 1200 <= seconds <= 1200
    winner = lived.winner()
    assert (winner.kind, winner.outcome.whole, winner.epochs_to) == (TrialKind.WINNER, True, LONGEST)
    assert sum(len(t.outcome.epochs) > FROZEN for t in lived.trials(TrialKind.CANDIDATE)) >= 2
    tuned = [t for t in lived.trials(TrialKind.SEARCH) if t.epochs_from == FROZEN and t.epochs_to == LONGEST]
    assert len(tuned) >= 6


def test_what_was_never_fine_tuned_is_not_fine_tuned_at_the_end(tmp_path):
    lived, seconds = night(tmp_path, "5m", features=120.0, tuning=200.0)
    assert seconds <= 300
    assert lived.winner().outcome.whole
    tuned = [t for t in lived.trials() if any(epoch.number > FROZEN for epoch in t.outcome.epochs)]
    assert {t.configuration for t in tuned if t.kind is TrialKind.WINNER} <= {
        t.configuration for t in tuned if t.kind is not TrialKind.WINNER
    }


@pytest.mark.night
def test_a_machine_that_takes_most_of_the_time_to_prepare_still_gives_a_model(tmp_path):
    lived, seconds = night(tmp_path, "5m", features=170.0, tuning=60.0)
    assert seconds <= 300
    assert lived.winner().outcome.whole
