"""The same act on many conversations: each in a transaction of its own, and what failed is told of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest, MillraceError
from apps.support import automation
from apps.support.access import WRITE
from apps.support.automation import RuleInvalid
from apps.support.models import Conversation, ConversationStatus, Message, MessageKind
from apps.support.services import acting, assignment, conversations, rules, setup
from apps.support.services.storing import by_actor, locked, state_of

MOST = 100
# What is taken back, in this order: whose it is comes after whether it is open at all.
REVERSIBLE = ("status", "priority", "labels", "skills", "team", "assignee")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one conversation; `error` is a stable code, empty where it was done, and `shown` the same for
    people. `changes` are the parts of its state that are different now, each before and after.
    """

    id: UUID
    error: str = ""
    message: str = ""
    shown: str = ""
    changes: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


def act(actor: Actor, ids: Sequence[UUID], actions: Sequence[Mapping[str, Any]]) -> list[Outcome]:
    """Carries out actions, as of macros, on each of up to 100 conversations, in the order of their ids."""
    actor.require(WRITE)
    try:
        checked = automation.checked_actions(list(actions))
    except RuleInvalid as error:
        # Whoever raises it has marked the message.
        raise InvalidRequest(str(error)) from None

    def carry_out(held: Conversation) -> None:
        acting.carry_out_all(held, by_actor(actor), checked, actor)
        names = ", ".join(each["action"] for each in checked)
        audit.record(actor, "support_conversation.bulk_act", held, actions=names)

    return _each(actor, ids, carry_out)


def alter(actor: Actor, ids: Sequence[UUID], changes: Mapping[str, Any]) -> list[Outcome]:
    """Gives each of up to 100 conversations what is named: `add` and `remove` are labels, `team` and `agent` whose it
    is from then on, or None for nobody's, and `status`, with `snoozed_until` where it sleeps.
    """
    actor.require(WRITE)
    # What names nothing that there is would fail for each alike.
    with tenancy.scope(actor.organization_id):
        conversations.checked_labels(changes.get("add", ()))
    names = ", ".join(sorted(changes))

    def carry_out(held: Conversation) -> None:
        by = by_actor(actor)
        if gone := {title.casefold() for title in changes.get("remove", ())}:
            conversations.unmark(held, by, gone)
        if more := changes.get("add", ()):
            conversations.mark(held, by, {"labels": [*held.labels, *more]})
        if "status" in changes:
            conversations.set_status(actor, held.pk, changes["status"], changes.get("snoozed_until"))
        given = {name: changes[name] for name in ("team", "agent") if name in changes}
        if given:
            assignment.assign(actor, held.pk, given)
        audit.record(actor, "support_conversation.bulk_act", held, actions=names)

    return _each(actor, ids, carry_out)


def run_macro(actor: Actor, ids: Sequence[UUID], macro: UUID) -> list[Outcome]:
    """A macro on each, all of its actions or none."""
    actor.require(WRITE)
    setup.get(actor, "macro", macro)
    return _each(actor, ids, lambda held: acting.run_macro(actor, held.pk, macro))


def undo(actor: Actor, changes: Mapping[UUID, Mapping[str, tuple[Any, Any]]]) -> list[Outcome]:
    """Gives each the state that it had, unless somebody has changed the same meanwhile; what was written stays.

    No rules are asked: they would answer to what nobody has meant.
    """
    actor.require(WRITE)

    def take_back(held: Conversation) -> None:
        mine = {name: changes[held.pk][name] for name in REVERSIBLE if name in changes[held.pk]}
        now = state_of(held)
        if any(now[name] != after for name, (_before, after) in mine.items()):
            raise Conflict("Somebody has changed this conversation meanwhile.")
        with rules.quiet():
            _restore(actor, held.pk, {name: before for name, (before, _after) in mine.items()}, changes[held.pk])
        audit.record(actor, "support_conversation.bulk_undone", held, fields=", ".join(mine))

    return _each(actor, list(changes), take_back)


def _restore(actor: Actor, id: UUID, before: Mapping[str, Any], changes: Mapping[str, tuple[Any, Any]]) -> None:
    by = by_actor(actor)
    if status := before.get("status"):
        until = parse_datetime(changes.get("snoozed_until", (None,))[0] or "")
        resolved_at = parse_datetime(changes.get("resolved_at", (None,))[0] or "")
        if status == ConversationStatus.PENDING:
            conversations.return_to_bot(actor, id)
        elif status == ConversationStatus.RESOLVED and resolved_at is not None:
            if Message.objects.filter(conversation=id, kind=MessageKind.INCOMING, created_at__gt=resolved_at).exists():
                raise Conflict("Somebody has changed this conversation meanwhile.")
            conversations.close_again(locked(id), by, resolved_at)
        elif status == ConversationStatus.SNOOZED and (until is None or until <= timezone.now()):
            conversations.to_status(locked(id), by, ConversationStatus.OPEN)
        else:
            conversations.to_status(locked(id), by, status, until)
    held = locked(id)
    if marks := {name: before[name] for name in ("priority", "labels", "skills") if name in before}:
        conversations.mark(held, by, marks)
    if "team" in before:
        assignment.to_team(held, by, _id(before["team"]))
    if "assignee" in before and str(held.assignee_id or "") != (before["assignee"] or ""):
        assignment.to_agent(held, by, _id(before["assignee"]))


def _id(text: str | None) -> UUID | None:
    return UUID(text) if text else None


def _each(actor: Actor, ids: Sequence[UUID], carry_out: Callable[[Conversation], object]) -> list[Outcome]:
    if not 0 < len(set(ids)) <= MOST:
        raise InvalidRequest("Between 1 and %(most)s conversations.", values={"most": MOST}, param="ids")
    return [_one(actor, id, carry_out) for id in sorted(set(ids))]


def _state(held: Conversation) -> dict[str, Any]:
    """All that taking back takes."""
    return state_of(held) | {"resolved_at": held.resolved_at.isoformat() if held.resolved_at else None}


def _one(actor: Actor, id: UUID, carry_out: Callable[[Conversation], object]) -> Outcome:
    try:
        with tenancy.scope(actor.organization_id):
            held = locked(id)
            before = _state(held)
            carry_out(held)
            after = _state(locked(id))
    except MillraceError as error:
        return Outcome(id, error.code, error.message, error.shown())
    return Outcome(id, changes={name: (before[name], after[name]) for name in before if before[name] != after[name]})
