"""How a server is asked to count, by hand: what is sent, what is made of the numbers, and when it is enough."""

from __future__ import annotations

from typing import Any

import pytest
from stepping import SSE, Stage, delta, finish, task

from agentkit._engine.journal import Journal
from agentkit._engine.line import Learnt
from agentkit._engine.turn import turn
from agentkit.context import ContextPolicy
from agentkit.effects import Now, Open
from agentkit.errors import ConnectionLost
from agentkit.messages import assistant, user
from agentkit.options import Timeouts
from agentkit.provider import ResponseHead
from agentkit.providers.local import VLLM
from agentkit.providers.openai_chat import OpenAIChat
from tests.plan.counting import Words

SERVER = OpenAIChat(base_url="http://127.0.0.1:1/v1", dialect=VLLM, name="vllm")
PAST = (user("one " * 50), assistant("two " * 40))
ASK = "three " * 60
"""Together 164 tokens by our count, the last message 64 of them; the truth may be twice as much."""
REPLY = [SSE, delta("yes") + finish(), b""]


def counted(tokens: int) -> list[Any]:
    return [ResponseHead(200, {}), f'{{"count": {tokens}}}'.encode(), b""]


def run(room: int, *network: list[Any], learnt: Learnt | None = None, now: float = 0.0, **line: Any) -> Stage:
    stage = Stage([item for answer in network for item in answer])
    stage.now = now
    words = Words(kind="proxy", margin=1.0)
    line = {"provider": SERVER, "learnt": learnt or Learnt(), "counters": lambda backend, model: words, **line}
    policy = ContextPolicy(window=room + 10, reserve=10, keep=1.0)
    stage.run(turn(task(ASK, imports=PAST, context=policy, line=line), Journal()))
    assert stage.network in ([], [b""])
    return stage


def opened(stage: Stage) -> list[str]:
    return [effect.request.url.rpartition("/")[2] for effect in stage.effects if isinstance(effect, Open)]


def sent(stage: Stage) -> bytes:
    return [effect for effect in stage.effects if isinstance(effect, Open)][-1].request.body


def test_one_number_that_fits_is_enough() -> None:
    stage = run(170, counted(168), REPLY)
    assert opened(stage) == ["tokenize", "completions"]
    assert b"one one" in sent(stage)


def test_what_is_left_is_asked_about_once_more_and_then_it_is_enough() -> None:
    stage = run(170, counted(240), counted(90), REPLY)
    assert opened(stage) == ["tokenize", "tokenize", "completions"]
    assert b"one one" not in sent(stage)
    assert ASK.strip().encode() in sent(stage)


@pytest.mark.parametrize("answer", [[ResponseHead(404, {}), b"{}", b""], [ConnectionLost("gone")]])
def test_a_failure_is_not_repeated_for_a_while(answer: list[Any]) -> None:
    learnt = Learnt()
    for now, asked in ((10.0, True), (11.0, False), (309.0, False), (311.0, True)):
        stage = run(170, answer if asked else [], REPLY, learnt=learnt, now=now)
        assert opened(stage) == ["tokenize"] * asked + ["completions"]
        assert any(isinstance(effect, Now) for effect in stage.effects)


def test_a_count_is_not_waited_for_as_long_as_a_reply() -> None:
    for given, patience in ((None, 10.0), (300.0, 10.0), (2.0, 2.0)):
        stage = run(170, counted(168), REPLY, timeouts=Timeouts(first_byte=given))
        first = next(effect for effect in stage.effects if isinstance(effect, Open))
        assert first.timeouts.first_byte == first.timeouts.total == patience


def test_a_provider_that_cannot_ask_is_left_alone() -> None:
    class Mute:
        """It says that the server counts, and has no call for it."""

        def __getattr__(self, name: str) -> Any:
            if name == "count":
                raise AttributeError(name)
            return getattr(SERVER, name)

    assert opened(run(170, REPLY, provider=Mute())) == ["completions"]
