"""That a visitor has opened the window: told to webhooks and bots that ask for it, and to nobody else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.core import tenancy
from apps.core.models import Event
from apps.support.models import BotCall, ContactSession
from apps.support.services import opening
from apps.webhooks import services as webhooks
from apps.webhooks.models import Format
from tests.helpers import webhooks as hooks
from tests.helpers.agent_bots import account_number, connect, work
from tests.helpers.desk import Browser, Desk
from tests.helpers.webhooks import answering, receiving

pytestmark = pytest.mark.django_db(transaction=True)

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 32
TOLD = {
    "name": "webwidget.triggered",
    "event_info": {
        "referer": "https://user:secret@shop.example/card/4111111111111111/?session=s-1#top",
        "widget_language": "en",
        "initiated_at": {"timestamp": "Mon"},
    },
}


@pytest.fixture(autouse=True)
def _receivers_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "OUTBOUND_ALLOW_PRIVATE", True)


def opened(desk: Desk) -> int:
    with tenancy.scope(desk.tenant.id):
        return int(Event.objects.filter(type="support_widget.opened").count())


def facts_of(desk: Desk) -> dict[str, Any]:
    page = Client().get(f"/widget/{desk.inbox.token}/").content.decode()
    found: dict[str, Any] = json.loads(page.split('id="widget-facts"')[1].partition(">")[2].partition("</script>")[0])
    return found


def test_a_webhook_is_told_once_that_a_visitor_has_opened_the_window(desk: Desk) -> None:
    browser = Browser(desk)
    contact = browser.come_in(name="Ada")
    with receiving() as there:
        types = ["support_widget.opened"]
        webhooks.create_endpoint(desk.tenant.actor, there.url, format=Format.CHATWOOT, types=types)
        for _ in range(2):
            assert browser("POST", "/contacts/me/events", TOLD).status_code == 204
        hooks.work()
    [message] = [each.message for each in there.got]
    assert (message["event"], message["contact"]["id"]) == ("webwidget_triggered", contact["id"])
    assert (message["contact"]["name"], message["inbox"]["name"]) == ("Ada", desk.inbox.name)
    assert message["account"]["id"] == account_number(desk)
    assert message["current_conversation"] is None
    assert message["event_info"]["referer"] == "https://shop.example/card/[CARD_1]/"
    assert (message["event_info"]["widget_language"], opened(desk)) == ("en", 1)
    # What opens the contact's conversations is not told.
    assert browser.secret not in json.dumps(message)
    assert browser("POST", "/contacts/me/events", {"name": "something.else"}).status_code == 400


def test_the_bot_of_the_inbox_is_told_beside_what_is_said(desk: Desk) -> None:
    with receiving() as there:
        connect(desk, there.url)
        browser, place = Browser.talking(desk)
        browser("POST", f"{place}/messages", {"content": "Hello"})
        browser("POST", "/contacts/me/events", TOLD)
        work()
    found = {each.message["event"]: each.message for each in there.got}
    assert set(found) == {"message_created", "webwidget_triggered"}
    assert found["webwidget_triggered"]["current_conversation"]["id"] == int(place.rpartition("/")[2])
    with tenancy.scope(desk.tenant.id):
        assert set(BotCall.objects.values_list("state", flat=True)) == {"delivered"}


def test_a_bot_that_cannot_be_told_of_a_window_takes_no_conversation_from_anybody(desk: Desk) -> None:
    with receiving(*[answering(500)] * 3) as there:
        bot = connect(desk, there.url, patience_seconds=5)
        browser = Browser(desk)
        browser.come_in(name="Ada")
        browser("POST", "/contacts/me/events", TOLD)
        work(1)
        with tenancy.scope(desk.tenant.id):
            assert BotCall.objects.get().state == "waiting"
        # Whoever is taken off is told of nothing that waits.
        from apps.support.services.agent_bots import setting

        setting.change(desk.tenant.actor, bot.shown.bot.pk, {"inboxes": []})
        from tests.helpers.agent_bots import soon

        soon(desk)
        work(1)
    with tenancy.scope(desk.tenant.id):
        assert BotCall.objects.get().state == "dropped"


def test_where_nobody_asks_for_it_the_window_says_nothing(desk: Desk) -> None:
    assert not facts_of(desk)["tellsOpening"]
    actor, url = desk.tenant.actor, "https://hook.example/"
    webhooks.create_endpoint(actor, url)
    webhooks.create_endpoint(actor, url, format=Format.CHATWOOT, types=["support_message.created"])
    # To ask for everything in our own format is not to ask for this.
    assert not facts_of(desk)["tellsOpening"]
    endpoint, _secret = webhooks.create_endpoint(actor, url, format=Format.CHATWOOT)
    assert facts_of(desk)["tellsOpening"]
    webhooks.pause_endpoint(actor, endpoint.pk)
    assert not facts_of(desk)["tellsOpening"]
    webhooks.create_endpoint(actor, url, types=["support_widget.opened"])
    assert facts_of(desk)["tellsOpening"]


def test_of_a_page_only_what_says_nothing_of_its_visitor_is_kept(desk: Desk) -> None:
    for address, kept in (
        ("https://shop.example:8443/a?b=c", "https://shop.example:8443/a"),
        ("javascript:alert(1)", ""),
        ("https://[broken", ""),
        ("", ""),
    ):
        assert opening.page_of(address) == kept
    browser = Browser(desk)
    browser.come_in(name="Ada")
    browser("POST", "/contacts/me/events", TOLD)
    with tenancy.scope(desk.tenant.id):
        assert "s-1" not in json.dumps(ContactSession.objects.get().opened)


def test_a_file_of_a_bot_reaches_the_window_until_a_person_acts(desk: Desk) -> None:
    bot = connect(desk)
    browser, place = Browser.talking(desk)
    number = place.rpartition("/")[2]
    at = f"/api/v1/accounts/{account_number(desk)}/conversations/{number}/messages"

    def send(name: str, data: bytes, **more: str) -> Any:
        form = {"attachments[]": SimpleUploadedFile(name, data), **more}
        return bot.client.post(at, form, headers={"api_access_token": bot.shown.token})

    sent = send("form.png", PNG, content="Fill this in", echo_id="e-1")
    assert sent.status_code == 200, sent.content
    assert (sent.json()["attachments"][0]["name"], sent.json()["sender"]["type"]) == ("form.png", "agent_bot")
    assert send("form.png", PNG, content="Fill this in", echo_id="e-1").json()["id"] == sent.json()["id"]
    assert send("program.png", b"MZ\x90\0" * 20).json()["error"]["code"] == "file_not_taken"
    [seen] = browser("GET", f"{place}/messages").json()
    assert [each["name"] for each in seen["attachments"]] == ["form.png"]
    bot.client.post(at.replace("messages", "toggle_status"), {"status": "open"}, content_type="application/json",
                    headers={"api_access_token": bot.shown.token})  # fmt: skip
    assert send("late.png", PNG).json()["error"]["code"] == "bot_silent"
