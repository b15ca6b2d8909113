"""What the desk writes down about contacts, and who takes part in conversations, over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.base import ID, checked
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import api_actor
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.fields import Id, StrictSerializer, Text
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.core.schema import problems
from apps.support.access import READ, WRITE
from apps.support.api.base import TAGS, contact_id, conversation_id
from apps.support.api.bodies import SupportAgentsBody
from apps.support.models import ContactNote
from apps.support.services import contact_notes, participants
from apps.support.services.contact_notes import LONGEST, NO_NOTE

NOTE = OpenApiParameter("note", OpenApiTypes.UUID, OpenApiParameter.PATH)


class SupportContactNoteBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["support_contact_note"])
    id = serializers.UUIDField()
    contact = serializers.UUIDField()
    content = serializers.CharField(help_text="Masked.")
    author_name = serializers.CharField(allow_blank=True, help_text="Empty for a program, and for who is gone.")
    created_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()


class SupportContactNotesBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["list"])
    data = SupportContactNoteBody(many=True)  # type: ignore[assignment]


class WriteSupportContactNote(StrictSerializer):
    content = Text(max_length=LONGEST)


class ChangeSupportParticipants(StrictSerializer):
    add = serializers.ListField(child=Id(), required=False, max_length=participants.MOST, help_text="Members.")
    remove = serializers.ListField(child=Id(), required=False, max_length=participants.MOST, help_text="Members.")


def note_body(row: ContactNote) -> dict[str, Any]:
    user = row.user
    return {
        "object": "support_contact_note",
        "id": str(row.pk),
        "contact": str(row.contact_id),
        "content": row.content,
        "author_name": (user.name or user.email.partition("@")[0]) if user else "",
        "created_at": row.created_at.isoformat(),
        "changed_at": row.changed_at.isoformat(),
    }


class SupportContactNotesView(AsyncAPIView):
    """Notes about a contact."""

    pagination_class = None

    @extend_schema(
        operation_id="list_support_contact_notes",
        summary="List notes about a contact, the newest first",
        tags=TAGS,
        parameters=[ID],
        responses={200: SupportContactNotesBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        rows = contact_notes.listed(api_actor(request), contact_id(request, id, READ))
        return Response({"object": "list", "data": [note_body(row) for row in rows]})

    @extend_schema(
        operation_id="create_support_contact_note",
        summary="Write down something about a contact",
        tags=TAGS,
        parameters=[ID],
        request=WriteSupportContactNote,
        responses={201: SupportContactNoteBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        place = contact_id(request, id, WRITE)
        values = checked(WriteSupportContactNote, request, WRITE)
        return Response(note_body(contact_notes.add(api_actor(request), place, values["content"])), status=201)


class SupportContactNoteView(AsyncAPIView):
    """One note."""

    @extend_schema(
        operation_id="get_support_contact_note",
        summary="Get a note about a contact",
        tags=TAGS,
        parameters=[ID, NOTE],
        responses={200: SupportContactNoteBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str, note: str) -> Response:
        place = contact_id(request, id, READ)
        return Response(note_body(contact_notes.get(api_actor(request), place, _note(note))))

    @extend_schema(
        operation_id="change_support_contact_note",
        summary="Change a note about a contact",
        tags=TAGS,
        parameters=[ID, NOTE],
        request=WriteSupportContactNote,
        responses={200: SupportContactNoteBody, **problems(*WRITE_PROBLEMS, 404)},
    )
    @in_thread
    def patch(self, request: Request, id: str, note: str) -> Response:
        place = contact_id(request, id, WRITE)
        # What is answered is the note as it was masked.
        values = checked(WriteSupportContactNote, request, WRITE, READ)
        return Response(note_body(contact_notes.change(api_actor(request), place, _note(note), values["content"])))

    @extend_schema(
        operation_id="delete_support_contact_note",
        summary="Delete a note about a contact",
        tags=TAGS,
        parameters=[ID, NOTE],
        responses={204: NOTHING, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str, note: str) -> Response:
        contact_notes.delete(api_actor(request), contact_id(request, id, WRITE), _note(note))
        return Response(status=204)


class SupportParticipantsView(AsyncAPIView):
    """Who is told of what is said in a conversation."""

    pagination_class = None

    @extend_schema(
        operation_id="list_support_participants",
        summary="List the members who take part in a conversation",
        tags=TAGS,
        parameters=[ID],
        responses={200: SupportAgentsBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        return _members(request, conversation_id(request, id, READ))

    @extend_schema(
        operation_id="change_support_participants",
        summary="Let members take part in a conversation, or take them off",
        description="Answers with those who take part.",
        tags=TAGS,
        parameters=[ID],
        request=ChangeSupportParticipants,
        responses={200: SupportAgentsBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, id: str) -> Response:
        place = conversation_id(request, id, WRITE)
        # The answer says who takes part.
        values = checked(ChangeSupportParticipants, request, WRITE, READ)
        participants.alter(api_actor(request), place, added=values.get("add", ()), taken=values.get("remove", ()))
        return _members(request, place)


def _members(request: Request, conversation: UUID) -> Response:
    rows = participants.listed(api_actor(request), conversation)
    return Response({"object": "list", "data": [str(row.pk) for row in rows]})


def _note(text: str) -> UUID:
    return parse_id(text, NO_NOTE)
