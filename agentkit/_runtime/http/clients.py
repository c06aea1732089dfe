"""A ready HTTP client of the caller as a transport: httpx, its continuation httpx2, or whatever has their methods.

May hold what is needed to send through `build_request` and `send(stream=True)` of such a client, and the translation of
its exceptions, which are known by name so that neither library has to be imported. The client is never closed here.
Limits and the stop signal hold as far as such a client lets them: a blocking one counts each read of the head anew, and
can be stopped once the head is there.
"""

from __future__ import annotations

import builtins
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio

from agentkit._runtime.http.aio import spawner
from agentkit._runtime.http.deadline import LONGEST, Call, Deadline, no_connection
from agentkit._runtime.http.network import cut
from agentkit._runtime.http.pool import PreparedRequests, inflated, inflated_async, inflater_for
from agentkit._runtime.http.proxies import check_online
from agentkit._runtime.transport import StopSignal
from agentkit.effects import Stopped
from agentkit.errors import AgentKitError, ConnectionLost, InvalidInput, ProtocolError
from agentkit.options import Timeouts
from agentkit.provider import HTTPRequest, ResponseHead

_ENDS = ("disconnected", "peer closed", "closed connection")


def _built(client: Any, known: PreparedRequests, request: HTTPRequest, timeouts: Timeouts) -> tuple[Any, str]:
    """The client's own request, checked as ours are, and the name of its target."""
    prepared = known.get(request)
    check_online(prepared.origin[1], prepared.where)
    headers = list(request.headers)
    if not any(name.lower() == "accept-encoding" for name, _ in headers):
        headers.append(("Accept-Encoding", "identity"))  # the client would ask for compression
    limits = {
        "connect": _wait(timeouts.connect),
        "read": _wait(timeouts.first_byte),
        "write": _wait(timeouts.first_byte),
        "pool": _wait(timeouts.total),
    }
    try:
        built = client.build_request(
            request.method, request.url, headers=headers, content=request.body, extensions={"timeout": limits}
        )
    except Exception as error:  # noqa: BLE001 - whatever it is, it leaves as one of ours
        raise InvalidInput(f"the http_client cannot build the request: {type(error).__name__}") from None
    return built, prepared.where


def _wait(seconds: float | None) -> float | None:
    return None if seconds is None else min(seconds, LONGEST)


def _head(response: Any) -> ResponseHead:
    headers = {name.lower(): value for name, value in response.headers.items()}
    if _was_read(response):  # and decompressed with it
        headers.pop("content-encoding", None)
    return ResponseHead(response.status_code, headers)


def _was_read(response: Any) -> bool:
    """The body is in memory: made there, as with httpx.MockTransport, or read by a hook of the caller."""
    return bool(getattr(response, "is_stream_consumed", False))


def _body(response: Any) -> Iterator[bytes]:
    return _whole(response) if _was_read(response) else response.iter_raw()


def _whole(response: Any) -> Iterator[bytes]:
    yield response.content


def _async_body(response: Any) -> AsyncIterator[bytes]:
    return _async_whole(response) if _was_read(response) else response.aiter_raw()


async def _async_whole(response: Any) -> AsyncIterator[bytes]:
    yield response.content


def _socket(response: Any) -> Any:
    """The socket under an answer, where the client has one."""
    stream = response.extensions.get("network_stream")
    return None if stream is None else stream.get_extra_info("socket")


def _set_read(request: Any, seconds: float | None) -> None:
    limits = request.extensions.get("timeout")
    if isinstance(limits, dict):
        limits["read"] = seconds


def _translated(error: Exception, deadline: Deadline) -> AgentKitError:
    if isinstance(error, AgentKitError):
        return error
    names = {kind.__name__ for kind in type(error).__mro__}
    if "TimeoutException" in names or isinstance(error, builtins.TimeoutError):
        return _expired(names, deadline)
    return _broken(error, names, deadline.where)


def _expired(names: set[str], deadline: Deadline) -> AgentKitError:
    if "ConnectTimeout" in names:
        deadline.begin("connect", deadline.timeouts.connect)
    elif "PoolTimeout" in names:
        deadline.begin("pool", deadline.timeouts.total)
    return deadline.expired()


def _broken(error: Exception, names: set[str], where: str) -> AgentKitError:
    text = str(error).lower()
    if names & {"ConnectError", "ProxyError"}:
        return no_connection(where, error)
    if names & {"LocalProtocolError", "UnsupportedProtocol", "InvalidURL"}:
        return InvalidInput(f"the http_client cannot send the request to {where}: {type(error).__name__}")
    if names & {"NetworkError", "OSError"} or ("RemoteProtocolError" in names and any(end in text for end in _ENDS)):
        return ConnectionLost(f"{where} closed the connection before the end of the answer")
    if "RuntimeError" in names and "closed" in text:
        return InvalidInput("the http_client has been closed")
    return ProtocolError(f"the answer of {where} cannot be read: {type(error).__name__}")


class ClientTransport:
    """Sends requests through the caller's own blocking client."""

    def __init__(self, client: Any) -> None:
        if hasattr(client, "aclose") or not hasattr(client, "send"):
            raise InvalidInput(
                f"http_client must be a blocking client such as httpx.Client, not {type(client).__name__}"
            )
        self._client = client
        self._known = PreparedRequests()

    def open(self, request: HTTPRequest, timeouts: Timeouts, signal: StopSignal, /) -> ClientAnswer:
        built, where = _built(self._client, self._known, request, timeouts)
        signal.check()
        call = Call(where, timeouts, signal)
        call.sending()
        try:
            response = self._client.send(built, stream=True, follow_redirects=False)
        except Exception as error:  # noqa: BLE001 - whatever it is, it leaves as one of ours
            raise _translated(error, call) from None
        try:
            return ClientAnswer(response, call, signal)
        except BaseException:
            response.close()
            raise


def _in_time(chunks: Iterator[bytes], call: Call) -> Iterator[bytes]:
    """Each chunk is held to the limit of the read that asked for it, also where one read takes many."""
    for data in chunks:
        call.left()
        yield data
    call.left()


class ClientAnswer:
    """An open answer of such a client."""

    __slots__ = ("_call", "_chunks", "_inflater", "_open", "_response", "_signal", "head")

    def __init__(self, response: Any, call: Call, signal: StopSignal) -> None:
        self._response = response
        self._call = call
        self._signal = signal
        self._open = True
        self.head = _head(response)
        self._inflater = inflater_for(self.head, call.where)
        self._chunks = _in_time(_body(response), call)

    def read(self, timeout: float | None, /) -> bytes:
        call = self._call
        call.begin("idle", timeout)
        _set_read(self._response.request, call.left())
        sock = _socket(self._response)
        self._signal.guard(call.abort)
        try:
            call.wakes(lambda: cut(sock))
            data = next(self._chunks, b"") if self._inflater is None else inflated(self._inflater, self._chunks)
        except Exception as error:  # noqa: BLE001 - whatever it is, it leaves as one of ours
            raise (Stopped() if call.stopped else _translated(error, call)) from None
        finally:
            self._signal.guard(None)
        call.check()
        return data

    def close(self) -> None:
        if self._open:
            self._open = False
            with contextlib.suppress(Exception):
                self._response.close()


class AsyncClientTransport:
    """Sends requests through the caller's own async client."""

    def __init__(self, client: Any) -> None:
        if not hasattr(client, "aclose") or not hasattr(client, "send"):
            raise InvalidInput(
                f"http_client must be an async client such as httpx.AsyncClient, not {type(client).__name__}"
            )
        self._client = client
        self._known = PreparedRequests()

    async def open(self, request: HTTPRequest, timeouts: Timeouts, /) -> AsyncClientAnswer:
        built, where = _built(self._client, self._known, request, timeouts)
        deadline = Deadline(where, timeouts)
        deadline.sending()
        try:
            with anyio.fail_after(deadline.left()):
                response = await self._client.send(built, stream=True, follow_redirects=False)
        except Exception as error:  # noqa: BLE001 - whatever it is, it leaves as one of ours
            raise _translated(error, deadline) from None
        try:
            return AsyncClientAnswer(response, deadline)
        except BaseException:
            with anyio.CancelScope(shield=True):
                await response.aclose()
            raise


class AsyncClientAnswer:
    """An open answer of such a client."""

    __slots__ = ("_chunks", "_deadline", "_inflater", "_open", "_response", "_spawn", "head")

    def __init__(self, response: Any, deadline: Deadline) -> None:
        self._response = response
        self._deadline = deadline
        self._open = True
        self._spawn = spawner()
        self.head = _head(response)
        self._inflater = inflater_for(self.head, deadline.where)
        self._chunks = _async_body(response)

    async def read(self, timeout: float | None, /) -> bytes:
        self._deadline.begin("idle", timeout)
        _set_read(self._response.request, None)  # the limit around it is exact
        try:
            with anyio.fail_after(self._deadline.left()):
                if self._inflater is not None:
                    return await inflated_async(self._inflater, self._chunks)
                return await anext(self._chunks, b"")
        except Exception as error:  # noqa: BLE001 - whatever it is, it leaves as one of ours
            raise _translated(error, self._deadline) from None

    async def close(self) -> None:
        if self._open:
            self._open = False
            with contextlib.suppress(Exception):
                await self._end()

    async def _end(self) -> None:
        aclose: Callable[[], Any] | None = getattr(self._chunks, "aclose", None)
        if aclose is not None:
            await aclose()
        await self._response.aclose()

    def abandon(self) -> None:
        if self._open:
            cut(_socket(self._response))
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._spawn(self.close)
