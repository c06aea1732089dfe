"""PixiGPT: chat completions without a stream, without the choice of a model, and with assistants.

An assistant brings its own instructions and tools. Without one, the service wants instructions as the first message;
tools of a request replace those of an assistant. While thinking is on, the service raises a lower `max_tokens` to
`THINKING_FLOOR`. The reasoning comes beside the message, not in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

from attrs import Factory, evolve, field, frozen

from agentkit.errors import AuthError, BadRequest, InvalidInput, ProviderError, RateLimited, ServerError, Unsupported
from agentkit.events import Notice
from agentkit.messages import Media, Message, system
from agentkit.options import Options
from agentkit.provider import Capabilities, ChatRequest, Chunk, Decoder, HTTPRequest, ResponseHead
from agentkit.providers._json import as_dict, as_list, loads
from agentkit.providers._switch import thinking_switch
from agentkit.providers.openai_chat import Dialect, ErrorReader, OpenAIChat, shown_url
from agentkit.tokens import ToolShape

__all__ = ["ACCENT", "THINKING_FLOOR", "URL", "PixiGPT", "pixigpt"]

URL = "https://pixigpt.com/v1"
THINKING_FLOOR = 3000
"""The least `max_tokens` that the service works with while thinking is on."""
ACCENT = Dialect(
    capabilities=Capabilities(stream=False, tool_choice=False, reasoning_in=False, json_mode=False),
    writes_reasoning=(),
    lacks=frozenset(
        {"top_p", "stop", "seed", "presence_penalty", "frequency_penalty", "parallel_tool_calls", "strict"}
    ),
    body={"model": None},
)

_THINKS = evolve(ACCENT.capabilities, min_output=THINKING_FLOOR)

OnSystem: TypeAlias = Literal["refuse", "send", "omit"]

_THINK = re.compile(r"\s*<(think|thinking)>(.*?)(?:</\1>|\Z)", re.DOTALL)
_BY_TYPE = {"authentication_error": AuthError, "rate_limit_error": RateLimited}


def check_on_system(instance: object, attribute: object, value: object) -> None:
    if value not in ("refuse", "send", "omit"):
        raise InvalidInput(f"on_system is 'refuse', 'send' or 'omit', not {value!r}")


def _base_url(value: str) -> str:
    return OpenAIChat(base_url=value).base_url


def _chat_of(provider: PixiGPT) -> OpenAIChat:
    return OpenAIChat(base_url=provider.base_url, api_key=provider.api_key, dialect=ACCENT, name=provider.name)


def _opening_of(provider: PixiGPT) -> Message:
    return system(provider.instructions)


@frozen(kw_only=True)
class PixiGPT:
    """The service, or a stand-in for it at another address."""

    base_url: str = field(default=URL, converter=_base_url, repr=lambda url: repr(shown_url(url)))
    api_key: str | None = field(default=None, repr=False)
    model: str = "pixi"
    """For the records of a conversation; the service is not told."""
    assistant_id: str | None = None
    on_system: OnSystem = field(default="refuse", validator=check_on_system)
    """What to do with instructions of the conversation where an assistant brings its own."""
    instructions: str = "You are a helpful assistant."
    """The first message of a request that has neither instructions nor an assistant."""
    enable_thinking: bool = True
    """Where the options say nothing of `reasoning_effort`."""
    name: str = "pixigpt"
    _chat: OpenAIChat = field(init=False, repr=False, eq=False, default=Factory(_chat_of, takes_self=True))
    _opening: Message = field(init=False, repr=False, eq=False, default=Factory(_opening_of, takes_self=True))

    def capabilities(self, model: str, /) -> Capabilities:
        return _THINKS if self.enable_thinking else ACCENT.capabilities

    @property
    def errors(self) -> ErrorReader:
        """Makes its errors."""
        return self._chat.errors

    def headers_for(self, accept: str) -> tuple[tuple[str, str], ...]:
        """The headers of a request that wants such an answer."""
        return self._chat.headers_for(accept)

    def encode(self, request: ChatRequest, /) -> HTTPRequest:
        """The request as it leaves.

        Raises:
            InvalidInput: there are instructions besides those of the assistant.
            Unsupported: a message holds media, which the service takes at other addresses.
        """
        if request.prefix:
            raise Unsupported(f"{self.name} cannot go on from the beginning of a reply")
        notices: list[Notice] = []
        extra = self._extra(request.options, notices)
        tools = _chosen(request, extra, notices)
        messages = self._messages(request.messages, extra.get("assistant_id"), notices)
        options = evolve(
            request.options,
            temperature=request.options.temperature or None,
            reasoning_effort=None,
            tool_choice=None,
            extra=extra,
        )
        wire = self._chat.encode(evolve(request, messages=messages, options=options, stream=False, tools=tools))
        return evolve(wire, notices=(*notices, *wire.notices))

    def decoder(self, head: ResponseHead, /, *, max_line: int) -> Decoder:
        """A fresh decoder for one answer."""
        return _PixiDecoder(self._chat.decoder(head, max_line=max_line))

    def decode_error(self, head: ResponseHead, body: bytes, /) -> ProviderError:
        """The error that a refusal is. Its type counts for more than a status that says little."""
        error = self._chat.decode_error(head, body)
        kind = _BY_TYPE.get(error.type or "")
        if kind is None or type(error) not in (BadRequest, ServerError):
            return error
        return kind(
            str(error),
            status=error.status,
            code=error.code,
            type=error.type,
            body=error.body,
            request_id=error.request_id,
            retry_after=error.retry_after,
        )

    def _extra(self, options: Options, notices: list[Notice]) -> dict[str, Any]:
        """The fields that only this service has; the caller's own win."""
        thinks, told = thinking_switch(options, default=self.enable_thinking)
        extra = {"assistant_id": self.assistant_id, "enable_thinking": thinks, **options.extra}
        notices += told
        if options.temperature == 0:
            notices.append(
                Notice("temperature 0 was left out: its effect is unknown; Options(extra={'temperature': 0}) sends it")
            )
        notices += raised(options, thinks=extra["enable_thinking"] is not False)
        return extra

    def _messages(
        self, messages: Sequence[Message], assistant_id: str | None, notices: list[Notice]
    ) -> Sequence[Message]:
        """The messages with instructions first, or as the settings have it where an assistant brings its own."""
        if any(isinstance(part, Media) for message in messages for part in message.parts):
            raise Unsupported(f"{self.name} carries no media in a chat")
        given = next((each for each in messages if each.role == "system" and each.text.strip()), None)
        if assistant_id:
            return messages if given is None else self._beside(messages, assistant_id, notices)
        if given is None:
            notices.append(Notice(f"the backend wants instructions; {self.instructions!r} was sent"))
            given = self._opening
        return [given, *(each for each in messages if each is not given)]

    def _beside(self, messages: Sequence[Message], assistant_id: str, notices: list[Notice]) -> Sequence[Message]:
        match self.on_system:
            case "send":
                return messages
            case "omit":
                notices.append(Notice(f"instructions were left out: the assistant {assistant_id!r} has its own"))
                return [each for each in messages if each.role != "system"]
            case _:
                raise InvalidInput(
                    f"the assistant {assistant_id!r} has its own instructions: leave out those of the conversation, "
                    "or make PixiGPT with on_system='send' or on_system='omit'"
                )


def pixigpt(base_url: str | None, api_key: str | None) -> PixiGPT:
    """The service under this key."""
    return PixiGPT(base_url=base_url or URL, api_key=api_key)


def raised(options: Options, *, thinks: bool) -> tuple[Notice, ...]:
    """That a reply may be longer than `max_tokens` says."""
    if not thinks or (options.max_tokens or THINKING_FLOOR) >= THINKING_FLOOR:
        return ()
    return (Notice(f"the backend raises max_tokens {options.max_tokens} to {THINKING_FLOOR} while thinking is on"),)


def _chosen(request: ChatRequest, extra: dict[str, Any], notices: list[Notice]) -> Sequence[ToolShape]:
    """The service has no `tool_choice`: tools are forbidden by naming none, and cannot be demanded."""
    asked, assistant = extra.pop("tool_choice", None), extra["assistant_id"]
    choice = request.options.tool_choice if asked is None else asked
    if choice == "none":
        extra.pop("tools", None)
        if assistant:
            notices.append(Notice(f"the tools of the assistant {assistant!r} cannot be forbidden"))
        return ()
    if choice not in (None, "auto") and (asked or request.tools or extra.get("tools") or assistant):
        notices.append(Notice(f"the backend has no setting tool_choice; {choice!r} was left out"))
    return request.tools


class _PixiDecoder:
    """One JSON document, put into the usual form and read by the usual decoder."""

    __slots__ = ("_body", "_chat")

    def __init__(self, chat: Decoder) -> None:
        self._chat = chat
        self._body: list[bytes] | None = []

    def feed(self, data: bytes, /) -> Sequence[Chunk]:
        """Nothing: the answer is whole at its end."""
        if self._body is not None:
            self._body.append(data)
        return ()

    def close(self) -> Sequence[Chunk]:
        """All chunks."""
        if self._body is None:
            return ()
        body, self._body = b"".join(self._body), None
        return (*self._chat.feed(_usual(body)), *self._chat.close())


def _usual(body: bytes) -> bytes:
    """The same answer with the reasoning in the message; unchanged where it is no answer."""
    try:
        value = as_dict(loads(body.decode("utf-8-sig")))
        choices = [_choice(as_dict(choice)) for choice in as_list(value.get("choices"))]
        return json.dumps({**value, "choices": choices}, allow_nan=False).encode() if choices else body
    except (ValueError, RecursionError):
        return body


def _choice(choice: dict[str, Any]) -> dict[str, Any]:
    """The choice with the thinking in its message, where others have it."""
    message = as_dict(choice.get("message"))
    if not message:
        return choice
    content = message.get("content")
    thought, text = split_thinking(choice.get("reasoning_content") or message.get("reasoning_content"), content)
    message = {**message, "content": text, "reasoning_content": thought}
    return {**choice, "message": message, "reasoning_content": None}


def split_thinking(thought: Any, text: Any) -> tuple[Any, Any]:
    """Thinking and text; older servers trim neither, and leave the one in front of the other, at times without end."""
    if isinstance(text, str):
        found = None if thought else _THINK.match(text)
        if found:
            thought, text = found[2], text[found.end() :]
        text = text.strip()
    return (thought.strip() if isinstance(thought, str) else thought), text
