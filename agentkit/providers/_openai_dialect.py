"""In what the servers of the chat-completions dialect differ, as one value."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from attrs import field, frozen

from agentkit.provider import Capabilities
from agentkit.usage import FinishReason

FINISH: Mapping[str, FinishReason] = MappingProxyType(
    {
        "stop": FinishReason.STOP,
        "eos": FinishReason.STOP,
        "eosFound": FinishReason.STOP,
        "end_turn": FinishReason.STOP,
        "stop_sequence": FinishReason.STOP,
        "length": FinishReason.LENGTH,
        "max_tokens": FinishReason.LENGTH,
        "maxPredictedTokensReached": FinishReason.LENGTH,
        "tool_calls": FinishReason.TOOL_CALLS,
        "function_call": FinishReason.TOOL_CALLS,
        "content_filter": FinishReason.FILTERED,
        "error": FinishReason.ERROR,
        "abort": FinishReason.ERROR,
    }
)
"""Every other word is `UNKNOWN`."""

Leak: TypeAlias = Literal["tokens", "words", "think"]
"""What may be left in the text of a reply: control tokens of harmony, its bare words, a `<think>` at the beginning."""


@frozen(kw_only=True)
class Dialect:
    """In what the servers differ."""

    capabilities: Capabilities = Capabilities()
    reads_reasoning: tuple[str, ...] = ("reasoning", "reasoning_content", "thinking")
    """Where the reasoning of a reply may be; the same text under two names counts once."""
    writes_reasoning: tuple[str, ...] = ("reasoning", "reasoning_content")
    """Where the reasoning of a running tool loop goes back. Servers read the name they know and pass over the other."""
    max_tokens: str = "max_tokens"
    lacks: frozenset[str] = frozenset()
    """Names of `Options` that the backend does not have, and `strict` of tools: they are left out, with a notice."""
    choice_in_words: bool = False
    """`tool_choice` is a word and no object: a tool that is to be called is offered alone, and demanded."""
    efforts: frozenset[str] | None = None
    """The words that `reasoning_effort` may be, others are left out with a notice; None passes any word."""
    asks_usage: bool = True
    """A stream counts its tokens only where `stream_options` asks for it."""
    continues: Mapping[str, Any] = field(factory=dict[str, Any], hash=False)
    """Fields that ask the backend to go on with a trailing assistant message, where the message alone does not."""
    completes: Mapping[str, Any] = field(factory=dict[str, Any], hash=False)
    """Fields of a request to complete a text, where nothing else sets them."""
    finish: Mapping[str, FinishReason] = field(default=FINISH, hash=False)
    body: Mapping[str, Any] = field(factory=dict[str, Any], hash=False)
    """Fields of every request; the caller's own win over them."""
    nests: str = ""
    """The object that is to hold the settings of sampling once more."""
    image_urls: bool = True
    """The server fetches an image from its address; otherwise it takes the bytes only."""
    one_system: bool = False
    """Only a first message is read as system message: all of them are joined there."""
    pairs: bool = False
    """Only one call of a message is read, and text or thinking: parallel calls go as (call, result) one by one."""
    in_turn: bool = False
    """A template wants user and assistant to take turns, calls and results aside: neighbours go as one message."""
    leaks: frozenset[Leak] = frozenset()
    """What is cleaned out of the text of a reply."""
    cleans: bool = False
    """Harmony tokens are cleaned out of the assistant's text that goes back."""
    once: bool = False
    """A refusal for load comes after the server has tried for long: the request is not sent again."""
    lists_models: bool = False
    """Mostly a server of one's own with one model, which can be asked for where none is named."""
    gpt_oss: Dialect | None = None
    """The dialect to use for a gpt-oss model, where it differs."""

    def of(self, model: str) -> Dialect:
        """The dialect for this model."""
        return self if self.gpt_oss is None or not is_gpt_oss(model) else self.gpt_oss


def is_gpt_oss(model: str) -> bool:
    """Whatever a server makes of the name: `openai/gpt-oss-20b`, `gpt-oss:20b`, `GPT OSS 120B`."""
    return "gptoss" in re.sub(r"[^a-z]", "", model.lower())
