"""Whatever happens in whatever order, ledger, sums, credits and invoices say what a few lines of arithmetic say.

The machine holds, settles, releases, reports, buys, takes back, caps and closes in two organizations, and keeps books
of its own in exact fractions. After every step it recomputes both from the ledger's lines and compares all three.
"""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, transaction
from django.db.models import Q, Sum
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from apps.billing import services as billing
from apps.billing.cloudevents import UsageEvent
from apps.billing.models import (
    BillingAccount,
    CreditEntry,
    CreditPack,
    EntryKind,
    LedgerEntry,
    Meter,
    MeterPeriod,
    Order,
    OrderKind,
    Overage,
    Plan,
    PlanAllowance,
    PlanRate,
    StripeOperation,
    UsageHour,
    UsagePeriod,
)
from apps.billing.services import Charge, closing, credits
from apps.core import tenancy
from apps.core.errors import CapReached, InsufficientQuota
from tests.helpers.books import CENT, IMAGES, IN, MINUTES, OUT, PLAN, Book, cost, month_of
from tests.helpers.people import Tenant

START = datetime(2026, 1, 10, 12, tzinfo=UTC)
PACKS = {"machine-5": 500, "machine-1": 100}
tenants = st.sampled_from("ab")
events = st.sampled_from(["one", "two", "three", "four", "five", "six"])


class Money(RuleBasedStateMachine):
    people: tuple[Tenant, Tenant]

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.savepoint()
        self.now = START
        self.books = dict(zip("ab", map(Book, self.people), strict=True))

    def teardown(self) -> None:
        transaction.savepoint_rollback(self.savepoint)

    # ------------------------------------------------------------ what happens

    @rule(who=tenants, prompt=st.integers(0, 60), answer=st.integers(0, 40))
    def hold_a_text(self, who: str, prompt: int, answer: int) -> None:
        self._hold(self.books[who], {IN: prompt, OUT: answer})

    @rule(who=tenants, meter=st.sampled_from([IMAGES, MINUTES]), quantity=st.integers(0, 9))
    def hold_another(self, who: str, meter: Meter, quantity: int) -> None:
        self._hold(self.books[who], {meter: quantity})

    def _hold(self, book: Book, asked: dict[str, int]) -> None:
        job, month, expected = uuid4(), month_of(self.now), book.accepts(month_of(self.now), asked)
        with tenancy.scope(book.tenant.id):
            limits = billing.limits_of(book.tenant.id)
        try:
            with tenancy.scope(book.tenant.id):
                billing.hold(job, asked, limits, self.now)
        except (InsufficientQuota, CapReached):
            assert not expected, asked
            return
        assert expected, asked
        book.jobs[job] = month, asked
        book.opened.add(month)
        for meter, quantity in asked.items():
            book.meters[month, meter].held += quantity

    @precondition(lambda self: any(book.jobs for book in self.books.values()))
    @rule(data=st.data(), share=st.fractions(0, 1, max_denominator=8), settled=st.sampled_from([True, True, False]))
    def end_a_job(self, data: Any, share: Fraction, settled: bool) -> None:
        book = self.books[data.draw(st.sampled_from([who for who, book in self.books.items() if book.jobs]))]
        self._end(book, data.draw(st.sampled_from(sorted(book.jobs))), share, settled)

    def _end(self, book: Book, job: UUID, share: Fraction, settled: bool) -> None:
        month, asked = book.jobs.pop(job)
        used = {meter: floor(quantity * share) if settled else 0 for meter, quantity in asked.items()}
        with tenancy.scope(book.tenant.id):
            if settled:
                other = next((count for meter, count in used.items() if meter not in (IN, OUT)), 0)
                billing.settle(job, Charge(used.get(IN, 0), used.get(OUT, 0), Decimal(1), Decimal(2), quantity=other))
            else:
                billing.release(job)
        for meter, quantity in used.items():
            sums = book.meters[month, meter]
            sums.charged += cost(meter, sums.used + quantity) - cost(meter, sums.used)
            sums.used, sums.held = sums.used + quantity, sums.held - asked[meter]
        book.done.append(job)

    @precondition(lambda self: any(book.done for book in self.books.values()))
    @rule(data=st.data())
    def end_it_again(self, data: Any) -> None:
        book = self.books[data.draw(st.sampled_from([who for who, book in self.books.items() if book.done]))]
        with pytest.raises(IntegrityError), tenancy.scope(book.tenant.id):
            billing.settle(book.done[-1], Charge(1, 1, quantity=1))

    @rule(
        who=tenants,
        name=events,
        meter=st.sampled_from([IN, IMAGES, MINUTES]),
        count=st.integers(1, 9),
        days=st.integers(0, 34),
    )
    def report(self, who: str, name: str, meter: Meter, count: int, days: int) -> None:
        """An event: new ones count, even beyond everything, and known ones are sent as they were."""
        book = self.books[who]
        fresh = name not in book.told
        said = book.told.setdefault(name, (meter, count, self.now - timedelta(days=days)))
        if self.now - said[2] > timedelta(days=34):
            return
        event = UsageEvent("machine", name, said[0], said[1], said[2])
        with tenancy.scope(book.tenant.id):
            written = billing.write_usage([event, event], now=self.now)
        book.opened |= {month_of(said[2]), month_of(self.now)}
        assert (written.accepted, written.duplicates) == ((1, 1) if fresh else (0, 2))
        if fresh:
            self._count(book, *said)

    def _count(self, book: Book, meter: str, quantity: int, at: datetime) -> None:
        month = month_of(at) if month_of(at) not in book.closed else month_of(self.now)
        sums, left = book.meters[month, meter], book.credits(month) - book.owed({month})
        full = cost(meter, sums.used + quantity) - cost(meter, sums.used)
        sums.charged += full if PLAN[meter][2] else max(0, min(full, left))
        sums.used += quantity

    @rule(who=tenants, pack=st.sampled_from(sorted(PACKS)), quantity=st.integers(1, 3))
    def buy_credits(self, who: str, pack: str, quantity: int) -> None:
        book, found = self.books[who], CreditPack.objects.get(code=pack)
        with tenancy.scope(book.tenant.id):
            order = Order.objects.create(
                organization_id=book.tenant.id,
                kind=OrderKind.CREDITS,
                item_id=found.pk,
                name=found.name,
                quantity=quantity,
                currency="USD",
                amount_minor=found.price_minor * quantity,
            )
            credits.deliver(order)
            credits.deliver(order)
        amount = PACKS[pack] * quantity * CENT
        book.balance += amount
        book.orders.append((order, amount, 0))

    @precondition(lambda self: any(book.orders for book in self.books.values()))
    @rule(data=st.data(), share=st.fractions(0, 1, max_denominator=7))
    def pay_back(self, data: Any, share: Fraction) -> None:
        """A refund, a dispute, or one that was won: what is reversed by now is what counts."""
        book = self.books[data.draw(st.sampled_from([who for who, book in self.books.items() if book.orders]))]
        place = data.draw(st.integers(0, len(book.orders) - 1))
        order, amount, gone = book.orders[place]
        reversed_minor = floor(order.amount_minor * share)
        with tenancy.scope(book.tenant.id):
            credits.take_back(order, reversed_minor)
            credits.take_back(order, reversed_minor)
        now_gone = ceil(Fraction(amount * reversed_minor, order.amount_minor))
        book.balance += gone - now_gone
        book.orders[place] = order, amount, now_gone

    @rule(who=tenants, cents=st.one_of(st.none(), st.integers(0, 1500)))
    def cap(self, who: str, cents: int | None) -> None:
        book = self.books[who]
        if cents is None:
            billing.remove_cap(book.tenant.actor)
        else:
            billing.set_cap(book.tenant.actor, cents * CENT)
            # People set it in the month that it is, wherever the machine's clock stands.
            book.opened.add(month_of(datetime.now(UTC)))
        book.cap = None if cents is None else cents * CENT

    @rule(days=st.integers(1, 25))
    def wait(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule(who=tenants, images=st.integers(3, 9))
    def a_busy_month(self, who: str, images: int) -> None:
        """Work that exceeds the allowance, all of it done, and then the month is over."""
        self._hold(self.books[who], {IMAGES: images})
        for book in self.books.values():
            for job in sorted(book.jobs):
                self._end(book, job, Fraction(1), settled=True)
        self.a_month_passes()

    @rule()
    def a_month_passes(self) -> None:
        self.now += timedelta(days=34)
        self.close()

    @rule()
    def close(self) -> None:
        closing.close_months(self.now)
        closing.close_months(self.now)
        for book in self.books.values():
            self._close(book)

    def _close(self, book: Book) -> None:
        before = month_of(self.now - timedelta(hours=48))
        for month in sorted({month for month in book.opened if month < before} - set(book.closed)):
            if any(sums.held for sums in book.of(month).values()):
                return
            gross = book.owed({month})
            drawn = max(0, min(gross, book.balance))
            minor = 0
            if gross:
                minor, book.rest = divmod(book.rest + gross - drawn, CENT)
            book.balance -= drawn
            book.closed[month] = minor, drawn

    # ------------------------------------------------------------ what holds

    @invariant()
    def sums_are_those_of_the_ledger_and_of_the_books(self) -> None:
        for book in self.books.values():
            with tenancy.scope(book.tenant.id):
                kept = {
                    (row.month, row.meter): (row.used, row.held, row.charged_micros)
                    for row in MeterPeriod.objects.all()
                }
                recomputed = _recomputed()
            expected = {place: (sums.used, sums.held, sums.charged) for place, sums in book.meters.items()}
            assert _without_zeros(kept) == _without_zeros(recomputed) == _without_zeros(expected)

    @invariant()
    def hours_and_months_are_those_of_the_ledger(self) -> None:
        names = ("charge_micros", "amount_micros", "tokens", "quantity")
        for book in self.books.values():
            with tenancy.scope(book.tenant.id):
                used = LedgerEntry.objects.filter(kind__in=[EntryKind.SETTLE, EntryKind.USAGE])
                of_ledger = used.aggregate(**{name: Sum(name, default=0) for name in names})
                of_hours = UsageHour.objects.aggregate(**{name: Sum(name, default=0) for name in names})
                months = UsagePeriod.objects.aggregate(
                    tokens=Sum("used_tokens", default=0),
                    amount_micros=Sum("spent_micros", default=0),
                    held=Sum("held_tokens", default=0),
                )
            assert of_hours == of_ledger
            assert (months["tokens"], months["amount_micros"]) == (of_ledger["tokens"], of_ledger["amount_micros"])
            held = sum(sums.held for (_, meter), sums in book.meters.items() if meter in (IN, OUT))
            assert months["held"] == held

    @invariant()
    def credits_and_invoices_add_up_to_what_was_charged(self) -> None:
        for book in self.books.values():
            with tenancy.scope(book.tenant.id):
                entries = CreditEntry.objects.aggregate(sum=Sum("amount_micros", default=0))["sum"]
                drawn = -CreditEntry.objects.filter(kind="draw").aggregate(sum=Sum("amount_micros", default=0))["sum"]
                rows = UsagePeriod.objects.filter(closed_at__isnull=False).order_by("month")
                closed = {row.month: row.billed_minor for row in rows}
                operations = StripeOperation.objects.filter(kind=closing.INVOICE_ITEM)
                asked = sum(operation.parameters["amount_minor"] for operation in operations)
            left = billing.credits_left(book.tenant.actor)
            shown = {billing.figures_of(book.tenant.id).credits} | {credit.spendable for credit in left.values()}
            assert shown == {book.balance - book.owed({month for month, _ in book.meters} - set(book.closed))}
            assert entries == book.balance == credits_of(book)
            assert {m: n for m, n in closed.items() if n} == {m: n for m, (n, _) in book.closed.items() if n}
            assert asked == sum(closed.values())
            assert drawn + sum(closed.values()) * CENT + book.rest == book.owed(set(book.closed))


def credits_of(book: Book) -> int:
    """What is left of what was bought, less what was reversed and what closed months have drawn."""
    bought = sum(amount - gone for _, amount, gone in book.orders)
    return bought - sum(drawn for _, drawn in book.closed.values())


def _recomputed() -> dict[tuple[date, str], tuple[int, int, int]]:
    """Used, held and charged of every month and meter, from the ledger's lines and the terms that stand in them."""
    closed = set(LedgerEntry.objects.filter(Q(kind="settle") | Q(kind="release")).values_list("job_id", flat=True))
    found: dict[tuple[date, str], list[int]] = defaultdict(lambda: [0, 0, 0])
    texts: dict[date, int] = defaultdict(int)
    for line in LedgerEntry.objects.all():
        parts = {line.meter: line.quantity} if line.meter else {IN: line.prompt_tokens, OUT: line.completion_tokens}
        for meter, quantity in parts.items():
            if line.kind == EntryKind.HOLD:
                found[line.month, meter][1] += 0 if line.job_id in closed else quantity
            else:
                found[line.month, meter][0] += quantity
        if line.meter:
            found[line.month, line.meter][2] += line.charge_micros
        else:
            texts[line.month] += line.charge_micros
    # What comes out of a text is never charged in this plan, so that what a text is charged is for what went in.
    for month, micros in texts.items():
        found[month, IN][2] += micros
    return {place: (used, held, charged) for place, (used, held, charged) in found.items()}


def _without_zeros(sums: dict[tuple[date, str], tuple[int, int, int]]) -> dict[tuple[date, str], tuple[int, int, int]]:
    return {place: numbers for place, numbers in sums.items() if any(numbers)}


@pytest.fixture
def sold(org_a: Tenant, org_b: Tenant) -> tuple[Tenant, Tenant]:
    """Both organizations are on the machine's plan; one is a customer at Stripe, and so is the other."""
    free = Plan.objects.get(code="free")
    PlanAllowance.objects.filter(plan=free).delete()
    PlanRate.objects.filter(plan=free).delete()
    for meter, (included, cents, charged) in PLAN.items():
        overage = Overage.CHARGE if charged else Overage.STOP
        PlanAllowance.objects.create(plan=free, meter=meter, included=included, overage=overage)
        if cents is not None:
            PlanRate.objects.create(plan=free, meter=meter, currency="USD", per=1, price_minor=Decimal(cents))
    for code, minor in PACKS.items():
        CreditPack.objects.create(code=code, name=code, currency="USD", price_minor=minor, credit_minor=minor)
    for tenant in (org_a, org_b):
        with tenancy.scope(tenant.id):
            BillingAccount.objects.create(organization_id=tenant.id, stripe_id=f"cus_{tenant.organization.slug}")
    return org_a, org_b


def test_money_adds_up_whatever_happens(sold: tuple[Tenant, Tenant]) -> None:
    class Ours(Money):
        people = sold

    run_state_machine_as_test(
        Ours,
        settings=settings(
            max_examples=8, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
