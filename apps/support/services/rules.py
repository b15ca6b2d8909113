"""Automation: the rules that hold are found by a pure function, and carried out while the conversation is held."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.utils import timezone

from apps.support import automation, hours
from apps.support.models import AutomationRule, Contact, Conversation, Inbox, InboxKind, Message
from apps.support.services import timers

# What a rule does calls no further rules: two could otherwise keep each other busy for ever.
_carrying_out: ContextVar[bool] = ContextVar("support_rule", default=False)


def run(held: Conversation, event: str, message: Message | None = None) -> int:
    """Carries out what is set up for an event; how many rules held."""
    if _carrying_out.get():
        return 0
    rows = AutomationRule.objects.filter(event=event, active=True).order_by("position", "id")
    rules = [automation.Rule(str(row.pk), row.event, tuple(row.conditions), tuple(row.actions)) for row in rows]
    if not rules:
        return 0
    from apps.support.services import acting  # which itself begins, opens and resolves, and so asks for rules

    matched = automation.evaluate(rules, event, facts_of(held, message))
    with quiet():
        for each in matched:
            acting.carry_out_rule(held, each)
    return len(matched)


@contextmanager
def quiet() -> Iterator[None]:
    """Within it no rules are looked at."""
    token = _carrying_out.set(True)
    try:
        yield
    finally:
        _carrying_out.reset(token)


def facts_of(held: Conversation, message: Message | None = None) -> dict[str, Any]:
    """What conditions are about; texts are masked, as they are stored."""
    inbox: Inbox = Inbox.objects.select_related("hours").get(pk=held.inbox_id)
    contact: Contact = Contact.objects.get(pk=held.contact_id)
    return {
        "content": message.content if message else "",
        "subject": held.subject,
        "inbox": str(inbox.pk),
        "status": held.status,
        "team": str(held.team_id or ""),
        "language": contact.language,
        "email": contact.email,
        "labels": held.labels,
        "priority": held.priority,
        "assigned": held.assignee_id is not None,
        "in_hours": hours.is_open(timers.hours_of(inbox.hours), timezone.now()),
        "verified": contact.verified_at is not None and inbox.kind != InboxKind.EMAIL,
        "attributes": {**contact.attributes, **held.attributes},
    }
