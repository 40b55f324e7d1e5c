"""What a notebook shows of a run: its outcome where it stands, its report inline."""

from __future__ import annotations

import base64
import gzip
import os
from dataclasses import dataclass
from html import escape
from pathlib import Path

from results.notify import headline
from results.ranked.ranking import ranking
from results.reporting import report as write_report
from results.text import cell
from results.watching.progress import status
from search.errors import RunError
from search.files import layout
from search.files.rundir import Run
from spaces.basics.printable import printable, writable

_ROWS, _HYPERPARAMETERS = 10, 8
_COLUMNS = ("rank", "name", "score", "retrained", "test", "epochs", "verdict", "failure")
_PAGE_HEIGHT = 720

# Whole, the page is five megabytes, more than a notebook's server passes on at once.
_UNPACK = (
    "<script>const packed=Uint8Array.from(atob('{content}'),sign=>sign.charCodeAt(0));"
    "new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'))).text()"
    ".then(page=>{{document.open();document.write(page);document.close()}})</script>"
)


@dataclass(frozen=True)
class Page(os.PathLike[str]):
    """The page of a report; a notebook shows it where it stands.

    Attributes:
        path: The file.
    """

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def _repr_html_(self) -> str:
        try:
            written = self.path.read_bytes()
        except OSError as error:
            return _told(f"{self.path}: cannot be read ({error.strerror})")
        content = base64.b64encode(gzip.compress(written, mtime=0)).decode()
        page = escape(_UNPACK.format(content=content), quote=True)
        style = f"width:100%;height:{_PAGE_HEIGHT}px;border:1px solid rgba(128,128,128,0.4)"
        return f'<iframe srcdoc="{page}" style="{style}" title="report"></iframe>'


def report(run: Run, *, png: bool = True) -> Page:
    """Writes the report of a run; arguments and errors are those of `results.report`."""
    return Page(write_report(run, png=png))


def summary(run: Run) -> str:
    """The outcome of a run in a sentence, the best rows of its table, and its report, as HTML.

    Of a run that cannot be read, or is gone, it says why.
    """
    try:
        with run.snapshot() as standing:
            state = status(standing)
            table = ranking(standing, _ROWS).select(top=_ROWS, finalists=True)
    except RunError as error:
        return _told(str(error))
    page = run.directory / layout.REPORT / "index.html"
    reason = state["exit"] or ("goes on" if state["active"] else "was cut off")
    lines = [f"<p><b>{escape(headline(state, reason))}</b><br><code>{escape(str(run.directory))}</code></p>"]
    # A column in which nothing stands says nothing.
    names = [*_COLUMNS, *table.hyperparameters[:_HYPERPARAMETERS]]
    shown = [name for name in names if any(row.get(name) not in (None, "") for row in table.rows)]
    if table.rows:
        head = "".join(f"<th>{escape(name)}</th>" for name in shown)
        body = "".join(
            f"<tr>{''.join(f'<td>{escape(cell(name, row.get(name)))}</td>' for name in shown)}</tr>"
            for row in table.rows
        )
        lines.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    link = f'<a href="{escape(page.as_posix(), quote=True)}" target="_blank">report</a>'
    lines.append(f"<p>{link} · " if page.is_file() else "<p>")
    lines.append("<code>run.table()</code> · <code>run.report()</code> · <code>run.best_model()</code></p>")
    return writable(f"<div>{''.join(lines)}</div>")


def _told(problem: str) -> str:
    """What is wrong: a notebook would show an error as a traceback."""
    return f"<p>{escape(printable(problem))}</p>"
