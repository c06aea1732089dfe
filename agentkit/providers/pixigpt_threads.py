"""PixiGPT's threads: the service holds the conversation, and an assistant answers in runs that are waited for.

A reply remembers its thread and its own place there. The next turn goes on in that thread where nothing else was said
since; otherwise (a fork, an edit, a history from another backend) a new thread is given the history first. There is no
stream, and no way to cancel a run: who stops waiting leaves it to the service.

Instructions that are to be sent go into the thread, in front of the user's words: at its beginning, and again where
they have changed since, which a digest beside the ids tells.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, NoReturn, cast
from urllib.parse import quote

from attrs import Attribute, Factory, field, frozen

from agentkit.errors import InvalidInput, JobFailed, ProtocolError, ProviderError, Unsupported
from agentkit.events import Notice, ReasoningDelta, TextDelta
from agentkit.messages import Message
from agentkit.options import Options
from agentkit.provider import (
    Answered,
    Capabilities,
    ChatRequest,
    Decoder,
    Details,
    Finish,
    HTTPRequest,
    ResponseHead,
    Rounds,
    Wait,
    ask,
)
from agentkit.providers._errors import Facts
from agentkit.providers._json import as_dict, as_list, dumps, loads, utf8
from agentkit.providers._openai_dialect import Dialect
from agentkit.providers._openai_tools import shape_settings, tool_settings
from agentkit.providers._plain_text import fold, merged, wires_of
from agentkit.providers._switch import thinking_switch
from agentkit.providers.openai_chat import shown_url
from agentkit.providers.pixigpt import THINKING_FLOOR, URL, OnSystem, PixiGPT, check_on_system, raised, split_thinking
from agentkit.usage import FinishReason

__all__ = ["PixiThreads", "pixigpt_threads"]

_LATEST = 20
_MOST_TAKEN = 1000
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 5.0
_OVER = ("failed", "cancelled")
_ACCENT = Dialect(capabilities=Capabilities(tools=False, json_mode=False))
_LACKS = ("top_p", "stop", "seed", "presence_penalty", "frequency_penalty")


def _positive(instance: object, attribute: Attribute[float], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise InvalidInput(f"{attribute.name} is a number of seconds above 0, not {value!r}")


def _chat_of(provider: PixiThreads) -> PixiGPT:
    return PixiGPT(base_url=provider.base_url, api_key=provider.api_key, name=provider.name)


@frozen(kw_only=True)
class PixiThreads:
    """The service with one of its assistants, whose id is the name of the model."""

    base_url: str = field(default=URL, repr=lambda url: repr(shown_url(url)))
    api_key: str | None = field(default=None, repr=False)
    model: str = ""
    """The assistant of a conversation that is given this value."""
    on_system: OnSystem = field(default="refuse", validator=check_on_system)
    """What to do with instructions of the conversation, since the assistant has its own: refuse them, omit them, or
    send them in front of the user's words."""
    enable_thinking: bool = True
    """Where the options say nothing of `reasoning_effort`."""
    deadline: float = field(default=600.0, validator=_positive)
    """Seconds that a run may take."""
    name: str = "pixigpt-threads"
    _chat: PixiGPT = field(init=False, repr=False, eq=False, default=Factory(_chat_of, takes_self=True))
    _taken: dict[tuple[str, str], object] = field(
        init=False, repr=False, eq=False, factory=dict[tuple[str, str], object]
    )
    """From where a thread was gone on: two forks may find it untouched at once, and only one may have it."""

    def capabilities(self, model: str, /) -> Capabilities:
        return Capabilities(
            stream=False,
            tools=False,
            parallel_tools=False,
            tool_choice=False,
            system_role=False,
            reasoning_in=False,
            usage=False,
            json_mode=False,
            min_output=THINKING_FLOOR if self.enable_thinking else None,
        )

    def encode(self, request: ChatRequest, /) -> NoReturn:
        """There is no single request: see `exchange`."""
        raise Unsupported(f"{self.name} answers in several requests")

    def decoder(self, head: ResponseHead, /, *, max_line: int) -> Decoder:
        """Reads what the chat of the same service writes."""
        return self._chat.decoder(head, max_line=max_line)

    def decode_error(self, head: ResponseHead, body: bytes, /) -> ProviderError:
        """The error that a refusal is."""
        return self._chat.decode_error(head, body)

    def exchange(self, request: ChatRequest, /) -> Rounds[None]:
        """Bring the thread up to date, start a run, wait for it, and read the reply.

        Raises:
            JobFailed: the run failed, was cancelled, or was not over at the deadline.
        """
        run_settings = yield from self._settings(request)
        told = _instructions(request.messages) if self.on_system == "send" else ""
        place, thread = yield from self._thread(request.messages)
        known = request.messages[place - 1].meta[self.name].get("instructions") if place else None
        digest = _digest(told)
        yield from self._post(thread, request.messages[place:], told if digest != known else "")
        run_id = yield from self._made("run", f"/threads/{quote(thread, '')}/runs", run_settings)
        run = yield from self._finished(thread, run_id)
        message = as_dict(run.get("message")) or (yield from self._reply_of(thread))
        yield from _told(message, thread, run, digest)

    def _settings(self, request: ChatRequest) -> Rounds[dict[str, Any]]:
        options = request.options
        if request.prefix:
            raise Unsupported(f"{self.name} cannot go on from the beginning of a reply")
        if any(message.role == "system" for message in request.messages):
            if self.on_system == "refuse":
                raise InvalidInput(
                    f"the assistant {request.model!r} has its own instructions: leave out those of the conversation "
                    "(tools need some), or make PixiThreads with on_system='send' or on_system='omit'"
                )
            if self.on_system == "omit":
                yield Notice(f"instructions were left out: the assistant {request.model!r} has its own")
        for lacking in _LACKS:
            if getattr(options, lacking) not in (None, ()):
                yield Notice(f"the backend has no setting {lacking}; it was left out")
        yield from (*tool_settings(request, _ACCENT)[1], *shape_settings(request, _ACCENT)[1])
        thinks, told = thinking_switch(options, default=self.enable_thinking)
        yield from (*told, *raised(options, thinks=thinks))
        return {"assistant_id": request.model, "enable_thinking": thinks, **_sampling(options), **options.extra}

    def _thread(self, messages: Sequence[Message]) -> Rounds[tuple[int, str]]:
        """The thread to go on in, and how many of the messages it holds already."""
        place, known = _last_known(messages, self.name)
        if known is not None:
            latest = yield from self._latest(known["thread_id"])
            if latest.get("id") == known["message_id"] and self._takes(known["thread_id"], known["message_id"]):
                return place, known["thread_id"]
        return 0, (yield from self._made("thread", "/threads", {}))

    def _takes(self, thread: str, message: str) -> bool:
        """Whether nobody in this process has gone on from there; in one step, for threads."""
        if len(self._taken) >= _MOST_TAKEN:
            self._taken.clear()
        mine = object()
        return self._taken.setdefault((thread, message), mine) is mine

    def _latest(self, thread: str) -> Rounds[dict[str, Any]]:
        """The newest message of a thread; nothing where the thread is gone."""
        try:
            listed = yield from self._send("GET", f"/threads/{quote(thread, '')}/messages?limit=1")
        except ProviderError as error:
            if error.status not in (400, 404):
                raise
            return {}
        return as_dict(next(iter(as_list(listed.get("data"))), None))

    def _post(self, thread: str, messages: Sequence[Message], told: str) -> Rounds[None]:
        spoken = merged(wires_of([message for message in messages if message.role != "system"], self.name))
        if told:
            fold(told, spoken)
        texts = [{"role": wire["role"], "content": wire["content"]} for wire in spoken]
        path = f"/threads/{quote(thread, '')}/messages"
        if len(texts) == 1:
            yield from self._send("POST", path, texts[0])
        elif texts:
            yield from self._send("POST", f"{path}/bulk", {"messages": texts})

    def _finished(self, thread: str, run_id: str) -> Rounds[dict[str, Any]]:
        """Ask after the run until it is over; a status that is not known counts as not yet."""
        path = f"/threads/{quote(thread, '')}/runs/{quote(run_id, '')}"
        began: float | None = None
        pause = _FIRST_PAUSE
        while True:
            answered = yield from self._ask("GET", path)
            run = self._object_in(answered, path)
            began = answered.now if began is None else began
            status = run.get("status")
            if status == "completed":
                return run
            if status in _OVER:
                raise self._job_failed(answered, f"the run of the assistant {status}", run, str(status))
            if answered.now - began > self.deadline:
                what = f"the run was still {status!r} after {self.deadline:g} seconds"
                raise self._job_failed(answered, what, run, "deadline")
            yield Wait(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)

    def _reply_of(self, thread: str) -> Rounds[dict[str, Any]]:
        """The newest message of the assistant, where an older server does not put it into the run."""
        listed = yield from self._send("GET", f"/threads/{quote(thread, '')}/messages?limit={_LATEST}")
        said = (each for each in map(as_dict, as_list(listed.get("data"))) if each.get("role") == "assistant")
        found = next(said, None)
        if found is None:
            raise ProtocolError("the run is completed, but the thread holds no reply")
        return found

    def _made(self, what: str, path: str, body: Mapping[str, Any]) -> Rounds[str]:
        """The id of something new."""
        answered = yield from self._ask("POST", path, body)
        found = self._object_in(answered, path).get("id")
        if not isinstance(found, str) or not found:
            raise self._chat.errors.protocol(answered.head, f"the {what} that was made has no id", _text_in(answered))
        return found

    def _send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Rounds[dict[str, Any]]:
        return self._object_in((yield from self._ask(method, path, body)), path)

    def _object_in(self, answered: Answered, path: str) -> dict[str, Any]:
        text = _text_in(answered)
        value: object = None
        with suppress(ValueError):
            value = loads(text)
        if not isinstance(value, dict):
            raise self._chat.errors.protocol(answered.head, f"the answer to {path} is no JSON object", text)
        return cast("dict[str, Any]", value)

    def _job_failed(self, answered: Answered, what: str, run: dict[str, Any], code: str) -> JobFailed:
        told = Facts.of({"error": run.get("error") or run.get("last_error")}).words
        return self._chat.errors.job_failed(answered.head, what, told, code=code)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Rounds[Answered]:
        wire = HTTPRequest(
            method=method,
            url=f"{self._chat.base_url}{path}",
            headers=self._chat.headers_for("application/json"),
            body=b"" if body is None else utf8(dumps(body)),
            repeatable=method == "GET",
        )
        return (yield from ask(wire))


def pixigpt_threads(base_url: str | None, api_key: str | None) -> PixiThreads:
    """The service under this key."""
    return PixiThreads(base_url=base_url or URL, api_key=api_key)


def _sampling(options: Options) -> dict[str, Any]:
    given = {"temperature": options.temperature, "max_tokens": options.max_tokens}
    return {name: value for name, value in given.items() if value}


def _last_known(messages: Sequence[Message], provider: str) -> tuple[int, dict[str, str] | None]:
    """How many messages the last thread held at its last reply, and where that reply is."""
    for place in range(len(messages), 0, -1):
        meta = messages[place - 1].meta.get(provider, {})
        if isinstance(meta.get("thread_id"), str) and isinstance(meta.get("message_id"), str):
            return place, {"thread_id": meta["thread_id"], "message_id": meta["message_id"]}
    return 0, None


def _text_in(answered: Answered) -> str:
    return answered.body.decode("utf-8-sig", "replace")


def _instructions(messages: Sequence[Message]) -> str:
    return "\n\n".join(text for message in messages if message.role == "system" and (text := message.text.strip()))


def _digest(told: str) -> str | None:
    return hashlib.blake2b(utf8(told), digest_size=8).hexdigest() if told else None


def _told(message: Mapping[str, Any], thread: str, run: Mapping[str, Any], digest: str | None) -> Rounds[None]:
    """A message of a thread as chunks; what only this service has is kept beside it."""
    thought, text = split_thinking(message.get("reasoning_content"), _text_of(message))
    if thought:
        yield ReasoningDelta(thought)
    if text:
        yield TextDelta(text)
    own = {name: message[name] for name in ("sources", "media", "code") if message.get(name)}
    ids = {"thread_id": thread, "message_id": message.get("id"), "run_id": run.get("id"), "model": run.get("model")}
    ids["instructions"] = digest
    yield Details({**{name: value for name, value in ids.items() if isinstance(value, str)}, **own})
    yield Finish(FinishReason.STOP, "completed")


def _text_of(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, str):
        return content
    values = (as_dict(as_dict(part).get("text")).get("value") for part in as_list(content))
    return "".join(value for value in values if isinstance(value, str))
