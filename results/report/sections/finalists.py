"""Is the winner real? The finalists over fresh seeds, and how much the search flattered them."""

from __future__ import annotations

from results.finalists import Finalist
from results.report.chart import Axis, Chart, Dots, Line, Mark, Panel, Symbol, Tone, View
from results.report.document import Item, Section, Table, Text
from results.report.facts import Facts
from results.report.words import DASH, alike, count, distinct, listed, number, plural, signed
from results.statistics import Interval

_FAR = 4.0
"""Baselines further away than this many times the span of the finalists are left out of their picture."""


def real(facts: Facts) -> Section | None:
    """The section, or None where nothing was trained again."""
    found = facts.finalists
    if not found:
        return None
    items: list[Item] = [
        Text(_verdict(facts, found)),
        Chart(
            "finalists",
            _caption(facts, found),
            (View((_panel(facts, found),), height=90 + 38 * (len(found) + len(_others(facts)[0]))),),
        ),
        _table(facts, found),
    ]
    return Section("real", "Is the winner real?", items, "Real?")


def _others(facts: Facts) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """Baselines with one training only: those that fit beside the finalists, and those that would squeeze them."""
    again = {finalist.configuration for finalist in facts.finalists}
    others = [(b.name, b.score) for b in facts.baselines if b.score is not None and b.id not in again]
    scores = [
        score for finalist in facts.finalists for score in (*finalist.scores, finalist.search_score or finalist.mean)
    ]
    low, high = min(scores), max(scores)
    reach = _FAR * ((high - low) or abs(high) or 1.0)
    near = [(name, score) for name, score in others if low - reach <= score <= high + reach]
    return near, [pair for pair in others if pair not in near]


def _panel(facts: Facts, found: tuple[Finalist, ...]) -> Panel:
    others, _ = _others(facts)
    labels = distinct([*(finalist.name for finalist in found), *(name for name, _ in others)], 30)
    rows = list(zip(labels, found, strict=False))
    seeds = [(label, f, k, score) for label, f in rows for k, score in enumerate(f.scores)]
    searched = [(label, f.name, f.search_score) for label, f in rows if f.search_score is not None]
    marks: list[Mark] = [
        *(Line([min(f.scores), max(f.scores)], [label] * 2, Tone.SOFT) for label, f in rows if f.seeds > 1),
        Dots([score for *_, score in seeds], [label for label, *_ in seeds], Tone.SOFT, "each fresh seed",
             [f"{f.name}, seed {k + 1}\n{number(score)}" for _, f, k, score in seeds], size=7),
        Dots([score for *_, score in searched], [label for label, *_ in searched], Tone.INK, "score of the search",
             [f"{name}, during the search\n{number(score)}" for _, name, score in searched], Symbol.RING, 9),
        Dots([f.mean for f in found], labels[: len(found)], Tone.ACCENT, "mean over seeds",
             [f"{f.name}, mean of {plural(f.seeds, 'seed')}\n{number(f.mean)}" for f in found], Symbol.DIAMOND, 11),
    ]  # fmt: skip
    if others:
        marks.append(
            Dots([score for _, score in others], labels[len(found) :], Tone.BASELINE, "baseline, one training",
                 [f"{name}\n{number(score)}" for name, score in others], Symbol.DIAMOND, 9)
        )  # fmt: skip
    return Panel(marks, Axis(facts.objective), Axis(categories=tuple(labels)))


def _verdict(facts: Facts, found: tuple[Finalist, ...]) -> str:
    first = found[0]
    tied = [finalist for finalist in found[1:] if finalist.tied]
    if len(found) == 1:
        return f"Only {first.name} was trained again, so nothing can be said about who else might have won."
    if all(finalist.tied is None for finalist in found[1:]):
        return (
            f"{first.name} has the best mean, but with one seed each nobody can say whether the difference is real; "
            "more seeds would."
        )
    if not tied:
        return f"{first.name} is ahead of all other finalists by more than the spread over seeds explains."
    text = f"{listed(finalist.name for finalist in tied)} cannot be told from {first.name} with this many seeds"
    smallest = min([first, *tied], key=lambda f: f.parameters if f.parameters is not None else float("inf"))
    return text + f"; the smallest of them is {smallest.name} with {count(smallest.parameters)} parameters."


def _caption(facts: Facts, found: tuple[Finalist, ...]) -> str:
    direction = "max" if facts.maximize else "min"
    gaps = [gap for gap in (finalist.optimism(direction) for finalist in found) if gap is not None]
    text = f"{plural(len(found), 'configuration')} trained again with {plural(found[0].seeds, 'fresh seed')} each"
    if gaps:
        mean = sum(gaps) / len(gaps)
        size = alike(abs(mean), found[0].mean)
        told = f"the search made them look {size} better than they are" if mean > 0 else f"they did {size} better"
        text += f": on average {told}" + ("" if mean > 0 else " than during the search")
    far = [f"{name} ({number(score)})" for name, score in _others(facts)[1]]
    return text + (f"; {listed(far)} would lie far outside the picture." if far else ".")


def _within(facts: Facts, finalist: Finalist) -> Interval | None:
    """The interval, cut where an accuracy ends."""
    interval = finalist.interval
    if interval is None or "accuracy" not in facts.metric:
        return interval
    return Interval(max(0.0, interval.low), min(1.0, interval.high))


def _table(facts: Facts, found: tuple[Finalist, ...]) -> Table:
    direction = "max" if facts.maximize else "min"
    rows = []
    for finalist in found:
        gap = finalist.optimism(direction)
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
