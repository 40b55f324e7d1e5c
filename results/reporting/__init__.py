"""The comparison report of a run: `index.html`, the same as `report.md`, its charts as PNG files, and `next.yaml`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from results.errors import ResultError, not_written
from search.files import atomic, layout
from search.files.rundir import Run, open_run, require_inside
from spaces.basics.printable import writable

if TYPE_CHECKING:
    from results.reporting.facts import Facts

__all__ = ["compare_report", "report"]


def report(run: Run | str | Path, *, png: bool = True, left: Callable[[], float] | None = None) -> Path:
    """Writes the report of a run, finished or not, into its folder `report`.

    It only reads what the run recorded: no model is loaded or evaluated, so that a second report costs the test
    part nothing. The files of an earlier report are replaced.

    Args:
        run: The run or its directory.
        png: Whether the charts are drawn as PNG files too, which `report.md` then shows. They take longer than all
            the rest, and are drawn when it is there.
        left: Tells how many seconds are left; pictures that there is no time for are left out. None: no limit.

    Returns:
        Path of `index.html`, a page that needs no other file and no network.

    Raises:
        RunError: There is no run, or it is damaged.
        ResultError: The report cannot be written.
        DiskError: The disk is full.
    """
    # Imported here: `results` offers this function to commands that must answer at once.
    from results.reporting.compose import compose
    from results.reporting.facts import read_facts
    from results.reporting.files import pictures
    from results.reporting.write.markdown import to_markdown
    from results.reporting.write.page import to_page

    began = time.monotonic()
    with open_run(run).snapshot() as opened:
        require_inside(opened.directory)
        facts = read_facts(opened, time.time())
        document = compose(facts, opened)
        folder = opened.directory / layout.REPORT
        _write(folder, {"index.html": to_page(document), "report.md": to_markdown(document, {})})
        # Whatever may be wrong with the hint for the next night or with a picture, this night's report is there.
        _write(folder, _next_space(facts, opened))
        if png:
            drawn: dict[str, tuple[str, ...]] = {}
            # The first picture loads a library, as the page did.
            for key, files in pictures(document, left, first=time.monotonic() - began):
                _write(folder, files)
                drawn[key] = tuple(files)
            _write(folder, {"report.md": to_markdown(document, drawn)})
        return folder / "index.html"


def compare_report(runs: Sequence[Run | str | Path], output: str | Path) -> Path:
    """Writes one page that holds several runs against each other: their searches, their winners, what they cost.

    Args:
        runs: Two runs or more, or their directories; their spaces and objectives may differ.
        output: The HTML file to write, or a device or a pipe; its folder is made if it is missing.

    Returns:
        Path of the file.

    Raises:
        RunError: One of them is no run, or it is damaged.
        ResultError: Fewer than two runs are given, or the file cannot be written.
        DiskError: The disk is full.
    """
    from results.ranked.formats import replaced_by
    from results.ranked.ranking import as_runs, run_labels
    from results.reporting.comparison.comparing import compare_document
    from results.reporting.facts import read_facts
    from results.reporting.write.page import to_page

    given = as_runs(runs)
    if len(given) < 2:
        raise ResultError("a comparison needs at least two different runs")
    target = Path(output)
    with ExitStack() as stack:
        opened = [stack.enter_context(run.snapshot()) for run in given]
        now = time.time()
        labelled = dict(zip(run_labels(opened), (read_facts(run, now) for run in opened), strict=True))
        page = to_page(compare_document(labelled, opened))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise not_written(target.parent, error) from error
    replaced_by(target, page)
    return target


def _next_space(facts: Facts, run: Run) -> dict[str, str]:
    import spaces
    from results.reporting.sections.advice import NEXT
    from results.verdicts.next_night import next_space

    if facts.spec is None or not facts.searched:
        return {}
    try:
        return {NEXT: next_space(run)}
    except spaces.SpaceError:
        return {}  # A hint for the next night is no reason to go without this night's report.


def _write(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Each file so that a reader finds the old one or the new one, never half of one."""
    try:
        for name, content in files.items():
            # The path of a run need not be UTF-8.
            plain = writable(content).encode() if isinstance(content, str) else content
            atomic.write_bytes(folder / name, plain)
    except OSError as error:
        raise not_written(folder, error) from error
