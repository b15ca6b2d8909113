"""The desk's events with Chatwoot's names and bodies, masked and up to date when they are sent."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import pytest
from django.conf import settings

from apps.core import tenancy
from apps.core.events import record
from apps.support.services import contacts, conversations, messages
from apps.support.services.storing import Draft
from apps.webhooks import services as webhooks
from apps.webhooks.models import Format
from tests.helpers.agent_bots import account_number
from tests.helpers.desk import Desk
from tests.helpers.people import Tenant
from tests.helpers.webhooks import Receiver, deliveries, happen, receiving, soon, work

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _receivers_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "OUTBOUND_ALLOW_PRIVATE", True)


def by_name(there: Receiver) -> dict[str, Any]:
    """The last message of each name."""
    return {each.message["event"]: each.message for each in sorted(there.got, key=lambda got: got.id)}


def test_everything_has_chatwoots_name_and_body(desk: Desk) -> None:
    with receiving() as there:
        _endpoint, secret = webhooks.create_endpoint(desk.tenant.actor, there.url, format=Format.CHATWOOT)
        talk = desk.begin(desk.visitor(name="Ada", email="ada@visitor.example"), "My card is 4111 1111 1111 1111")
        ann = desk.agent("ann")
        messages.reply(ann, talk.pk, Draft("Good day"))
        messages.note(ann, talk.pk, Draft("Between us"))
        conversations.set_status(ann, talk.pk, "resolved")
        contacts.change(desk.tenant.actor, talk.contact_id, {"name": "Ada L"})
        happen(desk.tenant, "Writers")
        work()
    told = by_name(there)
    assert set(told) == {
        "contact_created",
        "contact_updated",
        "conversation_created",
        "conversation_updated",
        "conversation_status_changed",
        "message_created",
    }
    said = {each.message["content"]: each.message for each in there.got if each.message["event"] == "message_created"}
    assert set(said) == {"My card is [CARD_1]", "Good day", "Between us"}
    incoming, outgoing, private = said["My card is [CARD_1]"], said["Good day"], said["Between us"]
    assert [each["message_type"] for each in (incoming, outgoing, private)] == ["incoming", "outgoing", "outgoing"]
    assert [each["private"] for each in (incoming, outgoing, private)] == [False, False, True]
    assert incoming["sender"]["name"] == "Ada L"
    assert incoming["conversation"]["id"] == talk.number
    assert incoming["conversation"]["channel"] == "Channel::WebWidget"
    assert incoming["conversation"]["meta"]["sender"]["email"] == "ada@visitor.example"
    assert incoming["account"] == {"id": account_number(desk), "name": desk.tenant.organization.name}
    assert len({each["id"] for each in said.values()}) == 3
    changed = told["conversation_status_changed"]
    assert {"status": {"previous_value": "open", "current_value": "resolved"}} in changed["changed_attributes"]
    assert told["contact_updated"]["changed_attributes"] == [{"name": {"current_value": "Ada L"}}]
    one = there.got[0]
    signed = f"{one.headers['x-chatwoot-timestamp']}.".encode() + one.body
    right = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert one.headers["x-chatwoot-signature"] == f"sha256={right}"
    assert one.headers["x-chatwoot-delivery"] == one.id
    # What is stored to be sent holds none of the words.
    assert not any("Good day" in each.body for each in deliveries(desk.tenant))


def test_what_was_masked_or_erased_before_it_was_sent_is_not_sent(desk: Desk) -> None:
    with receiving() as there:
        types = ["support_message.created", "support_message.changed"]
        webhooks.create_endpoint(desk.tenant.actor, there.url, format=Format.CHATWOOT, types=types)
        talk = desk.begin(text="It is 4111 1111")
        desk.says(talk, "1111 1111")
        gone = desk.begin(desk.visitor(name="Bea"), "Forget me")
        contacts.erase(desk.tenant.actor, gone.contact_id)
        work()
    texts = [(each.message["event"], each.message.get("content")) for each in sorted(there.got, key=lambda got: got.id)]
    assert ("message_created", "It is [CARD_1]") in texts
    assert ("message_updated", "It is [CARD_1]") in texts
    assert ("message_created", "[CARD_2]") in texts
    assert ("message_created", None) in texts
    assert not any("4111" in str(each.message) or "Forget" in str(each.message) for each in there.got)


def test_a_test_and_thin_messages_say_ids_alone(desk: Desk) -> None:
    with receiving() as there:
        endpoint, _secret = webhooks.create_endpoint(
            desk.tenant.actor, there.url, format=Format.CHATWOOT, payload="thin", types=["support_message.created"]
        )
        talk = desk.begin(text="Hello")
        webhooks.send_test(desk.tenant.actor, endpoint.pk)
        work()
    names = {each.message["event"] for each in there.got}
    assert names == {"message_created", "webhook_endpoint_test"} or "message_created" in names
    [message] = [each.message for each in there.got if each.message["event"] == "message_created"]
    assert set(message) == {"event", "account", "id", "conversation", "inbox"}
    assert message["conversation"] == {"id": talk.number}


def test_one_organization_is_told_nothing_of_another(desk: Desk, other_desk: Desk, org_b: Tenant) -> None:
    with receiving() as there:
        webhooks.create_endpoint(org_b.actor, there.url, format=Format.CHATWOOT)
        desk.begin(text="Mine alone")
        other_desk.begin(text="Theirs")
        work()
    assert {each.message["account"]["id"] for each in there.got} == {account_number(other_desk)}


def test_what_cannot_be_written_now_is_tried_again_and_holds_up_nothing_else(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from apps.support import chatwoot

    whole = chatwoot.contact_event
    with receiving() as there:
        webhooks.create_endpoint(
            desk.tenant.actor, there.url, format=Format.CHATWOOT, types=["support_contact.created", "support_inbox.*"]
        )
        desk.visitor(name="Ada")

        def broken(_contact: Any, _numbers: Any) -> dict[str, Any]:
            raise LookupError

        monkeypatch.setattr(chatwoot, "contact_event", broken)
        work(2)
        assert not there.got
        monkeypatch.setattr(chatwoot, "contact_event", whole)
        with tenancy.scope(desk.tenant.id):
            record("support_contact.created", desk.visitor(name="Bea").contact.pk, {"verified": False})
        soon(desk.tenant)
        work()
    assert {each.message["name"] for each in there.got} >= {"Bea"}
