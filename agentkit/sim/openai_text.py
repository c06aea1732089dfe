"""The completion of a text: a conversation as one text, in harmony or ChatML, is read back and gone on with at its end.

Pure. A text that ends within a message of the assistant is continued there; any other is answered.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from attrs import evolve

from agentkit.sim.accent import Accent
from agentkit.sim.openai_errors import DONE
from agentkit.sim.openai_history import refuse, refuse_type
from agentkit.sim.openai_request import ChatBody, read_chat
from agentkit.sim.openai_stream import usage_of
from agentkit.sim.openai_wire import CREATED, Page
from agentkit.sim.stage import Performance
from agentkit.sim.talk import Break, Drop, End, Pause, Refused, Reply, Speak
from agentkit.sim.text import digest
from agentkit.sim.whole import Whole, broken
from agentkit.sim.wire import Item, SimRequest, SimResponse, Stage, as_object, encoded, json_response

_STREAM = {"content-type": "text/event-stream", "cache-control": "no-cache"}
_HARMONY = re.compile(
    r"<\|start\|>(?P<role>[^<]*)(?:<\|channel\|>(?P<channel>[^<]*))?<\|message\|>"
    r"(?P<text>.*?)(?:<\|(?:end|return|call)\|>|\Z)",
    re.DOTALL,
)
_CHATML = re.compile(r"<\|im_start\|>(?P<role>\w+)\n(?P<text>.*?)(?:<\|im_end\|>\n?|\Z)", re.DOTALL)
_THOUGHT = re.compile(r"<think>\n(?P<thought>.*?)\n</think>\n\n", re.DOTALL)
_FIELDS = ("model", "max_tokens", "stop", "stream", "stream_options", "temperature", "top_p", "seed")


def completions(limit: int | None) -> Page:
    """The page; `limit` is that of new tokens, where the request sets none."""

    def page(request: SimRequest, stage: Stage, accent: Accent) -> SimResponse:
        given = as_object(request.json) or {}
        chat = {"messages": _messages(given.get("prompt")), **{name: given[name] for name in _FIELDS if name in given}}
        plain = evolve(accent, trailing="continued", checks=(), known=None, limit=limit, harmony={})
        body = read_chat(evolve(request, json=chat), stage.window, plain, stage.models)
        performance = stage.perform(body.ask)
        performance = evolve(performance, reply=Reply(text=performance.reply.text))
        base: dict[str, Any] = {
            "id": f"cmpl-{digest(stage.seed, request.number)}",
            "object": "text_completion",
            "created": CREATED + request.number,
            "model": body.model,
            **accent.base,
        }
        if body.stream:
            return SimResponse(200, _STREAM, _stream(base, body, performance, accent))
        return _whole(base, performance, accent)

    return page


def _messages(prompt: object) -> list[dict[str, str]]:
    """What the text says, as the messages of a chat.

    Raises:
        Refused: it is none, or begins with no message.
    """
    if not isinstance(prompt, str):
        refuse_type("prompt", "a string", prompt)
    if prompt.startswith("<|start|>"):
        made = _of_harmony(prompt)
    elif prompt.startswith("<|im_start|>"):
        made = [_of_chatml(found["role"], found["text"]) for found in _CHATML.finditer(prompt)]
    else:
        refuse("the simulator goes on with texts in harmony or ChatML only", "prompt")
    return made if made[-1:] and made[-1]["content"] else made[:-1]


def _of_harmony(prompt: str) -> list[dict[str, str]]:
    made: list[dict[str, str]] = []
    thought = ""
    for found in _HARMONY.finditer(prompt):
        role = found["role"]
        if found["channel"] == "analysis":
            thought = found["text"]
        else:
            made.append({"role": role, "content": found["text"]} | ({"reasoning": thought} if thought else {}))
            thought = ""
    return made


def _of_chatml(role: str, text: str) -> dict[str, str]:
    found = _THOUGHT.match(text) if role == "assistant" else None
    if found is None:
        return {"role": role, "content": text}
    return {"role": role, "content": text[found.end() :], "reasoning": found["thought"]}


def _stream(base: Mapping[str, Any], body: ChatBody, performance: Performance, accent: Accent) -> Iterator[Item]:
    def event(text: str, finish: str | None = None) -> bytes:
        choice = {"text": text, "index": 0, "logprobs": None, "finish_reason": finish}
        return framed([choice])

    def framed(choices: list[Any], **more: Any) -> bytes:
        return b"data: " + encoded({**base, "choices": choices, **more}) + b"\n\n"

    for step in performance.steps():
        match step:
            case Speak(text):
                yield event(text)
            case Break(failure):
                yield from accent.breaks(failure)
            case End():
                yield event("", step.finish)
                if body.include_usage:
                    yield framed([], usage=usage_of(step, accent))
                yield DONE
            case Pause() | Drop():
                yield step
            case _:
                pass  # it has neither thoughts nor calls


def _whole(base: Mapping[str, Any], performance: Performance, accent: Accent) -> SimResponse:
    made = Whole.of(performance)
    if isinstance(made.outcome, Break):
        raise Refused(made.outcome.failure, made.waited)
    before = (Pause(made.waited),) if made.waited else ()
    end = made.outcome if isinstance(made.outcome, End) else None
    choice = {
        "text": made.text,
        "index": 0,
        "logprobs": None,
        "finish_reason": None if end is None else end.finish,
    }
    counts = {} if end is None else {"usage": usage_of(end, accent)}
    answered = json_response(200, {**base, "choices": [choice], **counts}, before=before)
    return broken(answered, performance) if made.outcome == Drop() else answered
