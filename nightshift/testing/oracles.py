"""What a search algorithm has to keep to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from search.oracles import notes
from search.record import jsondata
from spaces.sections.algorithms import Algorithm

_AT_ONCE = 3
_SHORTEST, _LONGEST = 1, 3


def check_oracle(algorithm: Algorithm, *, trials: int = 12) -> None:
    """An algorithm's oracle gives the same proposals for the same seed, repeats none, and goes on from its memory.

    Also: a proposal that is taken back leaves nothing behind, and its memory can be kept. It proposes as much as its
    plan says, whatever fails and whatever else is running, goes on from no trial that has failed, and proposes nothing
    that is not allowed. If it decides how long trainings are, it asks for epochs that are allowed, and goes on from
    what it has named as `continuable`; if it takes evidence, it does.

    Args:
        algorithm: What is checked; the space has 20 configurations.
        trials: So many are asked for.
    """
    name = algorithm.name
    first, second = (_Search(algorithm).go(trials).proposed for _ in range(2))
    assert first == second, f"{name}: equal seeds and results gave other proposals"
    half = _Search(algorithm).go(trials // 2)
    continued = half.interrupted().go(trials - len(half.proposed)).proposed
    assert first == continued, f"{name}: going on from its memory gave other proposals"
    hesitant = _Search(algorithm)
    for _ in range(trials):
        hesitant.take_back()
        hesitant.go(1)
    assert first == hesitant.proposed, f"{name}: what was proposed and taken back made later proposals others"
    _check_new(name, first)
    _check_number(algorithm, first, trials, "")
    _check_failures(algorithm, trials)
    # Keras Tuner takes out what is not active: two that differ in nothing else are the same.
    _check_new(name, _Search(algorithm, _conditional()).go(trials // 2).proposed)
    _check_at_once(algorithm)
    if algorithm.takes_evidence:
        _check_evidence(algorithm)
    allowed = _Search(algorithm)
    allowed.oracle.only(lambda values: values["units"] <= 5)
    wrong = [values for values, _ in allowed.go(trials // 2).proposed if values["units"] > 5]
    assert not wrong, f"{name}: proposed {wrong}, which is not allowed, although other configurations are"


def _check_new(name: str, proposed: list[tuple[dict[str, Any], Any]]) -> None:
    new = [tuple(sorted(values.items())) for values, parent in proposed if parent is None]
    assert len(new) == len(set(new)), f"{name}: proposed a configuration twice"


def _check_number(algorithm: Algorithm, proposed: list[Any], trials: int, when: str) -> None:
    """Those that decide on lengths may find that fewer are enough; what they plan is about right only."""
    plan = algorithm.plan(
        min_epochs=_SHORTEST, max_epochs=_LONGEST, max_trials=None, configurations=20, hyperparameters=2
    )
    planned = [group.count for group in plan]
    least = 1 if algorithm.multi_fidelity else min(trials, sum(count or trials for count in planned))
    assert len(proposed) >= least, f"{algorithm.name}: stopped after {len(proposed)} of {least} trials{when}"


def _check_failures(algorithm: Algorithm, trials: int) -> None:
    search = _Search(algorithm, fails=lambda number: number % 3 == 1).go(trials)
    _check_number(algorithm, search.proposed, trials, ", some of which failed")
    _check_new(algorithm.name, search.proposed)
    built_on = {parent for _, parent in search.proposed} & search.failed
    assert not built_on, f"{algorithm.name}: goes on from trials that failed: {', '.join(sorted(built_on))}"
    search = _Search(algorithm, fails=lambda number: True).go(trials)
    _check_number(algorithm, search.proposed, trials, ", all of which failed")


def _check_at_once(algorithm: Algorithm) -> None:
    search = _Search(algorithm)
    begun = [trial for worker in range(_AT_ONCE) if (trial := search.ask(f"worker-{worker}")) is not None]
    _check_number(algorithm, begun, _AT_ONCE, f", asked for {_AT_ONCE} at once")
    _check_new(algorithm.name, search.proposed)
    for trial in reversed(begun):
        search.tell(trial)
    search.go(_AT_ONCE)
    _check_new(algorithm.name, search.proposed)


def _check_evidence(algorithm: Algorithm) -> None:
    search = _Search(algorithm)
    add_evidence = getattr(search.oracle, "add_evidence", None)
    assert callable(add_evidence), f"{algorithm.name}: takes evidence, but its oracle has no add_evidence"
    # A configuration, its objective after each epoch, and the seconds of one, where these are known.
    for seconds in (None, 0.5):
        add_evidence({"units": 3, "optimizer": "sgd"}, [0.5, 0.25], seconds)
    _check_number(algorithm, search.go(_AT_ONCE).proposed, _AT_ONCE, ", after it was given evidence")


@dataclass
class _Search:
    """An oracle that is asked and told.

    Attributes:
        algorithm: Its algorithm.
        space: What may be tried; None: 20 configurations of two values.
        fails: Whether the trial of a number, from 0 on, fails.
        proposed: The values of each trial, and the trial that it goes on from.
        failed: Ids of the trials that have failed.
        kept: Ids of the trials whose checkpoints a run would still have.
        logged: What its memory has had under `log` so far, each entry as it is stored.
    """

    algorithm: Algorithm
    space: Any = None
    fails: Callable[[int], bool] = lambda number: False
    proposed: list[tuple[dict[str, Any], Any]] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    kept: set[str] = field(default_factory=set)
    logged: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        from search.oracles import BaseOracle

        space = _plain() if self.space is None else self.space
        self.oracle = self.algorithm.oracle(
            hyperparameters=space,
            objective="val_loss",
            min_epochs=_SHORTEST,
            max_epochs=_LONGEST,
            max_trials=None,
            seed=3,
        )
        assert isinstance(self.oracle, BaseOracle), (
            f"{self.algorithm.name}: its oracle is {type(self.oracle).__name__}, no search.oracles.BaseOracle"
        )

    def go(self, count: int) -> _Search:
        """Runs at most so many trials, one after the other."""
        for _ in range(count):
            trial = self.ask("tuner")
            if trial is None:
                break
            self.tell(trial)
        return self

    def interrupted(self) -> _Search:
        """The same search in another process, which has the trials and the oracle's memory."""
        other = _Search(
            self.algorithm, self.space, self.fails, list(self.proposed), set(self.failed), set(self.kept), self.logged
        )
        other.oracle.trials.update(self.oracle.trials)
        other.oracle.recall(self.memory())
        return other

    def take_back(self) -> None:
        """Asks for a trial that is not begun, as a run does that has no time left for it."""
        known, before = set(self.oracle.trials), self.memory()
        self.oracle.create_trial("hesitant")
        notes.drop(self.oracle, "hesitant", known)
        notes.recall(self.oracle, before)

    def memory(self) -> dict[str, Any]:
        """What the oracle knows besides its trials, as a run's store gives it back."""
        name, known = self.algorithm.name, dict(self.oracle.memory())
        log = known.get("log", [])
        assert isinstance(log, list), f"{name}: under log its memory has {type(log).__name__}, no list"
        try:
            stored: dict[str, Any] = jsondata.loads(jsondata.dumps(known))
        except (TypeError, ValueError, RecursionError) as error:
            raise AssertionError(f"{name}: its memory is no plain data ({type(error).__name__}: {error})") from error
        # As text, in which a score that is NaN is like itself.
        logged = [*map(jsondata.dumps, stored.get("log", []))]
        assert logged[: len(self.logged)] == self.logged, f"{name}: the log in its memory has not only grown"
        self.logged = logged
        return stored

    def ask(self, worker: str) -> Any:
        """The next trial; None where there is none now."""
        from keras_tuner.engine.trial import TrialStatus

        running = bool(self.oracle.ongoing_trials)
        trial = self.oracle.create_trial(worker)
        waits = trial.status == TrialStatus.IDLE and not running
        assert not waits, f"{self.algorithm.name}: waits for other trials although none is running"
        if trial.status != TrialStatus.RUNNING:
            return None
        values: Mapping[str, Any] = trial.hyperparameters.values
        if self.algorithm.multi_fidelity:
            begun, ends = values.get("tuner/initial_epoch", 0), values.get("tuner/epochs")
            assert ends in range(max(begun + 1, _SHORTEST), _LONGEST + 1), (
                f"{self.algorithm.name}: decides how long trainings are, and asked for epochs {begun} to {ends}; "
                f"allowed: tuner/epochs of {_SHORTEST} to {_LONGEST}, above tuner/initial_epoch"
            )
            parent = values.get("tuner/trial_id")
            assert parent is None or parent in self.kept | self.failed, (
                f"{self.algorithm.name}: goes on from trial {parent}, which `continuable` did not name all the time "
                "since it ended: its checkpoint would be gone"
            )
        plain = {name: value for name, value in values.items() if not name.startswith("tuner/")}
        self.proposed.append((plain, values.get("tuner/trial_id")))
        return trial

    def tell(self, trial: Any) -> None:
        """Ends a trial."""
        from keras_tuner.engine.trial import TrialStatus

        values = trial.hyperparameters.values
        trial = self.oracle.trials[trial.trial_id]
        if self.fails(list(self.oracle.trials).index(trial.trial_id)):
            self.failed.add(trial.trial_id)
            trial.status = TrialStatus.FAILED
        else:
            for epoch in range(values.get("tuner/epochs", 1)):
                loss = 1.0 / (values.get("units", 1) + epoch)
                self.oracle.update_trial(trial.trial_id, {"val_loss": loss}, step=epoch)
            trial.status = TrialStatus.COMPLETED
        self.oracle.end_trial(trial)
        self.kept = (self.kept | {trial.trial_id}) & set(self.oracle.continuable())
        self.memory()


def _plain() -> Any:
    import keras_tuner

    space = keras_tuner.HyperParameters()
    space.Int("units", 1, 10)
    space.Choice("optimizer", ["sgd", "adam"])
    return space


def _conditional() -> Any:
    import keras_tuner

    space = keras_tuner.HyperParameters()
    space.Choice("kind", ["plain", "wide"])
    with space.conditional_scope("kind", ["plain"]):
        space.Int("units", 1, 10)
    with space.conditional_scope("kind", ["wide"]):
        space.Boolean("bias")
    return space
