"""Which way out the environment prescribes: proxies, exceptions from them, the switch that forbids all but loopback.

May hold what is read from the environment for the network, and how it becomes a factory of httpcore connections.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import os
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeAlias, TypeVar
from urllib.parse import unquote, urlsplit

import httpcore
from attrs import field, frozen

from agentkit._runtime.http.deadline import is_loopback, reason
from agentkit._runtime.http.direct import AsyncDirect, Direct
from agentkit.errors import ConnectError, NotConfigured

Factory: TypeAlias = httpcore.ConnectionPool
AsyncFactory: TypeAlias = httpcore.AsyncConnectionPool
Trust: TypeAlias = Callable[[], ssl.SSLContext]
F = TypeVar("F")

KEPT_SECONDS = 30.0
"""An idle connection is not used again after this long: routers forget silent ones without a word."""


def check_online(host: str, where: str) -> None:
    """Raise where `AGENTKIT_OFFLINE=1` forbids this connection."""
    if os.environ.get("AGENTKIT_OFFLINE", "") not in ("", "0") and not is_loopback(host):
        raise ConnectError(f"no connection to {where}: AGENTKIT_OFFLINE allows loopback addresses only")


@frozen
class Proxy:
    """One proxy. The password is kept out of its repr."""

    scheme: str
    host: str
    port: int | None
    auth: tuple[str, str] | None = field(default=None, repr=False)

    @classmethod
    def of(cls, url: str) -> Proxy:
        parts = urlsplit(url if "://" in url else f"http://{url}")
        try:
            port = parts.port
        except ValueError:
            raise NotConfigured("the port of the proxy in the environment is not a number") from None
        if parts.scheme not in ("http", "https", "socks5", "socks5h") or not parts.hostname:
            raise NotConfigured(f"a proxy must be http, https or socks5, not {parts.scheme!r}: see HTTPS_PROXY")
        if parts.scheme.startswith("socks5") and importlib.util.find_spec("socksio") is None:
            raise NotConfigured("a SOCKS proxy is set, but socksio is not installed: pip install 'httpx[socks]'")
        auth = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
        return cls(parts.scheme, parts.hostname, port, auth)


@frozen
class Environment:
    """The proxy settings at the time of the first use."""

    proxies: Mapping[str, str]

    @classmethod
    def read(cls) -> Environment:
        from urllib.request import getproxies

        return cls(getproxies())

    def proxy_for(self, scheme: str, host: str, port: int) -> Proxy | None:
        url = self.proxies.get(scheme) or self.proxies.get("all")
        if not url or is_loopback(host) or self._is_excepted(host, port):
            return None
        return Proxy.of(url)

    def _is_excepted(self, host: str, port: int) -> bool:
        rules = [rule.strip().lower() for rule in self.proxies.get("no", "").split(",")]
        return any(_matches(rule, host, port) for rule in rules if rule)


def _matches(rule: str, host: str, port: int) -> bool:
    """A name stands for itself and all below it; `*` for everything; a network for its addresses."""
    if "/" in rule:
        try:
            return ipaddress.ip_address(host) in ipaddress.ip_network(rule, strict=False)
        except ValueError:
            return False
    name = rule.removesuffix(f":{port}").removeprefix("*").removeprefix(".")
    return rule == "*" or host == name or host.endswith(f".{name}")


class Routes(Generic[F]):
    """The factory of connections for each target; made at its first use, then kept."""

    def __init__(self, make: Callable[[Proxy | None, ssl.SSLContext | None], F], trust: Trust) -> None:
        self._make = make
        self._trust = trust
        self._environment: Environment | None = None
        self._made: dict[tuple[Proxy | None, bool], F] = {}

    def to(self, scheme: str, host: str, port: int) -> F:
        proxy = self._proxy(scheme, host, port)
        secure = scheme == "https" or (proxy is not None and proxy.scheme == "https")
        made = self._made.get((proxy, secure))
        if made is None:
            made = self._made[proxy, secure] = self._make(proxy, self._context() if secure else None)
        return made

    def _proxy(self, scheme: str, host: str, port: int) -> Proxy | None:
        check_online(host, f"{host}:{port}")
        if is_loopback(host):
            return None
        if self._environment is None:
            self._environment = Environment.read()
        return self._environment.proxy_for(scheme, host, port)

    def _context(self) -> ssl.SSLContext:
        try:
            return self._trust()
        except OSError as error:
            raise NotConfigured(f"SSL_CERT_FILE or SSL_CERT_DIR cannot be used: {reason(error)}") from None


def factory(proxy: Proxy | None, backend: httpcore.NetworkBackend, trust: ssl.SSLContext | None) -> Factory:
    """Makes blocking connections, directly or through a proxy; it never holds one."""
    if proxy is None:
        return Direct(backend, trust, KEPT_SECONDS)
    settings = _settings(proxy, trust)
    match proxy:
        case Proxy(scheme="http" | "https"):
            return httpcore.HTTPProxy(network_backend=backend, **settings)
        case _:
            return httpcore.SOCKSProxy(network_backend=backend, **settings)


def async_factory(
    proxy: Proxy | None, backend: httpcore.AsyncNetworkBackend, trust: ssl.SSLContext | None
) -> AsyncFactory:
    """The same for the async connections."""
    if proxy is None:
        return AsyncDirect(backend, trust, KEPT_SECONDS)
    settings = _settings(proxy, trust)
    match proxy:
        case Proxy(scheme="http" | "https"):
            return httpcore.AsyncHTTPProxy(network_backend=backend, **settings)
        case _:
            return httpcore.AsyncSOCKSProxy(network_backend=backend, **settings)


def _settings(proxy: Proxy, trust: ssl.SSLContext | None) -> dict[str, Any]:
    settings: dict[str, Any] = {"ssl_context": trust, "keepalive_expiry": KEPT_SECONDS}
    settings["proxy_url"] = httpcore.URL(scheme=proxy.scheme, host=proxy.host, port=proxy.port, target="/")
    settings["proxy_auth"] = proxy.auth
    if proxy.scheme == "https":
        settings["proxy_ssl_context"] = trust
    return settings
