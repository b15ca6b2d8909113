"""Notes about contacts in Chatwoot's account API."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.models import Membership
from apps.core import tenancy
from apps.core.api import in_thread
from apps.core.fields import Text
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.support import chatwoot
from apps.support.access import READ, WRITE
from apps.support.api.accounts.base import AT_ROW, TAGS, AccountView, Lenient, contact_of
from apps.support.api.accounts.bodies import OBJECT
from apps.support.api.accounts.desk import MEMBERS, AccountAgentBody
from apps.support.api.told_errors import unprocessable as problems
from apps.support.models import ContactNote, Numbered
from apps.support.services import contact_notes
from apps.support.services.contact_notes import LONGEST, NO_NOTE
from apps.support.services.numbers import Numbers, row_of

NOTE = OpenApiParameter("note", str, OpenApiParameter.PATH, description="The note's `id`.")
AT_NOTE = [*AT_ROW, NOTE]


class AccountNoteBody(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    content = serializers.CharField()
    account_id = serializers.IntegerField()
    contact_id = serializers.IntegerField()
    user = AccountAgentBody(required=False, help_text="Who wrote it, as long as they are a member.")
    created_at = serializers.IntegerField(help_text="Seconds since 1970.")
    updated_at = serializers.IntegerField()


class WriteAccountNote(Lenient):
    """Also under `note`."""

    content = Text(max_length=LONGEST)


class _NoteView(AccountView):
    def content(self, request: Request) -> str:
        inner = dict(request.data).get("note")
        body = WriteAccountNote(data=inner if isinstance(inner, dict) else request.data)
        body.is_valid(raise_exception=True)
        content: str = body.validated_data["content"]
        return content

    def told(self, actor: Any, rows: list[ContactNote]) -> list[dict[str, Any]]:
        numbers = Numbers(actor.organization_id)
        numbers.want(Numbered.NOTE, [row.pk for row in rows])
        members = Membership.objects.filter(user__in=[row.user_id for row in rows if row.user_id])
        authors = {each.user_id: each for each in members.select_related("user")}
        numbers.want(Numbered.USER, authors)
        found = []
        for row in rows:
            body = {
                "id": numbers(Numbered.NOTE, row.pk),
                "content": row.content,
                "account_id": numbers.account,
                "contact_id": numbers(Numbered.CONTACT, row.contact_id),
                "created_at": int(row.created_at.timestamp()),
                "updated_at": int(row.changed_at.timestamp()),
            }
            if author := authors.get(row.user_id):
                body["user"] = chatwoot.agent_body(author, numbers, email=MEMBERS in actor.permissions)
            found.append(body)
        return found


class AccountNotesView(_NoteView):
    """What was written down about a contact."""

    pagination_class = None

    @extend_schema(
        operation_id="list_account_contact_notes",
        summary="List notes about a contact, the newest first",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: AccountNoteBody(many=True), **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            return Response(self.told(actor, contact_notes.listed(actor, contact_of(id))))

    @extend_schema(
        operation_id="create_account_contact_note",
        summary="Write down something about a contact",
        tags=TAGS,
        parameters=AT_ROW,
        request=WriteAccountNote,
        responses={200: AccountNoteBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, WRITE)
        content = self.content(request)
        with tenancy.scope(actor.organization_id):
            return Response(self.told(actor, [contact_notes.add(actor, contact_of(id), content)])[0])


class AccountNoteView(_NoteView):
    """One note."""

    @extend_schema(
        operation_id="get_account_contact_note",
        summary="Get a note about a contact",
        tags=TAGS,
        parameters=AT_NOTE,
        responses={200: AccountNoteBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, id: str, note: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            return Response(self.told(actor, [contact_notes.get(actor, contact_of(id), note_of(note))])[0])

    @extend_schema(
        operation_id="change_account_contact_note",
        summary="Change a note about a contact",
        tags=TAGS,
        parameters=AT_NOTE,
        request=WriteAccountNote,
        responses={200: AccountNoteBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, account: str, id: str, note: str) -> Response:
        # What is answered is the note as it was masked.
        actor = self.actor(request, account, WRITE, READ)
        content = self.content(request)
        with tenancy.scope(actor.organization_id):
            return Response(self.told(actor, [contact_notes.change(actor, contact_of(id), note_of(note), content)])[0])

    @extend_schema(
        operation_id="delete_account_contact_note",
        summary="Delete a note about a contact",
        tags=TAGS,
        parameters=AT_NOTE,
        responses={200: OBJECT, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def delete(self, request: Request, account: str, id: str, note: str) -> Response:
        actor = self.actor(request, account, WRITE)
        with tenancy.scope(actor.organization_id):
            contact_notes.delete(actor, contact_of(id), note_of(note))
        return Response({})


def note_of(text: str) -> UUID:
    return row_of(Numbered.NOTE, text, NO_NOTE)
