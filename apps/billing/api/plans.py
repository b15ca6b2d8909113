"""What is sold, for anybody: no key is needed."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.billing.catalogue import KEPT_SECONDS, Catalogue, SoldPlan, catalogue
from apps.billing.entitlements import FEATURES
from apps.billing.models import Interval, Meter, Overage
from apps.core.api import AsyncAPIView, in_thread
from apps.core.schema import problems

CURRENCY: dict[str, Any] = {"help_text": "ISO 4217, in capitals."}


class PriceBody(serializers.Serializer[Any]):
    interval = serializers.ChoiceField(Interval.choices)
    currency = serializers.CharField(**CURRENCY)
    base_minor = serializers.IntegerField(help_text="Minor units an interval, with the included seats.")
    seat_minor = serializers.IntegerField(help_text="Minor units an interval for each further seat.")


class AllowanceBody(serializers.Serializer[Any]):
    meter = serializers.ChoiceField(Meter.choices)
    included = serializers.IntegerField(help_text="Units in a calendar month (UTC).")
    overage = serializers.ChoiceField(
        Overage.choices, help_text="`charge`: more is charged at the rate; `stop`: more needs prepaid credit."
    )


class RateBody(serializers.Serializer[Any]):
    meter = serializers.ChoiceField(Meter.choices)
    currency = serializers.CharField(**CURRENCY)
    per = serializers.IntegerField(help_text="For so many units.")
    price_minor = serializers.DecimalField(max_digits=16, decimal_places=6)


class PlanBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["plan"])
    code = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    trial_days = serializers.IntegerField()
    included_seats = serializers.IntegerField()
    max_seats = serializers.IntegerField(allow_null=True)
    features = serializers.ListField(child=serializers.CharField(), help_text=f"Such as {', '.join(FEATURES)}.")
    requests_per_minute = serializers.IntegerField()
    max_running = serializers.IntegerField(help_text="Generations that may run at a time.")
    max_passages = serializers.IntegerField(help_text="Passages of documents that are searched.")
    prices = PriceBody(many=True)
    allowances = AllowanceBody(many=True)
    rates = RateBody(many=True)


class PackBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["credit_pack"])
    code = serializers.CharField()
    name = serializers.CharField()
    currency = serializers.CharField(**CURRENCY)
    price_minor = serializers.IntegerField()
    credit_minor = serializers.IntegerField(help_text="What it is worth.")
    valid_days = serializers.IntegerField(
        allow_null=True, help_text="How long it can be used once it is paid for; null: for ever."
    )


class CatalogueBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["catalogue"])
    plans = PlanBody(many=True)
    credit_packs = PackBody(many=True)


class PlansView(AsyncAPIView):
    """The public plans, and packs of credits."""

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(
        operation_id="list_plans",
        summary="Plans and prices, without a key",
        description="The rows from which the pricing page, subscriptions and the ledger take them. Money is in minor "
        "units: cents of a dollar, whole yen.",
        tags=["Plans"],
        auth=[],
        responses={200: CatalogueBody, **problems(405, 503)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        self.answer_headers["cache-control"] = f"public, max-age={int(KEPT_SECONDS)}"
        return Response(_body(catalogue()))


def _body(found: Catalogue) -> dict[str, Any]:
    packs = [{"object": "credit_pack", **_fields(PackBody, pack)} for pack in found.packs]
    return {"object": "catalogue", "plans": [_plan(plan) for plan in found.plans], "credit_packs": packs}


def _plan(plan: SoldPlan) -> dict[str, Any]:
    return {"object": "plan", **_fields(PlanBody, plan)}


def _fields(kind: type[serializers.Serializer[Any]], row: Any) -> dict[str, Any]:
    """What the serializer names of a frozen row; nothing that it does not declare."""
    fields: Any = kind().fields
    return {
        name: field.to_representation(getattr(row, name)) if getattr(row, name) is not None else None
        for name, field in fields.items()
        if name != "object"
    }
