"""The simulator: a labelled stand-in for a backend. No AI, no network, no clock: a request in, items of an answer out.

Only what all wires share lives here: state, the log of requests, and the way from a request to a performance.
"""

from __future__ import annotations

import json
import math
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl, urlsplit

from attrs import evolve

from agentkit.errors import InvalidInput
from agentkit.sim import control, openai_wire, profiles
from agentkit.sim.faultbook import FaultBook, Scripted
from agentkit.sim.in_words import understood
from agentkit.sim.plan import Fault, Plan
from agentkit.sim.reply import Composer
from agentkit.sim.scene import Scene
from agentkit.sim.script import commands, parse
from agentkit.sim.shaped import wanted
from agentkit.sim.stage import Performance, failure, length
from agentkit.sim.talk import Ask, Drop, Failure, Pause, Refused
from agentkit.sim.text import MAX_WORDS
from agentkit.sim.thread import Thread, unravel, without_quotes
from agentkit.sim.wire import Item, SimRequest, SimResponse
from agentkit.sim.wires import WIRES

__all__ = ["Drop", "Pause", "SimRequest", "SimResponse", "Simulator"]

T = TypeVar("T")

_MOST_LOGGED = 1000
_MOST_COMMANDS = 10_000


class Simulator:
    """A backend that obeys plain words, by seed. Safe to use from many threads.

    Args:
        seed: the same seed and the same requests in the same order give the same answers.
        pace: seconds per token.
        window: tokens that prompt and reply share.
        profile: which server it is, a name in `agentkit.sim.profiles.PROFILES`.
        models: the models that there are; none: any name will do, and the profile lists one of its own.
    """

    def __init__(
        self,
        seed: int = 0,
        pace: float = 0.0,
        window: int = 8192,
        *,
        profile: str = profiles.DEFAULT,
        models: Iterable[str] = (),
    ) -> None:
        self._lock = threading.Lock()
        self._streaming = 0
        self.configure(seed=seed, pace=pace, window=window, profile=profile, models=models)
        self.reset()

    def configure(
        self,
        *,
        seed: int | None = None,
        pace: float | None = None,
        window: int | None = None,
        profile: str | None = None,
        models: Iterable[str] | None = None,
    ) -> None:
        """Change what is given; all or nothing.

        Raises:
            InvalidInput: a value, or the name of the profile, is none that can be.
        """
        checked = (_whole("seed", seed, 0), _seconds("pace", pace), _whole("window", window, 16))
        chosen = None if profile is None else profiles.profile_named(profile)
        names = None if models is None else _names(models)
        with self._lock:
            if chosen is not None:
                self.profile = chosen.name
            if names is not None:
                self.models = names
            if checked[0] is not None:
                self.seed = checked[0]
            if checked[1] is not None:
                self.pace = checked[1]
            if checked[2] is not None:
                self.window = checked[2]

    def reset(self) -> None:
        """Forget all requests, counts and commands; the settings stay."""
        with self._lock:
            self._log: deque[SimRequest] = deque(maxlen=_MOST_LOGGED)
            self._problems: deque[str] = deque(maxlen=_MOST_LOGGED)
            self._faults = FaultBook()
            self._scripted = Scripted()
            self._kept: dict[Callable[[], object], object] = {}
            self._broken: deque[Plan] = deque()
            self._received = 0

    @property
    def requests(self) -> tuple[SimRequest, ...]:
        """The last thousand requests, oldest first."""
        with self._lock:
            return tuple(self._log)

    @property
    def received(self) -> int:
        """How many requests came in all."""
        return self._received

    @property
    def streaming(self) -> int:
        """How many answers are being made now."""
        return self._streaming

    @property
    def problems(self) -> tuple[str, ...]:
        """Why requests were invalid."""
        with self._lock:
            return tuple(self._problems)

    @property
    def waiting(self) -> int:
        """How many commands wait for their request."""
        return len(self._scripted.queue) + len(self._broken)

    def clean(self) -> bool:
        """Whether no invalid request has been seen."""
        return not self._problems

    def script(self, orders: Iterable[str]) -> None:
        """Queue commands, one for each of the next replies; `fail 429 x2` counts as two.

        Raises:
            InvalidInput: a command holds no order.
        """
        self._queue(self._scripted.queue, orders)

    def faults(self, orders: Iterable[str]) -> None:
        """Queue faults, one for each of the next requests, whatever they ask for: a list of models as well as a reply.

        Raises:
            InvalidInput: a command holds no fault.
        """
        wanted = tuple(orders)
        if not all(plan.faults for order in wanted for plan in commands(order)):
            raise InvalidInput(f"no fault in one of {wanted!r:.200}; 'fail 503' is one")
        self._queue(self._broken, wanted)

    def _queue(self, queue: deque[Plan], orders: Iterable[str]) -> None:
        plans = [plan for order in orders for plan in commands(order)]
        with self._lock:
            if len(queue) + len(plans) > _MOST_COMMANDS:
                raise InvalidInput(
                    f"a script holds at most {_MOST_COMMANDS} commands, so {len(plans)!r} more do not fit"
                )
            queue.extend(plans)

    def handle(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> SimResponse:
        """Answer one request."""
        path, query = _split(target)
        value, malformed = _read(body)
        if path == control.PATH:
            return control.answer(self, method, value, malformed)
        with self._lock:
            self._received += 1
            number = self._received
            queued = self._broken.popleft().faults if self._broken else ()
        lower = {name.lower(): content for name, content in headers.items()}
        name, rest = profiles.routed(path, self.profile)
        request = SimRequest(
            number=number,
            method=method,
            path=path,
            query=query,
            profile=name,
            headers=lower,
            json=value,
            malformed=malformed,
        )
        answer = self._answer(evolve(request, path=rest), queued)
        self._remember(evolve(request, problem=answer.problem))
        given = {**answer.headers, "x-request-id": f"req_{number}"}
        return evolve(answer, headers=given, body=self._watched(answer.body))

    def perform(self, ask: Ask, /) -> Performance:
        """Decide what happens in answer to a valid request.

        Raises:
            Refused: an error was ordered.
        """
        ask = wanted(understood(ask))
        thread = unravel(ask.messages)
        spoken = _spoken(thread)
        with self._lock:
            plan = self._scripted.plan(thread, spoken)
            ask = evolve(ask, shape=self._scripted.shape(thread, ask.shape))
        reply = Composer(self.seed + ask.anew, ask, thread, plan).left()
        room = MAX_WORDS if ask.endless else self.window - ask.prompt_tokens
        limit = min(bound for bound in (room, ask.limit, plan.limit) if bound is not None)
        with self._lock:
            faults = self._faults.take(thread, plan, min(length(reply), limit))
        refused = next((fault for fault in faults if fault.kind == "fail" and fault.after is None), None)
        if refused is not None:
            raise Refused(failure(refused), sum(fault.seconds for fault in faults if fault.kind == "wait"))
        return Performance(
            reply=reply,
            limit=limit,
            faults=faults,
            pace=self.pace,
            prompt_tokens=ask.prompt_tokens,
            quirks=plan.quirks,
        )

    def keep(self, make: Callable[[], T], /) -> T:
        """What a wire keeps between requests: made at its first use, forgotten by `reset`."""
        with self._lock:
            return cast("T", self._kept.setdefault(make, make()))

    def _answer(self, request: SimRequest, queued: tuple[Fault, ...]) -> SimResponse:
        scene = Scene(self, queued)
        try:
            answer = WIRES[request.profile](request, scene) or openai_wire.unknown(request)
            return scene.finished(answer)
        except Refused as refused:
            return openai_wire.refusal(refused.failure, refused.delay)
        except RecursionError:
            return openai_wire.refusal(Failure(status=400, message="the body is nested too deeply", invalid=True))

    def _remember(self, request: SimRequest) -> None:
        with self._lock:
            self._log.append(request)
            if request.problem is not None:
                self._problems.append(request.problem)

    def _watched(self, body: Iterator[Item]) -> Iterator[Item]:
        with self._lock:
            self._streaming += 1
        try:
            yield from body
        finally:
            with self._lock:
                self._streaming -= 1


def _split(target: str) -> tuple[str, dict[str, str]]:
    try:
        parts = urlsplit(target)
        return parts.path.rstrip("/") or "/", dict(parse_qsl(parts.query))
    except ValueError:
        return target, {}


def _read(body: bytes) -> tuple[Any, str | None]:
    try:
        return json.loads(body), None
    except (ValueError, RecursionError) as error:
        return None, f"the body is no JSON: {error}" if body else "the body is empty"


def _spoken(thread: Thread) -> Plan:
    """The orders of the user: those of the message that is answered, and of the request to go on with it."""
    first = parse(thread.order)
    if thread.request is None:
        return first
    asked = parse(without_quotes(thread.request))
    return Plan(limit=asked.limit, faults=asked.faults).over(first)


def _whole(name: str, value: object, low: int) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise InvalidInput(f"{name} must be a whole number of at least {low}, not {value!r}")
    return value


def _names(value: Iterable[str]) -> tuple[str, ...]:
    try:
        names: tuple[object, ...] = () if isinstance(value, str) else tuple(value)
    except TypeError:
        names = (None,)
    if isinstance(value, str) or not all(isinstance(name, str) and name for name in names):
        raise InvalidInput(f"models must be a list of names, not {value!r:.200}")
    return tuple(map(str, names))


def _seconds(name: str, value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise InvalidInput(f"{name} must be a number of seconds, not {value!r}")
    return float(value)
