"""What programs written for Chatwoot do to many conversations at once."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import AuditEntry, Role, Team
from apps.core import tenancy
from apps.support.models import Conversation
from apps.support.services import setup
from tests.helpers.account_api import Program
from tests.helpers.desk import Desk
from tests.helpers.people import add_person

pytestmark = pytest.mark.django_db


def sent(program: Program, talks: list[Conversation], **more: Any) -> Any:
    body = {"type": "Conversation", "ids": [talk.number for talk in talks], **more}
    return program.said("POST", "/bulk_actions", body)


def test_many_conversations_are_given_a_status_an_agent_a_team_and_labels(desk: Desk) -> None:
    program = Program(desk)
    add_person(desk.tenant, "ann", Role.AGENT)
    [ann] = [each["id"] for each in program.said("GET", "/agents") if each["name"] == "ann"]
    for title in ("late", "paid"):
        setup.create(desk.tenant.actor, "label", {"title": title})
    with tenancy.scope(desk.tenant.id):
        Team.objects.create(organization_id=desk.tenant.id, name="Returns")
    [team] = [each["id"] for each in program.said("GET", "/teams")]
    talks, other = [desk.begin(), desk.begin()], desk.begin()
    numbers = sorted(talk.number for talk in talks)
    # As the dashboard sends it: what is null stays as it is.
    fields = {"status": None, "assignee_id": ann, "team_id": team}
    answer = sent(program, talks, fields=fields, labels={"add": ["late", "paid"], "remove": None})
    assert answer == {"done": numbers, "failed": []}
    for talk in talks:
        told = program.said("GET", f"/conversations/{talk.number}")
        assert (told["meta"]["assignee"]["id"], told["meta"]["team"]["id"]) == (ann, team)
        assert (told["labels"], told["status"]) == (["late", "paid"], "open")
    sent(program, talks, labels={"remove": ["LATE", "never there"]}, fields={"team_id": 0})
    told = program.said("GET", f"/conversations/{numbers[0]}")
    assert (told["labels"], told["meta"]["team"], told["meta"]["assignee"]["id"]) == (["paid"], None, ann)
    until = int(timezone.now().timestamp()) + 3_600
    assert sent(program, talks, fields={"status": "snoozed"}, snoozed_until=until)["done"] == numbers
    assert sent(program, talks, fields={"status": "resolved"})["done"] == numbers
    assert [desk.again(talk).status for talk in (*talks, other)] == ["resolved", "resolved", "open"]
    with tenancy.scope(desk.tenant.id):
        assert AuditEntry.objects.filter(action="support_conversation.bulk_act").count() == 8


def test_what_fails_is_told_of_each_and_the_others_are_done(desk: Desk, other_desk: Desk) -> None:
    program, talk, foreign = Program(desk), desk.begin(), other_desk.begin()
    with tenancy.scope(other_desk.tenant.id):
        Conversation.objects.filter(pk=foreign.pk).update(number=77)
    body = {"type": "conversation", "ids": [str(talk.pk), 77, 99], "fields": {"status": "resolved"}}
    assert program.said("POST", "/bulk_actions", body) == {"done": [talk.number], "failed": []}
    assert (desk.again(talk).status, other_desk.again(foreign).status) == ("resolved", "open")
    # Without a time in which it sleeps a conversation is not put to sleep, nor marked.
    setup.create(desk.tenant.actor, "label", {"title": "late"})
    answer = sent(program, [talk], fields={"status": "snoozed"}, labels={"add": ["late"]})
    [failed] = answer["failed"]
    assert (answer["done"], failed["id"], failed["code"]) == ([], talk.number, "invalid_request")
    assert (desk.again(talk).status, desk.again(talk).labels) == ("resolved", [])


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"type": "Contact"}, "type"),
        ({"fields": {"assignee_id": 999_999}}, "assignee_id"),
        ({"fields": {"team_id": 999_999}}, "team_id"),
        ({"labels": {"add": ["never there"]}}, "labels"),
        ({"ids": list(range(101))}, "ids"),
    ],
)
def test_what_names_nothing_is_refused_as_a_whole(desk: Desk, wrong: dict[str, Any], name: str) -> None:
    body = {"type": "Conversation", "ids": [desk.begin().number], "fields": {"status": "resolved"}} | wrong
    refused = Program(desk)("POST", "/bulk_actions", body)
    assert (refused.status_code, refused.json()["attributes"]) == (422, [name])


def test_changing_many_takes_the_permission_to_write(desk: Desk) -> None:
    reads = Program(desk, ("support:read",))
    assert reads("POST", "/bulk_actions", {"type": "Conversation", "ids": [1]}).status_code == 403
