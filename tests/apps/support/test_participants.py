"""Who takes part in a conversation and is told of it, and what is marked as unread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from apps.accounts.access import Actor
from apps.accounts.models import AuditEntry, Membership, Role, User
from apps.core import mail, tenancy
from apps.core.errors import PermissionDenied
from apps.support import mails
from apps.support.models import Agent, Conversation, Participant
from apps.support.services import assignment, cursors, merging, messages, participants, setup, watching
from apps.support.services.storing import Draft
from tests.helpers.account_api import Program
from tests.helpers.desk import Desk
from tests.helpers.people import acting, add_person, member_of

pytestmark = pytest.mark.django_db

AGENT = {
    "id", "account_id", "availability_status", "auto_offline", "confirmed", "email", "available_name", "name", "role",
    "thumbnail",
}  # fmt: skip


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    """To whom mails about what was said are left, and with what they are composed."""
    left: list[tuple[str, dict[str, str]]] = []

    def leave(kind: str, to: str, data: dict[str, str], **more: Any) -> None:
        assert kind == watching.PARTICIPANT
        left.append((to, data))
        mail.compose_later(kind, to, data, **more)

    monkeypatch.setattr(watching, "compose_later", leave)
    return left


def member(desk: Desk, actor: Actor) -> UUID:
    with tenancy.scope(desk.tenant.id):
        found: UUID = Membership.objects.values_list("pk", flat=True).get(user=actor.person_id)
        return found


def let(desk: Desk, conversation: Conversation, *actors: Actor) -> None:
    participants.alter(desk.tenant.actor, conversation.pk, added=[member(desk, each) for each in actors])


def test_programs_list_add_set_and_remove_participants_as_chatwoot_does(desk: Desk) -> None:
    program, talk = Program(desk), desk.begin()
    for name in ("ann", "bob", "cid"):
        add_person(desk.tenant, name, Role.AGENT)
    ids = {each["name"]: each["id"] for each in program.said("GET", "/agents")}
    place = f"/conversations/{talk.number}/participants"

    def names(told: list[dict[str, Any]]) -> list[str]:
        assert all(set(each) == AGENT for each in told)
        return sorted(each["name"] for each in told)

    assert program.said("GET", place) == []
    assert names(program.said("POST", place, {"user_ids": [ids["ann"], ids["bob"]]})) == ["ann", "bob"]
    # Only who has come is told, and nobody comes twice.
    assert names(program.said("POST", place, {"user_ids": [ids["bob"], ids["cid"]]})) == ["cid"]
    assert names(program.said("PATCH", place, {"user_ids": [ids["ann"], ids["cid"]]})) == ["ann", "cid"]
    with CaptureQueriesContext(connection) as one:
        program.said("POST", place, {"user_ids": [ids["ann"]]})
    with CaptureQueriesContext(connection) as two:
        program.said("POST", place, {"user_ids": [ids["ann"], ids["cid"]]})
    assert len(one) == len(two)
    assert program.said("DELETE", place, {"user_ids": [ids["ann"], ids["bob"]]}) == {}
    assert names(program.said("GET", place)) == ["cid"]
    refused = program("POST", place, {"user_ids": [999_999]})
    assert (refused.status_code, refused.json()["attributes"]) == (422, ["user_ids"])
    with tenancy.scope(desk.tenant.id):
        acts = AuditEntry.objects.filter(action="support_conversation.participants_changed")
        assert acts.count() == 4
    whys = [row.details.get("why") for row in desk.history(talk)]
    assert whys.count("participants") == 4


def test_whoever_does_not_read_at_the_desk_takes_no_part(desk: Desk, other_desk: Desk) -> None:
    program, talk = Program(desk), desk.begin()
    with tenancy.scope(desk.tenant.id):
        mere = member_of(desk.tenant, desk.tenant.member)
    with tenancy.scope(other_desk.tenant.id):
        foreign = member_of(other_desk.tenant, other_desk.tenant.owner)
    for each in (mere.pk, foreign.pk):
        refused = program("POST", f"/conversations/{talk.number}/participants", {"user_ids": [str(each)]})
        assert (refused.status_code, refused.json()["attributes"]) == (422, ["user_ids"])
    elsewhere = Program(other_desk)("GET", f"/conversations/{talk.pk}/participants")
    assert elsewhere.status_code == 404
    with pytest.raises(PermissionDenied):
        participants.listed(acting(desk.tenant, desk.tenant.member), talk.pk)


def test_participants_are_told_once_until_they_have_looked(desk: Desk, told: list[Any]) -> None:
    ann, bob = desk.agent("ann", online=False), desk.agent("bob", online=False)
    talk = desk.begin()
    let(desk, talk, ann)
    assert told == []
    desk.says(talk, "Where is my parcel?")
    desk.says(talk, "Hello?")
    [(to, data)] = told
    assert to.startswith("ann@")
    message = mails.support_participant(to, **data)
    assert message is not None
    assert f"#{talk.number}" in message.subject
    assert "Ada" in message.subject
    assert "Where is my parcel?" in message.body
    # Whoever looks is told of what comes next, and the mail that still waits says nothing old.
    cursors.acknowledge(ann, talk.pk, seen=desk.again(talk).last_sequence)
    assert mails.support_participant(to, **data) is None
    messages.reply(bob, talk.pk, Draft("On its way"))
    assert len(told) == 2
    participants.alter(desk.tenant.actor, talk.pk, taken=[member(desk, ann)])
    assert mails.support_participant(*told[1][:1], **told[1][1]) is None


def test_what_was_taken_back_before_it_was_told_leaves_the_next_to_be_told(desk: Desk, told: list[Any]) -> None:
    ann, bob = desk.agent("ann", online=False), desk.agent("bob", online=False)
    talk = desk.begin()
    let(desk, talk, ann)
    said = messages.reply(bob, talk.pk, Draft("Wrong window"))
    messages.delete_message(bob, talk.pk, said.sequence)
    [(to, data)] = told
    assert mails.support_participant(to, **data) is None
    messages.reply(bob, talk.pk, Draft("On its way"))
    assert len(told) == 2
    assert mails.support_participant(told[1][0], **told[1][1]) is not None


def test_whoever_may_read_no_more_is_not_told_what_waits_to_leave(desk: Desk, told: list[Any]) -> None:
    ann = desk.agent("ann", online=False)
    talk = desk.begin()
    let(desk, talk, ann)
    desk.says(talk, "Where is my parcel?")
    [(to, data)] = told
    User.objects.filter(email=to).update(is_active=False)
    assert mails.support_participant(to, **data) is None


def test_nobody_is_told_of_what_they_know(desk: Desk, told: list[Any]) -> None:
    ann, bob, cid = (desk.agent(name, online=False) for name in ("ann", "bob", "cid"))
    talk = desk.begin()
    let(desk, talk, ann, bob, cid)
    with tenancy.scope(desk.tenant.id):
        Agent.objects.filter(membership=member(desk, cid)).update(seen_at=timezone.now())
    # Ann writes it, Bob is named in it and told of that, and Cid has the console open.
    messages.note(ann, talk.pk, Draft("@bob what is this?"), [member(desk, bob)])
    assert told == []
    messages.note(ann, talk.pk, Draft("Never mind"))
    assert [to.partition("@")[0] for to, _data in told] == ["bob"]


def test_whoever_is_given_a_conversation_or_named_in_it_takes_part(desk: Desk, told: list[Any]) -> None:
    ann, bob, cid, dan = (desk.agent(name, online=False) for name in ("ann", "bob", "cid", "dan"))
    talk = desk.begin()

    def names() -> list[str]:
        return [row.user.email.partition("@")[0] for row in participants.listed(desk.tenant.actor, talk.pk)]

    messages.reply(ann, talk.pk, Draft("I do it"))
    assignment.assign(desk.tenant.actor, talk.pk, {"agent": member(desk, bob)})
    with tenancy.scope(desk.tenant.id):
        mere = member_of(desk.tenant, desk.tenant.member).pk
    # Who does not read at the desk may be named, and takes no part.
    messages.note(ann, talk.pk, Draft("@cid what is this?"), [member(desk, cid), mere])
    assert names() == ["ann", "bob", "cid"]
    told.clear()
    desk.says(talk, "Hello?")
    assert sorted(to.partition("@")[0] for to, _data in told) == ["ann", "cid"]
    participants.alter(desk.tenant.actor, talk.pk, taken=[member(desk, each) for each in (ann, bob)])
    assignment.assign(desk.tenant.actor, talk.pk, {"agent": None})
    setup.create(desk.tenant.actor, "rule", {
        "name": "Dan", "event": "message_created",
        "actions": [{"action": "assign_agent", "value": str(member(desk, dan))}],
    })  # fmt: skip
    desk.says(talk, "Anybody?")
    assert names() == ["cid", "dan"]


def test_participants_go_along_where_conversations_are_merged(desk: Desk) -> None:
    ann, bob = desk.agent("ann"), desk.agent("bob")
    ada = desk.visitor(name="Ada")
    one, other = desk.begin(ada), desk.begin(ada)
    let(desk, one, ann, bob)
    let(desk, other, bob)
    merging.merge(ann, one.pk, other.pk)
    with tenancy.scope(desk.tenant.id):
        there = Participant.objects.filter(conversation=other).values_list("membership", flat=True)
        assert set(there) == {member(desk, ann), member(desk, bob)}


def test_what_is_marked_as_unread_is_until_somebody_looks(desk: Desk) -> None:
    program, talk = Program(desk), desk.begin()
    ann = desk.agent("ann")
    place = f"/conversations/{talk.number}"
    desk.says(talk, "Are you there?")
    cursors.acknowledge(ann, talk.pk, seen=desk.again(talk).last_sequence)
    assert program.said("GET", place)["unread_count"] == 0
    marked = program.said("POST", f"{place}/unread")
    assert (marked["id"], marked["unread_count"], marked["agent_last_seen_at"]) == (talk.number, 1, 0)
    assert program.said("POST", f"{place}/unread")["unread_count"] == 1
    # Whoever says how far they had got before has not looked.
    cursors.acknowledge(ann, talk.pk, seen=1)
    assert program.said("GET", place)["unread_count"] == 1
    cursors.acknowledge(ann, talk.pk, seen=desk.again(talk).last_sequence)
    assert program.said("GET", place)["unread_count"] == 0
    # The answer is the conversation, which not everybody who writes may read.
    assert Program(desk, ("support:write",))("POST", f"{place}/unread").status_code == 403
    program.said("POST", f"{place}/unread")
    messages.reply(ann, talk.pk, Draft("Here I am"))
    assert program.said("GET", place)["unread_count"] == 0
    with tenancy.scope(desk.tenant.id):
        assert AuditEntry.objects.filter(action="support_conversation.marked_unread").count() == 2


def test_the_conversations_page_lets_members_take_part_and_marks_it_as_unread(
    desk: Desk, client_of: Callable[[Any], Client]
) -> None:
    ann, talk, client = desk.agent("ann", online=False), desk.begin(), client_of(desk.tenant.owner)
    place, field = reverse("desk-conversation", args=[talk.pk]), f'name="member" value="{member(desk, ann)}"'

    def act(name: str, back: str = place, **values: Any) -> str:
        answer = client.post(f"{reverse('desk-act', args=[talk.pk, name])}?tab=all", values)
        assert (answer.status_code, answer.headers["location"]) == (302, f"{back}?tab=all")
        return str(client.get(f"{back}?tab=all").content.decode())

    assert "changed who takes part" in act("watch", member=member(desk, ann))
    # Who were led back to the conversation would read it.
    assert ">unread</span>" in act("unread", back=reverse("desk"))
    assert field not in act("unwatch", member=member(desk, ann))
