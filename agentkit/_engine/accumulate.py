"""Chunks to one assistant message: the only mutable builder, alive for the attempts that a reply is joined from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, assert_never

from attrs import evolve

from agentkit.errors import ProviderError
from agentkit.events import Notice, ReasoningDelta, Segment, TextDelta
from agentkit.messages import Message, Part, Reasoning, Text, ToolCall
from agentkit.provider import CallDelta, Chunk, Details, Fault, Finish, UsageReport
from agentkit.store import PartialReply
from agentkit.usage import FinishReason, Usage


class Builder:
    """A reply in the making, joined from one attempt or from several.

    Appending to a list is atomic, so `take` may run in another thread while chunks arrive.
    """

    __slots__ = (
        "_backend",
        "_calls",
        "_details",
        "_from",
        "_joined",
        "_kept_before",
        "_lengths",
        "_provider",
        "_strategy",
        "_taken",
        "_told",
        "accepted",
        "expected",
        "fault",
        "finish",
        "heard",
        "joined",
        "reasoning",
        "reported",
        "request_id",
        "requests",
        "segments",
        "size",
        "spent",
        "text",
        "turn_id",
        "usage",
    )

    def __init__(self, turn_id: str, *, text: str = "", reasoning: str = "", told: set[Notice] | None = None) -> None:
        self.turn_id = turn_id
        self.text: list[str] = [text] if text else []
        self.reasoning: list[str] = [reasoning] if reasoning else []
        self.requests = 0
        self.accepted = False
        """The backend has taken a request of this attempt: what it refuses costs nothing."""
        self.request_id: str | None = None
        self.usage: Usage | None = None
        """What the backend has counted for this attempt, until its end."""
        self.reported: Usage | None = None
        """The same, once it is over."""
        self.expected = 0
        """About so many tokens are in the prompt of this attempt."""
        self.spent = Usage()
        """What the attempts before this one took."""
        self.segments: tuple[Segment, ...] = ()
        """Those attempts, as far as they gave something."""
        self.finish: Finish | None = None
        self.fault: ProviderError | None = None
        self.size = 0
        """Characters kept of all attempts, calls included."""
        self.heard = 0
        """The same with those that only repeat what is there: grows with all content, and with nothing else."""
        self.joined: tuple[int, str] = (0, "")
        """What the seam of this attempt left out, in characters, and what it put in."""
        self._kept_before = 0
        self._calls: dict[int, list[str]] = {}
        self._details: dict[str, dict[str, Any]] = {}
        self._taken = (len(self.text), len(self.reasoning))
        self._lengths = [len(text), len(reasoning)]
        self._from = (len(text), len(reasoning))
        self._provider = self._backend = ""
        self._strategy = "first"
        self._told = set[Notice]() if told is None else told
        """By this reply, or by all of its turn."""
        self._joined = ("", 0)
        """The text of the first so many pieces."""

    def begin(self, provider: str, backend: str, strategy: str) -> None:
        """Another attempt at the same reply; a call that the last one left unfinished is forgotten."""
        self.end()
        self._provider, self._backend, self._strategy = provider, backend, strategy
        self._calls.clear()
        self.finish = self.fault = self.usage = self.reported = self.request_id = None
        self.joined = (0, "")
        self._kept_before = self.size

    def end(self) -> None:
        """The attempt is over: its segment and its usage are added to those before it."""
        usage = self._used()
        start, end = self._from[0], self._lengths[0]
        if self.requests:
            asked = self._strategy, self.finish_reason, usage, self.request_id, self._backend
            self.segments = (*self.segments, Segment(start, end, *asked, *self.joined))
        self.spent += usage
        self.reported, self.usage = self.usage or self.reported, None
        self.accepted = False
        self.requests, self._from = 0, (end, self._lengths[1])

    def _used(self) -> Usage:
        """The backend's count, or a flagged guess of four characters a token where it gave none."""
        if self.usage is not None:
            return evolve(self.usage, requests=self.requests)
        if not self.accepted:
            return Usage(requests=self.requests)
        said = sum(self._lengths) - sum(self._from)
        return Usage(self.expected, said // 4, requests=self.requests, estimated=True)

    def news(self, notices: Iterable[Notice]) -> list[Notice]:
        """Those that were not told before: the same holds for each attempt, and for each reply of a turn."""
        fresh = [notice for notice in notices if notice not in self._told]
        self._told.update(fresh)
        return fresh

    @property
    def shown(self) -> bool:
        """This attempt has given something already."""
        return self.size > self._kept_before

    def add(self, chunk: Chunk) -> None:
        match chunk:
            case TextDelta():
                self.text.append(chunk.text)
                self._grow(0, chunk.text)
            case ReasoningDelta():
                self.reasoning.append(chunk.text)
                self._grow(1, chunk.text)
            case CallDelta():
                self._add_call(chunk)
            case UsageReport():
                self.usage = chunk.usage
            case Finish():
                self.finish = chunk
            case Details():
                self._details.setdefault(self._provider, {}).update(chunk.values)
            case Fault():
                self.fault = chunk.error
            case Notice():
                pass
            case _:
                assert_never(chunk)

    def _grow(self, kind: int, text: str) -> None:
        self.size += len(text)
        self.heard += len(text)
        self._lengths[kind] += len(text)

    def _add_call(self, chunk: CallDelta) -> None:
        call = self._calls.setdefault(chunk.index, ["", "", ""])
        call[0] = call[0] or chunk.id
        call[1] += chunk.name
        call[2] += chunk.arguments
        added = len(chunk.id) + len(chunk.name) + len(chunk.arguments)
        self.size += added
        self.heard += added

    @property
    def said(self) -> str:
        """All the text; what was joined once is not joined again, piece by piece."""
        text, pieces = self._joined
        if pieces < len(self.text):
            self._joined = text, _ = text + "".join(self.text[pieces:]), len(self.text)
        return text

    @property
    def has_output(self) -> bool:
        """Something of the reply has been delivered."""
        return bool(self.text or self.reasoning or self._calls)

    def take(self) -> PartialReply | None:
        """What was delivered since the last call."""
        texts, thoughts = self._taken
        now = len(self.text), len(self.reasoning)
        if now == (texts, thoughts):
            return None
        self._taken = now
        return PartialReply(
            self.turn_id, "".join(self.text[texts : now[0]]), "".join(self.reasoning[thoughts : now[1]])
        )

    def so_far(self) -> Message | None:
        """All that was delivered, as a message that is marked as interrupted."""
        return self.message(interrupted=True) if self.text or self.reasoning else None

    @property
    def called(self) -> bool:
        """This attempt has called tools."""
        return bool(self._calls)

    def arguments(self, name: str) -> str:
        """The arguments of the first call of this name, as far as they have come."""
        return next((call[2] for call in self._calls.values() if call[1] == name), "")

    def calls(self) -> tuple[ToolCall, ...]:
        return tuple(ToolCall.parse(call[0], call[1], call[2]) for _, call in sorted(self._calls.items()))

    def message(self, *, interrupted: bool = False) -> Message:
        """The message as it stands; what was cut is marked, and a call that was cut is left out."""
        cut = self.finish_reason is FinishReason.LENGTH
        calls = (
            () if interrupted else tuple(call for call in self.calls() if not (is_cut(call) or (cut and call.broken)))
        )
        meta: dict[str, Mapping[str, Any]] = {name: dict(values) for name, values in self._details.items()}
        if self.finish is not None and self.finish.raw is not None:
            meta[self._provider] = {**meta.get(self._provider, {}), "finish_reason": self.finish.raw}
        if interrupted:
            meta["agentkit"] = {"interrupted": True}
        return Message("assistant", reply_parts(self.said, "".join(self.reasoning), calls), meta)

    @property
    def finish_reason(self) -> FinishReason:
        return self.finish.reason if self.finish is not None else FinishReason.UNKNOWN


def is_cut(call: ToolCall) -> bool:
    """The arguments end before their end. What is wrong in another way is the model's mistake, and it is told so."""
    if call.raw is None or not call.broken:
        return False
    text = call.raw.rstrip()
    try:
        json.loads(text)
    except json.JSONDecodeError as error:
        return error.pos >= len(text) or error.msg.startswith("Unterminated string")
    except RecursionError:
        pass
    return False


def reply_parts(text: str, reasoning: str, calls: tuple[ToolCall, ...] = ()) -> tuple[Part, ...]:
    """The parts of a reply in their order: thinking, text, calls; what is empty is left out."""
    parts: list[Part] = []
    if reasoning:
        parts.append(Reasoning(reasoning))
    if text:
        parts.append(Text(text))
    return (*parts, *calls)
