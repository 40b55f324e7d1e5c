"""What a night ends with, however it ends: the model exported, the report written, the user's command called."""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from shlex import quote
from typing import Any

from results.notify import call, variables
from results.watching.ledger import Account, booked
from search.budget import Budget
from search.errors import DiskError, RunError
from search.files import layout
from search.files.lock import RunLock, holder, is_held
from search.files.log import Log
from search.files.rundir import Run
from search.files.store import RunStore
from search.record import environment
from spaces import CodeError, DataError, SpaceError

# What a report without pictures takes on an idle machine.
_REPORT_SECONDS = 4.0
# The user's command and the table come after the last picture, on an idle machine.
_END_SECONDS = 1.5

Say = Callable[[str], None]
Left = Callable[[], float]


@dataclass(frozen=True)
class Morning:
    """What a night has left.

    Attributes:
        run: The run.
        reason: `done`, `interrupted` or `failed`.
        headline: The outcome in one sentence.
        page: The report's page, or None if there is none.
        problems: What went wrong after the search, a sentence each.
    """

    run: Run
    reason: str
    headline: str
    page: Path | None
    problems: tuple[str, ...]


def night(
    train: Callable[[], Run],
    directory: Path,
    budget: Budget | None = None,
    *,
    on_finish: str | None = None,
    say: Say = lambda _: None,
    export: Callable[..., Any] | None = None,
    report: Callable[..., Path] | None = None,
) -> Morning:
    """A whole night: the search and everything that follows it.

    Whatever goes wrong once there is a run, the report and the call of the user's command are still tried.

    Args:
        train: Searches, retrains and evaluates, such as a call of `search.run`.
        directory: The run directory that it works on.
        budget: The time for everything; None: no limit.
        on_finish: A shell command to call at the end, see `results.notify.variables`; None: none.
        say: Is told, a line each, what was written.
        export: Stands in for `results.export`.
        report: Stands in for `results.report`.

    Raises:
        Exception: What `train` raises, once everything else is done.
    """
    budget = budget or Budget()
    steps = _Steps(directory, budget, say, export or _export, report or _report)
    try:
        run = train()
    except BaseException as error:
        refused = isinstance(error, SpaceError | DataError | RunError)
        told = str(error) if refused or isinstance(error, CodeError) else ""
        interrupted = isinstance(error, KeyboardInterrupt)
        page: Path | None = None
        if layout.is_run(directory) and not (refused or interrupted):
            # Whoever does not wait for the page hears of the end all the same.
            with contextlib.suppress(KeyboardInterrupt):
                page = steps.report()
        if not (refused and _is_anothers(directory)):
            reason = "interrupted" if interrupted else "failed"
            _finish(directory, budget, reason, page, steps.problems, on_finish, told)
        raise
    with run.read() as reader:
        reason = str(reader.meta("exit"))
    if reason != "done":
        return _finish(run.directory, budget, reason, None, steps.problems, on_finish)
    try:
        with _held(directory):
            steps.export()
            page = steps.report()
            steps.end()
    except KeyboardInterrupt:
        _finish(run.directory, budget, "interrupted", None, steps.problems, on_finish)
        raise
    return _finish(run.directory, budget, "failed" if steps.problems else reason, page, steps.problems, on_finish)


class _Steps:
    """Export and report, each of which may go wrong without taking the other with it."""

    def __init__(
        self, directory: Path, budget: Budget, say: Say, export: Callable[..., Any], report: Callable[..., Path]
    ) -> None:
        self._directory = directory
        self._budget = budget
        self._to = say
        self._export = export
        self._report = report
        self.problems: list[str] = []

    def export(self) -> None:
        with self._step("export", Account.EXPORT):
            done = self._export(self._directory, left=self._left, reserve=_REPORT_SECONDS)
            for file in done.files:
                (self._say if file.failure is None else self._problem)(file.told(done.rows))
            for name, reason in done.unfit:
                self._say(f"{name}: left out: {reason}")
            if done.left_out:
                formats = ",".join(name for name in done.left_out if name != "serve")
                again = f" --formats {formats}" * bool(formats) + " --serve" * ("serve" in done.left_out)
                self._say(
                    f"left out for want of time: {','.join(done.left_out)}; to make up for it: "
                    f"run-search export {quote(str(self._directory))}{again}"
                )

    def report(self) -> Path | None:
        with self._step("report", Account.REPORT):
            self._report(self._directory, left=self._left)
        page = self._directory / layout.REPORT / "index.html"
        return page if page.is_file() else None

    def _left(self) -> float:
        left = self._budget.left
        return math.inf if left is None else left - environment.slowness(1) * _END_SECONDS

    def end(self) -> None:
        """Nothing more follows: the run is done."""
        self._note(None, "done, with problems" if self.problems else "done")

    @contextlib.contextmanager
    def _step(self, name: str, account: Any) -> Any:
        self._note(name, f"phase {name}")
        try:
            with booked(self._directory, account, self._budget.clock):
                yield
        except (Exception, SystemExit) as error:
            # A layer of the user's may want to end the process.
            expected = type(error).__module__.split(".")[0] in ("results", "search", "spaces")
            self._problem(f"{name}: {error}" if expected else f"{name}: unexpected {type(error).__name__}: {error}")

    def _say(self, text: str) -> None:
        # A terminal that is gone takes nothing with it.
        with contextlib.suppress(OSError):
            self._to(text)

    def _note(self, step: str | None, line: str) -> None:
        """For those who look at the run meanwhile; without it the night is as good."""
        with contextlib.suppress(DiskError, RunError, OSError):
            with RunStore(self._directory) as store:
                store.put_meta(morning=step)
            log = Log(self._directory, self._budget.clock)
            log.line(line)
            log.close()

    def _problem(self, text: str) -> None:
        self.problems.append(text)
        self._say(text)
        # A disk that is full has no room for the record either.
        with contextlib.suppress(DiskError, RunError), RunStore(self._directory) as store:
            store.add_event(self._budget.clock.now(), "error", text)


def _is_anothers(directory: Path) -> bool:
    """Whether another process works on the run, which has not ended for that."""
    locked_by = holder(directory)
    return is_held(directory) and (locked_by is None or locked_by.pid != os.getpid())


@contextlib.contextmanager
def _held(directory: Path) -> Iterator[None]:
    """Holds the run while something is done with it, for those who ask whether it is worked on."""
    with contextlib.ExitStack() as stack:
        # On a full disk, or where somebody else has begun with it, the morning comes all the same.
        with contextlib.suppress(RunError, DiskError):
            stack.enter_context(RunLock(directory))
        yield


def _finish(
    directory: Path,
    budget: Budget,
    reason: str,
    page: Path | None,
    problems: list[str],
    on_finish: str | None,
    why: str = "",
) -> Morning:
    left = budget.left
    late = -left if left is not None and left < 0 else 0.0
    run = Run(directory)
    told = variables(run, reason, page, late=late, why=why)
    if on_finish is not None:
        call(on_finish, told)
    return Morning(run, reason, told["NIGHTSHIFT_HEADLINE"], page, tuple(problems))


def _export(directory: Path, left: Left, reserve: float) -> Any:
    import results

    return results.export(directory, left=left, reserve=reserve)


def _report(directory: Path, left: Left) -> Path:
    import results

    return results.report(directory, left=left)
