"""`manage.py stripe_catalogue`: tells what Stripe lacks, makes it once, and changes no price that is there."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.billing.models import Plan, PlanPrice, StripeCatalogue
from apps.billing.services import publishing
from tests.helpers.billing import subscribe
from tests.helpers.people import Tenant
from tests.helpers.stripe_simulator import Simulator

# In one transaction, which is taken back: plans outlive a test otherwise.
pytestmark = pytest.mark.django_db


def run(capsys: Any, *options: str) -> str:
    call_command("stripe_catalogue", *options)
    return str(capsys.readouterr().out)


def at_stripe(payments: Simulator) -> tuple[int, int]:
    found = payments.client.v1
    return len(found.products.list({"limit": 100}).data), len(found.prices.list({"limit": 100}).data)


def test_a_dry_run_tells_and_changes_nothing(payments: Simulator, capsys: Any) -> None:
    told = run(capsys)
    assert "create: product millrace-pro-base: Pro" in told
    assert "nothing was changed" in told
    assert at_stripe(payments) == (0, 0)


def test_applied_it_makes_everything_once(payments: Simulator, capsys: Any) -> None:
    sold = PlanPrice.objects.filter(is_active=True)
    wanted = sold.count() + sold.filter(seat_minor__gt=0).count()
    told = run(capsys, "--apply")
    assert told.count("create: price") == wanted
    products, prices = at_stripe(payments)
    assert prices == wanted == StripeCatalogue.objects.count()
    assert "the simulator has what our plans say." in run(capsys)
    assert "the simulator has what our plans say." in run(capsys, "--apply")
    assert at_stripe(payments) == (products, prices)
    pro = sold.get(plan__code="pro", interval="month", currency="USD")
    [one] = payments.client.v1.prices.list({"lookup_keys": [f"{pro.pk}-base"]}).data
    assert (one.unit_amount, one.currency) == (2_900, "usd")


def test_what_was_made_by_a_checkout_is_found_again(payments: Simulator, org_a: Tenant, capsys: Any) -> None:
    subscribe(payments, org_a)
    before = {price.id for price in payments.client.v1.prices.list({"limit": 100}).data}
    run(capsys, "--apply")
    after = {price.id for price in payments.client.v1.prices.list({"limit": 100}).data}
    assert before < after
    assert publishing.differences() == []


def test_a_name_is_mended_and_a_price_that_is_sold_no_more_retired(payments: Simulator, capsys: Any) -> None:
    run(capsys, "--apply")
    old = PlanPrice.objects.get(plan__code="pro", interval="month", currency="USD", is_active=True)
    stripe_id = StripeCatalogue.objects.get(price=old, part="base").stripe_id
    payments.client.v1.products.update("millrace-pro-base", {"name": "Something"})
    call_command("plan", "pro", "--price=month:USD=3900+900")
    told = run(capsys, "--apply")
    assert "rename: product millrace-pro-base: Pro" in told
    assert f"retire: price {stripe_id}" in told
    assert "pro base 3900 USD a month" in told
    assert payments.client.v1.products.retrieve("millrace-pro-base").name == "Pro"
    assert not payments.client.v1.prices.retrieve(stripe_id).active
    assert publishing.differences() == []


def test_a_price_with_our_name_and_another_amount_is_left_for_a_person(payments: Simulator, capsys: Any) -> None:
    price = PlanPrice.objects.get(plan__code="pro", interval="month", currency="USD", is_active=True)
    product = payments.client.v1.products.create({"name": "Pro", "id": "millrace-pro-base"})
    made = payments.client.v1.prices.create(
        {
            "product": product.id,
            "currency": "usd",
            "unit_amount": 1,
            "recurring": {"interval": "month"},
            "lookup_key": f"{price.pk}-base",
        }
    )
    with pytest.raises(CommandError):
        run(capsys)
    assert f"Stripe has 1 USD a month ({made.id})" in capsys.readouterr().out


def test_without_payments_there_is_nothing_to_compare() -> None:
    assert Plan.objects.exists()
    with pytest.raises(CommandError):
        call_command("stripe_catalogue")
