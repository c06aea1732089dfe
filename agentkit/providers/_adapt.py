"""What a server's refusal says of settings that it does not take, and the dialect that does without them."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import TypeAlias

from attrs import evolve

from agentkit.errors import ContextOverflow, ProviderError
from agentkit.providers._openai_dialect import Dialect

_REFUSALS = (400, 422)
_NOT_TAKEN = re.compile(
    r"unsupported|not support|unrecognized|unknown|unexpected|not permitted|not allowed|forbidden|extra inputs"
    r"|incompatible",
    re.IGNORECASE,
)
_SETTINGS = ("reasoning_effort", "temperature", "top_p", "seed", "presence_penalty", "frequency_penalty")

Change: TypeAlias = Callable[[Dialect], Dialect]


def without(dialect: Dialect, model: str, error: ProviderError) -> tuple[Dialect, str] | None:
    """The dialect to use instead, and what it does without, in words; None where the error is about something else."""
    said = f"{error} {error.code or ''} {error.body}"
    if error.status not in _REFUSALS or isinstance(error, ContextOverflow) or not _NOT_TAKEN.search(said):
        return None
    found = _change(dialect.of(model), said)
    if found is None:
        return None
    change, words = found
    own = dialect.gpt_oss
    return evolve(change(dialect), gpt_oss=None if own is None else change(own)), words


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
    return None


def _lacking(name: str, dialect: Dialect) -> Dialect:
    return evolve(dialect, lacks=dialect.lacks | {name})


def _without_prefix(dialect: Dialect) -> Dialect:
    return evolve(dialect, capabilities=evolve(dialect.capabilities, prefix=False, repeats_prefix=None), continues={})
