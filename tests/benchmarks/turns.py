"""Whole turns on whole replies: one request, many in a row, long histories, and what the store adds."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from agentkit.messages import Message, assistant, user
from tests.benchmarks.clients import (
    QUESTION,
    asked,
    async_conversation,
    async_post,
    conversation,
    headers,
    post,
)
from tests.benchmarks.harness import Row, compare
from tests.benchmarks.server import TEXT, Server

TURNS = 60


def one_turn(server: Server, rounds: int) -> Iterator[Row]:
    """A question to a new conversation, in memory and in SQLite; and the same with making the conversation."""
    url = server.url("whole")
    for label, store in (("memory", None), ("SQLite", "sqlite")):
        yield _blocking(f"one turn, sync, {label}", url, store, rounds, goal="<= 1.0" if store is None else "")
        yield _on_asyncio(f"one turn, async, {label}", url, store, rounds, goal="<= 0.8" if store is None else "")
    yield _with_opening(url, rounds)


def _stores(kind: str | None, folder: str) -> Any:
    return None if kind is None else f"sqlite:///{folder}/chat.db"


def _blocking(name: str, url: str, kind: str | None, rounds: int, goal: str) -> Row:
    with tempfile.TemporaryDirectory() as folder, httpx.Client(headers=headers()) as client:
        made = conversation(url, store=_stores(kind, folder))
        body = asked()

        def ours() -> None:
            for _ in range(TURNS):
                made.fork().send(QUESTION)

        def bare() -> None:
            for _ in range(TURNS):
                post(client, url, body)

        return compare(name, ours, bare, rounds=rounds, units=TURNS, unit="turn", goal=goal)


def _on_asyncio(name: str, url: str, kind: str | None, rounds: int, goal: str) -> Row:
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        client = httpx.AsyncClient(headers=headers())
        made = async_conversation(url, store=_stores(kind, folder))
        body = asked()

        async def ours() -> None:
            for _ in range(TURNS):
                await made._fork(None, None).send(QUESTION)

        async def bare() -> None:
            for _ in range(TURNS):
                await async_post(client, url, body)

        row = compare(
            name,
            lambda: runner.run(ours()),
            lambda: runner.run(bare()),
            rounds=rounds,
            units=TURNS,
            unit="turn",
            goal=goal,
        )
        runner.run(client.aclose())
        return row


def _with_opening(url: str, rounds: int) -> Row:
    body = asked()

    def ours() -> None:
        for _ in range(TURNS):
            with conversation(url) as made:
                made.send(QUESTION)

    with httpx.Client(headers=headers()) as client:

        def bare() -> None:
            for _ in range(TURNS):
                post(client, url, body)

        return compare(
            "one turn, sync, and opening its conversation", ours, bare, rounds=rounds, units=TURNS, unit="turn"
        )


def in_a_row(server: Server, rounds: int) -> Iterator[Row]:
    """Twenty turns of one conversation, each sending all before it."""
    url = server.url("whole")
    with httpx.Client(headers=headers()) as client:

        def ours() -> None:
            with conversation(url) as made:
                for _ in range(20):
                    made.send(QUESTION)

        def bare() -> None:
            body = asked()
            for _ in range(20):
                said = post(client, url, body)
                body["messages"].append({"role": "assistant", "content": said})
                body["messages"].append({"role": "user", "content": QUESTION})

        yield compare("20 turns of one conversation, sync", ours, bare, rounds=rounds, units=20, unit="turn")


def past(count: int) -> list[Message]:
    """A history of so many messages, none equal to another."""
    make: tuple[Callable[[str], Message], ...] = (user, assistant)
    return [make[number % 2](f"{number}: {TEXT}") for number in range(count)]


def histories(server: Server, rounds: int) -> Iterator[Row]:
    """A turn after a long history, all of which is sent: nothing is trimmed yet."""
    url = server.url("whole")
    for count in (10, 100, 1_000, 5_000):
        given = past(count)
        with httpx.Client(headers=headers(), timeout=60) as client:
            made = conversation(url, messages=given)
            body = asked(history=[{"role": each.role, "content": each.text} for each in given])
            turns = 10 if count >= 1_000 else 40
            yield compare(
                f"a turn at a history of {count:,} messages, sync",
                *_growing(made, client, url, body, turns),
                rounds=rounds,
                units=turns,
                unit="turn",
            )


def _growing(
    made: Any, client: httpx.Client, url: str, body: dict[str, Any], turns: int
) -> tuple[Callable[[], None], Callable[[], None]]:
    def ours() -> None:
        for _ in range(turns):
            made.send(QUESTION)

    def bare() -> None:
        for _ in range(turns):
            said = post(client, url, body)
            body["messages"] += [{"role": "assistant", "content": said}, {"role": "user", "content": QUESTION}]

    return ours, bare


def database_bytes(folder: str) -> int:
    return sum(path.stat().st_size for path in Path(folder).iterdir())
