"""agentkit's own backend for PixiGPT against the server: neither side knows how the other reads the reference."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count

import pytest
from sim_client import tool_schema

from agentkit import AsyncConversation, Continuation, Conversation, tool
from agentkit.errors import AuthError, BadRequest, ConnectionLost, ContextOverflow, RateLimited, ServerError
from agentkit.events import TextDelta
from agentkit.messages import Message, ToolResult, system, user
from agentkit.options import Options, RetryPolicy
from agentkit.provider import ChatRequest, ResponseHead
from agentkit.providers.pixigpt import THINKING_FLOOR, PixiGPT
from agentkit.providers.pixigpt_threads import PixiThreads
from agentkit.sim import SimServer, Simulator
from agentkit.usage import FinishReason

AS_IT_IS = Continuation(max_attempts=0)
ONCE = RetryPolicy(max_attempts=1)
FAST = RetryPolicy(max_attempts=3, base_delay=0.0)
QUIET = Options(reasoning_effort="none")
TOOL = tool_schema("get_weather", {"type": "object", "properties": {"city": {}}, "required": ["city"]})
_keys = count()
"""What is learnt of a server is remembered by address and key: here each test has a server of its own."""


@pytest.fixture(scope="module")
def server() -> Iterator[SimServer]:
    with SimServer(Simulator()) as running:
        yield running


@pytest.fixture
def simulator(server: SimServer) -> Iterator[Simulator]:
    server.simulator.reset()
    yield server.simulator
    assert server.simulator.problems == ()


def talk(server: SimServer, retry: RetryPolicy = ONCE, **settings: object) -> Conversation:
    return Conversation(
        "pixigpt/pixi", base_url=server.describe()["pixigpt"], api_key=f"k{next(_keys)}", retry=retry, **settings
    )  # type: ignore[arg-type]


def test_several_turns(server: SimServer, simulator: Simulator) -> None:
    with talk(server, system="Be brief.") as chat:
        first = chat.send("My name is Ada")
        assert len(first.reasoning.split()) == 24
        assert chat.send("What is my name?").text == "Your name is Ada."
    sent = simulator.requests[-1].json
    assert sent["messages"][0] == {"role": "system", "content": "Be brief."}
    assert set(sent) == {"messages", "enable_thinking"}


def test_without_instructions(server: SimServer, simulator: Simulator) -> None:
    with talk(server) as chat:
        assert chat.send("say hi").text == "hi"


def test_without_blocking(server: SimServer, simulator: Simulator) -> None:
    async def scenario() -> None:
        async with AsyncConversation("pixigpt/pixi", base_url=server.describe()["pixigpt"], api_key="k") as chat:
            assert (await chat.send("say hi")).text == "hi"

    asyncio.run(scenario())


def test_a_stream_is_one_piece(server: SimServer, simulator: Simulator) -> None:
    with talk(server) as chat, chat.stream("write 40 words") as turn:
        pieces = [event.text for event in turn if isinstance(event, TextDelta)]
        assert pieces == [turn.reply.text]
        assert len(turn.reply.text.split()) == 40


def test_thinking(server: SimServer, simulator: Simulator) -> None:
    with talk(server, continuation=AS_IT_IS) as chat:
        assert chat.send("think 50 words. say hi", options=QUIET).reasoning == ""
        leaked = chat.send("leak thinking. think 9 words. write 6 words")
        assert (len(leaked.reasoning.split()), len(leaked.text.split())) == (9, 6)
        cut = chat.send("leak thinking. think 50 words. stop at 9 tokens")
        assert (len(cut.reasoning.split()), cut.text, cut.finish_reason) == (9, "", FinishReason.LENGTH)


def test_limits(server: SimServer, simulator: Simulator) -> None:
    with talk(server, continuation=AS_IT_IS) as chat:
        raised = chat.send("write 4000 words", options=Options(max_tokens=100))
        assert raised.usage.output_tokens == THINKING_FLOOR
        assert raised.finish_reason is FinishReason.LENGTH
        cut = chat.send("write 4000 words", options=Options(max_tokens=100, reasoning_effort="none"))
        assert cut.usage.output_tokens == len(cut.text.split()) == 100


@pytest.mark.parametrize(
    ("order", "kind", "words"),
    [
        ("fail with 400", BadRequest, "told to fail"),
        ("fail with 401", AuthError, "told to fail"),
        ("fail with 429", RateLimited, "told to fail"),
        ("fail with 503", ServerError, "told to fail"),
        ("fail with 500 after 3 words", ServerError, "told to fail"),
        ("drop after 30 words", ConnectionLost, "closed"),
    ],
)
def test_errors(server: SimServer, simulator: Simulator, order: str, kind: type[Exception], words: str) -> None:
    with talk(server) as chat, pytest.raises(kind, match=words):
        chat.send(order)


def test_it_asks_again(server: SimServer, simulator: Simulator) -> None:
    with talk(server, FAST) as chat:
        reply = chat.send("fail with 429 retry after 0. say ok")
    assert (reply.text, simulator.received) == ("ok", 2)


def test_an_overflow(server: SimServer, simulator: Simulator) -> None:
    simulator.configure(window=64)
    try:
        with talk(server) as chat, pytest.raises(ContextOverflow):
            chat.send("word " * 90)
    finally:
        simulator.configure(window=8192)


def test_an_assistant(server: SimServer, simulator: Simulator) -> None:
    backend = PixiGPT(base_url=server.describe()["pixigpt"], api_key="k", assistant_id="as_1")
    with Conversation(backend) as chat:
        assert chat.send("say hi").text == "hi"
    assert [message["role"] for message in simulator.requests[-1].json["messages"]] == ["user"]
    with (
        Conversation(PixiGPT(base_url=backend.base_url, api_key="k", assistant_id="as_9"), retry=ONCE) as chat,
        pytest.raises(BadRequest, match="as_9"),
    ):
        chat.send("say hi")


def test_without_a_key(server: SimServer) -> None:
    with (
        Conversation(PixiGPT(base_url=server.describe()["pixigpt"]), retry=ONCE) as chat,
        pytest.raises(AuthError, match="key"),
    ):
        chat.send("hi")


def test_a_round_of_tools(server: SimServer, simulator: Simulator) -> None:
    options = Options(extra={"tools": [TOOL]})
    with talk(server, options=options) as chat:
        first = chat.send("call weather")
    (call,) = first.message.tool_calls
    assert (call.name, set(call.arguments or ())) == ("get_weather", {"city"})
    assert first.finish_reason is FinishReason.TOOL_CALLS
    result = Message(role="tool", parts=(ToolResult(call.id, "18 degrees"),))
    backend = PixiGPT(base_url="http://127.0.0.1/pixigpt/v1", api_key="k")
    messages = (system("s"), user("call weather"), first.message, result)
    wire = backend.encode(ChatRequest(model="pixi", messages=messages, stream=False, options=options))
    answer = simulator.handle(wire.method, "/pixigpt/v1/chat/completions", dict(wire.headers), wire.body)
    decoder = backend.decoder(ResponseHead(answer.status, answer.headers), max_line=1 << 20)
    body = b"".join(item for item in answer.body if isinstance(item, bytes))
    texts = [chunk.text for chunk in (*decoder.feed(body), *decoder.close()) if isinstance(chunk, TextDelta)]
    assert "18 degrees" in "".join(texts)


def test_threads_are_told_of_tools_in_words(server: SimServer, simulator: Simulator) -> None:
    @tool
    def tides() -> str:
        """When it is high."""
        return "at noon"

    threads = PixiThreads(
        base_url=server.describe()["pixigpt"], api_key=f"k{next(_keys)}", model="as_1", on_system="send"
    )
    with Conversation(threads, system="Be brief.", tools=[tides], retry=ONCE) as chat:
        assert "tides answered: at noon" in chat.send("call tides").text
        assert chat.send("count to 3").text == "1, 2, 3"
        assert "tides answered: at noon" in chat.send("call tides").text
    posted = [sent.json["content"] for sent in simulator.requests if "content" in (sent.json or {})]
    assert ["# Tools" in text for text in posted] == [True, False, False, False, False]
    assert len({sent.path for sent in simulator.requests if sent.path.endswith("/messages")}) == 1
