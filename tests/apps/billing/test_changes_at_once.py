"""Two people who change one subscription at once: nobody is charged by a price from before the other's change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core import signing
from django.test import Client

from apps.billing import services as billing
from apps.billing.models import StripeOperation
from apps.billing.services import changes
from apps.core import tenancy
from apps.core.errors import Conflict, PreviewOutdated
from tests.apps.billing.test_order_of_changes import states
from tests.helpers.billing import invoices_of, subscribe, subscription_of
from tests.helpers.people import Tenant, acting
from tests.helpers.stripe_simulator import Simulator
from tests.helpers.threads import together

pytestmark = pytest.mark.django_db(transaction=True)


def meanwhile(monkeypatch: pytest.MonkeyPatch, name: str, other: Callable[[], Any], *, first: bool = True) -> None:
    """At the step of this name, once, somebody else gets ahead."""
    step, others = getattr(changes, name), [other]

    def steps(*values: Any, **named: Any) -> Any:
        found = None if first else step(*values, **named)
        if others:
            others.pop()()
        return step(*values, **named) if first else found

    monkeypatch.setattr(changes, name, steps)


def change_without_a_copy(tenant: Tenant, **wanted: Any) -> None:
    """A change that is done at Stripe, by somebody who has not copied it yet."""
    actor = acting(tenant, tenant.admin)
    shown = billing.preview_change(actor, **wanted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(changes, "_current", lambda id: None)
        billing.confirm_change(actor, shown.token)


# Before each of these steps of a confirmation, and after the last that asks Stripe.
STEPS = [("catch_up", True), ("catch_up", False), ("count_done", True), ("_preview", True), ("_preview", False)]


@pytest.mark.parametrize(("step", "first"), STEPS)
def test_who_comes_second_is_shown_the_new_price_whenever_the_first_was_done(
    payments: Simulator, org_a: Tenant, step: str, first: bool
) -> None:
    subscribe(payments, org_a, interval="year")
    shown = billing.preview_change(org_a.actor, seats=9)
    with pytest.MonkeyPatch.context() as patch:
        meanwhile(patch, step, lambda: change_without_a_copy(org_a, seats=6), first=first)
        with pytest.raises(PreviewOutdated) as refused:
            billing.confirm_change(org_a.actor, shown.token)
    now = refused.value.costs_now
    assert 0 < now.total_minor < shown.total_minor, "three seats more, and not six"
    billing.confirm_change(org_a.actor, now.token)
    assert subscription_of(org_a).seats == 9
    billing.refresh(org_a.id)
    assert invoices_of(org_a)[-1].total_minor == now.total_minor
    assert states(org_a) == [("change_items", "done")] * 2


def test_of_many_at_once_each_pays_what_they_were_shown_or_is_refused(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a, interval="year")
    shown = [billing.preview_change(org_a.actor, seats=seats) for seats in (5, 7, 11, 13)]
    found = together([lambda one=one: billing.confirm_change(org_a.actor, one.token) for one in shown])
    done = [one for one, answer in zip(shown, found, strict=True) if not isinstance(answer, Exception)]
    assert all(isinstance(answer, PreviewOutdated) for answer in found if isinstance(answer, Exception))
    assert len(done) == 1
    billing.refresh(org_a.id)
    assert [one.total_minor for one in invoices_of(org_a)[1:]] == [one.total_minor for one in done]
    assert subscription_of(org_a).seats == done[0].seats


def test_the_same_click_again_is_the_same_change(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a, interval="year")
    shown = billing.preview_change(org_a.actor, seats=9)
    for _ in range(2):
        assert billing.confirm_change(org_a.actor, shown.token).seats == 9
    assert len(invoices_of(org_a)) == 2
    with tenancy.scope(org_a.id):
        assert StripeOperation.objects.filter(kind="change_items").count() == 1


def test_a_downgrade_is_taken_back_once_whoever_else_does_so(payments: Simulator, org_a: Tenant) -> None:
    subscribe(payments, org_a, "enterprise")
    shown = billing.preview_change(org_a.actor, plan="pro", when="period_end")
    billing.confirm_change(org_a.actor, shown.token)
    with pytest.MonkeyPatch.context() as patch:
        meanwhile(patch, "_items", lambda: billing.take_back_change(acting(org_a, org_a.admin)), first=False)
        with pytest.raises(Conflict, match="changed at the same moment"):
            billing.take_back_change(org_a.actor)
    assert subscription_of(org_a).next_price is None
    assert states(org_a) == [("change_items", "done")] * 2


def test_the_api_says_what_it_costs_now(payments: Simulator, org_a: Tenant, client: Client) -> None:
    subscribe(payments, org_a, interval="year")
    client.force_login(org_a.owner)
    shown = billing.preview_change(org_a.actor, seats=9)
    change_without_a_copy(org_a, seats=6)
    answer = patch_subscription(client, shown.token)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (409, "preview_outdated")
    now = error["preview"]
    assert (now["object"], now["seats"], now["due_now_minor"]) == ("subscription_preview", 9, now["total_minor"])
    assert now["total_minor"] < shown.total_minor
    assert patch_subscription(client, now["token"]).status_code == 200
    gone = signing.dumps(signing.loads(shown.token, salt=changes.SALT) | {"number": "9"}, salt=changes.SALT)
    error = patch_subscription(client, gone).json()["error"]
    assert (error["code"], error["preview"]) == ("preview_outdated", None), "nine seats are what there is"
    error = patch_subscription(client, "forged").json()["error"]
    assert (error["code"], error["preview"]) == ("preview_outdated", None)


def patch_subscription(client: Client, token: str) -> Any:
    return client.patch("/api/v1/billing/subscription", {"token": token}, content_type="application/json")
