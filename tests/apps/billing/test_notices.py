"""Mails about a subscription: to those who can do something about it, in time, and once."""

from collections.abc import Callable

import pytest
from django.core import mail as django_mail

from apps.accounts.models import Role
from apps.billing import services as billing
from apps.billing.services.notices import tell_of_subscriptions
from apps.core import mail
from tests.helpers.billing import subscribe, subscription_of
from tests.helpers.people import Tenant, add_person
from tests.helpers.stripe_simulator import Simulator

pytestmark = pytest.mark.django_db(transaction=True)
PassTime = Callable[[float], None]


def told(tenant: Tenant) -> list[tuple[str, str]]:
    """Who was told what since the last look."""
    django_mail.outbox.clear()
    billing.refresh(tenant.id)
    for _ in range(2):
        tell_of_subscriptions()
    mail.deliver_due()
    return sorted((message.to[0], message.subject) for message in django_mail.outbox)


def test_owners_are_told_of_the_end_of_a_trial_three_days_before(
    payments: Simulator, org_a: Tenant, pass_time: PassTime
) -> None:
    subscribe(payments, org_a, trial=True)
    pass_time(10.9)
    assert told(org_a) == []
    pass_time(0.2)
    assert told(org_a) == [(org_a.owner.email, "The trial of Org-A ends soon")]
    assert told(org_a) == []


def test_of_a_failed_payment_before_it_has_consequences_and_of_the_end(
    payments: Simulator, org_a: Tenant, org_b: Tenant, pass_time: PassTime
) -> None:
    bookkeeper = add_person(org_a, "bookkeeper", Role.BILLING)
    row = subscribe(payments, org_a, seats=4)
    card = str(payments.client.v1.subscriptions.retrieve(row.stripe_id).default_payment_method)
    payments.do("decline", payment_method=card, reason="card_declined/insufficient_funds")
    payments.do("billing", retry_days=[20])
    pass_time(31)
    both = sorted([bookkeeper.email, org_a.owner.email])
    assert told(org_a) == [(to, "A payment of Org-A has failed") for to in both]
    assert "/settings/billing/pay/" in str(django_mail.outbox[0].body)
    pass_time(3)
    assert told(org_a) == []
    pass_time(2.5)
    assert told(org_a) == [(to, "Org-A can soon start nothing new") for to in both]
    billing.cancel_subscription(org_a.actor, at_once=True)
    assert subscription_of(org_a).ended_at is not None
    assert told(org_a) == [(to, "The subscription of Org-A has ended") for to in both]
    assert "/settings/privacy/" in str(django_mail.outbox[0].body)
    assert told(org_a) == told(org_b) == []
