"""Actions as data, carried out: what rules do by themselves, and macros for whoever runs them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import MillraceError, NotFound
from apps.support.access import WRITE
from apps.support.automation import Matched
from apps.support.models import AutomationRule, Contact, Conversation, ConversationStatus, Macro, MessageKind
from apps.support.services import assignment, canned, conversations, messages, rules
from apps.support.services.storing import SYSTEM, By, Draft, append, by_actor, change, locked


def carry_out_rule(held: Conversation, matched: Matched) -> None:
    """What a rule says; an action that has become impossible is told in the conversation, and the others are done."""
    name = AutomationRule.objects.values_list("name", flat=True).get(pk=UUID(matched.rule))
    failed = [code for code in (_tried(held, each) for each in matched.actions) if code]
    change(held, SYSTEM, "rule", {"rule": name, "rule_id": matched.rule, "failed": failed})


def _tried(held: Conversation, action: Mapping[str, Any]) -> str:
    try:
        carry_out(held, SYSTEM, action)
    except MillraceError as error:
        return f"{action['action']}: {error.code}"
    return ""


def run_macro(actor: Actor, conversation_id: UUID, macro_id: UUID) -> Conversation:
    """All of a macro's actions or none, in the actor's name."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        held = locked(conversation_id)
        mine = assignment.membership_of(actor)
        macro: Macro | None = Macro.objects.filter(pk=macro_id).first()
        if macro is None or (macro.owner_id is not None and macro.owner_id != mine):
            raise NotFound("There is no macro with this id.")
        with rules.quiet():
            carry_out_all(held, by_actor(actor), macro.actions, actor)
        change(held, by_actor(actor), "macro", {"macro": macro.name})
        audit.record(actor, "support_conversation.macro_run", held, macro=macro.name)
    return held


def carry_out_all(held: Conversation, by: By, actions: Sequence[Mapping[str, Any]], actor: Actor | None = None) -> None:
    for action in actions:
        carry_out(held, by, action, actor)


def carry_out(held: Conversation, by: By, action: Mapping[str, Any], actor: Actor | None = None) -> None:
    """One action; the conversation's row is held. Raises what the services raise."""
    name, value = action["action"], action["value"]
    if name == "set_priority":
        conversations.mark(held, by, {"priority": value})
    elif name == "add_label":
        conversations.mark(held, by, {"labels": [*held.labels, value]})
    elif name == "remove_label":
        conversations.unmark(held, by, {value.casefold()})
    elif name == "require_skill":
        conversations.mark(held, by, {"skills": [*held.skills, value]})
    elif name == "assign_team":
        assignment.to_team(held, by, UUID(value))
    elif name == "assign_agent":
        assignment.to_agent(held, by, UUID(value))
    elif name == "set_status":
        conversations.to_status(held, by, value)
    elif name == "snooze_hours":
        until = timezone.now() + timedelta(hours=value)
        conversations.to_status(held, by, ConversationStatus.SNOOZED, until)
    elif name == "add_note":
        append(held, MessageKind.NOTE, by, Draft(value))
    elif name == "reply":
        _say(held, by, value, actor)


def _say(held: Conversation, by: By, content: str, actor: Actor | None) -> None:
    """A rule's text is no person's answer: it neither silences the bot nor keeps a promise."""
    if actor is not None:
        actor.require_open()
    contact: Contact = Contact.objects.get(pk=held.contact_id)
    text = canned.filled(content, held, contact, actor).text
    canned.refuse_unfilled(text)
    if actor is None:
        messages.post_by_system(held, Draft(text, details={"why": "rule"}))
    else:
        messages.answer(held, by, Draft(text), actor)
