"""agentkit's own backend for Gradient Chat against the server: neither side knows how the other reads the reference."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from agentkit import AsyncConversation, Conversation
from agentkit.errors import AuthError, BadRequest, ConnectionLost, ContextOverflow, JobFailed, RateLimited, ServerError
from agentkit.events import TextDelta
from agentkit.messages import Message, ToolCall, ToolResult, assistant, user
from agentkit.options import Options, RetryPolicy
from agentkit.sim import SimServer, Simulator
from agentkit.usage import FinishReason

ONCE = RetryPolicy(max_attempts=1)
FAST = RetryPolicy(max_attempts=3, base_delay=0.0)


@pytest.fixture(scope="module")
def server() -> Iterator[SimServer]:
    with SimServer(Simulator()) as running:
        yield running


@pytest.fixture
def simulator(server: SimServer) -> Iterator[Simulator]:
    server.simulator.reset()
    yield server.simulator
    assert server.simulator.problems == ()


def talk(
    server: SimServer, model: str = "gradient/gpt-oss-120b", retry: RetryPolicy = ONCE, **settings: object
) -> Conversation:
    url = server.describe()["gradient"]
    return Conversation(model, base_url=url, retry=retry, **settings)  # type: ignore[arg-type]


def test_several_turns(server: SimServer, simulator: Simulator) -> None:
    with talk(server, system="Be brief.") as chat:
        chat.send("My name is Ada")
        assert chat.send("What is my name?").text == "Your name is Ada."
    sent = simulator.requests[-1].json
    assert [message["role"] for message in sent["messages"]] == ["user", "assistant", "user"]
    assert sent["messages"][0]["content"] == "Be brief.\n\nMy name is Ada"
    assert (sent["model"], sent["clusterMode"]) == ("GPT OSS 120B", "nvidia")


def test_a_stream_piece_by_piece(server: SimServer, simulator: Simulator) -> None:
    with talk(server) as chat, chat.stream("write 40 words") as turn:
        pieces = [event.text for event in turn if isinstance(event, TextDelta)]
        assert len(pieces) == 40
        assert "".join(pieces) == turn.reply.text
        assert turn.reply.finish_reason is FinishReason.STOP


def test_without_blocking(server: SimServer, simulator: Simulator) -> None:
    async def scenario() -> None:
        async with AsyncConversation("gradient/gpt-oss-120b", base_url=server.describe()["gradient"]) as chat:
            assert (await chat.send("say hi")).text == "hi"

    asyncio.run(scenario())


def test_thinking_goes_there_and_back(server: SimServer, simulator: Simulator) -> None:
    thinking = Options(reasoning_effort="high")
    with talk(server, "gradient/qwen3-235b") as chat:
        reply = chat.send("say hi", options=thinking)
        assert (reply.text, len(reply.reasoning.split())) == ("hi", 24)
        assert chat.send("think 9 words. say hi").reasoning == ""
    sent = simulator.requests[-1].json
    assert sent["messages"][1]["reasoningContent"] == reply.reasoning
    assert (sent["model"], sent["clusterMode"]) == ("Qwen3 235B", "hybrid")


def test_what_leaks_is_cleaned(server: SimServer, simulator: Simulator) -> None:
    with talk(server) as chat:
        reply = chat.send("leak harmony. think 4 words. write 6 words")
        assert (len(reply.reasoning.split()), len(reply.text.split())) == (4, 6)
        assert "<|" not in reply.text + reply.reasoning
        assert chat.send('add noise. say "a\u2028b"').text == "a\u2028b"
        aloud = chat.send("think aloud. write 6 words")
        assert (aloud.text, len(aloud.reasoning.split())) == ("", 6)
        assert aloud.finish_reason is FinishReason.UNKNOWN


@pytest.mark.parametrize(
    ("order", "kind", "words"),
    [
        ("fail with 400", BadRequest, "told to fail"),
        ("fail with 401", AuthError, "told to fail"),
        ("fail with 429", RateLimited, "told to fail"),
        ("fail with 503", ServerError, "told to fail"),
        ("drop after 3 words", ConnectionLost, "closed"),
        ("never complete. write 3 words", JobFailed, "'processing'"),
        ("add noise, fail with 500 after 3 words", JobFailed, "'failed'.*told to fail"),
    ],
)
def test_errors(server: SimServer, simulator: Simulator, order: str, kind: type[Exception], words: str) -> None:
    with talk(server) as chat, pytest.raises(kind, match=words):
        chat.send(order)


def test_it_asks_again(server: SimServer, simulator: Simulator) -> None:
    with talk(server, retry=FAST) as chat:
        assert chat.send("fail with 429 retry after 0. say ok").text == "ok"
    with talk(server) as chat:
        with pytest.raises(JobFailed):
            chat.send("fail with 500 after 3 words. write 6 words")
        assert len(chat.retry().text.split()) == 6


def test_a_reply_that_is_cut_looks_complete(server: SimServer, simulator: Simulator) -> None:
    with talk(server) as chat:
        cut = chat.send("stop at 5 tokens. write 40 words")
        assert (len(cut.text.split()), cut.finish_reason) == (5, FinishReason.STOP)
        assert len(chat.send("write 40 words", options=Options(max_tokens=5)).text.split()) == 40


def test_a_history_with_tools(server: SimServer, simulator: Simulator) -> None:
    call = ToolCall("c1", "get_weather", {"city": "Oslo"})
    result = Message(role="tool", parts=(ToolResult("c1", "sunny"),))
    history = [user("call weather"), assistant(call), result, assistant("It is sunny.")]
    with talk(server, messages=history) as chat:
        assert chat.send("say hi").text == "hi"


def test_an_overflow(server: SimServer, simulator: Simulator) -> None:
    simulator.configure(window=64)
    try:
        with talk(server) as chat, pytest.raises(ContextOverflow):
            chat.send("word " * 90)
    finally:
        simulator.configure(window=8192)
