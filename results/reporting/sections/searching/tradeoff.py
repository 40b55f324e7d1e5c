"""Score against parameters, with the Pareto front."""

from __future__ import annotations

from results.reporting.chart import Axis, Chart, Dots, Line, Panel, Symbol, Tone, View
from results.reporting.document import Section
from results.reporting.facts import Facts
from results.reporting.sections.common import focus, hover, outside
from results.reporting.sections.searching.thinning import drawn_words, thinned
from results.reporting.words import count, number
from results.text import plural
from search.record.configuration import Configuration


def tradeoff(facts: Facts) -> Section | None:
    """The section, or None where no parameters are known or all models are equally large."""
    known = [c for c in facts.scored if c.parameters]
    if len({c.parameters for c in known}) < 2:
        return None
    front = pareto_front(facts, known)
    on_front = {c.id for c in front}
    inner = [c for c in known if c.id not in on_front and not c.baseline]
    drawn = thinned(inner)
    span = focus([c.score or 0.0 for c in known], facts.maximize, [c.score or 0.0 for c in known if c.baseline])
    marks: list[Dots | Line] = [
        _dots(facts, drawn, Tone.SOFT, "configuration"),
        _dots(facts, [c for c in known if c.baseline], Tone.BASELINE, "baseline", Symbol.DIAMOND, 10),
        Line(
            [c.parameters or 0 for c in front],
            [c.score or 0.0 for c in front],
            Tone.ACCENT,
            step=True,
            width=1.5,
        ),
        _dots(facts, front, Tone.ACCENT, "Pareto front", size=9),
    ]
    panel = Panel([m for m in marks if len(m.x)], Axis("parameters", log=True), Axis(facts.objective, span=span))
    chart = Chart(
        "tradeoff",
        _caption(front, outside([c.score or 0.0 for c in known], span)) + drawn_words(len(drawn), len(inner)),
        (View((panel,), height=400),),
    )
    return Section("tradeoff", "Score against size", [chart], "Size")


def _dots(
    facts: Facts,
    found: list[Configuration],
    tone: Tone,
    name: str,
    symbol: Symbol = Symbol.CIRCLE,
    size: float = 7,
) -> Dots:
    return Dots(
        [c.parameters or 0 for c in found], [c.score or 0.0 for c in found], tone, name,
        [f"{hover(facts, c)}\n{count(c.parameters)} parameters" for c in found], symbol, size,
    )  # fmt: skip


def pareto_front(facts: Facts, found: list[Configuration]) -> list[Configuration]:
    """The configurations that no smaller or equally small one beats, smallest first."""
    front: list[Configuration] = []
    by_size = sorted(found, key=lambda c: (c.parameters or 0, -(c.score or 0.0) if facts.maximize else c.score or 0.0))
    for configuration in by_size:
        if not front or facts.better(configuration.score or 0.0, front[-1].score or 0.0):
            front.append(configuration)
    return front


def _caption(front: list[Configuration], left_out: int) -> str:
    small, best = front[0], front[-1]
    if len(front) == 1:
        text = f"{best.name} is both the best and the smallest, with {count(best.parameters)} parameters"
    else:
        factor = (best.parameters or 1) / (small.parameters or 1)
        text = (
            f"{plural(len(front), 'configuration is', 'configurations are')} on the Pareto front: from {small.name} "
            f"with {count(small.parameters)} parameters and {number(small.score)} to {best.name} "
            f"with {factor:.3g} times as many and {number(best.score)}"
        )
    if left_out:
        text += f"; {plural(left_out, 'worse one lies', 'worse ones lie')} outside the picture"
    return text + "."
