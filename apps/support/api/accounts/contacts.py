"""Contacts in Chatwoot's account API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.api import in_thread
from apps.core.errors import Unprocessable
from apps.core.schema import READ as READ_PROBLEMS
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.support import chatwoot
from apps.support.access import MANAGE, READ, WRITE
from apps.support.api.accounts import bodies
from apps.support.api.accounts.base import (
    AT_ROW,
    IN_ACCOUNT,
    PAGE,
    TAGS,
    AccountView,
    FilterBody,
    LabelsBody,
    contact_of,
    inbox_of,
    named,
    several,
)
from apps.support.api.told_errors import unprocessable as problems
from apps.support.models import Contact, InboxKind, Numbered
from apps.support.services import contacts
from apps.support.services.chatwoot import filters, lists, sessions
from apps.support.services.chatwoot.sessions import Way
from apps.support.services.numbers import Numbers

SORT = OpenApiParameter("sort", str, description="`name`, `email`, `phone_number`, `last_activity_at`, `created_at`.")
WITH_WAYS = OpenApiParameter("include_contact_inboxes", bool)
LABELS = OpenApiParameter("labels", str, many=True, description="Also as `labels[]`.")
OURS = {"name": "name", "email": "email", "phone_number": "phone", "identifier": "identifier"}


def values_of(values: dict[str, Any]) -> dict[str, Any]:
    """What a body says of a contact, by our names; null takes away."""
    found: dict[str, Any] = {ours: values[theirs] or "" for theirs, ours in OURS.items() if theirs in values}
    if "language" in values.get("additional_attributes", {}):
        found["language"] = values["additional_attributes"]["language"] or ""
    if "custom_attributes" in values:
        found["attributes"] = values["custom_attributes"]
    return found


def way_body(way: Way, numbers: Numbers) -> dict[str, Any]:
    inbox = chatwoot.inbox_name(way.inbox, numbers) | {"channel_type": chatwoot.CHANNELS[InboxKind(way.inbox.kind)]}
    return {"source_id": way.source_id, "inbox": inbox}


def whole_bodies(rows: Sequence[Contact], numbers: Numbers, *, with_ways: bool = True) -> list[dict[str, Any]]:
    """Contacts with their inboxes, with as many questions as one takes."""
    ways = sessions.ways_of(rows) if with_ways else {}
    numbers.want(Numbered.CONTACT, [row.pk for row in rows])
    numbers.want(Numbered.INBOX, [way.inbox.pk for each in ways.values() for way in each])
    found = []
    for row in rows:
        body = chatwoot.contact_body(row, numbers) | {"labels": row.labels}
        if with_ways:
            body["contact_inboxes"] = [way_body(way, numbers) for way in ways.get(row.pk, ())]
        found.append(body)
    return found


def _listed(request: Request, actor: Actor, rows: Any) -> Response:
    """A page; `meta` counts all of them."""
    page = lists.page_in(request.query_params)
    some = lists.page_of(rows, page, lists.CONTACTS_A_PAGE)
    with_ways = request.query_params.get("include_contact_inboxes", "true") == "true"
    meta = {"count": rows.count(), "current_page": page}
    return Response({"meta": meta, "payload": whole_bodies(some, Numbers(actor.organization_id), with_ways=with_ways)})


def _one(actor: Actor, row: Contact) -> dict[str, Any]:
    return whole_bodies([row], Numbers(actor.organization_id))[0]


class AccountContactsView(AccountView):
    """All contacts."""

    pagination_class = None

    @extend_schema(
        operation_id="list_account_contacts",
        summary="List contacts as Chatwoot does, 15 a page",
        tags=TAGS,
        parameters=[*IN_ACCOUNT, PAGE, SORT, LABELS, WITH_WAYS],
        responses={200: bodies.AccountContactsBody, **problems(*READ_PROBLEMS, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            sort = request.query_params.get("sort", "")
            return _listed(request, actor, lists.contacts_by(actor, labels=several(request, "labels"), sort=sort))

    @extend_schema(
        operation_id="create_account_contact",
        summary="Add a contact",
        description="With `inbox_id` also their way into an inbox; without a `source_id` the answer has a secret, "
        "shown this once, that opens the contact's conversations over the public API.",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        request=bodies.WriteAccountContact,
        responses={200: bodies.AccountNewContactBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, WRITE)
        values = self.taken(bodies.WriteAccountContact, request)
        with tenancy.scope(actor.organization_id):
            inbox = named("inbox_id", values, inbox_of)
            row = contacts.create(actor, values_of(values))
            numbers, way = Numbers(actor.organization_id), None
            if inbox is not None:
                way = sessions.connect(actor, row.pk, inbox, values.get("source_id") or "")
            body = chatwoot.contact_body(row, numbers) | {"labels": row.labels}
            told = way_body(way, numbers) if way else {"source_id": None, "inbox": None}
            contact = body | {"contact_inboxes": [told] if way else []}
            return Response({"payload": {"contact": contact, "contact_inbox": told}})


class AccountContactSearchView(AccountView):
    """Contacts by what they are called."""

    @extend_schema(
        operation_id="search_account_contacts",
        summary="Find contacts by a part of their name, address or number",
        tags=TAGS,
        parameters=[*IN_ACCOUNT, OpenApiParameter("q", str, required=True), PAGE, SORT, WITH_WAYS],
        responses={200: bodies.AccountContactsBody, **problems(*READ_PROBLEMS, 400, 404, 422)},
    )
    @in_thread
    def get(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, READ)
        words = request.query_params.get("q", "").strip()[:200]
        if not words:
            raise Unprocessable("Say with `q` what is looked for.", param="q")
        with tenancy.scope(actor.organization_id):
            return _listed(request, actor, lists.contacts_by(actor, words, sort=request.query_params.get("sort", "")))


class AccountContactFilterView(AccountView):
    """Those of several conditions."""

    @extend_schema(
        operation_id="filter_account_contacts",
        summary="Filter contacts with Chatwoot's conditions",
        tags=TAGS,
        parameters=[*IN_ACCOUNT, PAGE, SORT, WITH_WAYS],
        request=FilterBody,
        responses={200: bodies.AccountContactsBody, **problems(*WRITE_PROBLEMS, 404)},
    )
    @in_thread
    def post(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, READ)
        values = self.taken(FilterBody, request)
        with tenancy.scope(actor.organization_id):
            asked = filters.asked_for(filters.CONTACTS, values["payload"])
            sort = request.query_params.get("sort", "")
            return _listed(request, actor, lists.filtered_contacts(actor, asked, sort))


class AccountContactView(AccountView):
    """One contact."""

    @extend_schema(
        operation_id="get_account_contact",
        summary="Get a contact",
        tags=TAGS,
        parameters=[*AT_ROW, WITH_WAYS],
        responses={200: bodies.AccountOneContactBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            return Response({"payload": _one(actor, contacts.get(actor, contact_of(id)))})

    def _changed(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, WRITE)
        values = self.taken(bodies.ChangeAccountContact, request)
        with tenancy.scope(actor.organization_id):
            row = contacts.find(contact_of(id), lock=True)
            wanted = values_of(values)
            if "attributes" in wanted:
                wanted["attributes"] = {**row.attributes, **wanted["attributes"]}
            row = contacts.change(actor, row.pk, wanted)
            if "blocked" in values and values["blocked"] != (row.blocked_at is not None):
                row = contacts.set_blocked(actor, row.pk, values["blocked"])
            return Response({"payload": _one(actor, row)})

    @extend_schema(
        operation_id="change_account_contact",
        summary="Change a contact",
        description="What is not named stays; custom attributes are added to those that are there.",
        tags=TAGS,
        parameters=AT_ROW,
        request=bodies.ChangeAccountContact,
        responses={200: bodies.AccountOneContactBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def put(self, request: Request, account: str, id: str) -> Response:
        return self._changed(request, account, id)

    @extend_schema(
        operation_id="patch_account_contact",
        summary="Change a contact",
        tags=TAGS,
        parameters=AT_ROW,
        request=bodies.ChangeAccountContact,
        responses={200: bodies.AccountOneContactBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, account: str, id: str) -> Response:
        return self._changed(request, account, id)

    @extend_schema(
        operation_id="delete_account_contact",
        summary="Erase a contact with all their conversations",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: bodies.OBJECT, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def delete(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, MANAGE)
        with tenancy.scope(actor.organization_id):
            contacts.erase(actor, contact_of(id))
        return Response({})


class AccountContactConversationsView(AccountView):
    """What a contact has written about."""

    @extend_schema(
        operation_id="get_account_contact_conversations",
        summary="The latest conversations of a contact",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: bodies.AccountOfContactBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            rows = lists.of_contact(actor, contacts.get(actor, contact_of(id)))
            return Response({"payload": chatwoot.conversation_bodies(rows, Numbers(actor.organization_id))})


class AccountContactLabelsView(AccountView):
    """What a contact is marked with."""

    @extend_schema(
        operation_id="get_account_contact_labels",
        summary="Read labels of a contact",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: bodies.AccountLabelsBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            return Response({"payload": contacts.get(actor, contact_of(id)).labels})

    @extend_schema(
        operation_id="set_account_contact_labels",
        summary="Set labels of a contact",
        description="All that there shall be, of those that the desk has.",
        tags=TAGS,
        parameters=AT_ROW,
        request=LabelsBody,
        responses={200: bodies.AccountLabelsBody, **problems(*WRITE_PROBLEMS, 404)},
    )
    @in_thread
    def post(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, WRITE)
        titles = self.taken(LabelsBody, request)["labels"]
        with tenancy.scope(actor.organization_id):
            return Response({"payload": contacts.set_labels(actor, contact_of(id), titles).labels})


class AccountContactInboxesView(AccountView):
    """A contact's way into an inbox."""

    @extend_schema(
        operation_id="connect_account_contact",
        summary="Give a contact a way into an inbox",
        description="Without a `source_id` the answer has a secret, shown this once, that opens the contact's "
        "conversations over the public API; one of your own names the contact to the account API alone.",
        tags=TAGS,
        parameters=AT_ROW,
        request=bodies.ConnectContact,
        responses={200: bodies.AccountContactInboxBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, WRITE)
        values = self.taken(bodies.ConnectContact, request)
        with tenancy.scope(actor.organization_id):
            contact = contacts.find(contact_of(id))
            way = sessions.connect(actor, contact.pk, inbox_of(values["inbox_id"]), values.get("source_id") or "")
            return Response(way_body(way, Numbers(actor.organization_id)))


class AccountContactableView(AccountView):
    """Where a contact can be written to."""

    @extend_schema(
        operation_id="get_account_contactable_inboxes",
        summary="The inboxes that a contact has come in by",
        tags=TAGS,
        parameters=AT_ROW,
        responses={200: bodies.AccountContactInboxesBody, **problems(*READ_PROBLEMS, 404)},
    )
    @in_thread
    def get(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, READ)
        with tenancy.scope(actor.organization_id):
            ways = sessions.contactable(actor, contacts.get(actor, contact_of(id)))
            numbers = Numbers(actor.organization_id)
            return Response({"payload": [way_body(way, numbers) for way in ways]})


class AccountContactAttributesView(AccountView):
    """Custom attributes taken away."""

    @extend_schema(
        operation_id="destroy_account_contact_attributes",
        summary="Take custom attributes of a contact away",
        tags=TAGS,
        parameters=AT_ROW,
        request=bodies.DestroyAttributes,
        responses={200: bodies.AccountOneContactBody, **problems(*WRITE_PROBLEMS, 404)},
    )
    @in_thread
    def post(self, request: Request, account: str, id: str) -> Response:
        actor = self.actor(request, account, WRITE)
        names = self.taken(bodies.DestroyAttributes, request)["custom_attributes"]
        with tenancy.scope(actor.organization_id):
            row = contacts.find(contact_of(id), lock=True)
            left = {name: value for name, value in row.attributes.items() if name not in names}
            return Response({"payload": _one(actor, contacts.change(actor, row.pk, {"attributes": left}))})


class AccountContactMergeView(AccountView):
    """Two that are one."""

    @extend_schema(
        operation_id="merge_account_contacts",
        summary="Merge a contact into another one",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        request=bodies.MergeAccountContacts,
        responses={200: bodies.AccountContactBody, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, WRITE)
        values = self.taken(bodies.MergeAccountContacts, request)
        with tenancy.scope(actor.organization_id):
            base, mergee = contact_of(values["base_contact_id"]), contact_of(values["mergee_contact_id"])
            return Response(_one(actor, contacts.merge(actor, mergee, base)))
