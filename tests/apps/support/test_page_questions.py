"""However much there is at the desk, its pages ask the database the same few questions."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts import sessions
from apps.accounts.models import Team
from apps.core import tenancy
from apps.support.models import (
    BotSettings,
    Conversation,
    DeskDraft,
    IntentExample,
    MailAccount,
    OutgoingMail,
    SlaPolicy,
    SlaTimer,
    TurnRecord,
)
from apps.support.services import cursors, inboxes, messages, setup
from apps.support.services.files import Upload
from apps.support.services.storing import Draft
from apps.support.services.visitors import Visitor
from tests.helpers.counting import MOST, questions_of
from tests.helpers.desk import Desk, open_desk
from tests.helpers.people import Tenant

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _the_session_is_noted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a page is asked for first in a while, that is written down, which is a question of no page."""
    monkeypatch.setattr(sessions, "NOTED_SECONDS", 86_400.0)


@pytest.fixture
def post(org_a: Tenant) -> Desk:
    """A desk whose answers leave by mail, and for which a model writes."""
    desk = open_desk(org_a, "Mail", kind="email")
    with tenancy.scope(org_a.id):
        MailAccount.objects.create(organization_id=org_a.id, inbox=desk.inbox, address="help@bank.example")
        BotSettings.objects.update_or_create(organization_id=org_a.id, defaults={"writer": "writes"})
        SlaPolicy.objects.create(organization_id=org_a.id, name="Gold", resolution=3_600)
    return desk


@pytest.fixture
def ada(post: Desk) -> Visitor:
    return post.visitor(name="Ada", email="ada@customer.example")


@pytest.fixture
def talk(post: Desk, ada: Visitor) -> Conversation:
    return post.begin(ada)


def add_one_of_each(post: Desk, ada: Visitor, talk: Conversation, number: int) -> None:
    """A row more of all that a page of the desk shows, with `number` in its name."""
    actor, name = post.tenant.actor, f"n{number}"
    setup.create(actor, "label", {"title": name})
    setup.create(actor, "canned", {"code": name, "content": "Hello {{contact.first_name}}, {{agent.name}}"})
    setup.create(actor, "macro", {"name": name, "actions": [{"action": "set_priority", "value": 1}]})
    inboxes.create(actor, name)
    # Whoever is there would be given what is to wait in the list.
    agent = post.agent(name, online=False)
    said = messages.reply(agent, talk.pk, Draft(name, files=(Upload(f"{name}.txt", b"The terms"),)))
    cursors.acknowledge(agent, talk.pk, seen=1)
    add_to(talk, number, said.sequence)
    for who in (ada, post.visitor(name=name, email=f"{name}@customer.example")):
        add_to(post.begin(who), number, 2)
    with tenancy.scope(post.tenant.id):
        Team.objects.create(organization_id=post.tenant.id, name=name)
        IntentExample.objects.create(organization_id=post.tenant.id, text=name, intent=name, source="typed")


def add_to(row: Conversation, number: int, through: int) -> None:
    with tenancy.scope(row.organization_id):
        its: dict[str, Any] = {"organization_id": row.organization_id, "conversation": row}
        if number < 3:
            kind = ("first_reply", "next_reply", "resolution")[number]
            now = timezone.now()
            SlaTimer.objects.get_or_create(
                **its,
                kind=kind,
                defaults={"policy": SlaPolicy.objects.get(), "started_at": now, "due_at": now + timedelta(hours=1)},
            )
        for kind in ("summary", "reply"):
            draft = {"state": "done", "since": 1, "through": 99, "writer": "writes", "text": f"{kind} {number}"}
            DeskDraft.objects.create(**its, kind=kind, generation=uuid4(), **draft)
        read = {"text": "My card", "reading": {f"intent_{number}": 0.6}, "outcome": "answered"}
        TurnRecord.objects.create(**its, through=through, **read)


def places(talk: Conversation) -> list[str]:
    of_it = [reverse(name, args=[talk.pk]) for name in ("desk-conversation", "desk-fresh")]
    return [
        reverse("desk"), f"{reverse('desk')}?tab=all", reverse("desk-routing"), *of_it,
        f"{of_it[0]}?tab=all", f"{of_it[1]}?after=2",
    ]  # fmt: skip


def test_three_rows_more_of_each_kind_take_no_more_questions(
    post: Desk, ada: Visitor, talk: Conversation, client_of: Callable[[Any], Client]
) -> None:
    owner = client_of(post.tenant.owner)
    add_one_of_each(post, ada, talk, 0)
    before = {place: questions_of(owner, place) for place in places(talk)}
    for number in range(1, 4):
        add_one_of_each(post, ada, talk, number)
    assert {place: questions_of(owner, place) for place in places(talk)} == before
    assert {place: count for place, count in before.items() if count > MOST} == {}
    with tenancy.scope(post.tenant.id):
        assert OutgoingMail.objects.filter(conversation=talk).count() == 4
    page = owner.get(f"{reverse('desk-conversation', args=[talk.pk])}?tab=all").content.decode()
    for number in range(4):
        name = f"n{number}"
        shown = [f">{name}</option>", f'value="{name}"', f"{name}@", f"{name}.txt", f"intent_{number}", f'["{name}",']
        assert [each for each in shown if each not in page] == [], name
    assert "summary 3" in page and "reply 3" in page and page.count("ada@customer.example") >= 4
