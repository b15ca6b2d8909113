"""What else is done in a conversation over Chatwoot's account API, by programs of the desk and by bots."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import JsonResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.models import Membership, Team
from apps.core import tenancy
from apps.core.api import in_thread
from apps.core.errors import InvalidRequest, Unprocessable
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.support import chatwoot
from apps.support.access import READ, WRITE
from apps.support.api.accounts import bodies
from apps.support.api.accounts.base import (
    AT_CONVERSATION,
    TAGS,
    AccountView,
    LabelsBody,
    conversation_of,
    member_of,
    named,
    team_of,
)
from apps.support.api.accounts.conversations import moment_of
from apps.support.api.told_errors import unprocessable as problems
from apps.support.models import Author, Conversation, ConversationStatus
from apps.support.services import assignment, conversations, cursors, keystrokes, muting, presence, reading, unmasking
from apps.support.services.agent_bots import speaking
from apps.support.services.agent_bots.speaking import Caller
from apps.support.services.keystrokes import Typist
from apps.support.services.numbers import Numbers

# What each act takes.
ACTS: dict[str, type[serializers.Serializer[Any]] | None] = {
    "toggle_status": bodies.ToggleStatus,
    "toggle_typing_status": bodies.ToggleTyping,
    "toggle_priority": bodies.TogglePriority,
    "assignments": bodies.WriteAssignment,
    "custom_attributes": bodies.WriteAttributes,
    "update_last_seen": None,
    "unread": None,
    "mute": None,
    "unmute": None,
    "transcript": bodies.MailTranscript,
}
# Of people and programs of the desk alone.
OF_PEOPLE = frozenset({"unread", "mute", "unmute", "transcript"})
ACT = OpenApiParameter("act", {"type": "string", "enum": list(ACTS)}, OpenApiParameter.PATH)


class AccountActView(AccountView):
    """What is done there; a bot does it in its inboxes, as long as no person has acted."""

    @extend_schema(
        operation_id="act_on_account_conversation",
        summary="Hand over, resolve, assign, or say that one types",
        description="`act` is `toggle_status`, where `open` hands over to people; `toggle_typing_status`, "
        "`toggle_priority`, `assignments`, `custom_attributes` or `update_last_seen`, each with Chatwoot's body and "
        "answer. Not for bots: `unread`, which marks what the contact has written last as unread for the whole desk; "
        "`mute`, which resolves it and blocks the contact, and `unmute` (`support:manage`); and `transcript`, which is "
        "mailed to `email`, of the contact or a member.",
        tags=TAGS,
        parameters=[*AT_CONVERSATION, ACT],
        request=bodies.ToggleStatus,
        responses={200: bodies.OBJECT, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, account: str, number: str, act: str) -> Any:
        caller = self.caller(request, account, WRITE) if act not in OF_PEOPLE else self.actor(request, account, WRITE)
        if act not in ACTS:
            raise InvalidRequest("There is no such act.", param="act")
        body = ACTS[act]
        with tenancy.scope(caller.organization_id):
            id = conversation_of(number)
            # Told before the body is looked at: of others nothing is said about what is wrong with a request.
            _ = speaking.find(caller, id) if isinstance(caller, Caller) else reading.find(id)
            values = self.taken(body, request) if body is not None else {}
            told = _DONE[act](caller, id, values)
        # Whoever was taken off is answered with null, as JSON.
        return Response(told) if told is not None else JsonResponse(None, safe=False)


def _status(caller: Actor | Caller, id: UUID, values: dict[str, Any]) -> Any:
    status, until = values.get("status") or None, moment_of(values.get("snoozed_until"))
    if isinstance(caller, Caller):
        row = speaking.set_status(caller, id, status, until)
    else:
        row = conversations.set_status(caller, id, status or _toggled(reading.find(id)), until)
    payload = {"success": True, "conversation_id": row.number, "current_status": str(row.status)}
    payload["snoozed_until"] = row.snoozed_until.isoformat() if row.snoozed_until else None
    return {"meta": {}, "payload": payload}


def _toggled(row: Conversation) -> str:
    return ConversationStatus.RESOLVED if row.status == ConversationStatus.OPEN else ConversationStatus.OPEN


def _typing(caller: Actor | Caller, id: UUID, values: dict[str, Any]) -> Any:
    typing, private = values["typing_status"] == "on", bool(values.get("is_private"))
    if isinstance(caller, Caller):
        speaking.typing(caller, id, typing=typing, private=private)
    else:
        who, row = str(caller.person_id or caller.api_key_id), reading.find(id)
        # Of a note the contact, who is shown who types, hears nothing.
        presence.say_once(row, who=who, name=caller.name.partition("@")[0], typing=typing and not private)
        typist = Typist(row.organization_id, row.pk, who, Author.AGENT, caller.person_id)
        keystrokes.tell(typist, typing=typing, private=private)
    return {"meta": {}, "payload": {"success": True}}


def _mark(caller: Actor | Caller, id: UUID, changes: dict[str, Any]) -> Conversation:
    if isinstance(caller, Caller):
        return speaking.mark(caller, id, changes)
    return conversations.change_conversation(caller, id, changes)


def _priority(caller: Actor | Caller, id: UUID, values: dict[str, Any]) -> Any:
    _mark(caller, id, {"priority": speaking.priority_of(values["priority"])})
    return {"meta": {}, "payload": {"success": True}}


def _attributes(caller: Actor | Caller, id: UUID, values: dict[str, Any]) -> Any:
    return {"custom_attributes": _mark(caller, id, {"attributes": values["custom_attributes"]}).attributes}


def _assign(caller: Actor | Caller, id: UUID, values: dict[str, Any]) -> Any:
    """Answers with whom it was given to: an agent, or a team, or nobody."""
    changes: dict[str, UUID | None] = {}
    if "assignee_id" in values:
        changes["agent"] = named("assignee_id", values, member_of)
    if "team_id" in values:
        changes["team"] = named("team_id", values, team_of)
    if not changes:
        raise InvalidRequest("Name an assignee or a team.", param="assignee_id")
    numbers = Numbers(caller.organization_id)
    row = speaking.assign(caller, id, changes) if isinstance(caller, Caller) else assignment.assign(caller, id, changes)
    if "agent" in changes:
        member: Membership | None = Membership.objects.select_related("user").filter(pk=row.assignee_id).first()
        return chatwoot.agent_body(member, numbers, email=False) if member else None
    team: Team | None = Team.objects.filter(pk=row.team_id).first()
    return chatwoot.team_body(team, numbers) if team else None


def _seen(caller: Actor | Caller, id: UUID, values: dict[str, Any]) -> Any:
    if isinstance(caller, Caller):
        row = speaking.find(caller, id)
    else:
        row = reading.find(id)
        cursors.acknowledge(caller, id, seen=row.last_sequence)
    return chatwoot.conversation_body(row, Numbers(caller.organization_id))


# What bots do not do comes from an Actor alone.
def _unread(caller: Any, id: UUID, values: dict[str, Any]) -> Any:
    return chatwoot.conversation_body(cursors.mark_unread(caller, id), Numbers(caller.organization_id))


def _mute(caller: Any, id: UUID, values: dict[str, Any]) -> Any:
    muting.mute(caller, id)
    return {}


def _unmute(caller: Any, id: UUID, values: dict[str, Any]) -> Any:
    muting.unmute(caller, id)
    return {}


def _transcript(caller: Any, id: UUID, values: dict[str, Any]) -> Any:
    if not values.get("email"):
        raise Unprocessable("Say with `email` where it goes.", param="email")
    unmasking.mail_transcript(caller, id, values["email"])
    return {}


_DONE = {
    "toggle_status": _status,
    "toggle_typing_status": _typing,
    "toggle_priority": _priority,
    "assignments": _assign,
    "custom_attributes": _attributes,
    "update_last_seen": _seen,
    "unread": _unread,
    "mute": _mute,
    "unmute": _unmute,
    "transcript": _transcript,
}


class AccountLabelsView(AccountView):
    """What a conversation is marked with."""

    @extend_schema(
        operation_id="get_account_conversation_labels",
        summary="Read labels of a conversation",
        tags=TAGS,
        parameters=AT_CONVERSATION,
        responses={200: bodies.AccountLabelsBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, number: str) -> Response:
        caller = self.caller(request, account, READ)
        with tenancy.scope(caller.organization_id):
            id = conversation_of(number)
            row = speaking.find(caller, id) if isinstance(caller, Caller) else reading.find(id)
            return Response({"payload": row.labels})

    @extend_schema(
        operation_id="set_account_conversation_labels",
        summary="Set labels of a conversation",
        description="All that there shall be, of those that the desk has.",
        tags=TAGS,
        parameters=AT_CONVERSATION,
        request=LabelsBody,
        responses={200: bodies.AccountLabelsBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, account: str, number: str) -> Response:
        caller = self.caller(request, account, WRITE)
        titles = self.taken(LabelsBody, request)["labels"]
        with tenancy.scope(caller.organization_id):
            return Response({"payload": _mark(caller, conversation_of(number), {"labels": titles}).labels})
