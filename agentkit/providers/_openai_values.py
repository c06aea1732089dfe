"""The JSON values of one OpenAI-style answer, read one after another into chunks. No bytes and no framing.

What a server leaves out or sets to null is read as absent; what has the wrong type where text or calls are due breaks
the format (`Broken`), because guessing there would lose words in silence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agentkit.events import Notice, ReasoningDelta, TextDelta
from agentkit.provider import CallDelta, Chunk, Details, Finish, UsageReport
from agentkit.providers._json import as_dict, as_list, dumps, encodable
from agentkit.usage import FinishReason, Usage

Said = tuple[str, str]
"""Text and reasoning of one value."""

_MOST_TOKENS = 1 << 53
_DETAILS = ("id", "model", "system_fingerprint")
_HELD = range(0xD800, 0xDC00)
REPLACED = "\ufffd"
_MOST_BROKEN = 3
"""Signs that a server makes of the bytes of one character that is not whole."""
_WORDS = ("text", "reasoning")


class Broken(Exception):
    """The value is not what the format promises."""


class _Halves:
    """Joins characters that a server cut into two surrogate escapes, one in each of two values.

    Of a character that a limit of tokens has cut, a server shows U+FFFD: no more than that is kept back.
    """

    __slots__ = ("_held", "replaced")

    def __init__(self) -> None:
        self._held: dict[str | int, str] = {}
        self.replaced = False

    def __bool__(self) -> bool:
        return bool(self._held)

    def whole(self, channel: str | int, text: str) -> str:
        """The part of the channel's text that can be encoded by now."""
        if text.isascii() and not self._held:
            return text
        text = self._held.pop(channel, "") + text
        end = len(text)
        if text and ord(text[-1]) in _HELD:
            end -= 1
        elif channel in _WORDS:
            while end > max(0, len(text) - _MOST_BROKEN) and text[end - 1] == REPLACED:
                end -= 1
        if end < len(text):
            self._held[channel] = text[end:]
        return self._encodable(text[:end])

    def rest(self, *, cut: bool) -> Iterator[tuple[str | int, str]]:
        """What never found its other half; of a reply that was `cut` only what is no text."""
        for channel, text in self._held.items():
            if not cut or channel not in _WORDS:
                yield channel, self._encodable(text)
        self._held.clear()

    def _encodable(self, text: str) -> str:
        clean = encodable(text)
        self.replaced |= clean.count(REPLACED) > text.count(REPLACED)
        return clean


class _Call:
    __slots__ = ("id", "index", "name")

    def __init__(self, index: int) -> None:
        self.index = index
        self.id = ""
        self.name = ""


class _Calls:
    """Tells tool calls apart by whatever the server gives: an index, an id, a name, or only their order."""

    __slots__ = ("_by_id", "_by_index", "_ids", "all")

    def __init__(self) -> None:
        self.all: list[_Call] = []
        self._ids: set[str] = set()
        self._by_id: dict[tuple[int | None, str], _Call] = {}
        self._by_index: dict[int | None, _Call] = {}

    def read(self, wire: Mapping[str, Any], place: int | None) -> CallDelta:
        """One piece of a call; `place` stands in for a missing index. Id and name are reported once per call."""
        index = wire.get("index")
        index = index if isinstance(index, int) else place
        function = as_dict(wire.get("function")) or wire
        wire_id, name = _word(wire.get("id")), _tool_name(_word(function.get("name")))
        call = self._find(index, wire_id, name)
        fresh_id, fresh_name = wire_id if not call.id else "", name if not call.name else ""
        if fresh_id:
            fresh_id = call.id = self._unique(fresh_id, call)
        call.name = call.name or name
        return CallDelta(call.index, fresh_id, fresh_name, _arguments(function.get("arguments")))

    def _find(self, index: int | None, wire_id: str, name: str) -> _Call:
        call = self._by_id.get((index, wire_id)) if wire_id else None
        call = call or self._by_index.get(index)
        if call is None or self._is_another(call, index, wire_id, name):
            call = _Call(len(self.all))
            self.all.append(call)
        self._by_index[index] = self._by_index[None] = call
        if wire_id:
            self._by_id[index, wire_id] = self._by_id[None, wire_id] = call
        return call

    def _is_another(self, call: _Call, index: int | None, wire_id: str, name: str) -> bool:
        """A name begins a call, unless the server repeats index, id and name with every piece."""
        if not name or not call.name or (index, wire_id) in self._by_id:
            return False
        return index is None or bool(wire_id and call.id) or name != call.name

    def without_id(self) -> Iterator[CallDelta]:
        """Ids for the calls that came without one."""
        for call in self.all:
            if not call.id:
                call.id = self._unique("", call)
                yield CallDelta(call.index, call.id)

    def _unique(self, wanted: str, call: _Call) -> str:
        number = call.index
        while not wanted or wanted in self._ids:
            wanted = f"call_{number}"
            number += 1
        self._ids.add(wanted)
        return wanted


class Reader:
    """Reads the values of one answer; `finish` is the last word of the backend on why it stopped, once it came."""

    __slots__ = ("_calls", "_details", "_finish_map", "_names", "_noticed", "_usage", "finish", "halves")

    def __init__(self, names: Sequence[str], finish: Mapping[str, FinishReason]) -> None:
        self._names = names
        self._finish_map = finish
        self._calls = _Calls()
        self._details: dict[str, str] = {}
        self._usage: Usage | None = None
        self._noticed: set[str] = set()
        self.halves = _Halves()
        self.finish: str | None = None

    def read(self, value: Mapping[str, Any], out: list[Chunk]) -> bool:
        """Add what one value says to `out`; False where it has no choices."""
        if len(self._details) < len(_DETAILS):
            self._detail(value)
        if value.get("usage") is not None:
            self._count(value["usage"], out)
        choice = _first(value)
        if choice is None:
            return False
        text, reasoning = said(choice, self._names)
        if reasoning and (reasoning := self.halves.whole("reasoning", reasoning)):
            out.append(ReasoningDelta(reasoning))
        if text and (text := self.halves.whole("text", text)):
            out.append(TextDelta(text))
        self._tools(choice, out)
        if reason := choice.get("finish_reason"):
            self.finish = encodable(reason) if isinstance(reason, str) else "unknown"
        if self.halves.replaced:
            self.notice("half a surrogate pair came alone and was replaced by U+FFFD", out)
        return True

    def end(self, out: list[Chunk], *, whole: bool) -> None:
        """Add what can only be said at the end; `Finish` only where the answer is whole."""
        reason = self._reason()
        for channel, text in self.halves.rest(cut=whole and reason is FinishReason.LENGTH):
            out.append(_piece(channel, text))
        if self.halves.replaced:
            self.notice("half a surrogate pair came alone and was replaced by U+FFFD", out)
        out.extend(self._calls.without_id())
        if self.finish is not None:
            self._details["finish_reason"] = self.finish
        if self._details:
            out.append(Details(self._details))
        if self._usage is not None:
            out.append(UsageReport(self._usage))
        if whole:
            out.append(Finish(reason, self.finish))

    def notice(self, text: str, out: list[Chunk]) -> None:
        """Say it once per answer."""
        if text not in self._noticed:
            self._noticed.add(text)
            out.append(Notice(text))

    def _reason(self) -> FinishReason:
        reason = (
            FinishReason.UNKNOWN if self.finish is None else self._finish_map.get(self.finish, FinishReason.UNKNOWN)
        )
        if self._calls.all and (reason is FinishReason.STOP or self.finish is None):
            return FinishReason.TOOL_CALLS
        return reason

    def _detail(self, value: Mapping[str, Any]) -> None:
        for name in _DETAILS:
            word = value.get(name)
            if isinstance(word, str) and word and name not in self._details:
                self._details[name] = encodable(word)

    def _count(self, value: object, out: list[Chunk]) -> None:
        usage = usage_of(value)
        if usage is None:
            self.notice("the backend's token counts are no counts and were dropped", out)
        else:
            self._usage = usage

    def _tools(self, choice: Mapping[str, Any], out: list[Chunk]) -> None:
        spoken = _spoken(choice)
        given, legacy = spoken.get("tool_calls"), as_dict(spoken.get("function_call"))
        if not (given or legacy):
            return
        calls = as_list(given or [{"index": 0, "function": legacy}])
        if not calls:
            raise Broken("tool_calls is no list")
        for place, wire in enumerate(map(as_dict, calls)):
            if not wire:
                continue
            # the calls of a whole message are listed in order; the pieces of a stream are not
            piece = self._calls.read(wire, place if "message" in choice else None)
            arguments = self.halves.whole(piece.index, piece.arguments)
            if piece.id or piece.name or arguments:
                out.append(CallDelta(piece.index, piece.id, piece.name, arguments))


def said(choice: Mapping[str, Any], names: Sequence[str]) -> Said:
    """Text and reasoning of a choice, as they came."""
    spoken = _spoken(choice)
    # the completion of a text has neither a delta nor a message
    text, thought = _content(spoken.get("content") if spoken else choice.get("text"))
    refusal = spoken.get("refusal")
    if not text and isinstance(refusal, str):
        text = refusal
    thoughts = [thought] if thought else []
    for name in names:
        # some servers put the reasoning beside the message
        found: object = spoken.get(name) or choice.get(name)
        if not found:
            continue
        words = found if isinstance(found, str) else "".join(_content(as_list(found)))
        if words and words not in thoughts:
            thoughts.append(words)
    return text, "".join(thoughts)


def said_first(value: object, names: Sequence[str]) -> Said:
    """Text and reasoning of a whole value."""
    return said(_first(as_dict(value)) or {}, names)


def usage_of(value: object) -> Usage | None:
    """The counts of a `usage` object; None where it holds no counts, or something that is none."""
    wire = as_dict(value)
    given = _count(wire, "prompt_tokens", "input_tokens")
    made = _count(wire, "completion_tokens", "output_tokens")
    thought = _count(as_dict(wire.get("completion_tokens_details")), "reasoning_tokens")
    cached = _count(as_dict(wire.get("prompt_tokens_details")), "cached_tokens")
    if given is made is None or -1 in {given, made, thought, cached}:
        return None
    return Usage(given or 0, made or 0, thought or 0, cached or 0)


def _count(wire: Mapping[str, Any], *names: str) -> int | None:
    """None where there is none, -1 where there is garbage."""
    for name in names:
        match wire.get(name):
            case None:
                pass
            case bool():
                return -1
            case int() | float() as value if 0 <= value < _MOST_TOKENS and value == int(value):
                return int(value)
            case _:
                return -1
    return None


def _first(value: Mapping[str, Any]) -> dict[str, Any] | None:
    """The choice with index 0; where the index is missing, the place in the list stands in for it."""
    for place, choice in enumerate(as_list(value.get("choices"))):
        found = as_dict(choice)
        index = found.get("index")
        if found and (place if index is None else index) == 0:
            return found
    return None


def _spoken(choice: Mapping[str, Any]) -> dict[str, Any]:
    return as_dict(choice.get("delta")) or as_dict(choice.get("message"))


def _content(value: object) -> Said:
    """Text and reasoning of a content field: a text, nothing, or a list of parts."""
    if isinstance(value, str):
        return value, ""
    if value is None:
        return "", ""
    parts = as_list(value)
    if not parts and value != []:
        raise Broken(f"content is of type {type(value).__name__}, not text")
    text = thought = ""
    for part in parts:
        if isinstance(part, str):
            text += part
            continue
        wire = as_dict(part)
        if "thinking" in wire or wire.get("type") in ("thinking", "reasoning"):
            thought += "".join(_content(wire.get("thinking") or wire.get("text")))
        elif isinstance(wire.get("text"), str):
            text += wire["text"]
        else:
            raise Broken(f"a part of type {wire.get('type')!r} is no text")
    return text, thought


def _piece(channel: str | int, text: str) -> Chunk:
    match channel:
        case int():
            return CallDelta(channel, arguments=text)
        case "text":
            return TextDelta(text)
        case _:
            return ReasoningDelta(text)


def _word(value: object) -> str:
    return encodable(value) if isinstance(value, str) else ""


def _tool_name(name: str) -> str:
    """The name without the control tokens that some models leave on it."""
    return name.partition("<|")[0].strip().removeprefix("functions.")


def _arguments(value: object) -> str:
    """The argument text; servers that send the object itself mean its JSON."""
    if value is None or isinstance(value, str):
        return value or ""
    try:
        return dumps(value)
    except ValueError as error:
        raise Broken(f"the arguments of a tool call are no JSON: {error}") from None
