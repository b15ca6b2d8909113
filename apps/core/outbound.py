"""Requests to addresses that a customer chose: identity providers, webhooks, log collectors.

The name is resolved once, every address that it has is checked, and the connection goes to the checked address, so that
a name that changes its mind in between leads nowhere else. Redirects are answers, never followed.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import re
import socket
import ssl
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote, urlsplit

import httpcore
import httpx
from django.conf import settings

from apps.core.addresses import may_be_reached
from apps.core.errors import OutboundFailed, OutboundRefused

_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*\.?")
# A last part that is a number makes the whole a number to most programs (WHATWG URL, section 3.5).
_ODD_NUMBER = re.compile(r"(^|\.)([0-9]+|0x[0-9a-f]*)\.?$")
_DOTTED = re.compile(r"((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(\.(?!$)|$)){4}")
_BLANK_OR_CONTROL = re.compile(r"[\x00-\x20\x7f\\]")
# The system's resolver has its own patience, which nothing can shorten: a name that hangs holds one of these.
_resolvers = ThreadPoolExecutor(128, "resolve")
_LONGEST_PROXY_ANSWER = 8_192


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, whatever its status; header names are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON; OutboundFailed when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise OutboundFailed("The other side sent something that is not JSON.") from error


@dataclass(frozen=True, slots=True)
class Target:
    """A URL taken apart once, so that nobody reads it differently later."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def host_header(self) -> str:
        name = f"[{self.host}]" if ":" in self.host else self.host
        return name if self.port == {"https": 443, "http": 80}[self.scheme] else f"{name}:{self.port}"


def is_trusted(url: str) -> bool:
    """Whether the operator has opened this very server, by host and port, to those who name it."""
    return urlsplit(url).netloc.lower() in settings.OUTBOUND_TRUSTED


def target_of(url: str, allow_private: bool = False, param: str | None = None) -> Target:
    """The parts of an absolute https URL (http too with `allow_private`); OutboundRefused, of `param`, for anything
    doubtful.
    """
    try:
        return _target(url, allow_private)
    except OutboundRefused as refused:
        refused.param = param
        raise


def _target(url: str, allow_private: bool) -> Target:
    if _BLANK_OR_CONTROL.search(url) or len(url) > 2000:
        raise OutboundRefused("This is not a URL.")
    try:
        parts = urlsplit(url)
        port = parts.port
        allow_private = allow_private or is_trusted(url)
    except ValueError:
        raise OutboundRefused("This is not a URL.") from None
    if parts.scheme not in ({"https", "http"} if allow_private else {"https"}):
        raise OutboundRefused("The URL must begin with https://.")
    if "@" in parts.netloc or not parts.hostname or port == 0:
        raise OutboundRefused("The URL must name a host, without a user or password.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not path.isascii():
        raise OutboundRefused("The URL's path must be in ASCII: encode other characters with %.")
    return Target(parts.scheme, _host(parts.hostname), port or (443 if parts.scheme == "https" else 80), path)


def _host(name: str) -> str:
    if ":" in name:
        if "%" in name:
            raise OutboundRefused("An address with a zone is not reachable from here.")
        return name
    try:
        ascii_name = name.encode("idna").decode().lower()
    except UnicodeError:
        raise OutboundRefused("The URL's host is not a name.") from None
    if not _HOST.fullmatch(ascii_name):
        raise OutboundRefused("The URL's host is not a name.")
    if _ODD_NUMBER.search(ascii_name) and not _DOTTED.fullmatch(ascii_name):
        # The system would read 0177.1, 0x7f.1 and 2130706433 as 127.0.0.1, and each program in its own way.
        raise OutboundRefused("Write an IP address as four decimal numbers.")
    return ascii_name


def resolve(host: str, port: int, timeout: float, allow_private: bool) -> list[str]:
    """Every address of the host; refused unless all of them may be reached."""
    try:
        return _checked(_resolvers.submit(_look_up, host, port).result(timeout), allow_private)
    except (OSError, UnicodeError):
        raise OutboundFailed("The host's name cannot be resolved.") from None


async def resolving(host: str, port: int, allow_private: bool) -> list[str]:
    """`resolve` for who has an event loop, and sets the time limit there."""
    try:
        if _is_address(host):
            return _checked(_look_up(host, port), allow_private)
        return _checked(await asyncio.wrap_future(_resolvers.submit(_look_up, host, port)), allow_private)
    except (OSError, UnicodeError):
        raise OutboundFailed("The host's name cannot be resolved.") from None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _checked(found: list[Any], allow_private: bool) -> list[str]:
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not addresses:
        raise OutboundFailed("The host's name cannot be resolved.")
    if not all(may_be_reached(address, allow_private) for address in addresses):
        # Which of them, and where it lies, is not for the caller: this must not map the network behind the server.
        raise OutboundRefused("The host is not on the public internet.")
    return addresses


def _look_up(host: str, port: int) -> list[Any]:
    return list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


class _Timed(httpcore.NetworkStream):
    """A stream whose every step ends at one deadline, however slowly the other side drips."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: float) -> None:
        self._inner, self._deadline = inner, deadline

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout
        return left

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._left())

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        return _Timed(self._inner.start_tls(ssl_context, server_hostname, self._left()), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _Pinned(httpcore.NetworkBackend):
    """Connects to the checked addresses, whatever name httpcore asks for; TLS and Host still use the name."""

    def __init__(self, addresses: list[str], deadline: float) -> None:
        self._addresses, self._deadline = addresses, deadline
        self._backend = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        problem: Exception = httpcore.ConnectError("no address")
        for index, address in enumerate(self._addresses):
            left = self._deadline - time.monotonic()
            if left <= 0:
                raise httpcore.ConnectTimeout
            try:
                # A dead first address leaves time for the second.
                share = left / (len(self._addresses) - index)
                if settings.OUTBOUND_PROXY:
                    return self._through_proxy(address, port, share)
                return _Timed(self._backend.connect_tcp(address, port, share), self._deadline)
            except (httpcore.NetworkError, httpcore.TimeoutException) as error:
                problem = error
        raise problem

    def _through_proxy(self, address: str, port: int, seconds: float) -> httpcore.NetworkStream:
        """A tunnel that the operator's proxy opens to the checked address, never to a name."""
        proxy = urlsplit(settings.OUTBOUND_PROXY)
        stream = self._backend.connect_tcp(proxy.hostname or "", proxy.port or 3128, seconds)
        timed = _Timed(stream, min(self._deadline, time.monotonic() + seconds))
        place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
        lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
        if proxy.username is not None:
            known = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
            lines.append(f"Proxy-Authorization: Basic {base64.b64encode(known.encode()).decode()}")
        try:
            timed.write("\r\n".join([*lines, "", ""]).encode())
            answer = b""
            while not answer.endswith(b"\r\n\r\n"):
                # Byte by byte: what follows the answer is the other side's already.
                part = timed.read(1)
                if not part or len(answer) > _LONGEST_PROXY_ANSWER:
                    raise httpcore.ConnectError("the proxy broke off")
                answer += part
            if not re.match(rb"HTTP/1\.[01] 2[0-9][0-9]\b", answer):
                raise httpcore.ConnectError("the proxy refused")
        except BaseException:
            stream.close()
            raise
        return _Timed(stream, self._deadline)


def may_name(host: str, port: int) -> bool:
    """Whether the operator has opened this very server to customers."""
    return f"{host.strip().lower()}:{port}" in settings.OUTBOUND_TRUSTED


def dial(host: str, port: int, timeout: float) -> tuple[socket.socket, str]:
    """A connection to a checked address of a host, for what is not HTTP, and the host's name in ASCII.

    OutboundRefused where nobody may be connected to it, OutboundFailed where nothing answers.
    """
    deadline = time.monotonic() + timeout
    name = _host(host.strip())
    addresses = resolve(name, port, timeout, settings.OUTBOUND_ALLOW_PRIVATE or may_name(name, port))
    try:
        stream = _Pinned(addresses, deadline).connect_tcp(name, port, timeout)
    except (httpcore.TimeoutException, httpcore.NetworkError, TimeoutError, OSError) as error:
        raise OutboundFailed("The other side cannot be reached, or broke the connection.") from error
    found: socket.socket = stream.get_extra_info("socket")
    found.settimeout(timeout)
    return found, name


@cache
def tls() -> ssl.SSLContext:
    """Certificates are checked against the usual authorities, or the file that SSL_CERT_FILE names."""
    return httpx.create_ssl_context()


def fetch(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    allow_private: bool = False,
    limit_bytes: int = 1_048_576,
    timeout: float = 10.0,
    only_beginning: bool = False,
) -> Response:
    """Sends one request and returns the answer; the whole exchange ends within `timeout` seconds.

    With `only_beginning` the status is what counts: of the body at most `limit_bytes` are read, and it may break off.

    OutboundRefused when the URL or its host is not one to be asked, OutboundFailed when there is no usable answer.
    """
    deadline = time.monotonic() + timeout
    target = target_of(url, allow_private)
    addresses = resolve(target.host, target.port, timeout, allow_private or is_trusted(url))
    given = {name.lower(): value for name, value in (headers or {}).items()}
    sent = {"host": target.host_header, "user-agent": "Millrace", "accept": "*/*"} | given
    # A compressed body could unfold to any size.
    sent |= {"accept-encoding": "identity", "connection": "close"}
    if body is not None:
        sent["content-length"] = str(len(body))
    where = httpcore.URL(
        scheme=target.scheme.encode(), host=target.host.encode(), port=target.port, target=target.path.encode()
    )
    wire = [(name.encode("ascii"), value.encode("latin-1")) for name, value in sent.items()]
    try:
        with (
            httpcore.ConnectionPool(ssl_context=tls(), network_backend=_Pinned(addresses, deadline)) as pool,
            pool.stream(method, where, headers=wire, content=body) as answer,
        ):
            return _begun(answer, limit_bytes) if only_beginning else _read(answer, limit_bytes)
    except (httpcore.TimeoutException, TimeoutError) as error:
        raise OutboundFailed("The other side did not answer in time.") from error
    except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError) as error:
        raise OutboundFailed("The other side cannot be reached, or broke the connection.") from error


def _begun(answer: httpcore.Response, limit_bytes: int) -> Response:
    """The answer with the beginning of its body, as it came on the wire."""
    body = b""
    try:
        for part in answer.iter_stream():
            body += part[: limit_bytes - len(body)]
            if len(body) >= limit_bytes:
                break
    except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError, OSError):
        # The status has come: what is wrong with the rest changes nothing.
        pass
    return Response(answer.status, _headers(answer), body)


def _headers(answer: httpcore.Response) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in answer.headers}


def _read(answer: httpcore.Response, limit_bytes: int) -> Response:
    headers = _headers(answer)
    if headers.get("content-encoding", "identity").strip().lower() not in {"", "identity"}:
        raise OutboundFailed("The other side compressed its answer, which was not asked for.")
    parts: list[bytes] = []
    size = 0
    for part in answer.iter_stream():
        size += len(part)
        if size > limit_bytes:
            raise OutboundFailed(
                "The other side sent more than %(limit_bytes)s bytes.", values={"limit_bytes": limit_bytes}
            )
        parts.append(part)
    return Response(answer.status, headers, b"".join(parts))
