"""The wire of PixiGPT: chat completions, never as a stream. Its platform is in `pixigpt_threads`."""

from __future__ import annotations

from typing import Any

from agentkit.sim import pixigpt_threads
from agentkit.sim.pixigpt_platform import Platform
from agentkit.sim.pixigpt_reply import spoken
from agentkit.sim.pixigpt_request import authorize, read_chat
from agentkit.sim.talk import Break, Call, End, Failure, Pause, Refused
from agentkit.sim.text import digest
from agentkit.sim.whole import Whole, broken
from agentkit.sim.wire import SimRequest, SimResponse, Stage, json_response

ROOT = "/v1"
_CREATED = 1_700_000_000


def answer(request: SimRequest, stage: Stage) -> SimResponse | None:
    """Answer a request to one of the paths of this wire; None for any other."""
    if not request.path.startswith(f"{ROOT}/"):
        return None
    parts = tuple(request.path.removeprefix(f"{ROOT}/").split("/"))
    try:
        stage.admit()
        authorize(request)
        if (request.method, parts) == ("POST", ("chat", "completions")):
            return _chat(request, stage)
        found = pixigpt_threads.answer(request, parts, stage)
    except Refused as refused:
        return refusal(refused.failure, refused.delay)
    message = f"There is nothing at {request.method} {request.path}."
    return found or refusal(Failure(status=404, message=message))


def refusal(failure: Failure, delay: float = 0.0) -> SimResponse:
    """An error, as this service writes it."""
    error = {"message": failure.message, "type": failure.type}
    if failure.code is not None:
        error["code"] = str(failure.code)
    return json_response(failure.status, {"error": error}, failure=failure, before=(Pause(delay),) if delay else ())


def _chat(request: SimRequest, stage: Stage) -> SimResponse:
    ask = read_chat(request, stage.keep(Platform), stage.window)
    performance = stage.perform(ask)
    made = Whole.of(performance)
    if isinstance(made.outcome, Break):
        raise Refused(made.outcome.failure, made.waited)
    value = {
        "id": f"chatcmpl-{digest(stage.seed, request.number)}",
        "object": "chat.completion",
        "created": _CREATED + request.number,
        "model": "pixi",
        "choices": [_choice(made, leaks="leak" in performance.quirks)],
        "usage": _usage(made, ask.prompt_tokens),
    }
    answered = json_response(200, value, before=(Pause(made.waited),) if made.waited else ())
    return answered if isinstance(made.outcome, End) else broken(answered, performance)


def _choice(made: Whole, *, leaks: bool) -> dict[str, Any]:
    """The reasoning stands beside the message, not in it."""
    text, reasoning = spoken(made, leaks=leaks)
    message: dict[str, Any] = {"role": "assistant", "content": text or (None if made.heads else "")}
    if made.heads:
        message["tool_calls"] = [_call(call) for call in made.calls]
    finish = made.outcome.finish if isinstance(made.outcome, End) else None
    return {"index": 0, "message": message, "finish_reason": finish, "reasoning_content": reasoning}


def _call(call: Call) -> dict[str, Any]:
    return {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}


def _usage(made: Whole, prompt: int) -> dict[str, int]:
    """These three and no more: the client of the service knows no others."""
    said = made.outcome.completion_tokens if isinstance(made.outcome, End) else 0
    return {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said}
