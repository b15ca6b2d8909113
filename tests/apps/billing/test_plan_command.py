"""The operator's command for plans."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from apps.accounts.models import InstallationEntry
from apps.billing.models import CreditPack, Plan, PlanPrice


def plan(*arguments: str) -> str:
    out = StringIO()
    call_command("plan", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_a_plan_is_shown_and_changed() -> None:
    before = Plan.objects.get(code="free")
    assert f"max_queued {before.max_queued}" in plan("free")
    assert "tokens_per_minute 123" in plan("free", "--tokens-per-minute", "123")
    after = Plan.objects.get(code="free")
    assert (after.tokens_per_minute, after.max_queued) == (123, before.max_queued)


@pytest.mark.django_db
def test_a_plans_terms_are_shown_and_changed() -> None:
    told = plan("pro", "--allowance", "images=7", "--overage", "images=stop", "--rate", "images:eur=12.5/100")
    assert "images: 7 a month, then stop" in told
    assert "images in EUR: 12.5 minor units for 100" in told
    assert InstallationEntry.objects.filter(action="plan.changed").count() == 3
    plan("pro", "--allowance", "images=7")
    assert InstallationEntry.objects.filter(action="plan.changed").count() == 3


@pytest.mark.django_db
def test_another_price_takes_the_place_of_one_that_stays_what_was_sold() -> None:
    sold = PlanPrice.objects.get(plan__code="pro", interval="month", currency="USD")
    told = plan("pro", "--price", "month:usd=3100+950")
    assert "a month in USD: 3100 minor units, 950 for each further seat" in told
    kept = PlanPrice.objects.get(pk=sold.pk)
    assert (kept.base_minor, kept.seat_minor, kept.is_active) == (sold.base_minor, sold.seat_minor, False)
    changes = InstallationEntry.objects.filter(action="plan.changed").count()
    plan("pro", "--price", "month:usd=3100+950")
    assert InstallationEntry.objects.filter(action="plan.changed").count() == changes == 2


@pytest.mark.django_db
def test_a_plans_share_is_shown_and_changed() -> None:
    assert "weight 4, max_running 128, max_passages 50000" in plan("pro")
    assert "max_passages 7" in plan("pro", "--max-passages", "7")
    assert "weight 8, max_running 3" in plan("pro", "--weight", "8", "--max-running", "3")


MISTAKES = [
    (["nothing"], "known: enterprise, free, pro"),
    (["free", "--max-queued=-1"], "negative"),
    (["free", "--weight=0"], "weight: .*1"),
    (["free", "--weight=1001"], "weight: .*1000"),
    (["free", "--max-running=0"], "max_running: .*1"),
    (["free", "--allowance=nothing=3"], "meter"),
    (["free", "--allowance=images=-3"], "not a number"),
    (["free", "--overage=images=maybe"], "overage"),
    (["free", "--rate=images=3"], "METER:CURRENCY"),
    (["free", "--rate=images:USD=free"], "not a price"),
    (["free", "--price=week:USD=3"], "INTERVAL:CURRENCY"),
    (["free", "--price=month:USD=-3"], "not a number"),
    (["free", "--price=month:ISK=2950"], "base_minor: Amounts in ISK are multiples of 1"),
    (["free", "--price=month:KWD=2000+15"], "seat_minor: Amounts in KWD are multiples of 0.010"),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("arguments", "named"), MISTAKES)
def test_a_mistake_is_named_and_changes_nothing(arguments: list[str], named: str) -> None:
    with pytest.raises(CommandError, match=named):
        plan(*arguments)
    assert Plan.objects.get(code="free").max_queued > 0


@pytest.mark.django_db
def test_a_pack_is_priced_in_what_its_currency_is_paid_in() -> None:
    new = ["pack", "iceland", "--name=Iceland", "--currency=isk"]
    with pytest.raises(CommandError, match="price_minor: Amounts in ISK are multiples of 1"):
        call_command(*new, "--price=1050", "--credit=1100")
    call_command(*new, "--price=1000", "--credit=1100")
    with pytest.raises(CommandError, match="credit_minor"):
        call_command("pack", "iceland", "--credit=1150")
    assert CreditPack.objects.get(code="iceland").credit_minor == 1_100
