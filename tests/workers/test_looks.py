"""The look around: tasks are sent for what waits, is due, or was lost with its worker, and for nothing else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.mail import EmailMessage
from django.utils import timezone

from apps.core import jobs, looks, mail, tenancy
from apps.core.jobs import Status
from apps.core.models import Mail
from apps.privacy import services as privacy
from apps.privacy.models import Export, Scope
from tests.helpers.people import Tenant
from workers.core import beat
from workers.looks import look

pytestmark = pytest.mark.django_db(transaction=True)


def test_where_nothing_waits_nothing_is_sent(org_a: Tenant) -> None:
    Mail.objects.all().delete()
    assert look().names() == []


def test_mail_is_sent_when_it_is_due() -> None:
    mail.send_in_turn(EmailMessage("Hello", "There.", "desk@example.com", ["somebody@example.com"]))
    assert look().names() == ["core.send_mail"]
    Mail.objects.update(next_at=timezone.now() + timedelta(minutes=5))
    assert look().names() == []


def test_a_job_is_looked_for_while_it_waits_and_when_its_worker_is_lost(org_a: Tenant, org_b: Tenant) -> None:
    """Whosever it is: the question is asked across tenants."""
    for org in (org_a, org_b):
        privacy.request_export(org.actor, Scope.ORGANIZATION)
        assert "privacy.wake" in look().names()
        assert jobs.claim(Export, "a worker", 1)
        assert "privacy.wake" not in look().names()
        with tenancy.scope(org.organization.pk):
            Export.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
        assert "privacy.wake" in look().names()
        with tenancy.scope(org.organization.pk):
            Export.objects.update(status=Status.SUCCEEDED)
        assert "privacy.wake" not in look().names()


def test_the_tick_sends_what_waits(org_a: Tenant, capture_doorbells: list[str]) -> None:
    privacy.request_export(org_a.actor, Scope.ORGANIZATION)
    rung = capture_doorbells.count("privacy.wake")
    beat()
    assert capture_doorbells.count("privacy.wake") == rung + 1


def test_one_question_is_asked(django_assert_num_queries: Callable[..., Any]) -> None:
    look().names()
    with django_assert_num_queries(4):
        # The transaction's beginning, its scope, the question, and the end.
        look().names()


def test_what_this_version_does_not_know_yet_costs_the_look_alone() -> None:
    """While a new version is put in place, a column may not be there yet: then each task looks for itself."""

    def unknown() -> dict[str, Any]:
        return {"core.send_mail": [mail.due().extra(where=["not_yet = 1"])], "privacy.wake": [jobs.due(Export)]}

    assert looks.Look(unknown).names() == ["core.send_mail", "privacy.wake"]
