"""The simulator's server with a model that plays one scene: where it is cut, and how it goes on when it is asked to."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from attrs import evolve, frozen

from agentkit.sim import Simulator
from agentkit.sim.habits import HABITS, Whim
from agentkit.sim.plan import Fault
from agentkit.sim.stage import Performance
from agentkit.sim.talk import Ask, Call, End, Failure, Refused, Reply, Step
from agentkit.sim.thread import Thread, unravel
from agentkit.sim.wire import SimResponse

ENDLESS = 1_000_000
BARE = ("exact", "repeat", "word_again")
"""Habits that do not care for what they are asked."""


@frozen(kw_only=True)
class Scene:
    """What the model has to say, and what becomes of it."""

    whole: str = ""
    cuts: tuple[int, ...] = ()
    """Characters after which a reply is cut, with the finish reason `length`."""
    habit: str = "obeys"
    """How it goes on: a name of `agentkit.sim.habits`, or `obeys`: it repeats first what it is asked to repeat."""
    seed: int = 0
    thinks: str = ""
    call: Call | None = None
    faults: tuple[Fault, ...] = ()
    """Of the first answer."""
    fails_from: int = ENDLESS
    """From this request on, counted from 0, the server answers with an error."""
    lenient: bool = False
    """An assistant message without words is taken, as some servers do; the simulator refuses it, as others do."""


@frozen
class Asked:
    """One request for a reply."""

    prompt_tokens: int
    messages: int


@frozen(kw_only=True)
class Played(Performance):
    """A reply that ends as it is told to."""

    finish: str | None = None

    def steps(self) -> Iterator[Step]:
        for step in super().steps():
            yield evolve(step, finish=self.finish) if self.finish and isinstance(step, End) else step


class Player(Simulator):
    """Plays the scene that is set. One conversation at a time."""

    def __init__(self) -> None:
        self.scene = Scene()
        self.asked: list[Asked] = []
        self.refused = 0
        """Invalid requests so far, those of the scene under way left out."""
        super().__init__(window=ENDLESS)

    def set(self, scene: Scene) -> None:
        """Begin another one."""
        self.refused += len(self.problems)
        self.scene, self.asked = scene, []
        self.reset()

    def handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> SimResponse:
        return super().handle(method, target, headers, _worded(body) if self.scene.lenient else body)

    def perform(self, ask: Ask, /) -> Performance:
        number = len(self.asked)
        self.asked.append(Asked(ask.prompt_tokens, len(ask.messages)))
        scene = self.scene
        if number >= scene.fails_from:
            raise Refused(Failure(status=500, message="the scene has an error here", type="server_error"))
        faults = () if number else scene.faults
        if scene.call is not None or scene.thinks:
            calls = () if scene.call is None else (scene.call,)
            reply = Reply(reasoning=scene.thinks, text="" if calls else scene.whole, calls=calls)
            return Played(reply=reply, limit=ask.limit or ENDLESS, faults=faults, prompt_tokens=ask.prompt_tokens)
        text, finish = _said(scene, unravel(ask.messages), number)
        return Played(
            reply=Reply(text=text), limit=ENDLESS, faults=faults, prompt_tokens=ask.prompt_tokens, finish=finish
        )


def _worded(body: bytes) -> bytes:
    """The same request with a dash in each assistant message that has no words."""
    given = json.loads(body)
    for message in given.get("messages", ()):
        if message["role"] == "assistant" and message.get("content") == "":
            message["content"] = "-"
    return json.dumps(given).encode()


@frozen
class _Place:
    at: int
    until: int


def _said(scene: Scene, thread: Thread, number: int) -> tuple[str, str]:
    """What is said next, and how that ends."""
    place = _place(scene, thread, number)
    finish = "stop" if place.until == len(scene.whole) else "length"
    if not place.at:
        return scene.whole[: place.until], finish
    whole = scene.whole[: place.until]
    quote = _quote(thread)
    if scene.habit == "obeys":
        return quote + whole[place.at :], finish
    whim = Whim(scene.seed, "" if scene.habit in BARE else quote)
    said = HABITS[scene.habit](whole, place.at, whim)
    finish = "length" if scene.habit == "loop" else finish
    return (quote + whole[place.at :] if said is None else said), finish


def _place(scene: Scene, thread: Thread, number: int) -> _Place:
    """From where to where it speaks. The text so far tells, as long as it is what was said."""
    ends = (*scene.cuts, len(scene.whole))
    if thread.prefix is None or not thread.prefix.text:
        return _Place(0, ends[0])
    so_far = thread.prefix.text
    known = scene.whole.startswith(so_far)
    at = len(so_far) if known else ends[min(number, len(ends) - 1) - 1]
    return _Place(at, next((end for end in ends if end > at), len(scene.whole)))


def _quote(thread: Thread) -> str:
    """The last words that the user asks to hear first, exactly as they stand in the request."""
    if thread.request is None or thread.prefix is None:
        return ""
    quote = thread.request.partition("\n\n")[2]
    return quote if thread.prefix.text.endswith(quote) else ""
