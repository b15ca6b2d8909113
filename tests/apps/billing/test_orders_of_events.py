"""The seven events of one checkout, in all 5,040 orders: one final state, and each effect once.

What is handled is a set, and an order of seven is a path from the empty set to the full one, by one event at a time.
There are 128 sets and 448 such steps. Each is taken from the very rows of its set, and its result must be the state
of the greater set, in whichever order that was first reached. So every path ends in the state of the full set, by
induction over its steps: all orders are covered, with 448 events handled in place of 35,280.
"""

from collections import Counter
from collections.abc import Callable
from math import factorial
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from apps.billing import gateway
from apps.billing.models import BillingAccount, PlanCheckout, Status, StripeEvent
from apps.billing.services import inbox, reconcile
from apps.core import tenancy
from tests.helpers.billing import choose, forget_trial, subscription_of
from tests.helpers.people import Tenant, audit_of, events_of
from tests.helpers.stripe_simulator import SECRET, Simulator

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
WANTED = (
    "checkout.session.completed",
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "invoice.paid",
    "charge.succeeded",
    "payment_method.attached",
)
READS = "get_subscription get_invoice get_charge get_customer get_session get_checkout"
READS += " list_subscriptions list_invoices list_credit_notes"
Events = frozenset[str]


def lifecycle(simulator: Simulator, tenant: Tenant) -> dict[str, inbox.Subject]:
    """A subscription that is taken, paid, changed and ended, of which nothing has been handled here yet."""
    forget_trial(tenant)
    simulator.pay(choose(tenant).stripe_id)
    [at_stripe] = simulator.client.v1.subscriptions.list({}).data
    simulator.client.v1.subscriptions.update(at_stripe.id, {"cancel_at_period_end": True})
    simulator.client.v1.subscriptions.cancel(at_stripe.id)
    simulator.deliver(Client())
    used = StripeEvent.objects.filter(handled_at=None).order_by("happened_at", "id")
    found = {row.type: inbox.Subject(row.object_kind, row.object_id, row.customer) for row in used}
    assert set(WANTED) <= set(found), sorted(found)
    return {name: found[name] for name in WANTED}


def recorded(call: Callable[..., Any]) -> Callable[..., Any]:
    """Asks the simulator once for each object: nothing changes there any more."""
    known: dict[str, Any] = {}

    def answer(id: str, **more: Any) -> Any:
        if id not in known:
            known[id] = call(id, **more)
        return known[id]

    return answer


def state(tenant: Tenant) -> Any:
    """All copies, with what they point to by its name at Stripe; the account, the page, and what has been told."""
    with tenancy.scope(tenant.id):
        rows = {(model, id): row for (model, id), row in reconcile._copies()}
        names = {row.pk: row.stripe_id for model in reconcile.MIRRORS for row in model.objects.all()}
        for row in rows.values():
            row.update({name: names.get(row[name]) for name in ("subscription", "invoice") if row.get(name)})
        account = BillingAccount.objects.values("stripe_id", "currency", "payment_method", "trial_used_at").get()
        pages = list(PlanCheckout.objects.values_list("state", flat=True))
    told = Counter(events_of(tenant)), len(audit_of(tenant, "subscription.updated"))
    return rows, account, pages, told


def handle(subject: inbox.Subject) -> None:
    """As a worker does, whose failure would be postponed: here it fails the test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inbox, "_postpone", fail)
        inbox._handle(subject, [])


def fail(events: Any, error: Exception) -> None:
    raise AssertionError("not handled") from error


class Lattice:
    """Every set of events that has been handled, and the state it leads to."""

    def __init__(self, tenant: Tenant, subjects: dict[str, inbox.Subject]) -> None:
        self.tenant, self.subjects = tenant, subjects
        self.states: dict[Events, Any] = {}
        self.steps = 0

    def walk(self, done: Events = frozenset()) -> None:
        """From the present rows, which are those of `done`, each further step, taken back afterwards."""
        self.states.setdefault(done, state(self.tenant))
        for name in WANTED:
            if name in done:
                continue
            place = transaction.savepoint()
            handle(self.subjects[name])
            self.steps += 1
            after, known = done | {name}, self.states.get(done | {name})
            if known is None:
                self.walk(after)
            else:
                assert state(self.tenant) == known, f"{name} after {sorted(done)}"
            transaction.savepoint_rollback(place)


def test_all_5040_orders_of_seven_events_end_in_one_state(
    payments: Simulator, org_a: Tenant, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = [SECRET]
    subjects = lifecycle(payments, org_a)
    for name in READS.split():
        monkeypatch.setattr(gateway, name, recorded(getattr(gateway, name)))
    lattice = Lattice(org_a, subjects)
    with transaction.atomic():
        lattice.walk()
        transaction.set_rollback(True)
    assert connection.in_atomic_block is False
    assert (len(lattice.states), lattice.steps) == (2**7, 7 * 2**6)
    assert orders_of(frozenset()) == factorial(7) == 5_040

    rows, account, pages, (told, changes) = lattice.states[frozenset(WANTED)]
    assert sorted(model for model, _ in rows) == ["invoice", "payment", "subscription"]
    assert (account["currency"], pages, changes) == ("USD", ["complete"], 1)
    assert (told["subscription.changed"], told["invoice.paid"]) == (1, 1)
    # What a worker does with all of them at once is that state as well.
    inbox.handle_events()
    assert state(org_a) == lattice.states[frozenset(WANTED)]
    assert subscription_of(org_a).status == Status.CANCELED


def orders_of(done: Events) -> int:
    """How many paths lead from a set to the full one, each step of which has been taken."""
    return 1 if len(done) == len(WANTED) else sum(orders_of(done | {name}) for name in WANTED if name not in done)
