"""The orders: what the simulator understands of plain words. Pure parsing, from text to a `Plan`.

Orders, in any case and any combination (N is a number):

    write 800 words             prose of that length; any "N words" that belongs to no other order counts
    count to 30
    say TEXT                    also "repeat after me: TEXT"; up to the end, or what stands in quotes
    think first                 reasoning before the reply; "think 50 words" says how much
    call weather                an offered tool; "call a tool" takes the first; "with {...}" gives the arguments;
                                "3 times" makes several calls at once, "every time" calls again after each result
    stop at 64 tokens           cuts each reply, with finish reason length; also "cut@64"
    fail with 429               an HTTP error; "retry after 2"; "after 40 words" puts it inside the stream
    drop after 40 words         the connection breaks; also "drop@40", "drop the connection"
    stall 5 seconds after 10 words   silence within the stream; also "stall@10"; 30 seconds if none are named
    wait 2 seconds              silence before the first byte of each reply

Faults happen once in a reply and its continuations, until it has been given; "twice", "3 times" and "x3" say how often,
"every time" has no end. "N tokens" may stand for "N words". A fault beyond the end of the reply does not happen.
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal, TypeAlias

from attrs import evolve, frozen

from agentkit.errors import InvalidInput

FaultKind = Literal["fail", "drop", "stall", "wait"]


@frozen
class Say:
    """Exactly this text."""

    text: str


@frozen
class Write:
    """So many words of prose."""

    words: int


@frozen
class Count:
    """The numbers from 1 on."""

    to: int


Speech: TypeAlias = Say | Write | Count


@frozen(kw_only=True)
class CallOrder:
    """Which tool to call."""

    name: str | None
    """None: the first one offered."""
    times: int = 1
    every: bool = False
    arguments: str | None = None
    """JSON text; None: made from the schema."""


@frozen(kw_only=True)
class Fault:
    """Something that goes wrong."""

    kind: FaultKind
    after: int | None = None
    """New tokens before it; None: before the first byte."""
    times: int | None = 1
    """None: every time."""
    status: int = 500
    retry_after: float | None = None
    seconds: float = 0.0


@frozen(kw_only=True)
class Plan:
    """What the words ask for."""

    speech: Speech | None = None
    think: int = 0
    """Words of reasoning."""
    calls: tuple[CallOrder, ...] = ()
    limit: int | None = None
    faults: tuple[Fault, ...] = ()

    def over(self, base: Plan) -> Plan:
        """This plan, with `base` where it is silent: what is said on the one hand, what happens to it on the other."""
        said = self.speech is not None or self.calls
        return Plan(
            speech=self.speech if said else base.speech,
            calls=self.calls if said else base.calls,
            think=self.think or base.think,
            limit=self.limit or base.limit,
            faults=self.faults or base.faults,
        )

    def content(self) -> Plan:
        """Only what is said."""
        return evolve(self, limit=None, faults=())


_N = r"\d{1,7}(?:\.\d{1,3})?"
_TIMES = r"(?:x\s?(?P<x>\d{1,4})|(?P<word>once|twice|thrice)|(?P<n>\d{1,4}|two|three|four|five|ten)\s+times)\b"
_EVERY = r"(?P<every>every\s+time|each\s+time|always)\b"
_AFTER = r"after\s+(?P<after>\d{1,7})\s+(?:words?|tokens?)\b"
_RETRY = rf"(?:with\s+)?retry[\s-]after:?\s+(?P<retry>{_N})(?:\s*s(?:ec(?:ond)?s?)?)?\b"
_SECONDS = rf"(?:for\s+)?(?P<seconds>{_N})\s*s(?:ec(?:ond)?s?)?\b"
_MODIFIER = re.compile(rf"[\s,]*(?:and\s+)?(?:{_TIMES}|{_EVERY}|{_AFTER}|{_RETRY}|{_SECONDS})", re.I)

_SAY = re.compile(
    r"(?:^|[.,;:!?\n]|\b(?:and|then|please|now|just|first|only)\b)\s*(?P<order>say|repeat\s+after\s+me)\b[:\s]\s*", re.I
)
_QUOTES = {'"': '"', "\u201c": "\u201d", "\u00ab": "\u00bb", "'": "'"}
_CALL = re.compile(
    r"\bcall\s+(?:(?P<any>(?:a|any|the|some)\s+tool)\b|(?:the\s+)?(?:tool\s+)?[\"'`]?(?P<name>[a-z_][\w-]*(?:\.[\w-]+)*)[\"'`]?)",
    re.I,
)
_NOT_TOOLS = frozenset("me it him her us them you this that a an the my your for off on out".split())
_WITH = re.compile(r"\s+with\s+(?=\{)", re.I)
_THINK = re.compile(
    r"\bthink(?:\s+(?:first|hard))?(?:\s+(?:for|in|with|about))?\s+(?P<n>\d{1,5})\s+(?:words?|tokens?)\b|\bthink\s+(?:first|hard)\b",
    re.I,
)
_LIMIT = re.compile(r"\b(?:stop|cut)(?:\s+(?:at|after)\s+|@)(?P<n>\d{1,7})(?:\s+(?:tokens?|words?)\b)?", re.I)
_FAULTS: tuple[tuple[FaultKind, re.Pattern[str]], ...] = (
    ("fail", re.compile(r"\bfail(?:\s+with)?\s+(?:status\s+|http\s+)?(?P<status>[45]\d\d)\b", re.I)),
    (
        "drop",
        re.compile(r"\bdrop(?:@(?P<at>\d{1,7})|\s+the\s+connection\b|(?=\s+(?:after|every\s+time|always)\b))", re.I),
    ),
    ("stall", re.compile(rf"\bstall(?:@(?P<at>\d{{1,7}})|(?=\s+(?:after|for|{_N}\s*s)\b))", re.I)),
    ("wait", re.compile(rf"\bwait(?=\s+(?:for\s+)?{_N}\s*s)", re.I)),
)
_COUNT = re.compile(r"\bcount\s+(?:up\s+)?to\s+(?P<n>\d{1,6})\b", re.I)
_WORDS = re.compile(r"\b(?P<n>\d{1,3}(?:,\d{3})+|\d{1,7})[\s-]+words?\b", re.I)
_NUMBERS = {"once": 1, "twice": 2, "thrice": 3, "two": 2, "three": 3, "four": 4, "five": 5, "ten": 10}
_DEFAULT_THOUGHT = 24
_DEFAULT_STALL = 30.0
_MOST_TIMES = 1000


class _Words:
    """The words that no order has claimed yet. A claimed place is filled with a character no pattern matches."""

    def __init__(self, text: str) -> None:
        self.text = text

    def claim(self, start: int, end: int) -> None:
        self.text = self.text[:start] + "\0" * (end - start) + self.text[end:]

    def find(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        found = pattern.search(self.text)
        if found:
            self.claim(*found.span())
        return found

    def modifiers(self, at: int) -> dict[str, str]:
        """What follows an order directly: how often, where, how long."""
        said: dict[str, str] = {}
        while found := _MODIFIER.match(self.text, at):
            self.claim(*found.span())
            said |= {name: value.lower() for name, value in found.groupdict().items() if value}
            at = found.end()
        return said


def parse(text: str) -> Plan:
    """Read the orders in a text; what is no order is ignored."""
    words = _Words(text)
    speech: Speech | None = _say(words)
    calls = _calls(words)
    think = words.find(_THINK)
    limit = words.find(_LIMIT)
    faults = tuple(_faults(words))
    return Plan(
        speech=speech or _count(words) or _write(words),
        calls=calls,
        think=int(think["n"] or _DEFAULT_THOUGHT) if think else 0,
        limit=max(1, int(limit["n"])) if limit else None,
        faults=faults,
    )


def _say(words: _Words) -> Say | None:
    found = _SAY.search(words.text)
    if not found:
        return None
    rest = words.text[found.end() :]
    close = rest.find(_QUOTES[rest[0]], 1) if rest[:1] in _QUOTES else -1
    said, end = (rest[1:close], found.end() + close + 1) if close > 0 else (rest.strip(), len(words.text))
    if not said:
        return None
    words.claim(found.start("order"), end)
    return Say(said)


def _calls(words: _Words) -> tuple[CallOrder, ...]:
    made: list[CallOrder] = []
    for found in list(_CALL.finditer(words.text)):
        if found["any"] or found["name"].lower() not in _NOT_TOOLS:
            words.claim(*found.span())
            end, arguments = _arguments(words, found.end())
            said = words.modifiers(end)
            times = _times(said) or 1
            made.append(CallOrder(name=found["name"], times=times, every="every" in said, arguments=arguments))
    return tuple(made)


def _arguments(words: _Words, at: int) -> tuple[int, str | None]:
    found = _WITH.match(words.text, at)
    if not found:
        return at, None
    try:
        value: Any
        value, end = json.JSONDecoder().raw_decode(words.text, found.end())
    except (ValueError, RecursionError):
        return at, None
    words.claim(at, end)
    return end, json.dumps(value, ensure_ascii=False)


def _faults(words: _Words) -> list[Fault]:
    made: list[Fault] = []
    for kind, pattern in _FAULTS:
        while found := words.find(pattern):
            made.append(_fault(kind, found, words.modifiers(found.end())))
    return made


def _fault(kind: FaultKind, found: re.Match[str], said: dict[str, str]) -> Fault:
    place = said.get("after") or found.groupdict().get("at")
    once = None if kind == "wait" else 1
    return Fault(
        kind=kind,
        after=int(place) if place else (0 if kind in ("drop", "stall") else None),
        times=None if "every" in said else _times(said) or once,
        status=int(found["status"]) if kind == "fail" else 500,
        retry_after=float(said["retry"]) if "retry" in said else None,
        seconds=float(said.get("seconds", _DEFAULT_STALL)) if kind in ("stall", "wait") else 0.0,
    )


def _times(said: dict[str, str]) -> int | None:
    for name in ("x", "word", "n"):
        if name in said:
            return _NUMBERS.get(said[name]) or max(1, int(said[name]))
    return None


def _count(words: _Words) -> Count | None:
    found = words.find(_COUNT)
    return Count(int(found["n"])) if found else None


def _write(words: _Words) -> Write | None:
    found = words.find(_WORDS)
    return Write(int(found["n"].replace(",", ""))) if found else None


def commands(text: str) -> list[Plan]:
    """A command of a script as the plans of the replies that it governs: one each time, as `fail 429 x2` is two.

    Raises:
        InvalidInput: there is no order in it.
    """
    plan = parse(text) if isinstance(text, str) else Plan()  # pyright: ignore[reportUnnecessaryIsInstance] - from JSON
    if plan == Plan():
        raise InvalidInput(f"no order of the simulator: {text!r}; try 'say done', 'cut@40', 'drop@10' or 'fail 429 x2'")
    times = max((fault.times or 1 for fault in plan.faults), default=1)
    single = evolve(plan, faults=tuple(evolve(fault, times=None) for fault in plan.faults))
    return [single] * min(times, _MOST_TIMES)
