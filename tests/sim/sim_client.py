"""A client of the simulator that knows the OpenAI wire by itself, for the tests: nothing of agentkit's own decoding."""

from __future__ import annotations

import json
from typing import Any

from attrs import define, field

from agentkit.sim.talk import Drop, Pause

CHAT = "/v1/chat/completions"


@define
class Heard:
    """What came back."""

    status: int = 200
    headers: dict[str, str] = field(factory=dict)
    text: str = ""
    reasoning: str = ""
    calls: list[dict[str, Any]] = field(factory=list)
    finish: str | None = None
    usage: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    deltas: list[str] = field(factory=list)
    pauses: list[float] = field(factory=list)
    dropped: bool = False
    done: bool = False
    items: list[Any] = field(factory=list)

    def message(self) -> dict[str, Any]:
        """The assistant message for the next request."""
        made: dict[str, Any] = {"role": "assistant", "content": self.text}
        if self.reasoning:
            made["reasoning_content"] = self.reasoning
        if self.calls:
            made["tool_calls"] = self.calls
        return made


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def assistant(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


def tool_schema(name: str, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "parameters": schema or {"type": "object"}}}


def body(messages: Any, **fields: Any) -> bytes:
    messages = [user(messages)] if isinstance(messages, str) else messages
    return json.dumps({"model": "sim", "messages": messages, **fields}).encode()


def ask(simulator: Any, messages: Any, **fields: Any) -> Heard:
    """Send a request and read the answer, whole or as a stream."""
    response = simulator.handle("POST", CHAT, {"Content-Type": "application/json"}, body(messages, **fields))
    heard = Heard(status=response.status, headers=dict(response.headers), items=list(response.body))
    heard.pauses = [item.seconds for item in heard.items if isinstance(item, Pause)]
    heard.dropped = any(isinstance(item, Drop) for item in heard.items)
    data = b"".join(item for item in heard.items if isinstance(item, bytes))
    if response.headers["content-type"].startswith("text/event-stream"):
        _read_stream(heard, data)
    elif not heard.dropped:
        _read_whole(heard, json.loads(data))
    return heard


def stream(simulator: Any, messages: Any, **fields: Any) -> Heard:
    return ask(simulator, messages, stream=True, **fields)


def _read_whole(heard: Heard, value: dict[str, Any]) -> None:
    if heard.status != 200:
        heard.error = value["error"]
        return
    choice = value["choices"][0]
    message = choice["message"]
    heard.text, heard.finish, heard.usage = message["content"] or "", choice["finish_reason"], value["usage"]
    heard.reasoning, heard.calls = message.get("reasoning_content", ""), message.get("tool_calls", [])


def _read_stream(heard: Heard, data: bytes) -> None:
    frames = data.decode().split("\n\n")
    assert frames.pop() == ""
    for frame in frames:
        assert frame.startswith("data: ")
        if frame == "data: [DONE]":
            heard.done = True
            continue
        assert not heard.done
        value = json.loads(frame[6:])
        heard.error = value.get("error", heard.error)
        heard.usage = value.get("usage") or heard.usage
        for choice in value.get("choices", ()):
            _read_delta(heard, choice["delta"])
            heard.finish = choice["finish_reason"] or heard.finish


def _read_delta(heard: Heard, delta: dict[str, Any]) -> None:
    heard.reasoning += delta.get("reasoning_content", "")
    if delta.get("content"):
        heard.deltas.append(delta["content"])
        heard.text += delta["content"]
    for piece in delta.get("tool_calls", ()):
        if "id" in piece:
            assert piece["index"] == len(heard.calls)
            heard.calls.append({"id": piece["id"], "type": piece["type"], "function": dict(piece["function"])})
        else:
            heard.calls[piece["index"]]["function"]["arguments"] += piece["function"]["arguments"]
