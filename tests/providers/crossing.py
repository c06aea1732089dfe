"""Histories that a backend has made: its replies in its own format, read by its decoder, and what befell them since.

A history is drawn as a list of turns, so that a failing one shrinks to something that can be read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen
from hypothesis import strategies as st

from agentkit.events import ReasoningDelta, TextDelta
from agentkit.messages import Media, Message, Part, Reasoning, Text, ToolCall, ToolResult, Unknown
from agentkit.provider import CallDelta, Chunk, Details, Fault, Provider, ResponseHead

MARK = "PROVIDER-ONLY"
"""In everything that belongs to one backend only: no other must see it."""
HARMONY = "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>"
PNG = Media("image/png", data=b"\x89PNG")
LINKED = Media("image/jpeg", url="https://host/x.jpg")
STRANGE = Unknown({"type": "hologram", "signature": MARK})

# How each server names its calls; what it names twice, or not at all, is part of it.
_IDS: Mapping[str, Callable[[int, int], str | None]] = {
    "vllm": lambda turn, place: f"chatcmpl-tool-{turn:016x}{place:016x}",
    "parallax": lambda turn, place: f"{turn:08x}-0000-4000-8000-{place:012x}",
    "llamacpp": lambda turn, place: f"{turn:016d}{place:016d}",
    "lmstudio": lambda turn, place: f"{place:09d}",
    "mlx": lambda turn, place: None,
    "gpt-oss": lambda turn, place: f"functions.f:{place}",
    "transformers": lambda turn, place: "",
}
_REASONING = {"vllm": "reasoning", "ollama": "reasoning", "lmstudio": "reasoning", "mlx": "reasoning"}


@frozen(kw_only=True)
class Said:
    """One reply: what the model says, and where it is cut."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[tuple[str, str], ...] = ()
    """Name and argument text of each."""
    finish: str = "stop"
    cut: bool = False
    """The connection broke before the end."""


@frozen(kw_only=True)
class Turn:
    """A question, the replies to it, and what became of the calls in them."""

    backend: str
    asked: tuple[Part, ...]
    replies: tuple[Said, ...]
    fates: tuple[str, ...] = field(default=())
    """Of the calls in order: answered, lost, twice, failed, or by the user."""


def history_of(turns: Sequence[Turn], get: Callable[[str], Provider]) -> list[Message]:
    """The messages of the turns as a conversation stores them."""
    messages: list[Message] = []
    for number, turn in enumerate(turns):
        messages.append(Message("user", (Text(f"question{number} "), *turn.asked)))
        fates = list(turn.fates)
        for place, said in enumerate(turn.replies):
            reply = read(get(turn.backend), turn.backend, said, number * 10 + place)
            messages.append(reply)
            messages += [made for call in reply.tool_calls for made in _fate(call, fates.pop(0) if fates else "lost")]
    return messages


def _fate(call: ToolCall, fate: str) -> list[Message]:
    result = ToolResult(call.id, f"result of {call.name}")
    match fate:
        case "answered":
            return [Message("tool", (result,))]
        case "twice":
            return [Message("tool", (result, result))]
        case "failed":
            return [Message("tool", (evolve(result, is_error=True),))]
        case "by the user":
            return [Message("user", (result, Text("and what now?")))]
        case "orphan":
            return [Message("tool", (ToolResult("nobody", "nothing"),))]
        case _:
            return []


# --- a reply, as its backend writes it and its decoder reads it


def read(provider: Provider, backend: str, said: Said, number: int) -> Message:
    """The message that a conversation keeps, with marks in all that only this backend understands."""
    kind, body = _written(backend, said, number)
    decoder = provider.decoder(ResponseHead(200, {"content-type": kind}), max_line=1 << 20)
    chunks = [*decoder.feed(body), *decoder.close()]
    meta: dict[str, Any] = {provider.name: {"item": MARK}}
    for chunk in chunks:
        match chunk:
            case Details(values):
                meta[provider.name] |= values
            case Fault():
                meta["agentkit"] = {"interrupted": True}
            case _:
                pass
    return Message("assistant", _parts(chunks, {provider.name: {"signature": MARK}}), meta)


def _parts(chunks: Sequence[Chunk], meta: Mapping[str, Any]) -> tuple[Part, ...]:
    thought = "".join(chunk.text for chunk in chunks if isinstance(chunk, ReasoningDelta))
    text = "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta))
    calls: dict[int, tuple[str, str, str]] = {}
    for chunk in chunks:
        if isinstance(chunk, CallDelta):
            call_id, name, arguments = calls.get(chunk.index, ("", "", ""))
            calls[chunk.index] = (call_id or chunk.id, name + chunk.name, arguments + chunk.arguments)
    parts: list[Part] = [Reasoning(thought, meta=meta)] if thought else []
    parts += [Text(text)] if text else []
    return (*parts, *(ToolCall.parse(*call, meta=meta) for call in calls.values()))


def _written(backend: str, said: Said, number: int) -> tuple[str, bytes]:
    if backend == "gradient":
        return "application/x-ndjson", _job(said)
    calls = [_call(backend, number, place, *call) for place, call in enumerate(said.calls)]
    if backend in ("pixigpt", "pixigpt-threads"):
        return "application/json", _document(said, calls)
    return "text/event-stream", _stream(backend, said, calls)


def _call(backend: str, number: int, place: int, name: str, arguments: str) -> dict[str, Any]:
    call: dict[str, Any] = {"type": "function", "function": {"name": name, "arguments": arguments}}
    named = _IDS.get(backend, _plain_id)(number, place)
    return call if named is None else {"id": named, **call}


def _plain_id(turn: int, place: int) -> str | None:
    return f"call_{place}"


def _stream(backend: str, said: Said, calls: Sequence[dict[str, Any]]) -> bytes:
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    if said.reasoning:
        deltas.append({_REASONING.get(backend, "reasoning_content"): said.reasoning})
    if said.text:
        deltas.append({"content": said.text})
    deltas += [{"tool_calls": [{"index": place, **call}]} for place, call in enumerate(calls)]
    head = {"id": MARK, "model": MARK, "system_fingerprint": MARK}
    values = [{**head, "choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    lines = [f"data: {json.dumps(value)}\n\n" for value in values]
    if not said.cut:
        last = {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": said.finish}]}
        lines += [f"data: {json.dumps(last)}\n\n", "data: [DONE]\n\n"]
    return "".join(lines).encode()


def _document(said: Said, calls: Sequence[dict[str, Any]]) -> bytes:
    message: dict[str, Any] = {"role": "assistant", "content": said.text or None}
    if calls:
        message["tool_calls"] = calls
    choice = {"index": 0, "message": message, "finish_reason": said.finish, "reasoning_content": said.reasoning or None}
    body = json.dumps({"id": MARK, "model": MARK, "choices": [choice]}).encode()
    return body[:-2] if said.cut else body


def _job(said: Said) -> bytes:
    events: list[tuple[str, Any]] = [("jobInfo", {"status": "processing"}), ("clusterInfo", {"model": MARK})]
    events.append(("reply", {"reasoningContent": said.reasoning, "content": said.text}))
    if not said.cut:
        events.append(("jobInfo", {"status": "completed"}))
    return "".join(json.dumps({"type": kind, "data": data}) + "\n" for kind, data in events).encode()


# --- strategies

_WORDS = st.sampled_from(
    ["", "answer", "两个字", "\ud83d", '{"a":1}', "a\u2028b", f"{HARMONY}told", "told <|channel|> so"]
)
_THOUGHTS = st.sampled_from(["", "hm", "two\nlines"])
_NAMES = st.sampled_from(["rain", "get weather", "files.read", "f" * 70, "", "rain<|channel|>commentary"])
_ARGUMENTS = st.sampled_from(['{"a": 1}', "{}", "", '{"a": [1, ', "[1]", '{"a": NaN}', "none"])
_FINISHES = st.sampled_from(["stop", "length", "tool_calls", "content_filter", "eos"])
_FATES = st.sampled_from(["answered", "answered", "answered", "lost", "twice", "failed", "by the user", "orphan"])
_SAID = st.builds(
    Said,
    text=_WORDS,
    reasoning=_THOUGHTS,
    calls=st.lists(st.tuples(_NAMES, _ARGUMENTS), max_size=3).map(tuple),
    finish=_FINISHES,
    cut=st.sampled_from([False, False, True]),
)
_ASKED = st.sampled_from([(), (), (), (Text("more"),), (PNG,), (LINKED,), (STRANGE,)])


def turns(backend: st.SearchStrategy[str]) -> st.SearchStrategy[list[Turn]]:
    """Conversations of some turns, each answered by a backend that is drawn for it."""
    replies = st.lists(_SAID, min_size=1, max_size=2).map(tuple)
    fates = st.lists(_FATES, max_size=4).map(tuple)
    return st.lists(
        st.builds(Turn, backend=backend, asked=_ASKED, replies=replies, fates=fates), min_size=1, max_size=3
    )


_ODD = [
    Message("system", (Text("Be brief."),)),
    Message("system", (Text(""),)),
    Message("user", (Text(""),)),
    Message("assistant", ()),
    Message("assistant", (Reasoning("only thought"),)),
    Message("assistant", (ToolCall("x", "rain"), ToolCall("x", "wind"))),
    Message("assistant", (ToolCall("a b/c" * 20, "rain", {"x": 1}, raw="no json"),)),
    Message("tool", (ToolResult("x", "for whom?"),)),
    Message("user", (ToolResult("call_0", "late"),)),
]
CHANGES = st.lists(
    st.tuples(st.sampled_from(["drop", "keep", "add", "swap"]), st.integers(0, 30), st.sampled_from(_ODD)), max_size=3
)
"""What a user does to a history: takes a message out, goes back and goes on from there, puts one in."""


def changed(history: Sequence[Message], changes: Sequence[tuple[str, int, Message]]) -> list[Message]:
    """The history after that."""
    made = list(history)
    for kind, number, odd in changes:
        place = number % (len(made) + 1)
        match kind:
            case "drop":
                del made[place : place + 1]
            case "keep":
                del made[place:]
            case "add":
                made.insert(place, odd)
            case _:
                made[place:] = [odd, *made[place:][::-1]]
    return made
