"""The subscription as a REST resource: taking, previewing, changing and ending it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.base import checked, require_fresh
from apps.accounts.authentication import api_actor
from apps.billing import services as billing
from apps.billing.models import FREE_PLAN, Interval, Status, Subscription
from apps.billing.services import ChangePreview
from apps.billing.services.accounts import MANAGE, READ
from apps.billing.services.changes import LATER, NOW
from apps.billing.services.subscriptions import LONGEST_PAUSE, LONGEST_REASON
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread
from apps.core.errors import PreviewOutdated
from apps.core.fields import StrictSerializer
from apps.core.schema import READ as READING
from apps.core.schema import WRITE, problems

TAGS = ["Billing"]
# What an act that asks the payment provider may end in.
ACTING = (*WRITE, 402, 409, 502)
SEATS: dict[str, Any] = {"min_value": 1, "max_value": 100_000}


def waiting(handler: Callable[..., Response]) -> Callable[..., Awaitable[Response]]:
    """A handler that waits for the payment provider, in a thread, and holds up no request meanwhile."""

    @wraps(handler)
    async def answer(self: AsyncAPIView, *args: Any, **kwargs: Any) -> Response:
        self.turn.leave()
        return await sync_to_async(handler)(self, *args, **kwargs)

    return answer


class SeatsBody(serializers.Serializer[Any]):
    total = serializers.IntegerField(allow_null=True, help_text="null where the operator counts none.")
    members = serializers.IntegerField()
    invited = serializers.IntegerField(help_text="Open invitations, which take a seat each.")
    included = serializers.IntegerField()
    most = serializers.IntegerField(allow_null=True, help_text="What the plan sells at most.")
    further_minor = serializers.IntegerField(allow_null=True, help_text="What one more costs in an interval.")


class NextBody(serializers.Serializer[Any]):
    plan = serializers.CharField()
    seats = serializers.IntegerField()
    at = serializers.DateTimeField()


class SubscriptionBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["subscription"])
    id = serializers.UUIDField(allow_null=True, help_text="null on the free plan.")
    plan = serializers.CharField()
    status = serializers.ChoiceField(["free", *Status.values])
    access = serializers.ChoiceField(["full", "read_only", "free"], help_text="Read-only refuses new work only.")
    interval = serializers.ChoiceField(Interval.choices, allow_null=True)
    currency = serializers.CharField(allow_null=True)
    seats = SeatsBody()
    period_start = serializers.DateTimeField(allow_null=True)
    period_end = serializers.DateTimeField(allow_null=True)
    trial_end = serializers.DateTimeField(allow_null=True)
    cancel_at = serializers.DateTimeField(allow_null=True)
    paused_until = serializers.DateTimeField(allow_null=True)
    past_due_since = serializers.DateTimeField(allow_null=True)
    next = NextBody(allow_null=True, help_text="A smaller plan that waits for the period's end.")


def subscription_body(organization_id: Any) -> dict[str, Any]:
    """How it stands now."""
    with tenancy.scope(organization_id):
        row = billing.live_subscription()
        seats = billing.seats_of(organization_id)
        limits = billing.limits_of(organization_id)
    names = ("period_start", "period_end", "trial_end", "cancel_at", "paused_until", "past_due_since")
    return {
        "object": "subscription",
        "id": str(row.pk) if row else None,
        "plan": row.plan.code if row else FREE_PLAN,
        "status": row.status if row else "free",
        "access": str(limits.access),
        "interval": row.interval if row else None,
        "currency": row.price.currency if row and row.price else None,
        "seats": {name: getattr(seats, name) for name in map(str, SeatsBody().fields)},
        **{name: _time(row, name) for name in names},
        "next": _next(row),
    }


def _time(row: Subscription | None, name: str) -> str | None:
    moment = getattr(row, name) if row else None
    return moment.isoformat() if moment else None


def _next(row: Subscription | None) -> dict[str, Any] | None:
    if row is None or row.next_price is None or row.next_at is None:
        return None
    return {"plan": row.next_price.plan.code, "seats": row.next_seats, "at": row.next_at.isoformat()}


class CheckoutAsked(StrictSerializer):
    plan = serializers.CharField(max_length=40)
    interval = serializers.ChoiceField(Interval.choices)
    currency = serializers.CharField(max_length=3, default="USD")
    seats = serializers.IntegerField(**SEATS, default=1)
    code = serializers.CharField(max_length=80, required=False, default="", help_text="Of a promotion.")


class CheckoutBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["checkout"])
    id = serializers.UUIDField()
    url = serializers.URLField(help_text="Where a person pays.")
    trial_days = serializers.IntegerField()
    expires_at = serializers.DateTimeField(allow_null=True)


class ChangeAsked(StrictSerializer):
    plan = serializers.CharField(max_length=40, required=False, default="")
    interval = serializers.ChoiceField(Interval.choices, required=False, default="")
    seats = serializers.IntegerField(**SEATS, required=False, default=None)
    when = serializers.ChoiceField([NOW, LATER], required=False, default=NOW)


class LineBody(serializers.Serializer[Any]):
    description = serializers.CharField()
    amount_minor = serializers.IntegerField()
    quantity = serializers.IntegerField(allow_null=True)
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    is_proration = serializers.BooleanField()


class PreviewBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["subscription_preview"])
    token = serializers.CharField(help_text="What the change is made with, within 15 minutes.")
    plan = serializers.CharField()
    seats = serializers.IntegerField()
    when = serializers.ChoiceField([NOW, LATER])
    currency = serializers.CharField()
    lines = LineBody(many=True)
    tax_minor = serializers.IntegerField()
    total_minor = serializers.IntegerField(help_text="Of the invoice on which the lines stand.")
    due_now_minor = serializers.IntegerField(help_text="What is asked for at once; 0 if it waits for the next invoice.")


def _preview_body(shown: ChangePreview) -> dict[str, Any]:
    names = ("description", "amount_minor", "quantity", "is_proration")
    lines = [
        {name: getattr(line, name) for name in names} | {"start": line.start.isoformat(), "end": line.end.isoformat()}
        for line in shown.lines
    ]
    return {
        "object": "subscription_preview",
        "token": shown.token,
        "plan": shown.price.plan.code,
        "seats": shown.seats,
        "when": shown.when,
        "currency": shown.currency,
        "lines": lines,
        "tax_minor": shown.tax_minor,
        "total_minor": shown.total_minor,
        "due_now_minor": shown.due_now_minor,
    }


class ConfirmAsked(StrictSerializer):
    token = serializers.CharField(max_length=2000)


class CancelAsked(StrictSerializer):
    at_once = serializers.BooleanField(default=False)
    reason = serializers.CharField(max_length=LONGEST_REASON, required=False, default="", allow_blank=True)


class PauseAsked(StrictSerializer):
    months = serializers.IntegerField(min_value=1, max_value=LONGEST_PAUSE)


class SubscriptionView(AsyncAPIView):
    """The organization's subscription."""

    @extend_schema(
        operation_id="get_subscription",
        summary="Get the subscription",
        tags=TAGS,
        responses={200: SubscriptionBody, **problems(*READING)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        return Response(subscription_body(actor.organization_id))

    @extend_schema(
        operation_id="change_subscription",
        summary="Change the subscription as it was previewed",
        description="Refused with `preview_outdated` if it would cost something else by now; `preview` is what.",
        tags=TAGS,
        request=ConfirmAsked,
        responses={200: SubscriptionBody, **problems(*ACTING)},
    )
    @waiting
    def patch(self, request: Request) -> Response:
        values = checked(ConfirmAsked, request, MANAGE)
        require_fresh(request)
        try:
            billing.confirm_change(api_actor(request), values["token"])
        except PreviewOutdated as outdated:
            outdated.preview = _preview_body(outdated.costs_now) if outdated.costs_now else None
            raise
        return Response(subscription_body(api_actor(request).organization_id))


class PreviewView(AsyncAPIView):
    """What a change would cost."""

    @extend_schema(
        operation_id="preview_subscription",
        summary="Preview a change of the plan, the interval or the seats",
        description="The invoice of the change is this preview, to the cent. What is not given stays as it is.",
        tags=TAGS,
        request=ChangeAsked,
        responses={200: PreviewBody, **problems(*ACTING)},
    )
    @waiting
    def post(self, request: Request) -> Response:
        values = checked(ChangeAsked, request, MANAGE)
        return Response(_preview_body(billing.preview_change(api_actor(request), **values)))


class CheckoutView(AsyncAPIView):
    """Taking a plan."""

    @extend_schema(
        operation_id="start_checkout",
        summary="Get a page on which a plan is taken",
        description="Asked again for the same, it is the same page; at most one is open.",
        tags=TAGS,
        request=CheckoutAsked,
        responses={200: CheckoutBody, **problems(*ACTING)},
    )
    @waiting
    def post(self, request: Request) -> Response:
        values = checked(CheckoutAsked, request, MANAGE)
        require_fresh(request)
        row = billing.start_checkout(api_actor(request), coupon=values.pop("code"), **values)
        return Response(
            {
                "object": "checkout",
                "id": str(row.pk),
                "url": row.url,
                "trial_days": row.trial_days,
                "expires_at": row.expires_at.isoformat() if row.expires_at else None,
            }
        )


class _ActView(AsyncAPIView):
    """One act, answered with how the subscription then stands."""

    def _done(self, request: Request, act: Any) -> Response:
        actor = api_actor(request)
        act(actor)
        return Response(subscription_body(actor.organization_id))


class CancelView(_ActView):
    """Ending it."""

    @extend_schema(
        operation_id="cancel_subscription",
        summary="Cancel with the end of what is paid for, or at once",
        tags=TAGS,
        request=CancelAsked,
        responses={200: SubscriptionBody, **problems(*ACTING)},
    )
    @waiting
    def post(self, request: Request) -> Response:
        values = checked(CancelAsked, request, MANAGE)
        return self._done(request, lambda actor: billing.cancel_subscription(actor, **values))


class KeepView(_ActView):
    """Taking a cancellation, or a change that waits, back."""

    @extend_schema(
        operation_id="keep_subscription",
        summary="Take a cancellation back, or a smaller plan that waits",
        tags=TAGS,
        request=None,
        responses={200: SubscriptionBody, **problems(*ACTING)},
    )
    @waiting
    def post(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(MANAGE)
        with tenancy.scope(actor.organization_id):
            row = billing.live_subscription()
        is_waiting = row is not None and row.next_at is not None
        return self._done(request, billing.take_back_change if is_waiting else billing.keep_subscription)


class PauseView(_ActView):
    """Pausing it."""

    @extend_schema(
        operation_id="pause_subscription",
        summary="Pause for one to three months",
        tags=TAGS,
        request=PauseAsked,
        responses={200: SubscriptionBody, **problems(*ACTING)},
    )
    @waiting
    def post(self, request: Request) -> Response:
        values = checked(PauseAsked, request, MANAGE)
        return self._done(request, lambda actor: billing.pause_subscription(actor, values["months"]))


class ResumeView(_ActView):
    """Going on before a pause ends."""

    @extend_schema(
        operation_id="resume_subscription",
        summary="End a pause",
        tags=TAGS,
        request=None,
        responses={200: SubscriptionBody, **problems(*ACTING)},
    )
    @waiting
    def post(self, request: Request) -> Response:
        return self._done(request, billing.resume_subscription)


class PortalBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["portal"])
    url = serializers.URLField(help_text="Good for a few minutes.")


class PortalView(AsyncAPIView):
    """The customer's page at the payment provider."""

    @extend_schema(
        operation_id="open_portal",
        summary="Get the address of the customer portal",
        tags=TAGS,
        request=None,
        responses={200: PortalBody, **problems(*ACTING)},
    )
    @waiting
    def post(self, request: Request) -> Response:
        back = f"{settings.BASE_URL}{reverse('billing')}"
        return Response({"object": "portal", "url": billing.open_portal(api_actor(request), return_url=back)})
