"""Is the winner real? The finalists over fresh seeds, and how much the search flattered them."""

from __future__ import annotations

from results.finalists import Finalist
from results.report.chart import Axis, Chart, Dots, Line, Mark, Panel, Symbol, Tone, View
from results.report.document import Item, Section, Table, Text
from results.report.facts import Facts
from results.report.words import DASH, alike, count, listed, number, plural, signed


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
            (View((_panel(facts, found),), height=90 + 38 * _lines(facts)),),
        ),
        _table(facts, found),
    ]
    return Section("real", "Is the winner real?", items, "Real?")


def _lines(facts: Facts) -> int:
    return len(facts.finalists) + len(_others(facts))


def _others(facts: Facts) -> list[tuple[str, float]]:
    """Baselines that were not trained again, with the score of their one training."""
    again = {finalist.configuration for finalist in facts.finalists}
    return [(b.name, b.score) for b in facts.baselines if b.score is not None and b.id not in again]


def _panel(facts: Facts, found: tuple[Finalist, ...]) -> Panel:
    names = [finalist.name for finalist in found]
    seeds = [(score, f.name, k) for f in found for k, score in enumerate(f.scores)]
    searched = [(f.search_score, f.name) for f in found if f.search_score is not None]
    others = _others(facts)
    marks: list[Mark] = [
        *(Line([min(f.scores), max(f.scores)], [f.name] * 2, Tone.SOFT) for f in found if f.seeds > 1),
        Dots([s for s, _, _ in seeds], [n for _, n, _ in seeds], Tone.SOFT, "each fresh seed",
             [f"{n}, seed {k + 1}\n{number(s)}" for s, n, k in seeds], size=7),
        Dots([s for s, _ in searched], [n for _, n in searched], Tone.INK, "score of the search",
             [f"{n}, during the search\n{number(s)}" for s, n in searched], Symbol.RING, 9),
        Dots([f.mean for f in found], names, Tone.ACCENT, "mean over seeds",
             [f"{f.name}, mean of {plural(f.seeds, 'seed')}\n{number(f.mean)}" for f in found], Symbol.DIAMOND, 11),
    ]  # fmt: skip
    if others:
        marks.append(
            Dots([s for _, s in others], [n for n, _ in others], Tone.BASELINE, "baseline, one training",
                 [f"{n}\n{number(s)}" for n, s in others], Symbol.DIAMOND, 9)
        )  # fmt: skip
    return Panel(marks, Axis(facts.objective), Axis(categories=(*names, *(n for n, _ in others))))


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
    known = [(f, f.optimism(direction)) for f in found]
    gaps = [gap for _, gap in known if gap is not None]
    text = f"{plural(len(found), 'configuration')} trained again with {plural(found[0].seeds, 'fresh seed')} each"
    if not gaps:
        return text + "."
    mean = sum(gaps) / len(gaps)
    if mean > 0:
        return f"{text}: on average the search made them look {alike(mean, found[0].mean)} better than they are."
    return f"{text}: on average they did {alike(-mean, found[0].mean)} better than during the search."


def _table(facts: Facts, found: tuple[Finalist, ...]) -> Table:
    direction = "max" if facts.maximize else "min"
    rows = []
    for finalist in found:
        gap = finalist.optimism(direction)
        interval = finalist.interval
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
