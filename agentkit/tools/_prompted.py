"""Tools in words, for backends that have none: what the model is told of them, and calls and results as text.

The history keeps calls and results as parts; only a request has them as text. So a conversation that moves to a backend
with tools of its own sends them there as what they are. The form is one that several families of models know.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import partial
from typing import TypeAlias

from attrs import evolve

from agentkit.messages import Message, Part, Role, Text, ToolCall, ToolResult
from agentkit.tokens import ToolShape

CALL, END_OF_CALL = "<tool_call>", "</tool_call>"
RESULT, END_OF_RESULT = "<tool_response>", "</tool_response>"

ToolChoice: TypeAlias = str
"""auto, required, none, or the name of a tool."""

_OF_TOOLS = frozenset({ToolCall, ToolResult})
_MARK = re.compile(r"<(?=/?tool_(?:call|response))")
_HOW = f"""\
# Tools

You can call the tools that are listed below, one JSON object each. To call one, write this on lines of its own, with
the name of the tool and arguments that follow its parameters:

{CALL}
{{"name": "...", "arguments": {{...}}}}
{END_OF_CALL}

For several calls write several such blocks, one after the other. Then stop: the results are given to you in the next
message, each as {RESULT}...{END_OF_RESULT}. Never write a {RESULT} yourself. Where no tool is needed, just answer.

"""


def instructions(tools: Sequence[ToolShape], choice: ToolChoice = "auto") -> str:
    """What the model is told of the tools; nothing where there are none, or none may be called."""
    if not tools or choice == "none":
        return ""
    listed = "\n".join(_described(tool) for tool in tools)
    match choice:
        case "auto":
            return _HOW + listed
        case "required":
            return f"{_HOW}{listed}\n\nNow call at least one of them before you answer."
        case name:
            return f"{_HOW}{listed}\n\nNow call {name} before you answer."


def _described(tool: ToolShape) -> str:
    shape = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return json.dumps(shape, ensure_ascii=False)


def as_text(messages: Sequence[Message], *, results: Role = "user") -> tuple[Message, ...]:
    """The messages with calls and results as text. `results` is the role of a message that holds results.

    One that holds nothing else is marked as `tool_results` in its meta: it is no question, whatever its role. The
    message in words is remembered by the message.
    """
    names: dict[str, str] = {}
    made: list[Message] = []
    for message in messages:
        if _OF_TOOLS.isdisjoint(map(type, message.parts)):
            made.append(message)
            continue
        names.update([(call.id, call.name) for call in message.tool_calls])
        called = tuple(
            [names.get(part.call_id, part.call_id) for part in message.parts if isinstance(part, ToolResult)]
        )
        made.append(message.memo(("as text", results, called), partial(_in_words, results=results, called=called)))
    return tuple(made)


def _in_words(message: Message, *, results: Role, called: Sequence[str]) -> Message:
    """`called` are the tools that the results are of, in their order."""
    names = iter(called)
    made: list[Part] = []
    for part in message.parts:
        match part:
            case ToolCall():
                _add(made, f"{CALL}\n{call_json(part)}\n{END_OF_CALL}")
            case ToolResult():
                _add(made, _result(part, next(names)))
            case _:
                made.append(part)
    written = evolve(message, role=results if message.role == "tool" else message.role, parts=tuple(made))
    only_results = all(isinstance(part, ToolResult) for part in message.parts)
    return written.with_meta("agentkit", tool_results=True) if only_results else written


def _add(made: list[Part], block: str) -> None:
    """A block on lines of its own, in one text with what was said before it."""
    if made and isinstance(last := made[-1], Text):
        made[-1] = Text(f"{last.text.rstrip()}\n\n{block}" if last.text.strip() else block)
    else:
        made.append(Text(block))


def call_json(call: ToolCall) -> str:
    """The call as the model is told to write it, without any mark of the protocol within."""
    name = json.dumps(call.name, ensure_ascii=False)
    return _MARK.sub(r"\\u003c", f'{{"name": {name}, "arguments": {"{}" if call.broken else call.arguments_json}}}')


def _result(result: ToolResult, name: str) -> str:
    failed = ' status="error"' if result.is_error else ""
    shown = _MARK.sub("&lt;", result.content)
    return f"{RESULT[:-1]} name={json.dumps(name, ensure_ascii=False)}{failed}>\n{shown}\n{END_OF_RESULT}"
