"""Entries to a log server: RFC 5424 messages over TLS (RFC 5425), TCP (RFC 6587, octet counting) or UDP (RFC 5426)."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings

from apps.accounts.audit.presentation import as_json, moment
from apps.accounts.models import AuditEntry
from apps.core.errors import OutboundFailed, OutboundRefused
from apps.core.outbound import resolve, tls

# Facility 13, "log audit", severity 5, "notice".
PRIORITY = 13 * 8 + 5
# 32473 is IANA's number for examples, since this product has none of its own.
ELEMENT = "millrace@32473"
PORTS = {"syslog+tls": 6514, "syslog+tcp": 601, "syslog+udp": 514}
TIMEOUT_SECONDS = 10
LONGEST_DATAGRAM = 60_000
_NOT_PRINTABLE = re.compile(r"[^\x21-\x7e]")


@dataclass(frozen=True, slots=True)
class Server:
    """Where to send, and how."""

    scheme: str
    host: str
    port: int


def server_of(url: str) -> Server:
    """`syslog+tls://host:port`, and nothing else behind it; OutboundRefused for anything doubtful."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise OutboundRefused("This is not an address of a log server.") from None
    plain = not (parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in PORTS or not parts.hostname or not plain or port == 0 or _NOT_PRINTABLE.search(url):
        raise OutboundRefused("Write syslog+tls://host:port, syslog+tcp://host:port or syslog+udp://host:port.")
    return Server(parts.scheme, parts.hostname, port or PORTS[parts.scheme])


def message(entry: AuditEntry, sender: str, shorten: bool = False) -> bytes:
    """One RFC 5424 message whose text is the entry's JSON; `shorten` leaves its values out."""
    content = as_json(entry)
    if shorten:
        content |= {"before": None, "after": None, "detail": None, "shortened": True}
    parameters = {
        "sequence": entry.sequence,
        "organization": entry.organization_id,
        "action": entry.action,
        "hash": entry.hash,
    }
    data = " ".join(f'{name}="{_escaped(str(value))}"' for name, value in parameters.items())
    sender = _NOT_PRINTABLE.sub("", sender)[:255] or "-"
    head = f"<{PRIORITY}>1 {moment(entry)} {sender} millrace - audit [{ELEMENT} {data}] "
    return head.encode() + b"\xef\xbb\xbf" + json.dumps(content, ensure_ascii=False).encode()


def _escaped(value: str) -> str:
    return re.sub(r'(["\\\]])', r"\\\1", value)


def send(url: str, entries: Sequence[AuditEntry]) -> None:
    """Delivers the entries in order, or raises OutboundFailed: then none of them counts as delivered.

    Syslog has no receipts. Over TCP and TLS the connection is closed from this side first, and the other side's own end
    is waited for: it has then read everything. UDP may lose any of them.
    """
    server = server_of(url)
    addresses = resolve(server.host, server.port, TIMEOUT_SECONDS, settings.AUDIT_STREAMS_TO_PRIVATE_ADDRESSES)
    sender = urlsplit(settings.BASE_URL).hostname or "-"
    try:
        if server.scheme == "syslog+udp":
            _datagrams(addresses[0], server.port, [_datagram(entry, sender) for entry in entries])
        else:
            _stream(server, addresses, [message(entry, sender) for entry in entries])
    except OSError as error:
        raise OutboundFailed("The log server cannot be reached, or broke the connection.") from error


def _datagram(entry: AuditEntry, sender: str) -> bytes:
    whole = message(entry, sender)
    return whole if len(whole) <= LONGEST_DATAGRAM else message(entry, sender, shorten=True)


def _datagrams(address: str, port: int, messages: Sequence[bytes]) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        sender.connect((address, port))
        for each in messages:
            sender.send(each)


def _stream(server: Server, addresses: Sequence[str], messages: Sequence[bytes]) -> None:
    with _connected(addresses, server.port) as plain:
        plain.settimeout(TIMEOUT_SECONDS)
        if server.scheme == "syslog+tcp":
            _exchange(plain, messages)
            return
        with tls().wrap_socket(plain, server_hostname=server.host) as secure:
            _exchange(secure, messages)


def _connected(addresses: Sequence[str], port: int) -> socket.socket:
    problem: OSError = OSError("no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), TIMEOUT_SECONDS)
        except OSError as error:
            problem = error
    raise problem


def _exchange(connection: socket.socket, messages: Sequence[bytes]) -> None:
    connection.sendall(b"".join(b"%d %b" % (len(each), each) for each in messages))
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(4096):
        pass
