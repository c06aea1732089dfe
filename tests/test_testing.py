"""The fakes that users get for their own tests."""

from __future__ import annotations

import anyio
import pytest

from agentkit import (
    AsyncConversation,
    Conversation,
    InvalidInput,
    Media,
    Message,
    Outcome,
    ProtocolError,
    RateLimited,
    RateLimiter,
    Reasoning,
    RetryPolicy,
    TextDelta,
    ToolCall,
    user,
)
from agentkit.sim import Simulator
from agentkit.testing import FakeClock, ScriptedProvider


def test_the_fixture_is_a_simulator_that_takes_a_script(agentkit_sim: Simulator) -> None:
    agentkit_sim.script(["say one", "say two"])
    with Conversation(agentkit_sim) as chat:
        assert [chat.send("x").text, chat.send("y").text] == ["one", "two"]
    assert agentkit_sim.clean()


def test_a_scripted_provider_answers_in_order_and_remembers_what_it_was_asked() -> None:
    call = Message("assistant", (Reasoning("hm"), ToolCall("a", "rain", {"city": "Oslo"})))
    provider = ScriptedProvider(["Hello\nthere", ["in ", "pieces"], call])
    with Conversation(provider, system="Be brief.") as chat:
        assert chat.send("one").text == "Hello\nthere"
        with chat.stream("two") as turn:
            assert [event.text for event in turn if isinstance(event, TextDelta)] == ["in ", "pieces"]
        assert turn.reply.usage.output_tokens == 2
        third = chat.send("three").message
        assert (third.reasoning, third.tool_calls[0].arguments) == ("hm", {"city": "Oslo"})
        with pytest.raises(ProtocolError, match="no answer to request 4"):
            chat.send("four")
    assert provider.requests[0].messages[1] == user("one")
    assert chat.model == "scripted/scripted"


def test_a_scripted_error_is_raised_and_may_be_tried_again() -> None:
    provider = ScriptedProvider([RateLimited("slow down", status=429), "ok"])
    with Conversation(provider, retry=RetryPolicy(base_delay=0.001)) as chat:
        assert chat.send("x").text == "ok"
    picture = Message("assistant", (Media("image/png", data=b""),))
    with Conversation(ScriptedProvider([picture])) as chat, pytest.raises(ProtocolError, match="Media"):
        chat.send("x")
    assert ScriptedProvider([]).decoder(None, max_line=1).close()  # type: ignore[arg-type]
    assert ScriptedProvider([]).decode_error(type("Head", (), {"status": 500})(), b"").status == 500  # type: ignore[arg-type]


def test_a_pause_in_the_script_can_be_stopped() -> None:
    pieces = ["one ", 30.0, "two"]
    with Conversation(ScriptedProvider([pieces, "next"])) as chat, chat.stream("x") as turn:
        for event in turn:
            if isinstance(event, TextDelta):
                turn.stop()
        assert (turn.reply.text, turn.reply.outcome) == ("one ", Outcome.INTERRUPTED)


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_the_same_without_blocking(library: str) -> None:
    async def scenario() -> None:
        provider = ScriptedProvider([["one ", 0.05, "two"], ["cut ", 30.0, "never"]])
        async with AsyncConversation(provider) as chat:
            assert (await chat.send("x")).text == "one two"
            turn = chat.stream("y")
            async with turn, anyio.create_task_group() as tasks:

                async def stop() -> None:
                    await anyio.sleep(0.1)
                    turn.stop()

                tasks.start_soon(stop)
                await turn.finish()
            assert (turn.reply.text, turn.reply.outcome) == ("cut ", Outcome.INTERRUPTED)

    anyio.run(scenario, backend=library)


PATIENT = RetryPolicy(base_delay=3600, max_delay=3600)


def test_with_a_clock_of_the_test_no_pause_takes_time(agentkit_sim: Simulator) -> None:
    agentkit_sim.script(["fail 503 x2", "say done"])
    with FakeClock() as clock, Conversation(agentkit_sim, retry=PATIENT) as chat:
        assert chat.send("...").text == "done"
    assert len(clock.pauses) == 2
    assert clock.now() == sum(clock.pauses) > 3600


def test_the_clock_of_the_test_goes_for_rate_limits_and_async_code_too(agentkit_sim: Simulator) -> None:
    async def scenario() -> None:
        limiter = RateLimiter(requests=1, per=86400)
        with FakeClock(start=5) as clock:
            async with AsyncConversation(agentkit_sim, rate_limit=limiter) as chat:
                for _ in range(3):
                    await chat.send("say hello")
            assert clock.pauses == [86400, 86400]
            clock.advance(1)
            assert clock.now() == 5 + 2 * 86400 + 1
            with pytest.raises(InvalidInput, match="time goes forward only"):
                clock.advance(-1)

    anyio.run(scenario)
    anyio.run(scenario, backend="trio")
