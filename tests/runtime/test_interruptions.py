"""Interruptions at every point of a turn: nothing shown is lost, and the right to write is given back."""

from __future__ import annotations

import asyncio
import gc
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import pytest

from agentkit import (
    AsyncConversation,
    Conversation,
    ConversationBusy,
    InvalidInput,
    Limits,
    Outcome,
    TextDelta,
    assistant,
    user,
)
from agentkit._runtime.keeper import KEEPER
from agentkit.sim import Simulator
from agentkit.stores.memory import MemoryStore
from agentkit.stores.sqlite import SQLiteStore

STORY = "write 12 words"


class Slow(SQLiteStore):
    """A store whose calls take a moment, and tell how many there were."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.calls = 0
        self.at: int | None = None
        self.hit = lambda: None

    def _count(self) -> None:
        self.calls += 1
        if self.calls == self.at:
            self.hit()
        time.sleep(0.002)

    def append(self, *arguments: Any, **named: Any) -> int:
        self._count()
        return super().append(*arguments, **named)

    def release(self, *arguments: Any) -> None:
        self._count()
        super().release(*arguments)

    def acquire(self, *arguments: Any) -> Any:
        self._count()
        return super().acquire(*arguments)


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Slow]:
    store = Slow(tmp_path / "slow.db")
    yield store
    store.close()


def kept(store: Any, name: str) -> list[str]:
    with Conversation("sim", store=store, name=name) as chat:
        return [message.text for message in chat.messages if message.role == "assistant"]


def idle(store: Any, name: str) -> bool:
    return not any(info.busy for info in store.list() if info.name == name)


async def shown_by(chat: AsyncConversation, shown: list[str]) -> None:
    async with chat.stream(STORY) as turn:
        async for event in turn:
            shown += [event.text] if isinstance(event, TextDelta) else []


@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.parametrize("library", ["asyncio", "trio", "natively"])
@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_a_cancellation_during_a_call_of_the_store(slow: Slow, library: str, call: int, twice: bool) -> None:
    shown: list[str] = []

    async def scenario() -> None:
        chat = AsyncConversation(Simulator(), store=slow, name="x", limits=Limits(max_wait=2))
        slow.at = call
        if library == "natively":
            task = asyncio.ensure_future(shown_by(chat, shown))
            loop = asyncio.get_running_loop()
            slow.hit = lambda: loop.call_soon_threadsafe(task.cancel)
            while not task.done():
                await asyncio.sleep(0.001)
                if twice and slow.calls >= call:
                    task.cancel()
        else:
            with anyio.CancelScope() as scope:
                slow.hit = lambda: anyio.from_thread.run_sync(scope.cancel)
                await shown_by(chat, shown)
        slow.at = None
        assert (await chat.send("say next")).text == "next"
        await chat.close()

    anyio.run(scenario, backend="trio" if library == "trio" else "asyncio")
    assert idle(slow, "x")
    said = "".join(shown)
    assert not said or any(text.startswith(said) for text in kept(slow, "x"))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_ctrl_c_during_a_call_of_the_store(call: int, when: str) -> None:
    class Hit(MemoryStore):
        calls = 0

        def _hit(self, method: Any, *arguments: Any, **named: Any) -> Any:
            self.calls += 1
            hit = self.calls == call
            if hit and when == "before":
                raise KeyboardInterrupt
            result = method(*arguments, **named)
            if hit:
                raise KeyboardInterrupt
            return result

        def append(self, *arguments: Any, **named: Any) -> int:
            return int(self._hit(super().append, *arguments, **named))

        def release(self, *arguments: Any) -> None:
            self._hit(super().release, *arguments)

        def acquire(self, *arguments: Any) -> Any:
            return self._hit(super().acquire, *arguments)

    store, shown = Hit(), []
    chat = Conversation(Simulator(), store=store, name="x", limits=Limits(max_wait=2))
    with pytest.raises(KeyboardInterrupt), chat.stream(STORY) as turn:
        shown += [event.text for event in turn if isinstance(event, TextDelta)]
        turn.finish()
    store.calls = -100
    assert idle(store, "x")
    assert chat.send("say next").text == "next"
    said = "".join(shown)
    assert said in kept(store, "x") or not said
    assert [message.role for message in chat.messages].count("user") in (1, 2)


def test_ctrl_c_at_random_moments() -> None:
    """In a process of its own: what is interrupted here may be anything that runs, also what measures the tests."""
    script = str(Path(__file__).parent / "ctrl_c.py")
    done = subprocess.run([sys.executable, script], timeout=60, capture_output=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stdout) == (0, "80 turns interrupted, none lost\n"), done.stderr


class Holder:
    """Something that refers to a turn and is referred to by it."""


@pytest.mark.parametrize("library", ["blocking", "asyncio"])
def test_a_turn_dropped_within_a_cycle_is_committed(library: str, tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "cycle.db")
    shown: list[str] = []

    async def scenario() -> None:
        chat: Any = (Conversation if library == "blocking" else AsyncConversation)(Simulator(), store=store, name="x")
        holder: Any = Holder()
        holder.turn, holder.itself = chat.stream(STORY), holder
        for _ in range(4):
            event = next(holder.turn) if library == "blocking" else await holder.turn.__anext__()
            shown.append(event.text)
        del holder, event
        gc.collect()
        reply = chat.send("say next")
        assert (reply if library == "blocking" else await reply).text == "next"

    asyncio.run(scenario())
    assert kept(store, "x") == ["".join(shown), "next"]
    store.close()


def test_a_store_stays_open_for_the_turn_that_uses_it(tmp_path: Path) -> None:
    spec = f"sqlite:///{tmp_path}/close.db"
    with Conversation(Simulator(), store=spec, name="x") as chat:
        turn = chat.stream(STORY)
        shown = [next(turn).text for _ in range(5)]  # type: ignore[union-attr]
        chat.close()
        shown.append(next(turn).text)  # type: ignore[union-attr]
    del turn
    assert kept(spec, "x") == ["".join(shown)]
    with Conversation(Simulator(), store=spec, name="x") as again:
        begun = time.monotonic()
        assert again.send("say next").text == "next"
        assert time.monotonic() - begun < 2


def test_an_async_turn_whose_loop_is_gone_can_still_be_interrupted(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "gone.db")
    chat = AsyncConversation(Simulator(), store=store, name="x")
    turn = chat.stream(STORY)

    async def begin() -> str:
        return (await turn.__anext__()).text  # type: ignore[union-attr]

    said = asyncio.run(begin())
    with Conversation(Simulator(), store=store, name="x", on_busy="interrupt") as other:
        assert other.send("say next").text == "next"
    assert kept(store, "x") == [said, "next"]
    assert turn.reply.outcome is Outcome.INTERRUPTED
    store.close()


def test_nothing_that_a_turn_does_ends_the_keeper() -> None:
    class Bad:
        def look_after(self, *, renew: bool) -> None:
            raise RuntimeError("a store of somebody else")

    bad, done = Bad(), threading.Event()
    KEEPER.add(bad)
    time.sleep(0.5)
    KEEPER.call(lambda: 1 / 0)
    KEEPER.call(done.set, wait=2)
    assert done.is_set()
    KEEPER.remove(bad)


def test_two_objects_on_one_file_do_not_wait_for_each_other_in_one_thread(tmp_path: Path) -> None:
    spec = f"sqlite:///{tmp_path}/two.db"
    with (
        Conversation("sim", store=spec, name="x") as one,
        Conversation("sim", store=spec, name="x") as other,
        one.stream(STORY) as turn,
    ):
        next(turn)
        with pytest.raises(ConversationBusy, match="same thread"):
            other.send("say inner")


def test_what_a_running_turn_has_delivered_is_part_of_the_messages_and_of_a_fork(store: str) -> None:
    with Conversation(Simulator(), store=store, name="x") as chat, chat.stream(STORY) as turn:
        shown = [next(turn).text for _ in range(5)]  # type: ignore[union-attr]
        assert [message.text for message in chat.messages] == [STORY, "".join(shown)]
        fork = chat.fork()
        assert [message.text for message in fork.messages] == [STORY, "".join(shown)]
        fork.close()


def test_a_fork_takes_no_name_that_is_taken(store: str) -> None:
    with Conversation("sim", store=store, name="old") as old:
        old.send("say secret")
        for messages in ((), (user("a"), assistant("b"))):
            fresh = Conversation("sim", store=old._opened.store, name="fresh", messages=messages)
            with pytest.raises(InvalidInput, match="'old'"):
                fresh.fork(name="old")


@pytest.mark.parametrize("policy", ["fork", "reject", "queue"])
def test_one_turn_id_is_one_request_whatever_the_policy(policy: Any, store: str) -> None:
    simulator = Simulator(pace=0.002)
    with Conversation(simulator, store=store, name="x", on_busy=policy) as chat:
        replies: list[Any] = []
        threads = [threading.Thread(target=lambda: replies.append(chat.send(STORY, turn_id="same"))) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len({reply.text for reply in replies}) == 1
        assert len(replies) == 6
        assert simulator.received == 1
        assert {reply.conversation for reply in replies} == {"x"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
def test_a_forked_child_leaves_the_turn_of_its_parent_alone(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "fork.db")
    with Conversation(Simulator(), store=store, name="x") as chat:
        turn = chat.stream(STORY)
        next(turn)
        child = os.fork()
        if not child:
            del turn
            gc.collect()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert turn.finish().outcome is Outcome.COMPLETE
    store.close()


def test_one_turn_has_one_reader() -> None:
    with Conversation(Simulator(pace=0.01)) as chat, chat.stream(STORY) as turn:
        errors: list[Exception] = []

        def read() -> None:
            try:
                turn.finish()
            except InvalidInput as error:
                errors.append(error)

        threads = [threading.Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert len(errors) >= 1
        assert "one reader" in str(errors[0])


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("send", (assistant("x"),)),
        ("edit", ("0", "x")),
        ("edit", (0.5, "x")),
        ("edit", (True, "x")),
    ],
)
def test_what_is_no_question_is_refused(call: str, arguments: tuple[Any, ...]) -> None:
    with Conversation("sim") as chat:
        with pytest.raises(InvalidInput):
            getattr(chat, call)(*arguments)
        for wrong in ("0", 0.5):
            with pytest.raises(InvalidInput):
                chat.fork(at=wrong)  # type: ignore[arg-type]
        with pytest.raises(InvalidInput):
            chat.send("x", options={"temperature": 1})  # type: ignore[arg-type]
        assert chat.messages == ()


@pytest.mark.parametrize(
    "settings",
    [{"options": {}}, {"limits": 5}, {"retry": 5}, {"rate_limit": 5}, {"name": 5}, {"messages": None}, {"messages": 5}],
)
def test_settings_of_the_wrong_type_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match=next(iter(settings))):
        Conversation("sim", **settings)
