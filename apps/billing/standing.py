"""How an organization's subscription stands, in words for its pages: what it means, until when, and what helps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Q, Sum
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from apps.billing.models import Invoice, Status, Subscription

# As the table of accesses has it (apps.billing.entitlements).
GRACE, EXPORT = timedelta(days=7), timedelta(days=30)
OPEN = "open"
# A subscription that was ended because there was one already.
SECOND = "second"


@dataclass(frozen=True, slots=True)
class Standing:
    """`tone` is ok, warning or error; `until` is when what is said ends; `act` is the page that helps."""

    tone: str
    words: str | Promise
    until: datetime | None = None
    act: str = ""
    label: str | Promise = ""
    # Shown on every page, and not only on those of billing.
    is_urgent: bool = False


def standing_of(row: Subscription | None, ended: Subscription | None = None) -> Standing:
    """Of the live subscription, else of the one that ended last."""
    now = timezone.now()
    if row is None:
        return _after(ended, now)
    match row.status:
        case Status.MANUAL:
            return Standing("ok", _("The operator of this installation has set this plan."))
        case Status.PAST_DUE:
            since = row.past_due_since or now
            if now < since + GRACE:
                words = _("The last payment failed. Everything works until then; after it nothing new can be started.")
                return Standing("warning", words, since + GRACE, "billing-pay", _("Pay now"), True)
            words = _("A payment is overdue: everything can be read and exported, and nothing new can be started.")
            return Standing("error", words, None, "billing-pay", _("Pay now"), True)
        case Status.UNPAID:
            words = _("Payments have failed: everything can be read and exported, and nothing new can be started.")
            return Standing("error", words, None, "billing-pay", _("Pay now"), True)
        case Status.PAUSED:
            words = _("Paused: nothing is billed, everything can be read, and nothing new can be started.")
            return Standing("warning", words, row.paused_until, "billing-cancel", _("Go on"), True)
        case Status.INCOMPLETE:
            return Standing("warning", _("Waiting for the first payment."), None, "billing-pay", _("Pay now"))
        case Status.TRIALING if row.cancel_at is None:
            return Standing("ok", _("In its trial, which ends then; nothing has been paid yet."), row.trial_end)
    if row.cancel_at is not None:
        words = _("Cancelled: everything works until then, and after it the free plan holds.")
        return Standing("warning", words, row.cancel_at, "billing-cancel", _("Keep the plan"))
    return Standing("ok", _("Paid for until then; it renews by itself."), row.period_end)


def unpaid_invoice() -> Invoice | None:
    """The oldest that is open, which is paid first; in the scope of the organization."""
    found: Invoice | None = Invoice.objects.filter(status=OPEN, remaining_minor__gt=0).order_by("issued_at").first()
    return found


def paid_for(row: Subscription) -> tuple[int, str]:
    """What was paid for a subscription, in minor units, and in which currency; in the scope of the organization."""
    paid = Invoice.objects.filter(subscription=row).aggregate(minor=Sum("paid_minor"))["minor"]
    return paid or 0, row.price.currency if row.price else ""


def live_or_last() -> tuple[Subscription | None, Subscription | None]:
    """The live subscription, or beside None the one that ended last; in the scope of the organization."""
    rows = Subscription.objects.select_related("plan", "price__plan", "next_price__plan")
    rows = rows.filter(Q(is_live=True) | Q(ended_at__isnull=False)).order_by("-is_live", "-ended_at")
    found: Subscription | None = rows.first()
    return (found, None) if found is None or found.is_live else (None, found)


def _after(ended: Subscription | None, now: datetime) -> Standing:
    if ended is None or ended.ended_at is None or now >= ended.ended_at + EXPORT or not ended.stripe_id:
        return Standing("ok", _("The free plan holds; it needs no card."))
    words = _("Your subscription has ended and the free plan holds. Your data can be exported until then.")
    return Standing("warning", words, ended.ended_at + EXPORT, "privacy", _("Export your data"))


# How long before a trial's end, and before new work is refused, owners are told; and of what ended how long ago.
TRIAL_NOTICE, LAST_NOTICE, STILL_NEWS = timedelta(days=3), timedelta(days=1), timedelta(days=3)


def notice_of(row: Subscription, now: datetime) -> tuple[str, str] | None:
    """What people are to be told of a subscription now, and of which occasion it is; each occasion once."""
    if row.status == Status.TRIALING and row.trial_end and row.cancel_at is None:
        if now >= row.trial_end - TRIAL_NOTICE:
            return "trial_ends", f"trial_ends:{row.trial_end:%Y-%m-%d}"
    elif row.status == Status.PAST_DUE and row.past_due_since:
        kind = "payment_failed" if now < row.past_due_since + GRACE - LAST_NOTICE else "read_only"
        return kind, f"{kind}:{row.past_due_since:%Y-%m-%d}"
    elif row.status == Status.CANCELED and row.ended_at and now < row.ended_at + STILL_NEWS:
        return "ended", f"ended:{row.ended_at:%Y-%m-%d}"
    return None
