"""Any run of replies, good and bad, in each way: what must hold whatever a model does when it is asked for a value."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from asked_bench import CAN, DAY, PLAN, Able, Plan, discarded, given
from hypothesis import HealthCheck, settings
from hypothesis import given as given_any
from hypothesis import strategies as st

from agentkit import (
    AgentKitError,
    Conversation,
    Correcting,
    IncompleteReply,
    InvalidReply,
    Message,
    Outcome,
    PartialValue,
    RetryPolicy,
    ServerError,
    ToolCall,
    ToolResult,
    assistant,
)
from agentkit.messages import Text
from agentkit.stores.memory import MemoryStore
from agentkit.testing._scripted import Cut

WHOLE = json.dumps(DAY)


def tide(place: str) -> str:
    """When it is high."""
    return f"noon at {place}"


def reply(kind: str, place: int) -> Any:
    """One answer of the backend; those that cannot be shared between tests are made anew."""
    tool = ToolCall(f"t{place}", "tide", {"place": "Oslo"})
    made: dict[str, Any] = {
        "prose": "I would rather not.",
        "types": '{"title": 7, "steps": []}',
        "empty": "",
        "good": WHOLE,
        "fenced": f"Here:\n```json\n{WHOLE}\n```",
        "cut": Cut(WHOLE[:25]),
        "rest": WHOLE[25:],
        "tool": assistant(tool),
        "said and called": assistant(Text("Let me see."), tool),
        "strange tool": assistant(ToolCall(f"s{place}", "nothing")),
        "bad tool": assistant(ToolCall(f"b{place}", "tide", {"where": 1})),
        "answer": assistant(given(DAY, place=place)),
        "bad answer": assistant(given({"title": 7}, place=place)),
        "tool and answer": assistant(tool, given(DAY, place=place)),
        "two answers": assistant(given({}, place=place), given(DAY, place=place + 100)),
        "error": ServerError("down", status=500),
    }
    return made[kind]


CALLS = [
    "tool",
    "said and called",
    "strange tool",
    "bad tool",
    "answer",
    "bad answer",
    "tool and answer",
    "two answers",
]
KINDS = ["prose", "types", "empty", "good", "fenced", "cut", "rest", "error", *CALLS]


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given_any(
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, max_size=7),
    way=st.sampled_from(sorted(CAN)),
    has_tools=st.booleans(),
    attempts=st.integers(1, 4),
)
def test_whatever_a_model_does(kinds: list[str], way: str, has_tools: bool, attempts: int) -> None:
    answers = [reply(kind, place) for place, kind in enumerate(kinds)]
    provider, store = Able([*answers, *["then"] * 12], way), MemoryStore()
    tools = [tide] if has_tools else []
    with Conversation(provider, store=store, name="c", tools=tools, retry=RetryPolicy(max_attempts=1)) as chat:
        turn = chat.stream_ask("Plan", into=Plan, attempts=attempts, turn_id="t")
        events, error = heard(turn)
        asked = len(provider.requests)
        corrections = [event.attempt for event in events if isinstance(event, Correcting)]
        assert corrections == list(range(1, len(corrections) + 1))
        assert len(corrections) < attempts
        if error is None:
            assert turn.reply.outcome is Outcome.COMPLETE
            assert turn.value == PLAN
            shown = [event.value for event in events if isinstance(event, PartialValue)]
            assert shown == [] or shown[-1] == DAY or "two answers" in kinds, "of several, the first one shows"
            assert chat.ask("Plan", into=Plan, turn_id="t") == PLAN
            assert len(provider.requests) == asked
        else:
            assert isinstance(error, InvalidReply | IncompleteReply | ServerError)
            assert error.reply is not None
        failed = sum(isinstance(answer, AgentKitError) for answer in answers[:asked])
        assert asked - failed <= turn.reply.usage.requests <= asked
        kept = [each.message.text for each in discarded(store, "c")]
        assert all(message.text not in kept or not message.text for message in chat.messages)
        for request in provider.requests:
            check(request.messages)
        check(chat.messages)
        before = chat.messages
    with Conversation(Able(["fine"], way), store=store, name="c") as again:
        assert again.messages == before
        assert again.send("And now?").text == "fine"


def heard(turn: Any) -> tuple[list[Any], AgentKitError | None]:
    """The events, and the error of the turn or of its value."""
    events: list[Any] = []
    try:
        events.extend(turn)
        _ = turn.value
    except AgentKitError as error:
        return events, error
    return events, None


def check(messages: Iterable[Message]) -> None:
    """Each call has exactly one result before anything else is said."""
    waiting: set[str] = set()
    for message in messages:
        if message.role == "tool":
            for part in message.parts:
                assert isinstance(part, ToolResult)
                waiting.remove(part.call_id)
            continue
        assert not waiting
        waiting.update(call.id for call in message.tool_calls)
    assert not waiting
