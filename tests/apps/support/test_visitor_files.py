"""Files that visitors send and are sent: what is taken, and who may read them."""

import random
import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from asgiref.sync import async_to_sync
from django.core.files.uploadedfile import SimpleUploadedFile

from apps.core import tenancy
from apps.core.errors import RateLimitExceeded
from apps.core.ratelimit import Bucket, charge
from apps.support.models import Conversation, Message, MessageFile
from apps.support.services import messages, visitors
from apps.support.services.files import MOST_BYTES, Upload
from apps.support.services.storing import Draft
from apps.support.sniffing import is_what_it_says
from tests.helpers.desk import Browser, Desk, open_desk

pytestmark = pytest.mark.django_db

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32


def send_file(browser: Browser, place: str, name: str, data: bytes, **more: str) -> Any:
    return browser.client.post(
        f"{browser.at}{place}/messages",
        {"attachments[]": SimpleUploadedFile(name, data), **more},
        headers={"x-visitor-secret": browser.secret},
    )


def read(answer: Any) -> bytes:
    async def whole() -> bytes:
        return b"".join([part async for part in answer.streaming_content])

    return async_to_sync(whole)()


def test_a_visitor_sends_a_file_that_they_and_the_desk_can_read(desk: Desk, other_desk: Desk) -> None:
    browser, place = Browser.talking(desk)
    sent = send_file(browser, place, "picture.png", PNG, content="Look", echo_id="e-1")
    assert sent.status_code == 200, sent.content
    [file] = sent.json()["attachments"]
    assert (file["file_type"], file["name"], file["file_size"]) == ("image", "picture.png", len(PNG))
    # Sent again, it is the same message with the same file.
    assert (
        send_file(browser, place, "picture.png", PNG, content="Look", echo_id="e-1").json()["id"] == sent.json()["id"]
    )
    path = urlsplit(file["data_url"]).path
    mine = browser.client.get(path, headers={"x-visitor-secret": browser.secret})
    assert read(mine) == PNG
    assert mine["content-disposition"].startswith("attachment")
    assert (mine["x-content-type-options"], mine["cache-control"]) == ("nosniff", "private, no-store")
    assert "sandbox" in mine["content-security-policy"]
    with tenancy.scope(desk.tenant.id):
        assert [each.media_type for each in MessageFile.objects.all()] == ["image/png"]
    for stranger in (Browser(desk), Browser(other_desk)):
        stranger.come_in(name="Bea")
        answer = stranger.client.get(path, headers={"x-visitor-secret": stranger.secret})
        assert answer.status_code in (401, 404)
    assert browser.client.get(path).status_code == 401
    browser("DELETE", "/contacts/me")
    assert browser.client.get(path, headers={"x-visitor-secret": browser.secret}).status_code == 401


def test_a_file_of_an_answer_is_the_visitors_and_one_of_a_note_is_not(desk: Desk) -> None:
    browser, place = Browser.talking(desk)
    ann = desk.agent("ann")
    with tenancy.scope(desk.tenant.id):
        talk = Conversation.objects.get()
    messages.reply(ann, talk.pk, Draft("Here", files=[Upload("terms.txt", b"Terms")]))
    messages.note(ann, talk.pk, Draft("Between us", files=[Upload("secret.txt", b"Secret")]))
    [said] = browser("GET", f"{place}/messages").json()
    [file] = said["attachments"]
    headers = {"x-visitor-secret": browser.secret}
    assert read(browser.client.get(urlsplit(file["data_url"]).path, headers=headers)) == b"Terms"
    with tenancy.scope(desk.tenant.id):
        note = Message.objects.get(content="Between us")
    assert browser("GET", f"{place}/messages/{note.sequence}/attachments/0").status_code == 404


@pytest.mark.parametrize(
    ("name", "data", "status", "code"),
    [
        ("tool.exe", b"MZ\x90", 422, "file_not_taken"),
        ("picture.png", b"MZ\x90\0program", 422, "file_not_taken"),
        ("page.txt", b"<html><script>alert(1)</script>", 422, "file_not_taken"),
        ("page.svg", b"<svg onload='x'/>", 422, "file_not_taken"),
        ("paper.pdf", b"%PDF-1.7 /OpenAction /JavaScript (x)", 422, "file_not_taken"),
        ("paper.pdf", b"%PDF-1.7 <</S /JavaScript /JS (x)>>", 422, "file_not_taken"),
        ("paper.pdf", b"%PDF-1.7 <</JS (x)>>", 422, "file_not_taken"),
        ("paper.pdf", b"%PDF-1.7 <<>>stream\nx\nendstream <</JS (x)>>", 422, "file_not_taken"),
        ("paper.pdf", b"%PDF-1.7 stream\n <</JS (x)>>", 422, "file_not_taken"),
        ("paper.pdf", b"%PDF-1.7 <</Names <</EmbeddedFiles 3 0 R>>>>", 422, "file_not_taken"),
        ("letter.docx", b"PK\x03\x04 word/document.xml vbaProject.bin", 422, "file_not_taken"),
        ("empty.txt", b"", 422, "file_not_taken"),
    ],
)
def test_hostile_files_are_refused_and_leave_nothing(
    desk: Desk, name: str, data: bytes, status: int, code: str
) -> None:
    browser, place = Browser.talking(desk)
    refused = send_file(browser, place, name, data)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    with tenancy.scope(desk.tenant.id):
        assert not MessageFile.objects.exists()
        assert not Message.objects.filter(kind="incoming").exists()


@pytest.mark.parametrize("seed", [24, 25, 54])
def test_what_is_packed_in_an_honest_paper_is_not_taken_for_an_act(seed: int) -> None:
    packed = random.Random(seed).randbytes(1_000_000)
    assert re.search(rb"/JS\b", packed)
    paper = b"%PDF-1.7\n1 0 obj\n<</Length 1000000>>\nstream\r\n" + packed + b"\nendstream\nendobj\n%%EOF"
    assert is_what_it_says(".pdf", paper)


def test_files_have_a_daily_bound_for_an_inbox_and_for_all_of_an_organization(
    desk: Desk, other_desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visitors, "FILE_BYTES_A_DAY", 2 * len(PNG))
    browser, place = Browser.talking(desk)
    # What goes to no conversation takes nothing.
    for _ in range(3):
        assert send_file(browser, "/contacts/me/conversations/9999", "a.png", PNG).status_code == 404
    assert send_file(browser, place, "a.png", PNG).status_code == 200
    beside = open_desk(desk.tenant, "Beside")
    second, there = Browser.talking(beside)
    assert send_file(second, there, "b.png", PNG).status_code == 200
    refused = send_file(second, there, "c.png", PNG)
    assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
    assert int(refused.headers["retry-after"]) > 3_600
    # What the organization has refused was not taken from the inbox.
    with pytest.raises(RateLimitExceeded):
        charge(f"support:files:{beside.inbox.pk}", [Bucket("bytes_a_day", 2 * len(PNG), 2 * len(PNG), 86_400)])
    charge(f"support:files:{beside.inbox.pk}", [Bucket("bytes_a_day", 2 * len(PNG), len(PNG), 86_400)])
    stranger, elsewhere = Browser.talking(other_desk)
    assert send_file(stranger, elsewhere, "d.png", PNG).status_code == 200


def test_too_many_and_too_large_files_are_refused(desk: Desk) -> None:
    browser, place = Browser.talking(desk)
    several = [SimpleUploadedFile(f"{number}.txt", b"x") for number in range(6)]
    headers = {"x-visitor-secret": browser.secret}
    many = browser.client.post(f"{browser.at}{place}/messages", {"attachments[]": several}, headers=headers)
    assert many.status_code == 400
    large = send_file(browser, place, "large.txt", b"x" * (MOST_BYTES + 1))
    assert large.status_code == 413
    nothing = browser.client.post(f"{browser.at}{place}/messages", {"content": ""}, headers=headers)
    assert nothing.status_code == 400
