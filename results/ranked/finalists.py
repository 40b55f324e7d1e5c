"""Is the winner real? The configurations that were trained again with fresh seeds, held against the best of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from results.ranked.statistics import Interval, mean, mean_interval, spread, t_probability
from search.record.configuration import configurations, fresh_scores
from search.record.trial import Trial

WINNER = "winner"
TIED = "tied with #1"
SMALLEST = "tied with #1, smallest"
_SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class Finalist:
    """A configuration with its scores over fresh seeds.

    Attributes:
        configuration: Its id.
        name: The baseline's name, else the id.
        parameters: Parameters of the model, if known.
        search_score: The score that chose it, from the search.
        scores: Best objective of each fresh seed.
        mean: Of `scores`.
        spread: Sample standard deviation of `scores`; None for a single seed.
        interval: 95 % interval of the mean; None for a single seed, and where all seeds scored the same.
        tied: Whether it cannot be told from the winner; None for the winner itself, and where too few seeds
            were trained to say, or each configuration's seeds scored the same, as they may on few rows.
        verdict: `winner`, `tied with #1`, `tied with #1, smallest` (of the tied ones, if it is smaller than the
            winner too), or None; None for all while nothing is chosen.
    """

    configuration: str
    name: str
    parameters: int | None
    search_score: float | None
    scores: tuple[float, ...]
    mean: float
    spread: float | None
    interval: Interval | None
    tied: bool | None
    verdict: str | None

    @property
    def seeds(self) -> int:
        """Number of fresh seeds."""
        return len(self.scores)

    def optimism(self, direction: str) -> float | None:
        """How much better the search's score looks than the retrained mean, in units of the objective.

        The search reports the best of many noisy scores, so this is above 0 on average; None without that score.
        """
        if self.search_score is None:
            return None
        return self.search_score - self.mean if direction == "max" else self.mean - self.search_score


def finalists(trials: Iterable[Trial], direction: str, winner: str | None = None) -> list[Finalist]:
    """The retrained configurations, the winner first, then best mean first; equal means by fewer parameters.

    A training that was cut short by time says nothing about its configuration and is left out.
    A configuration is tied with the first one if a one-sided t-test cannot tell their means apart at 5 %. All finalists
    share one estimate of the spread over seeds (two seeds each say next to nothing alone), and the level is divided
    by the number of comparisons. Source: comparisons with the best of Hsu (1984), Annals of Statistics 12, with
    Bonferroni's bound in place of Dunnett's.

    Args:
        trials: All trials of the run.
        direction: `min` or `max`, of the objective.
        winner: Id of the chosen configuration; None while nothing is chosen.
    """
    known = list(trials)
    scores = fresh_scores(known)
    sign = -1.0 if direction == "max" else 1.0
    search = {c.id: c for c in configurations(known)}
    parameters = {c.id: c.parameters for c in search.values()}
    order = sorted(scores, key=lambda c: (c != winner, sign * mean(scores[c]), parameters.get(c) or math.inf))
    tied = _tied([scores[c] for c in order], sign)
    chosen = bool(order) and order[0] == winner
    verdicts = _verdicts(tied, [parameters.get(c) for c in order]) if chosen else [None] * len(order)
    return [
        Finalist(
            configuration=c,
            name=search[c].name if c in search else c,
            parameters=parameters.get(c),
            search_score=search[c].score if c in search else None,
            scores=tuple(scores[c]),
            mean=mean(scores[c]),
            spread=spread(scores[c]),
            interval=mean_interval(scores[c]),
            tied=is_tied,
            verdict=verdict,
        )
        for c, is_tied, verdict in zip(order, tied, verdicts, strict=True)
    ]


def winning_configuration(trials: Iterable[Trial], winner: str | None) -> str | None:
    """The configuration of the trial that the run records as its winner; None while there is none."""
    return next((trial.configuration for trial in trials if trial.id == winner), None)


def _tied(groups: Sequence[Sequence[float]], sign: float) -> list[bool | None]:
    freedom = sum(len(group) - 1 for group in groups)
    if len(groups) < 2 or freedom < 1:
        return [None] * len(groups)
    best = groups[0]
    variance = math.fsum((v - mean(g)) ** 2 for g in groups for v in g) / freedom
    level = _SIGNIFICANCE / (len(groups) - 1)
    found: list[bool | None] = [None]
    for group in groups[1:]:
        gap = sign * (mean(group) - mean(best))
        error = math.sqrt(variance * (1 / len(best) + 1 / len(group)))
        if error > 0:
            found.append(1 - t_probability(gap / error, freedom) >= level)
        else:
            # A spread of nothing is none to hold a difference against.
            found.append(None if gap > 0 else True)
    return found


def _verdicts(tied: Sequence[bool | None], parameters: Sequence[int | None]) -> list[str | None]:
    if not tied:
        return []
    verdicts: list[str | None] = [WINNER, *(TIED if is_tied else None for is_tied in tied[1:])]
    sizes = [math.inf if size is None else size for size in parameters]
    equal = [0, *(i for i, is_tied in enumerate(tied) if is_tied)]
    smallest = min(equal, key=lambda i: sizes[i])
    if smallest != 0:
        verdicts[smallest] = SMALLEST
    return verdicts
