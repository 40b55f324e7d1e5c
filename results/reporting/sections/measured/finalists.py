"""Is the winner real? The finalists over fresh seeds, and how much the search flattered them."""

from __future__ import annotations

from dataclasses import dataclass

from results.ranked.finalists import Finalist
from results.ranked.statistics import Interval
from results.reporting.chart import Axis, Chart, Dots, Line, Panel, Symbol, Tone, View
from results.reporting.document import Item, Section, Table, Text
from results.reporting.facts import Facts
from results.reporting.words import DASH, alike, count, distinct, listed, number, signed
from results.text import plural
from spaces.values.metrics import bounds_of

_FAR = 4.0
"""Baselines further away than this many times the span of the finalists are left out of their picture."""

_NOTHING = 1e-9
"""Of a mean, what is left of a difference of 0 by rounding."""


def real(facts: Facts) -> Section | None:
    """The section, or None where nothing was trained again."""
    found = facts.finalists
    if not found:
        return None
    shown = _shown(facts)
    height = 90 + 38 * (len(shown.found) + len(shown.once))
    items: list[Item] = [
        Text(_verdict(facts, found)),
        Chart("finalists", _caption(facts, found, shown), (View((_panel(facts, shown),), height=height),)),
        _table(facts, found),
    ]
    return Section("real", "Is the winner real?", items, "Real?")


@dataclass(frozen=True)
class _Shown:
    """What the picture holds.

    Attributes:
        found: Configurations of the search and baselines that were trained again.
        once: Baselines with one training only: name and score.
        far: Baselines that would squeeze the others into a corner: name and score.
    """

    found: list[Finalist]
    once: list[tuple[str, float]]
    far: list[tuple[str, float]]


def _shown(facts: Facts) -> _Shown:
    baselines = {b.id for b in facts.baselines}
    again = {finalist.configuration for finalist in facts.finalists}
    searched = [f for f in facts.finalists if f.configuration not in baselines] or list(facts.finalists)
    scores = [score for f in searched for score in (*f.scores, f.mean if f.search_score is None else f.search_score)]
    low, high = min(scores), max(scores)
    reach = _FAR * ((high - low) or abs(high) or 1.0)

    def near(score: float) -> bool:
        return low - reach <= score <= high + reach

    once = [(b.name, b.score) for b in facts.baselines if b.score is not None and b.id not in again]
    far = [(f.name, f.mean) for f in facts.finalists if not near(f.mean)] + [one for one in once if not near(one[1])]
    return _Shown([f for f in facts.finalists if near(f.mean)], [one for one in once if near(one[1])], far)


def _panel(facts: Facts, shown: _Shown) -> Panel:
    labels = distinct([*(f.name for f in shown.found), *(name for name, _ in shown.once)], 30)
    rows = list(zip(labels, shown.found, strict=False))
    seeds = [(label, f, k, score) for label, f in rows for k, score in enumerate(f.scores)]
    before = [(label, f.name, f.search_score) for label, f in rows if f.search_score is not None]
    baselines = {b.id for b in facts.baselines}

    def means(baseline: bool, tone: Tone, name: str) -> Dots:
        part = [(label, f) for label, f in rows if (f.configuration in baselines) is baseline]
        told = [f"{f.name}, mean of {plural(f.seeds, 'seed')}\n{number(f.mean)}" for _, f in part]
        return Dots([f.mean for _, f in part], [label for label, _ in part], tone, name, told, Symbol.DIAMOND, 11)

    marks: list[Line | Dots] = [
        *(Line([min(f.scores), max(f.scores)], [label] * 2, Tone.SOFT) for label, f in rows if f.seeds > 1),
        Dots([score for *_, score in seeds], [label for label, *_ in seeds], Tone.SOFT, "each fresh seed",
             [f"{f.name}, seed {k + 1}\n{number(score)}" for _, f, k, score in seeds], size=7),
        Dots([score for *_, score in before], [label for label, *_ in before], Tone.INK, "first training",
             [f"{name}, during the search\n{number(score)}" for _, name, score in before], Symbol.RING, 9),
        means(False, Tone.ACCENT, "mean over seeds"),
        means(True, Tone.BASELINE, "baseline, mean over seeds"),
        Dots([score for _, score in shown.once], labels[len(rows) :], Tone.BASELINE, "baseline, one training",
             [f"{name}\n{number(score)}" for name, score in shown.once], Symbol.RING, 9),
    ]  # fmt: skip
    return Panel([m for m in marks if len(m.x)], Axis(facts.objective), Axis(categories=tuple(labels)))


def _verdict(facts: Facts, found: tuple[Finalist, ...]) -> str:
    first = found[0]
    # It need not be the winner, of whose rivals no final model could be made, or which answers together with others.
    leading = min(found, key=lambda finalist: -finalist.mean if facts.maximize else finalist.mean)
    tied = [finalist for finalist in found[1:] if finalist.tied]
    if len(found) == 1:
        return f"Only {first.name} was trained again, so nothing can be said about who else might have won."
    if not tied and any(finalist.tied is None for finalist in found[1:]):
        if any(finalist.seeds > 1 for finalist in found):
            return (
                f"{leading.name} has the best mean, but the seeds of each finalist scored the same, which says nothing "
                "about how far others would spread; more seeds, or more validation rows, would."
            )
        return (
            f"{leading.name} has the best mean, but with one seed each nobody can say whether the difference is real; "
            "more seeds would."
        )
    if not tied:
        return f"{first.name} is ahead of all other finalists by more than the spread over seeds explains."
    text = f"{listed(finalist.name for finalist in tied)} cannot be told from {first.name} with this many seeds"
    text += f", though the best mean is that of {leading.name}" if leading is not first else ""
    smallest = min([first, *tied], key=lambda f: f.parameters if f.parameters is not None else float("inf"))
    return text + f"; the smallest of them is {smallest.name} with {count(smallest.parameters)} parameters."


def _caption(facts: Facts, found: tuple[Finalist, ...], shown: _Shown) -> str:
    baselines = {b.id for b in facts.baselines}
    # Only the search picked the best of many scores; baselines were not chosen for theirs.
    chosen = [finalist for finalist in found if finalist.configuration not in baselines]
    known = [finalist.optimism(facts.direction) for finalist in chosen]
    gaps = [gap for gap in known if gap is not None]
    text = f"{plural(len(chosen), 'configuration')}"
    text += f" and {plural(len(found) - len(chosen), 'baseline')}" if len(chosen) < len(found) else ""
    # Time may have been too short for all seeds of some.
    fewest, most = min(f.seeds for f in found), max(f.seeds for f in found)
    seeds = plural(most, "fresh seed")
    text += f" trained again with {f'{seeds} each' if fewest == most else f'{fewest} to {seeds}'}"
    if gaps:
        mean = sum(gaps) / len(gaps)
        size = alike(abs(mean), found[0].mean)
        told = f"the search made the configurations look {size} better than they are"
        if abs(mean) <= _NOTHING * abs(found[0].mean):
            told = "the configurations did as well as before"
        elif mean < 0:
            told = f"the configurations did {size} better than before"
        text += f": on average {told}"
    far = [f"{name} ({number(score)})" for name, score in shown.far]
    return text + (f"; {listed(far)} would lie far outside the picture." if far else ".")


def _within(facts: Facts, finalist: Finalist) -> Interval | None:
    """The interval, cut where the metric ends."""
    return None if finalist.interval is None else finalist.interval.within(*bounds_of(facts.metric))


def _table(facts: Facts, found: tuple[Finalist, ...]) -> Table:
    rows = []
    for finalist in found:
        gap = finalist.optimism(facts.direction)
        interval = _within(facts, finalist)
        rows.append((
            finalist.name, number(finalist.search_score), number(finalist.mean), alike(finalist.spread, finalist.mean),
            f"{number(interval.low)} to {number(interval.high)}" if interval else DASH, str(finalist.seeds),
            signed(gap, finalist.mean) if gap is not None else DASH, count(finalist.parameters), finalist.verdict or "",
        ))  # fmt: skip
    columns = (
        "name",
        "search",
        "retrained",
        "spread",
        "95 % interval",
        "seeds",
        "optimism",
        "parameters",
        "verdict",
    )
    return Table(columns, rows, (False, True, True, True, True, True, True, True, False), frozenset({0}))
