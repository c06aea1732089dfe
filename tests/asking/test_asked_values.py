"""Values of each kind of type, from each backend that the simulator can be, and what shows of them as they come."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass, make_dataclass
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest
from asked_bench import DAY, PLAN, Able, Plan, Step, kinds, roles, said, texts
from scenarios import Opener, collect, play

from agentkit import Conversation, PartialValue, TextDelta, ToolCall, assistant
from agentkit.sim import Simulator
from agentkit.sim.profiles import PROFILES


@dataclass
class Stop:
    where: str
    when: date | None = None


class Film(TypedDict):
    name: str
    year: int


class Point(NamedTuple):
    x: float
    y: float = 0.0


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@attrs.frozen
class Tree:
    name: str
    children: list[Tree]


class Model(pydantic.BaseModel):
    name: str
    made: date


class Wheel(msgspec.Struct):
    size: int


HUGE = make_dataclass("Huge", [(f"field_{number}", list[Film], ...) for number in range(150)])

INTO: dict[str, tuple[Any, Callable[[Any], bool]]] = {
    "attrs": (Plan, lambda it: isinstance(it, Plan) and all(isinstance(step, Step) for step in it.steps)),
    "dataclass": (Stop, lambda it: isinstance(it, Stop)),
    "typeddict": (Film, lambda it: set(it) == {"name", "year"}),
    "namedtuple": (Point, lambda it: isinstance(it, Point)),
    "tree": (Tree, lambda it: isinstance(it, Tree)),
    "pydantic": (Model, lambda it: isinstance(it, Model)),
    "msgspec": (Wheel, lambda it: isinstance(it, Wheel)),
    "list": (list[int], lambda it: isinstance(it, list)),
    "set": (set[str], lambda it: isinstance(it, set)),
    "tuple": (tuple[int, str], lambda it: isinstance(it, tuple) and len(it) == 2),
    "dict": (dict[str, float], lambda it: isinstance(it, dict)),
    "literal": (Literal["a", 7], lambda it: it in ("a", 7)),
    "enum": (Colour, lambda it: isinstance(it, Colour)),
    "union": (Stop | Film, lambda it: isinstance(it, Stop | dict)),
    "optional": (Point | None, lambda it: it is None or isinstance(it, Point)),
    "int": (int, lambda it: type(it) is int),
    "float": (float, lambda it: isinstance(it, float | int)),
    "bool": (bool, lambda it: isinstance(it, bool)),
    "datetime": (datetime, lambda it: isinstance(it, datetime)),
    "uuid": (UUID, lambda it: isinstance(it, UUID)),
    "path": (Path, lambda it: isinstance(it, Path)),
    "said": (Annotated[int, "how many"], lambda it: isinstance(it, int)),
    "any": (Any, lambda it: True),
    "str": (str, lambda it: isinstance(it, str) and it != ""),
    "huge": (HUGE, lambda it: isinstance(it, HUGE)),
}

ONE_OF_EACH = {"native": "openai", "words": "gradient", "told": "parallax-2026", "worded": "pixigpt"}


def tide(place: str) -> str:
    """When it is high."""
    return f"noon at {place}"


@pytest.mark.parametrize("kind", INTO)
@pytest.mark.parametrize("profile", [*ONE_OF_EACH.values(), "call"])
def test_each_kind_of_type(profile: str, kind: str) -> None:
    into, fits = INTO[kind]
    simulator = Simulator(seed=3, profile="openai" if profile == "call" else profile, window=60_000)
    with Conversation(simulator, tools=[tide] if profile == "call" else []) as chat:
        assert fits(chat.ask("Tell me", into=into))
        assert len(chat.ask("Say no more", into=str)) > 0
    assert simulator.clean(), simulator.problems


@pytest.mark.parametrize("value", [Decimal("1.50"), time(8, 30), date(2031, 2, 3)])
def test_texts_of_one_form(value: object) -> None:
    with Conversation(Able([json.dumps({"value": str(value)})])) as chat:
        assert chat.ask("How much?", into=type(value)) == value


@pytest.mark.parametrize("profile", PROFILES)
def test_each_backend(runtime: str, profile: str) -> None:
    """Plainly, after a correction, after tools; what was asked for is in history and nothing else, and it goes on."""
    simulator = Simulator(seed=3, profile=profile)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(simulator, system="Be brief.") as chat:
            assert isinstance(await chat.ask("Plan my morning", into=Plan), Plan)
            assert isinstance(await chat.ask("Plan it, answer without json", into=Plan), Plan)
            assert isinstance(await chat.ask("Plan it, answer in a fence", into=Plan), Plan)
            assert roles(chat.messages) == "uauaua"
            assert await chat.ask("say as it is", into=str) == "as it is"
        async with open_chat(simulator, tools=[tide]) as chat:
            turn = chat.stream_ask('call tide with {"place": "Oslo"} and plan', into=Plan)
            await collect(turn)
            assert isinstance(turn.value, Plan)
            assert "noon at Oslo" in [result.content for result in turn.reply.tool_results]
            assert (await chat.send("count to 3")).text == "1, 2, 3"

    play(runtime, scenario)
    assert simulator.clean(), simulator.problems


def test_a_backend_that_refuses_a_shape_is_asked_otherwise(runtime: str) -> None:
    """From the next request on it is known to lack it."""
    simulator = Simulator(seed=3)
    simulator.script(["refuse response_format", "think 3 words", "refuse response_format"])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(simulator) as chat:
            turn = chat.stream_ask("Plan my morning", into=Plan)
            assert "Notice" in kinds(await collect(turn))
            assert isinstance(turn.value, Plan)
            assert isinstance(await chat.ask("Plan it", into=Plan), Plan)

    play(runtime, scenario)
    asked = [request.json for request in simulator.requests]
    assert ["response_format" in each for each in asked] == [True, False, False]
    assert [each.get("tool_choice") for each in asked[1:]] == [{"type": "function", "function": {"name": "answer"}}] * 2


def prefix_of(partial: Any, whole: Any) -> bool:
    """What has come of a JSON value: texts and lists from their beginning, objects with the keys so far."""
    match partial:
        case dict():
            return partial.keys() <= whole.keys() and all(prefix_of(partial[key], whole[key]) for key in partial)
        case list():
            return len(partial) <= len(whole) and all(map(prefix_of, partial, whole))
        case str():
            return isinstance(whole, str) and whole.startswith(partial)
        case _:
            return bool(partial == whole)


LONG = {"title": 'Tag \u00e9\u4e2d\U0001f41f\n"x"', "steps": [{"what": "a\\b" * 3, "minutes": n} for n in range(4)]}


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_what_shows_grows_to_the_value(runtime: str, way: str, size: int) -> None:
    text = json.dumps(LONG)
    if way == "call":

        class Piecewise(Able):
            def next_answer(self) -> list[bytes | float]:
                lines = super().next_answer()
                first = [json.dumps({"call": [0, "a1", "answer", ""]}).encode() + b"\n"]
                pieces = [text[at : at + size] for at in range(0, len(text), size)]
                return [*first, *(json.dumps({"call": [0, "", "", it]}).encode() + b"\n" for it in pieces), *lines[1:]]

        provider: Able = Piecewise([assistant(ToolCall("a1", "answer", LONG))], way)
    else:
        provider = Able([[text[at : at + size] for at in range(0, len(text), size)]], way)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            shown: list[Any] = []
            async with chat.stream_ask("Plan", into=Plan) as turn:
                async for event in turn:
                    shown += [copy.deepcopy(event.value)] if isinstance(event, PartialValue) else []
                assert turn.value.title == LONG["title"]
            assert shown[-1] == LONG
            assert all(prefix_of(one, other) for one, other in pairwise(shown))
            assert len(shown) > (50 if size == 1 else 0)

    play(runtime, scenario)


def test_wrapped_values_show_without_their_wrapper(runtime: str, way: str) -> None:
    provider = Able([said({"value": [1, 2, 3]}, way)], way)

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            turn = chat.stream_ask("Count", into=list[int])
            events = await collect(turn)
            assert [event.value for event in events if isinstance(event, PartialValue)][-1] == [1, 2, 3]
            assert turn.value == [1, 2, 3]

    play(runtime, scenario)


def test_texts_show_no_partial_values(runtime: str) -> None:
    provider = Able([json.dumps(DAY)])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            turn = chat.stream_ask("Plan", into=str)
            assert kinds(await collect(turn)) == ["TextDelta", "TurnFinished"]
            assert turn.value == json.dumps(DAY)

    play(runtime, scenario)
    assert provider.requests[0].shape is None
    assert texts(provider.requests[0]) == ["Plan"]


def test_after_a_correction_the_value_shows_anew(runtime: str) -> None:
    provider = Able([json.dumps({"title": "No"}), json.dumps(DAY)])

    async def scenario(open_chat: Opener) -> None:
        async with open_chat(provider) as chat:
            turn = chat.stream_ask("Plan", into=Plan)
            events = await collect(turn)
            assert kinds(events) == [
                "TextDelta", "PartialValue", "Correcting", "TextDelta", "PartialValue", "TurnFinished",
            ]  # fmt: skip
            first, second = [event.value for event in events if isinstance(event, PartialValue)]
            assert (first, second) == ({"title": "No"}, DAY)
            assert turn.value == PLAN
            assert [event.text for event in events if isinstance(event, TextDelta)][1] == turn.reply.text

    play(runtime, scenario)


def test_what_the_model_is_told_of_the_value(way: str) -> None:
    provider = Able([said(DAY, way)], way)
    with Conversation(provider, system="Be brief.") as chat:
        assert chat.ask("Plan", into=Plan) == PLAN
    request = provider.requests[0]
    system = texts(request)[0]
    assert (request.shape is not None) == (way == "native")
    assert [tool.name for tool in request.tools] == (["answer"] if way == "call" else [])
    assert request.options.tool_choice == ("answer" if way == "call" else None)
    assert system.startswith("Be brief.")
    assert ("JSON schema" in system) == (way == "words")
    if request.shape is not None:
        assert (request.shape.name, request.shape.strict) == ("Plan", True)
        assert request.shape.schema["description"] == "A plan for one morning."
