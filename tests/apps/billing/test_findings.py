"""What the comparison with Stripe leaves for staff, what stays unknown, what fails; and the figures of all that."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.billing import gateway, gauges
from apps.billing.models import Invoice, OperationState, StripeEvent, StripeFinding, StripeOperation
from apps.billing.services import inbox, reconcile
from apps.core import tenancy
from apps.core.errors import PaymentsUnavailable
from apps.staff.abilities import SUPPORT
from tests.helpers.billing import subscribe
from tests.helpers.money import make_event
from tests.helpers.people import Tenant, audit_of
from tests.helpers.staff import browser_of, make_staff
from tests.helpers.stripe_simulator import SECRET, Simulator

pytestmark = pytest.mark.django_db(transaction=True)


def findings(tenant: Tenant) -> list[StripeFinding]:
    with tenancy.scope(tenant.id):
        return list(StripeFinding.objects.order_by("id"))


def figures() -> dict[str, float]:
    found = {}
    with tenancy.across_tenants(tenancy.Across.COUNT_WORK):
        families = gauges.read()
    for family in families:
        for sample in family.samples:
            found[" ".join([sample.name.removeprefix("millrace_stripe_"), *sample.labels.values()])] = sample.value
    return found


def act(browser: Client, name: str, id: Any, **data: Any) -> Any:
    return browser.post(reverse(f"staff:billing_{name}", args=[id]), data)


@pytest.fixture
def drifted(payments: Simulator, org_a: Tenant, settings: Any) -> Tenant:
    """An organization one of whose copies somebody has changed by hand, which the comparison has found."""
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    subscribe(payments, org_a)
    payments.deliver(Client())
    inbox.handle_events()
    spoil(org_a)
    assert len(reconcile.reconcile()) == 1
    return org_a


def spoil(tenant: Tenant) -> None:
    with tenancy.scope(tenant.id):
        Invoice.objects.update(paid_minor=F("paid_minor") - 1)


def test_drift_is_a_finding_until_staff_acknowledges_it(drifted: Tenant) -> None:
    [row] = findings(drifted)
    assert (row.kind, row.subject, row.times) == ("drift", "invoice", 1)
    assert "paid_minor" in row.detail
    assert figures()["findings drift"] == 1
    spoil(drifted)
    reconcile.reconcile()
    [row] = findings(drifted)
    assert row.times == 2
    staff = make_staff()
    assert act(browser_of(staff), "stripefinding_acknowledge", row.pk).status_code == 302
    assert figures()["findings drift"] == 0
    assert audit_of(drifted, "billing.finding_acknowledged")[0].user_id == staff.pk
    assert act(browser_of(staff), "stripefinding_acknowledge", row.pk).status_code == 422, "once"
    spoil(drifted)
    reconcile.reconcile()
    assert [row.times for row in findings(drifted)] == [2, 1], "found again it is another one"


def test_staff_compares_again_from_the_page(drifted: Tenant) -> None:
    [row] = findings(drifted)
    spoil(drifted)
    browser = browser_of(make_staff(group=SUPPORT))
    page = browser.get(reverse("staff:billing_stripefinding_changelist"))
    assert "paid_minor" in page.content.decode()
    assert act(browser, "stripefinding_compare", row.pk).status_code == 302
    with tenancy.scope(drifted.id):
        invoice = Invoice.objects.get()
    assert invoice.paid_minor == invoice.total_minor
    assert act(browser, "stripefinding_acknowledge", row.pk).status_code == 403, "support retries and closes nothing"


def test_a_customer_that_cannot_be_compared_is_a_finding_until_it_can(
    payments: Simulator, org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    subscribe(payments, org_a)

    def silent(customer: str) -> Any:
        raise PaymentsUnavailable("no answer")

    with monkeypatch.context() as patch:
        patch.setattr(gateway, "list_subscriptions", silent)
        reconcile.reconcile()
        reconcile.reconcile()
    [row] = findings(org_a)
    assert (row.kind, row.subject, row.times, row.acknowledged_at) == ("unread", "customer", 2, None)
    assert figures()["findings unread"] == 1
    reconcile.reconcile()
    assert figures()["findings unread"] == 0


# ---------------------------------------------------------------- requests of unknown outcome
def unknown(payments: Simulator, tenant: Tenant) -> StripeOperation:
    subscription = subscribe(payments, tenant)
    customer = payments.client.v1.subscriptions.retrieve(subscription.stripe_id).customer
    line = {"customer": customer, "currency": "usd", "amount_minor": 700, "description": "Tokens"}
    with tenancy.scope(tenant.id):
        row: StripeOperation = StripeOperation.objects.create(
            organization_id=tenant.id,
            kind="create_invoice_item",
            state=OperationState.UNKNOWN,
            parameters=line | {"period_start": 1_790_000_000, "period_end": 1_790_000_100},
        )
    return row


def state(row: StripeOperation) -> str:
    with tenancy.scope(row.organization_id):
        return str(StripeOperation.objects.get(pk=row.pk).state)


def test_staff_finds_what_was_made_after_all(payments: Simulator, org_a: Tenant) -> None:
    row, browser = unknown(payments, org_a), browser_of(make_staff())
    assert figures()["outbox_unknown"] == 1
    assert act(browser, "stripeoperation_look", row.pk).status_code == 422, "there is nothing"
    gateway.create_invoice_item(**row.parameters, key=str(row.pk))
    assert act(browser, "stripeoperation_look", row.pk).status_code == 302
    assert (state(row), figures()["outbox_unknown"]) == (OperationState.DONE, 0)
    assert len(audit_of(org_a, "billing.operation_found")) == 1


def test_staff_closes_what_was_not_done_and_it_is_never_sent(payments: Simulator, org_a: Tenant) -> None:
    row, browser = unknown(payments, org_a), browser_of(make_staff())
    assert act(browser, "stripeoperation_give_up", row.pk, reason="not in the dashboard").status_code == 302
    assert act(browser, "stripeoperation_give_up", row.pk, reason="not in the dashboard").status_code == 422
    assert (state(row), figures()["outbox_unknown"]) == (OperationState.FAILED, 0)
    assert payments.client.v1.invoice_items.list({}).data == []
    assert len(audit_of(org_a, "billing.operation_closed")) == 1


# ---------------------------------------------------------------- events that fail
def test_staff_has_an_event_handled_now(org_a: Tenant, capture_doorbells: list[str]) -> None:
    make_event()
    StripeEvent.objects.update(
        problem="PaymentsUnavailable", attempts=3, next_at=timezone.now() + timedelta(hours=1),
        received_at=timezone.now() - timedelta(hours=2),
    )  # fmt: skip
    found = figures()
    assert (found["inbox_waiting"], found["inbox_failing"]) == (1, 1)
    assert 7_000 < found["inbox_oldest_age_seconds"] < 7_500
    event = StripeEvent.objects.get()
    browser = browser_of(make_staff(group=SUPPORT))
    assert act(browser, "stripeevent_retry", event.pk).status_code == 302
    assert StripeEvent.objects.get().next_at <= timezone.now()
    assert "billing.handle_stripe_events" in capture_doorbells
    StripeEvent.objects.update(handled_at=timezone.now())
    assert act(browser, "stripeevent_retry", event.pk).status_code == 422
    assert figures()["inbox_waiting"] == 0


def test_what_waits_in_the_outbox_has_an_age(org_a: Tenant) -> None:
    with tenancy.scope(org_a.id):
        row = StripeOperation.objects.create(organization_id=org_a.id, kind="cancel_now", parameters={})
        StripeOperation.objects.filter(pk=row.pk).update(created_at=timezone.now() - timedelta(hours=3))
    found = figures()
    assert found["outbox_waiting"] == 1
    assert 10_700 < found["outbox_oldest_age_seconds"] < 11_000
