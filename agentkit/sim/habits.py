"""How models go on badly: from a whole reply and the place where it was cut to what a model says next. Pure.

A habit is a function of the whole reply, the cut and a `Whim`. It gives None where it makes no sense: a fence cannot
be opened again where none is open. What is said is the rest of the reply, spoilt in the way of the habit, so that a
perfect join gives the whole reply; `SPOILT` names those that give no rest.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from typing import TypeAlias

from attrs import frozen

MOST_REPEATED = 400
_LETTERS = 12
_FRAGMENT = 3
_LONG_WORD = 20
_LOOP = 6000
_REMARKS = (
    "Sure, here is the rest:",
    "Certainly! Continuing from where I left off:",
    "Here's the continuation:",
    "Continuing the text:",
    "Okay, here is the remaining part.",
    "Of course. Here is the rest of it:",
    "Natürlich, hier ist die Fortsetzung:",
    "Voici la suite :",
    "Claro, aquí continúa el resto:",
    "当然\uff0c以下是余下的内容\uff1a",
    "接着上文继续\uff1a",
    "Конечно, вот продолжение:",
    "بالطبع، إليك بقية النص:",
)
_FENCE = re.compile(r"^[ \t]*(```+|~~~+)([^`\n]*)$", re.MULTILINE)
_WORD = re.compile(r"[^\W\d_]+\Z")
_UNSPACED = "\u2e80"
_SYNONYMS = (
    ("the ", "that "), ("a ", "one "), (" and ", " as well as "), (" was ", " had been "), (" is ", " remains "),
    (" of ", " from "), ("und ", "sowie "), ("der ", "jener "), ("了", "过"), ("的", "之"), (" et ", " ainsi que "),
)  # fmt: skip


@frozen
class Whim:
    """What a habit has to choose from."""

    seed: int
    quote: str = ""
    """What the model was asked to repeat first; nothing where it was not asked."""

    def number(self, *key: object, below: int) -> int:
        raw = hashlib.blake2b(repr((self.seed, *key)).encode(), digest_size=8).digest()
        return int.from_bytes(raw, "big") % below


Habit: TypeAlias = Callable[[str, int, Whim], str | None]


def exact(whole: str, cut: int, whim: Whim) -> str | None:
    """Not a character more or less."""
    return whole[cut:]


def repeat(whole: str, cut: int, whim: Whim) -> str | None:
    """The last characters once more, up to 400; as often as not from the beginning of a word."""
    start = max(0, cut - whim.number("repeat", below=MOST_REPEATED + 1))
    if whim.number("snap", below=2):
        start = _word_start(whole, start)
    return whole[start:]


def echo(whole: str, cut: int, whim: Whim) -> str | None:
    """What the user asked to hear first, word for word."""
    return whim.quote + whole[cut:] if whim.quote else None


def echo_changed(whole: str, cut: int, whim: Whim) -> str | None:
    """The same with other space, quotation marks, emphasis, or in marks of its own."""
    if len(re.findall(r"\w", whim.quote)) < _LETTERS:
        return None
    quote, rest = whim.quote, whole[cut:]
    match whim.number("change", below=6):
        case 0:
            quote = re.sub(r"\s+", " ", quote)
        case 1:
            quote = quote.translate({ord('"'): "\u201d", ord("'"): "\u2019", ord("\u201c"): '"', ord("\u201d"): '"'})
        case 2:
            quote = quote.replace("**", "").replace("`", "").replace("*", "")
        case 3:
            quote = quote.strip()
        case 4:
            quote = '"' + quote.rstrip() + '"' + quote[len(quote.rstrip()) :]
        case _:
            quote = re.sub(r"(\w) (\w)", r"\1  \2", quote, count=3)
    return quote + rest


def remark(whole: str, cut: int, whim: Whim) -> str | None:
    """A remark, then the last words and the rest."""
    again = whim.quote or whole[_word_start(whole, max(0, cut - 40 - whim.number("after", below=160))) : cut]
    return _remark(whim) + again + whole[cut:]


def remark_alone(whole: str, cut: int, whim: Whim) -> str | None:
    """A remark, then the rest."""
    return _remark(whim) + whole[cut:]


def restart(whole: str, cut: int, whim: Whim) -> str | None:
    """The whole reply from its beginning, word for word."""
    return whole


def paraphrase(whole: str, cut: int, whim: Whim) -> str | None:
    """The whole reply from its beginning, in other words."""
    told = whole
    for one, other in _SYNONYMS:
        told = told[:40] + told[40:].replace(one, other)
    return told if told[: cut // 2] != whole[: cut // 2] else None


def fence_again(whole: str, cut: int, whim: Whim) -> str | None:
    """The fence that is open is opened again; as often as not after a remark."""
    fence = open_fence(whole, cut)
    if fence is None or not fence[1]:
        return None
    lead = _remark(whim) if whim.number("lead", below=2) else ""
    return f"{lead}{fence[0]}{fence[1]}\n{whim.quote}{whole[cut:]}"


def fence_closed(whole: str, cut: int, whim: Whim) -> str | None:
    """The fence is closed, and opened again for the rest."""
    fence = open_fence(whole, cut)
    if fence is None or not fence[1]:
        return None
    lead = "" if whole[:cut].endswith("\n") else "\n"
    return f"{lead}{fence[0]}\n\n{_remark(whim)}{fence[0]}{fence[1]}\n{whim.quote}{whole[cut:]}"


def fenced(whole: str, cut: int, whim: Whim) -> str | None:
    """The rest of a bare JSON document, in a fence of its own."""
    if not is_json(whole):
        return None
    return f"```json\n{whim.quote}{whole[cut:]}\n```\n"


def json_restart(whole: str, cut: int, whim: Whim) -> str | None:
    """The JSON document from its beginning, written with other space where that is possible."""
    if not is_json(whole):
        return None
    value = json.loads(whole)
    return json.dumps(value, ensure_ascii=False, indent=None if "\n" in whole.strip() else 2)


def header_again(whole: str, cut: int, whim: Whim) -> str | None:
    """The header of the table that is open, then the rest of its rows."""
    lines = whole[:cut].split("\n")
    if lines[-1] or not lines[-2:][0].startswith("|"):
        return None
    rule = next((place for place in range(len(lines) - 2, 0, -1) if re.fullmatch(r"\|[-| :]+", lines[place])), 0)
    if not rule or not all(line.startswith("|") for line in lines[rule:-1]) or not whole[cut:].startswith("|"):
        return None
    return "\n".join(lines[rule - 1 : rule + 1]) + "\n" + whole[cut:]


def word_again(whole: str, cut: int, whim: Whim) -> str | None:
    """The word that was cut, from its beginning."""
    found = _WORD.search(whole, max(0, cut - _LONG_WORD), cut)
    if whim.quote or found is None or not whole[cut : cut + 1].isalpha() or whole[cut] >= _UNSPACED:
        return None
    if cut - found.start() < _FRAGMENT or unicodedata.category(whole[found.start() - 1])[0] == "M":
        return None
    return whole[found.start() :]


def trimmed(whole: str, cut: int, whim: Whim) -> str | None:
    """Without the whitespace that the rest begins with."""
    return (whim.quote + whole[cut:]).lstrip() if whole[cut : cut + 1].isspace() else None


def silence(whole: str, cut: int, whim: Whim) -> str | None:
    """Nothing, or a blank."""
    return "" if whim.number("silence", below=2) else "\n"


def loop(whole: str, cut: int, whim: Whim) -> str | None:
    """The last words again and again."""
    said = whole[max(0, cut - 8 - whim.number("loop", below=60)) : cut]
    return whim.quote + said * (_LOOP // max(1, len(said)))


HABITS: Mapping[str, Habit] = {
    habit.__name__: habit
    for habit in (
        exact, repeat, echo, echo_changed, remark, remark_alone, restart, paraphrase, fence_again, fence_closed, fenced,
        json_restart, header_again, word_again, trimmed, silence, loop,
    )
}  # fmt: skip
"""By the name that an order can use."""

SPOILT = frozenset({"paraphrase", "silence", "loop"})
"""Habits that give no rest: no join can come to the whole reply."""


def open_fence(whole: str, cut: int) -> tuple[str, str] | None:
    """Mark and info string of the fence that is open at the cut."""
    fence: tuple[str, str] | None = None
    for found in _FENCE.finditer(whole[: whole.rfind("\n", 0, cut) + 1]):
        mark, info = found[1], found[2].strip()
        if fence is None:
            fence = (mark, info)
        elif mark.startswith(fence[0]) and not info:
            fence = None
    return fence


def is_json(whole: str) -> bool:
    """The whole reply is one JSON document."""
    if whole.lstrip()[:1] not in ("{", "["):
        return False
    try:
        json.loads(whole)
    except ValueError:
        return False
    return True


def _remark(whim: Whim) -> str:
    return _REMARKS[whim.number("remark", below=len(_REMARKS))] + ("\n\n" if whim.number("gap", below=2) else "\n")


def _word_start(whole: str, place: int) -> int:
    while place > 0 and whole[place - 1].isalnum():
        place -= 1
    return place
