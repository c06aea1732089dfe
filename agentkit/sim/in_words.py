"""Tools in words: for a request that offers none, but whose text describes some to a model that reads and writes only.

A heading `# Tools` and a list of definitions, one JSON object a line; calls in `<tool_call>`, results in
`<tool_response>`. Pure, and no more than the words: what agentkit means by them is written elsewhere, and apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import count

from attrs import evolve, frozen

from agentkit.sim.talk import Ask, Call, Said, Tool
from agentkit.sim.wire import as_object

_HEADING = "# Tools\n"
_CALL, _RESULT = "<tool_call>", "<tool_response"
_DEMAND = re.compile(r"\s*Now call (at least one of them|\S{1,64}) before you answer\.")
_CALLED = re.compile(r"<tool_call>((?:(?!</?tool_call>).)*)</tool_call>", re.DOTALL)
_ANSWERED = re.compile(
    r'<tool_response name=("(?:[^"\\\n]|\\.)*")[^>\n]*>\n((?:(?!</?tool_response).)*)\n</tool_response>', re.DOTALL
)


@frozen
class _Offer:
    """The part of a text that describes tools."""

    start: int
    end: int
    tools: tuple[Tool, ...]
    choice: str


def understood(ask: Ask) -> Ask:
    """The same request with tools, calls and results as what they are; unchanged where no text describes tools."""
    found = () if ask.tools else tuple(filter(None, (_offer(said) for said in ask.messages)))
    if not found:
        return ask
    messages = tuple(_read(ask.messages))
    return evolve(ask, messages=messages, tools=found[-1].tools, choice=found[-1].choice, in_words=True)


def written(calls: Sequence[Call]) -> str:
    """The calls, as a model writes them."""
    return "\n".join(_written(call) for call in calls)


def _written(call: Call) -> str:
    arguments = f', "arguments": {call.arguments}' if call.arguments else ""
    return f'<tool_call>\n{{"name": {json.dumps(call.name, ensure_ascii=False)}{arguments}}}\n</tool_call>'


def _offer(said: Said) -> _Offer | None:
    start = said.text.find(_HEADING)
    if said.role not in ("system", "user") or start < 0 or _CALL not in said.text[start:]:
        return None
    tools: list[Tool] = []
    place = end = start
    for line in said.text[start:].split("\n"):
        tool = _definition(line)
        place += len(line) + 1
        if tool is not None:
            tools.append(tool)
            end = place - 1
        elif tools:
            break
    demand = _DEMAND.match(said.text, end)
    choice = "auto" if demand is None else "required" if " " in demand[1] else f"={demand[1]}"
    return _Offer(start, end if demand is None else demand.end(), tuple(tools), choice) if tools else None


def _definition(line: str) -> Tool | None:
    fields = _object(line)
    name, schema = fields.get("name"), as_object(fields.get("parameters"))
    return Tool(name, schema) if isinstance(name, str) and schema is not None else None


def _object(text: str) -> dict[str, object]:
    try:
        return as_object(json.loads(text)) or {}
    except (ValueError, RecursionError):
        return {}


def _read(messages: tuple[Said, ...]) -> Iterator[Said]:
    numbers = count(1)
    waiting: list[Call] = []
    plain = [_without_offer(said) for said in messages]
    for said, after in zip(plain, (*plain[1:], None), strict=True):
        match said.role:
            case "assistant" if after is not None and _RESULT in after.text:
                waiting = _calls(said.text, numbers)
                yield evolve(said, text=_CALLED.sub("", said.text).strip(), calls=tuple(waiting))
            case "user" if _RESULT in said.text:
                yield from _results(said, waiting)
            case _:
                yield said


def _without_offer(said: Said) -> Said:
    offer = _offer(said)
    return said if offer is None else evolve(said, text=(said.text[: offer.start] + said.text[offer.end :]).strip())


def _calls(text: str, numbers: Iterator[int]) -> list[Call]:
    made: list[Call] = []
    for found in _CALLED.finditer(text):
        fields = _object(found[1])
        arguments = json.dumps(fields.get("arguments", {}), ensure_ascii=False)
        made.append(Call(f"call_{next(numbers)}", str(fields.get("name", "")), arguments))
    return made


def _results(said: Said, waiting: list[Call]) -> Iterator[Said]:
    """The results that a message holds, each of the first call of its tool that still waits; then what else it says.

    What stands before the results is told anew, and no question.
    """
    first = said.text.index(_RESULT)
    if said.text[:first].strip():
        yield Said(role="system", text=said.text[:first].strip())
    for found in _ANSWERED.finditer(said.text):
        call = next((call for call in waiting if json.dumps(call.name, ensure_ascii=False) == found[1]), None)
        if call is not None:
            waiting.remove(call)
        yield Said(role="tool", text=found[2], call_id=call.id if call else "")
    rest = _ANSWERED.sub("", said.text[first:]).strip()
    if rest:
        yield evolve(said, text=rest)
