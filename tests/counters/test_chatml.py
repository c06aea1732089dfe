"""ChatML against the templates that the models are published with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conversations import Tool

from agentkit.codec import from_openai
from agentkit.counters import ChatMLCounter
from agentkit.counters._chatml import QWEN_3, QWEN_25
from agentkit.messages import Message, Reasoning, Text, ToolResult, assistant, system, user
from agentkit.tokens import count_prompt

DATA = Path(__file__).parent / "data"
COUNTER = ChatMLCounter()
NO_THINKING = 4
"""The empty thinking that comes before a reply where thinking is switched off; it is always counted."""
STANDING = 21
"""Qwen 2.5: the system message that stands in where there is none; it is always counted."""


@pytest.mark.parametrize(("tags", "name", "always"), [(QWEN_3, "qwen3", NO_THINKING), (QWEN_25, "qwen25", STANDING)])
def test_counts_are_never_below_those_of_the_template_and_hardly_above(tags, name, always):
    counter, excess, total = ChatMLCounter(tags), 0, 0
    for case in json.loads((DATA / f"{name}_template.json").read_text(encoding="utf-8")):
        tools = [Tool(**tool["function"]) for tool in case["tools"]]
        counted = count_prompt(counter, from_openai(case["messages"]), tools=tools)
        assert (counted.kind, counted.margin) == ("exact", 0)
        over = counted.value - max(case["objects"], case["texts"])
        assert over >= 0
        if not any("tool_calls" in message for message in case["messages"]):
            assert over <= always + 3
        excess, total = excess + over, total + counted.value
    assert excess / total < 0.03


def test_frames():
    assert COUNTER.message(user("Hi")) == 6
    assert COUNTER.base == 3 + NO_THINKING
    assert COUNTER.message(system("Hi")) >= 6
    assert COUNTER.tools(()) == 0
    assert COUNTER.message(assistant(Reasoning("cut"))) == 0


def test_thinking_counts_while_the_turn_runs():
    said = assistant(Reasoning("Let me see."), "Yes.")
    assert COUNTER.message(said, live=True) > COUNTER.message(said) + COUNTER.text("Let me see.")
    assert ChatMLCounter(QWEN_25).message(said, live=True) == ChatMLCounter(QWEN_25).message(said)


def test_results_in_a_message_of_the_user_have_a_frame_of_their_own():
    both = Message("user", (ToolResult("1", "sunny"), Text("And now?")))
    assert COUNTER.message(both) == COUNTER.message(Message("tool", both.parts[:1])) + COUNTER.message(user("And now?"))
    assert COUNTER.message(Message("user", both.parts[:1])) == COUNTER.message(Message("tool", both.parts[:1]))
