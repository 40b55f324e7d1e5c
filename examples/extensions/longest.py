"""A section of the report of one's own, and an observer that follows every run.

In a package they are registered by four lines of its pyproject.toml:

    [project.entry-points."nightshift.sections"]
    longest = "longest:longest"
    [project.entry-points."nightshift.trackers"]
    longest = "longest:Follower"
"""

from __future__ import annotations

from pathlib import Path

from results.reporting.document import Section, Text
from results.reporting.facts import Facts
from search.loop.observer import Observer
from search.record.trial import Outcome, Trial


def longest(facts: Facts) -> Section | None:
    """A section of texts, tables and charts; None where there is nothing to say."""
    ended = [trial for trial in facts.trials if trial.outcome is not None]
    if not ended:
        return None
    seconds, slowest = max((trial.outcome.seconds, trial.id) for trial in ended if trial.outcome)
    return Section("longest", "Longest training", [Text(f"Trial {slowest} took {seconds:.1f} s.")], "Longest")


class Follower(Observer):
    """Is told what happens, in the process of the search; made anew for every sitting of a run."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "followed.txt"

    def finished(self, trial: Trial, outcome: Outcome) -> None:
        """A trial's end is committed. What is raised here ends the following, never the run."""
        with self._file.open("a") as stream:
            stream.write(f"{trial.id} {outcome.score}\n")
