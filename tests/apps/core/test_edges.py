"""Small things at the border: identifiers, WebSocket origins, static files."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from apps.core.ids import uuid7
from apps.core.static import StaticFiles
from apps.core.websockets import OriginCheck

Message = dict[str, Any]


def test_identifiers_are_unique_and_ordered_by_time() -> None:
    ids = []
    for _ in range(3):
        ids.append(uuid7())
        time.sleep(0.002)
    assert ids == sorted(ids)
    assert {(id.version, id.variant) for id in ids} == {(7, "specified in RFC 4122")}
    assert len({uuid7() for _ in range(10_000)}) == 10_000


async def shake_hands(origin: str | None, host: str = "testserver") -> list[Message]:
    async def accept(scope: Message, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})

    headers = [(b"host", host.encode())] + ([(b"origin", origin.encode())] if origin is not None else [])
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    await OriginCheck(accept)({"type": "websocket", "headers": headers}, receive, send)
    return sent


@pytest.mark.parametrize("origin", [None, "http://testserver", "https://TESTSERVER"])
async def test_own_pages_and_programs_may_open_a_websocket(origin: str | None) -> None:
    assert [message["type"] for message in await shake_hands(origin)] == ["websocket.accept"]


@pytest.mark.parametrize("origin", ["http://evil.example", "http://testserver.evil.example", "null", "http://", "x"])
async def test_a_foreign_page_may_not(origin: str) -> None:
    assert [message["type"] for message in await shake_hands(origin)] == ["websocket.close"]


async def test_a_host_that_is_not_ours_is_no_excuse() -> None:
    assert (await shake_hands("http://evil.example", host="evil.example"))[0]["type"] == "websocket.close"


@pytest.fixture
def static_files(tmp_path: Path) -> Iterator[StaticFiles]:
    (tmp_path / "static").mkdir()
    (tmp_path / "static" / "app.0123456789ab.css").write_text("body{}")
    (tmp_path / "secret.txt").write_text("secret")

    async def application(scope: Message, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 418, "headers": []})

    with override_settings(STATIC_ROOT=tmp_path / "static"):
        yield StaticFiles(application)


async def get(files: StaticFiles, path: str) -> tuple[int, dict[str, str], bytes]:
    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [],
        "server": ("testserver", 80),
        "http_version": "1.1",
        "scheme": "http",
    }
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await files(scope, receive, send)
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent)


async def test_a_file_with_the_hash_of_its_content_is_kept_for_ever(static_files: StaticFiles) -> None:
    status, headers, body = await get(static_files, "/static/app.0123456789ab.css")
    assert (status, body) == (200, b"body{}")
    assert "immutable" in headers["cache-control"]
    assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/static/missing.css", "/static/../secret.txt", "/static/%2e%2e/secret.txt"])
async def test_nothing_outside_the_folder_is_served(static_files: StaticFiles, path: str) -> None:
    status, _, body = await get(static_files, path)
    assert status == 404
    assert b"secret" not in body


async def test_everything_else_goes_to_the_application(static_files: StaticFiles) -> None:
    assert (await get(static_files, "/studio/"))[0] == 418
