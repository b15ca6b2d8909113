"""Changing a subscription: shown first with every line, then done exactly as it was shown, or refused.

A preview is computed by Stripe as of one second, and the change is made as of the same second: so its invoice is the
preview to the cent. What was agreed to is carried by a signed token, which stands for one version of the subscription.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.core import signing
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.billing import gateway
from apps.billing.gateway import ItemChange, Line
from apps.billing.models import Interval, OperationState, PlanPrice, Status, StripeOperation, Subscription
from apps.billing.services.accounts import MANAGE, lock_account
from apps.billing.services.catalogue import SEAT, find_price, prices_at_stripe
from apps.billing.services.checkouts import require_payments, sold_price
from apps.billing.services.mirrors import live_subscription, refresh
from apps.billing.services.operations import CHANGED, count_done, perform, write_operation
from apps.billing.services.outbox import catch_up
from apps.billing.services.seats import check_seats
from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest, MillraceError, PreviewOutdated, StripeRefused
from apps.core.ids import uuid7

SALT = "billing.change"
VALID_FOR = timedelta(minutes=15)
OUTDATED = gettext_noop("This was shown too long ago, or something has changed since: look at what it costs now.")
NOW, LATER = "now", "period_end"


@dataclass(frozen=True, slots=True)
class ChangePreview:
    """What a change means: what is asked for at once, and the invoice on which its lines stand.

    `lines` with `is_proration` come of the change; the others are what the next period costs anyway.
    """

    token: str
    price: PlanPrice
    seats: int
    when: str
    takes_effect_at: datetime | None
    currency: str
    lines: tuple[Line, ...]
    due_now_minor: int
    tax_minor: int
    total_minor: int
    renewal_at: datetime | None
    # Whether the lines are an invoice of their own, and not part of the next one.
    is_now: bool

    @property
    def change_minor(self) -> int:
        """What the change alone costs, or gives back, before taxes."""
        return sum(line.amount_minor for line in self.lines if line.is_proration)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A change in the gateway's terms."""

    price: PlanPrice
    seats: int
    when: str
    proration: str
    at: int | None
    items: list[ItemChange]


def preview_change(
    actor: Actor, *, plan: str = "", interval: str = "", seats: int | None = None, when: str = NOW
) -> ChangePreview:
    """What another plan, interval or number of seats would cost; whatever is not given stays."""
    actor.require(MANAGE)
    require_payments()
    catch_up(actor.organization_id)
    with tenancy.scope(actor.organization_id):
        row = changeable()
        price, seats = _asked(row, plan, interval, seats)
    return _preview(row, _wanted(row, price, seats, when))


def confirm_change(actor: Actor, token: str) -> Subscription:
    """Does what a preview has shown. Raises PreviewOutdated, with what it costs now, if that is something else.

    The token's own number is the operation's subject: confirmed twice, it is done once.
    """
    actor.require(MANAGE)
    actor.require_open()
    facts, is_old = _read(token)
    if facts["organization"] != str(actor.organization_id):
        raise PreviewOutdated(OUTDATED)
    try:
        return _confirmed(actor, facts, is_old=is_old)
    except PreviewOutdated as outdated:
        outdated.costs_now = _anew(actor, facts)
        raise


def take_back_change(actor: Actor) -> Subscription:
    """Stays on the plan that is paid for, in place of a smaller one that was to come."""
    actor.require(MANAGE)
    catch_up(actor.organization_id)
    with tenancy.scope(actor.organization_id):
        found = changeable(waiting=True)
        if found.next_price is None or found.price is None:
            raise Conflict("No change is waiting.")
    items = _items(found, found.price, found.seats)
    with tenancy.scope(actor.organization_id):
        lock_account(actor.organization_id)
        row = changeable(waiting=True)
        if row.next_price is None or row.version != found.version:
            raise Conflict(CHANGED)
        before = {"plan": row.next_price.plan.code, "seats": row.next_seats}
        audit.record(actor, "subscription.change_withdrawn", row, before=before, after={"plan": row.plan.code})
        parameters = _parameters(row, items, "none", None, until=row.period_end)
        operation = write_operation(actor.organization_id, "change_items", f"back:{row.pk}:{row.version}", parameters)
    perform(operation)
    return _current(actor.organization_id)


def _confirmed(actor: Actor, facts: dict[str, Any], *, is_old: bool) -> Subscription:
    with tenancy.scope(actor.organization_id):
        own = _own(facts)
    if own is not None:
        return _ask(actor, own, later=facts["when"] == LATER)
    if is_old:
        raise PreviewOutdated(OUTDATED)
    catch_up(actor.organization_id)
    with tenancy.scope(actor.organization_id):
        row = changeable()
        _refuse_outdated(row, facts)
        done = count_done(row.stripe_id, but=_subject(facts))
    price = _price_of(facts)
    wanted = _wanted(row, price, facts["seats"], facts["when"], at=facts["at"])
    try:
        if _preview(row, wanted).total_minor != facts["total"]:
            raise PreviewOutdated(OUTDATED)
    except StripeRefused as refused:
        # Of lines that somebody has changed meanwhile.
        raise PreviewOutdated(OUTDATED) from refused
    return _do(actor, wanted, facts, done)


def _anew(actor: Actor, facts: dict[str, Any]) -> ChangePreview | None:
    """The same change as it is now; None where it cannot be made any more."""
    price = _price_of(facts)
    try:
        return preview_change(
            actor, plan=price.plan.code, interval=price.interval, seats=facts["seats"], when=facts["when"]
        )
    except MillraceError:
        return None


def _price_of(facts: dict[str, Any]) -> PlanPrice:
    return PlanPrice.objects.select_related("plan").get(pk=facts["price"])


def changeable(*, waiting: bool = False) -> Subscription:
    """The subscription, if the organization itself may change it now; in the scope of the organization."""
    row = live_subscription()
    if row is None:
        raise Conflict("Your organization has no subscription: choose a plan.")
    if row.status == Status.MANUAL:
        raise Conflict("The operator of this installation has set your plan; ask them to change it.")
    if row.status not in (Status.ACTIVE, Status.TRIALING):
        raise Conflict("This can be changed while the subscription is active: pay, or resume it, first.")
    if not waiting:
        _require_unhindered(row)
    return row


def _require_unhindered(row: Subscription) -> None:
    """Nothing waits for the period's end already; raises Conflict."""
    if row.next_at is not None:
        raise Conflict("A change is waiting for the end of the period: take it back first.")
    if row.cancel_at is not None:
        # What a change would cost has no invoice any more on which it could stand.
        raise Conflict("Your plan is cancelled: keep it first, then change it.")


def _asked(row: Subscription, plan: str, interval: str, seats: int | None) -> tuple[PlanPrice, int]:
    assert row.price is not None  # noqa: S101 - only what the operator set has none
    plan, interval = plan or row.plan.code, interval or row.price.interval
    same = (plan, interval) == (row.plan.code, row.price.interval)
    price = row.price if same else sold_price(plan, interval, row.price.currency)
    number = check_seats(price.plan, row.seats if seats is None else seats)
    if (price.pk, number) == (row.price_id, row.seats):
        raise InvalidRequest("This is what you have.", param="plan")
    return price, number


def _wanted(row: Subscription, price: PlanPrice, seats: int, when: str, at: int | None = None) -> _Wanted:
    assert row.price is not None  # noqa: S101
    if when not in (NOW, LATER):
        raise InvalidRequest("Choose now or period_end.", param="when")
    items = _items(row, price, seats)
    if when == LATER:
        _check_later(row, price, seats)
        return _Wanted(price, seats, when, "none", None, items)
    # A year's change is paid for at once: it would else wait for up to a year. Another interval begins a new period.
    at_once = Interval.YEAR in (price.interval, row.price.interval)
    moment = at if at is not None else _this_second(row)
    return _Wanted(price, seats, when, "always_invoice" if at_once else "create_prorations", moment, items)


def _check_later(row: Subscription, price: PlanPrice, seats: int) -> None:
    """What waits must be smaller, and of the same interval: Stripe begins a new period with another one."""
    assert row.price is not None  # noqa: S101
    if price.interval != row.price.interval:
        raise InvalidRequest("Another interval begins at once.", param="when")
    if period_minor(price, seats) >= period_minor(row.price, row.seats):
        raise InvalidRequest("Only a smaller plan or fewer seats can wait for the period's end.", param="when")


def period_minor(price: PlanPrice, seats: int) -> int:
    """What a period costs, before taxes and discounts."""
    return price.of_period(seats)


def _this_second(row: Subscription) -> int:
    """Now, within the period that is being prorated."""
    moment = int(timezone.now().timestamp())
    if row.period_start and row.period_end:
        moment = max(gateway.moment(row.period_start), min(moment, gateway.moment(row.period_end) - 1))
    return moment


def _items(row: Subscription, price: PlanPrice, seats: int) -> list[ItemChange]:
    """What has to become of the subscription's lines, as they stand at Stripe now."""
    found, further = prices_at_stripe(price), seats - price.plan.included_seats
    base, seat = "", ""
    for item in gateway.get_subscription(row.stripe_id).items:
        ours = find_price(item.price_id)
        if ours and ours[1] == SEAT:
            seat = item.id
        elif ours:
            base = item.id
    items = [ItemChange(base, found.base, 1)]
    if (further and found.seat) or seat:
        items.append(ItemChange(seat, found.seat, further if found.seat else 0))
    return items


def _preview(row: Subscription, wanted: _Wanted) -> ChangePreview:
    assert row.price is not None  # noqa: S101
    found = gateway.preview_change(row.stripe_id, items=wanted.items, proration=wanted.proration, at=wanted.at)
    facts = {
        "number": str(uuid7()),
        "organization": str(row.organization_id),
        "subscription": str(row.pk),
        "version": row.version,
        "price": str(wanted.price.pk),
        "seats": wanted.seats,
        "when": wanted.when,
        "at": wanted.at,
        "total": found.total_minor,
    }
    return ChangePreview(
        token=signing.dumps(facts, salt=SALT),
        price=wanted.price,
        seats=wanted.seats,
        when=wanted.when,
        takes_effect_at=row.period_end if wanted.when == LATER else None,
        currency=found.currency,
        lines=found.lines,
        due_now_minor=found.due_minor if wanted.proration == "always_invoice" else 0,
        tax_minor=found.tax_minor,
        total_minor=found.total_minor,
        renewal_at=row.period_end,
        is_now=wanted.proration == "always_invoice",
    )


def _read(token: str) -> tuple[dict[str, Any], bool]:
    """What was shown, and whether that was too long ago."""
    try:
        facts: dict[str, Any] = signing.loads(token, salt=SALT)
        signing.loads(token, salt=SALT, max_age=VALID_FOR)
    except signing.SignatureExpired:
        return facts, True
    except signing.BadSignature:
        raise PreviewOutdated(OUTDATED) from None
    return facts, False


def _refuse_outdated(row: Subscription, facts: dict[str, Any]) -> None:
    if (str(row.pk), row.version) != (facts["subscription"], facts["version"]):
        raise PreviewOutdated(OUTDATED)


def _own(facts: dict[str, Any]) -> StripeOperation | None:
    """This very change, where a click before has asked for it and it is not known to have failed."""
    rows = StripeOperation.objects.filter(kind="change_items", subject=_subject(facts))
    found: StripeOperation | None = rows.exclude(state=OperationState.FAILED).first()
    return found


def _subject(facts: dict[str, Any]) -> str:
    return f"change:{facts['number']}"


def _do(actor: Actor, wanted: _Wanted, facts: dict[str, Any], done: int | None) -> Subscription:
    """Writes the change and asks for it, unless another one has come after the `done` that its price was computed of.

    Whoever writes a change has locked the account, so that of two at once the second finds the first without its
    answer, or one more that is done, also before that is copied.
    """
    with tenancy.scope(actor.organization_id):
        lock_account(actor.organization_id)
        operation = _own(facts)
        # What this very change has left waiting is in nobody's way.
        row = changeable(waiting=operation is not None)
        if operation is None:
            _refuse_outdated(row, facts)
            if done is None or count_done(row.stripe_id, but=_subject(facts)) != done:
                raise PreviewOutdated(CHANGED)
            operation = _write(actor, row, wanted, facts)
    return _ask(actor, operation, later=wanted.when == LATER)


def _ask(actor: Actor, operation: StripeOperation, *, later: bool) -> Subscription:
    """Asks Stripe for a change that is written; one that is refused leaves nothing waiting."""
    try:
        perform(operation)
    except MillraceError:
        # Without an answer it may still be done, and waits.
        if later and operation.state == OperationState.FAILED:
            _forget(operation)
        raise
    return _current(actor.organization_id)


def _forget(operation: StripeOperation) -> None:
    """Nothing waits any more, unless something was confirmed since: that has written what waits now."""
    with tenancy.scope(operation.organization_id):
        lock_account(operation.organization_id)
        whose = operation.parameters["subscription"]
        since = StripeOperation.objects.filter(kind="change_items", parameters__subscription=whose)
        if not since.filter(created_at__gt=operation.created_at).exists():
            Subscription.objects.filter(stripe_id=whose).update(next_price=None, next_seats=None, next_at=None)


def _write(actor: Actor, row: Subscription, wanted: _Wanted, facts: dict[str, Any]) -> StripeOperation:
    """Notes what is to be done; the account is locked."""
    check_seats(wanted.price.plan, wanted.seats)
    until = row.period_end if wanted.when == LATER else None
    parameters = _parameters(row, wanted.items, wanted.proration, wanted.at, until=until)
    operation = write_operation(row.organization_id, "change_items", _subject(facts), parameters)
    if wanted.when == LATER:
        # First: what comes from Stripe then is known to be of the next period.
        row.next_price, row.next_seats, row.next_at = wanted.price, wanted.seats, row.period_end
        row.save(update_fields=["next_price", "next_seats", "next_at"])
    before = {"plan": row.plan.code, "seats": row.seats}
    after = {"plan": wanted.price.plan.code, "seats": wanted.seats, "when": wanted.when}
    audit.record(actor, "subscription.change_confirmed", row, before=before, after=after)
    return operation


def _parameters(
    row: Subscription, items: list[ItemChange], proration: str, at: int | None, until: datetime | None
) -> dict[str, Any]:
    return {
        "subscription": row.stripe_id,
        "items": gateway.as_parameters(items),
        "proration": proration,
        "at": at,
        "until": gateway.moment(until) if until else None,
    }


def _current(organization_id: UUID) -> Subscription:
    """The subscription as Stripe has it now."""
    found = refresh(organization_id)
    if found is None:
        raise Conflict("The subscription has ended.")
    return found
