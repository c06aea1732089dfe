"""The real `openai` client against the server, unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from sim_client import tool_schema, user

from agentkit.sim import SimServer, Simulator

TOOL = tool_schema(
    "get_weather",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)


@pytest.fixture(scope="module")
def server() -> Iterator[SimServer]:
    with SimServer(Simulator()) as running:
        yield running


@pytest.fixture
def client(server: SimServer) -> Iterator[openai.OpenAI]:
    server.simulator.reset()
    with openai.OpenAI(base_url=server.describe()["openai"], api_key="none", max_retries=0) as made:
        yield made


def chat(client: openai.OpenAI, text: str, **fields: Any) -> Any:
    return client.chat.completions.create(model="sim", messages=[user(text)], **fields)  # type: ignore[list-item]


def test_chat(client: openai.OpenAI) -> None:
    answer = chat(client, "think first. say hello there")
    assert answer.choices[0].message.content == "hello there"
    assert answer.choices[0].message.reasoning_content
    assert answer.usage.completion_tokens == 26
    assert answer._request_id.startswith("req_")


def test_stream(client: openai.OpenAI) -> None:
    chunks = list(chat(client, "write 50 words", stream=True, stream_options={"include_usage": True}))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert len(text.split()) == 50
    assert chunks[-1].usage.completion_tokens == 50
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert len({chunk.id for chunk in chunks}) == 1


def test_the_streaming_helper(client: openai.OpenAI) -> None:
    messages: Any = [user("call weather")]
    with client.chat.completions.stream(model="sim", messages=messages, tools=[TOOL]) as stream:  # type: ignore[list-item]
        for _ in stream:
            pass
        final = stream.get_final_completion()
    call = final.choices[0].message.tool_calls[0]  # type: ignore[index]
    assert set(json.loads(call.function.arguments)) == {"city"}


def test_a_round_of_tools(client: openai.OpenAI, server: SimServer) -> None:
    first = chat(client, "call weather", tools=[TOOL])
    message = first.choices[0].message
    assert first.choices[0].finish_reason == "tool_calls"
    result = {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "sunny"}
    messages: Any = [user("call weather"), message, result]
    second = client.chat.completions.create(model="sim", messages=messages, tools=[TOOL])  # type: ignore[list-item]
    assert "sunny" in str(second.choices[0].message.content)
    assert server.simulator.clean()


def test_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["sim"]
    assert client.models.retrieve("anything").owned_by == "agentkit-sim"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, openai.BadRequestError),
        (401, openai.AuthenticationError),
        (403, openai.PermissionDeniedError),
        (404, openai.NotFoundError),
        (429, openai.RateLimitError),
        (500, openai.InternalServerError),
        (503, openai.InternalServerError),
    ],
)
def test_errors(client: openai.OpenAI, status: int, kind: type[openai.APIStatusError]) -> None:
    with pytest.raises(kind) as caught:
        chat(client, f"fail with {status}")
    assert caught.value.status_code == status
    assert caught.value.request_id


def test_an_overflow_and_an_unknown_path(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="maximum context length is 8192"):
        chat(client, "word " * 9000)
    with pytest.raises(openai.NotFoundError):
        client.embeddings.create(model="sim", input="x")


def test_retries(client: openai.OpenAI, server: SimServer) -> None:
    answer = chat(client.with_options(max_retries=2), "fail with 503 twice retry after 0.01. say ok")
    assert answer.choices[0].message.content == "ok"
    assert server.simulator.received == 3


def test_an_error_in_mid_stream(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APIError, match="told to fail"):
        list(chat(client, "fail with 500 after 10 words", stream=True))


def test_a_broken_connection(client: openai.OpenAI) -> None:
    seen = 0
    with pytest.raises(openai.APIError):
        for _ in chat(client, "drop after 10 words", stream=True):
            seen += 1
    assert seen == 11
    assert chat(client, "say ok").choices[0].message.content == "ok"


def test_a_timeout(client: openai.OpenAI) -> None:
    with pytest.raises(openai.APITimeoutError):
        chat(client, "wait 5 seconds", timeout=0.05)
