"""Settings from arguments, the environment and the user's file, in that order. Read only when asked for.

May hold: which names are read, what each value means, and where it came from. Never a network call, never a key in a
message. Every value is a `Setting`, so that whoever refuses it, or is refused because of it, can say where it stands.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from attrs import field, frozen

from agentkit.errors import InvalidInput, NotConfigured

APP = "agentkit"
DEFAULT = "default"
ENTRIES = ("base_url", "api_key", "model")
"""What can be said of a backend."""
_LONG_KEY = 12

_ALSO = {
    ("openai", "base_url"): ("OPENAI_API_BASE",),
    ("llamacpp", "api_key"): ("LLAMA_API_KEY",),
    ("lmstudio", "api_key"): ("LM_API_TOKEN",),
    ("pixigpt-threads", "base_url"): ("PIXIGPT_BASE_URL",),
    ("pixigpt-threads", "api_key"): ("PIXIGPT_API_KEY",),
    ("pixigpt-threads", "model"): ("DEFAULT_ASSISTANT_ID",),
}
"""What the servers and clients of a backend read, too, beside `<BACKEND>_BASE_URL`, `_API_KEY` and `_MODEL`."""


@frozen(repr=False)
class Setting:
    """A value, and where it came from in words; None where nothing says anything."""

    value: str | None
    origin: str = DEFAULT
    secret: bool = field(default=False, kw_only=True)

    @property
    def shown(self) -> str | None:
        """The value as it may be shown: of a key, that it is there; an address without its password."""
        if self.value is None or not self.secret:
            from agentkit.providers.openai_chat import shown_url

            return None if self.value is None else shown_url(self.value)
        return f"set, ends in {self.value[-2:]!r}" if len(self.value) > _LONG_KEY else "set"

    def __repr__(self) -> str:
        return f"Setting({self.shown!r}, {self.origin!r})"


@frozen(kw_only=True)
class BackendSettings:
    """Where a backend is, what opens it, and the model to ask where none is named."""

    backend: str
    base_url: Setting
    api_key: Setting
    model: Setting


def config_path() -> Path:
    """The user's file: `AGENTKIT_CONFIG`, or config.toml where the system keeps settings."""
    given = os.environ.get("AGENTKIT_CONFIG")
    if given:
        return Path(given)
    home = os.environ.get("AGENTKIT_HOME")
    if home:
        return Path(home) / "config.toml"
    from platformdirs import user_config_path

    return user_config_path(APP, appauthor=False) / "config.toml"


def data_path() -> Path:
    """The folder of stored conversations: `AGENTKIT_HOME`, or where the system keeps data."""
    home = os.environ.get("AGENTKIT_HOME")
    if home:
        return Path(home)
    from platformdirs import user_data_path

    return user_data_path(APP, appauthor=False)


def store_path() -> Path:
    """The file of `store="sqlite"`."""
    return data_path() / "conversations.db"


def user_settings() -> dict[str, Any]:
    """The user's file as a table; empty where there is none.

    Raises:
        InvalidInput: the file cannot be read, or is no TOML.
    """
    import tomllib  # slow to import

    path = config_path()
    data = b""
    try:
        data = path.read_bytes()
        return tomllib.loads(data.decode())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InvalidInput(f"the settings in {str(path)!r} cannot be read: {_why(error, data)}") from None


def _why(error: OSError | ValueError, data: bytes) -> str:
    """What is wrong with the file, and in which line."""
    match error:
        case OSError():
            return str(error.strerror)
        case UnicodeDecodeError():
            return f"no UTF-8 (at line {_lines(data[: error.start])})"
        case _:
            return str(error).replace("at end of document", f"at line {_lines(data)}")


def _lines(data: bytes) -> int:
    return data.count(b"\n") + 1


def setting(name: str, *, number: bool = False) -> Setting:
    """One setting: `AGENTKIT_<NAME>`, else the user's file, where a number may stand without quotes."""
    variable = f"AGENTKIT_{name.upper()}"
    given = os.environ.get(variable)
    if given:
        return Setting(given, f"environment {variable}")
    table = user_settings()
    if number and type(table.get(name)) is int:
        table = {name: str(table[name])}
    return _from_file(table, name, repr(str(config_path())))


def transcript_path(given: str | os.PathLike[str] | None, *, named: bool) -> Path | None:
    """The folder to log exchanges in: as it is given, else AGENTKIT_TRANSCRIPT, else the user's file; "" is none.

    The file is read for a backend that is `named` only: one that was given ready-made needs no settings.

    Raises:
        InvalidInput: it is no name of a folder.
    """
    if given is None:
        given = setting("transcript").value if named else os.environ.get("AGENTKIT_TRANSCRIPT")
    if not given:
        return None
    if not isinstance(given, str | os.PathLike):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise InvalidInput(f"transcript must be the name of a folder, not {given!r}")
    return Path(given).expanduser().absolute()


def configured_model() -> str:
    """The model to use where the caller names none.

    Raises:
        NotConfigured
        InvalidInput: it names no backend that there is; the message says where it came from.
    """
    found = setting("model")
    model = found.value
    if model is None:
        raise NotConfigured(
            'no model: name one, as in Conversation("openai/MODEL"), or set AGENTKIT_MODEL, or write '
            f'model = "..." into {str(config_path())!r}; Conversation("sim") works without any'
        )
    from agentkit.providers import get_provider

    with blaming(found):
        if any(mark.isspace() for mark in model):
            raise InvalidInput(f"the name of a model has no blanks: {model!r}")
        get_provider(model.partition("/")[0])
    return model


@contextmanager
def blaming(found: Setting) -> Generator[None, None, None]:
    """Whoever refuses the value says where it came from."""
    try:
        yield
    except InvalidInput as error:
        raise InvalidInput(f"{error}; {found.shown!r} came from {found.origin}") from None


def variables(backend: str, entry: str) -> tuple[str, ...]:
    """The names in the environment for `base_url`, `api_key` or `model` of a backend, the usual one first."""
    usual = f"{backend.upper().replace('-', '_')}_{entry.upper()}"
    return (usual, *_ALSO.get((backend, entry), ()))


def backend_settings(backend: str, *, base_url: str | None = None, api_key: str | None = None) -> BackendSettings:
    """What is said of a backend: arguments, else the environment, else the backend's table in the user's file.

    Raises:
        InvalidInput: a value cannot be meant; the message names its origin, and never shows a key.
    """
    table = _table(backend)
    given = {"base_url": base_url, "api_key": api_key}
    found = {entry: _found(backend, entry, given.get(entry), table) for entry in ENTRIES}
    return BackendSettings(
        backend=backend,
        base_url=_checked_address(found["base_url"]),
        api_key=_checked_key(found["api_key"]),
        model=found["model"],
    )


def _found(backend: str, entry: str, given: str | None, table: dict[str, Any]) -> Setting:
    if given:
        return Setting(given, f"argument {entry}", secret=entry == "api_key")
    for name in variables(backend, entry):
        value = _given(name)
        if value:
            return Setting(value, f"environment {name}", secret=entry == "api_key")
    listening = _where_it_listens(backend) if entry == "base_url" else None
    return listening or _from_file(table, entry, f"[{backend}] in {str(config_path())!r}")


def _given(name: str) -> str:
    """A variable as it is meant: a file of variables may leave the quotes around its values."""
    return os.environ.get(name, "").strip(" \t\r\n\"'")


def _table(backend: str) -> dict[str, Any]:
    table: object = user_settings().get(backend, {})
    if not isinstance(table, dict):
        raise InvalidInput(f"{backend} in {str(config_path())!r} must be a table, as in [{backend}], not {table!r}")
    return cast("dict[str, Any]", table)


def _from_file(table: dict[str, Any], entry: str, origin: str) -> Setting:
    secret = entry == "api_key"
    value: object = table.get(entry)
    if value is not None and not isinstance(value, str):
        said = f"of type {type(value).__name__}" if secret else repr(value)
        raise InvalidInput(f"{entry}, from {origin}, must be a text, not {said}")
    return Setting(value.strip(), origin, secret=secret) if value and value.strip() else Setting(None, secret=secret)


def _where_it_listens(backend: str) -> Setting | None:
    """The address of a server from what tells it where to listen."""
    match backend:
        case "ollama":
            name = "OLLAMA_HOST"
            host = _given(name)
        case "llamacpp":
            name = "LLAMA_ARG_HOST" if os.environ.get("LLAMA_ARG_HOST") else "LLAMA_ARG_PORT"
            host, port = os.environ.get("LLAMA_ARG_HOST", ""), os.environ.get("LLAMA_ARG_PORT")
            host = "" if host.endswith(".sock") else _bracketed(host) + (f":{port}" if port else "")
        case _:
            return None
    origin = f"environment {name}"
    return Setting(_address(host, {"ollama": 11434, "llamacpp": 8080}[backend], origin), origin) if host else None


def _address(text: str, usual_port: int, origin: str) -> str:
    """The base URL of a server that listens at `[scheme://]host[:port]`; "everywhere" is reached by loopback."""
    from urllib.parse import urlsplit

    from agentkit.providers.openai_chat import shown_url

    scheme, _, rest = text.rpartition("://")
    place, slash, path = rest.removesuffix("/").removesuffix("/v1").partition("/")
    try:
        parts = urlsplit(f"//{_bracketed(place)}")
        port = parts.port or {"http": 80, "https": 443}.get(scheme, usual_port)
    except ValueError:
        raise InvalidInput(
            f"{shown_url(text)!r}, from {origin}, is no address such as 127.0.0.1:{usual_port}"
        ) from None
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(found := parts.hostname or "", found)  # noqa: S104 - no binding
    return f"{scheme or 'http'}://{_bracketed(host)}:{port}{(slash + path).rstrip('/')}/v1"


def _bracketed(host: str) -> str:
    """An address of IPv6 as a URL has it."""
    return f"[{host}]" if host.count(":") > 1 and not host.startswith("[") else host


def _checked_address(found: Setting) -> Setting:
    if found.value is None:
        return found
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(found.value)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if usable and found.value.isprintable() and " " not in found.value:
        if "?" in found.value or "#" in found.value:
            raise InvalidInput(f"a base URL has no query and no fragment, as {found.shown!r} has, from {found.origin}")
        return found
    hint = "" if "://" in found.value else f"; write http://{(found.shown or '').strip('/')}"
    raise InvalidInput(
        f"a base URL begins with http:// or https:// and names a host, not {found.shown!r}, from {found.origin}{hint}"
    )


def _checked_key(found: Setting) -> Setting:
    key = (found.value or "").strip()
    if key.lower().startswith("bearer "):
        raise InvalidInput(f"the API key from {found.origin} begins with 'Bearer': write the key alone")
    if not (key.isascii() and key.isprintable()):
        raise InvalidInput(f"the API key from {found.origin} holds characters that no header can carry")
    return found
