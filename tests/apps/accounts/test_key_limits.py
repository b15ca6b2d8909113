"""Whose a key is, until when and from where it works, and how one is exchanged for another."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts import services
from apps.accounts.access import ActorKind
from apps.accounts.models import ApiKey, Membership, Role
from apps.core import tenancy
from apps.core.errors import (
    AddressNotAllowed,
    Conflict,
    InvalidApiKey,
    InvalidRequest,
    KeyExpired,
    MillraceError,
    NotFound,
    PermissionDenied,
)
from tests.helpers.people import Tenant, acting, add_person, audit_of, member_of

HERE = "203.0.113.7"


def limits(**given: Any) -> services.KeyLimits:
    return services.KeyLimits(**given)


def set_key(tenant: Tenant, key: ApiKey, **values: Any) -> None:
    with tenancy.scope(tenant.id):
        ApiKey.objects.filter(pk=key.pk).update(**values)


def permissions_of(secret: str) -> frozenset[str]:
    return services.actor_of_key(services.admit_api_key(secret, HERE)).permissions


# ---------------------------------------------------------------- whose it is


def test_a_key_never_does_more_than_its_maker(org_a: Tenant) -> None:
    role = services.create_role(org_a.actor, "Keys", ["keys:manage", "models:read"])
    keeper = acting(org_a, add_person(org_a, "keeper", Role.CUSTOM, role))
    services.create_api_key(keeper, "fine", ["models:read"])
    with pytest.raises(PermissionDenied):
        services.create_api_key(keeper, "more", ["models:read", "usage:read"])


def test_a_key_loses_what_its_member_loses(org_a: Tenant) -> None:
    _, secret = services.create_api_key(acting(org_a, org_a.admin), "theirs", ["generations:read", "models:read"])
    assert permissions_of(secret) == {"generations:read", "models:read"}
    services.change_role(org_a.actor, member_of(org_a, org_a.admin).pk, Role.BILLING)
    assert permissions_of(secret) == {"models:read"}


def test_a_key_of_somebody_who_is_no_member_any_more_is_nobodys(org_a: Tenant) -> None:
    _, secret = services.create_api_key(acting(org_a, org_a.admin), "theirs")
    with tenancy.scope(org_a.id):
        Membership.objects.filter(user=org_a.admin).delete()
    with pytest.raises(InvalidApiKey):
        services.admit_api_key(secret, HERE)


def test_a_person_who_is_locked_has_no_keys(org_a: Tenant) -> None:
    org_a.owner.is_active = False
    org_a.owner.save()
    assert services.find_api_key(org_a.key) is None


def test_a_service_account_has_keys_of_its_own_and_one_switch(org_a: Tenant) -> None:
    account = services.create_service_account(org_a.actor, "Robot", Role.MEMBER)
    _, secret = services.create_api_key(
        org_a.actor, "robot", ["models:read", "members:read"], limits(service_account_id=account.pk)
    )
    actor = services.actor_of_key(services.admit_api_key(secret, HERE))
    assert (actor.kind, actor.name, actor.user_id) == (ActorKind.SERVICE_ACCOUNT, "Robot", None)
    assert actor.permissions == {"models:read"}
    services.switch_service_account(org_a.actor, account.pk, on=False)
    with pytest.raises(InvalidApiKey):
        services.admit_api_key(secret, HERE)
    with pytest.raises(Conflict):
        services.create_api_key(org_a.actor, "another", limits=limits(service_account_id=account.pk))
    services.switch_service_account(org_a.actor, account.pk, on=True)
    assert services.admit_api_key(secret, HERE)
    [entry] = audit_of(org_a, "service_account.disabled")
    assert entry.detail["keys"] == 1


def test_a_service_account_is_never_more_than_whoever_manages_it(org_a: Tenant) -> None:
    admin = acting(org_a, org_a.admin)
    for actor in (org_a.actor, admin):
        with pytest.raises(PermissionDenied):
            services.create_service_account(actor, "Owner", Role.OWNER)
    role = services.create_role(org_a.actor, "Keys", ["keys:manage"])
    keeper = acting(org_a, add_person(org_a, "keeper", Role.CUSTOM, role))
    with pytest.raises(PermissionDenied):
        services.create_service_account(keeper, "Strong", Role.MEMBER)
    account = services.create_service_account(admin, "Strong", Role.ADMIN)
    for act in (
        lambda: services.switch_service_account(keeper, account.pk, on=False),
        lambda: services.change_service_account(keeper, account.pk, name="Mine"),
        lambda: services.change_service_account(admin, account.pk, role=(Role.OWNER, None)),
    ):
        with pytest.raises(PermissionDenied):
            act()


def test_a_service_account_is_changed_and_its_name_is_its_own(org_a: Tenant) -> None:
    account = services.create_service_account(org_a.actor, "Robot", Role.MEMBER)
    services.change_service_account(org_a.actor, account.pk, name="Robot 2", role=(Role.AUDITOR, None))
    [entry] = audit_of(org_a, "service_account.changed")
    assert (entry.before["role"], entry.after["role"], entry.after["name"]) == ("member", "auditor", "Robot 2")
    with pytest.raises(Conflict):
        services.create_service_account(org_a.actor, "ROBOT 2", Role.MEMBER)
    with pytest.raises(InvalidRequest):
        services.create_service_account(org_a.actor, " ", Role.MEMBER)


def test_another_organizations_service_account_is_not_there(org_a: Tenant, org_b: Tenant) -> None:
    theirs = services.create_service_account(org_b.actor, "Theirs", Role.MEMBER)
    for id in (theirs.pk, uuid4()):
        for act in (
            lambda id=id: services.get_service_account(org_a.actor, id),
            lambda id=id: services.switch_service_account(org_a.actor, id, on=False),
            lambda id=id: services.change_service_account(org_a.actor, id, name="Ours"),
            lambda id=id: services.create_api_key(org_a.actor, "x", limits=limits(service_account_id=id)),
        ):
            with pytest.raises(NotFound) as refused:
                act()
            assert refused.value.message == "There is no service account with this id."


# ---------------------------------------------------------------- until when, and from where


def test_an_expired_key_is_told_so(org_a: Tenant) -> None:
    key, secret = services.create_api_key(
        org_a.actor, "short", limits=limits(expires_at=timezone.now() + timedelta(days=1))
    )
    assert services.admit_api_key(secret, HERE)
    set_key(org_a, key, expires_at=timezone.now())
    with pytest.raises(KeyExpired):
        services.admit_api_key(secret, HERE)
    with pytest.raises(InvalidRequest) as refused:
        services.create_api_key(org_a.actor, "past", limits=limits(expires_at=timezone.now()))
    assert refused.value.param == "expires_at"


@pytest.mark.parametrize(
    ("networks", "address", "allowed"),
    [
        (["203.0.113.0/24"], HERE, True),
        (["203.0.113.7"], HERE, True),
        (["203.0.113.77/24"], HERE, True),
        (["198.51.100.0/24"], HERE, False),
        (["198.51.100.0/24", " 203.0.113.0/28 "], HERE, True),
        (["2001:db8::/32"], "2001:db8:1::5", True),
        (["2001:db8::/32"], "2001:db9::5", False),
        (["2001:db8::/32"], HERE, False),
        (["203.0.113.0/24"], "", False),
        ([], "", True),
    ],
)
def test_a_key_works_from_its_networks_only(org_a: Tenant, networks: list[str], address: str, allowed: bool) -> None:
    _, secret = services.create_api_key(org_a.actor, "narrow", limits=limits(networks=networks))
    if allowed:
        assert services.admit_api_key(secret, address)
    else:
        with pytest.raises(AddressNotAllowed):
            services.admit_api_key(secret, address)


def test_a_refused_call_is_no_use(org_a: Tenant) -> None:
    key, secret = services.create_api_key(org_a.actor, "narrow", limits=limits(networks=["198.51.100.0/24"]))
    with pytest.raises(AddressNotAllowed):
        services.admit_api_key(secret, HERE)
    assert services.get_api_key(org_a.actor, key.pk).last_used_at is None


@pytest.mark.parametrize("network", ["everywhere", "203.0.113.0/33", "203.0.113", "", "1.2.3.4/24/8"])
def test_what_is_no_network_is_refused_by_name(org_a: Tenant, network: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        services.create_api_key(org_a.actor, "x", limits=limits(networks=[network]))
    assert refused.value.param == "allowed_networks"


@pytest.mark.parametrize(
    ("column", "value", "status", "code"),
    [
        ("expires_at", "2020-01-01T00:00:00Z", 401, "key_expired"),
        ("allowed_networks", ["198.51.100.0/24"], 403, "address_not_allowed"),
        ("revoked_at", "2020-01-01T00:00:00Z", 401, "invalid_api_key"),
    ],
)
def test_both_apis_say_why_a_key_does_not_work(
    org_a: Tenant, model: Any, column: str, value: Any, status: int, code: str
) -> None:
    set_key(org_a, org_a.api_key, **{column: value})
    for path in ("/v1/models", "/api/v1/generations"):
        response = Client().get(path, headers=org_a.bearer)
        assert (response.status_code, response.json()["error"]["code"]) == (status, code)


# ---------------------------------------------------------------- rotation


def test_a_rotated_key_and_its_successor_both_work_for_as_long_as_was_said(org_a: Tenant) -> None:
    old, secret = services.create_api_key(org_a.actor, "deploy", ["models:read"], limits(networks=["203.0.113.0/24"]))
    new, fresh = services.rotate_api_key(org_a.actor, old.pk, timedelta(hours=1))
    assert fresh != secret
    assert (new.name, new.scopes, new.allowed_networks, new.replaces_id) == (
        "deploy",
        ["models:read"],
        ["203.0.113.0/24"],
        old.pk,
    )
    assert permissions_of(secret) == permissions_of(fresh) == {"models:read"}
    until = services.get_api_key(org_a.actor, old.pk).expires_at
    assert until is not None
    assert timedelta(minutes=59) < until - timezone.now() <= timedelta(hours=1)
    set_key(org_a, old, expires_at=timezone.now())
    with pytest.raises(KeyExpired):
        services.admit_api_key(secret, HERE)
    assert permissions_of(fresh)
    [entry] = audit_of(org_a, "api_key.rotated")
    assert entry.object_id == new.pk


def test_without_overlap_the_old_key_ends_at_once_and_never_lives_longer_than_it_would_have(org_a: Tenant) -> None:
    services.rotate_api_key(org_a.actor, org_a.api_key.pk)
    with pytest.raises(KeyExpired):
        services.admit_api_key(org_a.key, HERE)
    ends = timezone.now() + timedelta(hours=1)
    short, _ = services.create_api_key(org_a.actor, "short", limits=limits(expires_at=ends))
    services.rotate_api_key(org_a.actor, short.pk, timedelta(days=2))
    assert services.get_api_key(org_a.actor, short.pk).expires_at == ends


def test_a_key_is_rotated_once_and_by_its_own_member(org_a: Tenant) -> None:
    admin = acting(org_a, org_a.admin)
    with pytest.raises(PermissionDenied):
        services.rotate_api_key(admin, org_a.api_key.pk, timedelta(hours=1))
    services.rotate_api_key(org_a.actor, org_a.api_key.pk, timedelta(hours=1))
    with pytest.raises(Conflict):
        services.rotate_api_key(org_a.actor, org_a.api_key.pk, timedelta(hours=1))
    revoked, _ = services.create_api_key(org_a.actor, "gone")
    services.revoke_api_key(org_a.actor, revoked.pk)
    with pytest.raises(Conflict):
        services.rotate_api_key(org_a.actor, revoked.pk)
    for overlap in (timedelta(days=31), timedelta(seconds=-1)):
        with pytest.raises(InvalidRequest):
            services.rotate_api_key(org_a.actor, org_a.api_key.pk, overlap)


def test_a_service_accounts_key_is_rotated_by_whoever_may_do_as_much(org_a: Tenant) -> None:
    account = services.create_service_account(org_a.actor, "Robot", Role.MEMBER)
    key, _ = services.create_api_key(org_a.actor, "robot", limits=limits(service_account_id=account.pk))
    role = services.create_role(org_a.actor, "Keys", ["keys:manage"])
    keeper = acting(org_a, add_person(org_a, "keeper", Role.CUSTOM, role))
    with pytest.raises(PermissionDenied):
        services.rotate_api_key(keeper, key.pk)
    new, _ = services.rotate_api_key(acting(org_a, org_a.admin), key.pk)
    assert new.service_account_id == account.pk


def test_another_organizations_key_cannot_be_rotated(org_a: Tenant, org_b: Tenant) -> None:
    for key_id in (org_b.api_key.pk, uuid4()):
        with pytest.raises(NotFound):
            services.rotate_api_key(org_a.actor, key_id)
    assert services.admit_api_key(org_b.key, HERE)


def test_staff_who_act_as_a_person_leave_no_key_of_that_person_behind(org_a: Tenant) -> None:
    staff = replace(org_a.actor, impersonator_id=uuid4())
    for act in (
        lambda: services.create_api_key(staff, "lasting"),
        lambda: services.rotate_api_key(staff, org_a.api_key.pk),
    ):
        with pytest.raises(MillraceError):
            act()
