"""What stands around the list and around a conversation, as queries by name: a page asks for all of its own at once
(`apps.core.together`), and so needs no more of them for more rows. All are in scope.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.accounts.access import Actor
from apps.accounts.models import Membership, Team
from apps.core.together import counted
from apps.support.models import Agent, BotSettings, CannedReply, Conversation, Inbox, Label, SlaTimer
from apps.support.services import assignment, canned, contact_notes, drafts, participants, reading, setup
from apps.support.services.cursors import cursors_of
from apps.support.services.learning import intents

MOST_CHOICES, MOST_HISTORY, MOST_NOTES = 200, 10, 3
Queries = dict[str, Any]


def of_list(actor: Actor, filters: Mapping[str, str], most: int) -> Queries:
    """Conversations with their contacts, and what they can be filtered by beside the labels of `of_choices`."""
    mine = assignment.membership_of(actor)
    rows = reading.listed(actor, filters, mine).select_related(None).select_related("contact")
    return {
        "rows": rows[:most],
        "inboxes": Inbox.objects.filter(archived_at=None).order_by("name").only("name"),
        "me": Agent.objects.filter(membership=mine) if mine else Agent.objects.none(),
    }


def own(actor: Actor, filters: Mapping[str, str]) -> Any:
    """How many conversations of the actor's own these are, as a query of one number, or of none."""
    mine = assignment.membership_of(actor)
    return counted(reading.listed(actor, filters, mine) if mine else Conversation.objects.none())


def of_choices(actor: Actor) -> Queries:
    """What a conversation, or several of them, can be given; of the members some do not answer."""
    members = Membership.objects.select_related("user", "custom_role").defer("search", "user__password")
    return {
        "members": members.order_by("user__email"),
        "teams": Team.objects.order_by("name")[:MOST_CHOICES],
        "macros": setup.listing(actor, "macro"),
        "labels": Label.objects.order_by("title"),
    }


def around(row: Conversation) -> Queries:
    """What stands beside a conversation's messages."""
    earlier = Conversation.objects.filter(contact=row.contact_id, merged_into=None).exclude(pk=row.pk)
    return {
        "timers": running_timers([row]).order_by("due_at"),
        "ahead": assignment.ahead_of(row),
        "cursors": cursors_of(row),
        "participants": participants.of(row),
        "notes": contact_notes.of(row.contact)[:MOST_NOTES],
        "history": earlier.order_by("-active_at")[:MOST_HISTORY],
        "writers": BotSettings.objects.values_list("writer", flat=True),
        "drafts": drafts.latest_of(row),
    }


def of_composer(actor: Actor) -> Queries:
    """What is at hand for whoever answers: ready texts with the person who fills them in, and the names of intents."""
    return {
        "ready": CannedReply.objects.order_by("code")[:MOST_CHOICES],
        "person": canned.person_of(actor).defer("password"),
        "intents": intents(),
    }


def running_timers(rows: list[Conversation]) -> Any:
    """Promises of these conversations that are still to be kept, or were missed."""
    return SlaTimer.objects.filter(conversation__in=[row.pk for row in rows], met_at=None, called_off=False)
