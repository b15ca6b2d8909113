"""Invoices, credit notes and one-time purchases as REST resources."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, checked, listed, page, require_fresh
from apps.accounts.authentication import api_actor
from apps.billing import services as billing
from apps.billing.api.subscription import ACTING, TAGS, LineBody, waiting
from apps.billing.models import CreditNote, Invoice, Order, OrderKind, OrderState
from apps.billing.services.accounts import MANAGE, READ
from apps.billing.services.orders import NO_ORDER
from apps.core import idempotency, tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.fields import StrictSerializer
from apps.core.schema import IDEMPOTENCY_KEY, problems
from apps.core.schema import READ as READING

LISTING: dict[str, Any] = {"parameters": [LIMIT, CURSOR], "tags": TAGS}


class InvoiceBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["invoice"])
    number = serializers.CharField()
    status = serializers.CharField(help_text="open, paid, void or uncollectible.")
    currency = serializers.CharField()
    subtotal_minor = serializers.IntegerField()
    tax_minor = serializers.IntegerField()
    total_minor = serializers.IntegerField()
    paid_minor = serializers.IntegerField()
    remaining_minor = serializers.IntegerField()
    credited_minor = serializers.IntegerField(help_text="By credit notes, which correct it.")
    lines = LineBody(many=True)
    issued_at = serializers.DateTimeField()
    paid_at = serializers.DateTimeField(allow_null=True)
    page_url = serializers.CharField(help_text="Where it is shown, and paid; empty if nowhere.")
    pdf_url = serializers.CharField()


class CreditNoteBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["credit_note"])
    invoice = serializers.UUIDField()
    number = serializers.CharField()
    status = serializers.CharField()
    reason = serializers.CharField()
    currency = serializers.CharField()
    total_minor = serializers.IntegerField()
    issued_at = serializers.DateTimeField()
    pdf_url = serializers.CharField()


class OrderBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["order"])
    kind = serializers.ChoiceField(OrderKind.choices)
    name = serializers.CharField()
    quantity = serializers.IntegerField()
    currency = serializers.CharField()
    amount_minor = serializers.IntegerField(help_text="Of all of it.")
    state = serializers.ChoiceField(OrderState.choices)
    created_at = serializers.DateTimeField()
    paid_at = serializers.DateTimeField(allow_null=True)
    delivered_at = serializers.DateTimeField(allow_null=True)


class OrderAsked(StrictSerializer):
    pack = serializers.CharField(max_length=40, help_text="The code of a pack of credits, from the list of plans.")


class NewOrderBody(OrderBody):
    url = serializers.URLField(help_text="Where a person pays.")


def _body(kind: str, row: Any, fields: type[serializers.Serializer[Any]]) -> dict[str, Any]:
    """The fields of a row by their names."""
    found: dict[str, Any] = {"object": kind}
    for name in map(str, fields().fields):
        if name not in {"object", "url"}:
            value = row.invoice_id if name == "invoice" else getattr(row, name)
            found[name] = value.isoformat() if hasattr(value, "isoformat") else value
    return found | {"id": str(row.pk)} | ({"invoice": str(row.invoice_id)} if kind == "credit_note" else {})


class InvoicesView(AsyncAPIView):
    """The organization's invoices."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_invoices",
        summary="List invoices, newest first",
        responses={200: InvoiceBody(many=True), **problems(*READING, 400, 404)},
        **LISTING,
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, Invoice.objects.all())
        return listed(answer, [_body("invoice", row, InvoiceBody) for row in found])


class CreditNotesView(AsyncAPIView):
    """What corrects invoices."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_credit_notes",
        summary="List credit notes, newest first",
        responses={200: CreditNoteBody(many=True), **problems(*READING, 400, 404)},
        **LISTING,
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, CreditNote.objects.all())
        return listed(answer, [_body("credit_note", row, CreditNoteBody) for row in found])


class OrdersView(AsyncAPIView):
    """One-time purchases."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_orders",
        summary="List purchases, newest first",
        responses={200: OrderBody(many=True), **problems(*READING, 400, 404)},
        **LISTING,
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, Order.objects.all())
        return listed(answer, [_body("order", row, OrderBody) for row in found])

    @extend_schema(
        operation_id="buy_credits",
        summary="Buy a pack of credits",
        description="Needs no plan. A person pays on the page at `url`; the credit is there when it is paid.",
        tags=TAGS,
        parameters=[IDEMPOTENCY_KEY],
        request=OrderAsked,
        responses={201: NewOrderBody, **problems(*ACTING)},
    )
    @waiting
    def post(self, request: Request) -> Response:
        values, actor = checked(OrderAsked, request, MANAGE), api_actor(request)
        require_fresh(request)
        inner = request._request
        with tenancy.scope(actor.organization_id):
            record = idempotency.begin(request.headers.get("idempotency-key"), inner.path, inner.body)
            if record is not None and record.object_id is not None:
                # Its own order: whoever made it may be told of it again.
                order = Order.objects.get(pk=record.object_id)
            else:
                order = billing.buy_credits(actor, values["pack"])
                idempotency.complete(record, 201, None, order.pk)
            order.refresh_from_db()
        url = billing.checkout_url(actor, order)
        return Response(_body("order", order, OrderBody) | {"url": url}, status=201)


class OrderView(AsyncAPIView):
    """One purchase."""

    @extend_schema(
        operation_id="get_order",
        summary="Get a purchase",
        tags=TAGS,
        parameters=[ID],
        responses={200: OrderBody, **problems(*READING, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        return Response(_body("order", billing.get_order(actor, parse_id(id, NO_ORDER)), OrderBody))
