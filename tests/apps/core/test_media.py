"""Signed links: one file, one organization, until they expire, and nothing else under MEDIA_ROOT."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core import signing
from django.test import AsyncClient

from apps.core import media
from apps.core.errors import NotFound

OURS, THEIRS = UUID("01a2157a-0000-7000-8000-000000000001"), UUID("01a2157a-0000-7000-8000-000000000002")


@pytest.fixture(autouse=True)
def files(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path / "media"
    for organization, words in ((OURS, b"ours " * 50_000), (THEIRS, b"theirs")):
        (media.folder_of(organization) / "export.zip").write_bytes(words)
    (settings.MEDIA_ROOT / "secret.txt").write_text("nobody's")
    return Path(settings.MEDIA_ROOT)


def token(link: str) -> str:
    return link.strip("/").rsplit("/", 1)[1]


async def fetch(link: str) -> tuple[Any, bytes]:
    response: Any = await AsyncClient().get(link)
    body = b"".join([piece async for piece in response.streaming_content]) if response.streaming else response.content
    return response, body


async def test_a_link_opens_its_file_for_whoever_holds_it() -> None:
    response, body = await fetch(media.link_to(OURS, "export.zip", seconds=60, name="Ausgabe ä.zip"))
    assert (response.status_code, body) == (200, b"ours " * 50_000)
    assert response["content-length"] == str(len(body))
    assert response["content-disposition"].startswith("attachment")
    assert "sandbox" in response["content-security-policy"]
    assert "no-store" in response["cache-control"]
    assert response["x-content-type-options"] == "nosniff"


async def test_a_link_ends(monkeypatch: pytest.MonkeyPatch, db: None) -> None:
    link, now = media.link_to(OURS, "export.zip", seconds=60), time.time()
    monkeypatch.setattr(time, "time", lambda: now + 61)
    response, _body = await fetch(link)
    assert response.status_code == 404


def test_expired_forged_and_missing_look_the_same() -> None:
    good = token(media.link_to(OURS, "export.zip", seconds=60))
    gone = token(media.link_to(OURS, "gone.zip", seconds=60))
    other_salt = signing.dumps({"o": str(OURS), "p": "export.zip", "n": "x", "e": 9e12}, salt="another")
    said = set()
    for bad in (good[:-1] + ("A" if good[-1] != "A" else "B"), gone, other_salt, "nonsense", ""):
        with pytest.raises(NotFound) as refused:
            media.opened(bad)
        said.add(str(refused.value))
    assert len(said) == 1
    assert media.opened(good).path.name == "export.zip"


@pytest.mark.parametrize(
    "path", ["../../secret.txt", "/etc/passwd", f"../{THEIRS}/export.zip", "..", "", "sub/../../x"], ids=str
)
def test_no_link_leads_out_of_the_organizations_folder(path: str) -> None:
    with pytest.raises(NotFound):
        media.opened(token(media.link_to(OURS, path, seconds=60)))


def test_nor_does_a_symbolic_link(files: Path) -> None:
    (media.folder_of(OURS) / "sly").symlink_to(files / "secret.txt")
    with pytest.raises(NotFound):
        media.opened(token(media.link_to(OURS, "sly", seconds=60)))


@pytest.mark.parametrize("seconds", [0, -1, media.LONGEST_SECONDS + 1])
def test_no_link_lives_for_ever(seconds: int) -> None:
    with pytest.raises(ValueError, match="link lives"):
        media.link_to(uuid4(), "x", seconds=seconds)
