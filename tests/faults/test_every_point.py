"""Every point instead of random ones: a good answer cut after each byte, and each call of the store failing in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from fault_run import PATIENT, RETRY
from fault_server import FaultServer, Play, Script, close, reset
from fault_wire import CHUNKED, DONE, END, GOOD, HEALTHY_STREAM, SSE, WORDS, chunk, event, head, until_closed
from scenarios import Opener, play

from agentkit import (
    AgentKitError,
    ConnectionLost,
    Limits,
    Outcome,
    ProtocolError,
    StoreError,
    TextDelta,
)
from agentkit.messages import Message
from agentkit.providers.openai_chat import OpenAIChat
from agentkit.sim import Simulator
from agentkit.store import Store
from agentkit.stores.memory import MemoryStore
from agentkit.stores.sqlite import SQLiteStore
from agentkit.testing import RecordingStore

SAID = WORDS[1:4]
TEXT = "".join(SAID)
FINISH = event(b'{"choices":[{"finish_reason":"stop"}]}')
EVENTS = (*(event(b'{"choices":[{"delta":{"content":"%s"}}]}' % word.encode()) for word in SAID), FINISH, DONE)
STREAM = b"".join(EVENTS)
FRAMINGS: dict[str, bytes] = {
    "chunks": CHUNKED % SSE + b"".join(map(chunk, EVENTS)) + END,
    "length": head(b"200 OK", b"content-type: " + SSE, b"content-length: %d" % len(STREAM)) + STREAM,
    "until closed": bytes(until_closed(STREAM)[0]),  # type: ignore[arg-type]
}
BEGINNINGS = frozenset("".join(SAID[:count]) for count in range(len(SAID) + 1))


def cut(answer: bytes, at: int, way: Literal["close", "reset"]) -> Play:
    """The first bytes of an answer, and the end of its connection."""
    last = close if way == "close" else reset
    return (answer[:at], last) if at else (last,)


def finish_is_in(sent: bytes) -> bool:
    """The event with the finish reason has come, its last brace included."""
    return FINISH.rstrip() in sent


async def talk(open_chat: Opener, server: FaultServer, sent: bytes) -> None:
    provider = OpenAIChat(base_url=f"http://127.0.0.1:{server.port}/v1")
    async with open_chat(provider, timeout=PATIENT, retry=RETRY) as chat:
        delivered = ""
        error: AgentKitError | None = None
        try:
            async with chat.stream("What does the fox do?") as turn:
                async for event in turn:
                    delivered += event.text if isinstance(event, TextDelta) else ""
        except (ConnectionLost, ProtocolError) as caught:
            error = caught
        server.recover()
        judge(chat.messages, delivered, error, whole=finish_is_in(sent))
        assert (await chat.send("And now?")).text == GOOD


def judge(messages: tuple[Message, ...], delivered: str, error: AgentKitError | None, *, whole: bool) -> None:
    assert (error is None) == whole
    assert delivered in BEGINNINGS
    if error is None:
        assert delivered == messages[-1].text == TEXT
        assert not messages[-1].interrupted
        return
    assert error.reply is not None
    assert error.reply.text == delivered
    assert error.reply.outcome is (Outcome.INTERRUPTED if delivered else Outcome.FAILED)
    if delivered:
        assert messages[-1].text == delivered
        assert messages[-1].interrupted
    else:
        assert [message.role for message in messages] == ["user"]


def cut_everywhere(runtime: str, answer: bytes, way: Literal["close", "reset"], points: range) -> None:
    with FaultServer(Script(((close,),)), HEALTHY_STREAM) as server:
        for at in points:
            server.well = False
            server.script = Script((cut(answer, at, way),))
            sent = answer[:at]
            play(runtime, lambda open_chat, sent=sent: talk(open_chat, server, sent))


@pytest.mark.parametrize("way", ["close", "reset"])
@pytest.mark.parametrize("framing", FRAMINGS)
def test_an_answer_cut_after_any_byte_gives_what_was_delivered(framing: str, way: Literal["close", "reset"]) -> None:
    answer = FRAMINGS[framing]
    cut_everywhere("blocking", answer, way, range(len(answer)))


@pytest.mark.parametrize("runtime", ["asyncio", "trio"])
def test_the_same_on_event_loops(runtime: str) -> None:
    answer = FRAMINGS["chunks"]
    cut_everywhere(runtime, answer, "close", range(0, len(answer), 13))


# --- the store


@pytest.fixture(params=["memory", "sqlite"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Makes new stores, and closes them in the end."""
    made: list[Store] = []

    def make() -> Store:
        path = tmp_path / f"{len(made)}.db"
        made.append(MemoryStore() if request.param == "memory" else SQLiteStore(path, lease_seconds=0.5))
        return made[-1]

    yield make
    for store in made:
        store.close()


PROMPTS = ("say one", "write 20 words", "say two")


class Life:
    """What a user does with a conversation; what was acknowledged to him is noted."""

    def __init__(self, open_chat: Opener, store: Store) -> None:
        self._open = lambda: open_chat(Simulator(seed=5), store=store, name="talk")
        self.acknowledged: list[str] = []
        self.failures = 0

    async def live(self) -> None:
        async with self._open() as chat:
            for prompt in PROMPTS:
                await self._send(chat, prompt)
        async with self._open() as chat:
            await self._stop_in_the_middle(chat)
            await self._resume(chat)
            await self._send(chat, "say three")

    async def _send(self, chat: Any, prompt: str) -> None:
        try:
            reply = await chat.send(prompt)
        except StoreError as error:
            self._failed(error)
        else:
            self.acknowledged += [prompt, reply.text]

    async def _stop_in_the_middle(self, chat: Any) -> None:
        said = ""
        try:
            async with chat.stream("write 40 words") as turn:
                async for event in turn:
                    said += event.text if isinstance(event, TextDelta) else ""
                    if len(said) > 50:
                        turn.stop()
        except StoreError as error:
            self._failed(error, said)

    async def _resume(self, chat: Any) -> None:
        try:
            reply = await chat.resume()
        except StoreError as error:
            self._failed(error)
        else:
            if reply.text != self.acknowledged[-1]:  # of a turn that could not begin, there is nothing to resume
                self.acknowledged.append(reply.text)

    def _failed(self, error: StoreError, said: str | None = None) -> None:
        self.failures += 1
        assert error.reply is not None
        assert said is None or error.reply.text == said
        assert len(str(error).splitlines()) == 1


async def live_with_failure(open_chat: Opener, inner: Store, at: int, when: Literal["before", "after"]) -> bool:
    """A life in which one call of the store fails; False once there are not so many calls."""
    store = RecordingStore(inner, fail_at=at, when=when)
    life = Life(open_chat, store)
    await life.live()
    assert life.failures <= 1
    async with open_chat(Simulator(seed=5), store=inner, name="talk", limits=Limits(max_wait=5)) as chat:
        texts = [message.text for message in chat.messages]
        assert in_order(life.acknowledged, texts), (life.acknowledged, texts)
        assert all(texts.count(prompt) <= 1 for prompt in (*PROMPTS, "say three")), texts
        assert (await chat.send("say well again")).text == "well again"
    return len(store.calls) >= at


def in_order(wanted: list[str], texts: list[str]) -> bool:
    found = iter(texts)
    return all(any(text == want for text in found) for want in wanted)


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("runtime", ["blocking", "asyncio"])
def test_every_call_of_the_store_fails_once(
    runtime: str, when: Literal["before", "after"], stores: Callable[[], Store]
) -> None:
    going: list[bool] = [True]

    async def scenario(open_chat: Opener) -> None:
        going.append(await live_with_failure(open_chat, stores(), len(going), when))

    while going[-1] and len(going) < 200:
        play(runtime, scenario)
    assert 20 < len(going) < 200
