"""What an organization has used and spent, and what its plan allows."""

from __future__ import annotations

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
from apps.billing.usage import GROUPINGS, OF_MEMBERS, Totals, breakdown, filters_of
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
        "limits": {
            "requests_per_minute": 60,
            "tokens_per_minute": 40000,
            "max_queued": 20,
            "weight": 1,
            "max_running": 32,
        },
    },
)


class Spend(serializers.Serializer):
    amount = serializers.DecimalField(max_digits=20, decimal_places=6)
    currency = serializers.CharField()


class RateLimits(serializers.Serializer):
    requests_per_minute = serializers.IntegerField()
    tokens_per_minute = serializers.IntegerField()
    max_queued = serializers.IntegerField(help_text="Generations that may wait at a time.")
    weight = serializers.IntegerField(help_text="The plan's share where work of several organizations waits.")
    max_running = serializers.IntegerField(help_text="Generations that may run at a time; the rest waits.")


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
    spend = Spend()
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
        "limits": {
            "requests_per_minute": limits.requests_per_minute,
            "tokens_per_minute": limits.tokens_per_minute,
            "max_queued": limits.max_queued,
            "weight": limits.weight,
            "max_running": limits.max_running,
        },
    }


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


class UsageLine(serializers.Serializer[Any]):
    name = serializers.CharField()
    requests = serializers.IntegerField()
    prompt_tokens = serializers.IntegerField()
    completion_tokens = serializers.IntegerField()
    tokens = serializers.IntegerField()
    amounts = serializers.DictField(
        child=serializers.DecimalField(max_digits=20, decimal_places=6), help_text="By currency."
    )


class BreakdownBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["usage_breakdown"])
    month = serializers.DateField(help_text="Its first day.")
    by = serializers.ChoiceField(list(GROUPINGS))
    total = UsageLine()
    lines = UsageLine(many=True)
    rest = UsageLine(help_text="What is not among the lines.")


def _line(name: Any, totals: Totals) -> dict[str, Any]:
    return {
        "name": str(name),
        "requests": totals.requests,
        "prompt_tokens": totals.prompt_tokens,
        "completion_tokens": totals.completion_tokens,
        "tokens": totals.tokens,
        "amounts": {currency: f"{Decimal(micros) / 1_000_000:.6f}" for currency, micros in totals.amounts.items()},
    }


class BreakdownView(AsyncAPIView):
    """A month's usage by member, key, team, model or day; always equal to the ledger's settlements."""

    @extend_schema(
        operation_id="get_usage_breakdown",
        summary="A month's usage by member, key, team, model or day",
        description="Whoever may not see members gets their own usage, and not by member or team. A team's line has "
        "tokens only, and whoever is in two teams counts in both.",
        tags=["Usage and budgets"],
        parameters=[
            OpenApiParameter("month", str, description="YYYY-MM; this month without it."),
            OpenApiParameter("by", str, enum=list(GROUPINGS), description="`day` without it."),
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
            found = breakdown(filters, by)
            return Response(
                {
                    "object": "usage_breakdown",
                    "month": filters.month.isoformat(),
                    "by": by,
                    "total": _line("total", found.total),
                    "lines": [_line(line.name, line.totals) for line in found.lines],
                    "rest": _line("rest", found.rest),
                }
            )
