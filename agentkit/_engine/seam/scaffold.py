"""What is said to a model so that it goes on. None of it stays in the history."""

from __future__ import annotations

import unicodedata

from agentkit._engine.seam.overlap import TAIL, overlaps

_SIZES = (60, 100, 160, 240, 400)
"""Characters of a quotation, as many as make it the only one of its kind."""
_GO_ON = (
    "Continue your last reply: it was cut off at its very end. Keep its language and format, and do not comment on "
    "this. If it stopped inside a code block, a table or a JSON document, go on inside it without opening it again. "
)
_STEP = 4


def echo_quote(text: str) -> str | None:
    """The last words, for the model to repeat; None where they are not the only ones of their kind.

    Where the text repeats itself at its end, an echo could not be told from its going on.
    """
    window = text[-TAIL:]
    for size in _SIZES:
        start = _beginning(window, max(0, len(window) - size))
        quote = window[start:]
        if quote.strip() and window.find(quote) == start and not _is_in_step(window[:start], quote):
            return quote
    return None


def _is_in_step(before: str, quote: str) -> bool:
    """What stands before the quotation ends as it does, as where the same is said again and again."""
    signs = "".join(quote.split())
    if any(size > _STEP for size in overlaps(signs, signs)[1:]):
        return True
    return "".join(before[-_STEP * 8 :].split()).endswith(signs[-_STEP:])


def echo_instruction(quote: str) -> str:
    """Asks to go on, beginning with the quotation.

    It stands last and without marks around it: whatever it holds, quotation marks or fences, cannot end it early.
    """
    return (
        f"{_GO_ON}Begin by repeating exactly, character for character, the last words of your reply as they stand "
        f"below, and go on from there in the same line; repeat nothing else.\n\n{quote}"
    )


def plain_instruction() -> str:
    """Asks to go on, without an echo."""
    return (
        f"{_GO_ON}Write only what comes next, from the very next character on, even where that is the middle of a word "
        "or a space; repeat nothing."
    )


def _beginning(window: str, start: int) -> int:
    """The next place where a word begins, if it is near; never within a character."""
    if start == 0:
        return 0
    near = min(len(window), start + _SIZES[0] // 3)
    for place in range(start, near):
        if not window[place - 1].isalnum() and window[place].isalnum():
            return place
    while start < len(window) and _is_part(window, start):
        start += 1
    return start


def _is_part(window: str, place: int) -> bool:
    return unicodedata.category(window[place])[0] == "M" or "\u200d" in window[place - 1 : place + 1]
