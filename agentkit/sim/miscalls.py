"""What goes wrong with calls before they are written, on every wire alike, in fields and in words. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from attrs import evolve

from agentkit.sim.in_words import written
from agentkit.sim.plan import Fault
from agentkit.sim.talk import Call, Reply

_HOWS = frozenset({"cut", "garbled", "blank", "misnamed"})
_CALLED = re.compile(r'<tool_call>\n\{"name": ("[^"\n]*")(?:, "arguments": (.*))?\}\n</tool_call>')


def miscalled(reply: Reply, faults: Iterable[Fault]) -> Reply:
    """The reply with what these faults make of its calls."""
    hows = _HOWS & {fault.how for fault in faults if fault.kind == "spoil"}
    if not hows:
        return reply
    calls = tuple(_spoilt(call, hows) for call in reply.calls)
    return evolve(reply, calls=calls, text=_CALLED.sub(lambda found: _rewritten(found, hows), reply.text))


def _rewritten(found: re.Match[str], hows: frozenset[str]) -> str:
    return written([_spoilt(Call("", json.loads(found[1]), found[2] or ""), hows)])


def _spoilt(call: Call, hows: frozenset[str]) -> Call:
    name, arguments = call.name, call.arguments
    if "misnamed" in hows:
        name = f"no_such_{name}"
    if "garbled" in hows:
        arguments = arguments.replace('"', "'")[:-1] + ",}"
    if "cut" in hows:
        arguments = arguments[: max(1, len(arguments) * 2 // 3)]
    if "blank" in hows:
        arguments = ""
    return Call(call.id, name, arguments)
