"""Finding what was said, by `agentkit show --find` and by `/find` in a chat."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from agentkit import Reasoning, Text, assistant, user
from agentkit.cli.find import excerpt
from agentkit.messages import Message

Run = Callable[..., Any]


def test_a_stored_conversation_is_searched(call: Run) -> None:
    call("-m", "sim", "-n", "trip", "say The gull sat on the rock")
    call("-m", "sim", "-n", "trip", "say Nothing here")
    done = call("show", "trip", "--find", "ROCK gull")
    assert (done.code, done.err) == (0, "")
    assert done.out == "0  user: say The gull sat on the rock\n1  assistant: The gull sat on the rock\n"
    assert call("show", "--find=nothing").out.splitlines()[-1] == "3  assistant: Nothing here"


def test_what_was_not_said_is_told(call: Run) -> None:
    call("-m", "sim", "-n", "trip", "say hi")
    done = call("show", "trip", "--find", "submarine")
    assert (done.code, done.out) == (1, "")
    assert done.err == "  no message of trip holds all of these words\n"


@pytest.mark.parametrize("words", [("--find", " "), ("--find", ""), ("--find", "hi", "--json"), ("--find",)])
def test_what_cannot_be_searched_is_refused(call: Run, words: tuple[str, ...]) -> None:
    call("-m", "sim", "-n", "trip", "say hi")
    done = call("show", "trip", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") >= 1


def test_in_a_chat(typed: Run, call: Run) -> None:
    done = typed(["chat", "trip", "-m", "sim"], "say the gull", "/find GULL", "/find submarine", "/find", "/quit")
    assert "0  user: say the gull\n1  assistant: the gull\n" in done.out
    assert "  no message holds all of these words\n" in done.err
    assert "/find WORDS says where they were said" in done.err
    piped = call("chat", "trip", "-m", "sim", given="/find submarine\n/find rock gull\n/find gull\n")
    assert (piped.code, piped.out) == (0, "0  user: say the gull\n1  assistant: the gull\n")


def test_no_control_character_is_shown(call: Run, typed: Run) -> None:
    call("-m", "sim", "-n", "trip", "say \x1b[2Jgull\x07\n\n  rock")
    for done in (call("show", "trip", "--find", "gull"), typed(["chat", "trip", "-m", "sim"], "/find gull", "/quit")):
        assert "\x1b" not in done.out
        assert "\x07" not in done.out
        assert "0  user: say ^[[2Jgull^G rock\n" in done.out


@pytest.mark.parametrize(
    ("message", "words", "shown"),
    [
        (user("a short one"), "one", "a short one"),
        (user("x" * 300 + " the gull " + "y" * 300), "gull", "...xxxxx the gull yyyyyyyyy..."),
        (user("gull " + "z" * 200 + " rock, " + "z" * 90), "rock gull", "...zzzzzzzzz rock, zzzzzzzz..."),
        (user("gull and rock " + "z" * 200), "rock gull", "gull and rock zzzzzzzzzzzzz..."),
        (user("die Straße"), "strasse", "die Straße"),
        (assistant(Text("no"), Reasoning("the gull, perhaps")), "perhaps", "no the gull, perhaps"),
    ],
)
def test_an_excerpt_is_around_the_words(message: Message, words: str, shown: str) -> None:
    assert excerpt(message, words, 30) == shown
