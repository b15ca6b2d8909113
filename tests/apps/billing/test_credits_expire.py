"""Credit that ends: used first what ends first, gone once, and never what was used before."""

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from apps.billing import catalogue
from apps.billing import services as billing
from apps.billing.credit_lots import Entry, lots_of
from apps.billing.entitlements import Limits, Term, Terms, month_of
from apps.billing.models import CreditEntry, CreditPack, Meter, Order, OrderKind
from apps.billing.services import Charge, Purpose, closing, credits
from apps.billing.services.expiry import lots_left
from apps.core import tenancy
from tests.apps.billing.test_billing_api import api
from tests.helpers.people import Tenant, audit_of, events_of
from tests.helpers.threads import together

pytestmark = pytest.mark.django_db(transaction=True)
UNIT = 1_000_000
SOON, LATER = datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 9, 1, tzinfo=UTC)
IMAGES = Limits("Test", Terms("USD", {Meter.IMAGES: Term(0, Decimal(UNIT), charged=False)}), 60, 1000, 10)


# ---------------------------------------------------------------- which is used first
def entry(kind: str, amount: int, reference: str, ends: datetime | None = None) -> Entry:
    return Entry(reference, kind, amount, reference, "", ends)


def left(entries: list[Entry], owed: int = 0) -> dict[str, int]:
    return {lot.id: lot.left for lot in lots_of(entries, owed)}


def test_what_ends_first_is_used_first_and_what_never_ends_last() -> None:
    came = [entry("grant", 5, "never"), entry("purchase", 5, "later", LATER), entry("purchase", 5, "soon", SOON)]
    assert list(left(came)) == ["soon", "later", "never"]
    assert left([*came, entry("draw", -7, "2026-05 USD")]) == {"soon": 0, "later": 3, "never": 5}
    assert left(came, owed=12) == {"soon": 0, "later": 0, "never": 3}


def test_what_came_after_a_month_was_paid_did_not_pay_for_it() -> None:
    found = [entry("purchase", 5, "later", LATER), entry("draw", -3, "m"), entry("purchase", 5, "soon", SOON)]
    assert left(found) == {"soon": 5, "later": 2}


def test_what_is_taken_back_is_of_its_own_purchase_and_what_was_spent_of_it_of_the_others() -> None:
    came = [entry("purchase", 10, "a", SOON), entry("purchase", 10, "b", LATER), entry("draw", -4, "m")]
    assert left([*came, entry("clawback", -10, "a:1")]) == {"a": 0, "b": 6}
    assert left([*came, entry("clawback", -10, "a:1"), entry("grant", 10, "a:2")]) == {"a": 6, "b": 10}


def test_whatever_happens_lots_add_up_to_the_balance() -> None:
    chance = random.Random(5)
    for _ in range(300):
        entries, balance = [], 0
        for number in range(chance.randint(1, 12)):
            ends = chance.choice([None, SOON, LATER])
            kind = chance.choice(["purchase", "grant", "draw"])
            amount = chance.randint(1, 20)
            amount = -min(amount, balance) if kind == "draw" else amount
            balance += amount
            entries.append(entry(kind, amount, f"e{number}", ends if amount > 0 else None))
        owed = chance.randint(0, 30)
        assert sum(left(entries, owed).values()) == max(0, balance - owed)


# ---------------------------------------------------------------- gone, once
def buy(tenant: Tenant, days: int | None = 30, code: str = "credit-usd-1") -> Order:
    """A pack of credit that was paid for and delivered."""
    CreditPack.objects.filter(code=code).update(valid_days=days)
    pack = CreditPack.objects.get(code=code)
    with tenancy.scope(tenant.id):
        order: Order = Order.objects.create(
            organization_id=tenant.id, kind=OrderKind.CREDITS, item_id=pack.pk, name=pack.name, currency="USD",
            amount_minor=pack.price_minor,
        )  # fmt: skip
        credits.deliver(order)
    CreditPack.objects.filter(code=code).update(valid_days=None)
    return order


def use(tenant: Tenant, images: int) -> None:
    """Images at a dollar each, which only credits pay for."""
    job = uuid4()
    with tenancy.scope(tenant.id):
        billing.hold(job, {Meter.IMAGES: images}, IMAGES, timezone.now(), Purpose(tenant.member.pk))
        billing.settle(job, Charge(quantity=images))


def entries(tenant: Tenant) -> list[tuple[str, int]]:
    with tenancy.scope(tenant.id):
        rows = CreditEntry.objects.order_by("id").values_list("kind", "amount_micros")
        return [(kind, amount // UNIT) for kind, amount in rows]


def spendable(tenant: Tenant) -> int:
    return billing.credits_left(tenant.actor)["USD"].spendable // UNIT


def after(days: float) -> datetime:
    return timezone.now() + timedelta(days=days)


@pytest.fixture
def worth() -> int:
    return CreditPack.objects.get(code="credit-usd-1").credit_minor // 100


def test_what_is_not_used_goes_once_however_many_look(org_a: Tenant, org_b: Tenant, worth: int) -> None:
    buy(org_a)
    buy(org_b, days=None)
    assert billing.expire_credits(after(29.9)) == 0
    together([lambda: billing.expire_credits(after(30.1))] * 4)
    assert billing.expire_credits(after(300)) == 0
    assert entries(org_a) == [("purchase", worth), ("expiry", -worth)]
    assert (spendable(org_a), spendable(org_b)) == (0, worth)
    [told] = audit_of(org_a, "credits.expired")
    assert told.detail["amount"] == f"-{worth}.00"
    assert events_of(org_a).count("credits.expired") == 1


def test_what_was_used_before_still_pays_for_its_month(org_a: Tenant, worth: int) -> None:
    buy(org_a)
    credits.grant(org_a.id, "USD", 10 * UNIT, reference="welcome", note="Welcome")
    use(org_a, 3)
    assert spendable(org_a) == worth + 7
    assert billing.expire_credits(after(31)) == 1
    assert entries(org_a)[-1] == ("expiry", 3 - worth)
    assert spendable(org_a) == 10
    month = month_of(timezone.now())
    assert closing.close_month(org_a.id, month, after(40))
    assert entries(org_a)[-1] == ("draw", -3)
    assert (spendable(org_a), billing.expire_credits(after(99))) == (10, 0)


def test_two_packs_go_one_after_the_other(org_a: Tenant, worth: int) -> None:
    buy(org_a, days=60)
    buy(org_a, days=30)
    use(org_a, 4)
    assert billing.expire_credits(after(31)) == 1
    assert billing.expire_credits(after(61)) == 1
    assert [amount for kind, amount in entries(org_a) if kind == "expiry"] == [4 - worth, -worth]
    assert spendable(org_a) == 0


def test_a_refund_takes_no_credit_back_that_has_expired(org_a: Tenant, worth: int) -> None:
    order = buy(org_a)
    use(org_a, 5)
    billing.expire_credits(after(31))
    with tenancy.scope(org_a.id):
        credits.take_back(order, order.amount_minor)
        credits.take_back(order, order.amount_minor)
    assert entries(org_a)[1:] == [("expiry", 5 - worth), ("clawback", -5)]
    assert spendable(org_a) == -5, "what was used is owed"
    with tenancy.scope(org_a.id):
        credits.take_back(order, 0)
    assert (spendable(org_a), entries(org_a)[-1]) == (0, ("grant", 5))
    assert billing.expire_credits(after(99)) == 0


def test_another_part_that_is_refunded_after_the_end_gives_nothing_back(org_a: Tenant, worth: int) -> None:
    order = buy(org_a)
    half = order.amount_minor // 2
    with tenancy.scope(org_a.id):
        credits.take_back(order, half)
    billing.expire_credits(after(31))
    for part in (half + 1, order.amount_minor):
        with tenancy.scope(org_a.id):
            credits.take_back(order, part)
    assert [kind for kind, _ in entries(org_a)] == ["purchase", "clawback", "expiry"]
    assert spendable(org_a) == 0


def test_what_a_won_dispute_gives_back_too_late_goes_as_well(org_a: Tenant, worth: int) -> None:
    order = buy(org_a)
    with tenancy.scope(org_a.id):
        credits.take_back(order, order.amount_minor)
    assert billing.expire_credits(after(31)) == 0
    with tenancy.scope(org_a.id):
        credits.take_back(order, 0)
    assert billing.expire_credits(after(31)) == 1
    assert billing.expire_credits(after(31)) == 0
    assert entries(org_a) == [("purchase", worth), ("clawback", -worth), ("grant", worth), ("expiry", -worth)]


# ---------------------------------------------------------------- shown
def test_page_and_api_show_what_is_left_until_when(org_a: Tenant, worth: int, client: Client) -> None:
    buy(org_a)
    use(org_a, 3)
    status, found = api(org_a, "billing:read")("get", "/credits")
    [purse] = found["currencies"]
    [lot] = purse["lots"]
    assert (status, purse["currency"], purse["spendable"]) == (200, "USD", f"{worth - 3}.00")
    assert (lot["left"], lot["received"]) == (f"{worth - 3}.00", f"{worth}.00")
    assert datetime.fromisoformat(lot["expires_at"]) > after(29)
    with tenancy.scope(org_a.id):
        assert [one.expires_at for one in lots_left("USD")] == [datetime.fromisoformat(lot["expires_at"])]
    client.force_login(org_a.owner)
    page = client.get("/settings/billing/credits/").content.decode()
    assert "What expires first is used first." in page
    assert f"${worth - 3}.00" in page


def test_outsiders_see_nothing_of_it(org_a: Tenant, org_b: Tenant) -> None:
    buy(org_a)
    assert api(org_b, "billing:read")("get", "/credits")[1]["currencies"] == []
    assert billing.credits_left(org_b.actor) == {}


def test_a_pack_is_made_and_changed_by_its_command(capsys: Any, org_a: Tenant) -> None:
    made = {"name": "Trial", "currency": "usd", "price": 500, "credit": 600}
    call_command("pack", "trial", "--valid-days=90", *(f"--{name}={value}" for name, value in made.items()))
    assert "trial: 600 for 500 minor units of USD, for 90 days" in capsys.readouterr().out
    call_command("pack", "trial", "--valid-days=0", "--sold=no")
    assert "for ever, not sold" in capsys.readouterr().out
    catalogue.forget()
    assert "trial" not in {pack.code for pack in catalogue.catalogue().packs}
    with pytest.raises(CommandError):
        call_command("pack", "other", "--price=5")
    CreditPack.objects.filter(code="trial").delete()
