"""An outline as titles: read from whatever form a model or a user gives it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import cast

MOST = 200
"""Chapters."""
_LONGEST = 120
"""Characters of a title."""
_FEWEST = 2

_CHAPTER = r"(?:(?:chapter|part|section|kapitel|teil|chapitre|partie|cap[ií]tulo|capitolo)\s+)?"
_NUMBERED = re.compile(
    rf"(?:#{{1,6}}\s+)?[*_]{{0,3}}{_CHAPTER}(\d{{1,3}})(?:[.):]|\s+[-\u2013\u2014:])[*_]{{0,3}}\s+(\S.*)", re.IGNORECASE
)
_BULLET = re.compile(r"([-*+•])\s+(\S.*)")
_HEADING = re.compile(r"(#{1,6})\s+(\S.*)")
_BOLD = re.compile(r"(\*\*|__)(.+?)\1")


def titles_in(text: str, *, plain: bool = False) -> tuple[str, ...]:
    """The titles of an outline, in order; none where it holds no list. With `plain`, every line is one then."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("```")]
    for found in (_from_json(text), _numbered(lines), _marked(lines, _HEADING), _marked(lines, _BULLET)):
        titles = cleaned(found)
        if len(titles) >= _FEWEST:
            return titles
    return cleaned([line.strip() for line in lines]) if plain else ()


def cleaned(titles: Sequence[str]) -> tuple[str, ...]:
    """Titles without markup, none of them empty, and not too many."""
    return tuple(title for title in map(_clean, titles) if title)[:MOST]


def _clean(title: str) -> str:
    bold = _BOLD.match(title.strip())
    title = " ".join((bold[2] if bold else title).split()).strip("#*_ ").rstrip(":")
    return title if len(title) <= _LONGEST else title[: title.rfind(" ", 0, _LONGEST)].rstrip(" ,;:")


def _from_json(text: str) -> list[str]:
    start, end = text.find("["), text.rfind("]")
    if not 0 <= start < end:
        return []
    try:
        found: object = json.loads(text[start : end + 1])
    except (ValueError, RecursionError):
        return []
    items = cast("list[object]", found)
    return [item for item in items if isinstance(item, str)]


def _numbered(lines: Sequence[str]) -> list[str]:
    """The lines that count up from 1; a count that begins again is a list within a chapter."""
    titles: list[str] = []
    for line in lines:
        found = _NUMBERED.fullmatch(line.strip())
        if found and int(found[1]) == len(titles) + 1:
            titles.append(found[2])
    return titles


def _marked(lines: Sequence[str], mark: re.Pattern[str]) -> list[str]:
    """The lines with the mark of the highest level that has several."""
    levels: dict[tuple[int, int], list[str]] = {}
    for line in lines:
        found = mark.fullmatch(line.strip())
        if found:
            level = (len(found[1]), len(line) - len(line.lstrip()))
            levels.setdefault(level, []).append(found[2])
    several = [titles for _, titles in sorted(levels.items()) if len(titles) >= _FEWEST]
    return several[0] if several else []
