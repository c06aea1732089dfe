"""Conversations that do anything, in any order, with any backend: each request that leaves is taken."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from history_rules import RULES, check

from agentkit import AgentKitError, BadRequest, Conversation, Options, RetryPolicy, ToolUse, tool
from agentkit.events import TextDelta, ToolCallStarted
from agentkit.sim import Simulator
from agentkit.sim.profiles import PROFILES
from agentkit.stores.memory import MemoryStore

LEARNT = {"Assistant response prefill is incompatible with enable_thinking."}
"""What is learnt of a server by trying, once in a conversation."""
TALKS, STEPS = 64, 14
QUESTIONS = (
    "My name is Ada",
    "What is my name?",
    "Write 12 words",
    "Think 5 words and write 20 words",
    "Call rain",
    "Call rain 3 times",
    "Call wind",
    "Call wind 2 times",
    "Call tide",
    "Call rain. Duplicate ids",
    "Call rain 2 times. Without ids",
    "Call rain. Cut the arguments",
    "Call rain. Misname the tool",
    "Call rain. Finish with stop",
    "Write 20 words. Stop at 6 tokens",
    'Call rain with {"city": "Paris"}. Stop at 3 tokens',
    "Write 20 words. Drop after 5 words",
    "Call rain. Drop after 1 words",
    "Fail with 500",
    "Leak harmony. Call rain",
    "Say  ",
    "\ud83d and 两个字",
)  # fmt: skip


@tool
def rain(city: str = "here") -> str:
    """Whether it rains."""
    return f"dry in {city}"


@tool(approve="ask")
def wind(city: str = "here") -> str:
    """How it blows."""
    return f"calm in {city}"


@tool
def tide() -> str:
    """Always fails."""
    raise RuntimeError("the tide is out")


class Talk:
    """One conversation, and whoever uses it."""

    def __init__(self, number: int) -> None:
        self.random = Random(number)
        self.store = MemoryStore()
        self.name = "talk"
        self.done: list[str] = []
        self.open()

    def open(self) -> None:
        """The same conversation with another backend."""
        self.profile = self.random.choice(sorted(PROFILES))
        self.simulator = Simulator(seed=1, profile=self.profile)
        tools = self.random.choice([(rain, wind, tide), (rain, wind, tide), (rain,), ()])
        self.chat = Conversation(
            self.simulator,
            store=self.store,
            name=self.name,
            system=self.random.choice(["Be kind.", "Be brief.", "", None]),
            tools=tools,
            tool_use=ToolUse(max_rounds=3),
            retry=RetryPolicy(max_attempts=2, base_delay=0),
        )

    def step(self) -> None:
        what = self.random.choice(
            ("ask", "ask", "ask", "ask", "stop", "stop", "leave", "retry", "edit", "undo", "resume", "resume", "fork",
             "switch", "switch", "decide", "decide", "short")
        )  # fmt: skip
        self.done.append(what)
        try:
            getattr(self, what)()
        except BadRequest as error:
            if "400" in str(error):
                raise
        except AgentKitError as error:
            self.done.append(type(error).__name__)
        self.look()

    def look(self) -> None:
        """Neither the simulator nor the strictest server has anything against what was sent."""
        assert set(self.simulator.problems) <= LEARNT
        for request in self.simulator.requests:
            if request.path.endswith(("/chat/completions", "/generate")):
                body: dict[str, Any] = request.json
                check(rules_of(self.profile, body), json.dumps(body).encode(), begun=is_begun(body))
        self.simulator.reset()

    def question(self) -> str:
        self.done.append(asked := self.random.choice(QUESTIONS))
        return asked

    def ask(self) -> None:
        self.chat.send(self.question())

    def short(self) -> None:
        self.chat.send(self.question(), options=Options(max_tokens=self.random.choice((1, 5, 40))))

    def stop(self) -> None:
        wanted = self.random.choice((TextDelta, ToolCallStarted))
        with self.chat.stream(self.question()) as turn:
            for event in turn:
                if isinstance(event, wanted):
                    turn.stop()

    def leave(self) -> None:
        left = self.random.randrange(6)
        with self.chat.stream(self.question()) as turn:
            for place, _ in enumerate(turn):
                if place == left:
                    break

    def retry(self) -> None:
        self.chat.retry()

    def edit(self) -> None:
        asked = [place for place, message in enumerate(self.chat.messages) if message.role == "user"]
        if asked:
            self.chat.edit(self.random.choice(asked), self.question())

    def undo(self) -> None:
        self.chat.undo()

    def resume(self) -> None:
        self.chat.resume()

    def fork(self) -> None:
        self.name = f"{self.name}'"
        self.chat.fork(at=self.random.randrange(len(self.chat.messages) + 1), name=self.name)
        self.chat.close()
        self.open()

    def switch(self) -> None:
        self.chat.close()
        self.open()

    def decide(self) -> None:
        for call in self.chat.pending:
            match self.random.randrange(4):
                case 0:
                    call.approve()
                case 1:
                    call.reject("no")
                case 2:
                    call.answer("windy")
                case _:
                    pass
        self.chat.resume()


def rules_of(profile: str, body: dict[str, Any]) -> str:
    name = PROFILES[profile].backend
    harmony = f"{name}, gpt-oss"
    return harmony if harmony in RULES and "gpt-oss" in body.get("model", "") else name


def is_begun(body: dict[str, Any]) -> bool:
    return bool(body["messages"][-1]["role"] == "assistant")


@pytest.mark.slow
@pytest.mark.no_cover
@pytest.mark.parametrize("share", range(4))
def test_whatever_is_done_with_a_conversation_its_requests_are_taken(share: int) -> None:
    for number in range(share, TALKS, 4):
        talk = Talk(number)
        try:
            for _ in range(STEPS):
                talk.step()
        except Exception as error:
            error.add_note(f"talk {number} with {talk.profile}: {talk.done}")
            raise
        talk.chat.close()
