"""How each server of the chat-completions format speaks: values, and the words of its refusals.

What is known of a server is played; what is not known is played as the simulator does by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from uuid import UUID

from attrs import evolve

from agentkit.sim import openai_errors, openai_pages, openai_rules
from agentkit.sim.accent import Accent
from agentkit.sim.openai_text import completions
from agentkit.sim.openai_wire import Pages, speaking
from agentkit.sim.talk import Failure
from agentkit.sim.wire import Wire

_HARMONY_WORDS = frozenset({"low", "medium", "high"})
_UVICORN = {"server": "uvicorn"}
_FIELDS_OF_OPENAI = frozenset(
    {
        "audio",
        "frequency_penalty",
        "function_call",
        "functions",
        "generation_config",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_tokens",
        "messages",
        "metadata",
        "modalities",
        "model",
        "n",
        "parallel_tool_calls",
        "prediction",
        "presence_penalty",
        "reasoning_effort",
        "request_id",
        "response_format",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "tool_choice",
        "tools",
        "top_logprobs",
        "top_p",
        "user",
        "web_search_options",
    }
)


def _vllm_overflow(used: int, window: int) -> Failure:
    return _too_long(
        f"This model's maximum context length is {window} tokens. However, your prompt contains at least {used} input "
        f"tokens. Please reduce the length of the input prompt. (parameter=input_tokens, value={used})"
    )


def _vllm_crowded(used: int, limit: int, window: int) -> Failure:
    return _too_long(
        f"'max_tokens' or 'max_completion_tokens' is too large: {limit}. This model's maximum context length is "
        f"{window} tokens and your request has {used} input tokens ({limit} > {window} - {used})."
    )


def _llamacpp_overflow(used: int, window: int) -> Failure:
    message = f"request ({used} tokens) exceeds the available context size ({window} tokens), try increasing it"
    more = {"type": "exceed_context_size_error", "n_prompt_tokens": used, "n_ctx": window}
    return evolve(_too_long(message), more=more)


def _llamacpp_old_overflow(_: int, __: int) -> Failure:
    return _too_long(
        "the request exceeds the available context size. try increasing the context size or enable context shift"
    )


def _lmstudio_overflow(used: int, window: int) -> Failure:
    return _too_long(
        f"Trying to keep the first {used} tokens when context the overflows. However, the model is loaded with context "
        f"length of only {window} tokens, which is not enough. Try to load the model with a larger context length, or "
        "provide a shorter input"
    )


def _sglang_overflow(used: int, window: int) -> Failure:
    return _too_long(f"The input ({used} tokens) is longer than the model's context length ({window} tokens).")


def _sglang_crowded(used: int, limit: int, window: int) -> Failure:
    return _too_long(
        f"Requested token count exceeds the model's maximum context length of {window} tokens. You requested a total "
        f"of {used + limit} tokens: {used} tokens from the input messages and {limit} tokens for the completion."
    )


def _too_long(message: str) -> Failure:
    return Failure(status=400, message=message)


_VLLM_NULLS = {"refusal": None, "annotations": None, "audio": None, "function_call": None}
_VLLM_033 = Accent(
    trailing="flags",
    checks=(openai_rules.no_both_flags, openai_rules.a_shape_has_a_name),
    overflow=_vllm_overflow,
    base={},
    counts={"prompt_tokens_details": None},
    call_id=lambda given: f"chatcmpl-tool-{given.removeprefix('call_')}",
    reasoning=("reasoning",),
    named_call="stop",
    headers=_UVICORN,
    served=("openai/gpt-oss-20b",),
    empty="null",
    message=_VLLM_NULLS,
    more={"service_tier": None, "system_fingerprint": None, "prompt_logprobs": None, "prompt_token_ids": None},
    last_choice={"stop_reason": None, "token_ids": None},
    error=openai_errors.vllm,
    breaks=openai_errors.vllm_break,
    harmony={"trailing": "anew", "one_system": True, "efforts": _HARMONY_WORDS},
)
_VLLM_012 = evolve(
    _VLLM_033,
    loose=frozenset({"tools"}),
    overflow=Accent().overflow,
    crowded=_vllm_crowded,
    efforts=_HARMONY_WORDS,
    reasoning=("reasoning", "reasoning_content"),
    named_call="tool_calls",
    counts_thought=False,
    message={**_VLLM_NULLS, "tool_calls": []},
)
_VLLM_011 = evolve(
    _VLLM_012,
    reasoning=("reasoning_content",),
    cut_call="tool_calls",
    harmony={**_VLLM_033.harmony, "hears": ()},
)

_TIMINGS = {"timings": {"cache_n": 0, "prompt_n": 1, "prompt_ms": 1.0, "predicted_n": 1, "predicted_ms": 1.0}}
_LLAMACPP_2026 = Accent(
    loose=frozenset({"tools", "stream_options", "tool_choice"}),
    checks=(openai_rules.no_probabilities_of_calls,),
    hears=("reasoning_content",),
    trailing="llamacpp",
    overflow=_llamacpp_overflow,
    call_id=lambda given: f"{given.removeprefix('call_'):0>32}",
    model="served",
    base={"system_fingerprint": "b1-0c1e570"},
    counts={"prompt_tokens_details": {"cached_tokens": 0}},
    counts_thought=False,
    headers={"server": "llama.cpp"},
    served=("gpt-oss-20b-mxfp4.gguf",),
    empty="text",
    choice={},
    more=_TIMINGS,
    first={"role": "assistant", "content": None},
    calls="glued",
    delta_choice={},
    last_more=_TIMINGS,
    ping=(30.0, b":\n\n"),
    error=openai_errors.llamacpp,
    breaks=openai_errors.llamacpp_break,
    disorder=500,
    malformed=500,
    harmony={"one_system": True},
)
_LLAMACPP_2025 = evolve(
    _LLAMACPP_2026,
    checks=(openai_rules.no_probabilities_of_calls, openai_rules.no_leaks),
    trailing="refused",
    too_long="refused inside",
    overflow=_llamacpp_old_overflow,
    base={"system_fingerprint": "b6153-a1b2c3d"},
    breaks=openai_errors.llamacpp_old_break,
)

_OLLAMA = Accent(
    ignores=frozenset({"max_completion_tokens", "tool_choice", "parallel_tool_calls", "n", "user"}),
    efforts=frozenset({"none", "minimal", "low", "medium", "high", "max", "xhigh", "ultra"}),
    checks=(openai_rules.content_is_there,),
    hears=("reasoning",),
    too_long="oldest dropped",
    ids="number",
    base={"system_fingerprint": "fp_ollama"},
    reasoning=("reasoning",),
    counts_thought=False,
    served=("gpt-oss:20b",),
    empty="text",
    choice={},
    first=None,
    fill={"content": ""},
    calls="whole",
    delta_choice={},
    error=openai_errors.ollama,
    breaks=openai_errors.silent_break,
    harmony={"trailing": "continued"},
)

_LMSTUDIO = Accent(
    checks=(openai_rules.words_only,),
    too_long="refused inside",
    overflow=_lmstudio_overflow,
    counts_thought=False,
    headers={"x-powered-by": "Express"},
    served=("openai/gpt-oss-20b",),
    empty="text",
    base={"system_fingerprint": "openai/gpt-oss-20b"},
    first=None,
    call_id=lambda given: str(int(given.removeprefix("call_")[:7], 16)),
    calls="nulls",
    error=openai_errors.text,
    breaks=openai_errors.lmstudio_break,
    harmony={"reasoning": ("reasoning",)},
)

_SGLANG = Accent(
    checks=(openai_rules.no_leaks, openai_rules.thought_or_said, openai_rules.a_shape_has_a_name),
    hears=("reasoning_content",),
    trailing="flag or user",
    overflow=_sglang_overflow,
    crowded=_sglang_crowded,
    base={},
    counts_thought=False,
    headers=_UVICORN,
    served=("openai/gpt-oss-20b",),
    empty="null",
    message={"reasoning_content": None, "tool_calls": None},
    first={"role": "assistant", "content": "", "reasoning_content": None, "tool_calls": None},
    fill={"reasoning_content": None},
    last={"reasoning_content": None},
    last_choice={"matched_stop": None},
    error=openai_errors.sglang,
    breaks=openai_errors.sglang_break,
    harmony={"one_system": True},
)

_TRANSFORMERS = Accent(
    ignores=frozenset(
        {
            "stream_options",
            "tool_choice",
            "reasoning_effort",
            "response_format",
            "n",
            "user",
            "presence_penalty",
            "frequency_penalty",
            "parallel_tool_calls",
        }
    ),
    known=_FIELDS_OF_OPENAI,
    hears=("reasoning_content",),
    limit=1024,
    too_long="ignored",
    checks=(openai_rules.no_leaks, openai_rules.thought_or_said),
    base={"system_fingerprint": ""},
    cut_call="tool_calls",
    counts_thought=False,
    headers=_UVICORN,
    served=("openai/gpt-oss-20b",),
    choice={},
    calls="whole",
    delta_choice={},
    usage="last",
    done=False,
    error=openai_errors.detail,
    breaks=openai_errors.transformers_break,
    invalid=422,
    malformed=422,
    disorder=500,
    harmony={"one_system": True},
)

_MLX = Accent(
    base={},
    limit=512,
    too_long="ignored",
    reasoning=("reasoning",),
    counts_thought=False,
    headers={"server": "BaseHTTP/0.6 Python/3.12.8"},
    served=("mlx-community/gpt-oss-20b-MXFP4-Q8",),
    empty="text",
    choice={},
    first=None,
    role="each",
    calls="whole",
    delta_choice={},
    prelude=b": keepalive 0/1\n\n",
    error=openai_errors.text,
    breaks=openai_errors.silent_break,
    harmony={"raw": "harmony", "one_system": True},
)

_PARALLAX_2025 = Accent(
    ignores=frozenset(
        {
            "max_completion_tokens",
            "temperature",
            "top_p",
            "stop",
            "seed",
            "n",
            "presence_penalty",
            "frequency_penalty",
            "reasoning_effort",
            "response_format",
            "stream_options",
            "tool_choice",
            "parallel_tool_calls",
            "logprobs",
            "user",
        }
    ),
    limit=2048,
    hears=(),
    too_long="left cut",
    ids="uuid",
    call_id=lambda given: str(UUID(hex=f"{given.removeprefix('call_'):0>32}")),
    model="default",
    created=lambda seconds: seconds + 0.125,
    base={},
    raw="think",
    counts_thought=False,
    headers=_UVICORN,
    served=("openai/gpt-oss-20b",),
    message={"reasoning_content": None, "tool_calls": None},
    choice={"logprobs": None},
    first=None,
    role="then null",
    fill={"content": None},
    calls="whole",
    delta_choice={"logprobs": None, "matched_stop": None},
    last={"role": None, "content": None},
    usage="each",
    error=openai_errors.flat,
    breaks=openai_errors.parallax_break,
    bare=True,
    harmony={"raw": "harmony"},
)
_PARALLAX_2026 = evolve(
    _VLLM_033,
    checks=(*_VLLM_033.checks, openai_rules.no_demands, openai_rules.no_unsupported),
    limit=128,
    headers={},
    error=openai_errors.parallax,
    bare=True,
)

_GRAVIXLAYER = Accent(
    key=True,
    hears=(),
    base={},
    counts_thought=False,
    headers={"x-ratelimit-limit": "25", "x-ratelimit-remaining": "24"},
    served=("meta-llama/llama-3.1-8b-instruct", "mistralai/mistral-nemo-instruct-2407"),
    error=openai_errors.gravixlayer,
    breaks=openai_errors.gravixlayer_break,
)

_OPENAI = Accent(
    checks=(openai_rules.parallel_needs_tools, openai_rules.strict_is_strict, openai_rules.a_shape_has_a_name),
    trailing="continued",
)

_SPOKEN: Mapping[str, tuple[Accent, Pages]] = {
    "openai": (_OPENAI, openai_pages.OPENAI),
    "vllm-0.11": (_VLLM_011, openai_pages.vllm("0.11.0")),
    "vllm-0.12": (_VLLM_012, openai_pages.vllm("0.12.0")),
    "vllm-0.33": (_VLLM_033, openai_pages.vllm("0.33.0")),
    "llamacpp-2025": (_LLAMACPP_2025, openai_pages.llamacpp(new=False)),
    "llamacpp-2026": (_LLAMACPP_2026, openai_pages.llamacpp(new=True)),
    "ollama": (_OLLAMA, openai_pages.OLLAMA),
    "lmstudio": (_LMSTUDIO, openai_pages.LMSTUDIO),
    "sglang": (_SGLANG, openai_pages.SGLANG),
    "transformers": (_TRANSFORMERS, openai_pages.TRANSFORMERS),
    "mlx": (_MLX, openai_pages.MLX),
    "parallax-2025": (_PARALLAX_2025, openai_pages.PARALLAX_2025),
    "parallax-2026": (_PARALLAX_2026, openai_pages.PARALLAX_2026),
    "gravixlayer": (_GRAVIXLAYER, openai_pages.GRAVIXLAYER),
}

_COMPLETED: Mapping[str, int | None] = {
    "vllm-0.11": 16,
    "vllm-0.12": 16,
    "vllm-0.33": 16,
    "llamacpp-2025": None,
    "llamacpp-2026": None,
    "sglang": 16,
}
"""Those that complete a text which holds the model's own control words, and their limit where none is given."""

WIRES: Mapping[str, Wire] = {
    name: speaking(accent, {("POST", "/v1/completions"): completions(_COMPLETED[name]), **pages})
    if name in _COMPLETED
    else speaking(accent, pages)
    for name, (accent, pages) in _SPOKEN.items()
}
