"""Calls in that write into conversations: once each, with the rights of whoever set the address up, as they are now."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connections

from apps.accounts import services as accounts
from apps.accounts.models import Membership, Role
from apps.core import tenancy
from apps.support.models import Contact, Conversation, Message, MessageFile
from apps.support.services import files, inboxes
from apps.webhooks.models import InboundHook
from apps.webhooks.services import calls as taking
from apps.webhooks.services import inbound
from tests.helpers.desk import Desk
from tests.helpers.inbound import call, calls_of, standard
from tests.helpers.people import Tenant, acting, add_person, member_of
from tests.helpers.servers import PNG, serve

pytestmark = pytest.mark.django_db(transaction=True)
TO_CONVERSATION = {"text": "$.text", "conversation": "$.ticket", "kind": "$.kind"}
TO_CONTACT = {"text": "$.text", "contact": "$.customer", "inbox": "Shop", "name": "$.name"}


def opened(actor: Any, paths: dict[str, str], name: str = "in") -> tuple[InboundHook, str]:
    return inbound.create_hook(
        actor, {"name": name, "sender": "standard", "action": "support_message", "mapping": paths}
    )


def send(hook: InboundHook, secret: str, body: dict[str, Any], id: str) -> None:
    content = json.dumps(body).encode()
    assert call(hook, content, standard(secret, content, id)).status_code in (200, 202)


def last_call(tenant: Tenant) -> tuple[str, str]:
    row = calls_of(tenant)[-1]
    return row.state, row.error_code


def said(tenant: Tenant, conversation: Conversation) -> list[tuple[str, str, str]]:
    with tenancy.scope(tenant.id):
        rows = Message.objects.filter(conversation=conversation).exclude(kind="activity").order_by("sequence")
        return [(row.kind, row.author, row.content) for row in rows]


def test_a_call_writes_into_the_conversation_that_it_names_once(desk: Desk, other_desk: Desk) -> None:
    tenant, talk, foreign = desk.tenant, desk.begin(), other_desk.begin()
    hook, secret = opened(tenant.actor, TO_CONVERSATION)
    for id, place, kind in (
        ("1", talk.number, "incoming"),
        ("2", str(talk.pk), "outgoing"),
        ("3", f"#{talk.number}", "note"),
    ):
        body = {"text": f"Parcel {id}", "ticket": place, "kind": kind}
        send(hook, secret, body, id)
        send(hook, secret, body, id)
    taking.run_calls()
    assert said(tenant, talk)[1:] == [
        ("incoming", "contact", "Parcel 1"), ("outgoing", "agent", "Parcel 2"), ("note", "agent", "Parcel 3"),
    ]  # fmt: skip
    assert {row.state for row in calls_of(tenant)} == {"done"}
    for id, place in (("4", str(foreign.pk)), ("5", 999_999), ("6", "nonsense")):
        send(hook, secret, {"text": "x", "ticket": place, "kind": "incoming"}, id)
        taking.run_calls()
        assert last_call(tenant) == ("failed", "not_found")
    send(hook, secret, {"text": "x", "ticket": talk.number, "kind": "poem"}, "7")
    taking.run_calls()
    assert last_call(tenant) == ("failed", "invalid_request")


def test_a_contact_is_known_by_their_identifier_in_an_inbox_of_the_kind_api(desk: Desk) -> None:
    tenant = desk.tenant
    inboxes.create(tenant.actor, "Shop", kind="api", csat_enabled=False)
    hook, secret = opened(tenant.actor, TO_CONTACT)
    send(hook, secret, {"text": "Where is it?", "customer": "c-17", "name": "Ada"}, "1")
    send(hook, secret, {"text": "Card 4111 1111 1111 1111", "customer": "c-17"}, "2")

    def work(_: int) -> int:
        try:
            return taking.run_calls()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    taking.run_calls()
    with tenancy.scope(tenant.id):
        [contact] = Contact.objects.filter(identifier="c-17")
        [talk] = Conversation.objects.filter(contact=contact)
    assert sorted(text for _, _, text in said(tenant, talk)) == ["Card [CARD_1]", "Where is it?"]
    elsewhere, other = opened(tenant.actor, TO_CONTACT | {"inbox": desk.inbox.name}, "elsewhere")
    send(elsewhere, other, {"text": "x", "customer": "c-17"}, "3")
    taking.run_calls()
    assert last_call(tenant) == ("failed", "not_found")


def test_an_address_goes_with_the_key_it_was_set_up_through(desk: Desk) -> None:
    tenant, talk = desk.tenant, desk.begin()
    scopes = ["webhooks:manage", "usage:write", "support:write", "support:read"]
    key, key_secret = accounts.create_api_key(tenant.actor, "hooks", scopes)
    hook, secret = opened(accounts.actor_of_key(accounts.find_api_key(key_secret)), TO_CONVERSATION)  # type: ignore[arg-type]
    body = {"text": "Hello", "ticket": talk.number, "kind": "note"}
    send(hook, secret, body, "1")
    taking.run_calls()
    assert last_call(tenant) == ("done", "")
    accounts.revoke_api_key(tenant.actor, key.pk)
    send(hook, secret, body, "2")
    taking.run_calls()
    assert last_call(tenant) == ("failed", "hook_key_ended")
    assert len(said(tenant, talk)) == 2
    # Whoever may saves it again, and answers for it from then on.
    inbound.change_hook(tenant.actor, hook.pk, {})
    send(hook, secret, body, "3")
    taking.run_calls()
    assert last_call(tenant) == ("done", "")


def test_an_address_loses_what_its_person_loses(desk: Desk) -> None:
    tenant, talk = desk.tenant, desk.begin()
    admin = add_person(tenant, "ada", Role.ADMIN)
    hook, secret = opened(acting(tenant, admin), TO_CONVERSATION)
    body = {"text": "Hello", "ticket": talk.number, "kind": "note"}
    with tenancy.scope(tenant.id):
        Membership.objects.filter(pk=member_of(tenant, admin).pk).update(role=Role.MEMBER)
    send(hook, secret, body, "1")
    taking.run_calls()
    assert last_call(tenant) == ("failed", "hook_right_lost")
    with tenancy.scope(tenant.id):
        Membership.objects.filter(pk=member_of(tenant, admin).pk).delete()
    send(hook, secret, body, "2")
    taking.run_calls()
    assert last_call(tenant) == ("failed", "hook_owner_left")
    assert len(said(tenant, talk)) == 1


TO_IMAGE = {"image": "$.picture", "image_name": "$.called", "text": "$.text", "conversation": "$.ticket"}


def images_in(tenant: Tenant, conversation: Conversation) -> list[tuple[str, str, str, bytes]]:
    with tenancy.scope(tenant.id):
        rows = MessageFile.objects.filter(message__conversation=conversation).select_related("message").order_by("id")
        return [(row.message.content, row.name, row.media_type, files.stored(row).path.read_bytes()) for row in rows]


def test_a_call_pushes_an_image(desk: Desk) -> None:
    tenant, talk = desk.tenant, desk.begin()
    hook, secret = opened(tenant.actor, TO_IMAGE)
    encoded = base64.b64encode(PNG).decode()
    for id, picture in (("1", encoded), ("2", f"data:image/png;base64,{encoded}")):
        body = {"ticket": talk.number, "picture": picture, "called": "../gate 4.exe", "text": f"At the gate {id}"}
        send(hook, secret, body, id)
        send(hook, secret, body, id)
    send(hook, secret, {"ticket": talk.number, "picture": encoded}, "3")
    taking.run_calls()
    assert images_in(tenant, talk) == [
        ("At the gate 1", "gate 4.png", "image/png", PNG),
        ("At the gate 2", "gate 4.png", "image/png", PNG),
        ("", "image.png", "image/png", PNG),
    ]


def test_an_image_is_fetched_from_its_address(desk: Desk, settings: Any) -> None:
    settings.OUTBOUND_ALLOW_PRIVATE = True
    tenant, talk = desk.tenant, desk.begin()
    hook, secret = opened(tenant.actor, TO_IMAGE)

    with contextmanager(serve)() as server:
        address = f"http://127.0.0.1:{server.server_port}"
        send(hook, secret, {"ticket": talk.number, "picture": f"{address}/gate.png"}, "1")
        send(hook, secret, {"ticket": talk.number, "picture": f"{address}/gone.png"}, "2")
        taking.run_calls()
    assert images_in(tenant, talk) == [("", "gate.png", "image/png", PNG)]
    # An address that does not answer now may do so later.
    assert last_call(tenant) == ("running", "")


@pytest.mark.parametrize(
    ("picture", "code"),
    [
        ("no base64!", "invalid_request"),
        ("data:image/png,raw", "invalid_request"),
        (base64.b64encode(b"<svg onload=alert(1)>").decode(), "file_not_taken"),
        (base64.b64encode(b"MZ" + bytes(100)).decode(), "file_not_taken"),
        ("", "invalid_request"),
        ("http://169.254.169.254/latest/meta-data/", "outbound_refused"),
        ("https://127.0.0.1/x.png", "outbound_refused"),
    ],
)
def test_what_is_no_image_is_refused(desk: Desk, picture: str, code: str) -> None:
    tenant, talk = desk.tenant, desk.begin()
    hook, secret = opened(tenant.actor, TO_IMAGE)
    send(hook, secret, {"ticket": talk.number, "picture": picture}, "1")
    taking.run_calls()
    assert last_call(tenant) == ("failed", code)
    assert images_in(tenant, talk) == []
