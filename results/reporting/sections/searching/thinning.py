"""Fewer points where a page would drown in them."""

from __future__ import annotations

from collections.abc import Sequence

from search.record.configuration import Configuration

MOST_DOTS = 1500
"""Dots of one panel."""


def drawn_words(drawn: int, every: int) -> str:
    """A sentence for the caption of a chart that leaves points out; empty where it does not."""
    return f" {drawn:,} of {every:,} configurations are drawn, the best among them." if drawn < every else ""


def thinned(found: Sequence[Configuration], most: int = MOST_DOTS) -> list[Configuration]:
    """The better half of what fits, and an even choice of the rest.

    Args:
        found: Best first.
        most: How many are kept.
    """
    if len(found) <= most:
        return list(found)
    best, rest = found[: most // 2], found[most // 2 :]
    step = len(rest) / (most - len(best))
    return [*best, *(rest[int(i * step)] for i in range(most - len(best)))]
