"""Whatever a model calls, a tool returns or raises: there is a result, and the model can go on from it."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import attrs
import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentkit.messages import ToolCall, ToolResult
from agentkit.tools import BoundCall, cleaned, explain, limited, prepare, raised, returned, text_of, tool
from agentkit.tools._results import NOTHING, plain


@tool
def weather(city: str) -> str:
    return f"rain in {city}"


TOOLS = {"weather": weather}


def refused(call: ToolCall, tools: Any = TOOLS) -> str:
    result = prepare(tools, call)
    assert isinstance(result, ToolResult)
    assert (result.call_id, result.is_error) == (call.id, True)
    return result.content


def test_a_call_that_fits_is_ready() -> None:
    call = prepare(TOOLS, ToolCall("1", "weather", {"city": "Oslo"}))
    assert isinstance(call, BoundCall)
    assert call.run() == "rain in Oslo"


def test_a_strict_tool_takes_null_for_what_may_be_left_out() -> None:
    def look(city: str, days: int = 3) -> str:
        return f"{days} in {city}"

    call = ToolCall("1", "look", {"city": "Oslo", "days": None})
    assert refused(call, {"look": tool(look)})
    bound = prepare({"look": tool(strict=True)(look)}, call)
    assert isinstance(bound, BoundCall)
    assert bound.run() == "3 in Oslo"


def test_wrong_argument_names_can_be_mended() -> None:
    text = refused(ToolCall("1", "weather", {"town": "Oslo"}))
    assert "$.city: is missing: a text" in text
    assert "$.town: there is nothing of this name; the names are: city" in text


def test_cut_arguments_never_run() -> None:
    text = refused(ToolCall.parse("1", "weather", '{"city": "Par'))
    assert text.startswith("The arguments of this call were cut off, or are no JSON object, so weather was not run.")


def test_an_unknown_tool_is_told_which_there_are() -> None:
    assert refused(ToolCall("1", "wether")) == (
        "There is no tool 'wether', so nothing was run. The tools are: weather."
    )
    assert refused(ToolCall("1", "weather"), {}) == "There is no tool 'weather', and no other: answer without one."


def test_results() -> None:
    assert returned("1", {"a": 1}, most=100) == ToolResult("1", '{"a":1}')
    assert returned("1", "x" * 500, most=100).content.startswith("xxx")
    assert raised("1", KeyError("x")) == ToolResult("1", "KeyError: 'x'", is_error=True)


class Colour(Enum):
    RED = "red"


class Word(StrEnum):
    A = "a"


class Point(NamedTuple):
    x: int
    y: float


@dataclass
class Place:
    name: str
    at: Point
    token: str = field(default="s3cret", repr=False)


@attrs.define
class Trip:
    places: list[Place]
    key: str = attrs.field(default="s3cret", repr=False)
    _seen: int = 0


class Model(pydantic.BaseModel):
    when: date


class Struct(msgspec.Struct):
    a: int


class Plain:
    pass


class Told:
    def __str__(self) -> str:
        return "told"


class Mute:
    def __str__(self) -> str:
        raise ValueError("no")


class Big(int):
    pass


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("as it is\n", "as it is\n"),
        ("", ""),
        (Word.A, "a"),
        (None, NOTHING),
        (True, "true"),
        (Big(5), "5"),
        (0.5, "0.5"),
        (float("nan"), "nan"),
        ([float("inf")], '["inf"]'),
        (b"\x00\x01", "<2 bytes>"),
        (Colour.RED, "red"),
        (Decimal("1.50"), "1.50"),
        (date(2031, 1, 2), "2031-01-02"),
        ([datetime(2031, 1, 2), time(8, 30)], '["2031-01-02T00:00:00","08:30:00"]'),
        ({"p": Path("a/b"), "u": UUID(int=1)}, '{"p":"a/b","u":"00000000-0000-0000-0000-000000000001"}'),
        (Trip([Place("Oslo", Point(1, 2.5))]), '{"places":[{"name":"Oslo","at":{"x":1,"y":2.5}}]}'),
        (Model(when=date(2031, 1, 2)), '{"when":"2031-01-02"}'),
        (Struct(1), '{"a":1}'),
        (OrderedDict(a=(1, "å")), '{"a":[1,"å"]}'),
        ({1: 2, None: 3, Word.A: 4, (1, 2): 5}, '{"1":2,"null":3,"a":4,"[1, 2]":5}'),
        ({"b", "a"}, '["a","b"]'),
        (frozenset({2, 1}), "[1,2]"),
        (Plain(), "<Plain>"),
        (Told(), "told"),
        ([Mute()], '["<Mute>"]'),
        (Plain, "<class 'test_answers.Plain'>"),
        ((number for number in (1, 2)), "<generator>"),
    ],
)
def test_any_value_becomes_text(value: object, text: str) -> None:
    assert text_of(value) == text


def test_what_holds_itself_ends_in_dots() -> None:
    cycle: list[Any] = [1]
    cycle.append(cycle)
    assert text_of(cycle) == '[1,"..."]'
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    assert text_of(deep).count("[") == 51


def test_what_is_too_much_ends_in_dots() -> None:
    wide: Any = [1]
    for _ in range(30):
        wide = [wide, wide]
    assert text_of(wide).endswith('"..."]')
    assert text_of(range(3)) == "range(0, 3)"
    assert plain(list(range(200_000)))[-1] == "..."
    assert plain({str(number): number for number in range(200_000)})["..."] == "..."


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda it: st.lists(it) | st.dictionaries(st.text(), it)
    )
)
def test_json_is_kept(value: Any) -> None:
    assert plain(value) == value
    if not isinstance(value, str) and value is not None:
        assert json.loads(text_of(value)) == value


@given(st.text(st.sampled_from("ab\n\ud83d\ude00"), max_size=400), st.integers(100, 300))
def test_the_limit_holds(text: str, most: int) -> None:
    made = limited(text, most)
    assert len(made) <= most
    if len(text) <= most:
        assert made == text
    else:
        head, mark, tail = made.partition("\n[... ")
        count, _, tail = tail.partition(" characters left out ...]\n")
        assert mark
        assert text.startswith(head)
        assert text.endswith(tail)
        assert len(head) + len(tail) + int(count.replace(",", "")) == len(text)
        assert not (head[-1:] == "\ud83d" and text[len(head)] == "\ude00")
        assert not (tail[:1] == "\ude00" and text[-len(tail) - 1] == "\ud83d")


def test_a_cut_does_not_part_a_character() -> None:
    """JSON may bring characters in two halves."""
    made = {limited("a" * start + "\ud83d\ude00" * 500, 100) for start in range(4)}
    for text in made:
        head, _, tail = text.partition("\n[... ")
        assert not head.endswith("\ud83d")
        assert not tail.partition("]\n")[2].startswith("\ude00")


# --- exceptions


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("no such city"), "ValueError: no such city"),
        (ValueError(), "ValueError"),
        (ValueError("two\n lines"), "ValueError: two lines"),
        (
            FileNotFoundError(2, "No such file or directory", "/home/ada/a b/notes.txt"),
            "FileNotFoundError: No such file or directory: notes.txt",
        ),
        (OSError(5, "Input/output error"), "OSError: [Errno 5] Input/output error"),
        (ValueError(Mute()), "ValueError"),
    ],
)
def test_an_exception_is_one_line(error: Exception, text: str) -> None:
    assert explain(error) == text


def test_a_long_exception_is_shortened() -> None:
    made = explain(ValueError("x" * 5000))
    assert len(made) <= 500
    assert "characters left out" in made
    assert "\n" not in made


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("GET https://ada:pw@host.example/a/b?x=1 failed", "GET https://***@host.example/a/b?x=1 failed"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer ***"),
        ("basic QWxhZGRpbg==", "basic ***"),
        ("api_key=abc&x=1", "api_key=***&x=1"),
        ("{'password': 'hunter2', 'a': 1}", "{'password': ***, 'a': 1}"),
        ("access_token: xyz", "access_token: ***"),
        ("token = xyz", "token = ***"),
        ("unexpected token: }", "unexpected token: }"),
        ("KeyError: 'city'", "KeyError: 'city'"),
        ("Incorrect key sk-abcdefghijklmnop1234 given", "Incorrect key *** given"),
        ("cannot open /home/ada/secrets/notes.txt now", "cannot open notes.txt now"),
        ("cannot open '~/x/notes.txt'", "cannot open 'notes.txt'"),
        ("cannot open ../x/notes.txt", "cannot open notes.txt"),
        (r"cannot open C:\Users\ada\notes.txt", "cannot open notes.txt"),
        (r"cannot open \\server\share\notes.txt", "cannot open notes.txt"),
        ("1/2 of a/b and /tmp", "1/2 of a/b and /tmp"),
        ("see https://host.example/a/b/c", "see https://host.example/a/b/c"),
    ],
)
def test_keys_and_folders_are_left_out(text: str, left: str) -> None:
    assert cleaned(text) == left
