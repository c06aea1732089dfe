"""What goes wrong with tool calls when it is ordered, on each wire, in fields and in words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from accent_client import OPENAI_LIKE, chat, send, stream
from sim_client import tool_schema, user

from agentkit.sim import Simulator

WEATHER = tool_schema("get_weather", {"type": "object", "properties": {"city": {"type": "string"}}})
TIDES = tool_schema("tides")
ORDER = 'call weather with {"city": "Oslo"} and call tides'
FIELDS: dict[str, Any] = {"tools": [WEATHER, TIDES]}


def whole(profile: str, more: str) -> tuple[list[dict[str, Any]], str]:
    choice = chat(profile, f"{ORDER}, {more}", **FIELDS).value["choices"][0]
    return choice["message"].get("tool_calls") or [], choice["finish_reason"]


def pieces(profile: str, more: str) -> tuple[list[list[dict[str, Any]]], list[str]]:
    heard = stream(profile, f"{ORDER}, {more}", **FIELDS)
    return [delta["tool_calls"] for delta in heard.deltas if delta.get("tool_calls")], heard.finish


def joined(found: list[list[dict[str, Any]]]) -> dict[int, dict[str, Any]]:
    """Calls out of their pieces, by index."""
    made: dict[int, dict[str, Any]] = {}
    for piece in (piece for group in found for piece in group):
        call = made.setdefault(piece["index"], {"name": "", "arguments": "", "ids": []})
        call["name"] += piece["function"].get("name") or ""
        call["arguments"] += piece["function"].get("arguments") or ""
        call["ids"] += [piece["id"]] if piece.get("id") else []
    return made


@pytest.mark.parametrize("profile", OPENAI_LIKE)
def test_calls_as_they_should_be(profile: str) -> None:
    calls, finish = whole(profile, "")
    assert [call["function"]["name"] for call in calls] == ["get_weather", "tides"]
    assert json.loads(calls[0]["function"]["arguments"]) == {"city": "Oslo"}
    assert finish == "tool_calls"
    made = joined(pieces(profile, "")[0])
    assert [call["name"] for call in made.values()] == ["get_weather", "tides"]


@pytest.mark.parametrize("profile", OPENAI_LIKE)
@pytest.mark.parametrize(
    ("order", "names", "arguments"),
    [
        ("cut the arguments", ["get_weather", "tides"], ['{"city": "', "{"]),
        ("garble the arguments", ["get_weather", "tides"], ["{'city': 'Oslo',}", "{,}"]),
        ("empty arguments", ["get_weather", "tides"], ["", ""]),
        ("misname the tool", ["no_such_get_weather", "no_such_tides"], ['{"city": "Oslo"}', "{}"]),
    ],
)
def test_what_is_called(profile: str, order: str, names: list[str], arguments: list[str]) -> None:
    calls, finish = whole(profile, order)
    made = joined(pieces(profile, order)[0])
    assert [call["function"]["name"] for call in calls] == names == [call["name"] for call in made.values()]
    assert [call["function"]["arguments"] for call in calls] == arguments
    assert [call["arguments"] for call in made.values()] == arguments
    assert finish == "tool_calls"


@pytest.mark.parametrize("profile", OPENAI_LIKE)
def test_how_calls_are_written(profile: str) -> None:
    assert all("id" not in call for call in whole(profile, "without ids")[0])
    assert not [ids for call in joined(pieces(profile, "without ids")[0]).values() for ids in call["ids"]]
    assert {call["id"] for call in whole(profile, "duplicate ids")[0]} == {"call_1"}
    assert whole(profile, "arguments as objects")[0][0]["function"]["arguments"] == {"city": "Oslo"}
    objects = [
        piece["function"]["arguments"] for group in pieces(profile, "arguments as objects")[0] for piece in group
    ]
    assert objects == [{"city": "Oslo"}, {}]
    (together,), _ = pieces(profile, "calls in one piece")
    assert [call["index"] for call in together] == [0, 1]
    assert json.loads(together[0]["function"]["arguments"]) == {"city": "Oslo"}
    assert whole(profile, "finish with stop")[1] == "stop"
    assert pieces(profile, "finish with stop")[1] == ["stop"]


@pytest.mark.parametrize("profile", OPENAI_LIKE)
def test_lists_without_calls(profile: str) -> None:
    heard = stream(profile, 'say "hello there", empty calls', **FIELDS)
    assert all(delta["tool_calls"] == [] for delta in heard.deltas)
    message = chat(profile, "empty calls. count to 3", **FIELDS).value["choices"][0]["message"]
    assert (message["tool_calls"], message["content"]) == ([], "1, 2, 3")


def test_it_happens_once_in_a_reply_and_what_follows() -> None:
    simulator = Simulator()
    asked = user(f"{ORDER}, cut the arguments")
    first = chat("openai", [asked], simulator=simulator, **FIELDS).value["choices"][0]["message"]
    again = chat("openai", [asked], simulator=simulator, **FIELDS).value["choices"][0]["message"]
    assert first["tool_calls"][0]["function"]["arguments"] == '{"city": "'
    assert again["tool_calls"][0]["function"]["arguments"] == '{"city": "Oslo"}'
    for _ in range(3):
        always = chat("openai", f"{ORDER}, misname the tool every time", simulator=simulator, **FIELDS)
        assert always.value["choices"][0]["message"]["tool_calls"][1]["function"]["name"] == "no_such_tides"


def test_it_can_be_queued() -> None:
    simulator = Simulator()
    simulator.faults(["garble the arguments", "calls in one piece"])
    message = chat("openai", ORDER, simulator=simulator, **FIELDS).value["choices"][0]["message"]
    assert message["tool_calls"][1]["function"]["arguments"] == "{,}"
    heard = stream("openai", ORDER, simulator=simulator, **FIELDS)
    assert [len(delta["tool_calls"]) for delta in heard.deltas if delta.get("tool_calls")] == [2]


@pytest.mark.parametrize("order", ["without ids", "arguments as objects", "finish with stop", "empty calls"])
def test_pixigpt_writes_them_wrong_too(order: str) -> None:
    body = {"messages": [{"role": "system", "content": "x"}, user(f"{ORDER}, {order}")], **FIELDS}
    choice = send(Simulator(), "POST", "/pixigpt/v1/chat/completions", body).value["choices"][0]
    calls = choice["message"]["tool_calls"]
    assert ("id" in calls[0]) == (order != "without ids")
    assert isinstance(calls[0]["function"]["arguments"], dict) == (order == "arguments as objects")
    assert choice["finish_reason"] == ("stop" if order == "finish with stop" else "tool_calls")


def test_calls_that_are_no_json_stay_texts() -> None:
    calls, _ = whole("openai", "cut the arguments, arguments as objects")
    assert calls[0]["function"]["arguments"] == '{"city": "'


def test_a_limit_cuts_calls_in_one_piece() -> None:
    heard = stream("openai", f"{ORDER}, calls in one piece", max_tokens=2, **FIELDS)
    assert heard.finish == ["length"]
    (calls,) = [delta["tool_calls"] for delta in heard.deltas if delta.get("tool_calls")]
    with pytest.raises(ValueError, match="line 1"):
        json.loads(calls[0]["function"]["arguments"])
