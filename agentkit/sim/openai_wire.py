"""The chat-completions format, in the accents of the servers that speak it. Pure: a request to an answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from attrs import evolve

from agentkit.sim import openai_errors
from agentkit.sim.accent import Accent
from agentkit.sim.openai_raw import echoed, raw
from agentkit.sim.openai_request import ChatBody, read_chat
from agentkit.sim.openai_stream import Frames, finish_of, usage_of
from agentkit.sim.profiles import PROFILES
from agentkit.sim.stage import Performance
from agentkit.sim.talk import Break, Drop, End, Failure, Pause, Refused, Step
from agentkit.sim.text import digest
from agentkit.sim.whole import Whole, broken
from agentkit.sim.wire import Item, SimRequest, SimResponse, Stage, Wire, as_object, encoded, json_response

Page: TypeAlias = Callable[[SimRequest, Stage, Accent], SimResponse]
Pages: TypeAlias = Mapping[tuple[str, str], Page]
"""By method and path; a path that ends in `*` stands for all that begin so, and `("*", "*")` for all others."""

CREATED = 1_700_000_000
_STREAM = {"content-type": "text/event-stream", "cache-control": "no-cache"}
_BY_SCHEDULER = (429, 502, 503)
"""What Parallax' scheduler says itself, before it has sent a head."""
_TOO_MANY = 429
_REMAINING = "x-ratelimit-remaining"


def speaking(accent: Accent, pages: Pages) -> Wire:
    """The wire of a server that speaks so, and has these pages besides."""

    def answer(request: SimRequest, stage: Stage) -> SimResponse | None:
        try:
            answered = _answer(request, stage, accent, pages)
        except Refused as refused:
            answered = _refused(refused, request, accent)
        return answered and evolve(answered, headers={**accent.headers, **answered.headers})

    return answer


def unknown(request: SimRequest) -> SimResponse:
    """The answer to a path that no wire knows."""
    message = f"Unknown request URL: {request.method} {request.path}."
    return refusal(Failure(status=404, message=message, code="unknown_url"))


def refusal(failure: Failure, delay: float = 0.0) -> SimResponse:
    """An error, as OpenAI writes it."""
    before = (Pause(delay),) if delay else ()
    return json_response(failure.status, openai_errors.openai(failure), failure=failure, before=before)


def _answer(request: SimRequest, stage: Stage, accent: Accent, pages: Pages) -> SimResponse | None:
    stage.admit()
    if accent.key and not request.headers.get("authorization", "").lower().startswith("bearer "):
        raise Refused(Failure(status=401, message="a valid API key is needed", invalid=True))
    if (request.method, request.path) == ("POST", f"{PROFILES[request.profile].path}/chat/completions"):
        return _chat(request, stage, accent)
    page = _page(request, pages)
    return page and page(request, stage, accent)


def _page(request: SimRequest, pages: Pages) -> Page | None:
    for (method, path), page in pages.items():
        begins = path.endswith("*") and request.path.startswith(path[:-1])
        if method in ("*", request.method) and (begins or path in ("*", request.path)):
            return page
    return None


def _refused(refused: Refused, request: SimRequest, accent: Accent) -> SimResponse:
    failure = refused.failure
    streamed = (as_object(request.json) or {}).get("stream") is True
    before = (Pause(refused.delay),) if refused.delay else ()
    problem = failure.message if failure.invalid else None
    if refused.inside and streamed:
        return SimResponse(200, _STREAM, iter((*before, *accent.breaks(failure))), problem)
    if accent.bare and streamed and failure.status not in _BY_SCHEDULER:
        return SimResponse(200, _STREAM, iter((*before, encoded(accent.error(failure)) + b"\n")), problem)
    if failure.invalid and failure.status == 400:  # noqa: PLR2004 - the status of a refusal that is none else's
        failure = evolve(failure, status=accent.invalid)
    answered = json_response(failure.status, accent.error(failure), failure=failure, before=before)
    if failure.status == _TOO_MANY and _REMAINING in accent.headers:
        answered = evolve(answered, headers={**answered.headers, _REMAINING: "0"})
    return answered


def _chat(request: SimRequest, stage: Stage, accent: Accent) -> SimResponse:
    body = read_chat(request, stage.window, accent, stage.models)
    accent = accent.of(body.model)
    performance = stage.perform(body.ask)
    _check_known(request, performance.quirks.get("refuse"))
    accent = _spoilt(accent, performance)
    leaks = "words" if "words" in performance.quirks else "harmony" if "leak" in performance.quirks else accent.raw
    last = body.ask.messages[-1:]
    begun = bool(last) and last[0].role == "assistant" and bool(last[0].text)
    calls = tuple(evolve(call, id=accent.call_id(call.id)) for call in performance.reply.calls)
    reply = raw(evolve(performance.reply, calls=calls), leaks, begun=begun)
    performance = evolve(performance, reply=reply)
    base: dict[str, Any] = {
        "id": _id(accent, stage.seed, request.number),
        "object": "chat.completion.chunk" if body.stream else "chat.completion",
        "created": accent.created(CREATED + request.number),
        "model": _model(accent, body, stage),
        **accent.base,
    }
    if body.stream:
        return SimResponse(200, _STREAM, _stream(base, body, performance, accent))
    return _whole(base, body, performance, accent)


def _check_known(request: SimRequest, unknown: str | None) -> None:
    """Refuse a field that the server was told not to know."""
    if unknown is not None and unknown in (as_object(request.json) or {}):
        raise Refused(Failure(status=400, message=f"Unknown parameter: '{unknown}'.", param=unknown))


def _spoilt(accent: Accent, performance: Performance) -> Accent:
    """The accent for this answer: what is to go wrong with its calls may need them whole."""
    hows = {fault.how for fault in performance.faults if fault.kind == "spoil"}
    if "together" in hows:
        return evolve(accent, calls="together")
    return evolve(accent, calls="whole") if "objects" in hows else accent


def _id(accent: Accent, seed: int, number: int) -> str:
    made = digest(seed, number)
    match accent.ids:
        case "hex":
            return f"chatcmpl-{made}"
        case "number":
            return f"chatcmpl-{number % 999}"
        case "uuid":
            return "-".join((made[:8], made[8:12], made[12:16], made[16:20], made[20:]))


def _model(accent: Accent, body: ChatBody, stage: Stage) -> str:
    match accent.model:
        case "asked":
            return body.model
        case "served":
            return (stage.models or accent.served)[0]
        case "default":
            return "default"


def _steps(body: ChatBody, performance: Performance) -> Iterator[Step]:
    return echoed(performance.steps(), body.echo) if body.echo is not None else performance.steps()


def _stream(base: dict[str, Any], body: ChatBody, performance: Performance, accent: Accent) -> Iterator[Item]:
    writer = Frames(b"data: " + encoded(base)[:-1] + b",", body, accent)
    for step in _steps(body, performance):
        yield from writer.play(step)


def _whole(base: dict[str, Any], body: ChatBody, performance: Performance, accent: Accent) -> SimResponse:
    made = Whole()
    for step in _steps(body, performance):
        made.play(step)
    if isinstance(made.outcome, Break):
        raise Refused(made.outcome.failure, made.waited)
    before = (Pause(made.waited),) if made.waited else ()
    if not isinstance(made.outcome, End):
        choice = {"index": 0, "message": _message(made, body, accent), **accent.choice, "finish_reason": None}
        answered = json_response(200, {**base, "choices": [choice]}, before=before)
        return answered if made.outcome == Drop(orderly=True) else broken(answered, performance)
    finish = finish_of(made.outcome, body, accent, calls=bool(made.calls))
    choice = {"index": 0, "message": _message(made, body, accent), **accent.choice, "finish_reason": finish}
    whole = {**base, "choices": [{**choice, **accent.last_choice}], "usage": usage_of(made.outcome, accent)}
    return json_response(200, {**whole, **accent.more}, before=before)


def _message(made: Whole, body: ChatBody, accent: Accent) -> dict[str, Any]:
    calls = made.calls
    if accent.calls == "whole" and isinstance(made.outcome, End) and made.outcome.finish == "length":
        calls = calls[:-1]  # the one that was cut cannot be read
    nothing = None if accent.empty == "null" or (accent.empty == "null with calls" and calls) else ""
    message: dict[str, Any] = {"role": "assistant", "content": made.text or nothing, **accent.message}
    if made.reasoning and not body.hides:
        message.update(dict.fromkeys(accent.reasoning, made.reasoning))
    if calls:
        message["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in calls
        ]
    return message
