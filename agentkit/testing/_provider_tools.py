"""What every provider must do with tools and with the shape of a reply; a part of the contract for providers."""
# ruff: noqa: S101 - for tests, although installed

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, cast

from attrs import evolve

from agentkit.errors import InvalidInput, Unsupported
from agentkit.options import Options
from agentkit.provider import Capabilities, ChatRequest, HTTPRequest, Provider, ReplyShape
from agentkit.testing._provider_values import CHOICES, FERRY, SHAPES, STRICT, TIDES, TOOLS, Declared


class Tested(Protocol):
    """A provider that is tested, and the requests to do it with."""

    @property
    def provider(self) -> Provider: ...

    @property
    def model(self) -> str: ...

    def request(self) -> ChatRequest: ...


def tools_are_sent_as_they_are_declared(subject: Tested, tools: tuple[Declared, ...]) -> None:
    """Name, description and schema, the same way each time; not a word of them where the capabilities say no."""
    wire = _encoded(subject, tools=tools)
    assert wire.body == _encoded(subject, tools=tuple(map(evolve, tools))).body
    for tool in tools:
        for declared in (tool.name, tool.description, tool.parameters):
            assert not declared or _holds(wire, declared) == _can(subject).tools


def without_tools_nothing_is_said_of_them(subject: Tested, _: None) -> None:
    """Servers refuse a choice among none, and settings of what is not there."""
    options = Options(tool_choice="required", parallel_tool_calls=True)
    assert _encoded(subject, options=options).body == _encoded(subject).body


def a_choice_among_tools_is_sent_or_a_notice_says_that_it_is_not(subject: Tested, choice: str) -> None:
    """Where the capabilities say no, tools are forbidden by naming none."""
    can = _can(subject)
    if not can.tools:
        return
    free = _encoded(subject, tools=(FERRY, TIDES))
    chosen = _encoded(subject, tools=(FERRY, TIDES), options=Options(tool_choice=choice))
    if choice == "none" and not can.tool_choice:
        assert not _holds(chosen, FERRY.name)
    elif can.tool_choice:
        assert chosen.body != free.body
        assert chosen.notices == free.notices
    else:
        assert chosen.body == free.body
        assert _told(chosen) > _told(free)
    assert _encoded(subject, tools=(FERRY, TIDES), options=Options(tool_choice="auto")).body == free.body


def several_calls_at_once_are_allowed_or_a_notice_says_that_it_is_not_sent(subject: Tested, wanted: bool) -> None:  # noqa: FBT001 - the value of a case
    """Or forbidden."""
    free = _encoded(subject, tools=(FERRY, TIDES))
    said = _encoded(subject, tools=(FERRY, TIDES), options=Options(parallel_tool_calls=wanted))
    assert said.body != free.body or said.notices != free.notices or not _can(subject).tools


def a_strict_tool_is_sent_as_such_or_a_notice_says_that_it_is_not(subject: Tested, _: None) -> None:
    """The rest of it stays the same."""
    usual = _encoded(subject, tools=(evolve(STRICT, strict=False),))
    strict = _encoded(subject, tools=(STRICT,))
    assert strict.body != usual.body or strict.notices != usual.notices or not _can(subject).tools
    assert _holds(strict, STRICT.parameters) == _can(subject).tools


def a_reply_is_bound_to_a_schema_where_that_is_claimed(subject: Tested, shape: ReplyShape) -> None:
    """`json_mode` among the capabilities is a promise; elsewhere the schema is not sent."""
    assert _holds(_encoded(subject, shape=shape), shape.schema) == _can(subject).json_mode


TOOL_RULES: Mapping[Callable[[Any, Any], None], Mapping[str, Any]] = {
    tools_are_sent_as_they_are_declared: TOOLS,
    without_tools_nothing_is_said_of_them: {"": None},
    a_choice_among_tools_is_sent_or_a_notice_says_that_it_is_not: CHOICES,
    several_calls_at_once_are_allowed_or_a_notice_says_that_it_is_not_sent: {"allowed": True, "forbidden": False},
    a_strict_tool_is_sent_as_such_or_a_notice_says_that_it_is_not: {"": None},
    a_reply_is_bound_to_a_schema_where_that_is_claimed: SHAPES,
}
"""The rules, each with its cases by name."""


def _can(subject: Tested) -> Capabilities:
    return subject.provider.capabilities(subject.model)


def _encoded(subject: Tested, **more: Any) -> HTTPRequest:
    """The request; without what a backend refuses that says it cannot do it."""
    try:
        return subject.provider.encode(evolve(subject.request(), **more))
    except (Unsupported, InvalidInput):
        can = _can(subject)
        assert not (can.tools if "tools" in more else can.json_mode), "what is claimed is refused"
        return subject.provider.encode(subject.request())


def _told(wire: HTTPRequest) -> set[str]:
    return {notice.message for notice in wire.notices}


def _holds(wire: HTTPRequest, wanted: object) -> bool:
    """Whether it is anywhere in the JSON of the body, as a whole."""
    return any(value == wanted for value in _values(json.loads(wire.body)))


def _values(value: object) -> Iterator[object]:
    yield value
    inner: Sequence[object] = ()
    if isinstance(value, dict):
        inner = list(cast("dict[str, object]", value).values())
    elif isinstance(value, list):
        inner = cast("list[object]", value)
    for each in inner:
        yield from _values(each)
