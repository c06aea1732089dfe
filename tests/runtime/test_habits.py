"""Models that go on badly with a cut reply, end to end: one whole reply comes of it, or a readable reason why not.

The simulator is told a habit in plain words, and cuts the reply twice. `LEFT` holds what cannot be joined, with the
reason, as docs/continuation.md does.
"""

from __future__ import annotations

import json
from functools import cache
from itertools import product
from typing import Any

import pytest
from scenarios import Opener, collect, play

from agentkit import (
    ConnectError,
    Continuation,
    Conversation,
    Options,
    Outcome,
    Reply,
    RetryPolicy,
    TextDelta,
    TurnFinished,
)
from agentkit.sim import SimServer, Simulator
from agentkit.sim.continuing import WORDS
from agentkit.sim.habits import HABITS, SPOILT
from agentkit.sim.profiles import PROFILES
from agentkit.testing import Cut, ScriptedProvider

CUTS = ("cut@40", "cut@91")
DAYS = [{"day": day, "wind": f"force {day % 7}", "seen": f"{day * 37 % 101} seals"} for day in range(1, 40)]
STEPS = [f"def step_{n}(value: int) -> int:\n    return value * {n * 7 % 13} + {n * n}" for n in range(1, 20)]
HEADS = ("Leuchtturm", "Seezeichen", "Fischerei", "Sturmflut", "Brandungs", "Quarantäne")
TAILS = ("behörden", "wärterhaus", "aufseher", "geschichte", "verzeichnis")
LONG = [head + tail for tail in TAILS for head in HEADS]
TABLE = "\n".join(("| day | seen |", "| --- | --- |", *(f"| {day} | {day * 37 % 101} seals |" for day in range(1, 40))))
TEXTS = {
    "prose": "write 160 words",
    "count": "count to 160",
    "json": f"say {json.dumps({'logbook': DAYS})}",
    "code": "say Here is the program:\n\n```python\n" + "\n\n\n".join(STEPS) + "\n```\n\nIt runs.",
    "long": "say " + " ".join(f"{word} {number}," for number, word in enumerate(LONG)),
}
PLAIN = ("prose", "count")
SHOWN_IN = {
    "repeat": (*PLAIN, "code"),
    "remark_alone": (*PLAIN, "json"),
    "fence_again": ("code",),
    "fence_closed": ("code",),
    "fenced": ("json",),
    "json_restart": ("json",),
    "word_again": ("long",),
    "trimmed": (*PLAIN, "json"),
    "silence": (*PLAIN, "json", "code"),
}
"""The texts in which a habit shows, where these are not just the plain ones."""

ASKED = "auto, asked"
WAYS = ("native", "echo", "overlap", "auto", ASKED)
"""The last one is `auto` with a server that cannot be given the beginning of its reply."""
TAKEN = "what a server gives natively is taken as it comes, but for a restart"
REMARK = "a remark after which nothing is repeated may be the author's own words, but in code and JSON"
SPACE = "the blank that was lost cannot be known where neither of its words was there before"
_TOLD = ("exact", "restart", "json_restart")
LEFT = {
    **{(habit, way): TAKEN for way in ("native", "auto") for habit in HABITS if habit not in _TOLD},
    **{("remark_alone", way): REMARK for way in ("echo", "overlap", ASKED)},
    ("trimmed", "overlap"): SPACE,
}
"""What does not come to the uncut reply, and why."""
AT_TIMES = ("remark_alone",)
"""A remark that answers somebody is seen within a sentence."""
ALL_THE_SAME = {("echo", TAKEN), ("echo_changed", TAKEN), ("json", REMARK)}
"""What does: nobody asks for an echo natively, and there are no remarks in JSON."""


@cache
def uncut(order: str) -> str:
    return Conversation(Simulator(5)).send(order).text


async def heard(turn: Any) -> tuple[Reply, str]:
    """The reply, and all that was shown of it."""
    events = await collect(turn)
    assert isinstance(events[-1], TurnFinished)
    return events[-1].reply, "".join(event.text for event in events if isinstance(event, TextDelta))


async def continued(open_chat: Opener, order: str, way: str, **settings: Any) -> tuple[Reply, str]:
    """The reply to an order that is cut twice, and all that was shown of it."""
    simulator = Simulator(5, profile="lmstudio" if way == ASKED else "openai")
    simulator.script(CUTS)
    strategy: Any = "auto" if way == ASKED else way
    async with open_chat(simulator, continuation=Continuation(strategy=strategy), **settings) as chat:
        reply, shown = await heard(chat.stream(order))
        assert simulator.clean()
        assert reply.text == chat.messages[-1].text
        return reply, shown


def is_left(habit: str, way: str, text: str) -> bool:
    reason = LEFT.get((habit, way))
    return reason is not None and not {(habit, reason), (text, reason)} & ALL_THE_SAME


def same(one: str, other: str, habit: str) -> bool:
    """A JSON document that is told anew is the same as a value."""
    if habit != "json_restart":
        return one == other
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


@pytest.mark.parametrize("habit", [habit for habit in HABITS if habit not in (*SPOILT, "header_again")])
def test_a_reply_that_is_gone_on_with_badly_becomes_whole(runtime: str, habit: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        for text, way in product(SHOWN_IN.get(habit, PLAIN), WAYS):
            order = f"continue {WORDS[habit]}. {TEXTS[text]}"
            whole = uncut(order)
            reply, shown = await continued(open_chat, order, way)
            assert shown == reply.text, (way, text)
            mended, left = same(reply.text, whole, habit), is_left(habit, way, text)
            assert mended != left or (mended and habit in AT_TIMES), (way, text, reply.text)
            if not mended:
                assert whole.startswith(reply.text[: reply.segments[0].end])
                assert reply.reason or reply.text.rstrip("`\n").endswith(whole[-30:]), "nothing is lost"
            else:
                assert (reply.outcome, reply.reason) == (Outcome.COMPLETE, None)

    play(runtime, scenario)


@pytest.mark.parametrize("way", WAYS)
def test_what_was_told_otherwise_is_not_shown(runtime: str, way: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        order = f"continue {WORDS['paraphrase']}. {TEXTS['prose']}"
        reply, shown = await continued(open_chat, order, way)
        assert shown == reply.text == uncut(order)[: len(shown)]
        assert reply.outcome is Outcome.TRUNCATED
        assert "no way of continuing works" in str(reply.reason)
        assert len(shown.split()) == 40

    play(runtime, scenario)


@pytest.mark.parametrize("way", WAYS)
def test_a_loop_is_left(runtime: str, way: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        order = f"continue {WORDS['loop']}. {TEXTS['prose']}"
        reply, shown = await continued(open_chat, order, way, options=Options(max_tokens=500))
        assert shown == reply.text
        assert uncut(order).startswith(shown[: reply.segments[0].end])
        assert reply.outcome is Outcome.TRUNCATED
        assert "it repeats itself" in str(reply.reason)
        assert len(reply.segments) <= 3

    play(runtime, scenario)


@pytest.mark.parametrize("text", SHOWN_IN["silence"])
def test_silence_is_not_asked_again_and_again(runtime: str, text: str) -> None:
    """In prose that a server ends in order, nothing tells silence from a reply that had come to its end."""

    async def scenario(open_chat: Opener) -> None:
        for way in WAYS:
            order = f"continue {WORDS['silence']}. {TEXTS[text]}"
            reply, shown = await continued(open_chat, order, way)
            assert shown == reply.text
            assert uncut(order).startswith(shown.rstrip("\n"))
            assert len(reply.segments) == 2
            if text in PLAIN:
                assert (reply.outcome, reply.reason) == (Outcome.COMPLETE, None)
            else:
                assert reply.outcome is Outcome.TRUNCATED
                assert "the attempt added nothing" in str(reply.reason)

    play(runtime, scenario)


def test_a_header_is_not_told_twice(runtime: str) -> None:
    """The simulator cuts before a line break; a header comes again after one, so another backend begins here."""
    order = f"continue {WORDS['header_again']}. say {TABLE}"
    rows = TABLE[: TABLE.index("| 20 ")]

    async def scenario(open_chat: Opener) -> None:
        for way in ("echo", "overlap"):
            strategy: Any = way
            models = [ScriptedProvider([Cut(rows), ConnectError("the first one is gone")]), Simulator(5)]
            settings: dict[str, Any] = {
                "continuation": Continuation(strategy=strategy),
                "retry": RetryPolicy(max_attempts=1),
            }
            async with open_chat(models, **settings) as chat:
                reply, shown = await heard(chat.stream(order))
                assert shown == reply.text == TABLE
                assert [segment.strategy for segment in reply.segments][-1] == way

    play(runtime, scenario)


@pytest.mark.parametrize("profile", sorted(PROFILES))
def test_every_wire_plays_the_habits(profile: str) -> None:
    """Gradient Chat never says that a reply was cut: there the connection breaks."""
    cuts = ("drop@40",) if profile == "gradient" else CUTS
    continuation = Continuation(strategy="echo", on_disconnect="continue")
    models = () if profile == "pixigpt" else ("some-model",)
    options = Options(reasoning_effort="none" if profile == "pixigpt" else None)
    for habit in ("remark", "restart", "repeat"):
        order = f"continue {WORDS[habit]}. {TEXTS['prose']}"
        simulator = Simulator(5, profile=profile, models=models)
        with Conversation(simulator, options=options) as chat:
            whole = chat.send(order).text
        simulator.script(cuts)
        with Conversation(simulator, options=options, continuation=continuation) as chat:
            assert chat.send(order).text == whole
        assert simulator.clean()


def test_over_loopback(runtime: str) -> None:
    async def scenario(open_chat: Opener) -> None:
        order = f"continue {WORDS['remark']}. {TEXTS['prose']}"
        with SimServer(Simulator(5)) as server:
            server.simulator.script(CUTS)
            async with open_chat("openai/sim", base_url=server.describe()["openai"]) as chat:
                reply, shown = await heard(chat.stream(order))
                assert shown == reply.text == uncut(order)
                assert [segment.strategy for segment in reply.segments] == ["first", "echo", "echo"]

    play(runtime, scenario)
