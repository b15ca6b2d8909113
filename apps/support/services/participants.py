"""Who takes part in a conversation beside whose it is."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from uuid import UUID

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Membership
from apps.core import tenancy
from apps.core.errors import InvalidRequest
from apps.support.access import READ, WRITE
from apps.support.models import Conversation, Participant
from apps.support.services.reading import find
from apps.support.services.storing import by_actor, change, locked

MOST = 50


def of(conversation: Conversation) -> Any:
    """As a query of members, in scope, in the order in which they came."""
    rows = Participant.objects.filter(conversation=conversation).select_related(
        "membership__user", "membership__custom_role"
    )
    return rows.order_by("created_at", "id")


def listed(actor: Actor, id: UUID) -> list[Membership]:
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return [row.membership for row in of(find(id))]


def alter(
    actor: Actor, id: UUID, *, added: Collection[UUID] = (), taken: Collection[UUID] = (), alone: bool = False
) -> list[Membership]:
    """Lets members take part, and takes others off; with `alone` those who are added are all. Who has come."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        held = locked(id)
        there = {row.membership_id for row in of(held)}
        new = set(added) - there
        gone = there - set(added) if alone else there & set(taken) - new
        if new and len(there | new) - len(gone) > MOST:
            raise InvalidRequest("At most %(most)s members take part.", values={"most": MOST}, param="members")
        members = list(Membership.objects.filter(pk__in=new | gone).select_related("user", "custom_role"))
        come = sorted((each for each in members if each.pk in new), key=lambda each: each.user.email)
        if len(come) != len(new) or any(READ not in each.permissions for each in come):
            raise InvalidRequest("One of those who are named does not read at the desk.", param="members")
        for each in come:
            Participant.objects.create(organization_id=held.organization_id, conversation=held, membership=each)
        _rows(held).filter(membership__in=gone).delete()
        if new or gone:
            here, away = sorted(map(str, new)), sorted(map(str, gone))
            change(held, by_actor(actor), "participants", {"added": here, "taken": away})
            audit.record(actor, "support_conversation.participants_changed", held, added=here, taken=away)
    return come


def join(held: Conversation, members: Collection[UUID]) -> None:
    """Lets members take part who are given the conversation, or named in it; the row is held.

    What has brought them tells of it. Nobody comes beyond those who may be there.
    """
    there = set(Participant.objects.filter(conversation=held).values_list("membership_id", flat=True))
    new = sorted(set(members) - there)[: max(MOST - len(there), 0)]
    Participant.objects.bulk_create(
        Participant(organization_id=held.organization_id, conversation=held, membership_id=each) for each in new
    )


def take_over(one: Conversation, other: Conversation) -> None:
    """Those who took part in a conversation that is merged take part where it goes on; both rows are held."""
    there = Participant.objects.filter(conversation=other).values("membership")
    _rows(one).exclude(membership__in=there).update(conversation=other, told_through=0)


def _rows(held: Conversation) -> Any:
    """Without those of members who are just leaving: whoever takes them off may wait for the conversation."""
    rows = Participant.objects.select_for_update(of=("self",), skip_locked=True).filter(conversation=held)
    return Participant.objects.filter(pk__in=[row.pk for row in rows])
