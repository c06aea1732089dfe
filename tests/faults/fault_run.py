"""One fault over one runtime and one mode: play it, watch everything that comes out, and judge it."""

from __future__ import annotations

import logging
import re
import threading
import time
import traceback
from collections.abc import Sequence
from itertools import count
from typing import Any, Literal

from attrs import astuple, define, evolve, field, frozen
from fault_server import ELSEWHERE, KEY, KEY_MARK, FaultServer, Play, Script, free_port
from fault_wire import GOOD, HEALTHY_DOCUMENT, HEALTHY_STREAM, TEXT
from scenarios import RUNTIMES, Opener, play

from agentkit import AgentKitError, Continuation, Limits, Outcome, RetryPolicy, TextDelta, Timeouts, TurnFinished
from agentkit.codec import encode_record, messages_to_json
from agentkit.messages import Message
from agentkit.provider import Capabilities
from agentkit.providers.openai_chat import Dialect, OpenAIChat
from agentkit.stores.memory import MemoryStore

Mode = Literal["streamed", "plain"]
MODES: tuple[Mode, ...] = ("streamed", "plain")
WALL = 40.0
"""Seconds after which a run counts as a hang; the limits given to the conversation are far below."""

PATIENT = Timeouts(connect=20, first_byte=20, idle=20, total=30)
HASTY = Timeouts(connect=1, first_byte=0.5, idle=0.4, total=2)
FIRM = Timeouts(connect=5, first_byte=5, idle=0.4, total=6)
"""For what must succeed although the server stalls."""
RETRY = RetryPolicy(max_attempts=3, base_delay=0.01, max_delay=0.05)
ODD_NUMBER = re.compile(r"\d\.\d{4,}")
"""What no person would write, such as 0.399896 seconds."""
AS_IT_IS = Continuation(max_attempts=0)
"""A reply that is cut stays so: each fault is looked at by itself."""
_keys = count(1)


@frozen(kw_only=True)
class Expect:
    """What a turn may come to: the whole text, or one of these errors with this much text kept."""

    text: str | None = None
    outcome: Outcome = Outcome.COMPLETE
    calls: tuple[tuple[str, str], ...] = ()
    """Name and JSON arguments of the tool calls; arguments that cannot be read are an empty object."""
    errors: tuple[type[AgentKitError], ...] = ()
    partial: str | None = ""
    """What was delivered before the error; None where that depends on timing: any beginning of `whole`."""
    whole: str = TEXT
    requests: tuple[int, ...] = (1,)
    """How many requests the server may see."""
    lasts: tuple[float, float] = (0.0, WALL)
    """Seconds that the turn takes, at least and at most."""


def gives(text: str = TEXT, *, requests: int = 1, **more: Any) -> Expect:
    return Expect(text=text, requests=(requests,), **more)


def fails(*errors: type[AgentKitError], partial: str | None = "", requests: int = 1, **more: Any) -> Expect:
    return Expect(errors=errors, partial=partial, requests=(requests,), **more)


@frozen(kw_only=True)
class Fault:
    """One row of the table."""

    name: str
    streamed: Script
    expect: Expect
    plain: Script
    expect_plain: Expect
    timeouts: Timeouts = PATIENT
    limits: Limits = Limits()
    retry: RetryPolicy = RETRY
    warm: bool = False
    """The fault meets a connection that has served a turn before."""
    dead: bool = False
    """The server closes that connection before the turn begins."""
    repeatable: bool = False
    """The backend allows a request to be sent again."""
    address: str = "http://{here}/v1"

    def of(self, mode: Mode) -> tuple[Script, Expect]:
        return (self.streamed, self.expect) if mode == "streamed" else (self.plain, self.expect_plain)


def row(
    name: str,
    play: Play | Script | Sequence[Play],
    expect: Expect,
    *,
    plain: Play | Script | Sequence[Play] | None = None,
    plain_expect: Expect | None = None,
    **settings: Any,
) -> Fault:
    """A row; what is said of the streamed mode holds for the plain one, unless it is said apart."""
    streamed = _script(play)
    return Fault(
        name=name,
        streamed=streamed,
        expect=expect,
        plain=streamed if plain is None else _script(plain),
        expect_plain=plain_expect or expect,
        **settings,
    )


def _script(given: Play | Script | Sequence[Play]) -> Script:
    match given:
        case Script():
            return given
        case list():
            return Script(tuple(given))
        case _:
            return Script((given,))  # type: ignore[arg-type]


@define
class Verdict:
    """What a run came to."""

    fault: str
    runtime: str
    mode: str
    kind: str = "hang"
    """text, error, wrong text, untyped error, or hang."""
    detail: str = ""
    complaints: list[str] = field(factory=list)
    leaks: int = 0
    seconds: float = 0.0

    @property
    def is_good(self) -> bool:
        return not self.complaints

    def __str__(self) -> str:
        return f"{self.runtime} {self.mode}: {self.kind} ({self.detail}): " + "; ".join(self.complaints)


class _Ears(logging.Handler):
    """Hears every log record of the process at DEBUG, and keeps those that hold a key."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        if record.name.startswith("httpcore") and text.startswith("receive_response"):
            return  # what the server sent, written down by the layer below before agentkit has seen it
        if KEY_MARK in text:
            self.heard.append(text)


EARS = _Ears()
"""Put at the root logger by whoever runs faults."""


def run_all(fault: Fault, runtimes: Sequence[str] = RUNTIMES, modes: Sequence[Mode] = MODES) -> list[Verdict]:
    """The fault over all runtimes and modes at the same time."""
    verdicts = [Verdict(fault.name, runtime, mode) for mode in modes for runtime in runtimes]
    threads = [threading.Thread(target=_run, args=(fault, verdict), daemon=True) for verdict in verdicts]
    end = time.monotonic() + WALL
    for thread in threads:
        thread.start()
    for thread, verdict in zip(threads, verdicts, strict=True):
        thread.join(max(0.0, end - time.monotonic()))
        if thread.is_alive():
            verdict.complaints.append(f"not over after {WALL:g} seconds")
    return verdicts


def _run(fault: Fault, verdict: Verdict) -> None:
    began = time.monotonic()
    try:
        _watch(fault, verdict)
    except BaseException as error:
        verdict.kind, verdict.detail = "untyped error", repr(error)
        verdict.complaints.append("".join(traceback.format_exception(error))[-1500:])
    verdict.seconds = time.monotonic() - began


def _watch(fault: Fault, verdict: Verdict) -> None:
    mode: Mode = "streamed" if verdict.mode == "streamed" else "plain"
    script, _ = fault.of(mode)
    healthy = HEALTHY_STREAM if mode == "streamed" else HEALTHY_DOCUMENT
    key = f"{KEY_MARK}{next(_keys):06d}-end"
    with FaultServer(script, healthy) as server, FaultServer(Script((healthy,)), healthy) as elsewhere:
        server.places.update({KEY: key.encode(), ELSEWHERE: b"127.0.0.1:%d" % elsewhere.port})
        run = _Run(fault, mode, verdict, server, key)
        play(verdict.runtime, run.scenario)
        if elsewhere.received or elsewhere.connections:
            verdict.complaints.append(f"{elsewhere.received} bytes went to another origin")


class _Run:
    """One run: the turn that meets the fault, and the turn after it."""

    def __init__(self, fault: Fault, mode: Mode, verdict: Verdict, server: FaultServer, key: str) -> None:
        self.fault = fault
        self.verdict = verdict
        self.server = server
        self.key = key
        self.store = MemoryStore()
        self.expect = fault.of(mode)[1]
        capabilities = Capabilities(stream=mode == "streamed", repeatable=fault.repeatable)
        url = fault.address.format(here=f"127.0.0.1:{server.port}", port=server.port, closed=free_port())
        self.provider = OpenAIChat(base_url=url, api_key=key, dialect=Dialect(capabilities=capabilities), name="faulty")
        self.events: list[Any] = []
        self.traces: list[str] = []

    def complain(self, what: str) -> None:
        self.verdict.complaints.append(what)

    async def scenario(self, open_chat: Opener) -> None:
        fault = self.fault
        settings = {
            "continuation": AS_IT_IS,
            "timeout": fault.timeouts,
            "limits": fault.limits,
            "retry": fault.retry,
            "store": self.store,
        }
        async with open_chat(self.provider, name="talk", **settings) as chat:
            if fault.warm:
                await self._warm_up(chat)
            before = self.server.requests
            began = time.monotonic()
            await self._turn(chat)
            self._judge_time(time.monotonic() - began)
            self._judge_events()
            if (seen := self.server.requests - before) not in self.expect.requests:
                self.complain(f"the server saw {seen} requests, not {self.expect.requests}")
            self.server.recover()
        await self._next_turn(open_chat, settings)
        self._search_for_key()

    def _judge_time(self, took: float) -> None:
        least, most = self.expect.lasts
        if not least <= took <= most:
            self.complain(f"the turn took {took:.2f} seconds")

    def _judge_events(self) -> None:
        ends = [event for event in self.events if isinstance(event, TurnFinished)]
        if len(ends) != 1 or self.events[-1] is not ends[0]:
            self.complain(f"not the end, once, at the end: {self.events[-3:]!r}")
            return
        reply = ends[0].reply
        counts = astuple(reply.usage)
        if not all(isinstance(count, int) and count >= 0 for count in counts):
            self.complain(f"the usage is {reply.usage!r}")
        _ = messages_to_json(reply.messages).encode()

    async def _warm_up(self, chat: Any) -> None:
        self.server.well = True
        await chat.send("Are you there?")
        self.server.well = False
        if self.fault.dead:
            self.server.hang_up()

    async def _turn(self, chat: Any) -> None:
        turn = chat.stream("What does the fox do?")
        try:
            async with turn:
                async for event in turn:
                    self.events.append(event)
        except AgentKitError as error:
            self._judge_error(chat, error)
        except Exception as error:
            self.verdict.kind, self.verdict.detail = "untyped error", repr(error)
            self.complain("".join(traceback.format_exception(error))[-1500:])
        else:
            self._judge_reply(chat, turn.reply)

    @property
    def _delivered(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    def _judge_reply(self, chat: Any, reply: Any) -> None:
        self.verdict.kind, self.verdict.detail = "text", repr(reply.text[:80])
        expect = self.expect
        if expect.text is None or reply.text != expect.text or self._delivered != reply.text:
            self.verdict.kind = "wrong text"
            self.complain(f"the reply is {reply.text[:200]!r}, delivered was {self._delivered[:200]!r}")
        calls = tuple((call.name, call.arguments_json) for call in reply.message.tool_calls)
        if calls != expect.calls:
            self.complain(f"the calls are {calls!r}")
        if reply.outcome is not expect.outcome:
            self.complain(f"the outcome is {reply.outcome}")
        if reply.message.parts and (chat.messages[-1] != reply.message or chat.messages[-1].interrupted):
            self.complain(f"in history stands {chat.messages[-1]!r}")
        self.traces += [repr(reply), str(reply)]

    def _judge_error(self, chat: Any, error: AgentKitError) -> None:
        self.verdict.kind, self.verdict.detail = "error", f"{type(error).__name__}: {error}"
        expect, words = self.expect, str(error)
        if not isinstance(error, expect.errors) or type(error) not in expect.errors:
            self.complain(f"unexpected {type(error).__name__}: {words}")
        if not words.strip() or len(words.splitlines()) != 1 or len(words) > 800 or ODD_NUMBER.search(words):
            self.complain(f"the message is not one line for people: {words!r}")
        kept = error.reply
        if kept is None:
            self.complain("no reply on the error")
            return
        self._judge_kept(chat, kept)
        facts = " ".join(f"{name}={value!r}" for name, value in vars(error).items())
        trace = "".join(traceback.format_exception(error))
        self.traces += [words, repr(error), trace, facts, repr(kept), str(kept)]

    def _judge_kept(self, chat: Any, kept: Any) -> None:
        delivered, expect = self._delivered, self.expect
        if kept.text != delivered:
            self.complain(f"the error holds {kept.text[:200]!r}, delivered was {delivered[:200]!r}")
        right = expect.whole.startswith(delivered) if expect.partial is None else delivered == expect.partial
        if not right:
            self.complain(f"delivered was {delivered[:200]!r}")
        last: Message = chat.messages[-1]
        if delivered and not (last.role == "assistant" and last.text == delivered and last.interrupted):
            self.complain(f"in history stands {last!r}")
        if not kept.message.parts and last.role != "user":
            self.complain(f"nothing was received, but in history stands {last!r}")

    async def _next_turn(self, open_chat: Opener, settings: dict[str, Any]) -> None:
        """A conversation goes on after whatever happened, also when it is opened anew from its store."""
        port = self.server.port
        provider = evolve(self.provider, base_url=f"http://127.0.0.1:{port}/v1")
        async with open_chat(provider, name="talk", **{**settings, "timeout": PATIENT, "limits": Limits()}) as chat:
            try:
                if self.verdict.kind == "error":
                    self._judge_next(await chat.resume(), chat.messages[:-1], chat, begun=self._delivered)
                before = chat.messages
                self._judge_next(await chat.send("And now?"), before, chat)
            except Exception as error:
                self.complain(f"the next turn failed: {error!r}")

    def _judge_next(self, reply: Any, before: tuple[Message, ...], chat: Any, *, begun: str = "") -> None:
        """A reply that had begun goes on: the server, which knows nothing of that, says its words after it."""
        whole = reply.text.startswith(begun) and reply.text[len(begun) :].strip() == GOOD
        if not whole or reply.outcome is not Outcome.COMPLETE or chat.messages[: len(before)] != before:
            self.complain(f"the next turn gave {reply.text[:200]!r}")

    def _search_for_key(self) -> None:
        records = [entry.record for entry in self.store.read("talk")]
        places = {
            "the error or the reply": "\n".join(self.traces),
            "an event": "\n".join(map(repr, self.events)),
            "a stored record": "\n".join([*map(repr, records), *map(str, map(encode_record, records))]),
            "the provider": repr(self.provider),
            "a log record": "\n".join(EARS.heard),
        }
        for place, text in places.items():
            if self.key in text:
                self.verdict.leaks += 1
                at = text.index(self.key)
                self.complain(f"the key is in {place}: ...{text[max(0, at - 120) : at + 40]!r}")
