"""The misbehaviours that clients are known to fall over, over three runtimes, on the wire of Chat Completions.

A loopback server checks each request as strict ones do: each call is answered before the next message that is no
result, no result lacks its call, and the arguments of each call are JSON. A violation is answered 400.

Elsewhere: what a killed process leaves (K1) is in tests/crash/test_kill.py, the share of the prompt that stays (P) over
500 turns in tests/runtime/test_context.py.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise, takewhile
from typing import Any

import pytest
from raw_server import Peer, RawServer, plain
from scenarios import Opener, collect, play

from agentkit import (
    ConnectionLost,
    ContextPolicy,
    Continuation,
    ConversationBusy,
    IncompleteReply,
    Message,
    Options,
    Outcome,
    TextDelta,
    ToolCall,
    ToolResult,
    TurnFinished,
    assistant,
    user,
)
from agentkit.providers.openai_chat import OPENAI, OpenAIChat

FOX = "The quick brown fox jumps over the lazy dog. "
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
TOOLS = Options(max_tokens=40, extra={"tools": [TOOL]})
USAGE = {"prompt_tokens": 20, "completion_tokens": 10, "total_tokens": 30}

Answer = Callable[[Peer, dict[str, Any], int], object]


def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
    body: dict[str, Any] = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "usage": USAGE}
    body["choices"] = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def whole(*deltas: dict[str, Any], finish: str = "stop") -> bytes:
    events = b"".join([*map(event, deltas), event({}, finish), b"data: [DONE]\n\n"])
    return plain(events, b"content-type: text/event-stream")


def says(text: str, finish: str = "stop") -> bytes:
    return whole({"content": text}, finish=finish)


def calls(arguments: str, finish: str) -> bytes:
    function = {"name": "weather", "arguments": arguments}
    return whole(
        {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}, finish=finish
    )


def violation(messages: list[dict[str, Any]]) -> str | None:
    """What a strict server does not take."""
    waiting: set[str] = set()
    for message in messages:
        if message["role"] == "tool":
            if message["tool_call_id"] not in waiting:
                return "orphan tool message"
            waiting.discard(message["tool_call_id"])
            continue
        if waiting:
            return "tool calls without results"
        for call in message.get("tool_calls") or ():
            waiting.add(call["id"])
            json.loads(call["function"]["arguments"])
    return "tool calls without results" if waiting else None


class Backend:
    """A server that answers the n-th good request as its scenario says."""

    def __init__(self, answer: Answer) -> None:
        self.requests: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self._answer = answer
        self._lock = threading.Lock()
        self.server = RawServer(self._serve)

    def _serve(self, peer: Peer) -> None:
        while (raw := peer.request()) is not None:
            given = json.loads(raw.partition(b"\r\n\r\n")[2])
            try:
                wrong = violation(given["messages"])
            except ValueError:
                wrong = "arguments are no JSON"
            with self._lock:
                self.requests.append(given)
                number = len(self.requests)
            if wrong is not None:
                self.refused.append(wrong)
                peer.send(plain(json.dumps({"error": {"message": wrong}}).encode(), status=b"400 Bad Request"))
            elif self._answer(peer, given, number) is False:
                return

    def model(self) -> OpenAIChat:
        return OpenAIChat(base_url=self.server.url.removesuffix("/chat"), model="m", api_key="k", dialect=OPENAI)


@pytest.fixture
def backend() -> Iterator[Callable[[Answer], Backend]]:
    made: list[Backend] = []

    def make(answer: Answer) -> Backend:
        made.append(Backend(answer))
        return made[-1]

    yield make
    for each in made:
        each.server.close()
        assert each.refused == []


def in_turn(*answers: bytes) -> Answer:
    return lambda peer, given, number: peer.send(answers[min(number, len(answers)) - 1])


def said(events: list[Any]) -> str:
    return "".join(each.text for each in events if isinstance(each, TextDelta))


Make = Callable[[Answer], Backend]


@pytest.mark.parametrize("strategy", ["auto", "echo", "overlap"])
def test_t1_a_text_that_is_cut_in_mid_word(runtime: str, backend: Make, strategy: Any) -> None:
    there = backend(in_turn(says(f"{FOX}Par", "length"), says("the lazy dog. Paris is a city in France.")))

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(there.model(), continuation=Continuation(strategy=strategy)) as chat:
            events: Any = await collect(chat.stream("tell me"))
            reply = events[-1].reply
            assert said(events) == reply.text == chat.messages[-1].text == f"{FOX}Paris is a city in France."
            assert reply.outcome is Outcome.COMPLETE
            assert len(reply.segments) == reply.usage.requests == 2
            assert reply.usage.output_tokens == 20

    play(runtime, scenario)


@pytest.mark.parametrize("cap", [None, 40])
def test_t2_nothing_but_thinking(runtime: str, backend: Make, cap: int | None) -> None:
    there = backend(in_turn(whole({"reasoning_content": "so many thoughts " * 9}, finish="length"), says("Forty-two.")))

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(there.model(), options=Options(max_tokens=cap)) as chat:
            reply = await chat.send("why?")
            assert (reply.text, reply.outcome) == ("Forty-two.", Outcome.COMPLETE)
        first, second = there.requests
        assert second["reasoning_effort"] == "low"
        assert cap is None or second["max_tokens"] > first["max_tokens"]

    play(runtime, scenario)


def test_t2_nothing_but_thinking_for_ever(runtime: str, backend: Make) -> None:
    there = backend(in_turn(whole({"reasoning_content": "so many thoughts"}, finish="length")))

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(there.model()) as chat:
            with pytest.raises(IncompleteReply, match="came to no answer") as caught:
                await chat.send("why?")
            assert caught.value.reply is not None
            assert "so many thoughts" in caught.value.reply.reasoning
            assert len(there.requests) == 2

    play(runtime, scenario)


@pytest.mark.parametrize("finish", ["length", "tool_calls"])
def test_t3_t4_the_arguments_of_a_call_are_cut(runtime: str, backend: Make, finish: str) -> None:
    cut = calls('{"city": "Par', finish)
    there = backend(in_turn(cut, cut, calls('{"city": "Paris"}', "tool_calls"), says("Sunny.")))

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(there.model(), options=TOOLS) as chat:
            reply = await chat.send("the weather?")
            (call,) = reply.message.tool_calls
            assert call.arguments == {"city": "Paris"}
            assert (await chat.send("and now?")).text == "Sunny."
        assert all('{"city": "Par"' not in json.dumps(request) for request in there.requests)

    play(runtime, scenario)


@pytest.mark.parametrize("finish", ["length", "tool_calls"])
def test_t3_t4_the_arguments_are_cut_for_ever(runtime: str, backend: Make, finish: str) -> None:
    def answer(peer: Peer, given: dict[str, Any], number: int) -> object:
        asked = given["messages"][-1]["content"]
        return peer.send(says("Well.") if asked == "go on" else calls('{"city": "Par', finish))

    there = backend(answer)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(there.model(), options=TOOLS) as chat:
            with pytest.raises(IncompleteReply, match="call"):
                await chat.send("the weather?")
            assert not any(message.tool_calls for message in chat.messages)
            assert (await chat.send("go on")).text == "Well."

    play(runtime, scenario)


def slowly(words: int, pause: float, *, breaks: int | None = None) -> Answer:
    """So many words, one after the other; the connection breaks after some of them. Another question is answered."""

    def answer(peer: Peer, given: dict[str, Any], number: int) -> object:
        if number > 1:
            return peer.send(says("Next."))
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n"
        events = [event({"content": f"word{place} "}) for place in range(words if breaks is None else breaks)]
        if not peer.send(head, *events, pause=pause):
            return False
        if breaks is None:
            peer.send(event({}, "stop"), b"data: [DONE]\n\n")
        else:
            peer.reset()
        return False

    return answer


def test_i1_the_user_stops(runtime: str, backend: Make, store: str) -> None:
    there = backend(slowly(60, 0.05))

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(there.model(), store=store, name="talk") as chat:
            turn: Any = chat.stream("tell me")
            shown, last = "", None
            async with turn:
                async for each in turn:
                    shown += each.text if isinstance(each, TextDelta) else ""
                    if len(shown.split()) == 12:
                        turn.stop()
                    last = each
            assert isinstance(last, TurnFinished)
            assert last.reply.outcome is Outcome.INTERRUPTED
            assert last.reply.text == shown == chat.messages[-1].text
            assert chat.messages[-1].interrupted
            assert (await chat.send("and?")).text == "Next."
            assert [message.role for message in chat.messages] == ["user", "assistant"] * 2

    play(runtime, scenario)


def test_i2_the_connection_breaks(runtime: str, backend: Make, store: str) -> None:
    there = backend(slowly(60, 0.01, breaks=10))

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(there.model(), store=store, name="talk") as chat:
            shown = ""
            with pytest.raises(ConnectionLost) as caught:
                async for each in chat.stream("tell me"):
                    shown += each.text if isinstance(each, TextDelta) else ""
            assert caught.value.reply is not None
            assert caught.value.reply.text == shown == chat.messages[-1].text
            assert chat.messages[-1].interrupted
            assert (await chat.send("and?")).text == "Next."
            assert there.requests[-1]["messages"][1]["content"].strip() == shown.strip()

    play(runtime, scenario)


def test_i2_the_connection_breaks_and_the_reply_goes_on(runtime: str, backend: Make) -> None:
    there = backend(slowly(60, 0.01, breaks=10))

    async def scenario(open_chat: Opener) -> None:
        settings = Continuation(on_disconnect="continue")
        async with open_chat(there.model(), continuation=settings) as chat:
            reply = await chat.send("tell me")
            assert reply.text.startswith("word0 word1 ")
            assert reply.text.endswith("Next.")
            assert reply.outcome is Outcome.COMPLETE

    play(runtime, scenario)


@pytest.mark.parametrize("on_busy", ["queue", "reject"])
def test_c1_four_turns_at_once(runtime: str, backend: Make, on_busy: Any) -> None:
    def answer(peer: Peer, given: dict[str, Any], number: int) -> object:
        there.server.over.wait(0.3)
        return peer.send(says(f"To {given['messages'][-1]['content']}."))

    there = backend(answer)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(there.model(), on_busy=on_busy) as chat:
            results = await open_chat.together(*(lambda n=n: chat.send(f"question {n}") for n in range(4)))
            roles = [message.role for message in chat.messages]
            if on_busy == "queue":
                assert sorted(reply.text for reply in results) == [f"To question {n}." for n in range(4)]
                assert roles == ["user", "assistant"] * 4
                assert [len(request["messages"]) for request in there.requests] == [1, 3, 5, 7]
            else:
                assert sum(isinstance(result, ConversationBusy) for result in results) == 3
                assert roles == ["user", "assistant"]
                assert len(there.requests) == 1

    play(runtime, scenario)


ASKED = Message("assistant", (ToolCall("a", "weather", {}), ToolCall("b", "weather", {})))
ANSWER = Message("tool", (ToolResult("a", "sunny"),))
BROKEN = {
    "H1": (user("hello"), ASKED, ANSWER, assistant("It is sunny.")),
    "H2": (user("hello"), ASKED, ANSWER),
    "H3": (ANSWER, user("hello"), assistant("Hello.")),
}


@pytest.mark.parametrize("case", sorted(BROKEN))
def test_h1_h2_h3_a_broken_history(runtime: str, backend: Make, case: str) -> None:
    there = backend(in_turn(says("Here I am."), says("Still here.")))

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(there.model(), messages=BROKEN[case]) as chat:
            assert (await chat.send("are you there?")).text == "Here I am."
            assert (await chat.send("still?")).text == "Still here."
            assert chat.messages[: len(BROKEN[case])] == BROKEN[case]
        first, second = (request["messages"] for request in there.requests)
        assert second[: len(first)] == first

    play(runtime, scenario)


def test_p_a_short_window_keeps_its_beginning(runtime: str, backend: Make) -> None:
    there = backend(lambda peer, given, number: peer.send(says(f"This is answer number {number}.")))

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(there.model(), system="Be brief.", context=ContextPolicy(max_history=12)) as chat:
            for number in range(24):
                await chat.send(f"This is question number {number}.")

    play(runtime, scenario)
    sent = [[(m["role"], m["content"]) for m in request["messages"]] for request in there.requests]
    assert all(len(messages) <= 13 for messages in sent)
    same = [len(list(takewhile(lambda pair: pair[0] == pair[1], zip(*both, strict=False)))) for both in pairwise(sent)]
    shares = [count / len(messages) for count, messages in zip(same, sent[1:], strict=True)]
    assert sum(count == len(before) for count, before in zip(same, sent, strict=False)) >= 17
    assert sum(shares) / len(shares) >= 0.6, "no trimming to so few messages can leave much more"
