"""The first wall: code outside a scope cannot read, and a scope never outlives its block."""

import threading
from uuid import uuid4

import pytest
from django.db import connection, transaction

from apps.accounts.models import ApiKey, Membership, Organization
from apps.core import tenancy
from apps.core.tenancy import Across, ScopeMissing, across_tenants, current_organization
from tests.helpers.people import Tenant
from tests.helpers.threads import together


def setting(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(current_setting(%s, true), '')", [name])
        return str(cursor.fetchone()[0])


def raw_keys() -> int:
    """How many API keys PostgreSQL itself shows."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM accounts_apikey")
        return int(cursor.fetchone()[0])


def test_reading_outside_a_scope_raises(org_a: Tenant) -> None:
    with pytest.raises(ScopeMissing, match="ApiKey"):
        ApiKey.objects.count()
    with pytest.raises(ScopeMissing):
        org_a.api_key.refresh_from_db()
    with pytest.raises(ScopeMissing):
        current_organization()


def test_a_scope_shows_its_own_organization_only(org_a: Tenant, org_b: Tenant) -> None:
    with tenancy.scope(org_a.id):
        assert current_organization() == org_a.id
        assert list(ApiKey.objects.values_list("id", flat=True)) == [org_a.api_key.id]
        assert not ApiKey.objects.filter(pk=org_b.api_key.pk).exists()
        assert Membership.objects.count() == 3
        assert list(Organization.objects.all()) == [org_a.organization]


def test_an_unknown_organization_sees_nothing(org_a: Tenant) -> None:
    with tenancy.scope(uuid4()):
        assert not ApiKey.objects.exists()
        assert not Organization.objects.exists()


def test_the_same_scope_may_be_entered_again(org_a: Tenant) -> None:
    with tenancy.scope(org_a.id):
        with tenancy.scope(org_a.id):
            assert ApiKey.objects.count() == 1
        assert current_organization() == org_a.id
        assert raw_keys() == 1


def test_another_organizations_scope_inside_is_refused(org_a: Tenant, org_b: Tenant) -> None:
    with tenancy.scope(org_a.id):
        with pytest.raises(ScopeMissing), tenancy.scope(org_b.id):
            pass
        assert current_organization() == org_a.id
        assert raw_keys() == 1


def test_a_rolled_back_savepoint_leaves_the_outer_scope_whole(org_a: Tenant) -> None:
    with tenancy.scope(org_a.id):
        with pytest.raises(RuntimeError), tenancy.scope(org_a.id):
            ApiKey.objects.update(name="changed")
            raise RuntimeError
        assert ApiKey.objects.get().name == "test key"
        assert setting("app.org") == str(org_a.id)


def test_looking_across_inside_a_scope_ends_with_its_block(org_a: Tenant, org_b: Tenant) -> None:
    with tenancy.scope(org_a.id):
        with across_tenants(Across.REAP):
            assert ApiKey.objects.count() == raw_keys() == 2
        assert ApiKey.objects.count() == raw_keys() == 1
        with pytest.raises(RuntimeError), across_tenants(Across.REAP):
            raise RuntimeError
        assert ApiKey.objects.count() == raw_keys() == 1


def test_a_scope_inside_looking_across_narrows_it(org_a: Tenant, org_b: Tenant) -> None:
    with across_tenants(Across.CLAIM_WORK):
        with tenancy.scope(org_b.id):
            assert ApiKey.objects.get().organization_id == org_b.id
            assert raw_keys() == 1
        assert raw_keys() == 2
        with pytest.raises(ScopeMissing):
            current_organization()


def test_a_scope_ends_within_a_longer_transaction(org_a: Tenant) -> None:
    with transaction.atomic():
        with tenancy.scope(org_a.id):
            assert raw_keys() == 1
        assert setting("app.org") == ""
        assert raw_keys() == 0


@pytest.mark.django_db(transaction=True)
def test_nothing_stays_on_a_connection_that_is_used_again(org_a: Tenant, org_b: Tenant) -> None:
    with tenancy.scope(org_a.id):
        assert raw_keys() == 1
    assert raw_keys() == 0
    with pytest.raises(RuntimeError), across_tenants(Across.OPERATE):
        raise RuntimeError
    assert raw_keys() == 0
    assert setting("app.across") in {"", "off"}
    with tenancy.scope(org_b.id):
        assert ApiKey.objects.get().organization_id == org_b.id


@pytest.mark.django_db(transaction=True)
def test_a_long_answer_is_not_kept_beyond_its_scope(org_a: Tenant) -> None:
    """As a cursor WITH HOLD would be, which Django asks for wherever it takes nobody to have begun a transaction."""
    with tenancy.scope(org_a.id), connection.cursor() as cursor:
        rows = ApiKey.objects.iterator()
        next(rows)
        cursor.execute("SELECT is_holdable FROM pg_cursors WHERE name LIKE '\\_django%'")
        assert cursor.fetchall() == [(False,)]
        rows.close()


@pytest.mark.django_db(transaction=True)
def test_a_scope_that_fails_commits_nothing(org_a: Tenant) -> None:
    with pytest.raises(RuntimeError), tenancy.scope(org_a.id):
        ApiKey.objects.update(name="changed")
        raise RuntimeError
    with tenancy.scope(org_a.id):
        assert ApiKey.objects.get().name == "test key"


@pytest.mark.django_db(transaction=True)
def test_threads_do_not_share_a_scope(org_a: Tenant, org_b: Tenant) -> None:
    inside, looked = threading.Event(), threading.Event()

    def stay_in_a() -> str:
        with tenancy.scope(org_a.id):
            inside.set()
            looked.wait(10)
            return str(ApiKey.objects.get().organization_id)

    def look_meanwhile() -> tuple[type[Exception] | None, int]:
        inside.wait(10)
        try:
            ApiKey.objects.count()
            refusal = None
        except ScopeMissing as error:
            refusal = type(error)
        seen = raw_keys()
        looked.set()
        return refusal, seen

    assert together([stay_in_a, look_meanwhile]) == [str(org_a.id), (ScopeMissing, 0)]
