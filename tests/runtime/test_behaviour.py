"""What a conversation does, over three runtimes, with the simulator in process and behind real HTTP."""

from __future__ import annotations

import gc
import os
import signal
import threading
import time
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from scenarios import Opener, collect, play

from agentkit import (
    AgentKitError,
    AsyncConversation,
    ConnectionLost,
    Continuation,
    Conversation,
    ConversationBusy,
    ConversationClosed,
    InvalidInput,
    Limits,
    Media,
    Message,
    NotConfigured,
    Options,
    Outcome,
    Retrying,
    RetryPolicy,
    TextDelta,
    Timeouts,
    TurnFinished,
    Unsupported,
    assistant,
    user,
)
from agentkit.sim import Simulator

STORY = "write 120 words"


def uncut(backend: dict[str, Any], prompt: str = STORY) -> str:
    with Conversation(backend["model"]) as chat:
        return chat.send(prompt).text


def test_a_conversation_remembers(runtime: str, backend: dict[str, Any], store: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat() as chat:
            await chat.send("My name is Ada.")
            reply = await chat.send("What is my name?")
            assert "Ada" in reply.text
            assert [message.role for message in chat.messages] == ["user", "assistant"] * 2
            assert chat.usage.requests == 2
            assert chat.usage.output_tokens > 0

    play(runtime, scenario, **backend, store=store)


def test_the_deltas_are_the_text_and_the_last_event_is_the_end(runtime: str, backend: dict[str, Any]) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat() as chat, chat.stream(STORY) as turn:
            events = await collect(turn)
            said = "".join(event.text for event in events if isinstance(event, TextDelta))
            assert said == turn.reply.text == chat.messages[-1].text
            assert len([event for event in events if isinstance(event, TextDelta)]) > 50
            assert [event for event in events if isinstance(event, TurnFinished)] == events[-1:]
            assert events[-1].reply is turn.reply

    play(runtime, scenario, **backend)


def test_a_stop_keeps_what_was_delivered_and_resume_finishes_it(
    runtime: str, backend: dict[str, Any], store: str
) -> None:
    whole = uncut(backend)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat() as chat:
            async with chat.stream(STORY) as turn:
                events = await collect(turn, stop_after=11)
            said = "".join(event.text for event in events if isinstance(event, TextDelta))
            assert turn.reply.text == said
            assert whole.startswith(said)
            assert turn.reply.outcome is Outcome.INTERRUPTED
            assert isinstance(events[-1], TurnFinished)
            assert chat.messages[-1].interrupted
            reply = await chat.resume()
            assert reply.text == whole
            assert reply.outcome is Outcome.COMPLETE
            assert [message.text for message in chat.messages] == [STORY, whole]
            assert not chat.messages[-1].interrupted

    play(runtime, scenario, **backend, store=store)


@pytest.mark.parametrize("way", ["break", "exception", "dropped", "never begun"])
def test_leaving_a_turn_early_keeps_what_was_delivered(
    runtime: str, backend: dict[str, Any], store: str, way: str
) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat() as chat:
            seen = await leave(chat, way)
            gc.collect()
            if way == "never begun":
                assert chat.messages == ()
            else:
                assert chat.messages[-1].text == seen
                assert chat.messages[-1].interrupted
            reply = await chat.send("say and now on")
            assert reply.text == "and now on"

    play(runtime, scenario, **backend, store=store)


async def leave(chat: Any, way: str) -> str:
    seen = ""
    if way == "never begun":
        chat.stream(STORY)
        return ""
    if way == "dropped":
        turn = chat.stream(STORY)
        while len(seen) < 40:
            event = await turn.__anext__()
            seen += event.text if isinstance(event, TextDelta) else ""
        return seen
    try:
        async with chat.stream(STORY) as turn:
            async for event in turn:
                seen += event.text if isinstance(event, TextDelta) else ""
                if len(seen) >= 40 and way == "break":
                    break
                if len(seen) >= 40:
                    raise RuntimeError("the caller's own")
    except RuntimeError:
        pass
    assert turn.reply.text == seen
    return seen


@pytest.mark.parametrize("moment", ["before the first byte", "in mid-stream"])
def test_a_stop_ends_a_wait_at_once(runtime: str, backend: dict[str, Any], moment: str) -> None:
    order = "wait 20 seconds" if moment == "before the first byte" else f"{STORY} and stall 20 seconds after 10 words"

    async def scenario(open_chat: Opener) -> None:
        async with open_chat() as chat, chat.stream(order) as turn:
            begun = time.monotonic()

            async def stop_soon() -> None:
                await open_chat.sleep(0.3)
                turn.stop()

            async def read() -> Any:
                return await collect(turn)

            await open_chat.together(read, stop_soon)
            assert time.monotonic() - begun < 5
            assert turn.reply.outcome is Outcome.INTERRUPTED
            assert len(turn.reply.text.split()) == (0 if moment == "before the first byte" else 10)
            assert (await chat.send("say on")).text == "on"

    play(runtime, scenario, **backend)


def test_a_dropped_connection_is_an_error_with_the_partial(runtime: str, backend: dict[str, Any], store: str) -> None:
    order = f"{STORY} and drop after 40 words"

    async def scenario(open_chat: Opener) -> None:
        async with open_chat() as chat:
            with pytest.raises(ConnectionLost) as caught:
                await chat.send(order)
            partial = caught.value.reply
            assert partial is not None
            assert len(partial.text.split()) == 40
            assert partial.outcome is Outcome.INTERRUPTED
            assert chat.messages[-1].text == partial.text
            whole = await chat.resume()
            assert whole.outcome is Outcome.COMPLETE
            assert whole.text.startswith(partial.text)
            assert len(whole.text.split()) == 120
            assert (await chat.send("say next")).text == "next"

    play(runtime, scenario, **backend, store=store)


def test_a_backend_that_is_busy_for_now_is_asked_again(runtime: str, backend: dict[str, Any]) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(retry=RetryPolicy(base_delay=0.01)) as chat, chat.stream("fail with 429 twice") as turn:
            events = await collect(turn)
            assert [event.attempt for event in events if isinstance(event, Retrying)] == [1, 2]
            assert turn.reply.outcome is Outcome.COMPLETE
            assert turn.reply.usage.requests == 3

    play(runtime, scenario, **backend)


def test_a_refusal_is_typed_and_the_question_is_kept(runtime: str, backend: dict[str, Any]) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat() as chat:
            with pytest.raises(AgentKitError) as caught:
                await chat.send("fail with 401 once")
            assert type(caught.value).__name__ == "AuthError"
            assert caught.value.reply is not None
            assert caught.value.reply.outcome is Outcome.FAILED
            assert [message.role for message in chat.messages] == ["user"]
            assert (await chat.resume()).outcome is Outcome.COMPLETE

    play(runtime, scenario, **backend)


def test_silence_meets_the_limits(runtime: str, backend: dict[str, Any]) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(timeout=Timeouts(first_byte=0.3)) as chat:
            with pytest.raises(TimeoutError) as first:
                await chat.send("wait 10 seconds")
            assert first.value.phase == "first_byte"  # type: ignore[attr-defined]
        async with open_chat(timeout=Timeouts(idle=0.3)) as chat:
            with pytest.raises(TimeoutError) as idle:
                await chat.send(f"{STORY} and stall 10 seconds after 5 words")
            assert idle.value.phase == "idle"  # type: ignore[attr-defined]
            assert len(idle.value.reply.text.split()) == 5  # type: ignore[attr-defined]

    play(runtime, scenario, **backend)


def test_a_reply_cut_by_its_limit_says_so_and_can_be_resumed(runtime: str, backend: dict[str, Any]) -> None:
    whole = uncut(backend)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(continuation=Continuation(max_attempts=0)) as chat:
            reply = await chat.send(STORY, options=Options(max_tokens=20))
            assert (reply.outcome, reply.reason) == (Outcome.TRUNCATED, "the backend's limit of tokens")
            assert whole.startswith(reply.text)
            resumed = await chat.resume()
            assert (resumed.text, resumed.outcome) == (whole, Outcome.COMPLETE)
            assert [segment.strategy for segment in resumed.segments] == ["first", "native"]
            assert resumed.usage.requests == 2

    play(runtime, scenario, **backend)


def test_a_turn_that_is_stopped_before_it_begins_sends_nothing(runtime: str, store: str) -> None:
    simulator = Simulator()

    async def scenario(open_chat: Opener) -> None:
        async with open_chat() as chat:
            turn = chat.stream("say something")
            turn.stop()
            reply = await turn.finish()
            assert (reply.text, reply.outcome) == ("", Outcome.INTERRUPTED)
            assert simulator.received == 0
            assert [message.text for message in chat.messages] == ["say something"]
            assert (await chat.resume()).text == "something"

    play(runtime, scenario, model=simulator, store=store)


def test_what_a_backend_cannot_carry_does_not_poison_the_conversation(runtime: str, store: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat() as chat:
            await chat.send("say before")
            with pytest.raises(Unsupported):
                await chat.send(["listen", Media("audio/x-unheard-of", data=b"...")])
            assert [message.text for message in chat.messages] == ["say before", "before"]
            assert (await chat.send("say after")).text == "after"

    play(runtime, scenario, model=Simulator(), store=store)


# --- several writers


def test_turns_that_start_together_queue_and_none_is_lost(runtime: str, backend: dict[str, Any], store: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat() as chat:
            asked = [f"say number {number}" for number in range(4)]
            replies = await open_chat.together(*[lambda words=words: chat.send(words) for words in asked])
            assert sorted(reply.text for reply in replies) == [f"number {number}" for number in range(4)]
            pairs = list(zip(chat.messages[::2], chat.messages[1::2], strict=True))
            assert len(pairs) == 4
            assert all(question.text == f"say {answer.text}" for question, answer in pairs)

    play(runtime, scenario, **backend, store=store)


def test_a_busy_conversation_rejects_before_a_request_is_sent(runtime: str, store: str) -> None:
    simulator = Simulator(seed=1)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(on_busy="reject") as chat:
            calls = [lambda number=number: chat.send(f"wait 1 second and say {number}") for number in range(4)]
            results = await open_chat.together(*calls)
            busy = [result for result in results if isinstance(result, ConversationBusy)]
            assert len(busy) == 3
            assert simulator.received == 1
            assert len(chat.messages) == 2

    play(runtime, scenario, model=simulator, store=store)


def test_a_newer_turn_may_interrupt_the_running_one(runtime: str, backend: dict[str, Any], store: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(on_busy="interrupt") as chat:

            async def second() -> Any:
                await open_chat.sleep(0.4)
                return await chat.send("say second")

            first, other = await open_chat.together(
                lambda: chat.send(f"{STORY} and stall 20 seconds after 10 words"), second
            )
            assert other.text == "second"
            assert first.outcome is Outcome.INTERRUPTED
            assert len(first.text.split()) == 10
            assert [message.text for message in chat.messages[-2:]] == ["say second", "second"]

    play(runtime, scenario, **backend, store=store)


def test_a_newer_turn_may_go_on_in_a_fork(runtime: str, backend: dict[str, Any], store: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(on_busy="fork", name="trunk") as chat:
            await chat.send("say zero")

            async def second() -> Any:
                await open_chat.sleep(0.3)
                return await chat.send("say second")

            first, other = await open_chat.together(lambda: chat.send("wait 1 second and say first"), second)
            assert (first.conversation, first.text) == ("trunk", "first")
            assert other.conversation.startswith("trunk-")
            assert other.text == "second"
            assert [message.text for message in chat.messages] == ["say zero", "zero", first.messages[0].text, "first"]

    play(runtime, scenario, **backend, store=store)


def test_a_wait_for_a_place_has_a_limit(runtime: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(limits=Limits(max_wait=0.2)) as chat:

            async def second() -> Any:
                await open_chat.sleep(0.2)
                return await chat.send("say second")

            first, other = await open_chat.together(lambda: chat.send("wait 1 second and say first"), second)
            assert first.text == "first"
            assert isinstance(other, ConversationBusy)

    play(runtime, scenario, model=Simulator())


def test_a_turn_inside_a_turn_is_refused_instead_of_waiting_for_ever(runtime: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat() as chat, chat.stream(STORY) as turn:
            async for _ in turn:
                with pytest.raises(ConversationBusy, match="same thread or task"):
                    await chat.send("say inner")
                break

    play(runtime, scenario, model=Simulator())


def test_the_end_of_a_turn_is_a_place_to_begin_the_next(runtime: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat() as chat, chat.stream("say one") as turn:
            async for event in turn:
                if isinstance(event, TurnFinished):
                    assert (await chat.send("say two")).text == "two"

    play(runtime, scenario, model=Simulator())


# --- branches


def test_fork_edit_retry_and_undo_are_branches(runtime: str, backend: dict[str, Any], store: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat(name="trunk") as chat:
            for number in range(3):
                await chat.send(f"say {number}")
            fork = await chat.fork(at=-2, name="branch")
            assert [message.text for message in fork.messages] == ["say 0", "0", "say 1", "1"]
            assert fork.name == "branch"
            assert (await fork.send("say other")).text == "other"
            await chat.edit(2, "say edited")
            assert [message.text for message in chat.messages] == ["say 0", "0", "say edited", "edited"]
            assert (await chat.retry()).text == "edited"
            assert len(chat.messages) == 4
            assert [message.text for message in await chat.undo()] == ["say edited", "edited"]
            assert [message.text for message in chat.messages] == ["say 0", "0"]
            assert [message.text for message in fork.messages][-1] == "other"
            whole = await chat.fork()
            assert whole.messages == chat.messages
            with pytest.raises(InvalidInput, match="9"):
                await chat.fork(at=9)
            await fork.close()
            await whole.close()

    play(runtime, scenario, **backend, store=store)


def test_a_conversation_may_start_from_given_messages(runtime: str, backend: dict[str, Any], store: str) -> None:
    given = (user("My name is Ada."), assistant("Hello Ada."))

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(messages=given, system="Be brief.") as chat:
            assert chat.messages == given
            early = await chat.fork(at=1)
            assert early.messages == given[:1]
            await early.close()
            assert "Ada" in (await chat.send("What is my name?")).text
            assert chat.messages[:2] == given
            assert chat.system == "Be brief."

    play(runtime, scenario, **backend, store=store)


def test_the_same_turn_id_gives_the_same_reply_without_a_request(runtime: str, store: str) -> None:
    simulator = Simulator(seed=3)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat() as chat:
            first, again = await open_chat.together(*[lambda: chat.send(STORY, turn_id="order-1")] * 2)
            assert first.text == again.text
            assert simulator.received == 1
            with pytest.raises(InvalidInput, match="another question"):
                await chat.send("something else", turn_id="order-1")

    play(runtime, scenario, model=simulator, store=store)


# --- bad input


def test_bad_input_is_one_clear_error_and_nothing_is_lost(runtime: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat() as chat:
            await chat.send("say kept")
            for wrong in ("", "   ", None, 7, [], {"role": "user"}, Message("assistant", ())):
                with pytest.raises(InvalidInput):
                    await chat.send(wrong)
            with pytest.raises(InvalidInput, match="turn_id"):
                await chat.send("x", turn_id="")
            assert len(chat.messages) == 2
        with pytest.raises(ConversationClosed, match="open it again"):
            await chat.send("say too late")
        assert len(chat.messages) == 2
        await chat.close()

    play(runtime, scenario, model=Simulator())


@pytest.mark.parametrize(
    ("model", "error"),
    [
        ("", InvalidInput),
        ("/x", InvalidInput),
        ("openai/", InvalidInput),
        ("two words/x", InvalidInput),
        ("nonesuch/x", AgentKitError),
        ("openai", NotConfigured),
        (5, InvalidInput),
        (object(), InvalidInput),
    ],
)
def test_a_model_that_cannot_be_meant_is_named(model: Any, error: type[AgentKitError]) -> None:
    for face in (Conversation, AsyncConversation):
        with pytest.raises(error) as caught:
            face(model)
        assert "\n" not in str(caught.value)
        assert str(model).strip()[:6] in str(caught.value)


@pytest.mark.parametrize(
    "settings", [{"on_busy": "panic"}, {"name": ""}, {"store": "mongodb://x"}, {"timeout": -1}, {"base_url": "nohttp"}]
)
def test_a_setting_that_cannot_be_meant_is_named(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput):
        Conversation("openai/x" if "base_url" in settings else "sim", **settings)
    with pytest.raises(InvalidInput, match="from_openai"):
        Conversation("sim", messages=[{"role": "user", "content": "x"}])  # type: ignore[list-item]
    with pytest.raises(InvalidInput, match="ready-made"):
        Conversation(Simulator(), api_key="x")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"base_url": 5}, r"base_url must be a text, not 5"),
        ({"base_url": b"http://h"}, r"base_url must be a text"),
        ({"api_key": 5}, r"api_key must be a text, not of type int"),
        ({"api_key": b"sk-secret"}, r"api_key must be a text, not of type bytes"),
    ],
)
def test_an_address_or_a_key_that_is_no_text_is_refused(settings: dict[str, Any], words: str) -> None:
    for face in (Conversation, AsyncConversation):
        for model in ("openai/x", "sim", Simulator()):
            with pytest.raises(InvalidInput, match=words) as caught:
                face(model, **settings)
            assert "sk-secret" not in str(caught.value)


@pytest.mark.parametrize("settings", [{"base_url": "http://h"}, {"api_key": "sk-secret"}, {"http_client": object()}])
def test_the_simulator_takes_nothing_that_it_would_ignore(settings: dict[str, Any]) -> None:
    for face in (Conversation, AsyncConversation):
        for model in ("sim", "sim/x"):
            with pytest.raises(InvalidInput, match="base_url, api_key and http_client are for a backend elsewhere"):
                face(model, **settings)
    with pytest.raises(InvalidInput, match="elsewhere"):
        Conversation(Simulator(), http_client=object())


def test_the_reply_of_a_turn_that_is_not_over_is_refused(runtime: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        async with open_chat() as chat, chat.stream(STORY) as turn:
            with pytest.raises(InvalidInput, match="not over"):
                _ = turn.reply

    play(runtime, scenario, model=Simulator())


# --- one runtime at a time


@pytest.mark.parametrize("library", ["asyncio", "trio"])
def test_cancelling_a_task_keeps_what_was_delivered(library: str, backend: dict[str, Any], store: str) -> None:
    async def scenario() -> None:
        async with AsyncConversation(backend["model"], store=store) as chat:
            turn = chat.stream(f"{STORY} and stall 20 seconds after 10 words")
            with anyio.move_on_after(0.5) as scope:
                async with turn:
                    await turn.finish()
            assert scope.cancelled_caught
            assert len(chat.messages[-1].text.split()) == 10
            assert chat.messages[-1].interrupted
            assert turn.reply.outcome is Outcome.INTERRUPTED
            assert (await chat.send("say on")).text == "on"

    anyio.run(scenario, backend=library)


def test_cancelling_natively_on_asyncio_keeps_what_was_delivered(backend: dict[str, Any], store: str) -> None:
    import asyncio

    async def scenario() -> None:
        async with AsyncConversation(backend["model"], store=store) as chat:
            task = asyncio.create_task(chat.send(f"{STORY} and stall 20 seconds after 10 words"))
            await asyncio.sleep(0.5)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert len(chat.messages[-1].text.split()) == 10
            assert (await chat.resume()).outcome is Outcome.COMPLETE

    asyncio.run(scenario())


def test_one_async_conversation_lives_through_three_event_loops(backend: dict[str, Any], store: str) -> None:
    import asyncio

    chat = AsyncConversation(backend["model"], store=store)
    for number in range(3):
        assert asyncio.run(chat.send(f"say {number}")).text == str(number)
    assert len(chat.messages) == 6
    asyncio.run(chat.close())


def test_one_conversation_serves_many_threads(backend: dict[str, Any], store: str) -> None:
    with Conversation(backend["model"], store=store) as chat:
        threads = [threading.Thread(target=chat.send, args=(f"say {number}",)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(chat.messages) == 24
        assert sorted(int(message.text) for message in chat.messages[1::2]) == list(range(12))


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """SIGINT raises KeyboardInterrupt, also where the tests run in the background of a shell that ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_in_mid_reply_keeps_what_was_delivered(backend: dict[str, Any], store: str) -> None:
    with Conversation(backend["model"], store=store) as chat:
        timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            chat.send(f"{STORY} and stall 20 seconds after 10 words")
        timer.join()
        assert len(chat.messages[-1].text.split()) == 10
        assert chat.messages[-1].interrupted
        assert chat.resume().outcome is Outcome.COMPLETE


def test_both_faces_have_the_same_methods() -> None:
    import inspect

    def surface(face: type) -> dict[str, list[tuple[str, Any, Any]]]:
        return {
            name: [
                (parameter.name, parameter.kind, parameter.default)
                for parameter in inspect.signature(member).parameters.values()
            ]
            for name, member in inspect.getmembers(face, inspect.isfunction)
            if not name.startswith("_") or name == "__init__"
        }

    assert surface(Conversation) == surface(AsyncConversation)
