"""The report's sections in their order."""

from __future__ import annotations

from shlex import quote

from results.ranked.sample import MOST
from results.reporting.document import Document, Mood, Section, Text
from results.reporting.facts import Facts
from results.reporting.others import others
from results.reporting.sections.advice import advice
from results.reporting.sections.failures import failures
from results.reporting.sections.headline import headline
from results.reporting.sections.measured.classes import classes
from results.reporting.sections.measured.finalists import real
from results.reporting.sections.measured.labels import several_labels
from results.reporting.sections.measured.residuals import residuals
from results.reporting.sections.ranking import ranked_table
from results.reporting.sections.reproduce import reproduce
from results.reporting.sections.searching.curves import curves, fitting
from results.reporting.sections.searching.history import history
from results.reporting.sections.searching.hyperparameters import hyperparameters
from results.reporting.sections.searching.rungs import rungs
from results.reporting.sections.searching.tradeoff import tradeoff
from results.reporting.sections.time import time_spent
from results.reporting.words import moment
from results.text import plural
from results.verdicts.answers import read_answers
from search.files.rundir import Run
from spaces.basics.figures import duration


def compose(facts: Facts, run: Run) -> Document:
    """The whole report of a run."""
    found = [
        real(facts), history(facts), ranked_table(facts, run), curves(facts), *hyperparameters(facts), tradeoff(facts),
        rungs(facts), _final(facts), fitting(facts), failures(facts), time_spent(facts, run), advice(facts),
    ]  # fmt: skip
    sections, last = [section for section in found if section is not None], reproduce(facts)
    return Document(
        title=str(facts.meta["name"] or facts.directory.name),
        status=_status(facts),
        finished=facts.finished,
        summary=_summary(facts),
        headline=headline(facts),
        sections=[*sections, *others(facts, [*sections, last]), last],
        notices=_notices(facts),
    )


def _final(facts: Facts) -> Section | None:
    evaluation = facts.evaluations.get(facts.winner.id) if facts.winner is not None else None
    answers = read_answers(facts.directory, evaluation, facts.info)
    if evaluation is None or answers is None:
        return None
    if facts.multi_label:
        return several_labels(facts, evaluation, answers)
    return (classes if facts.classification else residuals)(facts, evaluation, answers)


def _status(facts: Facts) -> str:
    if facts.finished:
        return "finished"
    return "running" if facts.active else str(facts.meta["exit"] or "cut off")


def _summary(facts: Facts) -> list[str]:
    meta = facts.meta
    data = meta["data"] or {}
    found = [str(meta["algorithm"] or ""), f"data: {data['name']}" if data.get("name") else ""]
    if meta["started"]:
        ran = duration(facts.clock.total)
        found += [f"started {moment(meta['started'])}", f"ran {ran}"]
    return [part for part in found if part]


def _notices(facts: Facts) -> list[Text]:
    found = []
    if not facts.finished:
        found.append(Text(_unfinished(facts), Mood.NOTE))
    if facts.unit == "fold":
        folds = facts.meta["data"]["understood"]["folds"]
        found.append(Text(f"Cross-validation: {folds}. What is counted as epochs below are folds.", Mood.NOTE))
    if facts.sampled:
        found.append(Text(_shown(facts), Mood.NOTE))
    warnings = [event.message for event in facts.events if event.level in ("warning", "error")]
    if warnings:
        found.append(Text(f"{plural(len(warnings), 'warning')}, the last one: {warnings[-1]}", Mood.NOTE))
    return found


def _shown(facts: Facts) -> str:
    return (
        f"This run has {facts.every:,} configurations. The ranked table shows the best {MOST:,}; charts and figures "
        f"describe {len(facts.configurations):,} of them, the very best and an even choice of the others. All are in "
        f"the output of `run-search table {quote(str(facts.directory))} --format csv`."
    )


def _unfinished(facts: Facts) -> str:
    done = len(facts.ended)
    planned = (facts.meta["planned"] or {}).get("trials")
    within = planned is not None and done <= planned
    stage = f"{done} of about {planned} trials done" if within else f"{plural(done, 'trial')} done"
    if facts.meta["phase"] == "final":
        stage = "the search is over, the finalists are being trained again"
    text = f"This run is not finished ({stage})."
    if facts.active:
        return f"{text} Everything below is as of {moment(facts.now)}."
    again = f"run-search resume {quote(str(facts.directory))}"
    return f"{text} Nobody is working on it; `{again}` goes on where it stopped."
