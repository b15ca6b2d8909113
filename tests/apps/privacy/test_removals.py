"""Removed organizations that a restored backup brings back are removed again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from apps.accounts import services as accounts
from apps.accounts.access import memberships_of
from apps.accounts.models import Membership, Organization, Role
from apps.core import tenancy
from apps.core.errors import Conflict
from apps.privacy import services
from apps.privacy.models import ErasedPerson
from tests.helpers.people import Tenant, acting


def removed(tenant: Tenant) -> None:
    accounts.schedule_deletion(tenant.actor, tenant.organization.name)
    with tenancy.scope(tenant.id):
        Organization.objects.filter(pk=tenant.id).update(deletes_at=timezone.now())
    assert accounts.remove_due(services.note_removal) == 1


def test_an_organization_that_comes_back_with_a_backup_is_removed_again(
    transactional_db: None, org_a: Tenant, org_b: Tenant, folders: Path, owner_connection: Any, capsys: Any
) -> None:
    removed(org_a)
    [line] = [json.loads(text) for text in (folders / "erasures.jsonl").read_text().splitlines()]
    assert line["person"] == line["pseudonym"] == ""
    assert str(org_a.id) not in str(line)
    assert services.reapply_removals() == 0
    owner_connection.execute("TRUNCATE privacy_erasedperson")
    back = accounts.create_organization(org_a.owner, org_a.organization.name)
    assert services.reapply_removals() == 0, "one of the same name is another one"
    with tenancy.scope(org_a.id):
        Organization.objects.create(id=org_a.id, name="Back", slug="back")
        Membership.objects.create(organization_id=org_a.id, user=org_a.owner, role=Role.OWNER)
    call_command("reapply_erasures")
    assert f"will be removed again: {org_a.id}" in capsys.readouterr().out
    assert services.reapply_removals() == 0
    with pytest.raises(Conflict):
        accounts.cancel_deletion(acting(org_a, org_a.owner))
    assert ErasedPerson.objects.count() == 1, "the table has it again"
    assert accounts.remove_due(services.note_removal) == 1
    assert {m.organization_id for m in memberships_of(org_a.owner)} == {back.pk}
    assert len(memberships_of(org_b.owner)) == 1
    assert (folders / "erasures.jsonl").read_text().count("\n") == 1
    assert ErasedPerson.objects.count() == 1


def test_a_removal_that_is_taken_up_again_is_noted_once(org_a: Tenant, folders: Path) -> None:
    for _ in range(2):
        services.note_removal(org_a.id, timezone.now())
    assert (folders / "erasures.jsonl").read_text().count("\n") == ErasedPerson.objects.count() == 1
    assert services.reapply() == 0, "it is about nobody"
