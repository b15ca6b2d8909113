"""The nightly look at the sums: silent while they equal the ledger, loud when a row was changed behind its back."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db.models import F
from django.utils import timezone

from apps.accounts.models import Membership, Team, TeamMembership
from apps.billing import services as billing
from apps.billing.models import MeterPeriod, UsageHour, UsagePeriod
from apps.core import metrics, tenancy
from tests.apps.billing.test_budgets import team_of
from tests.apps.billing.test_ingest import event, write
from tests.apps.billing.test_usage import use
from tests.helpers.people import Tenant, audit_of


@pytest.fixture
def busy(org_a: Tenant, org_b: Tenant) -> Tenant:
    """An organization with texts, reported usage and usage that came late, beside another with some of its own."""
    now = timezone.now()
    use(org_a, org_a.member, 10, 5)
    team_of(org_a, org_a.member)
    team_of(org_a, org_a.member, name="Readers")
    use(org_a, org_a.member, 7, 2)
    use(org_a, None, 20, 5, key=org_a.api_key)
    write(org_a, [event("1"), event("2", meter="tokens_in", subject=org_a.member.email)])
    last_month = now.replace(day=1) - timedelta(hours=2)
    write(org_a, [event("3", at=last_month)])
    with tenancy.scope(org_a.id):
        UsagePeriod.objects.filter(month=last_month.date().replace(day=1)).update(closed_at=now)
    write(org_a, [event("4", at=last_month)])
    use(org_b, org_b.member, 1, 1)
    return org_a


def counted(sums: str) -> float:
    return float(metrics.ROLLUP_DRIFTS.labels(sums)._value.get())


def test_sums_that_equal_the_ledger_are_nobodys_news(busy: Tenant) -> None:
    assert billing.check_rollups() == []
    assert audit_of(busy, "usage.drift_found") == []


CHANGES: list[tuple[str, Any, dict[str, Any]]] = [
    ("hours", UsageHour, {"quantity": F("quantity") + 1}),
    ("hours", UsageHour, {"prompt_tokens": F("prompt_tokens") + 1}),
    ("hours", UsageHour, {"team_ids": [UUID(int=7)]}),
    ("months", UsagePeriod, {"used_tokens": F("used_tokens") + 1}),
    ("months", UsagePeriod, {"spent_micros": F("spent_micros") + 1}),
    ("meters", MeterPeriod, {"used": F("used") + 1}),
    ("charges", MeterPeriod, {"charged_micros": F("charged_micros") + 1}),
]


@pytest.mark.parametrize(("sums", "table", "change"), CHANGES)
def test_a_sum_that_was_changed_is_reported(busy: Tenant, sums: str, table: Any, change: dict[str, Any]) -> None:
    before = counted(sums)
    with tenancy.scope(busy.id):
        row = table.objects.first()
        table.objects.filter(pk=row.pk).update(**change)
    [drift] = billing.check_rollups()
    assert (drift.organization_id, drift.sums, len(drift.places)) == (busy.id, sums, 1)
    assert counted(sums) == before + 1
    [entry] = audit_of(busy, "usage.drift_found")
    assert entry.detail == {"sums": sums, "count": 1, "places": drift.places[0]}


def test_hours_of_somebody_in_very_many_teams_are_kept_apart_and_together(org_a: Tenant) -> None:
    with tenancy.scope(org_a.id):
        place = Membership.objects.get(user=org_a.member)
        teams = [Team(organization_id=org_a.id, name=f"Team {n}") for n in range(400)]
        Team.objects.bulk_create(teams)
        rows = [TeamMembership(organization_id=org_a.id, team=team, membership=place) for team in teams]
        TeamMembership.objects.bulk_create(rows[:-1])
    use(org_a, org_a.member, 10, 5)
    use(org_a, org_a.member, 7, 2)
    write(org_a, [event("1", meter="tokens_in", subject=org_a.member.email)])
    with tenancy.scope(org_a.id):
        rows[-1].save()
    use(org_a, org_a.member, 1, 1)
    with tenancy.scope(org_a.id):
        texts = UsageHour.objects.filter(meter="").order_by("requests").values_list("requests", "team_ids")
        assert [(requests, len(team_ids)) for requests, team_ids in texts] == [(1, 400), (2, 399)]
        assert len(UsageHour.objects.get(meter="tokens_in").team_ids) == 399
    assert billing.check_rollups() == []


@pytest.mark.parametrize("table", [UsageHour, MeterPeriod])
def test_a_sum_that_is_gone_is_reported(busy: Tenant, table: Any) -> None:
    with tenancy.scope(busy.id):
        table.objects.filter(meter="images").delete()
    assert {drift.sums for drift in billing.check_rollups()} == {"hours" if table is UsageHour else "meters"}
