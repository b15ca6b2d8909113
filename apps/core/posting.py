"""Requests to addresses that a customer chose, thousands at once: `apps.core.outbound` on one event loop.

The same rules hold: every address of the name is checked, the connection goes to a checked one, TLS and Host use the
name, redirects are answers. A slow receiver costs a connection here, and neither a thread nor the interpreter's time.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Mapping
from typing import Any, cast

import httptools

from apps.core.errors import OutboundFailed, OutboundRefused
from apps.core.outbound import Response, Target, is_trusted, resolving, target_of, tls
from apps.core.tunnels import Proxy, is_open, proxy_to

# Of an answer, beside its body.
_LONGEST_HEAD = 102_400
_FORBIDDEN = re.compile(r"[\r\n\0]")


class _Exchange(asyncio.Protocol):
    """One request and the beginning of its answer. `done` is set at the end, or as soon as enough has come."""

    def __init__(self, request: bytes, limit_bytes: int) -> None:
        self._request, self._limit = request, limit_bytes
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        # Chunks of single bytes are six times their body; trailers and what chunks have besides counts as well.
        self._left = _LONGEST_HEAD + 8 * limit_bytes
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self.status: int | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    @property
    def response(self) -> Response | None:
        """What has come, once its status has."""
        return None if self.status is None else Response(self.status, self._headers, bytes(self._body))

    # ---- the connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self.done.done():
            return
        data = data[: self._left]
        self._left -= len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._end()
        except httptools.HttpParserError:
            # The status may have come: what is wrong with the rest changes nothing.
            self._end()
        if not self._left:
            self._end()

    def eof_received(self) -> bool:
        self._end()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._end()

    def _end(self) -> None:
        if not self.done.done():
            self.done.set_result(None)

    def close(self) -> None:
        """Breaks the connection off; nothing that was not sent yet is waited for."""
        if self._transport is not None:
            self._transport.abort()

    # ---- the parser

    def on_header(self, name: bytes, value: bytes) -> None:
        # What comes behind the head are trailers.
        if self.status is None:
            self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if 100 <= status < 200 and status != 101:
            # An interim answer: the real one follows.
            self._headers = {}
        else:
            self.status = status

    def on_body(self, body: bytes) -> None:
        self._body += body[: self._limit - len(self._body)]
        if len(self._body) >= self._limit:
            self._end()

    def on_message_complete(self) -> None:
        if self.status is not None:
            self._end()


class _Tunnel(asyncio.Protocol):
    """What the operator's proxy says to CONNECT."""

    def __init__(self, request: bytes) -> None:
        self._request, self._answer = request, b""
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(self._request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        if self.opened.done():
            return
        try:
            if is_open(self._answer):
                self.opened.set_result(None)
        except ConnectionError as error:
            self.opened.set_exception(error)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("the proxy broke off"))


async def post(
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes,
    allow_private: bool = False,
    limit_bytes: int = 4_096,
    timeout: float = 10.0,
) -> Response:
    """Posts `body` and returns the answer with the beginning of its body, all within `timeout` seconds.

    OutboundRefused when the URL or its host is not one to be asked, OutboundFailed when no status came.
    """
    target = target_of(url, allow_private)
    request = _written(target, headers, body)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout
    exchange: _Exchange | None = None
    try:
        async with asyncio.timeout_at(deadline):
            addresses = await resolving(target.host, target.port, allow_private or is_trusted(url))
            exchange = await _connected(target, addresses, request, limit_bytes, deadline)
            await exchange.done
    except TimeoutError as error:
        if exchange is None or exchange.response is None:
            raise OutboundFailed("The other side did not answer in time.") from error
    except (OSError, ssl.SSLError) as error:
        raise OutboundFailed("The other side cannot be reached, or broke the connection.") from error
    finally:
        if exchange is not None:
            exchange.close()
    if (answer := exchange.response) is None:
        raise OutboundFailed("The other side cannot be reached, or broke the connection.")
    return answer


def _written(target: Target, headers: Mapping[str, str], body: bytes) -> bytes:
    """The request as it goes over the wire."""
    given = {name.lower(): value for name, value in headers.items()}
    sent = {"host": target.host_header, "user-agent": "Millrace", "accept": "*/*"} | given
    # A compressed body could unfold to any size.
    sent |= {"accept-encoding": "identity", "connection": "close", "content-length": str(len(body))}
    if any(_FORBIDDEN.search(name + value) for name, value in sent.items()):
        raise OutboundRefused("A header holds a line break.")
    lines = [f"POST {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in sent.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


async def _connected(
    target: Target, addresses: list[str], request: bytes, limit_bytes: int, deadline: float
) -> _Exchange:
    """The request on its way to the first address that takes it."""
    loop = asyncio.get_running_loop()
    problem: Exception = ConnectionError("no address")
    for index, address in enumerate(addresses):
        exchange = _Exchange(request, limit_bytes)
        # A dead first address leaves time for the second.
        share = (deadline - loop.time()) / (len(addresses) - index)
        try:
            async with asyncio.timeout(share):
                await _connect(target, address, exchange)
            return exchange
        except OSError as error:  # a TimeoutError is one, and so is what TLS refuses
            exchange.close()
            problem = error
    raise problem


async def _connect(target: Target, address: str, exchange: _Exchange) -> None:
    loop = asyncio.get_running_loop()
    secure: dict[str, Any] = {}
    if target.scheme == "https":
        secure = {"ssl": tls(), "server_hostname": target.host}
    proxy = proxy_to(address, target.port)
    if proxy is None:
        await loop.create_connection(lambda: exchange, address, target.port, **secure)
        return
    transport = await _tunnel(proxy)
    try:
        if secure:
            secured = await loop.start_tls(transport, exchange, secure["ssl"], server_hostname=target.host)
            exchange.connection_made(cast(asyncio.Transport, secured))
        else:
            transport.set_protocol(exchange)
            exchange.connection_made(transport)
    except BaseException:
        transport.abort()
        raise


async def _tunnel(proxy: Proxy) -> asyncio.Transport:
    """A connection that the operator's proxy opens to the checked address, never to a name."""
    loop = asyncio.get_running_loop()
    transport, tunnel = await loop.create_connection(lambda: _Tunnel(proxy.request), proxy.host, proxy.port)
    try:
        await tunnel.opened
    except BaseException:
        transport.abort()
        raise
    return transport
