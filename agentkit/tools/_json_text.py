"""JSON out of what a model says: where a document begins, and what it comes to. May hold no more than that.

Models talk: they put a fence around a document, or a sentence before and after it. Such things are passed over. The
document itself is read as it stands; what is broken, cut or said twice is refused and never mended.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, NoReturn

_BLANKS = r"[ \t\r\n]{0,64}"
_WORDS = "|".join(word[:size] for word in ("true", "false", "null") for size in range(len(word), 0, -1))

OPENING = re.compile(rf'\{{(?={_BLANKS}["}}])|\[(?=\]|{_BLANKS}(?:["{{\[]|-?[0-9]|(?:true|false|null)[ \t\r\n,\]]))')
"""A bracket that begins a document, and not a remark such as [sic] or a box to be ticked."""
MAY_OPEN = re.compile(rf"(?:\{{{_BLANKS}|\[{_BLANKS}(?:-|{_WORDS})?)\Z")
"""A bracket near the end of a text, of which what follows has to tell."""

_FENCE = re.compile(r"```[\w+-]{0,16}[ \t]{0,16}\r?\n")
_KEY_BEFORE = re.compile(r'"[ \t\r\n]{0,64}:\Z')
_KEY_AFTER = re.compile(rf'{_BLANKS}(?::|,{_BLANKS}")')
_MOST_BEFORE = 80


class NotJson(ValueError):
    """There is no such document. The message is meant for the model."""


def document_in(text: str) -> Any:
    """The value of the only JSON document in a text.

    Raises:
        NotJson: there is none, there are several, or it is broken.
    """
    bare = _unfenced(text.removeprefix("\ufeff").strip())
    try:
        return _DECODER.decode(bare)
    except json.JSONDecodeError as error:
        return _found(bare, error)
    except RecursionError:
        raise NotJson("the JSON is nested too deeply") from None


def scalar(text: str) -> Any:
    """The value of a number, or of true, false or null.

    Raises:
        ValueError: it is none of these.
    """
    return _DECODER.decode(text)


def _unfenced(text: str) -> str:
    opening = _FENCE.match(text)
    return text[opening.end() : -3].strip() if opening and text.endswith("```") else text


def _found(text: str, error: json.JSONDecodeError) -> Any:
    """The document among other words."""
    opening = OPENING.search(text)
    if opening is None:
        raise NotJson(_said(error, text) if text.startswith(("{", "[", '"')) else "there is no JSON in the reply")
    place = opening.start()
    try:
        value, end = _DECODER.raw_decode(text, place)
    except json.JSONDecodeError as problem:
        raise NotJson(_said(problem, text)) from None
    except RecursionError:
        raise NotJson("the JSON is nested too deeply") from None
    if not _stands_alone(text[:place], text[end:]):
        is_inside = place > 0 and text[0] in "{["
        raise NotJson(_said(error, text) if is_inside else "there are brackets or keys outside of the JSON")
    if OPENING.search(text, end):
        raise NotJson("there is more than one JSON document in the reply; it has to be exactly one")
    return value


def _stands_alone(before: str, after: str) -> bool:
    """A document within something broken is not what was meant, even where it is whole itself."""
    closed = all(side.count(a) == side.count(b) for side in (before, after) for a, b in ("{}", "[]"))
    return closed and not _KEY_BEFORE.search(before[-_MOST_BEFORE:].rstrip()) and not _KEY_AFTER.match(after)


def _said(error: json.JSONDecodeError, text: str) -> str:
    if error.pos >= len(text) or error.msg.startswith("Unterminated"):
        return "the JSON ends before it is whole"
    return f"this is not valid JSON: {error.msg} (line {error.lineno}, column {error.colno})"


def _object(items: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(items)
    if len(made) < len(items):
        count = Counter(key for key, _ in items)
        twice = count.most_common(1)[0][0]
        raise NotJson(f"the key {json.dumps(twice[:_MOST_BEFORE])} stands twice in one object")
    return made


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:  # Python reads no more than some thousands of digits
        raise NotJson(f"a whole number of {len(text):,} digits is too long") from None


def _real(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise NotJson(f"the number {text:.40} is too large")
    return number


def _constant(word: str) -> NoReturn:
    raise NotJson(f"{word} is not valid JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=_whole, parse_float=_real, parse_constant=_constant)
