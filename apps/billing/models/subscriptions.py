"""Who pays, for which plan, and what they were billed: mirrors of Stripe's objects, written only after a refetch.

Money is in integer minor units of the row's currency.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from apps.billing.models.plans import Interval, Plan, PlanPrice
from apps.core.tenancy import TenantForeignKey, TenantModel


class Status(models.TextChoices):
    """Of a subscription, as Stripe names them; `manual` is one that the operator has given without Stripe."""

    MANUAL = "manual", _("set by the operator")
    INCOMPLETE = "incomplete", _("waiting for its first payment")
    INCOMPLETE_EXPIRED = "incomplete_expired", _("never paid")
    TRIALING = "trialing", _("in its trial")
    ACTIVE = "active", _("active")
    PAST_DUE = "past_due", _("payment failed")
    UNPAID = "unpaid", _("unpaid")
    PAUSED = "paused", _("paused")
    CANCELED = "canceled", _("canceled")


# Statuses after which nothing follows.
ENDED = (Status.INCOMPLETE_EXPIRED, Status.CANCELED)


class BillingAccount(TenantModel):
    """An organization as a customer: the row that is locked, before all others, for every change of what it pays.

    `country`, `tax_id_kind` and `tax_id` are what invoices need; `tax_id_state` is what Stripe found out about it.
    """

    stripe_id = models.CharField(max_length=80, blank=True)
    livemode = models.BooleanField(default=False)
    currency = models.CharField(max_length=3, blank=True)
    name = models.CharField(max_length=200, blank=True)
    email = models.EmailField(blank=True)
    country = models.CharField(max_length=2, blank=True)
    tax_id_kind = models.CharField(max_length=30, blank=True)
    tax_id = models.CharField(max_length=60, blank=True)
    tax_id_state = models.CharField(max_length=20, blank=True)
    payment_method = models.CharField(max_length=60, blank=True)
    trial_used_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization"], name="billing_account_once"),
            models.UniqueConstraint(fields=["stripe_id"], condition=~Q(stripe_id=""), name="billing_account_customer"),
        ]


class Subscription(TenantModel):
    """The plan of an organization over time; without a live row it is the free plan.

    What it allows is computed from it (`apps.billing.entitlements.access_of`), never stored. `is_live` is false once it
    has ended; no organization has two that are live. `version` counts what was written, so that drift can be told.
    """

    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="+")
    price = models.ForeignKey(PlanPrice, on_delete=models.PROTECT, null=True, related_name="+")
    status = models.CharField(max_length=20, choices=Status.choices, default=Status.MANUAL, db_default=Status.MANUAL)
    is_live = models.GeneratedField(
        expression=models.Case(
            models.When(status__in=[str(status) for status in ENDED], then=models.Value(False)),
            default=models.Value(True),
        ),
        output_field=models.BooleanField(),
        db_persist=True,
    )
    stripe_id = models.CharField(max_length=80, blank=True, db_default="")
    seats = models.PositiveIntegerField(default=1, db_default=1)
    period_start = models.DateTimeField(null=True)
    period_end = models.DateTimeField(null=True)
    trial_end = models.DateTimeField(null=True)
    cancel_at = models.DateTimeField(null=True)
    past_due_since = models.DateTimeField(null=True)
    paused_until = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    # A downgrade that waits: Stripe bills it from `next_at` on, and what is paid for until then stays.
    next_price = models.ForeignKey(PlanPrice, on_delete=models.PROTECT, null=True, related_name="+")
    next_seats = models.PositiveIntegerField(null=True)
    next_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization"], condition=Q(is_live=True), name="subscription_live_once"),
            models.UniqueConstraint(fields=["stripe_id"], condition=~Q(stripe_id=""), name="subscription_stripe_once"),
        ]

    @property
    def audit_name(self) -> str:
        return self.plan.name

    @property
    def interval(self) -> Interval | None:
        return Interval(self.price.interval) if self.price else None


class CheckoutState(models.TextChoices):
    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"


class PlanCheckout(TenantModel):
    """A page on which an organization may take a plan, written before Stripe is asked for it; `id` is the key.

    At most one is open, so that two tabs lead to one subscription. `trial_days` and `coupon` are what it gives, which
    it gives back if it is never completed; `promotion` is the code by which Stripe knows the coupon.
    """

    price = models.ForeignKey(PlanPrice, on_delete=models.PROTECT, related_name="+")
    seats = models.PositiveIntegerField()
    trial_days = models.PositiveSmallIntegerField(default=0)
    coupon = models.CharField(max_length=80, blank=True)
    promotion = models.CharField(max_length=80, blank=True)
    state = models.CharField(max_length=10, choices=CheckoutState.choices, default=CheckoutState.OPEN)
    stripe_id = models.CharField(max_length=80, blank=True)
    url = models.URLField(max_length=2000, blank=True)
    expires_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization"], condition=Q(state="open"), name="plan_checkout_open_once"),
            models.UniqueConstraint(fields=["stripe_id"], condition=~Q(stripe_id=""), name="plan_checkout_stripe_once"),
        ]

    @property
    def audit_name(self) -> str:
        return self.price.plan.name


class CouponUse(TenantModel):
    """That an organization has used a coupon, which it may once."""

    code = models.CharField(max_length=80)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [models.UniqueConstraint(fields=["organization", "code"], name="coupon_use_once")]


class SubscriptionNotice(TenantModel):
    """That people were told of something about a subscription, once: `occasion` is what, and of which date."""

    subscription = TenantForeignKey(Subscription, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=20)
    occasion = models.CharField(max_length=60)
    created_at = models.DateTimeField(db_default=Now())

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["organization", "subscription", "occasion"], name="subscription_told_once")
        ]


class Invoice(TenantModel):  # type: ignore[django-manager-missing] # its credit notes have a manager of their own
    """An invoice at Stripe; `lines` are its lines as shown: description, quantity, amount_minor, start, end."""

    stripe_id = models.CharField(max_length=80, unique=True)
    subscription = TenantForeignKey(Subscription, on_delete=models.PROTECT, null=True, related_name="+")
    number = models.CharField(max_length=80, blank=True)
    status = models.CharField(max_length=20)
    currency = models.CharField(max_length=3)
    subtotal_minor = models.BigIntegerField()
    tax_minor = models.BigIntegerField(default=0)
    total_minor = models.BigIntegerField()
    paid_minor = models.BigIntegerField(default=0)
    remaining_minor = models.BigIntegerField(default=0)
    credited_minor = models.BigIntegerField(default=0)
    lines = models.JSONField(default=list)
    issued_at = models.DateTimeField()
    due_at = models.DateTimeField(null=True)
    paid_at = models.DateTimeField(null=True)
    failed_at = models.DateTimeField(null=True)
    period_start = models.DateTimeField(null=True)
    period_end = models.DateTimeField(null=True)
    page_url = models.URLField(max_length=500, blank=True)
    pdf_url = models.URLField(max_length=500, blank=True)

    class Meta(TenantModel.Meta):
        indexes = [models.Index(fields=["organization", "-issued_at"], name="invoice_newest")]


class CreditNote(TenantModel):
    """A credit note at Stripe: what corrects an invoice, which itself is never changed."""

    stripe_id = models.CharField(max_length=80, unique=True)
    invoice = TenantForeignKey(Invoice, on_delete=models.PROTECT, related_name="credit_notes")
    number = models.CharField(max_length=80, blank=True)
    status = models.CharField(max_length=20)
    reason = models.CharField(max_length=40, blank=True)
    currency = models.CharField(max_length=3)
    total_minor = models.BigIntegerField()
    issued_at = models.DateTimeField()
    pdf_url = models.URLField(max_length=500, blank=True)


class Payment(TenantModel):
    """A charge at Stripe, with what was refunded of it and how a dispute of it stands."""

    stripe_id = models.CharField(max_length=80, unique=True)
    intent_id = models.CharField(max_length=80, blank=True)
    invoice = TenantForeignKey(Invoice, on_delete=models.PROTECT, null=True, related_name="+")
    order = TenantForeignKey("billing.Order", on_delete=models.PROTECT, null=True, related_name="+")
    status = models.CharField(max_length=20)
    currency = models.CharField(max_length=3)
    amount_minor = models.BigIntegerField()
    refunded_minor = models.BigIntegerField(default=0)
    disputed_minor = models.BigIntegerField(default=0)
    dispute_status = models.CharField(max_length=40, blank=True)
    failure = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()


class OrderKind(models.TextChoices):
    """What can be bought once; each kind is delivered, and taken back, by the app that it belongs to."""

    CREDITS = "credits", _("Credits")
    LICENCE = "licence", _("Licence")
    DATA = "data", _("Data")


class OrderState(models.TextChoices):
    OPEN = "open", _("waiting for payment")
    EXPIRED = "expired", _("never paid")
    PAID = "paid", _("paid, being delivered")
    DELIVERED = "delivered", _("delivered")
    REVERSED = "reversed", _("refunded or disputed")


class Order(TenantModel):
    """A one-time purchase through Checkout. `item_id` is the row of the app that delivers it; `quantity` of it.

    `terms` are what was agreed to when it was bought, in the words of that app: it delivers those, whatever has become
    of its row since. None for orders from before they were kept.
    `reversed_minor` is what was refunded or disputed, and `taken_back_minor` how much of that has had its effect.
    """

    UNDONE: ClassVar = (OrderState.OPEN, OrderState.PAID)

    kind = models.CharField(max_length=10, choices=OrderKind.choices)
    item_id = models.UUIDField()
    name = models.CharField(max_length=200)
    quantity = models.PositiveIntegerField(default=1)
    currency = models.CharField(max_length=3)
    amount_minor = models.PositiveBigIntegerField()
    terms = models.JSONField(null=True)
    state = models.CharField(max_length=10, choices=OrderState.choices, default=OrderState.OPEN)
    stripe_id = models.CharField(max_length=80, blank=True)
    intent_id = models.CharField(max_length=80, blank=True)
    reversed_minor = models.PositiveBigIntegerField(default=0)
    taken_back_minor = models.PositiveBigIntegerField(default=0)
    asked_by = models.UUIDField(null=True)
    created_at = models.DateTimeField(db_default=Now())
    paid_at = models.DateTimeField(null=True)
    delivered_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints = [
            models.UniqueConstraint(fields=["stripe_id"], condition=~Q(stripe_id=""), name="order_of_checkout_once")
        ]
        indexes = [
            models.Index(fields=["state"], condition=Q(state="paid"), name="order_to_deliver"),
            models.Index(
                fields=["created_at"],
                condition=~Q(reversed_minor=F("taken_back_minor")),
                name="order_to_take_back",
            ),
            models.Index(fields=["organization", "-created_at"], name="order_newest"),
        ]

    @property
    def audit_name(self) -> str:
        return self.name
