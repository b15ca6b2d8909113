"""Taking a plan through Checkout: one page open at a time, one live subscription, trial and coupon once.

What is decided is written under the account's lock before Stripe is asked; Stripe is asked outside of it, with the
row's id as its key, so that whoever asks again gets the same page.
"""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.billing import gateway
from apps.billing.models import (
    FREE_PLAN,
    BillingAccount,
    CheckoutState,
    CouponUse,
    Interval,
    PlanCheckout,
    PlanPrice,
    Status,
)
from apps.billing.services.accounts import MANAGE, OTHER_CURRENCY, ensure_customer, lock_account, paying_currency
from apps.billing.services.catalogue import prices_at_stripe
from apps.billing.services.mirrors import live_subscription, refresh
from apps.billing.services.noting import note_customer
from apps.billing.services.seats import check_seats
from apps.core import tenancy
from apps.core.errors import (
    InvalidRequest,
    NotFound,
    PaymentsOff,
    ServiceUnavailable,
    StripeRefused,
    SubscriptionExists,
)

# How often what somebody else has open is closed before giving up.
ATTEMPTS = 3
NO_CODE = gettext_noop("This code is not valid, or not any more.")


def start_checkout(
    actor: Actor, *, plan: str, interval: str, currency: str, seats: int = 1, coupon: str = ""
) -> PlanCheckout:
    """A page at Stripe on which the organization takes a plan; its `url` is where to go.

    Two who ask for the same get the same page; another choice closes the earlier page first. Raises SubscriptionExists
    where there is one, InvalidRequest for a plan, currency or coupon that cannot be had.
    """
    actor.require(MANAGE)
    actor.require_open()
    price = sold_price(plan, interval, currency)
    require_payments()
    account = ensure_customer(actor.organization_id)
    promotion = gateway.find_promotion(coupon.strip()) if coupon.strip() else None
    if coupon.strip() and promotion is None:
        raise InvalidRequest(NO_CODE, param="coupon")
    prices_at_stripe(price)
    for _ in range(ATTEMPTS):
        row, is_wanted = _open(actor, account, price, seats, promotion)
        row = _with_page(row)
        if is_wanted:
            return row
        _close(row)
    raise ServiceUnavailable("Somebody else of your organization is choosing a plan right now; try again.")


def sold_price(plan: str, interval: str, currency: str) -> PlanPrice:
    """What is sold now; InvalidRequest for anything else, and for a plan that costs nothing."""
    rows = PlanPrice.objects.select_related("plan").filter(plan__is_public=True, is_active=True, plan__code=plan)
    found = rows.filter(interval=interval, currency=currency.upper()).first()
    if interval not in Interval.values:
        raise InvalidRequest("Choose month or year.", param="interval")
    if found is None:
        raise InvalidRequest("This plan is not sold like that.", param="plan")
    if not found.base_minor and not found.seat_minor:
        raise InvalidRequest("This plan costs nothing: cancel to go back to it.", param="plan")
    return found


def require_payments() -> None:
    """Raises PaymentsOff where this installation takes no payments."""
    if gateway.mode() is gateway.Mode.OFF:
        raise PaymentsOff("Payments are switched off here. Ask whoever runs this installation to change the plan.")


def settle_checkout(organization_id: UUID, id: UUID) -> PlanCheckout:
    """Looks at Stripe how a page has ended, and writes what follows; asked by whoever comes back, and by events."""
    with tenancy.scope(organization_id):
        row: PlanCheckout | None = PlanCheckout.objects.select_related("price__plan").filter(pk=id).first()
    if row is None:
        raise NotFound("There is no such checkout.")
    if row.state != CheckoutState.OPEN or not row.stripe_id:
        return row
    return _settle(row, gateway.get_checkout(row.stripe_id))


def find_checkout(organization_id: UUID, stripe_id: str) -> PlanCheckout | None:
    """The row of one of Stripe's pages."""
    with tenancy.scope(organization_id):
        found: PlanCheckout | None = PlanCheckout.objects.filter(stripe_id=stripe_id).first()
    return found


def _open(
    actor: Actor, account: BillingAccount, price: PlanPrice, seats: int, promotion: gateway.Promotion | None
) -> tuple[PlanCheckout, bool]:
    """The open page and whether it is what was asked for; a new one where there is none."""
    with tenancy.scope(actor.organization_id):
        account = lock_account(actor.organization_id)
        _refuse_second()
        seats = check_seats(price.plan, seats)
        earlier = PlanCheckout.objects.select_related("price__plan").filter(state=CheckoutState.OPEN).first()
        code = promotion.coupon if promotion else ""
        if earlier is not None:
            alike = (earlier.price_id, earlier.seats, earlier.coupon) == (price.pk, seats, code)
            return earlier, alike and (earlier.expires_at is None or earlier.expires_at > timezone.now())
        fixed = paying_currency(actor.organization_id)
        if fixed and fixed != price.currency:
            raise InvalidRequest(
                OTHER_CURRENCY,
                values={"currency": fixed},
                param="currency",
            )
        if code:
            _use_coupon(account, code)
        row: PlanCheckout = PlanCheckout.objects.create(
            organization_id=actor.organization_id,
            price=price,
            seats=seats,
            trial_days=0 if account.trial_used_at else price.plan.trial_days,
            coupon=code,
            promotion=promotion.id if promotion else "",
        )
        if row.trial_days:
            note_customer(account, trial_used_at=timezone.now())
        facts = {"plan": price.plan.code, "interval": price.interval, "currency": price.currency, "seats": seats}
        audit.record(actor, "subscription.checkout_started", row, after=facts)
    return row, True


def _refuse_second() -> None:
    live = live_subscription()
    if live is None or (live.status == Status.MANUAL and live.plan.code == FREE_PLAN):
        return
    if live.status == Status.MANUAL:
        raise SubscriptionExists("The operator of this installation has set your plan; ask them to change it.")
    raise SubscriptionExists("Your organization has a subscription already: change that one.")


def _use_coupon(account: BillingAccount, code: str) -> None:
    _use, is_new = CouponUse.objects.get_or_create(code=code, defaults={"organization_id": account.organization_id})
    if not is_new:
        raise InvalidRequest("Your organization has used this code already.", param="coupon")


def _with_page(row: PlanCheckout) -> PlanCheckout:
    """The row with its page at Stripe; the row alone says what is asked for, so that asking again gives the same."""
    if row.stripe_id:
        return row
    account, price = ensure_customer(row.organization_id), row.price
    found = prices_at_stripe(price)
    items, further = [(found.base, 1)], row.seats - price.plan.included_seats
    if further and found.seat:
        items.append((found.seat, further))
    back = f"{settings.BASE_URL}{reverse('billing-checkout', args=[row.pk])}"
    try:
        page = gateway.checkout_plan(
            account.stripe_id,
            items=items,
            trial_days=row.trial_days,
            promotion=row.promotion,
            metadata={"organization": str(row.organization_id), "checkout": str(row.pk)},
            way=gateway.Way(back, f"{settings.BASE_URL}{reverse('billing-plan')}"),
            key=str(row.pk),
        )
    except StripeRefused as error:
        _give_back(row)
        if row.promotion:
            raise InvalidRequest(NO_CODE, param="coupon") from error
        raise
    with tenancy.scope(row.organization_id):
        PlanCheckout.objects.filter(pk=row.pk).update(stripe_id=page.id, url=page.url, expires_at=page.expires_at)
    row.stripe_id, row.url, row.expires_at = page.id, page.url, page.expires_at
    return row


def _close(row: PlanCheckout) -> None:
    """Closes a page that nobody wants any more; SubscriptionExists if it was paid on meanwhile."""
    if _settle(row, gateway.expire_checkout(row.stripe_id)).state == CheckoutState.COMPLETE:
        raise SubscriptionExists("Your organization has taken a plan in another window just now.")


def _settle(row: PlanCheckout, page: gateway.Page) -> PlanCheckout:
    if page.status == "complete":
        refresh(row.organization_id)
        with tenancy.scope(row.organization_id):
            lock_account(row.organization_id)
            PlanCheckout.objects.filter(pk=row.pk).update(state=CheckoutState.COMPLETE)
        row.state = CheckoutState.COMPLETE
    elif page.status == "expired":
        _give_back(row)
    return row


def _give_back(row: PlanCheckout) -> None:
    """The trial and the coupon of a page that was never completed may be used again."""
    with tenancy.scope(row.organization_id):
        account = lock_account(row.organization_id)
        if PlanCheckout.objects.filter(pk=row.pk, state=CheckoutState.OPEN).update(state=CheckoutState.EXPIRED):
            if row.trial_days:
                note_customer(account, trial_used_at=None)
            if row.coupon:
                CouponUse.objects.filter(code=row.coupon).delete()
    row.state = CheckoutState.EXPIRED
