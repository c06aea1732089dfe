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
    end after 40 words          the answer ends in order, without a finish reason; "end early": after its last word
    drop after 300 bytes        also "drop at 50 percent"; "end" as well, wherever that is
    split the bytes             the body comes in small pieces, cut within characters, too
    break the json              one line of JSON in the middle is cut; "after 3 words": the fourth line
    gzip the body               the body is compressed, whatever the client accepts
    wrong content type          text/html; also "content type text/plain"
    duplicate ids               all tool calls have the same id; "without ids": none
    cut the arguments           those of tool calls end early, whatever the finish reason says
    garble the arguments        they are no JSON; "empty arguments": there is nothing in their place
    misname the tool            calls name a tool that is not offered
    arguments as objects        as JSON, not as a text that holds JSON
    calls in one piece          a stream has all calls in one event
    finish with stop            the finish reason says nothing of the calls
    empty calls                 a list without any, wherever calls could be
    without usage               no counts
    giant line                  16 MiB in one line; also "giant line of 5000 bytes"

Faults happen once in a reply and its continuations, until it has been given; "twice", "3 times" and "x3" say how often,
"every time" has no end. "N tokens" may stand for "N words". A fault beyond the end of the reply does not happen.
Orders for going on badly with a cut reply are in `agentkit.sim.continuing`, those for badly following a JSON schema in
`agentkit.sim.shaped`, those that only some backends can follow in `agentkit.sim.quirks`.
"""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import Any

from attrs import evolve

from agentkit.errors import InvalidInput
from agentkit.sim import continuing, quirks, shaped
from agentkit.sim.plan import THOUGHT, CallOrder, Count, Fault, FaultKind, Plan, Say, SizeUnit, Speech, Spoiling, Write

_N = r"\d{1,7}(?:\.\d{1,3})?"
_SECOND = r"\s*s(?:ec(?:ond)?s?)?\b"
_TIMES = r"(?:x\s?(?P<x>\d{1,4})|(?P<word>once|twice|thrice)|(?P<n>\d{1,4}|two|three|four|five|ten)\s+times)\b"
_EVERY = r"(?P<every>every\s+time|each\s+time|always)\b"
_AFTER = r"after\s+(?P<after>\d{1,7})\s+(?:words?|tokens?)\b"
_PLACE = r"(?:after|at)\s+(?P<size>\d{1,9}(?:\.\d{1,3})?)\s*(?P<unit>bytes?\b|percent\b|%)"
_QUOTA = r"(?:for\s+)?(?:the\s+|a\s+)?(?P<quota>quota)\b"
_RETRY = rf"(?:with\s+)?retry[\s-]after:?\s+(?P<retry>{_N})(?:{_SECOND})?"
_SECONDS = rf"(?:for\s+)?(?P<seconds>{_N}){_SECOND}"
_NOT_TOOLS = frozenset(
    {"me", "it", "him", "her", "us", "them", "you", "this", "that", "a", "an", "the", "my", "your", "for"}
)
_NUMBERS = {"once": 1, "twice": 2, "thrice": 3, "two": 2, "three": 3, "four": 4, "five": 5, "ten": 10}
_QUOTES = {'"': '"', "\u201c": "\u201d", "\u00ab": "\u00bb"}
_DEFAULT_STALL = 30.0
_MOST_TIMES = 1000
_MOST_ORDERS = 32
"""Of one kind in one text."""


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


_MODIFIER = _pattern(rf"[\s,]{{0,8}}(?:and\s+)?(?:{_TIMES}|{_EVERY}|{_AFTER}|{_PLACE}|{_QUOTA}|{_RETRY}|{_SECONDS})")
_SAY = _pattern(
    r"(?:^|[.,;:!?\n]|\b(?:and|then|please|now|just|first|only)\b)\s{0,8}"
    r"(?P<order>say|repeat\s+after\s+me)\b[:\s]\s*"
)
_CALL = _pattern(
    r"\bcall\s+(?:(?P<any>(?:a|any|some)\s+tool\b|the\s+tool\b(?!\s+[\w\"'`]))"
    r"|(?:the\s+)?(?:tool\s+)?[\"'`]?(?P<name>[a-z_][\w-]*(?:\.[\w-]+)*)[\"'`]?)"
)
_WITH = _pattern(r"\s{1,8}with\s{1,8}(?=\{)")
_THINK = _pattern(
    r"\bthink(?:\s+(?:first|hard))?(?:\s+(?:for|in|with|about))?\s+(?P<n>\d{1,5})\s+(?:words?|tokens?)\b"
    r"|\bthink\s+(?:first|hard)\b"
)
_LIMIT = _pattern(r"\b(?:stop|cut)(?:\s+(?:at|after)\s+|@)(?P<n>\d{1,7})(?:\s+(?:tokens?|words?)\b)?")
_FAULTS: tuple[tuple[FaultKind, re.Pattern[str]], ...] = (
    ("fail", _pattern(r"\bfail(?:\s+with)?\s+(?:status\s+|http\s+)?(?P<status>[45]\d\d)\b")),
    (
        "drop",
        _pattern(r"\bdrop(?:@(?P<at>\d{1,7})|\s+the\s+connection\b|(?=\s+(?:after|at\s+\d+|every\s+time|always)\b))"),
    ),
    ("end", _pattern(r"\bend(?:@(?P<at>\d{1,7})|\s+early\b|(?=\s+(?:after|at)\s+\d))")),
    ("stall", _pattern(rf"\bstall(?:@(?P<at>\d{{1,7}})|(?=\s+(?:after\b|for\b|{_N}\s*s)))")),
    ("wait", _pattern(rf"\bwait(?=\s+(?:for\s+)?{_N}\s*s)")),
)
_SPOILS: tuple[tuple[Spoiling, re.Pattern[str]], ...] = (
    ("gzip", _pattern(r"\bgzip\s+the\s+(?:body|answer)\b")),
    ("split", _pattern(r"\bsplit\s+(?:the\s+)?(?:bytes|characters)\b")),
    ("broken", _pattern(r"\bbreak\s+(?:the\s+|a\s+line\s+of\s+)?json\b")),
    ("type", _pattern(r"\b(?:wrong\s+content[\s-]type|content[\s-]type\s+(?P<text>[\w.+-]{1,40}/[\w.+-]{1,40}))")),
    ("ids", _pattern(r"\bduplicate\s+ids\b")),
    ("idless", _pattern(r"\bwithout\s+ids\b")),
    ("objects", _pattern(r"\barguments\s+as\s+objects\b")),
    ("together", _pattern(r"\bcalls\s+in\s+one\s+(?:piece|chunk)\b")),
    ("stop", _pattern(r"\bfinish\s+with\s+stop\b")),
    ("void", _pattern(r"\bempty\s+calls\b")),
    ("cut", _pattern(r"\bcut\s+the\s+arguments\b")),
    ("garbled", _pattern(r"\bgarble\s+the\s+arguments\b")),
    ("blank", _pattern(r"\bempty\s+arguments\b")),
    ("misnamed", _pattern(r"\bmisname\s+the\s+tool\b")),
    ("usage", _pattern(r"\b(?:without|lose(?:\s+the)?)\s+usage\b")),
    ("giant", _pattern(r"\bgiant\s+line(?:\s+of\s+(?P<size>\d{1,8})\s+bytes)?\b")),
)
_COUNT = _pattern(r"\bcount\s+(?:up\s+)?to\s+(?P<n>\d{1,6})\b")
_WORDS = _pattern(r"\b(?P<n>\d{1,3}(?:,\d{3})+|\d{1,7})[\s-]+words?\b")


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
    habit = words.find(continuing.ORDER)
    shaping = words.find(shaped.ORDER)
    return Plan(
        speech=speech or _count(words) or _write(words),
        calls=calls,
        think=int(think["n"] or THOUGHT) if think else 0,
        habit=continuing.habit_of(habit) if habit else "",
        shaping=shaped.how_of(shaping) if shaping else "",
        limit=max(1, int(limit["n"])) if limit else None,
        faults=faults,
        quirks=quirks.read(words.text),
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
    for found in list(islice(_CALL.finditer(words.text), _MOST_ORDERS)):
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
        for _ in range(_MOST_ORDERS):
            found = words.find(pattern)
            if not found:
                break
            made.append(_fault(kind, found, words.modifiers(found.end())))
    for how, pattern in _SPOILS:
        found = words.find(pattern)
        if found:
            made.append(_spoil(how, found, words.modifiers(found.end())))
    return made


def _spoil(how: Spoiling, found: re.Match[str], said: dict[str, str]) -> Fault:
    groups = found.groupdict()
    return Fault(
        kind="spoil",
        how=how,
        after=int(said["after"]) if how == "broken" and "after" in said else None,
        times=None if "every" in said else _times(said) or 1,
        size=float(groups.get("size") or 0),
        text=groups.get("text") or "",
    )


def _fault(kind: FaultKind, found: re.Match[str], said: dict[str, str]) -> Fault:
    times = None if "every" in said else _times(said) or (None if kind == "wait" else 1)
    if kind in ("drop", "end") and "size" in said:
        how: Spoiling = "drop" if kind == "drop" else "end"
        unit: SizeUnit = "bytes" if said["unit"].startswith("b") else "percent"
        return Fault(kind="spoil", how=how, times=times, size=float(said["size"]), unit=unit)
    place = said.get("after") or found.groupdict().get("at")
    return Fault(
        kind=kind,
        after=int(place) if place else (0 if kind in ("drop", "stall") else None),
        times=times,
        status=int(found["status"]) if kind == "fail" else 500,
        retry_after=float(said["retry"]) if "retry" in said else None,
        quota="quota" in said,
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


def commands(text: object) -> list[Plan]:
    """A command of a script as the plans of the replies that it governs: one each time, as `fail 429 x2` is two.

    Raises:
        InvalidInput: there is no order in it.
    """
    plan = parse(text) if isinstance(text, str) else Plan()
    if plan == Plan():
        raise InvalidInput(
            f"no order of the simulator: {text!r:.200}; try 'say done', 'cut@40', 'drop@10' or 'fail 429 x2'"
        )
    times = max((fault.times or 1 for fault in plan.faults), default=1)
    single = evolve(plan, faults=tuple(evolve(fault, times=None) for fault in plan.faults))
    return [single] * min(times, _MOST_TIMES)
