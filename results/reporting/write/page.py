"""The report as one HTML page that needs nothing beside it.

The page's policy admits its own two scripts by their digests and nothing else: what a run's names or messages say can
neither run nor fetch anything, even if an escape were missed.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping
from html import escape
from importlib.resources import files
from typing import Any

from results.ranked.formats import finite_only
from results.reporting.document import Document, Headline, Link, Section, Versus
from results.reporting.theme import DARK, LIGHT
from results.reporting.write.items import Charts, item_html

ANCHORS = ("result", "theme", "theme-name", "page-data")
"""Those that the page has besides its sections'."""


def to_page(document: Document) -> str:
    """The text of `index.html`."""
    charts = Charts()
    body = "\n".join(_section(section, charts) for section in document.sections)
    assets = files("results.reporting.write")
    page_script = (assets / "page.js").read_text(encoding="utf-8")
    scripts = [_plotly(), page_script]
    policy = (
        f"default-src 'none'; script-src {' '.join(_digest(script) for script in scripts)}; "
        "style-src 'unsafe-inline'; img-src data: blob:; base-uri 'none'; form-action 'none'"
    )
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>{escape(document.title)} · Nightshift report</title>",
            f"<style>{_colours()}\n{(assets / 'page.css').read_text(encoding='utf-8')}</style>",
            "</head>",
            "<body>",
            _top(document),
            "<main>",
            _intro(document),
            _headline(document.headline),
            body,
            "</main>",
            "<footer>Written by Nightshift from what the run recorded. This page needs no network.</footer>",
            '<noscript><p class="notice">The charts need JavaScript; report.md beside this page has them as '
            "pictures.</p></noscript>",
            _data("page-data", {**charts.collected, "light": LIGHT}),
            *(f"<script>{script}</script>" for script in scripts),
            "</body>",
            "</html>",
            "",
        ]
    )


def section_page(section: Section) -> str:
    """What one section adds to the page: its entry above, its text, and the data of its charts."""
    charts = Charts()
    return _entry(section) + _section(section, charts) + _data("page-data", charts.collected)


def _plotly() -> str:
    # Read as a file: importing plotly.offline takes longer than writing the whole page.
    return (files("plotly") / "package_data" / "plotly.min.js").read_text(encoding="utf-8")


def _digest(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def _data(key: str, data: Any) -> str:
    # A diverged training has losses that are no numbers: its curve has a gap there.
    text = json.dumps(finite_only(data), separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    # Inside a script element only these could end it or begin a comment.
    text = text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")
    return f'<script type="application/json" id="{key}">{text}</script>'


def _colours() -> str:
    def block(colours: Mapping[str, str]) -> str:
        return " ".join(f"--{name}: {value};" for name, value in colours.items())

    light, dark = (f"{{ color-scheme: {name}; {block(c)} }}" for name, c in (("light", LIGHT), ("dark", DARK)))
    return "\n".join(
        [
            f":root {light}",
            f"@media (prefers-color-scheme: dark) {{ :root:not([data-theme=light]) {dark} }}",
            f":root[data-theme=dark] {dark}",
            f"@media print {{ :root, :root[data-theme=dark], :root:not([data-theme=light]) {light} }}",
        ]
    )


def _top(document: Document) -> str:
    links = "".join(map(_entry, document.sections))
    return (
        '<header class="top"><a class="mark" href="#result"><span class="moon" aria-hidden="true"></span>Nightshift</a>'
        f'<nav aria-label="Sections">{links}</nav>'
        '<button id="theme" type="button" title="Switch between light, dark and the system’s theme">'
        '<span id="theme-name">auto</span></button></header>'
    )


def _entry(section: Section) -> str:
    return f'<a href="#{escape(section.key)}">{escape(section.short or section.title)}</a>'


def _intro(document: Document) -> str:
    badge = "finished" if document.finished else "unfinished"
    notices = "".join(f'<p class="notice {notice.mood}">{escape(notice.text)}</p>' for notice in document.notices)
    parts = "".join(f"<span>{escape(part)}</span>" for part in document.summary)
    return (
        f'<div class="intro"><h1>{escape(document.title)}</h1>'
        f'<p class="summary"><span class="badge {badge}">{escape(document.status)}</span>{parts}</p>{notices}</div>'
    )


def _headline(headline: Headline) -> str:
    size = "number" if len(headline.number) <= 8 else "number words"
    interval = f'<p class="interval">{escape(headline.interval)}</p>' if headline.interval else ""
    facts = "".join(f"<div><dt>{escape(n)}</dt><dd>{escape(v)}</dd></div>" for n, v in headline.facts)
    return (
        '<section id="result" class="hero"><div class="hero-main">'
        f'<p class="label">{escape(headline.label)}</p><p class="{size}">{escape(headline.number)}</p>{interval}'
        f'<p class="sentence">{escape(headline.sentence)}</p>{_links(headline.links)}</div>'
        f'<div class="hero-side">{_versus(headline.versus)}<dl class="facts">{facts}</dl></div></section>'
    )


def _links(links: Iterable[Link]) -> str:
    buttons = "".join(
        f'<a class="button" href="{escape(link.target)}">{escape(link.text)}<small>{escape(link.detail)}</small></a>'
        for link in links
    )
    return f'<p class="links">{buttons}</p>' if buttons else ""


def _versus(found: Iterable[Versus]) -> str:
    rows = "".join(
        f'<li><span class="versus-name">{escape(v.name)}</span><span class="versus-score">{escape(v.score)}</span>'
        f'<span class="gain {v.mood}">{escape(v.difference)}</span>'
        f'<span class="verdict">{escape(v.verdict)}</span></li>'
        for v in found
    )
    return f'<h2 class="small">Against the baselines</h2><ul class="versus">{rows}</ul>' if rows else ""


def _section(section: Section, charts: Charts) -> str:
    items = "\n".join(item_html(item, charts) for item in section.items)
    return f'<section id="{escape(section.key)}"><h2>{escape(section.title)}</h2>\n{items}</section>'
