"""A conversation as one text that is left open at its end, for servers that complete texts: what the template of the
model makes of it. Pure; may hold the templates that are known, and the request that goes past that of the server.

A text completion is not taken apart: it has no thinking and no calls. So only a reply of which there is text already is
gone on with in this way, and only where no tools go along.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from attrs import evolve, frozen

from agentkit.errors import Unsupported
from agentkit.messages import Message, Reasoning, Text
from agentkit.provider import Capabilities, ChatRequest
from agentkit.providers._harmony import cleaned
from agentkit.providers._json import dumps, utf8
from agentkit.providers._openai_dialect import Dialect, is_gpt_oss
from agentkit.providers._openai_encode import fields_of
from agentkit.providers._openai_history import one_system

_QWEN = re.compile(r"qwen[-_ ]?(?:1\.5|2|3)|qwq")
_OPEN = "<|"
_SYSTEM = """You are ChatGPT, a large language model trained by OpenAI.
Knowledge cutoff: 2024-06

Reasoning: {effort}

# Valid channels: analysis, commentary, final. Channel must be included for every message."""
_EFFORTS = frozenset({"low", "medium", "high"})


@frozen
class Template:
    """How a family of models is given a conversation."""

    render: Callable[[ChatRequest], Iterator[str]]
    ends: tuple[str, ...]
    """What ends a reply, and does not belong to its text."""


def template_of(model: str) -> Template | None:
    """The template of this model, where it is known."""
    if is_gpt_oss(model):
        return HARMONY
    name = model.lower()
    return CHATML if _QWEN.search(name) and "distill" not in name else None


@lru_cache(maxsize=64)
def with_template(capabilities: Capabilities, model: str) -> Capabilities:
    """What the server can do with this model: a text is made only by a template that is known."""
    return evolve(capabilities, raw=capabilities.raw and template_of(model) is not None)


def raw_body(request: ChatRequest, dialect: Dialect) -> bytes:
    """The body of a request for the completion of a text.

    Raises:
        Unsupported: the conversation holds more than texts.
    """
    template, options = template_of(request.model), request.options
    if template is None or request.tools or "messages" in options.extra or _OPEN in request.messages[-1].text:
        raise Unsupported("this conversation cannot be written as one text")
    plain = evolve(
        options,
        stop=(*options.stop, *template.ends),
        reasoning_effort=None,
        tool_choice=None,
        parallel_tool_calls=None,
    )
    asked = evolve(request, options=plain, prefix=False, shape=None)
    fields, _ = fields_of(asked, evolve(dialect, max_tokens="max_tokens", lacks=dialect.lacks - {"stop"}))
    return utf8(dumps({**dialect.completes, **fields, "prompt": "".join(template.render(request))}))


def _harmony(request: ChatRequest) -> Iterator[str]:
    effort = request.options.reasoning_effort
    system = _SYSTEM.format(effort=effort if effort in _EFFORTS else "medium")
    yield f"<|start|>system<|message|>{system}<|end|>"
    *before, reply = one_system(request.messages)
    turn = _turn(before)
    for place, message in enumerate(before):
        text, thought = _said(message)
        if message.role == "assistant":
            text = _defused(cleaned(message.text))
        if not text.strip():
            continue
        match message.role:
            case "system":
                yield f"<|start|>developer<|message|># Instructions\n\n{text}<|end|>"
            case "assistant":
                yield from _thinking(thought if place > turn else "")
                yield f"<|start|>assistant<|channel|>final<|message|>{text}<|end|>"
            case _:
                yield f"<|start|>{message.role}<|message|>{text}<|end|>"
    text, thought = _said(reply)
    yield from _thinking(thought)
    yield f"<|start|>assistant<|channel|>final<|message|>{text}"


def _thinking(thought: str) -> Iterator[str]:
    if thought:
        yield f"<|start|>assistant<|channel|>analysis<|message|>{thought}<|end|>"


def _chatml(request: ChatRequest) -> Iterator[str]:
    *before, reply = request.messages
    turn = _turn(before)
    for place, message in enumerate(before):
        said = _thought_first(message, is_live=place > turn)
        if message.text.strip():
            yield f"<|im_start|>{message.role}\n{said}<|im_end|>\n"
    yield f"<|im_start|>assistant\n{_thought_first(reply, is_live=True)}"


def _thought_first(message: Message, *, is_live: bool) -> str:
    text, thought = _said(message)
    return f"<think>\n{thought}\n</think>\n\n{text}" if thought and is_live else text


def _turn(messages: Sequence[Message]) -> int:
    """The place of the user's last message: what was thought before it does not go along."""
    return max((place for place, message in enumerate(messages) if message.role == "user"), default=-1)


def _said(message: Message) -> tuple[str, str]:
    """Text and thinking, in which nothing acts as a control word."""
    for part in message.parts:
        if not isinstance(part, Text | Reasoning):
            raise Unsupported(f"a text completion carries texts, not {part!r:.200}")
    return _defused(message.text), _defused(message.reasoning)


def _defused(text: str) -> str:
    return text.replace(_OPEN, "<\u200b|")


HARMONY = Template(_harmony, ("<|end|>", "<|return|>", "<|call|>", "<|start|>"))
CHATML = Template(_chatml, ("<|im_end|>", "<|im_start|>", "<|endoftext|>"))
