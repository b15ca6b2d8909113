"""Who has a conversation: given by people, by rules, claimed from the queue, or given out in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import Count, Q
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Membership, Team, TeamMembership
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest, PermissionDenied
from apps.core.together import counted
from apps.support.access import WRITE
from apps.support.assigning import PRESENT_SECONDS, Candidate, Waiting, give_out
from apps.support.errors import AlreadyClaimed
from apps.support.models import Agent, Availability, Conversation, ConversationStatus, InboxAgent
from apps.support.services import participants, timers
from apps.support.services.storing import SYSTEM, By, by_actor, change, found, locked

NO_AGENT = gettext_noop("There is no agent with this id.")
NO_TEAM = gettext_noop("There is no team with this id.")
MOST_CAPACITY, MOST_SKILLS = 200, 20
# So much of the queue is looked at in one go; what is behind it waits in any case.
MOST_GIVEN = 200


def membership_of(actor: Actor) -> UUID | None:
    """The member behind an actor, in scope; None for programs."""
    if actor.membership_id is not None or actor.person_id is None:
        return actor.membership_id
    found: UUID | None = Membership.objects.filter(user_id=actor.person_id).values_list("pk", flat=True).first()
    return found


def is_member(id: UUID) -> bool:
    return bool(Membership.objects.filter(pk=id).exists())


# ---------------------------------------------------------------- given by somebody


def assign(actor: Actor, id: UUID, changes: Mapping[str, UUID | None]) -> Conversation:
    """Gives a conversation to an `agent`, or to nobody, or to a `team`, or to none; what is not named stays."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        held = locked(id)
        before = {"assignee": str(held.assignee_id or ""), "team": str(held.team_id or "")}
        if "team" in changes:
            to_team(held, by_actor(actor), changes["team"])
        if "agent" in changes:
            to_agent(held, by_actor(actor), changes["agent"])
        after = {"assignee": str(held.assignee_id or ""), "team": str(held.team_id or "")}
        if before != after:
            audit.record(actor, "support_conversation.assigned", held, before=before, after=after)
            assign_waiting(held.organization_id)
    return held


def to_agent(held: Conversation, by: By, agent: UUID | None) -> None:
    """The same for whoever holds the row. From then on the bot is silent."""
    member: Membership | None = found(Membership, agent, NO_AGENT, "agent")
    if member is not None and WRITE not in member.permissions:
        raise InvalidRequest("This member does not answer at the desk.", param="agent")
    values: dict[str, Any] = {"assignee_id": agent}
    now = timezone.now()
    from_bot = member is not None and held.bot_owns
    if from_bot:
        values |= {"bot_owns": False, "status": ConversationStatus.OPEN, "opened_at": held.opened_at or now}
    if held.assignee_id != agent:
        change(held, by, "assigned", acted_at=now, **values)
        if from_bot:
            timers.taken_from_bot(held, now)
    if agent is not None:
        participants.join(held, [agent])
        Agent.objects.filter(membership_id=agent).update(given_at=now)


def to_team(held: Conversation, by: By, team: UUID | None) -> None:
    found(Team, team, NO_TEAM, "team")
    if held.team_id != team:
        change(held, by, "assigned", team_id=team)


def give_to_me(held: Conversation, actor: Actor) -> None:
    """Where a person answers what is nobody's, it is theirs."""
    mine = membership_of(actor)
    if mine is not None and held.assignee_id is None:
        change(held, by_actor(actor), "assigned", assignee_id=mine, acted_at=timezone.now())
        participants.join(held, [mine])


def claim(actor: Actor, id: UUID) -> Conversation:
    """Takes what is nobody's; of several who want it one gets it, and the others are told who."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        mine = membership_of(actor)
        if mine is None:
            raise PermissionDenied("Only a person can claim a conversation.")
        held = locked(id)
        if held.assignee_id not in (None, mine):
            owner: Membership = Membership.objects.select_related("user").get(pk=held.assignee_id)
            name = owner.user.name or owner.user.email.partition("@")[0]
            raise AlreadyClaimed("%(name)s has it already.", values={"name": name})
        if held.assignee_id is None:
            to_agent(held, by_actor(actor), mine)
            audit.record(actor, "support_conversation.claimed", held)
    return held


def claim_next(actor: Actor) -> Conversation | None:
    """The first in the queue that the actor may take; None where nothing waits for them."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        mine = membership_of(actor)
        if mine is None:
            raise PermissionDenied("Only a person can claim a conversation.")
        agent_of(actor)
        me = next(iter(_candidates([mine], whoever=True)), None)
        for row in _queue(auto_only=False):
            if me is None or not _fits(me, row):
                continue
            held = Conversation.objects.select_for_update(of=("self",), skip_locked=True).filter(
                pk=row.id, assignee=None, status=ConversationStatus.OPEN
            )
            taken: Conversation | None = held.first()
            if taken is not None:
                to_agent(taken, by_actor(actor), mine)
                audit.record(actor, "support_conversation.claimed", taken)
                return taken
    return None


def _fits(me: Candidate, row: Waiting) -> bool:
    """Somebody who asks for work gets it beyond their capacity, and within inbox, team and skills."""
    return (
        (row.inbox_is_open or row.inbox in me.inboxes)
        and (row.team is None or row.team in me.teams)
        and row.skills <= me.skills
    )


# ---------------------------------------------------------------- given out in turn


def assign_waiting(organization_id: UUID) -> int:
    """Gives out what waits, in order of arrival, to agents who are there and have room; in scope. How many were given.

    One at a time does so for an organization, and a row that somebody else holds is passed over, so that nobody waits
    for anybody: what is left is seen by the next who comes, or by the sweep.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtext(%s))", [f"support assignment {organization_id}"])
        if not cursor.fetchone()[0]:
            return 0
    queue = _queue(auto_only=True)
    if not queue:
        return 0
    now = timezone.now()
    given = 0
    for waiting, agent in give_out(_candidates(), queue, now):
        rows = Conversation.objects.select_for_update(of=("self",), skip_locked=True)
        held: Conversation | None = rows.filter(
            pk=waiting.id, assignee=None, status=ConversationStatus.OPEN, waiting_since__isnull=False
        ).first()
        if held is None:
            continue
        change(held, SYSTEM, "given_out", assignee_id=agent)
        participants.join(held, [agent])
        Agent.objects.filter(membership_id=agent).update(given_at=now + timedelta(microseconds=given))
        facts = {"number": held.number, "inbox": str(held.inbox_id), "assignee": str(agent)}
        events.record("support_conversation.assigned", held.pk, facts)
        given += 1
    return given


def _queue(*, auto_only: bool) -> list[Waiting]:
    rows = Conversation.objects.waiting().filter(merged_into=None)
    if auto_only:
        rows = rows.filter(inbox__auto_assignment=True)
    named = set(InboxAgent.objects.values_list("inbox_id", flat=True))
    return [
        Waiting(row.pk, row.inbox_id, row.inbox_id not in named, row.team_id, frozenset(row.skills))
        for row in rows[:MOST_GIVEN]
    ]


def _candidates(only: list[UUID] | None = None, whoever: bool = False) -> list[Candidate]:
    """Agents who may answer; `whoever` takes those too who are not there."""
    agents = Agent.objects.select_related("membership", "membership__custom_role")
    agents = agents.filter(membership__in=only) if only is not None else agents
    if not whoever:
        since = timezone.now() - timedelta(seconds=PRESENT_SECONDS)
        agents = agents.filter(availability=Availability.ONLINE, seen_at__gt=since)
    rows = [row for row in agents if WRITE in row.membership.permissions]
    members = [row.membership_id for row in rows]
    loads = loads_of(members)
    teams = _grouped(TeamMembership.objects.filter(membership__in=members).values_list("membership_id", "team_id"))
    inboxes = _grouped(InboxAgent.objects.filter(membership__in=members).values_list("membership_id", "inbox_id"))
    return [
        Candidate(
            row.membership_id,
            True,
            loads.get(row.membership_id, 0),
            row.capacity,
            frozenset(row.skills),
            frozenset(teams.get(row.membership_id, ())),
            frozenset(inboxes.get(row.membership_id, ())),
            row.given_at,
        )
        for row in rows
    ]


def loads_of(members: list[UUID]) -> dict[UUID, int]:
    """How many open conversations each of these members has."""
    rows = Conversation.objects.filter(assignee__in=members, status=ConversationStatus.OPEN, merged_into=None)
    return dict(rows.values_list("assignee").annotate(Count("id")))


def _grouped(pairs: Any) -> dict[UUID, set[UUID]]:
    grouped: dict[UUID, set[UUID]] = {}
    for one, other in pairs:
        grouped.setdefault(one, set()).add(other)
    return grouped


def waits(conversation: Conversation) -> bool:
    """Whether it has a place in the queue."""
    is_free = conversation.status == ConversationStatus.OPEN and not conversation.assignee_id
    return is_free and conversation.waiting_since is not None


def ahead_of(conversation: Conversation) -> Any:
    """How many are before it in the queue, as a query of one number, or of none where there are none; in scope."""
    if not waits(conversation):
        return Conversation.objects.none()
    earlier = Q(waiting_since__lt=conversation.waiting_since) | Q(
        waiting_since=conversation.waiting_since, id__lt=conversation.pk
    )
    return counted(Conversation.objects.waiting().filter(earlier, merged_into=None))


def queue_place(conversation: Conversation, ahead: Sequence[int] | None = None) -> int | None:
    """Its place in the queue, from 1; None where it does not wait. `ahead` is what `ahead_of` gave, if asked."""
    if not waits(conversation):
        return None
    return sum(ahead_of(conversation) if ahead is None else ahead) + 1


# ---------------------------------------------------------------- agents


def is_present(membership_id: UUID) -> bool:
    row: Agent | None = Agent.objects.filter(membership_id=membership_id).first()
    return row is not None and is_there(row)


def is_there(agent: Agent) -> bool:
    """Whether their console has said lately that it is open."""
    return agent.seen_at is not None and agent.seen_at > timezone.now() - timedelta(seconds=PRESENT_SECONDS)


def note_presence(actor: Actor, availability: str | None = None) -> Agent:
    """The actor's console is open; with `availability` they say whether they take on something."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        row = agent_of(actor)
        if availability is not None:
            if availability not in Availability.values:
                raise InvalidRequest("One is online, busy or offline.", param="availability")
            row.availability = availability
        row.seen_at = timezone.now()
        row.save(update_fields=["availability", "seen_at"])
        if row.availability == Availability.ONLINE:
            assign_waiting(actor.organization_id)
    return row


def agent_of(actor: Actor) -> Agent:
    """The actor's own row, made when it is first needed; in scope."""
    mine = membership_of(actor)
    if mine is None:
        raise Conflict("Only a person answers at the desk.")
    row, _ = Agent.objects.get_or_create(organization_id=actor.organization_id, membership_id=mine)
    made: Agent = row
    return made


def change_agent(actor: Actor, membership_id: UUID, changes: Mapping[str, Any]) -> Agent:
    """How much somebody takes on, and what they know."""
    actor.require("support:manage")
    with tenancy.scope(actor.organization_id):
        member: Membership = found(Membership, membership_id, NO_AGENT, "agent")
        row: Agent = Agent.objects.get_or_create(organization_id=actor.organization_id, membership=member)[0]
        capacity, skills = changes.get("capacity", row.capacity), changes.get("skills", row.skills)
        if not 0 <= capacity <= MOST_CAPACITY:
            raise InvalidRequest("A capacity is from 0 to %(most)s.", values={"most": MOST_CAPACITY}, param="capacity")
        named = sorted({" ".join(str(each).split())[:40] for each in skills} - {""})
        if len(named) > MOST_SKILLS:
            raise InvalidRequest("An agent has at most %(most)s skills.", values={"most": MOST_SKILLS}, param="skills")
        before = {"capacity": row.capacity, "skills": list(row.skills)}
        row.capacity, row.skills = capacity, named
        row.save(update_fields=["capacity", "skills"])
        after = {"capacity": capacity, "skills": named}
        if before != after:
            audit.record(actor, "support_agent.changed", member, before=before, after=after)
            events.record(
                "support_agent.changed", member.pk, {"changed": sorted(k for k in after if after[k] != before[k])}
            )
            assign_waiting(actor.organization_id)
    return row
