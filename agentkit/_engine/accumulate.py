"""Chunks to one assistant message: the only mutable builder, alive for one attempt or for the attempts it joins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from agentkit.errors import ProviderError
from agentkit.events import Notice, ReasoningDelta, TextDelta
from agentkit.messages import Message, Part, Reasoning, Text, ToolCall
from agentkit.provider import CallDelta, Chunk, Details, Fault, Finish, UsageReport
from agentkit.store import PartialReply
from agentkit.usage import FinishReason, Usage


class Builder:
    """A reply in the making.

    Appending to a list is atomic, so `take` may run in another thread while chunks arrive.
    """

    __slots__ = (
        "_calls",
        "_details",
        "_taken",
        "carried",
        "fault",
        "finish",
        "reasoning",
        "request_id",
        "requests",
        "size",
        "text",
        "turn_id",
        "usage",
    )

    def __init__(self, turn_id: str, *, text: str = "", reasoning: str = "") -> None:
        self.turn_id = turn_id
        self.text: list[str] = [text] if text else []
        self.reasoning: list[str] = [reasoning] if reasoning else []
        self.carried = (len(text), len(reasoning))
        """Characters that came from an earlier attempt."""
        self.requests = 0
        self.request_id: str | None = None
        self.usage: Usage | None = None
        self.finish: Finish | None = None
        self.fault: ProviderError | None = None
        self.size = 0
        """Characters received, calls included: grows with all content, and with nothing else."""
        self._calls: dict[int, list[str]] = {}
        self._details: dict[str, Any] = {}
        self._taken = (len(self.text), len(self.reasoning))

    def add(self, chunk: Chunk) -> None:
        match chunk:
            case TextDelta():
                self.text.append(chunk.text)
                self.size += len(chunk.text)
            case ReasoningDelta():
                self.reasoning.append(chunk.text)
                self.size += len(chunk.text)
            case CallDelta():
                self._add_call(chunk)
            case UsageReport():
                self.usage = chunk.usage
            case Finish():
                self.finish = chunk
            case Details():
                self._details.update(chunk.values)
            case Fault():
                self.fault = chunk.error
            case Notice():
                pass
            case _:
                assert_never(chunk)

    def _add_call(self, chunk: CallDelta) -> None:
        call = self._calls.setdefault(chunk.index, ["", "", ""])
        call[0] = call[0] or chunk.id
        call[1] += chunk.name
        call[2] += chunk.arguments
        self.size += len(chunk.id) + len(chunk.name) + len(chunk.arguments)

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
        return self.message("", interrupted=True) if self.text or self.reasoning else None

    def calls(self) -> tuple[ToolCall, ...]:
        return tuple(ToolCall.parse(call[0], call[1], call[2]) for _, call in sorted(self._calls.items()))

    def message(self, provider: str, *, interrupted: bool = False) -> Message:
        """The message as it stands; what was cut is marked, and a call that was cut is left out."""
        whole = not interrupted and self.finish_reason is not FinishReason.LENGTH
        calls = () if interrupted else tuple(call for call in self.calls() if whole or not call.broken)
        meta: dict[str, Mapping[str, Any]] = {}
        details = dict(self._details)
        if self.finish is not None and self.finish.raw is not None:
            details["finish_reason"] = self.finish.raw
        if details:
            meta[provider] = details
        if interrupted:
            meta["agentkit"] = {"interrupted": True}
        return Message("assistant", reply_parts("".join(self.text), "".join(self.reasoning), calls), meta)

    @property
    def finish_reason(self) -> FinishReason:
        return self.finish.reason if self.finish is not None else FinishReason.UNKNOWN


def reply_parts(text: str, reasoning: str, calls: tuple[ToolCall, ...] = ()) -> tuple[Part, ...]:
    """The parts of a reply in their order: thinking, text, calls; what is empty is left out."""
    parts: list[Part] = []
    if reasoning:
        parts.append(Reasoning(reasoning))
    if text:
        parts.append(Text(text))
    return (*parts, *calls)
