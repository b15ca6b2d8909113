"""Giving out conversations: in order of arrival, by turns, within capacity, presence, teams and skills."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connections

from apps.accounts.access import Actor
from apps.accounts.models import Team, TeamMembership
from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest, MillraceError, PermissionDenied
from apps.support.models import Agent, Conversation
from apps.support.services import assignment, conversations, housekeeping, inboxes, messages
from apps.support.services.storing import Draft
from tests.helpers.desk import Desk
from tests.helpers.people import acting


def member(desk: Desk, actor: Actor) -> Any:
    with tenancy.scope(desk.tenant.id):
        return assignment.membership_of(actor)


def owner_of(desk: Desk, conversation: Conversation) -> Any:
    return desk.again(conversation).assignee_id


@pytest.mark.django_db
def test_what_waits_is_given_out_by_turns(desk: Desk) -> None:
    ann, bob = desk.agent("ann"), desk.agent("bob")
    owners = [owner_of(desk, desk.begin()) for _ in range(4)]
    assert sorted(map(str, owners)) == sorted([str(member(desk, ann))] * 2 + [str(member(desk, bob))] * 2)
    assert owners[0] != owners[1]


@pytest.mark.django_db
def test_nobody_is_given_more_than_they_take_and_the_first_in_line_is_next(desk: Desk) -> None:
    ann = desk.agent("ann", capacity=1)
    first, second, third = desk.begin(), desk.begin(), desk.begin()
    assert owner_of(desk, first) == member(desk, ann)
    assert owner_of(desk, second) is None
    with tenancy.scope(desk.tenant.id):
        assert [assignment.queue_place(desk.again(each)) for each in (first, second, third)] == [None, 1, 2]
    conversations.set_status(ann, first.pk, "resolved")
    housekeeping.sweep()
    assert owner_of(desk, second) == member(desk, ann)
    assert owner_of(desk, third) is None


@pytest.mark.django_db
@pytest.mark.parametrize("facts", [{"availability": "busy"}, {"availability": "offline"}, {"seen_at": None}])
def test_nobody_is_given_anything_who_is_not_there(desk: Desk, facts: dict[str, Any]) -> None:
    desk.agent("ann")
    with tenancy.scope(desk.tenant.id):
        Agent.objects.update(**facts)
    assert owner_of(desk, desk.begin()) is None


@pytest.mark.django_db
def test_whoever_comes_online_is_given_what_waits_in_order_of_arrival(desk: Desk) -> None:
    ann = desk.agent("ann", online=False, capacity=2)
    waiting = [desk.begin() for _ in range(3)]
    # A priority does not overtake: the queue is in order of arrival.
    conversations.change_conversation(ann, waiting[2].pk, {"priority": 4})
    assignment.note_presence(ann, "online")
    assert [owner_of(desk, each) is not None for each in waiting] == [True, True, False]


@pytest.mark.django_db
def test_teams_and_skills_say_who_may_take_it(desk: Desk) -> None:
    ann, bob = desk.agent("ann", skills=["loans"]), desk.agent("bob")
    with tenancy.scope(desk.tenant.id):
        team = Team.objects.create(organization=desk.tenant.organization, name="Cards")
        TeamMembership.objects.create(organization=desk.tenant.organization, team=team, membership_id=member(desk, bob))
    inboxes.change(desk.tenant.actor, desk.inbox.pk, {"team": team.pk})
    assert owner_of(desk, desk.begin()) == member(desk, bob)
    inboxes.change(desk.tenant.actor, desk.inbox.pk, {"team": None, "auto_assignment": False})
    conversation = desk.begin()
    conversations.change_conversation(ann, conversation.pk, {"skills": ["loans"]})
    inboxes.change(desk.tenant.actor, desk.inbox.pk, {"auto_assignment": True})
    housekeeping.sweep()
    assert owner_of(desk, conversation) == member(desk, ann)


@pytest.mark.django_db
def test_where_agents_are_named_only_they_are_given_an_inboxs_conversations(desk: Desk) -> None:
    desk.agent("ann")
    bob = desk.agent("bob")
    inboxes.set_agents(desk.tenant.actor, desk.inbox.pk, [member(desk, bob)])
    assert {owner_of(desk, desk.begin()) for _ in range(3)} == {member(desk, bob)}


@pytest.mark.django_db
def test_who_may_not_answer_is_given_nothing(desk: Desk) -> None:
    conversation = desk.begin()
    plain = member(desk, acting(desk.tenant, desk.tenant.member))
    with pytest.raises(InvalidRequest):
        assignment.assign(desk.tenant.actor, conversation.pk, {"agent": plain})
    with pytest.raises(PermissionDenied):
        assignment.note_presence(acting(desk.tenant, desk.tenant.member), "online")


@pytest.mark.django_db
def test_asking_for_the_next_gives_the_one_that_waits_longest(desk: Desk) -> None:
    ann = desk.agent("ann", online=False)
    first, second = desk.begin(), desk.begin()
    taken = [assignment.claim_next(ann), assignment.claim_next(ann), assignment.claim_next(ann)]
    assert [each and each.pk for each in taken] == [first.pk, second.pk, None]


@pytest.mark.django_db
def test_a_member_who_leaves_leaves_their_conversations_to_others(desk: Desk) -> None:
    ann = desk.agent("ann")
    conversation = desk.begin()
    with tenancy.scope(desk.tenant.id):
        Agent.objects.get(membership_id=member(desk, ann)).membership.delete()
    assert owner_of(desk, conversation) is None
    bob = desk.agent("bob")
    housekeeping.sweep()
    assert owner_of(desk, conversation) == member(desk, bob)


@pytest.mark.django_db
def test_capacity_and_skills_are_set_by_who_may(desk: Desk) -> None:
    ann = desk.agent("ann")
    row = assignment.change_agent(desk.tenant.actor, member(desk, ann), {"capacity": 3, "skills": [" loans ", "loans"]})
    assert (row.capacity, row.skills) == (3, ["loans"])
    with pytest.raises(PermissionDenied):
        assignment.change_agent(ann, member(desk, ann), {"capacity": 100})
    with pytest.raises(InvalidRequest):
        assignment.change_agent(desk.tenant.actor, member(desk, ann), {"capacity": 1_000})


@pytest.mark.django_db(transaction=True)
def test_of_many_who_claim_at_once_one_wins(desk: Desk) -> None:
    agents = [desk.agent(f"agent{number}", online=False) for number in range(4)]
    conversation = desk.begin()
    start = Barrier(len(agents))

    def claim(agent: Actor) -> str:
        start.wait()
        try:
            assignment.claim(agent, conversation.pk)
        except Conflict as lost:
            return lost.code
        finally:
            connections.close_all()
        return "won"

    with ThreadPoolExecutor(len(agents)) as pool:
        outcomes = list(pool.map(claim, agents))
    assert sorted(outcomes) == ["already_claimed"] * 3 + ["won"]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_given_out_twice_and_capacity_holds_while_many_arrive_at_once(desk: Desk) -> None:
    agents = [desk.agent(f"agent{number}", capacity=3) for number in range(2)]
    visitors = [desk.visitor(name=f"Visitor {number}") for number in range(10)]

    def arrive(visitor: Any) -> Conversation | str:
        try:
            return desk.begin(visitor)
        except MillraceError as error:
            return error.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(5) as pool:
        begun = list(pool.map(arrive, visitors))
    assert all(isinstance(each, Conversation) for each in begun)
    housekeeping.sweep()
    owners = [owner_of(desk, each) for each in begun if isinstance(each, Conversation)]
    for agent in agents:
        assert owners.count(member(desk, agent)) == 3
    assert owners.count(None) == 4


@pytest.mark.django_db
def test_an_answer_to_what_is_nobodys_makes_it_ones_own(desk: Desk) -> None:
    ann = desk.agent("ann", online=False)
    conversation = desk.begin()
    messages.reply(ann, conversation.pk, Draft("Mine"))
    assert owner_of(desk, conversation) == member(desk, ann)
    assert desk.again(conversation).waiting_since is None
