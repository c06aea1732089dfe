"""Pages of some sites, by HTTP GET. Only hosts that are allowed, and none that leads into a private network.

A name is resolved once, every address that it has is looked at, and the transport is told to connect to one of those
and to nothing else: a name that means something else a moment later is of no use. Each redirect is judged anew.
Proxies are passed by, because one would resolve the name itself.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Annotated, Protocol
from urllib.parse import SplitResult, urljoin, urlsplit

from attrs import field, frozen

from agentkit.errors import InvalidInput
from agentkit.options import Timeouts
from agentkit.tools import AnyTool, tool

_MOST_BYTES = 1 << 20
_MOST_REDIRECTS = 5
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_TIMEOUTS = Timeouts(connect=10, first_byte=20, idle=20, total=50)
_ACCEPTED = "text/html, text/*;q=0.9, application/json;q=0.9, application/xml;q=0.9, */*;q=0.1"
_TEXTS = (
    "text/",
    "application/json",
    "application/xml",
    "application/xhtml",
    "application/javascript",
    "+json",
    "+xml",
)


@frozen
class Target:
    """What is to be fetched, and from where."""

    url: str
    host: str
    """The name, for the `Host` header and for TLS."""
    address: str
    """The IP address to connect to, in place of whatever the name means by then."""
    port: int
    most_bytes: int
    """Of the body; the rest is not needed."""


@frozen
class Fetched:
    """An answer, as it came: no redirect has been followed."""

    status: int
    headers: Mapping[str, str]
    """With names in lower case."""
    body: bytes


class Fetcher(Protocol):
    """Sends one GET. It must connect to `target.address`, through no proxy, and follow no redirect."""

    def __call__(self, target: Target, /) -> Fetched: ...


Resolve = Callable[[str, int], Iterable[str]]


def _get(target: Target) -> Fetched:
    """By the transport that conversations use, with limits of time of its own."""
    from agentkit._runtime.http.pinned import get

    status, headers, body = get(
        target.url, target.host, target.address, most=target.most_bytes + 1, accept=_ACCEPTED, timeouts=_TIMEOUTS
    )
    return Fetched(status, headers, body)


def _resolve(host: str, port: int) -> list[str]:
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _hosts(value: Iterable[str]) -> tuple[str, ...]:
    made = tuple(host.lower().rstrip(".") for host in ([value] if isinstance(value, str) else value))
    wrong = next((host for host in made if not _HOST.fullmatch(host)), None)
    if wrong is not None or not made:
        said = "and not none" if wrong is None else f"not {wrong!r}"
        raise InvalidInput(f"allow names hosts, such as example.org or *.example.org, {said}")
    return made


@frozen(kw_only=True)
class Web:
    """The pages of some hosts."""

    allow: Sequence[str] = field(converter=_hosts)
    """Names of hosts; `*.example.org` stands for all below example.org, but not for itself."""
    fetch: Fetcher = field(default=_get, repr=False)
    most_bytes: int = _MOST_BYTES
    resolve: Resolve = field(default=_resolve, repr=False)
    private: bool = False
    """Addresses of private networks and of this machine may be reached too."""

    def tools(self) -> list[AnyTool]:
        """The one tool `fetch_page`."""
        return [tool(rerun="rerun", timeout=60)(self.fetch_page)]

    def fetch_page(self, url: Annotated[str, "beginning with https://"]) -> str:
        """Fetch a page or a document from the web, as text."""
        for _ in range(_MOST_REDIRECTS + 1):
            found = self.fetch(self._target(url))
            where = found.headers.get("location")
            if found.status not in _REDIRECTS or where is None:
                return self._text(found)
            url = _joined(url, where)
        raise InvalidInput(f"more than {_MOST_REDIRECTS} redirects")

    def _target(self, url: str) -> Target:
        parts, port = _split(url)
        host = (parts.hostname or "").lower().rstrip(".")
        if not any(_matches(host, allowed) for allowed in self.allow):
            raise InvalidInput(f"the host {host!r} is not allowed; allowed are {', '.join(self.allow)}")
        return Target(parts._replace(fragment="").geturl(), host, self._address(host, port), port, self.most_bytes)

    def _address(self, host: str, port: int) -> str:
        """All addresses of the name are looked at: one bad one among them is a trap."""
        try:
            found = list(dict.fromkeys(self.resolve(host, port)))
        except (OSError, UnicodeError):
            found = []
        if not found:
            raise InvalidInput(f"the host {host!r} is not known")
        if not self.private and not all(map(_is_public, found)):
            raise InvalidInput(f"the host {host!r} is in a private network")
        return found[0]

    def _text(self, found: Fetched) -> str:
        if not 200 <= found.status < 300:  # noqa: PLR2004 - the class of answers that hold what was asked for
            raise InvalidInput(f"the server answered with status {found.status}")
        kind, _, more = found.headers.get("content-type", "text/plain").lower().partition(";")
        if not any(each in kind for each in _TEXTS):
            raise InvalidInput(f"this is no text but {kind.strip()!r}")
        text = _decoded(found.body[: self.most_bytes], more)
        return f"{text}\n[... the rest is left out ...]" if len(found.body) > self.most_bytes else text


def _split(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        raise InvalidInput("this is no address of a page") from None
    if parts.scheme not in _PORTS or not parts.hostname or not parts.hostname.isascii():
        raise InvalidInput("the address of a page begins with https:// or http:// and a host")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput("an address with a name or a password in it is not fetched")
    if any(sign <= " " or sign == "\x7f" for sign in url) or "\\" in url:
        raise InvalidInput("this is no address of a page: blanks and backslashes are written as %20 and %5C")
    return parts, port


def _joined(url: str, where: str) -> str:
    try:
        return urljoin(url, where)
    except ValueError:
        raise InvalidInput("the server redirects to what is no address") from None


def _matches(host: str, allowed: str) -> bool:
    return host.endswith(allowed[1:]) if allowed.startswith("*.") else host == allowed


def _is_public(address: str) -> bool:
    """An address that the whole world shares, also where an IPv4 address is wrapped in one of IPv6."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address):
        inner = found.ipv4_mapped or found.sixtofour or (found.teredo or (None, None))[1] or _translated(found)
        if found.is_site_local or (inner is not None and not _is_public(str(inner))):
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def _translated(found: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    return ipaddress.IPv4Address(int(found) & 0xFFFFFFFF) if found in _NAT64 else None


def _decoded(body: bytes, more: str) -> str:
    name = more.partition("charset=")[2].partition(";")[0].strip("\"' ") or "utf-8"
    try:
        return body.decode(name, errors="replace")
    except (LookupError, ValueError):  # some encodings of Python are none of texts on the web
        return body.decode(errors="replace")
