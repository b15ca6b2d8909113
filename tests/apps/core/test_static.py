"""Static files over ASGI: cached for ever under hashed names, compressed, and never another directory's file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from apps.core.static import CHUNK_BYTES, StaticFiles

HASHED = "css/site.0123456789ab.css"


async def _django(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b"from Django"})


@pytest.fixture
def files(tmp_path: Path) -> Any:
    (tmp_path / "css").mkdir()
    (tmp_path / HASHED).write_text("a { color: red }\n" * 200)
    (tmp_path / f"{HASHED}.gz").write_bytes(b"\x1f\x8bcompressed")
    (tmp_path / "large.bin").write_bytes(b"x" * (CHUNK_BYTES + 1))
    with override_settings(STATIC_ROOT=tmp_path):
        yield StaticFiles(_django)


async def _get(files: Any, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    await files({"type": "http", "path": path, "method": method, "headers": raw}, None, send)
    answer = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    assert not sent[-1].get("more_body")
    return sent[0]["status"], answer, b"".join(message.get("body", b"") for message in sent[1:])


async def test_a_hashed_file_is_cached_for_ever(files: Any) -> None:
    status, headers, body = await _get(files, f"/static/{HASHED}")
    assert (status, body[:1]) == (200, b"a")
    assert "immutable" in headers["cache-control"]
    assert headers["content-type"].startswith("text/css")
    assert headers["x-content-type-options"] == "nosniff"


async def test_the_compressed_copy_is_sent_to_who_takes_it(files: Any) -> None:
    _, headers, body = await _get(files, f"/static/{HASHED}", accept_encoding="gzip")
    assert (headers["content-encoding"], body) == ("gzip", b"\x1f\x8bcompressed")


async def test_what_has_not_changed_is_not_sent_again(files: Any) -> None:
    _, headers, _ = await _get(files, "/static/large.bin")
    status, _, body = await _get(files, "/static/large.bin", if_modified_since=headers["last-modified"])
    assert (status, body) == (304, b"")


async def test_a_large_file_arrives_whole_and_head_sends_none_of_it(files: Any) -> None:
    assert len((await _get(files, "/static/large.bin"))[2]) == CHUNK_BYTES + 1
    status, headers, body = await _get(files, "/static/large.bin", method="HEAD")
    assert (status, headers["content-length"], body) == (200, str(CHUNK_BYTES + 1), b"")


@pytest.mark.parametrize("path", ["/static/", "/static/none.css", "/static/../secret_key", "/static/css"])
async def test_what_is_not_there_is_a_404(files: Any, path: str) -> None:
    assert (await _get(files, path))[0] == 404


async def test_a_write_is_refused_and_other_paths_are_djangos(files: Any) -> None:
    assert (await _get(files, "/static/large.bin", method="POST"))[0] == 405
    assert (await _get(files, "/studio/"))[0] == 299
