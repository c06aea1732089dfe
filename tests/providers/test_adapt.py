"""What a refusal says of a setting, and the provider that does without it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentkit.messages import user
from agentkit.options import Options
from agentkit.provider import Adapting, ChatRequest, ResponseHead
from agentkit.providers import get_provider
from agentkit.providers.openai_chat import OpenAIChat

ALL = Options(
    temperature=0.5,
    top_p=0.5,
    max_tokens=9,
    seed=1,
    presence_penalty=0.1,
    frequency_penalty=0.1,
    reasoning_effort="low",
)
REQUEST = ChatRequest(model="gpt-oss-20b", messages=(user("hi"),), options=ALL)


def refused(provider: Any, message: str, status: int = 400, **more: Any) -> Any:
    body = json.dumps({"error": {"message": message, **more}}).encode()
    return provider.decode_error(ResponseHead(status, {"content-type": "application/json"}), body)


def sent(provider: Any) -> dict[str, Any]:
    return json.loads(provider.encode(REQUEST).body)  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("message", "gone", "new"),
    [
        ("Unknown field: stream_options", "stream_options", None),
        (
            "Unsupported parameter: 'max_tokens' is not supported here. Use 'max_completion_tokens' instead.",
            "max_tokens",
            "max_completion_tokens",
        ),
        ("Unsupported value: 'temperature' does not support 0.5 with this model.", "temperature", None),
        ("reasoning_effort: Extra inputs are not permitted", "reasoning_effort", None),
        ("Unrecognized request argument supplied: seed", "seed", None),
        ("unexpected keyword argument 'top_p'", "top_p", None),
        ("presence_penalty is not allowed here", "presence_penalty", None),
        ("frequency_penalty not supported", "frequency_penalty", None),
    ],
)
@pytest.mark.parametrize("name", ["openai", "vllm", "llamacpp"])
def test_a_refused_setting_is_left_out(name: str, message: str, gone: str, new: str | None) -> None:
    provider = get_provider(name, base_url="http://127.0.0.1:1/v1")
    assert isinstance(provider, Adapting)
    assert gone in sent(provider)
    changed = provider.adapted("gpt-oss-20b", refused(provider, message))
    assert changed is not None
    adapted, words = changed
    assert gone not in sent(adapted)
    assert new is None or sent(adapted)[new] == 9
    assert words.startswith("http://127.0.0.1:1/v1 refused a setting: ")
    assert isinstance(adapted, Adapting)
    assert adapted.adapted("gpt-oss-20b", refused(adapted, message)) is None


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ("the model is not supported", 400),
        ("temperature must be at most 2", 400),
        ("Unknown field: stream_options", 500),
        ("Unknown field: stream_options", 404),
        ("maximum context length is 10 tokens, unexpected temperature", 400),
    ],
)
def test_other_errors_change_nothing(message: str, status: int) -> None:
    provider = OpenAIChat(base_url="http://127.0.0.1:1/v1")
    assert provider.adapted("m", refused(provider, message, status)) is None


@pytest.mark.parametrize("model", ["gpt-oss-20b", "llama-3"])
def test_a_server_that_refuses_to_go_on_from_a_beginning_is_not_asked_to_again(model: str) -> None:
    provider: Any = get_provider("llamacpp")
    refusal = refused(provider, "Assistant response prefill is incompatible with enable_thinking.")
    adapted, words = provider.adapted(model, refusal)
    assert provider.capabilities(model).prefix
    assert not adapted.capabilities(model).prefix
    assert words.startswith(f"{provider.base_url} refused a setting: ")
    assert adapted.adapted(model, refusal) is None
