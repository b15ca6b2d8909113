"""A client with quick retries, the server that it asks, and nothing of the developer's own sign-in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from millrace import AsyncMillrace, Millrace, Retry
from scripted_server import Answer, Server

KEY = "mr_test"
QUICK = Retry(times=3, first=0.01, longest=0.02, patience=5)


@pytest.fixture
def server() -> Iterator[Server]:
    running = Server()
    yield running
    running.close()


@pytest.fixture
def client(server: Server) -> Iterator[Millrace]:
    with Millrace(server.url, KEY, retry=QUICK, timeout=5) as made:
        yield made


@pytest.fixture
async def aclient(server: Server) -> AsyncIterator[AsyncMillrace]:
    async with AsyncMillrace(server.url, KEY, retry=QUICK, timeout=5) as made:
        yield made


@pytest.fixture
def failure() -> Callable[..., Answer]:
    """`failure(429, "rate_limit_exceeded", retry=True, wait=1)`: an answer of the API's kind."""

    def make(status: int, code: str, *, retry: bool = False, wait: float | None = None) -> Answer:
        headers = {"x-should-retry": "true" if retry else "false", "x-request-id": "req_test"}
        if wait is not None:
            headers |= {"retry-after": str(max(1, round(wait))), "retry-after-ms": str(int(wait * 1000))}
        error = {"message": f"This is {code}.", "type": "error", "param": None, "code": code}
        return Answer(status, {"error": error}, headers)

    return make


@pytest.fixture(autouse=True)
def _no_sign_in_of_the_developer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in ("MILLRACE_URL", "MILLRACE_API_KEY", "MILLRACE_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
