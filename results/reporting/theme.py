"""Colours of the tones, light and dark: one accent, greys for everything else, green and red for right and wrong."""

from __future__ import annotations

from collections.abc import Mapping

from results.reporting.chart import Symbol, Tone

LIGHT: Mapping[str, str] = {
    "page": "#f7f6f3",
    "surface": "#ffffff",
    "line": "#e4e1da",
    "grid": "#edebe6",
    "muted": "#6d6a64",
    Tone.INK: "#24231f",
    Tone.ACCENT: "#c2570c",
    Tone.SOFT: "#8a94a6",
    Tone.FAINT: "#cfd4dc",
    Tone.BASELINE: "#3b6ea5",
    Tone.GOOD: "#2f7d4f",
    Tone.BAD: "#c0392f",
}

DARK: Mapping[str, str] = {
    "page": "#11151c",
    "surface": "#181d26",
    "line": "#2b323e",
    "grid": "#242b36",
    "muted": "#98a1b0",
    Tone.INK: "#e8eaed",
    Tone.ACCENT: "#f0a04b",
    Tone.SOFT: "#7d8aa0",
    Tone.FAINT: "#3a4454",
    Tone.BASELINE: "#7fb0e6",
    Tone.GOOD: "#6cc493",
    Tone.BAD: "#ef7d74",
}

DASHES = ("dash", "dot", "dashdot", "longdash", "longdashdot", "solid")
"""Dash patterns by number, in Plotly's words."""

SYMBOLS: Mapping[Symbol, tuple[str, str]] = {
    Symbol.CIRCLE: ("circle", "o"),
    Symbol.RING: ("circle-open", "o"),
    Symbol.CROSS: ("x-thin-open", "x"),
    Symbol.DIAMOND: ("diamond", "D"),
    Symbol.STAR: ("star", "*"),
}
"""Plotly's and Matplotlib's words for the shapes."""
