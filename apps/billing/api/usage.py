"""What an organization has used and spent, and what its plan allows."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

from asgiref.sync import sync_to_async
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema, extend_schema_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.api.base import one_of
from apps.accounts.authentication import api_actor
from apps.billing import services as billing
from apps.billing.entitlements import Access
from apps.billing.models import Meter
from apps.billing.usage import GROUPINGS, METER, METER_NAMES, OF_MEMBERS, Totals, breakdown, filters_of
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread
from apps.core.errors import PermissionDenied
from apps.core.schema import READ, problems

EXAMPLE = OpenApiExample(
    "A month",
    value={
        "object": "usage",
        "plan": "Free",
        "month": "2026-01-01",
        "resets_on": "2026-02-01",
        "allowance": 200000,
        "used": 1841,
        "held": 137,
        "remaining": 198022,
        "spend": {"amount": "0.002410", "currency": "USD"},
        "charge": {"amount": "0.000000", "currency": "USD"},
        "access": "full",
        "meters": [
            {
                "meter": "tokens_in",
                "included": 100000,
                "used": 1200,
                "held": 100,
                "remaining": 98700,
                "charge": "0.000000",
                "beyond": "charge",
            }
        ],
        "limits": {
            "requests_per_minute": 60,
            "tokens_per_minute": 40000,
            "max_queued": 20,
            "weight": 1,
            "max_running": 32,
            "max_passages": 50000,
        },
    },
)


class Spend(serializers.Serializer):
    amount = serializers.DecimalField(max_digits=20, decimal_places=6)
    currency = serializers.CharField()


class MeterBody(serializers.Serializer):
    meter = serializers.ChoiceField(Meter.values)
    included = serializers.IntegerField(help_text="In a calendar month (UTC), in the meter's unit.")
    used = serializers.IntegerField()
    held = serializers.IntegerField(help_text="Reserved for work that has not ended.")
    remaining = serializers.IntegerField()
    charge = serializers.DecimalField(max_digits=20, decimal_places=6, help_text="To be paid beyond what is included.")
    beyond = serializers.ChoiceField(
        ["charge", "credits", "refuse"], help_text="What happens to more than is included: who pays, or nobody."
    )


class RateLimits(serializers.Serializer):
    requests_per_minute = serializers.IntegerField()
    tokens_per_minute = serializers.IntegerField()
    max_queued = serializers.IntegerField(help_text="Generations that may wait at a time.")
    weight = serializers.IntegerField(help_text="The plan's share where work of several organizations waits.")
    max_running = serializers.IntegerField(help_text="Generations that may run at a time; the rest waits.")
    max_passages = serializers.IntegerField(help_text="Passages of documents that are searched.")


@extend_schema_serializer(examples=[EXAMPLE])
class UsageBody(serializers.Serializer):
    object = serializers.ChoiceField(["usage"])
    plan = serializers.CharField()
    month = serializers.DateField(help_text="Its first day.")
    resets_on = serializers.DateField()
    allowance = serializers.IntegerField(help_text="Tokens of prompts and answers in a calendar month (UTC).")
    used = serializers.IntegerField()
    held = serializers.IntegerField(help_text="Reserved for work that has not ended.")
    remaining = serializers.IntegerField()
    spend = Spend(help_text="The value of what was used at the models' own prices.")
    charge = Spend(help_text="What is to be paid beyond the plan; invoiced, less credits, once the month is closed.")
    access = serializers.ChoiceField(
        [access.value for access in Access], help_text="Whether new work is accepted: not with `read_only`."
    )
    meters = MeterBody(many=True)
    limits = RateLimits()


def _usage(actor: Actor) -> dict[str, Any]:
    actor.require("usage:read")
    summary = billing.usage_summary(actor.organization_id)
    limits = billing.limits_of(actor.organization_id)
    return {
        "object": "usage",
        "plan": summary.plan,
        "month": summary.month.isoformat(),
        "resets_on": summary.resets_on.isoformat(),
        "allowance": summary.allowance,
        "used": summary.used,
        "held": summary.held,
        "remaining": summary.remaining,
        "spend": {"amount": f"{summary.spent:.6f}", "currency": summary.currency},
        "charge": {"amount": amount_of(summary.charged_micros), "currency": summary.charge_currency},
        "access": limits.access.value,
        "meters": [_meter(use) for use in summary.meters],
        "limits": {
            "requests_per_minute": limits.requests_per_minute,
            "tokens_per_minute": limits.tokens_per_minute,
            "max_queued": limits.max_queued,
            "weight": limits.weight,
            "max_running": limits.max_running,
            "max_passages": limits.max_passages,
        },
    }


def _meter(use: billing.MeterUse) -> dict[str, Any]:
    beyond = "charge" if use.term.charged else "credits" if use.term.rate is not None else "refuse"
    return {
        "meter": use.meter.value,
        "included": use.term.included,
        "used": use.metered.used,
        "held": use.metered.held,
        "remaining": use.left,
        "charge": amount_of(use.metered.charged),
        "beyond": beyond,
    }


def amount_of(micros: int) -> str:
    return f"{Decimal(micros) / 1_000_000:.6f}"


class UsageView(AsyncAPIView):
    """What the organization has used of its plan in this calendar month (UTC)."""

    @extend_schema(
        operation_id="get_usage",
        summary="This month's usage, spend and limits",
        tags=["Models and usage"],
        responses={200: UsageBody, **problems(*READ)},
    )
    async def get(self, request: Request) -> Response:
        return Response(await sync_to_async(_usage)(api_actor(request)))


def _money(meaning: str) -> serializers.DictField:
    return serializers.DictField(child=serializers.DecimalField(max_digits=20, decimal_places=6), help_text=meaning)


class UsageLine(serializers.Serializer[Any]):
    name = serializers.CharField()
    requests = serializers.IntegerField()
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    tokens = serializers.IntegerField()
    quantity = serializers.IntegerField(
        allow_null=True, help_text="In the meter's unit, where all of it is of one meter."
    )
    amounts = _money("What it is worth at list prices, by currency.")
    charges = _money("What is paid for it beyond the allowance, by currency.")


class BreakdownBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["usage_breakdown"])
    month = serializers.DateField(help_text="Its first day.")
    by = serializers.ChoiceField(list(GROUPINGS))
    total = UsageLine()
    lines = UsageLine(many=True)
    rest = UsageLine(help_text="What is not among the lines.")


def _micros(amounts: dict[str, int]) -> dict[str, str]:
    return {currency: f"{Decimal(micros) / 1_000_000:.6f}" for currency, micros in amounts.items()}


def _line(name: Any, totals: Totals, has_quantity: bool) -> dict[str, Any]:
    return {
        "name": str(name),
        "requests": totals.requests,
        "prompt_tokens": totals.prompt_tokens,
        "completion_tokens": totals.completion_tokens,
        "tokens": totals.tokens,
        "quantity": totals.quantity if has_quantity else None,
        "amounts": _micros(totals.amounts),
        "charges": _micros(totals.charges),
    }


class BreakdownView(AsyncAPIView):
    """A month's usage by meter, model, member, key, team or day; always equal to the ledger's lines."""

    @extend_schema(
        operation_id="get_usage_breakdown",
        summary="A month's usage by meter, model, member, key, team or day",
        description="Whoever may not see members gets their own usage, and not by member or team. Whoever was in two "
        "teams counts in both, so teams do not add up to the total. `text` is the meter of generated texts, which have "
        "tokens of prompts and answers.",
        tags=["Usage and budgets"],
        parameters=[
            OpenApiParameter("month", str, description="YYYY-MM; this month without it."),
            OpenApiParameter("by", str, enum=list(GROUPINGS), description="`day` without it."),
            OpenApiParameter("meter", str, enum=list(METER_NAMES)),
            *(OpenApiParameter(name, str) for name in ("member", "key", "model", "day")),
        ],
        responses={200: BreakdownBody, **problems(*READ, 400)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require("usage:read")
        by = one_of(request, "by", list(GROUPINGS)) or "day"
        with tenancy.scope(actor.organization_id):
            filters = filters_of(actor, request.query_params, timezone.now().date())
            if filters.only is not None and by in OF_MEMBERS:
                raise PermissionDenied("This needs the permission members:read.")
            found = breakdown(replace(filters, team=""), by)
            of_one, of_each = filters.has_quantity, filters.has_quantity or by == METER
            return Response(
                {
                    "object": "usage_breakdown",
                    "month": filters.month.isoformat(),
                    "by": by,
                    "total": _line("total", found.total, of_one),
                    "lines": [_line(line.name, line.totals, of_each) for line in found.lines],
                    "rest": _line("rest", found.rest, of_one),
                }
            )
