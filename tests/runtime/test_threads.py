"""A conversation that lives in a PixiGPT thread, over three runtimes, against the simulator's platform."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from scenarios import Opener, collect, play

from agentkit import Conversation, JobFailed, Outcome, ReasoningDelta, RetryPolicy, ServerError, TextDelta
from agentkit.providers.pixigpt_threads import PixiThreads
from agentkit.sim import SimServer, Simulator


@pytest.fixture
def server() -> Iterator[SimServer]:
    with SimServer(Simulator(seed=3)) as running:
        yield running
        assert running.simulator.problems == ()


def threads(server: SimServer) -> PixiThreads:
    return PixiThreads(base_url=server.describe()["pixigpt"], api_key="sk-test", model="as_1")


def made(server: SimServer) -> int:
    return sum(r.method == "POST" and r.path.endswith("/threads") for r in server.simulator.requests)


def test_turns_share_a_thread(runtime: str, server: SimServer, store: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(threads(server), name="talk") as chat:
            events = await collect(chat.stream("My name is Ada"))
            assert any(isinstance(event, ReasoningDelta) for event in events)
            text = "".join(event.text for event in events if isinstance(event, TextDelta))
            assert text == chat.messages[-1].text
        async with open_chat(threads(server), name="talk") as chat:
            reply = await chat.send("What is my name?")
            assert reply.text == "Your name is Ada."
            assert reply.message.meta["pixigpt-threads"]["thread_id"]
            assert reply.usage.estimated

    if store == "memory":
        from agentkit.stores.memory import MemoryStore

        play(runtime, scenario, store=MemoryStore())
    else:
        play(runtime, scenario, store=store)
    assert made(server) == 1


def test_forks_do_not_share_one(runtime: str, server: SimServer) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(threads(server)) as chat:
            await chat.send("My name is Ada")
            other = await chat.fork()
            await chat.send("My name is Bob")
            assert (await other.send("What is my name?")).text == "Your name is Ada."
            assert (await chat.send("What is my name?")).text == "Your name is Bob."
            await other.close()

    play(runtime, scenario)
    assert made(server) == 2


def test_a_conversation_from_elsewhere_moves_into_a_thread(runtime: str, server: SimServer) -> None:
    with Conversation("sim") as elsewhere:
        elsewhere.send("My name is Ada")
        history = elsewhere.messages

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(threads(server), messages=history) as chat:
            assert (await chat.send("What is my name?")).text == "Your name is Ada."

    play(runtime, scenario)
    assert any(request.path.endswith("/messages/bulk") for request in server.simulator.requests)


def test_a_run_that_fails_is_resumed_in_a_new_thread(runtime: str, server: SimServer) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(threads(server), retry=RetryPolicy(max_attempts=1)) as chat:
            server.simulator.script(["run ends as cancelled"])
            with pytest.raises(JobFailed, match="cancelled") as caught:
                await chat.send("say hello")
            assert caught.value.reply is not None
            assert caught.value.reply.outcome is Outcome.FAILED
            assert (await chat.resume()).text == "hello"

    play(runtime, scenario)


def test_a_failing_service_is_an_error_with_its_status(runtime: str, server: SimServer) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(threads(server), retry=RetryPolicy(max_attempts=1)) as chat:
            server.simulator.script(["fail with 500"])
            with pytest.raises(ServerError) as caught:
                await chat.send("say hello")
            assert caught.value.status == 500

    play(runtime, scenario)


def test_the_command_names_the_assistant_as_model(server: SimServer) -> None:
    url = server.describe()["pixigpt"]
    with Conversation("pixigpt-threads/as_1", base_url=url, api_key="sk-test") as chat:
        assert chat.send("say hello").text == "hello"
