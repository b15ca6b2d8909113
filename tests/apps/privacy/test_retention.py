"""What an organization chose to keep is kept, what it did not goes at night, and a preview tells before."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.core import tenancy
from apps.core.errors import InvalidRequest, NotFound, PermissionDenied
from apps.core.jobs import Status
from apps.core.models import Event
from apps.privacy import services
from apps.privacy.models import RetentionRule
from apps.privacy.services import retention
from apps.registry.models import ModelVersion
from apps.studio.models import Generation
from tests.helpers.people import Tenant
from tests.helpers.privacy import acting
from tests.helpers.studio import add_rows
from workers import privacy as worker


def aged(tenant: Tenant, model: ModelVersion, days: int, count: int = 1, status: str = Status.SUCCEEDED) -> None:
    ended = timezone.now() - timedelta(days=days)
    add_rows(tenant, model, count, status=status, finished_at=None if status == Status.QUEUED else ended)


def left(tenant: Tenant) -> int:
    with tenancy.scope(tenant.id):
        return int(Generation.objects.count())


def test_nothing_goes_until_somebody_chooses(org_a: Tenant, model: ModelVersion) -> None:
    aged(org_a, model, days=4000)
    worker.apply_retention()
    assert left(org_a) == 1
    assert {(term.kind.name, term.days, term.chosen) for term in services.terms(org_a.id)} == {
        ("generations", None, False),
        ("events", None, False),
        ("bulk_runs", None, False),
        # Those that somebody has deleted, until nobody can take that back.
        ("conversations", 7, False),
        ("webhook_deliveries", 30, False),
        ("webhook_callbacks", 30, False),
        ("inbound_calls", 30, False),
        ("support_sessions", 400, False),
        ("support_conversations", None, False),
        ("support_received_mails", 800, False),
        ("support_bot_calls", 14, False),
        ("support_turns", 30, False),
        ("story_runs", 180, False),
    }


def test_events_go_too_though_the_application_may_only_add_them(org_a: Tenant, org_b: Tenant) -> None:
    for tenant in (org_a, org_b):
        with tenancy.scope(tenant.id):
            Event.objects.create(
                organization_id=tenant.id,
                position=1000,
                type="old",
                object_id=tenant.id,
                created_at=timezone.now() - timedelta(days=8),
            )
    services.set_term(org_a.actor, "events", 7)
    assert services.preview_term(org_a.actor, "events", 7) == 1
    worker.apply_retention()
    for tenant, gone in ((org_a, True), (org_b, False)):
        with tenancy.scope(tenant.id):
            found = list(Event.objects.values_list("type", flat=True))
            assert ("old" not in found) == gone
            assert "organization.created" in found, "what is younger stays"


def test_a_term_is_carried_out_for_that_organization_alone(
    org_a: Tenant, org_b: Tenant, model: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    for tenant in (org_a, org_b):
        aged(tenant, model, days=31, count=5)
        aged(tenant, model, days=29, count=3)
    aged(org_a, model, days=99, status=Status.QUEUED)
    services.set_term(org_a.actor, "generations", 30)
    assert services.preview_term(org_a.actor, "generations", 30) == 5
    worker.apply_retention()
    assert (left(org_a), left(org_b)) == (4, 8)
    assert services.preview_term(org_a.actor, "generations", 30) == 0
    with tenancy.scope(org_a.id):
        entry = AuditEntry.objects.get(action="privacy.retention_applied")
        assert entry.detail == {"kind": "generations", "days": 30, "rows": 5}


def test_a_night_that_is_too_short_goes_on(
    org_a: Tenant, model: ModelVersion, monkeypatch: pytest.MonkeyPatch, _no_real_doorbell: list[str]
) -> None:
    aged(org_a, model, days=31, count=3)
    services.set_term(org_a.actor, "generations", 30)
    _no_real_doorbell.clear()
    monkeypatch.setattr(worker, "RETENTION_SECONDS", 0.0)
    worker.apply_retention()
    assert _no_real_doorbell == ["privacy.apply_retention"]
    assert left(org_a) == 3


def test_a_preview_changes_nothing_and_needs_no_right_to_change(org_a: Tenant, model: ModelVersion) -> None:
    aged(org_a, model, days=31)
    assert services.preview_term(org_a.actor, "generations", 7) == 1
    assert services.preview_term(org_a.actor, "generations", None) == 0
    assert left(org_a) == 1
    with pytest.raises(PermissionDenied):
        services.preview_term(acting(org_a, org_a.member), "generations", 7)


@pytest.mark.parametrize("days", [0, 3651])
def test_bounds_hold(org_a: Tenant, days: int) -> None:
    with pytest.raises(InvalidRequest):
        services.set_term(org_a.actor, "generations", days)


@pytest.mark.parametrize("name", ["ledger", "audit_heads", "nothing", ""])
def test_what_has_no_term_gets_none(org_a: Tenant, name: str) -> None:
    with pytest.raises(NotFound):
        services.set_term(org_a.actor, name, 30)


def test_choosing_is_for_whoever_manages_privacy_and_audited(org_a: Tenant, org_b: Tenant) -> None:
    with pytest.raises(PermissionDenied):
        services.set_term(acting(org_a, org_a.member), "generations", 30)
    services.set_term(org_a.actor, "generations", 30)
    services.set_term(acting(org_a, org_a.admin), "generations", None)
    with tenancy.scope(org_a.id):
        assert RetentionRule.objects.get().days is None
        entry = AuditEntry.objects.filter(action="privacy.retention_changed").order_by("-id").first()
        assert (entry.before, entry.after) == ({"days": 30}, {"days": None})
    with tenancy.scope(org_b.id):
        assert not RetentionRule.objects.exists()
