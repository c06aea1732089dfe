"""The real `openai` client, blocking and async, against every profile that speaks its format, unchanged."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import openai
import pytest
from accent_client import OPENAI_LIKE
from sim_client import tool_schema, user

from agentkit.sim import SimServer, Simulator
from agentkit.sim.profiles import PROFILES

TOOL: Any = tool_schema(
    "get_weather", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
)
ASKED: Any = [user("call weather")]


@pytest.fixture(scope="module")
def server() -> Iterator[SimServer]:
    with SimServer(Simulator()) as running:
        yield running


def settings(server: SimServer, profile: str) -> dict[str, Any]:
    return {"base_url": server.url + PROFILES[profile].base, "api_key": "key", "max_retries": 0, "timeout": 60}


@pytest.fixture(params=OPENAI_LIKE)
def profile(request: pytest.FixtureRequest, server: SimServer) -> str:
    server.simulator.reset()
    return str(request.param)


@pytest.fixture
def client(server: SimServer, profile: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(**settings(server, profile)) as made:
        yield made


def chat(client: openai.OpenAI, messages: Any, **fields: Any) -> Any:
    messages = [user(messages)] if isinstance(messages, str) else messages
    return client.chat.completions.create(model="sim", messages=messages, **fields)


def test_several_turns(client: openai.OpenAI, server: SimServer) -> None:
    history: list[Any] = [{"role": "system", "content": "Be brief."}]
    for text in ("My name is Ada", "say two words", "What is my name?"):
        history.append(user(text))
        answer = chat(client, history)
        history.append({"role": "assistant", "content": answer.choices[0].message.content})
        assert answer.choices[0].finish_reason == "stop"
        assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens
    assert history[-1]["content"] == "Your name is Ada."
    assert server.simulator.clean()


def test_a_stream(client: openai.OpenAI) -> None:
    chunks = list(chat(client, "say one two three", stream=True))
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    ends = [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices and chunk.choices[0].finish_reason]
    assert (text, ends) == ("one two three", ["stop"])


def test_a_round_of_tools(client: openai.OpenAI, server: SimServer) -> None:
    message = chat(client, ASKED, tools=[TOOL]).choices[0].message
    call = message.tool_calls[0]
    assert set(json.loads(call.function.arguments)) == {"city"}
    calls = [{"id": call.id, "type": "function", "function": call.function.model_dump(include={"name", "arguments"})}]
    asked = {"role": "assistant", "content": "", "tool_calls": calls}
    result = {"role": "tool", "tool_call_id": call.id, "content": "sunny"}
    answer = chat(client, [*ASKED, asked, result], tools=[TOOL])
    assert "get_weather answered: sunny" in answer.choices[0].message.content
    assert server.simulator.clean()


def test_tools_in_a_stream(client: openai.OpenAI) -> None:
    name = arguments = ""
    for chunk in chat(client, ASKED, tools=[TOOL], stream=True):
        for call in (call for choice in chunk.choices for call in choice.delta.tool_calls or ()):
            name += call.function.name or ""
            arguments += call.function.arguments or ""
    assert (name, set(json.loads(arguments))) == ("get_weather", {"city"})


NO_HELP = {
    "lmstudio": "the client's own helper wants a type in each piece of a call, and gets null, as documented",
    "parallax-2025": "the client's own helper wants a whole number for the time, and gets a fraction",
}


def test_tools_by_the_streaming_helper(client: openai.OpenAI, profile: str) -> None:
    if profile in NO_HELP:
        return
    with client.chat.completions.stream(model="sim", messages=ASKED, tools=[TOOL]) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    calls: Any = final.choices[0].message.tool_calls
    call = calls[0]
    assert call.function.name == "get_weather"
    assert set(json.loads(call.function.arguments)) == {"city"}


TIDES: Any = tool_schema("tides")
NAMED: Any = {"type": "function", "function": {"name": "tides"}}
READ_OVER = ("ollama", "transformers", "parallax-2025")
"""These have no choice among tools and no shape of a reply, and say nothing of it where they are asked for one."""


def streamed(client: openai.OpenAI, messages: Any, **fields: Any) -> dict[int, list[str]]:
    """Id, name and arguments of each call of a stream."""
    made: dict[int, list[str]] = {}
    for chunk in chat(client, messages, stream=True, **fields):
        for call in (call for choice in chunk.choices for call in choice.delta.tool_calls or ()):
            known = made.setdefault(call.index, ["", "", ""])
            for place, more in enumerate((call.id, call.function.name, call.function.arguments)):
                known[place] += more or ""
    return made


def test_several_calls_streamed_and_plain(client: openai.OpenAI) -> None:
    order = [user("call weather and call tides")]
    message = chat(client, order, tools=[TOOL, TIDES]).choices[0].message
    plain = [[call.id, call.function.name, call.function.arguments] for call in message.tool_calls]
    assert [name for _, name, _ in plain] == ["get_weather", "tides"]
    assert list(streamed(client, order, tools=[TOOL, TIDES]).values()) == plain
    assert len({ident for ident, _, _ in plain}) == 2


def test_the_choice_among_tools(client: openai.OpenAI, profile: str) -> None:
    fields: Any = {"tools": [TOOL, TIDES]}
    if profile in ("lmstudio", "parallax-2026"):
        with pytest.raises(openai.BadRequestError):
            chat(client, "hello", **fields, tool_choice=NAMED)
        return
    obeys = profile not in (*READ_OVER, "llamacpp-2025", "llamacpp-2026")
    named = streamed(client, "hello", **fields, tool_choice=NAMED)
    assert [name for _, name, _ in named.values()] == (["tides"] if obeys else [])
    with pytest.raises(openai.BadRequestError) if obeys else nullcontext():
        chat(client, "hello", tools=[TOOL], tool_choice=NAMED)
    forbidden = chat(client, ASKED, **fields, tool_choice="none").choices[0].message.tool_calls
    assert bool(forbidden) == (profile in READ_OVER)
    demanded = chat(client, "hello", **fields, tool_choice="required").choices[0].message.tool_calls
    assert bool(demanded) == (profile not in READ_OVER)


def test_one_call_at_a_time(client: openai.OpenAI, profile: str) -> None:
    calls = streamed(client, "call tides 3 times", tools=[TIDES], parallel_tool_calls=False)
    assert len(calls) == (3 if profile in READ_OVER else 1)
    assert len(streamed(client, "call tides 3 times", tools=[TIDES], parallel_tool_calls=True)) == 3


def test_a_reply_of_a_shape(client: openai.OpenAI, profile: str) -> None:
    shape = {
        "type": "object",
        "properties": {"depth": {"type": "integer"}, "name": {"type": "string"}},
        "required": ["depth", "name"],
        "additionalProperties": False,
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "pool", "schema": shape, "strict": True}}
    plain = chat(client, "a pool", response_format=wanted).choices[0].message.content
    pieces = [
        choice.delta.content or ""
        for chunk in chat(client, "a pool", response_format=wanted, stream=True)
        for choice in chunk.choices
    ]
    assert "".join(pieces) == plain
    if profile not in ("transformers", "parallax-2025"):
        assert {name: type(value) for name, value in json.loads(plain).items()} == {"depth": int, "name": str}


def test_errors(client: openai.OpenAI, profile: str) -> None:
    for status, kind in ((401, openai.AuthenticationError), (429, openai.RateLimitError)):
        with pytest.raises(kind):
            chat(client, f"fail with {status}")
    with pytest.raises(openai.UnprocessableEntityError if profile == "transformers" else openai.BadRequestError):
        chat(client, [user("x"), {"role": "owner", "content": "x"}])
    disordered = chat_error(client, [user("x"), {"role": "tool", "tool_call_id": "c", "content": "x"}])
    assert disordered.status_code == (500 if profile.startswith("llamacpp") or profile == "transformers" else 400)


def chat_error(client: openai.OpenAI, messages: Any) -> openai.APIStatusError:
    with pytest.raises(openai.APIStatusError) as caught:
        chat(client, messages)
    return caught.value


@pytest.mark.parametrize("way", ["raises", "is silent"])
def test_an_error_in_the_middle(client: openai.OpenAI, profile: str, way: str) -> None:
    """Some servers end a stream without a word that this client hears."""
    silent = profile in ("llamacpp-2025", "ollama", "mlx")
    if silent is (way == "raises"):
        return
    seen: list[str] = []
    try:
        for chunk in chat(client, "fail with 500 after 2 words. say a b c d", stream=True):
            seen += [choice.delta.content for choice in chunk.choices if choice.delta.content]
    except openai.APIError:
        assert not silent
    else:
        assert silent
    assert "".join(seen) == "a b"


def test_models(client: openai.OpenAI, profile: str) -> None:
    if profile == "gravixlayer":
        with pytest.raises(openai.NotFoundError):
            client.models.list()
    else:
        assert next(iter(client.models.list())).id


def test_async(server: SimServer, profile: str) -> None:
    async def talk() -> None:
        async with openai.AsyncOpenAI(**settings(server, profile)) as client:
            create: Any = client.chat.completions.create
            whole = await create(model="sim", messages=[user("say hi")])
            assert whole.choices[0].message.content == "hi"
            text = ""
            async for chunk in await create(model="sim", messages=[user("say one two")], stream=True):
                text += "".join(choice.delta.content or "" for choice in chunk.choices)
            assert text == "one two"
            called = await create(model="sim", messages=ASKED, tools=[TOOL])
            assert called.choices[0].message.tool_calls[0].function.name == "get_weather"
            with pytest.raises(openai.RateLimitError):
                await create(model="sim", messages=[user("fail with 429")])

    asyncio.run(talk())
    assert server.simulator.clean()


def test_gzip_and_split_bytes_are_no_trouble(client: openai.OpenAI) -> None:
    assert chat(client, "gzip the body. say né").choices[0].message.content == "né"
    chunks = list(chat(client, "split the bytes. say né", stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "né"
