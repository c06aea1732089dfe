"""Searching in all that was said: what requests leave out is not lost."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from agentkit import (
    AsyncConversation,
    ContextPolicy,
    Conversation,
    InvalidInput,
    Message,
    ToolCall,
    ToolResult,
    assistant,
    user,
)
from agentkit.messages import Media, Reasoning, Text
from agentkit.sim import Simulator

PAST = (
    user("Where does the ÄRMEL go?"),
    Message("assistant", (Reasoning("A sleeve, then."), ToolCall.parse("c1", "look_up", '{"what": "\\u00e4rmel"}'))),
    Message("tool", (ToolResult("c1", "left of the pocket"),)),
    Message("assistant", (Text("To the left of the pocket."), ToolCall.parse("c2", "look_up", '{"what": "collar'))),
    Message("user", (Text("And this?"), Media("image/png", data=b"pocket"))),
    assistant("A button."),
)


@pytest.mark.parametrize(
    ("words", "places"),
    [
        ("ärmel", (0, 1)),
        ("POCKET left", (2, 3)),
        ("sleeve", (1,)),
        ("look_up collar", (3,)),
        ("what", (1, 3)),
        ("pocket button", ()),
        ("nothing of the kind", ()),
    ],
)
@pytest.mark.parametrize("face", [Conversation, AsyncConversation])
def test_all_of_the_words_in_any_part(face: Any, words: str, places: tuple[int, ...]) -> None:
    assert face(Simulator(), messages=PAST).search(words) == places


def test_what_was_left_out_is_found_in_another_process_too(tmp_path: Path) -> None:
    kept: Any = {"store": f"sqlite:///{tmp_path / 'talk.db'}", "name": "talk"}
    with Conversation(Simulator(), context=ContextPolicy(max_pairs=1), **kept) as chat:
        _ = chat.send("My anchor weighs twelve pounds, say yes")
        for number in range(4):
            _ = chat.send(f"say {number}")
        assert chat.manifest is not None
        assert chat.manifest.excluded[0].start == 0
    with Conversation(Simulator(), **kept) as chat:
        assert chat.search("pounds anchor") == (0,)


@pytest.mark.parametrize("wrong", ["", "  ", 3])
def test_words_are_needed(wrong: Any) -> None:
    with Conversation(Simulator()) as chat, pytest.raises(InvalidInput, match="words"):
        _ = chat.search(wrong)
