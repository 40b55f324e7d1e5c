"""What a search will train if nothing fails: the schedules of the oracles, without Keras Tuner.

Hyperband's schedule follows Li et al., "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization",
JMLR 18 (2018), Algorithm 1, with the rungs spaced so that the shortest training is exactly `min_epochs`.
"""

import math

from spaces.sections.algorithms import PlannedTrials

FACTOR = 3
"""Hyperband keeps one configuration in `FACTOR` from rung to rung."""

FREEZE_THAW_TRAININGS = 10
"""So many full trainings' epochs freeze-thaw plans for where no number of trials is given."""

MOST_PAUSED = 40
"""Configurations that freeze-thaw keeps for going on with, at most."""

MANY_HYPERPARAMETERS = 21
"""From so many on most of them may not matter, and few configurations say little of which ones do."""

_ORDINARY_HYPERPARAMETERS = 7
_STEP = 1.5


def rung_epochs(min_epochs: int, max_epochs: int) -> list[int]:
    """Cumulative epochs of the rungs, ascending, from exactly `min_epochs` to exactly `max_epochs`.

    The rungs are a geometric series whose ratio is as near to `FACTOR` as a whole number of rungs allows:
    3 to 27 gives [3, 9, 27], 1 to 52 gives [1, 3, 7, 19, 52].
    """
    if min_epochs == max_epochs:
        return [max_epochs]
    steps = max(1, round(math.log(max_epochs / min_epochs, FACTOR)))
    ratio = (max_epochs / min_epochs) ** (1 / steps)
    return sorted({round(min_epochs * ratio**step) for step in range(steps + 1)})


def first_size(bracket: int, rungs: int) -> int:
    """Configurations in the first rung of a bracket of a Hyperband schedule with `rungs` rungs.

    `bracket` says how often the bracket halves: from `rungs - 1`, which starts at the shortest training, down to 0,
    random search at full length.
    """
    return -(-rungs * int(FACTOR**bracket) // (bracket + 1))


def next_size(size: int) -> int:
    """Configurations that go on from a rung of `size` configurations."""
    return -(-size // FACTOR)


def first_length(min_epochs: int, max_epochs: int) -> int:
    """Epochs of freeze-thaw's first trainings: a sixteenth of the longest, at least `min_epochs`."""
    return max(min_epochs, round(max_epochs / 16))


def new_length(spent: int, first: int, longest: int, running: int = 0, hyperparameters: int = 0) -> int:
    """Epochs that freeze-thaw gives a new configuration once `spent` epochs were trained: a twentieth of them.

    Over many hyperparameters it is less, in proportion to their number: it takes more configurations to tell anything.

    Args:
        spent: epochs trained so far, those of running trials counted to their end.
        first: shortest length.
        longest: longest length.
        running: trials that run now. Many begin before any has an answer: so that the lengths do not grow ahead of what
            has been learned, each takes a smaller share.
        hyperparameters: that can have more than one value.
    """
    share: float = 20 + 2 * running
    if hyperparameters >= MANY_HYPERPARAMETERS:
        share *= hyperparameters / _ORDINARY_HYPERPARAMETERS
    return min(longest, max(first, round(spent / share)))


def next_length(epochs: int, first: int, longest: int) -> int:
    """The next length of training after `epochs`, on a ladder of steps of one half from `first` to `longest`."""
    rung = first
    while rung <= epochs and rung < longest:
        rung = max(rung + 1, round(rung * _STEP))
    # No last step that is hardly worth an interruption.
    return longest if rung * math.sqrt(_STEP) > longest else rung


def freeze_thaw(first: int, longest: int, max_trials: int | None, hyperparameters: int = 0) -> list[PlannedTrials]:
    """How many trials there are and about how many epochs they take, as if all were new configurations."""
    groups: list[PlannedTrials] = []
    trials = spent = 0
    most_epochs = FREEZE_THAW_TRAININGS * longest
    while spent < most_epochs if max_trials is None else trials < max_trials:
        length, count = new_length(spent, first, longest, hyperparameters=hyperparameters), 1
        if length == longest:
            # They stay as long, however many are left.
            count = -(-(most_epochs - spent) // longest) if max_trials is None else max_trials - trials
        trials, spent = trials + count, spent + count * length
        same = bool(groups) and groups[-1].epochs_to == length
        groups.append(PlannedTrials(count + ((groups.pop().count or 0) if same else 0), 0, length))
    return groups


def hyperband(epochs: list[int], max_trials: int | None, configurations: int | None) -> list[PlannedTrials]:
    """One group per rung of each bracket."""
    groups: list[PlannedTrials] = []
    trials_left = math.inf if max_trials is None else max_trials
    new_left = math.inf if configurations is None else configurations
    while trials_left > 0 and new_left > 0:
        for bracket in reversed(range(len(epochs))):
            size = int(min(first_size(bracket, len(epochs)), new_left))
            new_left -= size
            epochs_from = 0
            for epochs_to in epochs[len(epochs) - 1 - bracket :]:
                count = int(min(size, trials_left))
                trials_left -= count
                if count:
                    groups.append(PlannedTrials(count, epochs_from, epochs_to))
                epochs_from = epochs_to
                size = next_size(size)
        if max_trials is None:
            break
    return groups
