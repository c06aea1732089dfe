"""Orders for how a reply is gone on with, where a limit has cut it. Pure parsing, from text to the name of a habit.

    continue badly: NAME            a habit of `agentkit.sim.habits.HABITS`, as "restart" or "remark alone"

Or in words:

    continue word for word          whatever it is asked to repeat first
    continue by repeating           the last characters once more, up to 400
    continue with an echo           what it is asked to repeat first, word for word
    continue with a changed echo    the same with other space, quotation marks or emphasis
    continue with a preamble        a remark, then the last words and the rest
    continue with a remark alone    a remark, then the rest
    continue by restarting          the whole reply from its beginning
    continue in other words         the same, told otherwise
    continue with the fence again   the fence that is open is opened again
    continue by closing the fence   it is closed, and opened again
    continue in a fence             the rest of a JSON document, in a fence of its own
    continue by restarting the json the JSON document from its beginning, written otherwise
    continue with the header again  the header of the table that is open, then its rows
    continue with the word again    the word that was cut, from its beginning
    continue without the space      without the white space that the rest begins with
    continue with silence           nothing, or a blank
    continue in a loop              the last words again and again

It holds for all continuations of the reply, those of a server's own way and those that are asked for. Where a habit
makes no sense, as a fence where none is open, the reply goes on as it should.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from agentkit.sim.habits import HABITS

WORDS: Mapping[str, str] = {
    "exact": "word for word",
    "repeat": "by repeating",
    "echo": "with an echo",
    "echo_changed": "with a changed echo",
    "remark": "with a preamble",
    "remark_alone": "with a remark alone",
    "restart": "by restarting",
    "paraphrase": "in other words",
    "fence_again": "with the fence again",
    "fence_closed": "by closing the fence",
    "fenced": "in a fence",
    "json_restart": "by restarting the json",
    "header_again": "with the header again",
    "word_again": "with the word again",
    "trimmed": "without the space",
    "silence": "with silence",
    "loop": "in a loop",
}
"""After "continue", for each habit."""


def _one_of(phrases: list[str]) -> str:
    """The longest first: one may begin another."""
    return "|".join(re.sub(r"[ _]", r"[\\s_]+", phrase) for phrase in sorted(phrases, key=len, reverse=True))


_HABITS = {words: name for name, words in WORDS.items()} | {name.replace("_", " "): name for name in HABITS}
ORDER = re.compile(
    rf"\bcontinue\s+(?:badly:\s*(?P<name>{_one_of([*HABITS])})|(?P<words>{_one_of([*WORDS.values()])}))\b",
    re.IGNORECASE,
)


def habit_of(found: re.Match[str]) -> str:
    """The habit that an order names."""
    said: str = found["name"] or found["words"]
    return _HABITS[" ".join(said.lower().replace("_", " ").split())]
