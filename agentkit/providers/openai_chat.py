"""The chat-completions dialect of OpenAI, which most servers speak in one accent or another.

A backend that is compatible is a `Dialect` value and a name. The provider class lives here; how a request is written
and an answer is read is in the `_openai_` modules, errors are in `_errors`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

from attrs import evolve, field, frozen

from agentkit.errors import InvalidInput, ProviderError
from agentkit.provider import Capabilities, ChatRequest, Decoder, HTTPRequest, Provider, ResponseHead, Rounds
from agentkit.providers._adapt import without
from agentkit.providers._asking import asked
from agentkit.providers._errors import ErrorReader
from agentkit.providers._openai_decode import ChatDecoder
from agentkit.providers._openai_dialect import FINISH, Dialect
from agentkit.providers._openai_encode import body_of, fields_of, messages_of
from agentkit.providers._openai_tools import tools_of

__all__ = ["FINISH", "OPENAI", "SIM", "Dialect", "ErrorReader", "OpenAIChat", "openai", "sim"]

OPENAI = Dialect()
"""Anything that calls itself compatible."""
ANY = Dialect(lists_models=True)
_SERVICE = "https://api.openai.com/v1"
SIM = Dialect(capabilities=Capabilities(prefix=True))


_SECRET = ("auth", "key", "token", "cookie")
_PASSWORD = re.compile("(?:^|//)[^/:@]*:([^/]*)@")


def _base_url(value: str) -> str:
    if "://" not in value:
        raise InvalidInput(f"a base URL begins with http:// or https://, not {shown_url(value)!r}")
    return value.rstrip("/")


def shown_url(url: str) -> str:
    """The address without the secrets that it may hold: a password, and all of a query."""
    found = _PASSWORD.search(url)
    shown = url if found is None else f"{url[: found.start(1)]}***{url[found.end(1) :]}"
    place, mark, _ = shown.partition("?")
    return f"{place}{mark and '?***'}"


def _api_key(value: str | None) -> str | None:
    key = (value or "").strip()
    if not (key.isascii() and key.isprintable()):
        raise InvalidInput("the API key holds characters that no header can carry")
    return key or None


def _headers(value: Mapping[str, str] | Sequence[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name.lower(), text) for name, text in dict(value).items())


@frozen
class _Made:
    """What every request of a provider shares, made once."""

    url: str
    raw_url: str
    stream_headers: tuple[tuple[str, str], ...]
    whole_headers: tuple[tuple[str, str], ...]
    errors: ErrorReader

    @classmethod
    def of(cls, provider: OpenAIChat) -> _Made:
        return cls(
            f"{provider.base_url}/chat/completions",
            f"{provider.base_url}/completions",
            _accepting("text/event-stream", provider),
            _accepting("application/json", provider),
            ErrorReader(source=provider.name, secrets=_secrets(provider)),
        )


def _accepting(accept: str, provider: OpenAIChat) -> tuple[tuple[str, str], ...]:
    from agentkit import __version__

    made = {
        "content-type": "application/json",
        "accept": accept,
        "accept-encoding": "identity",
        "user-agent": f"agentkit/{__version__}",
    }
    if provider.api_key:
        made["authorization"] = f"Bearer {provider.api_key}"
    return tuple({**made, **dict(provider.headers)}.items())


def _secrets(provider: OpenAIChat) -> tuple[str, ...]:
    """The key, and what a header or the address carries in its place; longest first, so none shows in part."""
    given = [text for name, text in provider.headers if any(word in name for word in _SECRET)]
    given += _PASSWORD.findall(provider.base_url)
    found = {form for text in (provider.api_key or "", *given) for form in (text, text.removeprefix("Bearer "))}
    return tuple(sorted(found - {""}, key=len, reverse=True))


@frozen(kw_only=True)
class OpenAIChat:
    """A server that speaks the dialect; headers of the caller win over those made here."""

    base_url: str = field(converter=_base_url, repr=lambda url: repr(shown_url(url)))
    api_key: str | None = field(default=None, converter=_api_key, repr=False)
    dialect: Dialect = OPENAI
    headers: tuple[tuple[str, str], ...] = field(
        default=(), converter=_headers, repr=lambda pairs: repr([name for name, _ in pairs])
    )
    name: str = "openai"
    model: str = ""
    """The model of a conversation that is given this value."""
    _made: _Made = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_made", _Made.of(self))

    @property
    def errors(self) -> ErrorReader:
        """Makes its errors."""
        return self._made.errors

    def headers_for(self, accept: str) -> tuple[tuple[str, str], ...]:
        """The headers of a request that wants such an answer."""
        return _accepting(accept, self)

    def capabilities(self, model: str, /) -> Capabilities:
        found = self.dialect.of(model).capabilities
        if not found.raw:
            return found
        from agentkit.providers._raw_prompt import with_template

        return with_template(found, model)

    def encode(self, request: ChatRequest, /) -> HTTPRequest:
        """The request as it leaves; refuses what the dialect cannot say."""
        dialect = self.dialect.of(request.model)
        if request.raw:
            return self._raw(request, dialect)
        fields, notices = fields_of(request, dialect)
        return HTTPRequest(
            method="POST",
            url=self._made.url,
            headers=self._made.stream_headers if request.stream else self._made.whole_headers,
            body=body_of(fields, messages_of(request, dialect), tools_of(request, dialect)),
            notices=notices,
            repeatable=dialect.capabilities.repeatable,
            once=dialect.once,
        )

    def _raw(self, request: ChatRequest, dialect: Dialect) -> HTTPRequest:
        from agentkit.providers._raw_prompt import raw_body

        return HTTPRequest(
            method="POST",
            url=self._made.raw_url,
            headers=self._made.stream_headers if request.stream else self._made.whole_headers,
            body=raw_body(request, dialect),
            repeatable=dialect.capabilities.repeatable,
            once=dialect.once,
        )

    def decoder(self, head: ResponseHead, /, *, max_line: int) -> Decoder:
        """A fresh decoder for one answer."""
        made = ChatDecoder(
            head,
            errors=self._made.errors,
            names=self.dialect.reads_reasoning,
            finish=self.dialect.finish,
            max_line=max_line,
        )
        if not self.dialect.leaks:
            return made
        from agentkit.providers._openai_leaks import CleaningDecoder

        return CleaningDecoder(made, self.dialect.leaks)

    def measure(self, model: str, /) -> Rounds[int | None]:
        """Ask a server of one's own for the window that it serves; a service is not asked."""
        if not self.dialect.lists_models:
            return None
        verdict = yield from asked(self.base_url, self.headers_for("application/json"))
        return verdict.window(model)

    def count(self, request: ChatRequest, /) -> Rounds[int | None]:
        """Ask the server how many tokens the prompt of this request is, where it counts."""
        if not self.capabilities(request.model).counts:
            return None
        from agentkit.providers.counting import count_of

        return (yield from count_of(self.name, self.encode(request)))

    def adapted(self, model: str, error: ProviderError, /) -> tuple[Provider, str] | None:
        """The provider that does without what the server has just refused, and what that is."""
        found = without(self.dialect, model, error)
        if found is None:
            return None
        dialect, change = found
        return cast(
            "Provider", evolve(self, dialect=dialect)
        ), f"{shown_url(self.base_url)} refused a setting: {change}"

    def decode_error(self, head: ResponseHead, body: bytes, /) -> ProviderError:
        """The error that a refusal is."""
        return self._made.errors.response(head, body)


def openai(base_url: str | None, api_key: str | None) -> OpenAIChat:
    """OpenAI itself, or any compatible server at `base_url`."""
    if base_url is None or base_url.rstrip("/") == _SERVICE:
        return OpenAIChat(base_url=_SERVICE, api_key=api_key)
    return OpenAIChat(base_url=base_url, api_key=api_key, dialect=ANY)


def sim(base_url: str | None, api_key: str | None) -> OpenAIChat:
    """The simulator that comes with agentkit."""
    return OpenAIChat(base_url=base_url or "sim://local/v1", api_key=api_key, dialect=SIM, name="sim")
