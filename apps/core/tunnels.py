"""The operator's proxy: what it is asked, and what its answer means, whoever carries the bytes.

It is asked for a checked address, never for a name, so that no name is looked up a second time behind it.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from django.conf import settings

LONGEST_ANSWER = 8_192
_OPEN = re.compile(rb"HTTP/1\.[01] 2[0-9][0-9]\b")
_END = b"\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where it listens, and what it is sent there for a tunnel."""

    host: str
    port: int
    request: bytes


def proxy_to(address: str, port: int) -> Proxy | None:
    """How a tunnel to a checked address is asked for; None where the operator has set no proxy."""
    if not settings.OUTBOUND_PROXY:
        return None
    parts = urlsplit(settings.OUTBOUND_PROXY)
    place = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
    if parts.username is not None:
        known = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        lines.append(f"Proxy-Authorization: Basic {base64.b64encode(known.encode()).decode()}")
    return Proxy(parts.hostname or "", parts.port or 3128, "\r\n".join([*lines, "", ""]).encode())


def is_open(answer: bytes) -> bool:
    """Whether the proxy has opened the tunnel; False while more of its answer is to come.

    Raises ConnectionError where it refuses, says too much, or lets somebody speak before they were spoken to.
    """
    if answer.endswith(_END) and _OPEN.match(answer):
        return True
    if _END in answer or len(answer) > LONGEST_ANSWER:
        raise ConnectionError("the proxy refused")
    return False
