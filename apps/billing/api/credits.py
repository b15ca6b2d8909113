"""Prepaid credits as a REST resource: what is left, of what, and until when."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.authentication import api_actor
from apps.billing import services as billing
from apps.billing.api.subscription import TAGS
from apps.billing.credit_lots import Lot
from apps.core.api import AsyncAPIView, in_thread
from apps.core.currencies import figure
from apps.core.schema import READ as READING
from apps.core.schema import problems


class LotBody(serializers.Serializer[Any]):
    name = serializers.CharField(help_text="What it came with: a pack, or why it was given.")
    received = serializers.CharField(help_text="What came, in units of the currency.")
    left = serializers.CharField(help_text="What is left of it after what the open months have used.")
    expires_at = serializers.DateTimeField(allow_null=True, help_text="Null: never.")


class PurseBody(serializers.Serializer[Any]):
    currency = serializers.CharField()
    spendable = serializers.CharField(help_text="All together; below 0 where credit that was spent was refunded.")
    lots = LotBody(many=True, help_text="In the order in which they are used: what expires first is used first.")


class CreditsBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["credits"])
    currencies = PurseBody(many=True)


class CreditsView(AsyncAPIView):
    """What is left of prepaid credits."""

    @extend_schema(
        operation_id="get_credits",
        summary="Prepaid credits that are left",
        tags=TAGS,
        responses={200: CreditsBody, **problems(*READING)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        purses = [
            {
                "currency": currency,
                "spendable": figure(credit.spendable, currency),
                "lots": [_lot(lot, currency) for lot in credit.lots],
            }
            for currency, credit in billing.credits_left(actor).items()
        ]
        return Response({"object": "credits", "currencies": purses})


def _lot(lot: Lot, currency: str) -> dict[str, Any]:
    return {
        "name": lot.note,
        "received": figure(lot.received, currency),
        "left": figure(lot.left, currency),
        "expires_at": lot.expires_at and serializers.DateTimeField().to_representation(lot.expires_at),
    }
