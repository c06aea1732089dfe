"""A reply as a stream of events in the chat-completions format, in the accent of one server. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import define, field

from agentkit.sim.accent import Accent
from agentkit.sim.openai_errors import DONE
from agentkit.sim.openai_request import ChatBody
from agentkit.sim.talk import Break, Call, CallPiece, CallStart, Drop, End, Pause, Reason, Speak, Step
from agentkit.sim.wire import Item, encoded


def finish_of(end: End, body: ChatBody, accent: Accent, *, calls: bool) -> str:
    """The server's own word for the end."""
    if calls and end.finish == "length":
        return accent.cut_call
    if end.finish == "tool_calls" and body.ask.choice.startswith("="):
        return accent.named_call
    return end.finish


def usage_of(end: End, accent: Accent) -> dict[str, Any]:
    """The counts of a reply."""
    counts: dict[str, Any] = {
        "prompt_tokens": end.prompt_tokens,
        "completion_tokens": end.completion_tokens,
        "total_tokens": end.prompt_tokens + end.completion_tokens,
        **accent.counts,
    }
    if accent.counts_thought:
        counts["completion_tokens_details"] = {"reasoning_tokens": end.reasoning_tokens}
    return counts


@define
class Frames:
    """Writes the events of one stream."""

    head: bytes
    """What all events begin with."""
    body: ChatBody
    accent: Accent
    begun: bool = False
    made: int = 0
    """Tokens so far."""
    calls: dict[int, list[str]] = field(factory=dict[int, list[str]])
    waiting: Call | None = None
    """A call whose head is still to be sent."""
    together: list[Call] = field(factory=list[Call])
    """Calls that are sent at the end."""

    def play(self, step: Step) -> Iterator[Item]:
        match step:
            case Pause():
                yield from self._pause(step.seconds)
                return
            case Drop():
                yield step
                return
            case _:
                pass
        if not self.begun:
            yield from self._begin()
        match step:
            case Reason(text):
                yield from self._said(dict.fromkeys(self.accent.reasoning, text), shown=not self.body.hides)
            case Speak(text):
                yield from self._said({"content": text})
            case CallStart(index, call):
                yield from self._call(index, call)
            case CallPiece(index, text):
                yield from self._piece(index, text)
            case Break(failure):
                yield from self.accent.breaks(failure)
            case End():
                yield from self._end(step)

    def _begin(self) -> Iterator[bytes]:
        self.begun = True
        if self.accent.prelude:
            yield self.accent.prelude
        if self.accent.first is not None:
            yield self._event(self.accent.first)

    def _pause(self, seconds: float) -> Iterator[Item]:
        """Silence, with a comment now and then where the server sends one."""
        if self.begun and self.accent.ping is not None:
            every, comment = self.accent.ping
            while seconds > every:
                yield Pause(every)
                yield comment
                seconds -= every
        yield Pause(seconds)

    def _said(self, delta: dict[str, Any], *, shown: bool = True) -> Iterator[bytes]:
        first = self.made == 0
        self.made += 1
        if shown:
            yield self._event({**self._role(first=first), **self.accent.fill, **delta})

    def _role(self, *, first: bool) -> dict[str, Any]:
        if self.accent.first is not None:
            return {}
        match self.accent.role:
            case "first":
                return {"role": "assistant"} if first else {}
            case "each":
                return {"role": "assistant"}
            case "then null":
                return {"role": "assistant" if first else None}

    def _call(self, index: int, call: Call) -> Iterator[bytes]:
        yield from self._whole_call()
        self.calls[index] = []
        if self.accent.calls == "together":
            self.together.append(call)
            self.made += 1
        elif self.accent.calls in ("whole", "glued"):
            self.made += 1
            self.waiting = call
        else:
            yield from self._said({"tool_calls": [_head(index, call, "")]})

    def _piece(self, index: int, text: str) -> Iterator[bytes]:
        self.calls[index].append(text)
        if self.accent.calls in ("whole", "together"):
            self.made += 1
            return
        call, self.waiting = self.waiting, None
        if call is not None:
            piece = _head(index, call, text)
        else:
            piece = {"index": index, "function": {"arguments": text}}
            if self.accent.calls == "nulls":
                piece = {**piece, "id": None, "type": None, "function": {"name": None, "arguments": text}}
        yield from self._said({"tool_calls": [piece]})

    def _whole_call(self) -> Iterator[bytes]:
        """The call that is through, or of which nothing but its head has been made."""
        call, self.waiting = self.waiting, None
        if call is not None:
            index = max(self.calls)
            yield from self._said({"tool_calls": [_head(index, call, "".join(self.calls[index]))]})

    def _all_calls(self) -> Iterator[bytes]:
        heads = [_head(index, call, "".join(self.calls[index])) for index, call in enumerate(self.together)]
        if heads:
            yield from self._said({"tool_calls": heads})

    def _end(self, end: End) -> Iterator[bytes]:
        if self.accent.calls != "whole" or end.finish != "length":
            yield from self._whole_call()
        yield from self._all_calls()
        finish = finish_of(end, self.body, self.accent, calls=bool(self.calls))
        counts = {"usage": usage_of(end, self.accent)}
        last = counts if self.accent.usage != "asked" else {}
        asked = self.accent.usage == "asked" and self.body.include_usage
        yield self._event(self.accent.last, finish, **last, **({} if asked else self.accent.last_more))
        if asked:
            yield self._frame([], **counts, **self.accent.last_more)
        if self.accent.done:
            yield DONE

    def _event(self, delta: Mapping[str, Any], finish: str | None = None, **more: Any) -> bytes:
        if finish is None and (self.accent.usage == "each" or self.body.counts_each):
            so_far = End(
                finish="", prompt_tokens=self.body.ask.prompt_tokens, completion_tokens=self.made, reasoning_tokens=0
            )
            more["usage"] = usage_of(so_far, self.accent)
        choice = {"index": 0, "delta": delta, **self.accent.delta_choice, "finish_reason": finish}
        return self._frame([choice if finish is None else {**choice, **self.accent.last_choice}], **more)

    def _frame(self, choices: list[Any], **more: Any) -> bytes:
        return self.head + encoded({"choices": choices, **more})[1:] + b"\n\n"


def _head(index: int, call: Call, arguments: str) -> dict[str, Any]:
    return {
        "index": index,
        "id": call.id,
        "type": "function",
        "function": {"name": call.name, "arguments": arguments},
    }
