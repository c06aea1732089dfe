"""A text without what models change when they quote: space, quotation marks, emphasis, accents written in two ways."""

from __future__ import annotations

import re
import unicodedata

from attrs import frozen

_DROPPED = frozenset(
    "\"'`*_\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u2039\u203a\u300c\u300d\u300e\u300f\u200b\ufeff"
)
_RUNS = re.compile(r"\s+|\S")
_SAME = {"\u2013": "-", "\u2014": "-", "\u2011": "-", "\u2010": "-", "\u2212": "-", "\u2026": "..."}
WRAPPERS = {
    '"': '"',
    "'": "'",
    "\u201c": "\u201d",
    "\u2018": "\u2019",
    "\u00ab": "\u00bb",
    "\u201e": "\u201c",
    "`": "`",
}
"""A mark that a quotation may be put into, and the one that ends it."""


@frozen
class Skeleton:
    """What is left of a text, and where in it each character comes from."""

    text: str
    ends: tuple[int, ...]
    """Where the character of the original ends, for each character left."""


def skeleton(text: str) -> Skeleton:
    kept: list[str] = []
    ends: list[int] = []
    for place, character in enumerate(text):
        for part in _plain(character):
            kept.append(part)
            ends.append(place + 1)
    return Skeleton("".join(kept), tuple(ends))


def _plain(character: str) -> str:
    if character.isspace() or character in _DROPPED:
        return ""
    if character < "\x80":
        return character
    base = unicodedata.normalize("NFD", character)
    return "".join(_SAME.get(part, part) for part in base if not unicodedata.combining(part))


def after_match(said: str, quoted: str, *, is_flat: bool) -> int:
    """How much of `said`, which follows a match, still repeats what stands at the end of `quoted` after its last sign.

    Both begin right after the characters that were compared; `is_flat` where ends of lines were written as blanks.
    """
    at = 0
    for run in _RUNS.findall(quoted):
        if run.isspace():
            at += _same_space(run, said[at:], is_flat=is_flat)
            continue
        ahead = len(said) - len(said[at:].lstrip())
        if said[ahead : ahead + 1] == run or (said[ahead : ahead + 1] in _DROPPED and ahead < len(said)):
            at = ahead + 1
    return at


def _same_space(run: str, said: str, *, is_flat: bool) -> int:
    """An odd number of blanks is one in place of other space, and an indent."""
    same = next((size for size in range(len(run), 0, -1) if said.startswith(run[:size])), 0)
    if same or not said[:1].isspace():
        return same
    blanks = len(said) - len(said.lstrip(" "))
    return 1 if is_flat or blanks % 2 or said[0] == "\n" else 0
