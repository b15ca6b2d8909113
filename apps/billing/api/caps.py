"""The spending cap as a REST resource."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.base import checked
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import api_actor
from apps.billing import services as billing
from apps.billing.models import SpendingCap
from apps.billing.services.caps import MANAGE, MOST_MICROS
from apps.core.api import AsyncAPIView, in_thread
from apps.core.errors import NotFound
from apps.core.fields import StrictSerializer
from apps.core.schema import READ, WRITE, problems

TAGS = ["Billing"]


class CapBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["spending_cap"])
    amount = serializers.DecimalField(max_digits=20, decimal_places=6, help_text="In units of the currency.")
    currency = serializers.CharField()


class SetCap(StrictSerializer):
    amount = serializers.DecimalField(
        max_digits=20,
        decimal_places=6,
        min_value=Decimal(0),
        max_value=Decimal(MOST_MICROS) / 1_000_000,
        help_text="What may be charged beyond the plan in a calendar month (UTC), as a decimal number in a string.",
    )


class CapView(AsyncAPIView):
    """How much may be charged beyond the plan in a month."""

    @extend_schema(
        operation_id="get_spending_cap",
        summary="Get the spending cap",
        tags=TAGS,
        responses={200: CapBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        cap = billing.get_cap(api_actor(request))
        if cap is None:
            raise NotFound("There is no spending cap.")
        return Response(_body(cap))

    @extend_schema(
        operation_id="set_spending_cap",
        summary="Set the spending cap",
        description="Work that could exceed it, whatever else runs, is refused with `spending_cap_reached`.",
        tags=TAGS,
        request=SetCap,
        responses={200: CapBody, **problems(*WRITE)},
    )
    @in_thread
    def put(self, request: Request) -> Response:
        values = checked(SetCap, request, MANAGE)
        return Response(_body(billing.set_cap(api_actor(request), int(values["amount"] * 1_000_000))))

    @extend_schema(
        operation_id="remove_spending_cap",
        summary="Remove the spending cap",
        tags=TAGS,
        responses={204: NOTHING, **problems(*READ)},
    )
    @in_thread
    def delete(self, request: Request) -> Response:
        billing.remove_cap(api_actor(request))
        return Response(status=204)


def _body(cap: SpendingCap) -> dict[str, Any]:
    amount = f"{Decimal(cap.cap_micros) / 1_000_000:.6f}"
    return {"object": "spending_cap", "amount": amount, "currency": cap.currency}
