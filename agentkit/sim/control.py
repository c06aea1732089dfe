"""The control endpoint: reads and changes the state of a simulator from outside, as JSON.

GET answers with the state. POST takes an object and answers with the state after it; each field is optional:
`{"reset": true, "seed": 1, "pace": 0.02, "window": 8192,
"profile": "ollama", "models": ["mine"], "script": ["say done", "fail 429 x2"], "faults": ["gzip the body"]}`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from agentkit.errors import InvalidInput
from agentkit.sim.wire import SimResponse, as_array, as_object, json_response, shown

PATH = "/control"
_SETTINGS = ("profile", "seed", "pace", "window", "models")
_QUEUES = ("script", "faults")
_FIELDS = frozenset({"reset", *_QUEUES, *_SETTINGS})
_MOST_PROBLEMS = 20


class Controlled(Protocol):
    """What may be read and changed from outside."""

    @property
    def profile(self) -> str: ...

    @property
    def seed(self) -> int: ...

    @property
    def pace(self) -> float: ...

    @property
    def window(self) -> int: ...

    @property
    def models(self) -> tuple[str, ...]: ...

    @property
    def received(self) -> int: ...

    @property
    def streaming(self) -> int: ...

    @property
    def waiting(self) -> int: ...

    @property
    def problems(self) -> tuple[str, ...]: ...

    def clean(self) -> bool: ...

    def reset(self) -> None: ...

    def configure(
        self, *, seed: Any = None, pace: Any = None, window: Any = None, profile: Any = None, models: Any = None
    ) -> None: ...

    def script(self, orders: Iterable[str], /) -> None: ...

    def faults(self, orders: Iterable[str], /) -> None: ...


def answer(simulator: Controlled, method: str, value: Any, malformed: str | None) -> SimResponse:
    """Answer one request to the control endpoint."""
    if method not in ("GET", "POST"):
        return _refused(405, f"the control endpoint knows GET and POST, not {method}")
    if method == "POST":
        try:
            _apply(simulator, value, malformed)
        except InvalidInput as error:
            return _refused(400, str(error))
    return json_response(200, state(simulator))


def state(simulator: Controlled) -> dict[str, Any]:
    """What can be seen from outside."""
    return {
        "simulator": "agentkit: there is no AI behind this",
        "profile": simulator.profile,
        "seed": simulator.seed,
        "pace": simulator.pace,
        "window": simulator.window,
        "models": list(simulator.models),
        "requests": simulator.received,
        "streaming": simulator.streaming,
        "waiting": simulator.waiting,
        "clean": simulator.clean(),
        "problems": list(simulator.problems[-_MOST_PROBLEMS:]),
    }


def _apply(simulator: Controlled, value: Any, malformed: str | None) -> None:
    fields = as_object(value)
    if malformed is not None or fields is None:
        raise InvalidInput(malformed or f"a JSON object is needed, not {shown(value)}")
    unknown = sorted(set(fields) - _FIELDS)
    if unknown:
        raise InvalidInput(f"unknown field {shown(unknown[0])}; one of {', '.join(sorted(_FIELDS))}")
    script, faults = (_commands(fields, name) for name in _QUEUES)
    if fields.get("reset") is True:
        simulator.reset()
    simulator.configure(**{name: fields[name] for name in _SETTINGS if name in fields})
    simulator.script(script)
    simulator.faults(faults)


def _commands(fields: dict[str, Any], name: str) -> list[Any]:
    found = as_array(fields.get(name, []))
    if found is None:
        raise InvalidInput(f"{name} must be a list of commands, not {shown(fields[name])}")
    return found


def _refused(status: int, message: str) -> SimResponse:
    return json_response(
        status, {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}
    )
