"""Questions about all trials of a long run that SQLite answers: nothing is handed over but what is asked for.

All but `survey` build on columns that are sound, and answer what the records in brief would (`search.record`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from search.files.rows import Rows
from search.record.marks import COUNTED, Mark, whole
from search.record.overview import Overview, overview
from search.record.trial import Stop, TrialKind, TrialState

Span = tuple[float, float]
Ranked = tuple[float, ...]

_MARKS = ", ".join(Mark._fields)
_UNUSUAL = "id GLOB '*[^ -~]*' OR (configuration <> id AND configuration GLOB '*[^ -~]*') OR parent GLOB '*[^ -~]*'"
_SEARCH = f"kind = '{TrialKind.SEARCH}'"
_HERE = f"kind <> '{TrialKind.EVIDENCE}'"
_LATE = f"epochs = 0 AND stopped = '{Stop.DEADLINE}' AND {_SEARCH}"
_CONTINUED = f"SELECT configuration FROM trial WHERE configuration <> id AND {_SEARCH}"
_SPECIAL = f"NOT {_SEARCH} OR finished IS NULL OR score = ? OR {_LATE} OR configuration IN ({_CONTINUED})"
"""All but trials of the search that have ended, are not the best, and are the only one of their configuration."""
_END = "coalesce(finished, started + seconds)"
_MOST_SPANS = 20


class Survey(NamedTuple):
    """What one look at all rows of a run tells.

    Attributes:
        damaged: Number of rows whose columns in brief do not hold what they say.
        unusual: Rows whose ids may be no text.
        searched, failed, running: Trials of the search, and how many of them are in these states.
        continued: Those of them that belong to the configuration of another trial.
        epochs: Of all trials but those of another run.
        least, most: Lowest and highest score of the search; None without any.
    """

    damaged: int
    unusual: int
    searched: int
    failed: int
    running: int
    continued: int
    epochs: int
    least: float | None
    most: float | None


_SURVEY = f"""SELECT count(*) FILTER (WHERE ({whole()}) IS NOT TRUE), count(*) FILTER (WHERE {_UNUSUAL}),
    count(*) FILTER (WHERE {_SEARCH}),
    count(*) FILTER (WHERE state = '{TrialState.FAILED}' AND {_SEARCH}),
    count(*) FILTER (WHERE state = '{TrialState.RUNNING}' AND {_SEARCH}),
    count(*) FILTER (WHERE configuration <> id AND {_SEARCH}), coalesce(sum(epochs) FILTER (WHERE {_HERE}), 0),
    min(score) FILTER (WHERE {_SEARCH}), max(score) FILTER (WHERE {_SEARCH}) FROM trial"""


def survey(table: Rows) -> Survey | None:
    """Looks at all trials of a run; None where one of them is damaged: reading it whole tells how."""
    found = table.undamaged(_SURVEY)
    known = None if found is None else Survey(*found[0])
    if known is None or known.damaged:
        return None
    # What cannot be printed may be no text at all: reading it tells.
    if known.unusual and table.undamaged(f"SELECT id, configuration, parent FROM trial WHERE {_UNUSUAL}") is None:
        return None
    return known


def marks(table: Rows, where: str = "TRUE", *given: float | str | None) -> list[Mark] | None:
    """The trials in brief for which a condition holds, in order; None where they cannot be read."""
    rows = table.undamaged(f"SELECT {_MARKS} FROM trial WHERE {where} ORDER BY position", given)
    return None if rows is None else list(map(Mark._make, rows))


def summed_up(table: Rows, known: Survey, direction: str) -> Overview | None:
    """As `search.record.overview.overview`, of which little is left to do; None where it has to look at all trials."""
    best = known.least if direction == "min" else known.most
    few = marks(table, _SPECIAL, best)
    if few is None or not _apart(few):
        return None
    found = overview(few, direction)
    searched = [one for one in few if one.kind == TrialKind.SEARCH]
    finished = [one for one in searched if one.finished is not None and one.score == best]
    counted = [one for one in few if one.id in found.best and one.kind in COUNTED]
    scores = [one.score for one in counted if one.score is not None]
    # A configuration that got worse gives way to one that is none of these few, and so does a trial without an end.
    if best is not None and not (
        finished and scores and (scores[-1] <= best if direction == "min" else scores[-1] >= best)
    ):
        return None
    failed = sum(one.state == TrialState.FAILED for one in searched)
    running = sum(one.state == TrialState.RUNNING for one in searched)
    return replace(
        found,
        done=found.done + known.searched - known.running - (len(searched) - running),
        failed=found.failed + known.failed - failed,
        epochs=known.epochs,
        configurations=found.configurations + known.searched - len(searched),
    )


def _apart(few: Sequence[Mark]) -> bool:
    """Whether no trial of these shares its configuration with one of the others, of which each has its own."""
    searched = {one.configuration for one in few if one.kind == TrialKind.SEARCH}
    others = [one for one in few if one.kind in COUNTED and one.kind != TrialKind.SEARCH]
    return {one.configuration for one in others} <= {one.id for one in others} | searched


def leading(table: Rows, known: Survey, direction: str, top: int, chosen: str) -> list[Mark] | None:
    """The trials in brief of the best configurations of the search, of the chosen one, and of all that have others too.

    None where the scores of configurations are not those of single trials.

    Args:
        table: The rows.
        known: What `survey` gave.
        direction: `min` or `max`, of the objective.
        top: Number of configurations, at least 1; fewer have a score where fewer are given.
        chosen: Id of a trial; empty for none.
    """
    if known.continued:
        return None
    best = f"SELECT position FROM trial WHERE {_SEARCH} AND score IS NOT NULL ORDER BY {_rank(direction)} LIMIT ?"
    others = f"SELECT configuration FROM trial WHERE NOT {_SEARCH} OR id = ?"
    return marks(table, f"position IN ({best}) OR configuration IN ({others})", top, chosen)


def values_by_rank(table: Rows, known: Survey, direction: str) -> list[tuple[str, Ranked]] | None:
    """The values (JSON text) of all configurations, each with its place in the table, those of the search first.

    None where the scores of configurations are not those of single trials.
    """
    if known.continued:
        return None
    rows = table.undamaged(
        f"""SELECT "values", kind = '{TrialKind.BASELINE}', score IS NULL, {_rank(direction)} FROM trial
        WHERE id = configuration AND kind IN ({", ".join(f"'{kind}'" for kind in COUNTED)}) AND NOT ({_LATE})"""
    )
    return None if rows is None else [(row[0], row[1:]) for row in rows]


def _rank(direction: str) -> str:
    """What the best come first by; those without a score stay in the order in which they were asked for."""
    sign = "" if direction == "min" else "-"
    return f"coalesce({sign}score, 0), CASE WHEN score IS NULL THEN 0 ELSE coalesce(parameters, 9e999) END, position"


def first_start(table: Rows, after: float) -> float | None:
    """Unix time at which the first of the run's own trials began that began after another time; None without one."""
    found = table.undamaged(f"SELECT min(started) FROM trial WHERE started > ? AND {_HERE}", (after,))
    return found[0][0] if found else None


def outside(table: Rows, spans: Sequence[Span]) -> list[Mark] | None:
    """Trials in brief that did not begin and end inside of one of the spans (Unix times), and the one that ended last.

    Those of which nothing is recorded yet, and those of another run, are left out. None where they cannot be read.

    Args:
        table: The rows.
        spans: Of more than a few, only the longest are looked at.
    """
    longest = sorted(spans, key=lambda span: span[0] - span[1])[:_MOST_SPANS]
    inside = f" OR (started > ? AND {_END} < ?)" * len(longest)
    last = f"SELECT position FROM trial WHERE seconds IS NOT NULL AND {_HERE} ORDER BY {_END} DESC LIMIT 1"
    where = f"seconds IS NOT NULL AND {_HERE} AND (position = ({last}) OR NOT (FALSE{inside}))"
    return marks(table, where, *(time for span in longest for time in span))
