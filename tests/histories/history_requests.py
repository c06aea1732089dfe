"""From a history to the requests that leave for each backend, in the way of the engine, and what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from attrs import evolve, frozen
from history_maker import MARK, QUESTION, Case
from history_rules import RULES, Refused, Wire, check, check_raw

from agentkit._engine.bytewise import BYTES
from agentkit._engine.fitting import Desk, Fitted
from agentkit._engine.history import UNANSWERED, aside, repair
from agentkit._engine.journal import Journal
from agentkit._engine.plan.terms import Summary, Terms
from agentkit.context import ContextPolicy
from agentkit.errors import BadRequest, ContextOverflow, Unsupported
from agentkit.messages import Media, Message, Text, ToolCall, ToolResult, Unknown, system
from agentkit.provider import Adapting, Answered, Call, Capabilities, ChatRequest, Exchanging, Provider, ResponseHead
from agentkit.providers import get_provider
from agentkit.providers.gradient import Gradient
from agentkit.providers.pixigpt import PixiGPT
from agentkit.providers.pixigpt_threads import PixiThreads
from agentkit.store import Record, TurnResumed, TurnStarted
from agentkit.tools import as_text

KEY = "sk-secret-0123456789"
_FREE = Terms(counter=BYTES)
_MOST_SHOWN = 1200
GO_ON = aside("Please go on.")


@frozen(kw_only=True)
class Tool:
    """What a model is told of a tool."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    strict: bool = False


TOOLS = (
    Tool(name="rain", description="Whether it rains.", parameters={"type": "object", "properties": {}}),
    Tool(name="wind", description="", parameters={"type": "object", "properties": {"a": {"type": "integer"}}}),
)
POLICIES = (
    ContextPolicy(max_history=3),
    ContextPolicy(max_pairs=1),
    ContextPolicy(window=900, reserve=100),
    ContextPolicy(window=2500, reserve=100, policy="keep_first_and_last"),
    ContextPolicy(shorten_tool_results=20),
)
SPECIAL: Mapping[str, Provider] = {
    "gradient, role of the system": Gradient(system_role=True, context_pairs=2),
    "gradient, no pairs": Gradient(context_pairs=0),
    "pixigpt, assistant": PixiGPT(api_key=KEY, assistant_id="a", on_system="omit"),
    "pixigpt-threads": PixiThreads(api_key=KEY, on_system="omit"),
}
_IN_TURN = "After the optional system message, conversation roles must alternate user/assistant/user/assistant/..."
REFUSALS: Mapping[str, str] = {
    "vllm, in turn": _IN_TURN,
    "llamacpp, in turn": _IN_TURN,
    "llamacpp, 2025": "Assistant response prefill is incompatible with enable_thinking.",
}
"""What a server has said, after which the provider is another one."""
NAMES = (*RULES, "gradient", *SPECIAL)
NAMES = tuple(dict.fromkeys(NAMES))


@frozen
class Backend:
    """A way to a server."""

    name: str
    provider: Provider
    model: str
    can: Capabilities
    exchanging: Exchanging | None


@cache
def backend(name: str) -> Backend:
    first, _, kind = name.partition(", ")
    made = SPECIAL.get(name) or get_provider(first, api_key=KEY)
    model = "gpt-oss-20b" if kind == "gpt-oss" or name == "gpt-oss" else "any"
    said = REFUSALS.get(name)
    if said is not None:
        assert isinstance(made, Adapting)
        adapted = made.adapted(model, BadRequest(said, status=400))
        assert adapted is not None
        made = adapted[0]
    exchanging = made if isinstance(made, Exchanging) else None
    return Backend(name, made, model, made.capabilities(model), exchanging)


class Projected:
    """What a history comes to, with the memory that a conversation has of its earlier requests."""

    def __init__(self, case: Case) -> None:
        self.journal = Journal()
        self.desk = Desk()
        self.way = case.way
        self.follow(case.records)
        self.follow(case.last)
        self.partial: Message | None = None
        running = self.journal.running
        if case.way == "go on" and running is not None:
            self.partial = running.running()
        if self.partial is not None and not self.partial.text:
            self.partial = None
        self.history = list(self.journal.history)
        self.fitted: tuple[object, Fitted] | None = None
        """The messages of the last request, and what it had to keep to."""

    def follow(self, records: Sequence[Record]) -> None:
        """Each turn looks at the history when its requests are made, and remembers that."""
        for record in records:
            self.journal.apply(record)
            if isinstance(record, TurnStarted | TurnResumed):
                self.desk.bytes_of(_FREE, self.journal.history)


def wrong(case: Case, names: Sequence[str], *, number: int = 0) -> str | None:
    """What is wrong with this history, in words; None where all is well."""
    seen = Projected(case)
    if seen.journal.running is None:
        return None  # shrunk so far that nothing is asked any more
    return _wrong_repair(seen, anew=number % 4 == 0) or next(
        (said for name in names if (said := _wrong_request(seen, backend(name), number)) is not None), None
    )


# --- repair


def _wrong_repair(seen: Projected, *, anew: bool) -> str | None:
    given = seen.history
    before = [(message, message.role, message.parts) for message in given]
    fit = repair(given)
    if repair(given) != fit:
        return "repair: not the same twice"
    if any(one is not other for one, other in zip(fit, repair(fit), strict=True)):
        return "repair: changes what is right"
    if any(message.role != role or message.parts is not parts for message, role, parts in before):
        return "repair: changed a message of the history"
    if [*seen.journal.history] != given:
        return "repair: changed the history"
    if anew and repair([Message(message.role, message.parts, message.meta) for message in given]) != fit:
        return "repair: depends on what is remembered"
    seen.desk.bytes_of(_FREE, seen.journal.history)
    outline = seen.desk._outline
    if outline.messages(0, len(outline)) != fit:
        return "outline: not what repair makes of the whole"
    return None


# --- one request


def _wrong_request(seen: Projected, taker: Backend, number: int) -> str | None:
    policy = POLICIES[number // 16 % len(POLICIES)] if number % 16 == 0 else None
    tools = TOOLS if number % 2 else ()
    begun = seen.partial is not None and taker.can.prefix
    extra: tuple[Message, ...] = () if seen.partial is None else (seen.partial,)
    if extra and not begun:
        extra = (*extra, GO_ON)
    try:
        fitted = _fitted(seen, taker, policy, extra)
        messages = fitted.messages
        if tools and not taker.can.tools:
            messages = as_text(messages)
        request = ChatRequest(
            model=taker.model,
            messages=messages,
            stream=taker.can.stream,
            prefix=begun,
            tools=tools if taker.can.tools else (),
        )
        if seen.partial is not None and taker.can.raw:
            own = evolve(request, messages=messages[: len(messages) - len(extra) + 1], tools=())
            if (said := _wrong_raw(seen, taker, own)) is not None:
                return said
        body = sent(taker, request)
    except Unsupported as error:
        return None if _has_media([*seen.history, *extra]) else f"{taker.name}: {error}"
    except ContextOverflow as error:
        room = taker.can.window if policy is None else 0
        much = room is not None and sum(len(repr(message.parts)) for message in (*seen.history, *extra)) > room // 2
        return None if much else f"{taker.name}: {error}"
    if begun and seen.partial is not None and _cleaned(seen.partial.text):
        begun = (
            json.loads(body)["messages"][-1]["role"] == "assistant"
        )  # of tokens alone, there is nothing to go on from
    try:
        wires = check(taker.name, body, begun=begun)
    except Refused as error:
        return f"{taker.name}: {error}"
    if MARK.encode() in body or b'"meta"' in body or b"interrupted" in body:
        return f"{taker.name}: what belongs to another backend"
    if fitted.plan is not None and (fitted.plan.manifest.excluded or fitted.plan.manifest.shortened):
        return _wrong_end(seen, wires, taker)
    return _wrong_end(seen, wires, taker) or _wrong_words(seen, wires, taker, as_words=bool(tools))


def _wrong_raw(seen: Projected, taker: Backend, request: ChatRequest) -> str | None:
    """The same as one text, for servers that complete texts; what holds more than texts is refused here."""
    try:
        prompt = check_raw(taker.provider.encode(evolve(request, prefix=True, raw=True)).body)
    except Unsupported:
        return None
    except Refused as error:
        return f"{taker.name}, as a text: {error}"
    said = seen.partial is not None and plain(seen.partial.text.replace("<|", "<\u200b|"))
    return None if said and prompt.endswith(said) else f"{taker.name}, as a text: the reply that has begun is lost"


def _fitted(seen: Projected, taker: Backend, policy: ContextPolicy | None, extra: tuple[Message, ...]) -> Fitted:
    key = (policy, taker.can.window, taker.can.max_pairs, extra)
    if seen.fitted is not None and seen.fitted[0] == key:
        return seen.fitted[1]
    journal = seen.journal
    terms = Terms(
        counter=BYTES,
        policy=ContextPolicy() if policy is None else policy,
        window=taker.can.window,
        max_pairs=taker.can.max_pairs,
        system=system(journal.system) if journal.system else None,
        extra=extra,
        summary=None if journal.summary is None else Summary(*journal.summary),
    )
    desk = seen.desk
    desk._plan = desk._before = None  # that of another backend
    seen.fitted = key, desk.fit(terms, journal.history)
    return seen.fitted[1]


def _has_media(messages: Sequence[Message]) -> bool:
    return any(isinstance(part, Media | Unknown) for message in messages for part in message.parts)


def sent(taker: Backend, request: ChatRequest) -> bytes:
    """The body that leaves."""
    return taker.provider.encode(request).body if taker.exchanging is None else exchanged(taker.exchanging, request)


def exchanged(provider: Exchanging, request: ChatRequest) -> bytes:
    """All that a thread is given before its run, as one body."""
    said: list[Wire] = []
    rounds = provider.exchange(request)
    run = json.dumps({"id": "new", "status": "completed", "message": {"id": "m", "content": "ok"}}).encode()
    step = next(rounds)
    with suppress(StopIteration):
        while True:
            if not isinstance(step, Call):
                step = next(rounds)
                continue
            posted = json.loads(step.request.body or b"{}")
            said += posted.get("messages", [posted] if "role" in posted else [])
            step = rounds.send(Answered(ResponseHead(200, {}), run, 0.0))
    return json.dumps({"messages": said}, ensure_ascii=False).encode()


# --- what was said


def _wrong_end(seen: Projected, wires: Sequence[Wire], taker: Backend) -> str | None:
    """The last words are those that ask for the reply."""
    last = wires[-1]
    if seen.partial is not None:
        wanted = plain(seen.partial.text) if taker.can.prefix else GO_ON.text
        if not _cleaned(wanted) and wanted not in _text(last):
            return f"{taker.name}: the reply that has begun is lost"
    elif seen.way == "ask" and QUESTION not in _text(last):
        return f"{taker.name}: the question is lost"
    return None


def _wrong_words(seen: Projected, wires: Sequence[Wire], taker: Backend, *, as_words: bool) -> str | None:
    """Nothing that was said or answered is lost, and all of it is in its order."""
    spoken = {role: "\n".join(_text(wire) for wire in wires if wire["role"] == role) for role in ("user", "assistant")}
    place = {"user": 0, "assistant": 0}
    heard = seen.history if taker.can.max_pairs is None else seen.history[_first_question(seen.history) :]
    for message in heard:
        if message.role not in place or not message.text.strip():
            continue
        text = plain(message.text)
        if message.role == "assistant" and (_cleaned(text) or message.tool_calls):
            continue
        for piece in [plain(part.text) for part in message.parts if isinstance(part, Text) and part.text.strip()]:
            found = spoken[message.role].find(piece, place[message.role])
            if found < 0:
                return f"{taker.name}: lost {piece!r:.80} of the {message.role}"
            place[message.role] = found + len(piece)
    if taker.name in RULES:
        wanted, there = _answers(seen.history), _answers_in(wires)
        if wanted != there:
            return f"{taker.name}: results {there!r:.300} instead of {wanted!r:.300}"
    return None


def _first_question(history: Sequence[Message]) -> int:
    """Backends that count questions may leave out what comes before the first of them."""
    return next((place for place, message in enumerate(history) if message.role == "user"), 0)


def _answers(history: Sequence[Message]) -> list[str]:
    """What the calls were answered, by a reading of the history that owes nothing to repair."""
    made: list[str] = []
    waiting: list[str] = []
    answers: list[str | None] = []

    def close() -> None:
        made.extend(UNANSWERED if answer is None else plain(answer) for answer in answers)
        waiting.clear()
        answers.clear()

    for message in history:
        for part in message.parts:
            if isinstance(part, ToolResult):
                free = [at for at, name in enumerate(waiting) if name == part.call_id and answers[at] is None]
                if free:
                    answers[free[0]] = part.content
        if any(not isinstance(part, ToolResult) for part in message.parts):
            close()
        for part in message.parts:
            if isinstance(part, ToolCall):
                waiting.append(part.id)
                answers.append(None)
    close()
    return made


def _answers_in(wires: Sequence[Wire]) -> list[str]:
    """The same of a request, by the order of the calls."""
    results = {wire["tool_call_id"]: wire["content"] for wire in wires if wire["role"] == "tool"}
    return [results[call["id"]] for wire in wires for call in wire.get("tool_calls", ())]


def _text(wire: Wire) -> str:
    content = wire["content"]
    return content if isinstance(content, str) else "\n".join(part.get("text", "") for part in content)


def _cleaned(text: str) -> bool:
    """Some backends take the tokens of a model out of it."""
    return "<|" in text


def plain(text: str) -> str:
    """As it can be encoded."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


# --- the smallest history that is wrong in the same way


def shrunk(case: Case, names: Sequence[str], number: int, *, most: int = 400) -> Case:
    """The case without the records that it does not take."""
    kind = _kind(wrong(case, names, number=number))
    size = max(len(case.records) // 2, 1)
    for _ in range(most):
        smaller = next(
            (
                candidate
                for start in range(0, len(case.records), size)
                if _still(candidate := evolve(case, records=_without(case, start, size)), names, number, kind)
            ),
            None,
        )
        if smaller is not None:
            case = smaller
        elif size == 1:
            break
        else:
            size //= 2
    return case


def _without(case: Case, start: int, size: int) -> tuple[Record, ...]:
    return (*case.records[:start], *case.records[start + size :])


def _still(case: Case, names: Sequence[str], number: int, kind: str | None) -> bool:
    return _kind(wrong(case, names, number=number)) == kind


def _kind(said: str | None) -> str | None:
    return None if said is None else said[:30]


def story(case: Case) -> str:
    """The records, one a line, as they can be typed."""
    lines = (f"    {record!r}," for record in (*case.records, *case.last))
    return "\n".join(line if len(line) < _MOST_SHOWN else f"{line[:_MOST_SHOWN]} ..." for line in lines)
