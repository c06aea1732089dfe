"""The OpenAI wire: chat completions whole and as a stream, models, health. Pure: a request to an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from attrs import define, field

from agentkit.sim.openai_request import ChatBody, read_chat
from agentkit.sim.profiles import PROFILES
from agentkit.sim.stage import Performance
from agentkit.sim.talk import (
    Break,
    CallPiece,
    CallStart,
    Drop,
    End,
    Failure,
    Pause,
    Reason,
    Refused,
    Speak,
    Step,
)
from agentkit.sim.text import digest
from agentkit.sim.wire import Item, SimRequest, SimResponse, Stage, encoded, json_response

MODEL = "sim"
OWNER = "agentkit-sim"
_CREATED = 1_700_000_000
_DONE = b"data: [DONE]\n\n"


def answer(request: SimRequest, stage: Stage) -> SimResponse | None:
    """Answer a request to one of the paths of this wire."""
    base, path = PROFILES[request.profile].path, request.path
    match request.method, path.replace(base, "", 1) if path.startswith(base) else f"/{path}":
        case "POST", "/chat/completions":
            return _chat(request, stage)
        case "GET", "/models":
            return json_response(200, {"object": "list", "data": [_model(MODEL, stage)]})
        case "GET", path if path.startswith("/models/"):
            return json_response(200, _model(path.removeprefix("/models/"), stage))
        case "GET", "//health":
            return json_response(200, {"status": "ok", "simulator": True})
        case _:
            return None


def unknown(request: SimRequest) -> SimResponse:
    """The answer to a path that no wire knows."""
    message = f"Unknown request URL: {request.method} {request.path}."
    return refusal(Failure(status=404, message=message, code="unknown_url"))


def refusal(failure: Failure, delay: float = 0.0) -> SimResponse:
    """An error, as OpenAI writes it."""
    return json_response(failure.status, _error(failure), failure=failure, before=(Pause(delay),) if delay else ())


def _error(failure: Failure) -> dict[str, Any]:
    return {"error": {"message": failure.message, "type": failure.type, "param": failure.param, "code": failure.code}}


def _model(name: str, stage: Stage) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": _CREATED, "owned_by": OWNER, "max_model_len": stage.window}


def _chat(request: SimRequest, stage: Stage) -> SimResponse:
    try:
        body = read_chat(request, stage.window)
        performance = stage.perform(body.ask)
    except Refused as refused:
        return refusal(refused.failure, refused.delay)
    base = {
        "id": f"chatcmpl-{digest(stage.seed, request.number)}",
        "object": "chat.completion.chunk" if body.stream else "chat.completion",
        "created": _CREATED + request.number,
        "model": body.model,
        "system_fingerprint": "simulator",
    }
    if body.stream:
        headers = {"content-type": "text/event-stream", "cache-control": "no-cache"}
        return SimResponse(200, headers, _stream(base, body, performance))
    return _whole(base, performance)


def _stream(base: dict[str, Any], body: ChatBody, performance: Performance) -> Iterator[Item]:
    writer = _Frames(b"data: " + encoded(base)[:-1] + b",", body.include_usage)
    for step in performance.steps():
        yield from writer.play(step)


@define
class _Frames:
    """Writes the frames of one stream."""

    head: bytes
    """What all frames begin with."""
    include_usage: bool
    begun: bool = False

    def play(self, step: Step) -> Iterator[Item]:
        if isinstance(step, Pause | Drop):
            yield step
            return
        if not self.begun:
            self.begun = True
            yield self._delta({"role": "assistant", "content": ""})
        match step:
            case Reason(text):
                yield self._delta({"reasoning_content": text})
            case Speak(text):
                yield self._delta({"content": text})
            case CallStart() | CallPiece():
                yield self._delta({"tool_calls": [_call_delta(step)]})
            case Break(failure):
                yield b"data: " + encoded(_error(failure)) + b"\n\n"
            case End():
                yield from self._end(step)

    def _delta(self, delta: dict[str, Any], finish: str | None = None) -> bytes:
        return self._frame([{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}])

    def _frame(self, choices: list[Any], **more: Any) -> bytes:
        return self.head + encoded({"choices": choices, **more})[1:] + b"\n\n"

    def _end(self, end: End) -> Iterator[bytes]:
        yield self._delta({}, end.finish)
        if self.include_usage:
            yield self._frame([], usage=_usage(end))
        yield _DONE


def _call_delta(step: CallStart | CallPiece) -> dict[str, Any]:
    match step:
        case CallStart(index, call):
            function = {"name": call.name, "arguments": ""}
            return {"index": index, "id": call.id, "type": "function", "function": function}
        case CallPiece(index, text):
            return {"index": index, "function": {"arguments": text}}


def _usage(end: End) -> dict[str, Any]:
    return {
        "prompt_tokens": end.prompt_tokens,
        "completion_tokens": end.completion_tokens,
        "total_tokens": end.prompt_tokens + end.completion_tokens,
        "completion_tokens_details": {"reasoning_tokens": end.reasoning_tokens},
    }


@define
class _Message:
    """Collects a whole reply."""

    text: list[str] = field(factory=list[str])
    reasoning: list[str] = field(factory=list[str])
    calls: list[dict[str, Any]] = field(factory=list[dict[str, Any]])
    waited: float = 0.0
    outcome: Drop | Break | End | None = None

    def play(self, step: Step) -> None:
        match step:
            case Reason(text):
                self.reasoning.append(text)
            case Speak(text):
                self.text.append(text)
            case CallStart(_, call):
                self.calls.append({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": ""}})
            case CallPiece(index, text):
                self.calls[index]["function"]["arguments"] += text
            case Pause(seconds):
                self.waited += seconds
            case Drop() | Break() | End():
                self.outcome = step

    def as_json(self) -> dict[str, Any]:
        message: dict[str, Any] = {"role": "assistant", "content": "".join(self.text) or (None if self.calls else "")}
        if self.reasoning:
            message["reasoning_content"] = "".join(self.reasoning)
        if self.calls:
            message["tool_calls"] = self.calls
        return message


def _whole(base: dict[str, Any], performance: Performance) -> SimResponse:
    made = _Message()
    for step in performance.steps():
        made.play(step)
    if isinstance(made.outcome, Break):
        return refusal(made.outcome.failure, made.waited)
    finish = made.outcome.finish if isinstance(made.outcome, End) else None
    choice = {"index": 0, "message": made.as_json(), "logprobs": None, "finish_reason": finish}
    usage = {"usage": _usage(made.outcome)} if isinstance(made.outcome, End) else {}
    before = (Pause(made.waited),) if made.waited else ()
    answered = json_response(200, {**base, "choices": [choice], **usage}, before=before)
    return answered if isinstance(made.outcome, End) else _broken(answered, before, performance)


def _broken(answered: SimResponse, before: tuple[Item, ...], performance: Performance) -> SimResponse:
    """Half of the answer, and then the connection breaks; where it breaks at once, not even the head."""
    at_once = any(fault.kind == "drop" and fault.after == 0 for fault in performance.faults)
    whole = b"".join(item for item in answered.body if isinstance(item, bytes))
    half = () if at_once else (whole[: len(whole) // 2],)
    return SimResponse(200, answered.headers, iter((*before, *half, Drop())))
