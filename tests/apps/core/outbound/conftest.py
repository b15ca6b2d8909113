"""Names that resolve to what a test says, and servers on this machine."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from apps.core import outbound, posting
from tests.helpers.servers import Server, certificate_for, serve


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """`named("a.example", "1.2.3.4", …)`: the name has these addresses; returns which names were looked up."""
    asked: list[str] = []

    def name(host: str, *addresses: str) -> list[str]:
        def look_up(wanted: str, port: int) -> list[Any]:
            asked.append(wanted)
            return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]

        monkeypatch.setattr(outbound, "_look_up", look_up)
        return asked

    return name


@pytest.fixture
def plain() -> Generator[Server]:
    yield from serve()


@pytest.fixture
def secure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Server]:
    """A TLS server that is idp.example, and a client that trusts it."""
    certificate, key = certificate_for(tmp_path, "idp.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    trusting = ssl.create_default_context(cafile=certificate)
    for module in (outbound, posting):
        monkeypatch.setattr(module, "tls", lambda: trusting)
    yield from serve(context)
