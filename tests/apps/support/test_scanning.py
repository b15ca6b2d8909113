"""Files are looked at by a virus scanner before anybody is given them; the scanner here speaks clamd's protocol."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse

from apps.core import tenancy
from apps.core.crypto import unseal_from
from apps.core.errors import NotFound
from apps.core.media import folder_of
from apps.core.models import Event, Mail
from apps.support import clamd
from apps.support.bodies import message_body
from apps.support.chatwoot.bodies import attachments
from apps.support.errors import FileHeld
from apps.support.mails import support_file_unchecked
from apps.support.models import Conversation, Message, MessageFile
from apps.support.services import files, merging, messages, scanning
from apps.support.services.files import Upload
from apps.support.services.numbers import Numbers
from apps.support.services.storing import Draft
from tests.helpers.clamd import EICAR, Clamd
from tests.helpers.desk import Desk
from tests.helpers.mailing import begun, due, mails, replied, send
from tests.helpers.mailservers import Imap, Smtp
from tests.helpers.people import audit_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def scanner(settings: Any) -> Generator[Clamd]:
    server = Clamd()
    settings.CLAMD_URL = server.url
    yield server
    server.stop()


def sent(desk: Desk, talk: Conversation, data: bytes = b"Hello", name: str = "note.txt") -> MessageFile:
    said = messages.reply(desk.tenant.actor, talk.pk, Draft("See the file", files=[Upload(name, data)]))
    with tenancy.scope(desk.tenant.id):
        found: MessageFile = MessageFile.objects.select_related("message").get(message=said)
        return found


def again(desk: Desk, file: MessageFile) -> MessageFile:
    with tenancy.scope(desk.tenant.id):
        found: MessageFile = MessageFile.objects.get(pk=file.pk)
        return found


def url_of(desk: Desk, file: MessageFile) -> str:
    with tenancy.scope(desk.tenant.id):
        rows = Message.objects.select_related("user", "contact").prefetch_related("files", "mails")
        message = rows.get(pk=file.message_id)
        [told] = message_body(message)["files"]
        return str(told["url"])


def test_nobody_is_given_a_file_before_it_was_looked_at(desk: Desk, scanner: Clamd) -> None:
    file = sent(desk, desk.begin())
    assert (file.scan, url_of(desk, file)) == ("waiting", "")
    with tenancy.scope(desk.tenant.id):
        assert attachments(file.message, file.message.conversation, Numbers(desk.tenant.id)) == []
    with pytest.raises(FileHeld):
        files.stored(file)
    assert scanning.scan_waiting() == 1
    file = again(desk, file)
    assert file.scan == "clean"
    assert Client().get(url_of(desk, file)).status_code == 200
    with tenancy.scope(desk.tenant.id):
        changed = Event.objects.filter(type="support_message.changed")
        assert [each.data["changed"] for each in changed] == [["files"]]
    # It is not looked at a second time.
    assert scanning.scan_waiting() == 0


def test_an_infected_file_is_removed_and_everybody_is_told(desk: Desk, scanner: Clamd) -> None:
    talk = desk.begin()
    file = sent(desk, talk, EICAR)
    place = folder_of(desk.tenant.id) / file.path
    assert place.exists()
    scanning.scan_waiting()
    file = again(desk, file)
    assert (file.scan, file.finding, place.exists(), url_of(desk, file)) == ("infected", "Eicar-Signature", False, "")
    [entry] = audit_of(desk.tenant, "support_file.infected")
    assert entry.detail["finding"] == "Eicar-Signature"
    with tenancy.scope(desk.tenant.id):
        [event] = Event.objects.filter(type="support_file.infected")
    assert event.data["finding"] == "Eicar-Signature"
    [told] = [each for each in desk.history(talk) if each.details.get("why") == "file_infected"]
    assert told.details["finding"] == "Eicar-Signature"
    client = Client()
    client.force_login(desk.tenant.owner)
    page = client.get(reverse("desk-conversation", args=[talk.pk])).content.decode()
    assert "virus, removed" in page and "Eicar-Signature" in page


def test_while_the_scanner_is_away_files_wait_and_the_desk_sees_it(desk: Desk, scanner: Clamd, settings: Any) -> None:
    talk = desk.begin()
    file = sent(desk, talk)
    settings.CLAMD_URL = "unix:///nowhere/clamd.ctl"
    assert scanning.scan_waiting() == 0
    assert again(desk, file).scan == "waiting"
    client = Client()
    client.force_login(desk.tenant.owner)
    assert "is being checked for viruses" in client.get(reverse("desk-conversation", args=[talk.pk])).content.decode()
    settings.CLAMD_URL = scanner.url
    assert scanning.scan_waiting() == 1
    assert again(desk, file).scan == "clean"


def test_a_file_that_the_scanner_does_not_take_keeps_no_other_back(desk: Desk, settings: Any) -> None:
    server = Clamd(most=10)
    settings.CLAMD_URL = server.url
    talk = desk.begin()
    large, small = sent(desk, talk, b"x" * 1_000), sent(desk, talk)
    assert scanning.scan_waiting() == 1
    assert (again(desk, large).scan, again(desk, small).scan) == ("waiting", "clean")
    server.stop()


def wait_over(desk: Desk, file: MessageFile) -> None:
    with tenancy.scope(desk.tenant.id):
        MessageFile.objects.filter(pk=file.pk).update(scan_at=Now())


def mails_of_failures() -> list[str]:
    found = [json.loads(unseal_from(row, "content")) for row in Mail.objects.all()]
    return sorted(to for each in found if each["kind"] == "support_file_unchecked" for to in each["to"])


def who_sets_up(desk: Desk) -> list[str]:
    return sorted([desk.tenant.owner.email, desk.tenant.admin.email])


def test_a_file_that_cannot_be_judged_is_given_up_and_can_be_tried_again(desk: Desk, settings: Any) -> None:
    server = Clamd(most=10)
    settings.CLAMD_URL = server.url
    talk = desk.begin()
    file = sent(desk, talk, b"x" * 1_000)
    pauses = []
    for attempt in range(1, len(scanning.PAUSES) + 1):
        assert scanning.scan_waiting() == 0
        found = again(desk, file)
        assert (found.scan, found.scan_attempts) == ("waiting", attempt)
        pauses.append(found.scan_at)
        assert server.refused == attempt
        # Before its pause is over nobody asks again.
        scanning.scan_waiting()
        assert server.refused == attempt
        wait_over(desk, file)
    assert pauses == sorted(pauses)
    assert mails_of_failures() == []
    scanning.scan_waiting()
    assert again(desk, file).scan == "failed" and url_of(desk, file) == ""
    with pytest.raises(FileHeld, match="could not be checked"):
        files.stored(again(desk, file))
    scanning.scan_waiting()
    assert server.refused == len(scanning.PAUSES) + 1
    assert mails_of_failures() == who_sets_up(desk)
    assert [entry.detail["sequence"] for entry in audit_of(desk.tenant, "support_file.unchecked")] == [
        file.message.sequence
    ]
    assert [each.details.get("why") for each in desk.history(talk)].count("file_unchecked") == 1
    client = Client()
    client.force_login(desk.tenant.owner)
    page = client.get(reverse("desk-conversation", args=[talk.pk])).content.decode()
    assert "could not be checked for viruses" in page and "Check again" in page
    server.server.most = 10_000
    client.post(reverse("desk-act", args=[talk.pk, "check-again"]), {"sequence": file.message.sequence})
    assert scanning.scan_waiting() == 1
    assert again(desk, file).scan == "clean" and len(audit_of(desk.tenant, "support_file.checked_again")) == 1
    server.stop()


def test_who_sets_up_the_desk_is_told_once_of_many(desk: Desk, scanner: Clamd) -> None:
    talk = desk.begin()
    for _ in range(2):
        file = sent(desk, talk)
        (folder_of(desk.tenant.id) / file.path).unlink()
        scanning.scan_waiting()
        assert again(desk, file).scan == "failed"
    assert mails_of_failures() == who_sets_up(desk)
    content = json.loads(unseal_from(Mail.objects.all()[0], "content"))
    written = support_file_unchecked(desk.tenant.owner.email, **content["data"])
    assert written is not None and reverse("desk-conversation", args=[talk.pk]) in written.body


def test_a_file_whose_bytes_are_gone_is_given_up_at_once(desk: Desk, scanner: Clamd) -> None:
    file = sent(desk, desk.begin())
    (folder_of(desk.tenant.id) / file.path).unlink()
    scanning.scan_waiting()
    assert again(desk, file).scan == "failed"
    with pytest.raises(FileHeld, match="gone"):
        scanning.check_again(desk.tenant.actor, file.message.conversation_id, file.message.sequence)


@pytest.mark.parametrize("away", ["unmounted", "unreadable"])
def test_a_file_whose_storage_is_away_waits_for_another_attempt(
    desk: Desk, scanner: Clamd, settings: Any, tmp_path: Path, away: str
) -> None:
    file = sent(desk, desk.begin())
    there = settings.MEDIA_ROOT
    bare = tmp_path / "mount"
    if away == "unmounted":
        bare.mkdir()
    else:
        bare.write_bytes(b"")
    settings.MEDIA_ROOT = bare
    for attempt in range(1, len(scanning.PAUSES) + 1):
        assert scanning.scan_waiting() == 0
        assert (again(desk, file).scan, again(desk, file).scan_attempts) == ("waiting", attempt)
        wait_over(desk, file)
    scanning.scan_waiting()
    assert again(desk, file).scan == "failed"
    # While it is still away nobody knows that the file is gone.
    scanning.check_again(desk.tenant.actor, file.message.conversation_id, file.message.sequence)
    assert again(desk, file).scan == "waiting"
    settings.MEDIA_ROOT = there
    assert scanning.scan_waiting() == 1
    assert again(desk, file).scan == "clean"


def test_an_outsider_has_no_file_checked_again(desk: Desk, other_desk: Desk, scanner: Clamd) -> None:
    file = sent(desk, desk.begin())
    (folder_of(desk.tenant.id) / file.path).unlink()
    scanning.scan_waiting()
    with pytest.raises(NotFound):
        scanning.check_again(other_desk.tenant.actor, file.message.conversation_id, file.message.sequence)


def test_a_scanner_that_drips_holds_nobody_beyond_the_whole_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clamd, "SCAN_SECONDS", 1.0)
    server = Clamd(drips=0.2)
    (tmp_path / "a").write_bytes(b"Hello")
    with pytest.raises(clamd.NotScanned, match=r"in time|timed out"):
        clamd.scanned(server.url, tmp_path / "a")
    server.stop()


def test_an_answer_by_mail_does_not_leave_with_a_file_that_could_not_be_checked(
    mail_desk: Desk, imap: Imap, smtp: Smtp, scanner: Clamd
) -> None:
    replied(mail_desk, begun(mail_desk, imap), files=[Upload("note.txt", b"Hello")])
    with tenancy.scope(mail_desk.tenant.id):
        [file] = MessageFile.objects.all()
    (folder_of(mail_desk.tenant.id) / file.path).unlink()
    scanning.scan_waiting()
    assert send(mail_desk) == 0
    assert (mails(mail_desk)[-1].status, mails(mail_desk)[-1].problem) == ("failed", "mail_file_unchecked")
    assert smtp.taken == []


def test_without_a_scanner_files_are_there_at_once(desk: Desk) -> None:
    file = sent(desk, desk.begin())
    assert file.scan == "" and url_of(desk, file)
    assert scanning.scan_waiting() == 0


def test_what_a_merge_has_copied_is_judged_with_it(desk: Desk, scanner: Clamd) -> None:
    visitor = desk.visitor(name="Ada")
    one, other = desk.begin(visitor), desk.begin(visitor)
    sent(desk, one, EICAR)
    merging.merge(desk.tenant.actor, one.pk, other.pk)
    scanning.scan_waiting()
    with tenancy.scope(desk.tenant.id):
        assert set(MessageFile.objects.values_list("scan", flat=True)) == {"infected"}


def test_an_answer_by_mail_waits_for_its_files_and_never_takes_a_virus_along(
    mail_desk: Desk, imap: Imap, smtp: Smtp, scanner: Clamd
) -> None:
    conversation = begun(mail_desk, imap)
    replied(mail_desk, conversation, files=[Upload("note.txt", b"Hello")])
    replied(mail_desk, conversation, "Without one")
    assert send(mail_desk) == 1
    assert [row.problem for row in mails(mail_desk)] == ["mail_files_waiting", ""]
    scanning.scan_waiting()
    due(mail_desk)
    assert send(mail_desk) == 1
    replied(mail_desk, conversation, files=[Upload("note.txt", EICAR)])
    scanning.scan_waiting()
    assert send(mail_desk) == 0
    assert (mails(mail_desk)[-1].status, mails(mail_desk)[-1].problem) == ("failed", "mail_file_infected")
    assert len(smtp.taken) == 2


def test_the_protocol_over_a_socket_of_this_machine(tmp_path: Path) -> None:
    server = Clamd(path=str(tmp_path / "clamd.ctl"))
    for name, data, found in (("a", b"x" * 300_000, ""), ("b", EICAR, "Eicar-Signature"), ("c", b"", "")):
        (tmp_path / name).write_bytes(data)
        assert clamd.scanned(server.url, tmp_path / name) == found
    server.stop()
    with pytest.raises(clamd.ScannerAway):
        clamd.scanned(server.url, tmp_path / "a")
