"""What to do about a failure of a backend: one line that names where the value came from, and what to type. Pure.

May hold wording, and what an error shows about its cause. Never a key.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from agentkit.config import DEFAULT, BackendSettings, variables
from agentkit.errors import (
    AgentKitError,
    AuthError,
    BadRequest,
    ConnectError,
    ProtocolError,
    ProviderError,
    QuotaExceeded,
    ServerError,
    TimeoutError,  # noqa: A004 - also the builtin
)
from agentkit.providers.openai_chat import shown_url

_NO_SUCH_MODEL = re.compile(
    r"model_not_found|unknown model|model\b.{0,120}?\b(not found|does not exist|not exist|is not available)",
    re.IGNORECASE | re.DOTALL,
)
_PAGE = re.compile(r"\s*<(!doctype|html|head|body)\b", re.IGNORECASE)
_ONE_CALL = re.compile(r"/((chat/)?completions|models|threads|generate)/?$")
_BEGINS_AT = {"gradient": "/api", "gravixlayer": "/v1/inference"}
"""The path of an API, where it is not /v1."""
_NO_SUCH_PATH = (404, 405)
_NO_REPLY = (
    "holds no choices",
    "is no chat completion",
    "holds no JSON object",
    "is no JSON object",
    "holds no event of a job",
    "the answer is empty",
    "that was made has no id",
    "does not speak HTTP",
    "is no server of",
)
"""What an answer lacks that has nothing to do with chats; one that is cut has another reason."""
_LMSTUDIO = "Unexpected endpoint or method"
"""What it says of an unknown path, with status 200."""


def attach(error: BaseException, settings: BackendSettings, base_url: str) -> None:
    """Give an error of a turn its hint, once; tracebacks show it, too. `base_url` is what was really asked."""
    if isinstance(error, AgentKitError) and not error.hint:
        error.hint = advice(error, settings, base_url)
        if error.hint:
            error.add_note(error.hint)


def advice(error: BaseException, settings: BackendSettings, base_url: str) -> str:
    """One line for `error`; empty where nothing is known that the message does not say."""
    match error:
        case ProviderError() if _PAGE.match(error.body):
            return _page(error, settings, base_url)
        case AuthError():
            return _key(settings, base_url, "Put a valid one there")
        case QuotaExceeded() if settings.api_key.value is not None:
            return _key(settings, base_url, "See to the account behind it, or put another one there")
        case BadRequest() if _NO_SUCH_MODEL.search(f"{error.code} {error.body}"):
            return f"{_command(settings, base_url)} lists the models that there are"
        case ProviderError() if error.status in _NO_SUCH_PATH or _LMSTUDIO in error.body:
            return _path(settings, base_url)
        case ProtocolError() if error.status is not None and 300 <= error.status < 400:  # noqa: PLR2004 - redirects
            return f"{_place(settings, base_url)}: write the address that it leads to, often https:// for http://"
        case ProtocolError() if any(words in str(error) for words in _NO_REPLY):
            return _something_else(settings, base_url)
        case ConnectError():
            return _unreachable(error, settings, base_url)
        case TimeoutError(phase="connect"):
            return _unreachable(error, settings, base_url)
        case _:
            return ""


def _key(settings: BackendSettings, base_url: str, what_to_do: str) -> str:
    key = settings.api_key
    if key.value is None:
        return f"No key was sent. Try: export {variables(settings.backend, 'api_key')[0]}=..."
    elsewhere = f", and went to {_place(settings, base_url)}" if settings.base_url.value else ""
    return f"The key ({key.shown}) came from {key.origin}{elsewhere}. {what_to_do}"


def _page(error: ProviderError, settings: BackendSettings, base_url: str) -> str:
    place = _place(settings, base_url)
    if isinstance(error, ServerError):
        return f"That page came from something in front of {place}, such as a proxy: agentkit doctor shows the proxies"
    return f"{place} is a web site and not the API, or a proxy asks to log in. {_try(settings, base_url)}"


def _path(settings: BackendSettings, base_url: str) -> str:
    return f"{_place(settings, base_url)} knows no such path. {_try(settings, base_url)}"


def _something_else(settings: BackendSettings, base_url: str) -> str:
    if _ONE_CALL.search(base_url):
        return f"{_place(settings, base_url)} is one call of an API. {_try(settings, base_url)}"
    return f"Is {_place(settings, base_url)} a server of this kind? {_command(settings, base_url)} asks it"


def _try(settings: BackendSettings, base_url: str) -> str:
    """Another address, where the one that was asked looks wrong."""
    path = urlsplit(base_url).path.rstrip("/")
    begins = _BEGINS_AT.get(settings.backend, "/v1")
    if _ONE_CALL.search(base_url):
        return f"Write it without the call: {shown_url(_ONE_CALL.sub('', base_url))}"
    if not path.endswith(begins) and settings.base_url.value is not None:
        return f"Does the API begin at {shown_url(base_url).rstrip('/')}{begins}? Write that"
    return f"{_command(settings, base_url)} asks it what it is"


def _command(settings: BackendSettings, base_url: str) -> str:
    """What to type to ask the server; an address that only this process was told is part of it."""
    where = f" --base-url {shown_url(base_url)}" if settings.base_url.origin.startswith("argument") else ""
    return f"agentkit models {settings.backend}{where}"


def _unreachable(error: AgentKitError, settings: BackendSettings, base_url: str) -> str:
    said = str(error)
    if "AGENTKIT_OFFLINE" in said:
        return "Unset AGENTKIT_OFFLINE to leave this machine"
    if "certificate" in said:
        return ""  # the message says what to set
    if "proxy" in said or _host(base_url) not in said:
        return "That is not the backend but, it seems, a proxy of the environment: agentkit doctor shows it"
    variable = variables(settings.backend, "base_url")[0]
    if settings.base_url.origin == DEFAULT:
        return f"Is the server running? agentkit doctor looks for servers; {variable} names another address"
    return f"Is the server running there? {_place(settings, base_url)}"


def _host(base_url: str) -> str:
    """The host as messages have it: a name in other letters as the network knows it."""
    host = urlsplit(base_url).hostname or ""
    try:
        return host if host.isascii() else host.encode("idna").decode()
    except UnicodeError:
        return host


def _place(settings: BackendSettings, base_url: str) -> str:
    origin = settings.base_url.origin
    return shown_url(base_url) if origin == DEFAULT else f"{shown_url(base_url)} (from {origin})"
