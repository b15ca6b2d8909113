"""What the month is expected to come to."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from asgiref.sync import sync_to_async
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.authentication import api_actor
from apps.billing import services as billing
from apps.billing.api.usage import amount_of
from apps.billing.forecast import Expected
from apps.billing.models import Meter
from apps.core.api import AsyncAPIView
from apps.core.schema import READ, problems


class ExpectedQuantity(serializers.Serializer[Any]):
    low = serializers.IntegerField()
    expected = serializers.IntegerField()
    high = serializers.IntegerField()


class ExpectedCharge(serializers.Serializer[Any]):
    low = serializers.DecimalField(max_digits=20, decimal_places=6)
    expected = serializers.DecimalField(max_digits=20, decimal_places=6)
    high = serializers.DecimalField(max_digits=20, decimal_places=6)


class MeterForecastBody(serializers.Serializer[Any]):
    meter = serializers.ChoiceField(Meter.values)
    included = serializers.IntegerField()
    used = serializers.IntegerField(help_text="So far.")
    quantity = ExpectedQuantity(help_text="At the end of the month: four of five months end within the range.")
    charge = ExpectedCharge(help_text="Of that, what is to be paid beyond what is included.")
    used_up_on = serializers.DateField(
        allow_null=True,
        help_text="The day on which what is included is expected to be used up, if it is in this month.",
    )


class ForecastBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["usage_forecast"])
    month = serializers.DateField(help_text="Its first day.")
    ends_on = serializers.DateField(help_text="Its last day.")
    currency = serializers.CharField()
    meters = MeterForecastBody(many=True, help_text="Those of which there was something before today.")
    charge = ExpectedCharge(help_text="Of all meters, and no more than credits and the spending cap allow.")


def _forecast(actor: Actor) -> dict[str, Any]:
    actor.require("usage:read")
    found = billing.forecast_of(actor.organization_id)
    return {
        "object": "usage_forecast",
        "month": found.month.isoformat(),
        "ends_on": found.ends_on.isoformat(),
        "currency": found.currency,
        "meters": [
            {
                "meter": each.meter.value,
                "included": each.term.included,
                "used": each.used,
                "quantity": asdict(each.quantity),
                "charge": _charges(each.charge),
                "used_up_on": each.used_up_on.isoformat() if each.used_up_on else None,
            }
            for each in found.meters
        ],
        "charge": _charges(found.charge),
    }


def _charges(micros: Expected) -> dict[str, str]:
    return {name: amount_of(value) for name, value in asdict(micros).items()}


class ForecastView(AsyncAPIView):
    """What this calendar month (UTC) is expected to come to, if days go on as the last four weeks' did."""

    @extend_schema(
        operation_id="get_usage_forecast",
        summary="What this month is expected to come to",
        tags=["Usage and budgets"],
        responses={200: ForecastBody, **problems(*READ)},
    )
    async def get(self, request: Request) -> Response:
        return Response(await sync_to_async(_forecast)(api_actor(request)))
