"""What a server makes of an assistant message at the end of a request. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from attrs import evolve, frozen

from agentkit.sim.accent import Accent, is_harmony
from agentkit.sim.openai_history import refuse
from agentkit.sim.talk import Said


@frozen(kw_only=True)
class Opening:
    """How the reply begins."""

    messages: tuple[Said, ...]
    anew: bool = False
    """The message at the end is closed; another answer begins."""
    echo: Said | None = None
    """What the reply repeats before it goes on."""


def opening(given: Mapping[str, Any], messages: tuple[Said, ...], accent: Accent) -> Opening:
    """Read how the reply is to begin.

    Raises:
        Refused: the server does not do that.
    """
    last = messages[-1]
    if last.role != "assistant":
        return Opening(messages=messages)
    wants = bool(given.get("continue_final_message"))
    match accent.trailing:
        case "continued":
            return Opening(messages=messages)
        case "anew":
            return Opening(messages=messages, anew=True)
        case "flags":
            return _flags(given, messages, wants=wants)
        case "flag or user":
            if wants:  # appended as it is, which only gpt-oss takes for the beginning of something else
                return Opening(messages=messages, anew=is_harmony(given.get("model")))
            return Opening(messages=(*messages[:-1], evolve(last, role="user", reasoning="")))
        case "llamacpp":
            return _llamacpp(given, messages, last, wants=wants)
        case "refused":
            return refuse("Assistant response prefill is incompatible with enable_thinking.")
        case _:
            assert_never(accent.trailing)


def _flags(given: Mapping[str, Any], messages: tuple[Said, ...], *, wants: bool) -> Opening:
    if not wants:
        return Opening(messages=messages, anew=True)
    if given.get("add_generation_prompt", True):
        refuse("Cannot set both `continue_final_message` and `add_generation_prompt` to True.")
    return Opening(messages=messages, echo=messages[-1] if given.get("echo") else None)


def _llamacpp(given: Mapping[str, Any], messages: tuple[Said, ...], last: Said, *, wants: bool) -> Opening:
    """Continued in any case, and repeated but where it was asked for expressly, in a stream."""
    if len(messages) > 1 and messages[-2].role == "assistant":
        refuse("Cannot have 2 or more assistant messages at the end of the list.")
    if wants and given.get("add_generation_prompt", True):
        refuse("Cannot set both continue_final_message and add_generation_prompt to true.")
    silent = wants and given.get("stream") and not given.get("echo")
    return Opening(messages=messages) if silent else Opening(messages=messages, echo=last)
