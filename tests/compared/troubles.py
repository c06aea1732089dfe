"""What goes wrong besides: cut calls, thinking without an answer, broken connections, errors on the way."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from attrs import evolve
from seam_texts import english

from agentkit.continuation import Continuation
from agentkit.options import RetryPolicy
from agentkit.sim.plan import Fault, FaultKind
from agentkit.sim.talk import Call
from tests.compared.arms import Came, agentkit, lexilux
from tests.compared.player import Player, Scene

EACH = 20
SMALL = 12
QUICK = RetryPolicy(base_delay=0.01)


def tables(player: Player, theirs: Callable[..., Came], asked: Callable[..., Came], old: str) -> None:
    """`old`: the address of a server that ends a cut call with the finish reason `tool_calls`."""
    texts = [english(random.Random(f"troubles {number}")) for number in range(EACH)]
    _calls(player, theirs, asked, texts, old)
    _thoughts(player, theirs, asked, texts)
    _errors(player, theirs, asked, texts)


def _calls(player: Player, theirs: Callable[..., Came], asked: Callable[..., Came], texts: list[str], old: str) -> None:
    print(f"\n{EACH} tool calls that {SMALL} tokens cut, each whole and streamed")
    print("\n| | whole calls | calls with cut arguments in hand | tools run with them | told | requests | refused |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    ends = "finish reason `tool_calls`"
    arms: tuple[tuple[str, Callable[..., Came], bool], ...] = (
        *_three(theirs, asked),
        (f"lexilux, {ends}", partial(lexilux, old), True),
        (f"agentkit, {ends}", partial(agentkit, old, "vllm"), False),
    )
    for name, arm, lenient in arms:
        came, requests, refused = _all(player, arm, list(_booked(texts)), lenient, tools=True, max_tokens=SMALL)
        whole = sum(each.calls - each.broken for each in came)
        hand, ran, told = (sum(getattr(each, key) for each in came) for key in ("broken", "ran", "told"))
        print(f"| {name} | {whole} of {len(came)} | {hand} | {ran} | {told} | {requests / len(came):.1f} | {refused} |")


def _three(
    theirs: Callable[..., Came], asked: Callable[..., Came]
) -> tuple[tuple[str, Callable[..., Came], bool], ...]:
    there = "a server that takes a message without words"
    return ("lexilux", theirs, False), (f"lexilux, {there}", theirs, True), ("agentkit", asked, False)


def _booked(texts: list[str]) -> Iterator[Scene]:
    for number, text in enumerate(texts):
        yield Scene(call=Call(f"call_{number}", "book", json.dumps({"note": text[:200]})))


def _thoughts(player: Player, theirs: Callable[..., Came], asked: Callable[..., Came], texts: list[str]) -> None:
    print(f"\n{EACH} replies whose thinking alone is longer than max_tokens={SMALL}")
    print("\n| | the whole reply | told | requests | refused |")
    print("| --- | --- | --- | --- | --- |")
    scenes = [Scene(thinks=text[:300], whole=text) for text in texts]
    for name, arm, lenient in _three(theirs, asked):
        came, requests, refused = _all(player, arm, scenes, lenient, max_tokens=SMALL)
        right = sum(each.text == scene.whole for each, scene in zip(came, _twice(scenes), strict=True))
        told = sum(each.told for each in came)
        print(f"| {name} | {right} of {len(came)} | {told} | {requests / len(came):.1f} | {refused} |")


def _errors(player: Player, theirs: Callable[..., Came], asked: Callable[..., Came], texts: list[str]) -> None:
    print("\n| what happens | | kept of what came | the whole reply | told where it is not | errors |")
    print("| --- | --- | --- | --- | --- | --- |")
    sides: tuple[tuple[str, Callable[..., Came], dict[str, Any]], ...] = (
        ("lexilux", theirs, {}),
        ("agentkit", asked, {"retry": QUICK}),
    )
    going_on = ('agentkit, `on_disconnect="continue"`', asked, {"continuation": Continuation(on_disconnect="continue")})
    for told, make, stream in (
        ("the connection breaks half way, whole answer", _dropped("drop"), False),
        ("the connection breaks half way, streamed", _dropped("drop"), True),
        ("the answer ends half way without a finish reason, streamed", _dropped("end"), True),
        ("HTTP 500 at the third of six parts, whole answers", _failing, False),
        ("HTTP 500 at the third of six parts, streamed", _failing, True),
    ):
        arms = (*sides, going_on) if "half way" in told else sides
        for name, arm, settings in arms:
            row = _error_row(player, [make(text) for text in texts], arm, {"stream": stream, **settings})
            print(f"| {told} | {name} | {row} |")
    _partial(player, theirs, asked, texts)


def _partial(player: Player, theirs: Callable[..., Came], asked: Callable[..., Came], texts: list[str]) -> None:
    """The same error where the caller asked for what there is."""
    told = 'the same, `on_error="return_partial"`'
    scenes = [_failing(text) for text in texts]
    keep = {"retry": QUICK, "continuation": Continuation(on_error="return_partial")}
    for stream in (False, True):
        named = f"{told}, {'streamed' if stream else 'whole answers'}"
        for name, arm, settings in (("lexilux", theirs, {"on_error": "return_partial"}), ("agentkit", asked, keep)):
            print(f"| {named} | {name} | {_error_row(player, scenes, arm, {'stream': stream, **settings})} |")


def _error_row(player: Player, scenes: list[Scene], arm: Callable[..., Came], settings: dict[str, Any]) -> str:
    kept = came_in = right = told = 0
    errors: dict[str, int] = {}
    for scene in scenes:
        player.set(scene)
        came = arm(**settings)
        there = scene.cuts[1] if scene.cuts else len(scene.whole) // 2
        kept += min(len(came.text), there)
        came_in += there
        right += came.text == scene.whole
        told += came.told and came.text != scene.whole
        if came.error:
            errors[came.error] = errors.get(came.error, 0) + 1
    shown = ", ".join(errors) or "none"
    wrong = len(scenes) - right
    return f"{100 * kept / came_in:.0f} % | {right} | {told} of {wrong} | {shown}"


def _dropped(kind: FaultKind) -> Callable[[str], Scene]:
    def made(text: str) -> Scene:
        half = len(text[: len(text) // 2].split())
        return Scene(whole=text, faults=(Fault(kind=kind, after=half, times=None),))

    return made


def _failing(text: str) -> Scene:
    return Scene(whole=text, cuts=tuple(len(text) * part // 6 for part in range(1, 6)), fails_from=2)


def _all(
    player: Player, arm: Callable[..., Came], scenes: list[Scene], lenient: bool, **settings: object
) -> tuple[list[Came], int, int]:
    """What came of each, how many requests were made, and how many of them the server refused as invalid."""
    came: list[Came] = []
    requests = 0
    before = player.refused + len(player.problems)
    for scene in scenes:
        for stream in (False, True):
            player.set(evolve(scene, lenient=lenient))
            came.append(arm(stream=stream, **settings))
            requests += player.received
    return came, requests, player.refused + len(player.problems) - before


def _twice(scenes: list[Scene]) -> Iterator[Scene]:
    return (scene for scene in scenes for _ in range(2))
