"""What is sent, what comes back, and with whose key."""

from __future__ import annotations

import io
import stat
from pathlib import Path

import pytest

from millrace import AsyncMillrace, Millrace, MillraceError, settings
from millrace.settings import NotSignedIn, Place
from scripted_server import Answer, Asked, Server


def page(asked: Asked) -> Answer:
    """Three pages of two, as the API has them."""
    number = int(asked.target.partition("cursor=")[2].partition("&")[0] or 0)
    behind = f"http://elsewhere/api/v1/generations?cursor={number + 1}&limit=2" if number < 2 else None
    data = [{"id": f"g{2 * number}"}, {"id": f"g{2 * number + 1}"}]
    return Answer(body={"object": "list", "data": data, "has_more": number < 2, "next": behind})


async def test_lists_are_read_page_by_page(server: Server, client: Millrace, aclient: AsyncMillrace) -> None:
    server.script(page)
    expected = [f"g{number}" for number in range(6)]
    assert [each["id"] for each in client.each(client.list_generations, limit=2, status="failed")] == expected
    assert [each["id"] async for each in aclient.each(aclient.list_generations, limit=2)] == expected
    targets = [asked.target for asked in server.asked]
    assert targets[:2] == [
        "/api/v1/generations?limit=2&status=failed",
        "/api/v1/generations?cursor=1&limit=2&status=failed",
    ]
    # The address in `next` is never asked itself: a key must not go elsewhere.
    assert len(targets) == 6


def test_every_kind_of_list_goes_on(server: Server, client: Millrace) -> None:
    server.script(
        Answer(body={"data": [{"id": "file-1"}], "has_more": True, "last_id": "file-1", "first_id": "file-1"}),
        Answer(body={"data": [{"id": "file-2"}], "has_more": False, "last_id": "file-2", "first_id": "file-2"}),
        Answer(body={"data": [{"number": 1}], "has_more": True}),
        Answer(body={"data": [{"number": 2}], "has_more": False}),
        Answer(body={"data": [{"id": "m2"}], "earlier": "m2"}),
        Answer(body={"data": [{"id": "m1"}], "earlier": None}),
    )
    assert len(list(client.each(client.list_files))) == 2
    assert len(list(client.each(client.list_bulk_rows, "r1"))) == 2
    assert len(list(client.each(client.list_messages, "c1"))) == 2
    assert [asked.target.partition("?")[2] for asked in server.asked] == [
        "", "after=file-1", "", "after=1", "", "before=m2",
    ]  # fmt: skip


def test_files_are_uploaded_from_anywhere_and_again_when_they_must(
    server: Server, client: Millrace, tmp_path: Path
) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"Tea is warm.")
    server.script(Answer(body={"id": "d1"}))
    for file in (path, ("notes.txt", b"Tea is warm."), io.BytesIO(b"Tea is warm.")):
        client.upload_knowledge_document(collection="c1", file=file, title="Tea")
    for asked in server.asked:
        assert asked.headers["content-type"].startswith("multipart/form-data; boundary=")
        assert b'name="collection"\r\n\r\nc1\r\n' in asked.body
        assert b"\r\n\r\nTea is warm.\r\n" in asked.body
    assert b'filename="notes.txt"' in server.asked[0].body and b'filename="notes.txt"' in server.asked[1].body


def test_downloads_keep_their_name_and_never_leave_their_folder(
    server: Server, client: Millrace, tmp_path: Path
) -> None:
    named = "attachment; filename=\"../x.csv\"; filename*=UTF-8''..%2F..%2Ftea%20list.csv"
    headers = {"content-type": "text/csv; charset=utf-8", "content-disposition": named}
    server.script(Answer(body=b"a,b\r\n", headers=headers))
    found = client.download_bulk_run("r1", format="csv")
    assert (found.text, found.media_type, found.filename) == ("a,b\r\n", "text/csv", "tea list.csv")
    assert found.save(tmp_path) == tmp_path / "tea list.csv"
    assert server.asked[0].headers["authorization"] == "Bearer mr_test"


def test_no_id_leads_to_another_address(server: Server, client: Millrace) -> None:
    server.script(Answer(body={}))
    client.get_generation("../keys?x=1#y")
    assert server.asked[0].target == "/api/v1/generations/..%2Fkeys%3Fx%3D1%23y"
    for id in ("", "..", "."):
        with pytest.raises(ValueError, match="no part of an address"):
            client.get_generation(id)
    assert len(server.asked) == 1


def test_the_sign_in_is_kept_for_its_owner_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotSignedIn, match="millrace login"):
        Millrace()
    path = settings.store(Place("https://a.example", "mr_stored"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert settings.place() == settings.place("https://a.example/") == Place("https://a.example", "mr_stored")
    # A key is never sent to a server that it was not stored for.
    with pytest.raises(NotSignedIn, match=r"b\.example"):
        settings.place("https://b.example")
    monkeypatch.setenv("MILLRACE_API_KEY", "mr_environment")
    assert settings.place() == Place(settings.LOCAL_URL, "mr_environment")
    monkeypatch.setenv("MILLRACE_URL", "https://c.example/")
    assert settings.place() == Place("https://c.example", "mr_environment")
    assert settings.place(api_key="mr_given") == Place("https://c.example", "mr_given")
    assert settings.forget() and not settings.forget()
    path.write_text("no json")
    monkeypatch.delenv("MILLRACE_API_KEY")
    with pytest.raises(MillraceError, match="login"):
        settings.place()
