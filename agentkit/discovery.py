"""Which backends are available: servers on this machine, known by what they answer, and services whose key is there.

May hold which addresses are asked, how, and for how long; what the answers mean is decided elsewhere. Nothing is asked
before a function here is called. `discover` asks loopback addresses only, and sends a key nowhere but where it belongs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from attrs import field, frozen

from agentkit.config import BackendSettings, Setting, backend_settings
from agentkit.errors import AgentKitError, ProtocolError, TransportError, Unsupported
from agentkit.options import Timeouts
from agentkit.provider import HTTPRequest
from agentkit.providers import get_provider, provider_names
from agentkit.providers._identify import NO_ANSWER, Answer, Verdict, identify, next_probe, root_of
from agentkit.providers.openai_chat import shown_url

PORTS = (11434, 1234, 8000, 8080, 3001, 3000, 30000)
"""Where local servers usually listen: Ollama, LM Studio, vLLM, llama.cpp, Parallax (scheduler, node), SGLang."""
PATIENCE = 1.0
"""Seconds that a server has for one answer. On loopback, a port without a server answers at once."""
SERVERS = frozenset({"gpt-oss", "llamacpp", "lmstudio", "mlx", "ollama", "parallax", "sglang", "transformers", "vllm"})
"""Backends that are servers of one's own, which need no key; which one it is, its answers say."""
_AT_ONCE = 8
_MOST_BYTES = 4 << 20
_LISTS = "/v1/models"


@frozen(kw_only=True)
class Found:
    """A backend that is available."""

    backend: str
    """The name to use, as in `backend/model`."""
    base_url: str
    evidence: str
    """What its answers showed, or which setting names it."""
    answered: bool
    """A server answered just now; otherwise a setting says that there is one, and nobody was asked."""
    models: tuple[str, ...] = ()
    windows: Mapping[str, int] = field(factory=dict[str, int])
    """Tokens of prompt and reply together, by model, where the server tells what it really serves."""
    version: str | None = None
    needs_key: bool = False
    origin: str = ""
    """Where the address came from."""


@frozen
class _Place:
    """An address to ask."""

    base_url: str
    origin: str
    key: Setting = Setting(None, secret=True)
    backend: str = ""
    """What the settings say that it is; the answers of a server of one's own say it better."""

    @property
    def same(self) -> tuple[object, ...]:
        """What two spellings of one address have in common."""
        parts = urlsplit(root_of(self.base_url))
        return parts.scheme, parts.port, parts.path


def discover(*, ports: Sequence[int] | None = None, patience: float = PATIENCE) -> tuple[Found, ...]:
    """The servers that answer on this machine, then the services that are configured. Never raises for want of them.

    The ports, by default `PORTS`, are those of loopback; addresses in the settings are asked where they are loopback.
    """
    ports = PORTS if ports is None else ports
    configured = tuple(_configured())
    places = _distinct([place for place in configured if is_local(place.base_url)] + [_at(port) for port in ports])
    running = tuple(found for found in _all_at_once(lambda place: _look(place, patience), places) if found is not None)
    named = (_from_settings(place) for place in configured if not is_local(place.base_url))
    return (*running, *named)


async def adiscover(*, ports: Sequence[int] | None = None, patience: float = PATIENCE) -> tuple[Found, ...]:
    """`discover` without blocking the loop, of asyncio or trio."""
    from anyio import to_thread

    return await to_thread.run_sync(lambda: discover(ports=ports, patience=patience))


def probe(base_url: str, *, api_key: str | None = None, patience: float = PATIENCE) -> Verdict:
    """What answers at an address.

    Raises:
        TransportError: nothing does.
        ProtocolError: it does not speak HTTP.
    """
    answers: dict[str, Answer] = {}
    root = root_of(base_url)
    while (path := next_probe(answers, version=True)) is not None:
        try:
            answers[path] = _get(root + path, api_key, patience)
        except (TransportError, ProtocolError):
            if not answers:
                raise
            answers[path] = NO_ANSWER
    return identify(answers)


def models_of(backend: str, *, base_url: str | None = None, patience: float = 10.0) -> Found:
    """Ask a backend, wherever the settings say it is, which models it has.

    Raises:
        TransportError: it cannot be reached.
        Unsupported: it has no list of models.
        AgentKitError: its answer is no such list, or its settings are wrong.
    """
    settings = backend_settings(backend, base_url=base_url)
    url = _url(settings)
    origin = settings.base_url.origin
    if backend == "gradient":
        return _gradient(url, origin, patience)
    if backend in SERVERS or (backend == "openai" and is_local(url)):
        verdict = probe(url, api_key=settings.api_key.value, patience=patience)
    else:
        verdict = identify({_LISTS: _get(f"{url}/models", settings.api_key.value, patience)})
    if verdict.backend is None:
        raise Unsupported(f"{shown_url(url)} has no list of models: {verdict.evidence}")
    return _found(verdict.backend if backend in SERVERS else backend, url, origin, verdict)


def _gradient(url: str, origin: str, patience: float) -> Found:
    from agentkit.providers._gradient_decode import available_models

    status, _, body = _get(f"{url}/model_info", None, patience)
    if status != 200:  # noqa: PLR2004 - HTTP's word for it
        raise Unsupported(f"gradient did not list its models (HTTP {status})")
    names = tuple(name.replace(" ", "-") for name in available_models(body))
    return Found(backend="gradient", base_url=url, origin=origin, evidence="/model_info", answered=True, models=names)


def _configured() -> Iterator[_Place]:
    """Each backend that a setting makes available."""
    for name in sorted(set(provider_names()) - {"sim"}):
        try:
            settings = backend_settings(name)
            where = Setting(_url(settings), settings.base_url.origin)
        except AgentKitError:
            continue  # whoever uses this backend is told why
        if settings.base_url.value is not None:
            yield _Place(where.value or "", where.origin, settings.api_key, name)
        elif settings.api_key.value is not None and name not in SERVERS:
            yield _Place(where.value or "", settings.api_key.origin, backend=name)


def _url(settings: BackendSettings) -> str:
    return get_provider(settings.backend, base_url=settings.base_url.value).base_url


def _at(port: int) -> _Place:
    return _Place(f"http://localhost:{port}/v1", f"port {port}")


def is_local(url: str) -> bool:
    """Whether this is an address of this machine only."""
    from agentkit._runtime.http.deadline import is_loopback

    return is_loopback(urlsplit(url).hostname or "")


def _distinct(places: Sequence[_Place]) -> tuple[_Place, ...]:
    """Each address once: as the settings have it, for a key may belong to it."""
    return tuple({place.same: place for place in reversed(places)}.values())[::-1]


def _all_at_once(look: Callable[[_Place], Found | None], places: Sequence[_Place]) -> Sequence[Found | None]:
    from concurrent.futures import ThreadPoolExecutor

    if not places:
        return ()
    with ThreadPoolExecutor(min(_AT_ONCE, len(places)), thread_name_prefix="agentkit-discover") as pool:
        return tuple(pool.map(look, places))


def _look(place: _Place, patience: float) -> Found | None:
    try:
        verdict = probe(place.base_url, api_key=place.key.value, patience=patience)
    except AgentKitError:
        return None
    if verdict.backend is None:
        return None
    backend = (place.backend if verdict.backend == "openai" else "") or verdict.backend
    return _found(backend, place.base_url, place.origin, verdict)


def _found(backend: str, url: str, origin: str, verdict: Verdict) -> Found:
    return Found(
        backend=backend,
        base_url=url,
        evidence=verdict.evidence,
        answered=True,
        models=verdict.models,
        windows=verdict.windows,
        version=verdict.version,
        needs_key=verdict.needs_key,
        origin=origin,
    )


def _from_settings(place: _Place) -> Found:
    return Found(
        backend=place.backend, base_url=place.base_url, evidence=place.origin, answered=False, origin=place.origin
    )


def _get(url: str, key: str | None, patience: float) -> Answer:
    """Ask once; the beginning of the body where that is large. No connection is kept: the server may never matter."""
    from agentkit._runtime.http import HTTPTransport
    from agentkit._runtime.transport import StopSignal

    timeouts = Timeouts(connect=patience, first_byte=patience, idle=patience, total=2 * patience)
    transport = HTTPTransport()
    answer = transport.open(HTTPRequest(method="GET", url=url, headers=_headers(key)), timeouts, StopSignal())
    body = bytearray()
    try:
        while len(body) < _MOST_BYTES and (data := answer.read(patience)):
            body += data
    finally:
        answer.close()
        transport.close()
    return answer.head.status, answer.head.headers, bytes(body)


def _headers(key: str | None) -> tuple[tuple[str, str], ...]:
    from agentkit import __version__

    made = (("accept", "application/json"), ("accept-encoding", "identity"), ("user-agent", f"agentkit/{__version__}"))
    return (*made, ("authorization", f"Bearer {key}")) if key else made
