"""A reply that follows a JSON schema: how one is asked for in words, and how a model answers that does not do as told.

Orders, where the reply is such a document:

    answer in prose             with words before and after it
    answer in a fence           with a fence of code around it
    answer without json         words alone
    answer with broken json     a bracket too many
    answer with wrong types     numbers in place of texts, and texts in place of all else
    answer with half the json   it ends early
    answer with two documents   one after the other

Pure, and no more than the words: what agentkit means by them is written elsewhere, and apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from attrs import evolve

from agentkit.sim.talk import Ask, Said
from agentkit.sim.text import prose
from agentkit.sim.wire import as_object

_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_TOLD = re.compile(r"Answer with JSON alone\b[^\n]*\bthis JSON schema:\s*(?=\{)")


def wanted(ask: Ask) -> Ask:
    """The same request with the schema that its text holds, the last of several; one that it is bound to goes first."""
    found = [_schema(said) for said in ask.messages]
    shapes = [each[0] for each in found if each is not None]
    if ask.shape is not None or not shapes:
        return ask
    messages = (
        said if each is None else evolve(said, text=each[1]) for said, each in zip(ask.messages, found, strict=True)
    )
    return evolve(ask, shape=shapes[-1], messages=tuple(messages))


def _schema(said: Said) -> tuple[Mapping[str, Any], str] | None:
    """The schema in a text, and the text without it."""
    told = _TOLD.search(said.text) if said.role in ("system", "user") else None
    if told is None:
        return None
    try:
        value, end = json.JSONDecoder().raw_decode(said.text, told.end())
    except (ValueError, RecursionError):
        return None
    shape = as_object(value)
    return None if shape is None else (shape, (said.text[: told.start()] + said.text[end:]).strip())


def _mistyped(value: object) -> object:
    match value:
        case dict():
            return {key: _mistyped(inner) for key, inner in cast("dict[str, object]", value).items()}
        case list():
            return [_mistyped(inner) for inner in cast("list[object]", value)]
        case str():
            return len(value)
        case _:
            return f"about {json.dumps(value)}"


def _retyped(document: str) -> str:
    return json.dumps(_mistyped(json.loads(document)), ensure_ascii=False)


_ANSWERS: Mapping[str, Callable[[str], str]] = {
    "in prose": lambda document: f"Sure, here it is: {document} I hope that helps.",
    "in a fence": lambda document: f"```json\n{document}\n```",
    "without json": lambda document: prose(12, document),
    "with broken json": lambda document: f"{document[:-1]}]{document[-1:]}",
    "with wrong types": _retyped,
    "with half the json": lambda document: document[: len(document) // 2],
    "with two documents": lambda document: f"{document}\n{document}",
}
_HOW = "|".join(_ANSWERS).replace(" ", r"\s+")
ORDER = re.compile(rf"\banswer\s+(?P<how>{_HOW})\b", re.IGNORECASE)


def how_of(found: re.Match[str]) -> str:
    """The way of answering that an order names."""
    return " ".join(found["how"].lower().split())


def answered(document: str, how: str) -> str:
    """The document as it is written, or as it should not be."""
    return _ANSWERS[how](document) if how else document


def rest_of(begun: str) -> str | None:
    """The shortest end of a JSON document that somebody else has begun; None where it is none."""
    outside, quote, _ = _STRING.sub("", begun).partition('"')
    if outside.lstrip()[:1] not in ("{", "["):
        return None
    open_ones: list[str] = []
    for sign in outside:
        if sign in "{[":
            open_ones.append("}" if sign == "{" else "]")
        elif open_ones and sign == open_ones[-1]:
            _ = open_ones.pop()
    ends = (f"{quote}{filler}{''.join(reversed(open_ones))}" for filler in ("", "null", ": null", '"more": null'))
    return next((end for end in ends if _is_json(begun + end)), None)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
