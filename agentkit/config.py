"""Settings from arguments, the environment and the user's file, in that order. Read only when asked for.

May hold: which names are read, and where a value came from. Never a network call, never a key in a message.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

from agentkit.errors import InvalidInput, NotConfigured

APP = "agentkit"


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
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise InvalidInput(f"the settings in {str(path)!r} cannot be read: {error}") from None


def setting(name: str) -> str | None:
    """One text setting: `AGENTKIT_<NAME>`, else the user's file."""
    value: object = os.environ.get(f"AGENTKIT_{name.upper()}") or user_settings().get(name)
    if value is not None and not isinstance(value, str):
        raise InvalidInput(f"{name} in {str(config_path())!r} must be a text, not {value!r}")
    return value or None


def configured_model() -> str:
    """The model to use where the caller names none.

    Raises:
        NotConfigured
    """
    model = setting("model")
    if model is None:
        raise NotConfigured(
            'no model: name one, as in Conversation("openai/MODEL"), or set AGENTKIT_MODEL, or write '
            f'model = "..." into {str(config_path())!r}; Conversation("sim") works without any'
        )
    return model


def backend_settings(backend: str) -> tuple[str | None, str | None]:
    """Base URL and key: `<BACKEND>_BASE_URL` and `<BACKEND>_API_KEY`, else the backend's table in the user's file."""
    prefix = backend.upper().replace("-", "_")
    table: object = user_settings().get(backend, {})
    own = cast("dict[str, Any]", table) if isinstance(table, dict) else {}
    found = [os.environ.get(f"{prefix}_{name.upper()}") or own.get(name) for name in ("base_url", "api_key")]
    for name, value in zip(("base_url", "api_key"), found, strict=True):
        if value is not None and not isinstance(value, str):
            raise InvalidInput(f"{backend}.{name} in {str(config_path())!r} must be a text")
    return found[0] or None, found[1] or None
