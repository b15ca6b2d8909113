"""Credit is sold in the one currency in which an organization's usage is priced, so that none lies idle."""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from apps.billing import services as billing
from apps.billing.models import Meter, Overage, Plan, PlanAllowance, PlanRate
from apps.billing.services import Charge, credits, orders
from apps.core import tenancy
from apps.core.errors import InsufficientQuota, InvalidRequest
from tests.helpers.billing import choose, subscribe
from tests.helpers.people import Tenant
from tests.helpers.purchases import pay
from tests.helpers.stripe_simulator import SECRET, Simulator

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _signed(settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]


@pytest.fixture
def _images_for_credit(_signed: None) -> None:
    """The free plan includes no image; one is 2 of any currency's minor units, for credit only."""
    free = Plan.objects.get(code="free")
    PlanAllowance.objects.filter(plan=free, meter=Meter.IMAGES).update(included=0, overage=Overage.STOP)
    PlanRate.objects.filter(plan=free, meter=Meter.IMAGES).update(per=1, price_minor=Decimal(2))


def draw(tenant: Tenant, images: int) -> int:
    job = uuid4()
    with tenancy.scope(tenant.id):
        billing.hold(job, {Meter.IMAGES: images}, billing.limits_of(tenant.id))
        return int(billing.settle(job, Charge(quantity=images)).charge_micros)


@pytest.mark.parametrize("currency", ["USD", "EUR", "CNY"])
@pytest.mark.usefixtures("_images_for_credit")
def test_without_a_plan_the_first_pack_pays_for_what_is_used(
    payments: Simulator, org_a: Tenant, org_b: Tenant, currency: str
) -> None:
    with pytest.raises(InsufficientQuota):
        draw(org_a, 5)
    pay(payments, org_a, billing.buy_credits(org_a.actor, f"credit-{currency.lower()}-1"))
    assert billing.limits_of(org_a.id).terms.currency == currency
    whole = billing.figures_of(org_a.id).credits
    assert draw(org_a, 5) == 100_000
    assert billing.figures_of(org_a.id).credits == billing.credits_left(org_a.actor)[currency].spendable
    assert billing.figures_of(org_a.id).credits == whole - 100_000 > 0
    assert billing.limits_of(org_b.id).terms.currency == "USD"


def test_credit_in_another_currency_is_refused(payments: Simulator, org_a: Tenant, client_of: Any) -> None:
    pay(payments, org_a, billing.buy_credits(org_a.actor, "credit-eur-1"))
    with pytest.raises(InvalidRequest, match="pays in EUR") as refused:
        billing.buy_credits(org_a.actor, "credit-usd-1")
    assert refused.value.param == "pack"
    with pytest.raises(InvalidRequest, match="pays in EUR"):
        choose(org_a, currency="USD")
    page = client_of(org_a.owner).get("/settings/billing/credits/").content.decode()
    assert ("credit-eur-1" in page, "credit-usd-1" in page) == (True, False)


def test_a_trial_that_nothing_was_paid_for_yet_has_its_currency_too(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a, currency="CNY", trial=True)
    with pytest.raises(InvalidRequest):
        billing.buy_credits(org_a.actor, "credit-usd-1")
    assert orders.buy_credits(org_a.actor, "credit-cny-1").currency == "CNY"


@pytest.mark.parametrize(("given", "other"), [("USD", "EUR"), ("EUR", "USD")])
@pytest.mark.usefixtures("_images_for_credit")
def test_credit_that_the_operator_gave_decides_as_well(
    payments: Simulator, org_a: Tenant, client_of: Any, given: str, other: str
) -> None:
    page = client_of(org_a.owner).get("/settings/billing/credits/").content.decode()
    assert ("credit-eur-1" in page, "credit-usd-1" in page) == (True, True)
    credits.grant(org_a.id, given, 1_000_000, reference="welcome", note="")
    assert billing.limits_of(org_a.id).terms.currency == given
    assert draw(org_a, 5) == 100_000
    with pytest.raises(InvalidRequest):
        billing.buy_credits(org_a.actor, f"credit-{other.lower()}-1")
    pay(payments, org_a, billing.buy_credits(org_a.actor, f"credit-{given.lower()}-1"))
    assert billing.limits_of(org_a.id).terms.currency == given


def test_a_page_that_another_purchase_has_outdated_is_not_opened(payments: Simulator, org_a: Tenant) -> None:
    late = billing.buy_credits(org_a.actor, "credit-usd-1")
    pay(payments, org_a, billing.buy_credits(org_a.actor, "credit-eur-1"))
    with pytest.raises(InvalidRequest, match="pays in EUR"):
        orders.checkout_url(org_a.actor, late)
