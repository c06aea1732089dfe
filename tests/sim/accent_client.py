"""Requests to a profile, and what came back as it was written: the tests of the accents look at the wire itself."""

from __future__ import annotations

import json
from typing import Any

from attrs import define, field
from sim_client import user

from agentkit.sim import Simulator
from agentkit.sim.profiles import PROFILES
from agentkit.sim.talk import Drop, Pause

OPENAI_LIKE = tuple(name for name in PROFILES if name not in ("gradient", "pixigpt"))


@define
class Answer:
    """An answer, taken apart no further than its events."""

    status: int
    headers: dict[str, str]
    data: bytes
    items: list[Any]
    events: list[dict[str, Any]] = field(factory=list)
    """The JSON of the events of a stream."""

    @property
    def value(self) -> Any:
        return json.loads(self.data)

    @property
    def streamed(self) -> bool:
        return self.headers["content-type"].startswith("text/event-stream")

    @property
    def done(self) -> bool:
        return self.data.endswith(b"data: [DONE]\n\n")

    @property
    def deltas(self) -> list[dict[str, Any]]:
        return [choice["delta"] for event in self.events for choice in event.get("choices", ())]

    @property
    def finish(self) -> list[str]:
        reasons = [choice["finish_reason"] for event in self.events for choice in event.get("choices", ())]
        return [reason for reason in reasons if reason]

    def said(self, name: str = "content") -> str:
        return "".join(delta.get(name) or "" for delta in self.deltas)


def path_of(profile: str) -> str:
    return PROFILES[profile].base + "/chat/completions"


def send(simulator: Simulator, method: str, path: str, value: Any = None) -> Answer:
    data = b"" if value is None else value if isinstance(value, bytes) else json.dumps(value).encode()
    response = simulator.handle(method, path, {"authorization": "Bearer key"}, data)
    items = list(response.body)
    answer = Answer(
        status=response.status,
        headers={name.lower(): text for name, text in response.headers.items()},
        data=b"".join(item for item in items if isinstance(item, bytes)),
        items=[item for item in items if isinstance(item, Pause | Drop)],
    )
    if answer.streamed:
        lines = answer.data.decode().split("\n\n")
        answer.events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    return answer


def chat(profile: str, messages: Any, *, simulator: Simulator | None = None, **fields: Any) -> Answer:
    messages = [user(messages)] if isinstance(messages, str) else messages
    body = {"model": "sim", "messages": messages, **fields}
    return send(simulator or Simulator(), "POST", path_of(profile), body)


def stream(profile: str, messages: Any, **fields: Any) -> Answer:
    return chat(profile, messages, stream=True, **fields)
