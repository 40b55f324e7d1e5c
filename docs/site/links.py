"""Pages that stand elsewhere in the project: their relative links, as the site has them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping

_LINK = re.compile(r"\[([^\]]*)\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)")


def moved(text: str, source: str, page: str, pages: Mapping[str, str]) -> str:
    """The Markdown text with its relative links set for another place.

    Args:
        text: The page as it stands in the project.
        source: Its path from the project's root.
        page: Its path in the site.
        pages: The path in the site of each file of the project that is a page of it.

    Returns:
        The text; a link to a file that is no page of the site becomes the file's path from the root, in code type.
    """

    def placed(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[2]))
        if target in pages:
            way = posixpath.relpath(pages[target], posixpath.dirname(page) or ".")
            return f"[{match[1]}]({way}{match[3] or ''})"
        return match[1] if match[1].strip("`") == target else f"{match[1]} (`{target}`)"

    return _LINK.sub(placed, text)
