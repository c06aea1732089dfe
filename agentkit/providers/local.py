"""Servers on one's own machine or cluster that speak the chat-completions dialect: values and names, and no code.

A dialect says what its server does as measured or read in its source; what is not known counts as not there. Where a
gpt-oss model differs from others on the same server, the dialect holds a second one for it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from attrs import evolve

from agentkit.provider import Capabilities
from agentkit.providers.openai_chat import Dialect, OpenAIChat

EFFORTS = frozenset({"low", "medium", "high"})
"""What every server takes; other words are refused by some, and ignored by others."""

_LOCAL = Capabilities(repeatable=True)
"""A repeated request costs time only."""
_COUNTING = evolve(_LOCAL, counts=True)
_FREE_CALLS = frozenset({"parallel_tool_calls"})
"""How many tools a reply calls is left to the model."""


def template(dialect: Dialect) -> Dialect:
    """The dialect for gpt-oss where its own template renders the history: one call a message, one system message."""
    only_one = evolve(dialect.capabilities, parallel_tools=False)
    return evolve(dialect, capabilities=only_one, one_system=True, pairs=True, cleans=True, gpt_oss=None)


# a completed text ends after 16 tokens where nothing is said; control words end it only where they are to be seen
_COMPLETES: Mapping[str, object] = {"max_tokens": None, "skip_special_tokens": False, "add_special_tokens": False}

_VLLM = Dialect(
    capabilities=evolve(_COUNTING, prefix=True, repeats_prefix=False, raw=True),
    completes=_COMPLETES,
    efforts=EFFORTS,
    continues={"continue_final_message": True, "add_generation_prompt": False},
)
# for gpt-oss the flags are ignored without a word: a new answer begins
VLLM = evolve(
    _VLLM, gpt_oss=evolve(_VLLM, capabilities=evolve(_COUNTING, raw=True), continues={}, one_system=True, cleans=True)
)

# a trailing assistant message is continued by itself, and then always repeated; with the flags only where not streamed
_LLAMACPP = Dialect(
    capabilities=evolve(_COUNTING, prefix=True, repeats_prefix=True, raw=True),
    writes_reasoning=("reasoning_content",),
    efforts=EFFORTS,
    choice_in_words=True,
    leaks=frozenset({"tokens"}),
)
LLAMACPP = evolve(_LLAMACPP, gpt_oss=template(_LLAMACPP))

# the window cannot be asked for, and what does not fit is dropped without a word
_OLLAMA = Dialect(
    capabilities=evolve(_LOCAL, tool_choice=False, window=4096),
    writes_reasoning=("reasoning",),
    lacks=_FREE_CALLS,
    efforts=EFFORTS,
    image_urls=False,
)
OLLAMA = evolve(
    _OLLAMA,
    gpt_oss=evolve(
        _OLLAMA,
        capabilities=evolve(_OLLAMA.capabilities, prefix=True, repeats_prefix=None, parallel_tools=False),
        one_system=True,
        cleans=True,
    ),
)

_LMSTUDIO = Dialect(
    capabilities=evolve(_LOCAL, reasoning_in=False),
    lacks=_FREE_CALLS,
    efforts=EFFORTS,
    choice_in_words=True,
    leaks=frozenset({"tokens"}),
)
LMSTUDIO = evolve(_LMSTUDIO, gpt_oss=evolve(_LMSTUDIO, one_system=True, cleans=True))

# without the flag the trailing assistant message becomes one of the user
_SGLANG = Dialect(
    capabilities=evolve(_COUNTING, prefix=True, raw=True),
    writes_reasoning=("reasoning_content",),
    efforts=EFFORTS,
    continues={"continue_final_message": True},
    completes={**_COMPLETES, "max_tokens": 1024},
)
SGLANG = evolve(_SGLANG, gpt_oss=template(evolve(_SGLANG, capabilities=evolve(_COUNTING, raw=True), continues={})))

# counts come without being asked for; what it does not know is refused, or ignored without a word
_TRANSFORMERS = Dialect(
    capabilities=evolve(_LOCAL, tool_choice=False, json_mode=False),
    writes_reasoning=("reasoning_content",),
    lacks=frozenset({"reasoning_effort", "presence_penalty", "frequency_penalty"}) | _FREE_CALLS,
    asks_usage=False,
)
TRANSFORMERS = evolve(_TRANSFORMERS, gpt_oss=template(_TRANSFORMERS))

_MLX = Dialect(
    capabilities=evolve(_LOCAL, tool_choice=False, json_mode=False, reasoning_in=False),
    lacks=_FREE_CALLS,
    efforts=EFFORTS,
    leaks=frozenset({"tokens"}),
)
MLX = evolve(_MLX, gpt_oss=template(_MLX))

GPT_OSS = template(
    Dialect(
        capabilities=evolve(_LOCAL, tool_choice=False, json_mode=False, window=8192),
        lacks=_FREE_CALLS,
        efforts=EFFORTS,
        leaks=frozenset({"tokens", "words"}),
    )
)
"""Any server of a gpt-oss model: relies on nothing that one of them lacks, and reads what any of them writes."""


def base_url_of(given: str | None, default: str) -> str:
    """The address with the path that these servers have, where only the origin is given."""
    url = given or default
    return url if urlsplit(url).path.strip("/") else url.rstrip("/") + "/v1"


def _server(name: str, port: int, dialect: Dialect) -> Callable[[str | None, str | None], OpenAIChat]:
    def made(base_url: str | None, api_key: str | None) -> OpenAIChat:
        url = base_url_of(base_url, f"http://localhost:{port}/v1")
        return OpenAIChat(base_url=url, api_key=api_key, dialect=evolve(dialect, lists_models=True), name=name)

    return made


vllm = _server("vllm", 8000, VLLM)
llamacpp = _server("llamacpp", 8080, LLAMACPP)
ollama = _server("ollama", 11434, OLLAMA)
lmstudio = _server("lmstudio", 1234, LMSTUDIO)
sglang = _server("sglang", 30000, SGLANG)
transformers = _server("transformers", 8000, TRANSFORMERS)
mlx = _server("mlx", 8080, MLX)
gpt_oss = _server("gpt-oss", 8000, GPT_OSS)
