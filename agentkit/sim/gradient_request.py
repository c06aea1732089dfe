"""Reads and checks what Gradient Chat is asked for.

Texts under two roles, a model and its cluster, and whether to think. Unknown fields pass, and have no effect: no limit,
no sampling, no tools. The last message is a question: nothing else is known to be answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from agentkit.sim.openai_history import refuse, refuse_type
from agentkit.sim.openai_request import overflow, prompt_tokens
from agentkit.sim.talk import Ask, Refused, Said
from agentkit.sim.wire import SimRequest, as_array, as_object, shown

CLUSTERS: Mapping[str, tuple[str, ...]] = {"GPT OSS 120B": ("nvidia", "hybrid"), "Qwen3 235B": ("hybrid",)}
"""Where each model runs."""
_MODES = ("nvidia", "hybrid")


@frozen
class Job:
    """One checked request."""

    model: str
    ask: Ask


def read_job(request: SimRequest, window: int) -> Job:
    """Read a request.

    Raises:
        Refused: it breaks the rules, or does not fit the window.
    """
    body = as_object(request.json)
    if body is None:
        refuse(f"The body is no JSON object: {request.malformed or shown(request.json)}.")
    model, thinks = _model(body), body.get("enableThinking", False)
    if not isinstance(thinks, bool):
        refuse_type("enableThinking", "a boolean", thinks)
    messages = _messages(body.get("messages"))
    prompt = prompt_tokens(messages, ())
    if prompt >= window:
        raise Refused(overflow(prompt, window))
    return Job(model, Ask(messages=messages, prompt_tokens=prompt, thinks=thinks))


def _model(body: Mapping[str, Any]) -> str:
    model, cluster = body.get("model"), body.get("clusterMode")
    if not isinstance(model, str) or model not in CLUSTERS:
        refuse(f"Unknown model {shown(model)}; available are {', '.join(CLUSTERS)}.")
    if cluster not in _MODES:
        refuse(f"Invalid clusterMode {shown(cluster)}; one of {', '.join(_MODES)}.")
    if cluster not in CLUSTERS[model]:
        refuse(f"The model {shown(model)} does not run in the cluster {shown(cluster)}.")
    return model


def _messages(given: Any) -> tuple[Said, ...]:
    items = as_array(given)
    if not items:
        refuse_type("messages", "an array with at least one message", given)
    messages = tuple(_message(as_object(item) or {}, place) for place, item in enumerate(items))
    if messages[-1].role != "user":
        refuse("The last message must have the role 'user'.")
    return messages


def _message(fields: Mapping[str, Any], place: int) -> Said:
    """The service seems to take instructions under the role `system`, at the head."""
    role, content, reasoning = fields.get("role"), fields.get("content"), fields.get("reasoningContent", "")
    if role not in ("user", "assistant") and (role, place) != ("system", 0):
        refuse(f"Invalid role of message {place}: {shown(role)}.")
    if not isinstance(content, str) or (role == "user" and not content.strip()):
        refuse_type(f"messages[{place}].content", "a text", content)
    if not isinstance(reasoning, str) or (reasoning and role != "assistant"):
        refuse_type(f"messages[{place}].reasoningContent", "a text of the assistant", reasoning)
    return Said(role=str(role), text=content, reasoning=reasoning)
