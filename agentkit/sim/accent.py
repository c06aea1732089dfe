"""In what the servers of the chat-completions format differ, as one value. What each of them does is in `accents`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from attrs import evolve, field, frozen

from agentkit.sim import openai_errors
from agentkit.sim.talk import Failure, Said


@frozen(kw_only=True)
class Asked:
    """What a rule looks at."""

    given: Mapping[str, Any]
    """The fields of the request."""
    messages: tuple[Said, ...]
    harmony: bool
    """Whether the model is gpt-oss."""


Check: TypeAlias = Callable[[Asked], None]
"""Refuses what a server refuses."""

Trailing: TypeAlias = Literal["continued", "anew", "flags", "flag or user", "llamacpp", "refused"]
"""What becomes of an assistant message at the end: it is continued; it is closed, and another answer begins; it is
continued where the request says so with its flags, else closed; the same, else it becomes a message of the user;
what llama.cpp makes of it; it is refused."""

TooLong: TypeAlias = Literal["refused", "refused inside", "oldest dropped", "left cut", "ignored"]
"""What becomes of a prompt that is too long. Inside: as an event of a stream, where one was asked for."""

Calls: TypeAlias = Literal["pieces", "glued", "nulls", "whole", "together"]
"""Tool calls in a stream: the head, then pieces of the arguments; the same with the first piece in the head; the same
with nulls in each piece; each in one piece; all in one piece."""

Raw: TypeAlias = Literal["", "think", "harmony", "words"]
"""How reasoning and calls stand in the text of a server that does not take them out: not at all, as `<think>`, as
harmony, or as harmony without its control tokens."""


def overflow(used: int, window: int) -> Failure:
    """What vLLM says of a prompt that is too long."""
    message = (
        f"This model's maximum context length is {window} tokens. However, your request has {used} input tokens. "
        "Please reduce the length of the input messages."
    )
    return Failure(status=400, message=message, type="BadRequestError", param="input_tokens", code=400)


@frozen(kw_only=True)
class Accent:
    """How one server speaks. Where nothing is said, it speaks as the simulator does by itself."""

    # the request
    ignores: frozenset[str] = frozenset()
    """Fields that it reads over, whatever they hold."""
    known: frozenset[str] | None = None
    """The fields that it takes; None: any."""
    loose: frozenset[str] = frozenset()
    """Of `tools`, `stream_options` and `tool_choice`: those whose misuse is passed over."""
    efforts: frozenset[str] | None = None
    """The words that `reasoning_effort` may be; None: any."""
    limit: int | None = None
    """Of new tokens, where the request sets none."""
    checks: tuple[Check, ...] = ()
    hears: tuple[str, ...] = ("reasoning_content", "reasoning")
    """The names under which it reads the reasoning of earlier messages."""
    trailing: Trailing = "anew"
    one_system: bool = False
    """Only a first message is read as system message; others are dropped without a word."""
    key: bool = False
    """It wants one."""

    # what does not fit
    too_long: TooLong = "refused"
    overflow: Callable[[int, int], Failure] = overflow
    """What it says of so many tokens of prompt in such a window."""
    crowded: Callable[[int, int, int], Failure] | None = None
    """What it says where the prompt fits, but not together with so many new tokens; None: the reply is shortened."""

    # the answer
    ids: Literal["hex", "number", "uuid"] = "hex"
    call_id: Callable[[str], str] = str
    """The id of a call, made of the simulator's own."""
    model: Literal["asked", "served", "default"] = "asked"
    """The name in the answer."""
    created: Callable[[int], float] = int
    base: Mapping[str, Any] = field(factory=lambda: {"system_fingerprint": "simulator"})
    """Fields of each answer and event."""
    reasoning: tuple[str, ...] = ("reasoning_content",)
    """Where it stands."""
    raw: Raw = ""
    cut_call: Literal["length", "tool_calls"] = "length"
    """The finish reason where a limit cuts a call."""
    named_call: Literal["stop", "tool_calls"] = "tool_calls"
    """The finish reason where the request named the tool to call."""
    counts: Mapping[str, Any] = field(factory=dict[str, Any])
    """Fields of the usage besides the usual ones."""
    counts_thought: bool = True
    """Whether the usage tells the tokens of reasoning."""
    headers: Mapping[str, str] = field(factory=dict[str, str])
    served: tuple[str, ...] = ("sim",)
    """The models that it lists, where the simulator has none of its own."""

    # the answer in one piece
    empty: Literal["null with calls", "null", "text"] = "null with calls"
    """What the text is where there is none."""
    message: Mapping[str, Any] = field(factory=dict[str, Any])
    """Fields of a message that has nothing to put there."""
    choice: Mapping[str, Any] = field(factory=lambda: {"logprobs": None})
    more: Mapping[str, Any] = field(factory=dict[str, Any])
    """Fields besides choices and usage."""

    # the stream
    first: Mapping[str, Any] | None = field(factory=lambda: {"role": "assistant", "content": ""})
    """The first event; None: it begins with the first word."""
    role: Literal["first", "each", "then null"] = "first"
    """On which deltas a role stands, where there is no first event."""
    fill: Mapping[str, Any] = field(factory=dict[str, Any])
    """What each delta has besides its own."""
    calls: Calls = "pieces"
    delta_choice: Mapping[str, Any] = field(factory=lambda: {"logprobs": None})
    last: Mapping[str, Any] = field(factory=dict[str, Any])
    """The delta of the last event."""
    last_choice: Mapping[str, Any] = field(factory=dict[str, Any])
    usage: Literal["asked", "last", "each"] = "asked"
    """In an event of its own where asked for; on the last event; on each event."""
    last_more: Mapping[str, Any] = field(factory=dict[str, Any])
    """Fields of the very last event."""
    done: bool = True
    ping: tuple[float, bytes] | None = None
    """A comment after so many seconds of silence, once it has begun."""
    prelude: bytes = b""
    """A comment before all else."""

    # errors
    error: Callable[[Failure], Any] = openai_errors.openai
    breaks: Callable[[Failure], tuple[bytes, ...]] = openai_errors.openai_break
    """The events of an error inside a stream, and [DONE] where that follows."""
    invalid: int = 400
    """The status where a field or a message is refused."""
    disorder: int = 400
    """The status where the order of the messages is."""
    malformed: int = 400
    """The status where the body is no JSON."""
    bare: bool = False
    """A refusal of a stream comes with status 200 and as bare JSON: who hands it on has sent the head before."""

    harmony: Mapping[str, Any] = field(factory=dict[str, Any])
    """What is different where the model is gpt-oss."""

    def of(self, model: object) -> Accent:
        """The accent for this model."""
        return evolve(self, **self.harmony) if self.harmony and is_harmony(model) else self


def is_harmony(model: object) -> bool:
    """Whether a name is one of gpt-oss, which speaks harmony."""
    return isinstance(model, str) and "gptoss" in re.sub(r"[^a-z]", "", model.lower())
