"""What a server's refusal says of settings that it does not take, and the dialect that does without them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from attrs import evolve, frozen

from agentkit.errors import ContextOverflow, ProviderError
from agentkit.providers._openai_dialect import Dialect

_REFUSALS = (400, 422)
_NOT_TAKEN = re.compile(
    r"unsupported|not support|unrecognized|unknown|unexpected|not permitted|not allowed|forbidden|extra inputs"
    r"|incompatible|unavailable|supported string values|requires --",
    re.IGNORECASE,
)
_SETTINGS = (
    "reasoning_effort",
    "temperature",
    "top_p",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "parallel_tool_calls",
)
_A_SCHEMA = re.compile(r"schema for", re.IGNORECASE)
"""It is one schema that is refused, and not what it belongs to."""

_OF_ROLES = re.compile(r"roles must alternate|system message must be (?:at the beginning|first)", re.IGNORECASE)
"""What the templates of some models say of a history, whatever the status of the answer."""

Change: TypeAlias = Callable[[Dialect], Dialect]


def without(dialect: Dialect, model: str, error: ProviderError) -> tuple[Dialect, str] | None:
    """The dialect to use instead, and what it does without, in words; None where the error is about something else."""
    said = f"{error} {error.code or ''} {error.body}"
    refuses = error.status in _REFUSALS or "--jinja" in said
    of_roles = _OF_ROLES.search(said)
    if not of_roles and (not refuses or isinstance(error, ContextOverflow) or not _NOT_TAKEN.search(said)):
        return None
    found = _of_roles(dialect.of(model), of_roles[0]) if of_roles else _change(dialect.of(model), said)
    if found is None:
        return None
    change, words = found
    own = dialect.gpt_oss
    return evolve(change(dialect), gpt_oss=None if own is None else change(own)), words


def _of_roles(dialect: Dialect, said: str) -> tuple[Change, str] | None:
    if "alternate" in said and not dialect.in_turn:
        return partial(evolve, in_turn=True, one_system=True), "what one side says in a row goes as one message"
    if "system" in said.lower() and not dialect.one_system:
        return partial(evolve, one_system=True), "all instructions go as one message"
    return None


def _change(dialect: Dialect, said: str) -> tuple[Change, str] | None:
    if "prefill" in said and dialect.capabilities.prefix:
        return _without_prefix, "it does not go on from the beginning of a reply"
    if "stream_options" in said and dialect.asks_usage:
        return partial(evolve, asks_usage=False), "counts of tokens are not asked for"
    if "max_completion_tokens" in said and dialect.max_tokens == "max_tokens":
        return partial(evolve, max_tokens="max_completion_tokens"), "max_tokens goes as max_completion_tokens"
    for name in _SETTINGS:
        if name not in dialect.lacks and re.search(rf"\b{name}\b", said):
            return partial(_lacking, name), f"{name} is left out"
    if _A_SCHEMA.search(said):
        return None
    fitting = (rule for rule in _ON_TOOLS if rule.named.search(said) and rule.applies(dialect))
    return next(((rule.change, rule.words) for rule in fitting), None)


def _lacking(name: str, dialect: Dialect) -> Dialect:
    return evolve(dialect, lacks=dialect.lacks | {name})


def _without(dialect: Dialect, *names: str) -> Dialect:
    return evolve(dialect, capabilities=evolve(dialect.capabilities, **dict.fromkeys(names, False)))


@frozen
class _Rule:
    """What is done about a refusal that names something."""

    named: re.Pattern[str]
    applies: Callable[[Dialect], bool]
    change: Change
    words: str


_ON_TOOLS = (
    _Rule(
        re.compile(r"\bstrict\b", re.IGNORECASE),
        lambda dialect: "strict" not in dialect.lacks,
        partial(_lacking, "strict"),
        "schemas are not strict",
    ),
    _Rule(
        re.compile(r"--enable-auto-tool-choice|--tool-call-parser|--jinja", re.IGNORECASE),
        lambda dialect: dialect.capabilities.tools,
        lambda dialect: _without(dialect, "tools", "parallel_tools", "tool_choice"),
        "tools are told in words",
    ),
    _Rule(
        re.compile(r"tool_choice.{0,40}\bobject\b", re.IGNORECASE),
        lambda dialect: not dialect.choice_in_words,
        partial(evolve, choice_in_words=True),
        "tool_choice goes as a word",
    ),
    _Rule(
        re.compile(r"tool_choice", re.IGNORECASE),
        lambda dialect: dialect.capabilities.tool_choice,
        lambda dialect: _without(dialect, "tool_choice"),
        "tool_choice is left out",
    ),
    _Rule(
        re.compile(r"\btools\b(?!\[|\.\d)|\b(?:tool|function) (?:calling|use)\b", re.IGNORECASE),
        lambda dialect: dialect.capabilities.tools,
        lambda dialect: _without(dialect, "tools", "parallel_tools", "tool_choice"),
        "tools are told in words",
    ),
    _Rule(
        re.compile(r"response_format|json_schema|structured output", re.IGNORECASE),
        lambda dialect: dialect.capabilities.json_mode,
        lambda dialect: _without(dialect, "json_mode"),
        "replies are not bound to a schema",
    ),
)


def _without_prefix(dialect: Dialect) -> Dialect:
    return evolve(dialect, capabilities=evolve(dialect.capabilities, prefix=False, repeats_prefix=None), continues={})
