"""Both sides of each wire: what agentkit's backends make of tools, choices and shapes, and what the simulator does."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from attrs import evolve, frozen
from jsonschema import validate  # type: ignore[import-untyped]

from agentkit import Conversation, tool
from agentkit.errors import BadRequest
from agentkit.events import Notice, TextDelta
from agentkit.messages import Message, ToolCall, ToolResult, assistant, user
from agentkit.options import Options
from agentkit.provider import Adapting, CallDelta, ChatRequest, Chunk, Finish, Provider, ReplyShape, ResponseHead
from agentkit.providers import get_provider
from agentkit.sim import Simulator
from agentkit.sim.profiles import PROFILES
from agentkit.tools import as_text, instructions
from agentkit.usage import FinishReason

WIRES = tuple(name for name in PROFILES if name != "gradient")


@frozen(kw_only=True)
class Shape:
    name: str
    description: str = "Sagt, was ist. \U0001f327"
    parameters: Mapping[str, Any]
    strict: bool = False


CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
WEATHER = Shape(
    name="get_weather",
    parameters={
        "type": "object",
        "properties": {"where": {"$ref": "#/$defs/city"}},
        "required": ["where"],
        "additionalProperties": False,
        "$defs": {"city": CITY},
    },
)
TIDES = Shape(name="tides", parameters={"type": "object", "properties": {}})
BOTH = (WEATHER, TIDES)


class Line:
    """A backend, and the simulator as its server."""

    def __init__(self, profile: str) -> None:
        made = PROFILES[profile]
        self.simulator = Simulator()
        self.provider: Provider = get_provider(made.backend, base_url=f"http://sim{made.base}", api_key="key")

    def ask(self, *messages: Message, model: str = "m", **more: Any) -> list[Chunk]:
        can = self.provider.capabilities(model)
        request = evolve(ChatRequest(model=model, messages=messages, stream=can.stream), **more)
        wire = self.provider.encode(request)
        answer = self.simulator.handle(wire.method, wire.url.removeprefix("http://sim"), dict(wire.headers), wire.body)
        head = ResponseHead(answer.status, dict(answer.headers))
        body = [item for item in answer.body if isinstance(item, bytes)]
        if not 200 <= head.status < 300:
            raise self.provider.decode_error(head, b"".join(body))
        decoder = self.provider.decoder(head, max_line=1 << 20)
        chunks = [chunk for item in body for chunk in decoder.feed(item)]
        return [*chunks, *decoder.close()]


def calls(chunks: list[Chunk]) -> list[ToolCall]:
    found: dict[int, list[str]] = {}
    for chunk in chunks:
        if isinstance(chunk, CallDelta):
            known = found.setdefault(chunk.index, ["", "", ""])
            for place, more in enumerate((chunk.id, chunk.name, chunk.arguments)):
                known[place] += more
    return [ToolCall.parse(*known) for known in found.values()]


def text(chunks: list[Chunk]) -> str:
    return "".join(chunk.text for chunk in chunks if isinstance(chunk, TextDelta))


def names(chunks: list[Chunk]) -> list[str]:
    return [call.name for call in calls(chunks)]


@pytest.fixture(params=WIRES)
def line(request: pytest.FixtureRequest) -> Line:
    return Line(str(request.param))


def test_a_round(line: Line) -> None:
    asked = user("call weather and call tides")
    chunks = line.ask(asked, tools=BOTH)
    made = calls(chunks)
    assert [call.name for call in made] == ["get_weather", "tides"]
    validate(dict(made[0].arguments), dict(WEATHER.parameters))
    assert isinstance(chunks[-1], Finish)
    assert chunks[-1].reason is FinishReason.TOOL_CALLS
    results = Message("tool", tuple(ToolResult(call.id, f"all is {call.name}") for call in made))
    said = text(line.ask(asked, assistant(*made), results, tools=BOTH))
    assert "get_weather answered: all is get_weather" in said
    assert "tides answered: all is tides" in said
    assert line.simulator.clean(), line.simulator.problems


@pytest.mark.parametrize("choice", ["auto", "required", "none", "tides"])
def test_a_choice(line: Line, choice: str) -> None:
    chosen = Options(tool_choice=choice, max_tokens=4000)
    obeys = line.provider.capabilities("m").tool_choice
    expected = {"required": ["get_weather"], "tides": ["tides"]}.get(choice, []) if obeys else []
    assert names(line.ask(user("hello"), tools=BOTH, options=chosen)) == expected
    wanted = {"none": [], "tides": ["tides"] if obeys else ["get_weather"]}.get(choice, ["get_weather"])
    assert names(line.ask(user("call weather"), tools=BOTH, options=chosen)) == wanted
    assert line.simulator.clean(), line.simulator.problems
    assert not names(line.ask(user("hello"), options=chosen))
    assert line.simulator.clean(), line.simulator.problems


@pytest.mark.parametrize("parallel", [True, False])
def test_calls_at_once(line: Line, parallel: bool) -> None:
    options = Options(parallel_tool_calls=parallel, max_tokens=4000)
    found = names(line.ask(user("call tides 2 times"), tools=BOTH, options=options))
    sent = json.dumps(line.simulator.requests[-1].json)
    assert len(found) == (1 if "parallel_tool_calls" in sent and not parallel else 2)
    assert line.simulator.clean(), line.simulator.problems


def test_strict_tools_and_a_strict_shape(line: Line) -> None:
    shape = ReplyShape(name="place", schema=CITY, strict=True)
    chunks = line.ask(user("a place"), tools=(evolve(WEATHER, strict=True),), shape=shape)
    if line.provider.capabilities("m").json_mode:
        validate(json.loads(text(chunks)), CITY)
    assert names(line.ask(user("call weather"), tools=(evolve(WEATHER, strict=True),), shape=shape)) == ["get_weather"]
    assert line.simulator.clean(), line.simulator.problems


@pytest.mark.parametrize(
    ("field", "more"),
    [
        ("tools", {}),
        ("tool_choice", {"options": Options(tool_choice="required")}),
        ("parallel_tool_calls", {"options": Options(parallel_tool_calls=True)}),
        ("response_format", {"shape": ReplyShape(name="place", schema=CITY)}),
    ],
)
def test_what_a_server_does_not_know_is_left_out_from_then_on(field: str, more: dict[str, Any]) -> None:
    line = Line("vllm-0.33")
    asked = user(f"refuse {field}, call tides")
    with pytest.raises(BadRequest) as caught:
        line.ask(asked, tools=BOTH, **more)
    assert field in line.simulator.requests[-1].json
    assert isinstance(line.provider, Adapting)
    adapted = line.provider.adapted("m", caught.value)
    assert adapted is not None
    line.provider = adapted[0]
    chunks = line.ask(asked, tools=BOTH, **more)
    assert field not in line.simulator.requests[-1].json
    assert names(chunks) == ([] if field == "tools" else ["tides"])


def test_a_backend_without_tools_is_told_of_them_in_words() -> None:
    gradient, model = Line("gradient"), "GPT OSS 120B"
    told = Message("system", assistant(instructions(BOTH)).parts)
    asked = user("call weather")
    call = ToolCall("c1", "get_weather", {"where": {"city": "Ys"}})
    said = text(gradient.ask(told, asked, model=model))
    assert json.loads(said.removeprefix("<tool_call>").removesuffix("</tool_call>"))["name"] == "get_weather"
    results = Message("tool", (ToolResult("c1", "wet"),))
    history = as_text([told, asked, assistant(call), results])
    assert "get_weather answered: wet" in text(gradient.ask(*history, model=model))
    later = as_text([told, asked, assistant(call), results, assistant("Wet."), user("call tides")])
    assert '"tides"' in text(gradient.ask(*later, model=model))
    assert gradient.simulator.clean(), gradient.simulator.problems


def test_a_server_that_refuses_tools_is_told_of_them_in_words() -> None:
    @tool
    def tides() -> str:
        """When it is high."""
        return "at noon"

    simulator = Simulator(profile="vllm-0.33")
    with Conversation(simulator, tools=[tides]) as chat:
        with chat.stream("refuse tools, call tides") as turn:
            told = [event.message for event in turn if isinstance(event, Notice)]
        assert "tides answered: at noon" in turn.reply.text
    assert told == ["sim://local/v1 refused a setting: tools are told in words"]
    assert "tools" not in simulator.requests[-1].json
    assert simulator.clean()
