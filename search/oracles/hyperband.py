"""Hyperband."""

from collections.abc import Mapping
from typing import Any

from keras_tuner.engine.trial import Trial, TrialStatus

from ._base import BaseOracle
from ._space import Values
from .plan import first_size, next_size, rung_epochs


class HyperbandOracle(BaseOracle):
    """Starts many configurations with short trainings and goes on with the best third, again and again.

    One iteration runs a bracket for every possible shortest training, from the one that starts at `min_epochs` to
    random search at `max_epochs`. With `max_trials` iterations follow each other until it is reached, and while
    `endless` is true for as long as somebody asks; else there is one. A promotion is a new trial whose values carry
    `tuner/trial_id` (the trial it goes on from), `tuner/initial_epoch`, `tuner/epochs`, `tuner/bracket` and
    `tuner/round`, as in Keras Tuner.

    A configuration is promoted as soon as it is certain to be among the best of its rung, so that workers need not
    wait for the whole rung; a worker for which no promotion is certain opens the next bracket. A failed configuration
    gives its place to a new random one in the first rung, to the next best one above.

    Source: Li et al., JMLR 18 (2018), Algorithm 1; Keras Tuner's `HyperbandOracle` for the names of the values.
    """

    def __init__(self, *, min_epochs: int = 1, max_epochs: int, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._epochs = rung_epochs(min_epochs, max_epochs)
        # Brackets that may still start a trial: {"bracket": halvings, "rungs": [[trial_id, ...], ...]}.
        self._brackets: list[dict[str, Any]] = []
        self._opened = 0
        self._exhausted = False

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        self._brackets = [bracket for bracket in self._brackets if not self._is_complete(bracket)]
        for bracket in self._brackets:
            found = self._next_of(bracket, trial_id)
            if found is not None:
                return found
        again = self.endless or self.max_trials is not None
        while not self._exhausted and (again or self._opened < len(self._epochs)):
            halvings = len(self._epochs) - 1 - self._opened % len(self._epochs)
            self._opened += 1
            bracket = {"bracket": halvings, "rungs": [[] for _ in range(halvings + 1)]}
            self._brackets.append(bracket)
            found = self._next_of(bracket, trial_id)
            if found is not None:
                return found
        return {"status": TrialStatus.IDLE if self.ongoing_trials else TrialStatus.STOPPED}

    def _next_of(self, bracket: dict[str, Any], trial_id: str) -> dict[str, Any] | None:
        rungs, first = bracket["rungs"], len(self._epochs) - 1 - bracket["bracket"]
        for rung, trial_ids in enumerate(rungs):
            sizes = self._sizes(rungs, bracket["bracket"])
            if len(self._standing(trial_ids)) >= sizes[rung]:
                continue
            values = self._promoted(rungs, sizes, rung) if rung else self.new_random()
            if values is None:
                self._exhausted |= rung == 0
                continue
            values["tuner/epochs"] = self._epochs[first + rung]
            values["tuner/initial_epoch"] = self._epochs[first + rung - 1] if rung else 0
            values["tuner/bracket"] = bracket["bracket"]
            values["tuner/round"] = rung
            trial_ids.append(trial_id)
            return {"status": TrialStatus.RUNNING, "values": values}
        return None

    def _promoted(self, rungs: list[list[str]], sizes: list[int], rung: int) -> Values | None:
        """The best configuration of the rung below, if no outstanding result can take its place."""
        below = self._completed(rungs[rung - 1])
        taken = self._taken(rungs[rung])
        waiting = [t for t in below if t.trial_id not in taken]
        outstanding = sizes[rung - 1] - len(below)
        places = sizes[rung] - len(self._standing(rungs[rung]))
        if not waiting or places <= outstanding:
            return None
        best = max(waiting, key=self.better)
        return {**best.hyperparameters.values, "tuner/trial_id": best.trial_id}

    def _sizes(self, rungs: list[list[str]], halvings: int) -> list[int]:
        """Trials that each rung can get: fewer than planned once the space or the rung below is used up."""
        size = first_size(halvings, len(self._epochs))
        sizes = [min(size, len(self._standing(rungs[0]))) if self._exhausted else size]
        for trial_ids in rungs[1:]:
            to_promote = sizes[-1] - len(self._taken(trial_ids))
            sizes.append(min(next_size(sizes[-1]), len(self._standing(trial_ids)) + to_promote))
        return sizes

    def _is_complete(self, bracket: dict[str, Any]) -> bool:
        size = self._sizes(bracket["rungs"], bracket["bracket"])[-1]
        return len(self._completed(bracket["rungs"][-1])) >= size

    def continuable(self) -> set[str]:
        found: set[str] = set()
        for bracket in self._brackets:
            rungs = bracket["rungs"]
            sizes = self._sizes(rungs, bracket["bracket"])
            for rung, trial_ids in enumerate(rungs[:-1]):
                # One that runs may yet fail, and leave its place to the next best.
                if len(self._completed(rungs[rung + 1])) < sizes[rung + 1]:
                    below = {trial.trial_id for trial in self._completed(trial_ids)}
                    found |= below - self._taken(rungs[rung + 1])
        return found

    def _standing(self, trial_ids: list[str]) -> list[Trial]:
        """The trials that have not failed."""
        trials = [self.trials[trial_id] for trial_id in trial_ids]
        return [t for t in trials if t.status not in (TrialStatus.FAILED, TrialStatus.INVALID)]

    def _completed(self, trial_ids: list[str]) -> list[Trial]:
        """Those of them that do not run any more."""
        return [t for t in self._standing(trial_ids) if t.status == TrialStatus.COMPLETED]

    def _taken(self, trial_ids: list[str]) -> set[str]:
        """The trials of the rung below that these trials went on from, failed or not."""
        return {self.trials[trial_id].hyperparameters.values["tuner/trial_id"] for trial_id in trial_ids}

    def has_grown(self) -> None:
        self._exhausted = False

    def memory(self) -> dict[str, Any]:
        brackets = [{**bracket, "rungs": [list(ids) for ids in bracket["rungs"]]} for bracket in self._brackets]
        return {"brackets": brackets, "opened": self._opened, "exhausted": self._exhausted}

    def take_up(self, memory: Mapping[str, Any]) -> None:
        # A trial that was asked for and could not be recorded leaves its place to another one.
        self._brackets = [
            {**bracket, "rungs": [[one for one in ids if one in self.trials] for ids in bracket["rungs"]]}
            for bracket in memory["brackets"]
        ]
        self._opened, self._exhausted = memory["opened"], memory["exhausted"]
