"""What an entry holds, and that whatever changes behind the services leaves one too."""

from typing import Any
from uuid import uuid4

import pytest
import structlog
from django.db import connection, transaction

from apps.accounts import audit, services
from apps.accounts.access import Actor, ActorKind
from apps.accounts.models import ApiKey, AuditEntry, Membership, Organization, Role
from apps.core import tenancy
from tests.helpers.people import Tenant, make_user


def run_deferred() -> None:
    """What PostgreSQL does when the transaction commits."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET CONSTRAINTS ALL DEFERRED")


def entries(tenant: Tenant) -> list[AuditEntry]:
    with tenancy.scope(tenant.id):
        return list(AuditEntry.objects.order_by("sequence"))


@pytest.fixture
def quiet(org_a: Tenant) -> Tenant:
    """org_a with everything that its making left to be recorded already recorded."""
    run_deferred()
    return org_a


@pytest.mark.django_db(transaction=True)
def test_an_act_is_recorded_with_who_what_and_where(org_a: Tenant) -> None:
    staff = make_user("staff@millrace.example")
    account = services.create_service_account(org_a.actor, "Robot", "member")
    actor = Actor(
        org_a.id, org_a.actor.permissions, org_a.owner.pk, name="owner@org-a.example", impersonator_id=staff.pk
    )
    with structlog.contextvars.bound_contextvars(request_id="req_1", address="192.0.2.7", agent="curl/8"):
        limits = services.KeyLimits(service_account_id=account.pk)
        services.create_api_key(actor, "Robot", ["models:read"], limits)
    entry = entries(org_a)[-1]
    assert (entry.actor_kind, entry.actor_name, entry.user_id) == (
        ActorKind.USER,
        "owner@org-a.example",
        org_a.owner.pk,
    )
    assert (entry.impersonator_id, entry.impersonator_name) == (staff.pk, "staff@millrace.example")
    assert (entry.action, entry.object_type, entry.object_name) == (
        "api_key.created",
        "accounts.apikey",
        str(key(org_a)),
    )
    assert (entry.request_id, entry.address, entry.agent) == ("req_1", "192.0.2.7", "curl/8")
    assert entry.detail == {
        "name": "Robot",
        "scopes": ["models:read"],
        "owner": "Robot",
        "expires_at": None,
        "networks": [],
    }


def key(tenant: Tenant) -> ApiKey:
    with tenancy.scope(tenant.id):
        found: ApiKey = ApiKey.objects.newest_first()[0]
        return found


def test_before_and_after_are_kept(org_a: Tenant) -> None:
    with tenancy.scope(org_a.id):
        audit.record(org_a.actor, "x.renamed", org_a.organization, before={"name": "A"}, after={"name": "B"}, why="y")
    entry = entries(org_a)[-1]
    assert (entry.before, entry.after, entry.detail) == ({"name": "A"}, {"name": "B"}, {"why": "y"})


def test_what_is_rolled_back_was_never_recorded(org_a: Tenant) -> None:
    before = len(entries(org_a))
    with pytest.raises(RuntimeError), tenancy.scope(org_a.id):
        audit.record(org_a.actor, "x.happened", org_a.organization)
        raise RuntimeError
    with tenancy.scope(org_a.id):
        audit.record(org_a.actor, "x.happened", org_a.organization)
    assert [entry.sequence for entry in entries(org_a)] == list(range(1, before + 2))


def test_each_organization_counts_for_itself(org_a: Tenant, org_b: Tenant) -> None:
    assert [entry.sequence for entry in entries(org_a)] == [entry.sequence for entry in entries(org_b)]


def test_nobody_chooses_an_entrys_place_or_time(org_a: Tenant) -> None:
    last = entries(org_a)[-1]
    with tenancy.scope(org_a.id):
        forged = {"sequence": 1, "hash": "f" * 64, "previous_hash": "0" * 64, "created_at": "2001-01-01T00:00:00Z"}
        AuditEntry.objects.create(
            organization_id=org_a.id, action="x", object_type="x", object_id=uuid4(), erasure=1, **forged
        )
    entry = entries(org_a)[-1]
    assert (entry.sequence, entry.previous_hash, entry.erasure) == (last.sequence + 1, last.hash, None)
    assert entry.created_at >= last.created_at


def test_what_a_service_recorded_appears_once(quiet: Tenant) -> None:
    before = len(entries(quiet))
    with transaction.atomic():
        services.revoke_api_key(quiet.actor, quiet.api_key.pk)
        run_deferred()
    assert [entry.action for entry in entries(quiet)[before:]] == ["api_key.revoked"]


@pytest.mark.django_db(transaction=True)
def test_a_bulk_edit_is_seen_row_by_row(org_a: Tenant) -> None:
    before = len(entries(org_a))
    with tenancy.scope(org_a.id):
        Membership.objects.filter(role=Role.MEMBER).update(role=Role.OWNER)
        Membership.objects.filter(role=Role.ADMIN).delete()
    changed, removed = entries(org_a)[before:]
    assert (changed.action, changed.actor_kind, changed.object_name) == (
        "database.updated",
        "database",
        org_a.member.email,
    )
    assert (changed.before, changed.after) == ({"role": "member"}, {"role": "owner"})
    assert changed.detail["database_role"] == "millrace_app"
    assert (removed.action, removed.object_name, removed.after) == ("database.deleted", org_a.admin.email, None)
    assert removed.before is not None and removed.before["role"] == "admin"


@pytest.mark.django_db(transaction=True)
def test_what_goes_along_with_an_act_is_the_actors(org_a: Tenant) -> None:
    before = len(entries(org_a))
    with tenancy.scope(org_a.id):
        Membership.objects.filter(role=Role.MEMBER).update(role=Role.AGENT)
        services.revoke_api_key(org_a.actor, org_a.api_key.pk)
    act, along = entries(org_a)[before:]
    assert (act.action, along.action) == ("api_key.revoked", "row.updated")
    assert (along.user_id, along.actor_name, along.after) == (act.user_id, act.actor_name, {"role": "agent"})
    assert along.transaction_id == act.transaction_id


@pytest.mark.django_db(transaction=True)
def test_a_secret_that_is_swapped_is_seen_but_not_shown(org_a: Tenant) -> None:
    with tenancy.scope(org_a.id):
        ApiKey.objects.filter(pk=org_a.api_key.pk).update(digest="d" * 64)
    entry = entries(org_a)[-1]
    assert (entry.action, entry.after) == ("database.updated", {"digest": "(secret)"})


@pytest.mark.django_db(transaction=True)
def test_no_digest_enters_with_a_new_row_and_use_is_no_news(org_a: Tenant) -> None:
    with tenancy.scope(org_a.id):
        ApiKey.objects.create(organization_id=org_a.id, name="sneaked in", prefix="mr_x", digest="e" * 64)
    before = entries(org_a)
    assert before[-1].after["name"] == "sneaked in"
    assert not {"digest", "last_used_at"} & set(before[-1].after)
    assert services.find_api_key(org_a.key) is not None
    assert len(entries(org_a)) == len(before)


@pytest.mark.django_db(transaction=True)
def test_a_change_of_the_organization_itself_is_seen(org_a: Tenant) -> None:
    with tenancy.scope(org_a.id):
        Organization.objects.update(name="Taken over")
    entry = entries(org_a)[-1]
    assert (entry.object_type, entry.after) == ("accounts.organization", {"name": "Taken over"})


@pytest.mark.django_db(transaction=True)
def test_the_scope_is_as_it_was_after_a_trigger_wrote(org_a: Tenant, org_b: Tenant) -> None:
    with tenancy.scope(org_a.id):
        Membership.objects.filter(role=Role.MEMBER).update(role=Role.AGENT)
        run_deferred()
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('app.org'), count(*) FROM accounts_membership")
            assert cursor.fetchone() == (str(org_a.id), 3)
    assert not [entry for entry in entries(org_b) if entry.object_name == org_a.member.email]


@pytest.mark.django_db(transaction=True)
def test_an_audited_table_is_not_emptied_in_passing(org_a: Tenant, owner_connection: Any) -> None:
    with pytest.raises(Exception, match="is audited"):
        owner_connection.execute("TRUNCATE accounts_membership CASCADE")
