"""What a refusal says of a setting, and the provider that does without it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from attrs import evolve, frozen

from agentkit.messages import user
from agentkit.options import Options
from agentkit.provider import Adapting, ChatRequest, ReplyShape, ResponseHead
from agentkit.providers import get_provider
from agentkit.providers.openai_chat import OpenAIChat


@frozen(kw_only=True)
class Shape:
    name: str = "weather"
    description: str = "Is it wet?"
    parameters: Mapping[str, Any] = {"type": "object"}
    strict: bool = True


ALL = Options(
    temperature=0.5,
    top_p=0.5,
    max_tokens=9,
    seed=1,
    presence_penalty=0.1,
    frequency_penalty=0.1,
    reasoning_effort="low",
    tool_choice="required",
    parallel_tool_calls=False,
)
REQUEST = ChatRequest(
    model="gpt-oss-20b",
    messages=(user("hi"),),
    options=ALL,
    tools=(Shape(),),
    shape=ReplyShape(name="answer", schema={"type": "object"}),
)


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
        ("parallel_tool_calls: Extra inputs are not permitted", "parallel_tool_calls", None),
        ("tool_choice 'required' is not supported yet", "tool_choice", None),
        ("This response_format type is unavailable now", "response_format", None),
        ("Unknown field: response_format", "response_format", None),
        ("The model does not support structured output", "response_format", None),
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
        ("Unexpected role 'tool'", 400),
        ("Unknown tool call id call_1", 400),
        ("tools[0].function.parameters: the keyword 'pattern' is not supported", 400),
        ("Invalid schema for response_format 'answer': 'minLength' is not permitted", 400),
        ("Invalid schema for function 'weather': 'uniqueItems' is not permitted in strict tools", 400),
        ("the server requires --reasoning-parser to be set", 400),
        ("tools param is not supported", 500),
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


@pytest.mark.parametrize(
    ("message", "status"),
    [
        ('"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set', 400),
        ("tools param requires --jinja flag", 500),
        ("registry.ollama.ai/library/gemma:latest does not support tools", 400),
        ("tool calling is not supported by this model", 422),
        ("Unrecognized request argument supplied: tools", 400),
    ],
)
def test_a_server_without_tools_is_told_of_them_in_words(message: str, status: int) -> None:
    provider = get_provider("vllm")
    adapted, words = provider.adapted("gpt-oss-20b", refused(provider, message, status))  # type: ignore[attr-defined]
    for model in ("gpt-oss-20b", "llama-3"):
        can = adapted.capabilities(model)
        assert (can.tools, can.parallel_tools, can.tool_choice) == (False, False, False)
    assert not {"tools", "tool_choice", "parallel_tool_calls"} & set(sent(adapted))
    assert words.endswith("tools are told in words")
    assert adapted.adapted("gpt-oss-20b", refused(adapted, message, status)) is None


def test_where_a_choice_has_to_be_a_word_it_becomes_one() -> None:
    provider = OpenAIChat(base_url="http://127.0.0.1:1/v1")
    naming = evolve(REQUEST, options=Options(tool_choice="weather"), tools=(Shape(), Shape(name="tides")))
    message = "Invalid tool_choice type: 'object'. Supported string values: none, auto, required"
    changed = provider.adapted("m", refused(provider, message))
    assert changed is not None
    wire = json.loads(changed[0].encode(naming).body)
    assert (wire["tool_choice"], len(wire["tools"])) == ("required", 1)
    assert changed[1].endswith("tool_choice goes as a word")


def test_strict_tools_become_usual_ones() -> None:
    provider = OpenAIChat(base_url="http://127.0.0.1:1/v1")
    changed = provider.adapted("m", refused(provider, "tools.0.function.strict: Extra inputs are not permitted"))
    assert changed is not None
    assert sent(provider)["tools"][0]["function"]["strict"] is True
    assert "strict" not in sent(changed[0])["tools"][0]["function"]
    assert changed[1].endswith("schemas are not strict")
