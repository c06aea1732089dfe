"""`agentkit why` and `/tokens`: the account of a request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Call = Callable[..., Any]


def test_what_a_request_would_hold(call: Call) -> None:
    call("-m", "sim", "-n", "trip", "say hello")
    told = call("why", "trip", "-m", "ollama/gpt-oss:20b")
    assert told.code == 0
    drawn, key, *lines = told.out.splitlines()
    assert (drawn[0], drawn[-1], len(drawn)) == ("[", "]", 62)
    assert all(name in key for name in ("user", "assistant", "free", "reserve"))
    assert lines[0].startswith("gpt-oss:20b: ")
    assert "of 4,096 tokens (exact" in lines[0]
    assert call("why", "-m", "ollama/gpt-oss:20b").out == told.out


def test_what_the_last_request_held(call: Call) -> None:
    talk = call("chat", "-m", "sim", given="/tokens\nsay hello\n/tokens\n")
    assert talk.out.startswith("nothing was said yet\nhello\n[")
    assert "the backend counted" in talk.out


def test_a_conversation_that_is_not_there(call: Call) -> None:
    told = call("why", "nobody", "-m", "sim")
    assert told.code == 2
    assert "there is no conversation 'nobody'" in told.err
