"""What only some servers of the chat-completions format refuse, one function a rule."""

from __future__ import annotations

from agentkit.sim.accent import Asked
from agentkit.sim.openai_history import refuse
from agentkit.sim.wire import as_array, as_object, shown

_LEAKED = ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>")


def no_both_flags(asked: Asked) -> None:
    """vLLM: to continue and to begin a turn exclude each other."""
    if asked.given.get("continue_final_message") and asked.given.get("add_generation_prompt"):
        refuse("Cannot set both `continue_final_message` and `add_generation_prompt` to True.")


def no_demands(asked: Asked) -> None:
    """Parallax: a tool cannot be demanded."""
    choice = asked.given.get("tool_choice", "auto")
    if choice not in ("auto", "none"):
        refuse(f"tool_choice {shown(choice)} is not supported yet", "tool_choice")


def no_unsupported(asked: Asked) -> None:
    """Parallax: what the node's front end does not have."""
    for name in ("use_beam_search", "truncate_prompt_tokens", "length_penalty"):
        if asked.given.get(name):
            refuse(f"{name} is not supported", name)


def no_probabilities_of_calls(asked: Asked) -> None:
    """llama.cpp: no logprobs in a stream with tools."""
    if asked.given.get("logprobs") and asked.given.get("tools") and asked.given.get("stream"):
        refuse("logprobs is not supported with tools + stream")


def content_is_there(asked: Asked) -> None:
    """Ollama: no null but beside calls."""
    for item in as_array(asked.given.get("messages")) or ():
        fields = as_object(item) or {}
        if fields.get("content") is None and not fields.get("tool_calls"):
            refuse("invalid message content type: <nil>")


def no_leaks(asked: Asked) -> None:
    """The template of gpt-oss: no channels in what the assistant said."""
    for said in asked.messages:
        if asked.harmony and said.role == "assistant" and any(mark in said.text + said.reasoning for mark in _LEAKED):
            refuse(
                "You have passed a message containing <|channel|> tags in the content field. Instead of doing this, "
                "you should pass analysis messages (the string between '<|message|>' and '<|end|>') in the 'thinking' "
                "field."
            )


def thought_or_said(asked: Asked) -> None:
    """The template of gpt-oss: beside a call there is a text or a thought, not both."""
    for said in asked.messages:
        if asked.harmony and said.calls and said.text and said.reasoning:
            refuse("Cannot pass both content and thinking in an assistant message with tool calls!")
