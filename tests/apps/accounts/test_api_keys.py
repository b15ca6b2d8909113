"""API keys: shown once, kept as a hash, ended at once, and never more than their scopes."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.utils import timezone

from apps.accounts import services
from apps.accounts.models import ApiKey, AuditEntry
from apps.accounts.permissions import KEY_SCOPES, PERMISSIONS
from apps.core import tenancy
from apps.core.errors import InvalidRequest, NotFound, PermissionDenied
from apps.core.models import Event
from tests.helpers.people import Tenant, actor_of


def test_a_secret_is_given_once_and_kept_as_a_hash(org_a: Tenant) -> None:
    key, secret = services.create_api_key(org_a.actor, "  deploy  ")
    assert secret.startswith("mr_")
    assert len(secret) > 40
    assert (key.name, key.prefix) == ("deploy", secret[:10])
    with tenancy.scope(org_a.id), connection.cursor() as cursor:
        for table in ("accounts_apikey", "accounts_auditentry", "core_event"):
            cursor.execute(f"SELECT string_agg(t::text, '') FROM {table} t")
            assert secret not in cursor.fetchone()[0], table
        cursor.execute("SELECT digest FROM accounts_apikey WHERE id = %s", [key.pk])
        assert cursor.fetchone()[0] == services.digest(secret)


def test_creating_a_key_is_recorded(org_a: Tenant) -> None:
    key, _ = services.create_api_key(org_a.actor, "deploy", ["models:read"])
    with tenancy.scope(org_a.id):
        entry = AuditEntry.objects.get(object_id=key.pk)
        event = Event.objects.order_by("-position").first()
    assert (entry.action, entry.object_id, entry.user_id) == ("api_key.created", key.pk, org_a.owner.pk)
    assert (event.type, event.object_id) == ("api_key.created", key.pk)


def test_a_key_acts_with_its_scopes_only(org_a: Tenant) -> None:
    _, secret = services.create_api_key(org_a.actor, "reader", ["models:read"])
    found = services.find_api_key(secret)
    assert found is not None
    actor = services.actor_of_key(found)
    assert (actor.organization_id, actor.permissions) == (org_a.id, frozenset({"models:read"}))
    with pytest.raises(PermissionDenied):
        actor.require("generations:write")


def test_no_key_can_make_keys(org_a: Tenant) -> None:
    assert "keys:manage" not in KEY_SCOPES
    assert set(KEY_SCOPES) < set(PERMISSIONS)
    with tenancy.scope(org_a.id):
        ApiKey.objects.filter(pk=org_a.api_key.pk).update(scopes=["keys:manage", "models:read"])
    found = services.find_api_key(org_a.key)
    assert found is not None
    actor = services.actor_of_key(found)
    assert actor.permissions == {"models:read"}
    with pytest.raises(PermissionDenied):
        services.create_api_key(actor, "child")


@pytest.mark.parametrize(
    ("name", "scopes", "param"),
    [
        ("", KEY_SCOPES, "name"),
        ("   ", KEY_SCOPES, "name"),
        ("x" * 81, KEY_SCOPES, "name"),
        ("ok", [], "scopes"),
        ("ok", ["everything"], "scopes"),
        ("ok", ["keys:manage"], "scopes"),
    ],
)
def test_a_senseless_key_is_refused(org_a: Tenant, name: str, scopes: list[str], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        services.create_api_key(org_a.actor, name, scopes)
    assert refused.value.param == param


def test_a_revoked_key_ends_at_once(org_a: Tenant) -> None:
    assert services.find_api_key(org_a.key) is not None
    services.revoke_api_key(org_a.actor, org_a.api_key.pk)
    assert services.find_api_key(org_a.key) is None
    with tenancy.scope(org_a.id):
        entries = AuditEntry.objects.filter(action="api_key.revoked").count()
    services.revoke_api_key(org_a.actor, org_a.api_key.pk)
    with tenancy.scope(org_a.id):
        assert AuditEntry.objects.filter(action="api_key.revoked").count() == entries == 1


def test_an_unknown_secret_is_nobody(org_a: Tenant) -> None:
    for secret in ("", "mr_", org_a.key[:-1], org_a.key + "x", org_a.api_key.digest, "ключ", "nul\0"):
        assert services.find_api_key(secret) is None


def test_another_organizations_key_is_not_there(org_a: Tenant, org_b: Tenant) -> None:
    for key_id in (org_b.api_key.pk, uuid4()):
        with pytest.raises(NotFound) as refused:
            services.revoke_api_key(org_a.actor, key_id)
        assert refused.value.message == "There is no API key with this id."
    assert services.find_api_key(org_b.key) is not None


def test_members_may_not_touch_keys(org_a: Tenant) -> None:
    for user, allowed in ((org_a.member, False), (org_a.admin, True)):
        actor = actor_of(user)
        for act in (
            lambda actor=actor: services.create_api_key(actor, "x"),
            lambda actor=actor: services.revoke_api_key(actor, org_a.api_key.pk),
        ):
            if allowed:
                act()
            else:
                with pytest.raises(PermissionDenied):
                    act()


def test_last_use_is_noted_to_the_minute(org_a: Tenant) -> None:
    services.admit_api_key(org_a.key, "203.0.113.7")

    def last_used() -> Any:
        with tenancy.scope(org_a.id):
            return ApiKey.objects.get()

    first = last_used()
    assert first.last_used_at is not None
    assert first.last_used_address == "203.0.113.7"
    services.admit_api_key(org_a.key, "203.0.113.8")
    assert last_used().last_used_at == first.last_used_at
    with tenancy.scope(org_a.id):
        ApiKey.objects.update(last_used_at=timezone.now() - timedelta(minutes=2))
    services.admit_api_key(org_a.key, "")
    assert timezone.now() - last_used().last_used_at < timedelta(minutes=1)
    assert last_used().last_used_address is None
