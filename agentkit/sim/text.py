"""Text by seed: dice that fall the same way everywhere, tokens, and prose about a shore.

A token is up to 16 characters without white space, with the white space before it; white space at the very end is one
token of its own. A word of the prose is therefore one token, and the tokens of a text add up to it exactly.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")

MAX_WORDS = 100_000
"""The longest text that is made."""

_TOKEN = re.compile(r"\s*\S{1,16}|\s+")
_MASK = (1 << 64) - 1


def tokens(text: str) -> Iterator[str]:
    """The tokens of a text."""
    return (match.group() for match in _TOKEN.finditer(text))


def count_tokens(text: str) -> int:
    """How many tokens a text has."""
    return sum(1 for _ in _TOKEN.finditer(text))


def digest(*parts: object) -> str:
    """32 hexadecimal digits that stand for these values."""
    joined = "\x1f".join(str(part) for part in parts)
    return hashlib.blake2b(joined.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


class Dice:
    """Choices that depend on the seed alone, not on the version of Python."""

    __slots__ = ("_state",)

    def __init__(self, *seed: object) -> None:
        self._state = int(digest(*seed)[:16], 16)

    def below(self, limit: int) -> int:
        """A whole number from 0 to limit - 1."""
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) & _MASK
        return (self._state >> 33) % limit

    def pick(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]


_SUBJECTS = (
    "the keeper",
    "a grey heron",
    "the old lighthouse",
    "a green anemone",
    "the spring tide",
    "a hermit crab",
    "the harbour pilot",
    "a shy blenny",
    "the great lamp",
    "a single limpet",
    "the morning fog",
    "an orange starfish",
    "the ferryman's daughter",
    "a flock of turnstones",
)
_VERBS = (
    "watched",
    "circled",
    "waited for",
    "remembered",
    "followed",
    "measured",
    "outlasted",
    "greeted",
    "counted",
    "drew",
    "listened to",
    "leaned towards",
)
_OBJECTS = (
    "the last ferry",
    "a ring of barnacles",
    "the turning beam",
    "three blue mussels",
    "the cold swell",
    "a drift of kelp",
    "the café lights",
    "an empty shell",
    "the white stairs",
    "a thread of foam",
    "the bell buoy",
    "the naïve young gulls",
    "a seam of salt",
    "the far horizon",
)
_PLACES = (
    "below the rocks",
    "off Ålesund",
    "in the quiet pool",
    "at the foot of the stairs",
    "beyond the sandbar",
    "where the ladder ends",
    "near Cap Gris-Nez",
    "along the breakwater",
    "under the gallery",
    "between two ledges",
    "on the lee side",
    "past the slipway",
)
_TIMES = (
    "before dawn",
    "at slack water",
    "after the storm",
    "in late October",
    "on the longest day",
    "at low water",
    "towards evening",
    "while the kettle sang",
    "that same night",
    "once the wind dropped",
)
_TAILS = (
    "and nobody spoke of it",
    "as it had every spring",
    "though the bell was silent",
    "and the log says no more",
    "which pleased the gulls",
    "so the lamp was lit early",
    "and the pool filled again",
    "for the chart was wrong",
)
_SHORT = ("Silence.", "Night fell.", "The tide turned.", "The lamp burned on.", "Rain came over the bay.")
_LONGEST = 28


def sentence(dice: Dice) -> str:
    """One sentence of at most 28 words."""
    core = f"{dice.pick(_SUBJECTS)} {dice.pick(_VERBS)} {dice.pick(_OBJECTS)}"
    match dice.below(4):
        case 0:
            said = f"{core} {dice.pick(_PLACES)}, {dice.pick(_TAILS)}"
        case 1:
            said = f"{dice.pick(_TIMES)}, {core} {dice.pick(_PLACES)}"
        case 2:
            said = f"{core} {dice.pick(_TIMES)}"
        case _:
            said = f"{core}, {dice.pick(_TAILS)}, {dice.pick(_PLACES)} and {dice.pick(_TIMES)}"
    return said[0].upper() + said[1:] + "."


def prose(words: int, *seed: object) -> str:
    """Exactly so many words, in sentences and paragraphs."""
    return _prose(max(0, min(words, MAX_WORDS)), digest(*seed))


@lru_cache(maxsize=32)
def _prose(words: int, seed: str) -> str:
    dice = Dice(seed)
    made: list[str] = []
    left, in_paragraph = words, 0
    while left > 0:
        said = _fitting(dice, left)
        breaks = in_paragraph >= 4 + dice.below(4)
        made.append(("\n\n" if breaks else " ") + said)
        in_paragraph = 0 if breaks else in_paragraph + 1
        left -= len(said.split())
    return "".join(made)[1:]


def _fitting(dice: Dice, left: int) -> str:
    said = sentence(dice)
    if left > _LONGEST or len(said.split()) <= left:
        return said
    return _SHORT[min(left, 3 + dice.below(3)) - 1]
