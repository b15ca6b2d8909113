"""Handing an organization over: typed, offered, accepted by whoever was asked, and never without an owner."""

from datetime import timedelta

import pytest
from django.utils import timezone

from apps.accounts import services
from apps.accounts.models import OwnershipTransfer, Role, User
from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from tests.helpers.people import Tenant, acting, add_person, audit_of, events_of, member_of
from tests.helpers.threads import together


def offer(tenant: Tenant, to: User, by: User | None = None) -> OwnershipTransfer:
    actor = acting(tenant, by) if by else tenant.actor
    return services.offer_ownership(actor, member_of(tenant, to).pk, tenant.organization.name)


def test_who_accepts_owns_and_who_offered_is_an_admin(org_a: Tenant) -> None:
    offer(org_a, org_a.member)
    assert member_of(org_a, org_a.member).role == Role.MEMBER
    services.accept_ownership(acting(org_a, org_a.member))
    assert member_of(org_a, org_a.member).role == Role.OWNER
    assert member_of(org_a, org_a.owner).role == Role.ADMIN
    [entry] = audit_of(org_a, "ownership.transferred")
    assert (entry.before, entry.after) == ({"owner": org_a.owner.email}, {"owner": org_a.member.email})
    assert events_of(org_a)[-2:] == ["ownership.offered", "ownership.transferred"]
    with pytest.raises(NotFound):
        services.accept_ownership(acting(org_a, org_a.member))


def test_it_asks_for_the_typed_name(org_a: Tenant) -> None:
    with pytest.raises(InvalidRequest):
        services.offer_ownership(org_a.actor, member_of(org_a, org_a.member).pk, "Org")
    assert services.pending_transfer(org_a.actor) is None


def test_only_owners_offer_and_only_to_members(org_a: Tenant, org_b: Tenant) -> None:
    with pytest.raises(PermissionDenied):
        offer(org_a, org_a.member, by=org_a.admin)
    with pytest.raises(NotFound):
        services.offer_ownership(org_a.actor, member_of(org_b, org_b.member).pk, org_a.organization.name)
    with pytest.raises(Conflict):
        offer(org_a, org_a.owner)


def test_nobody_else_answers(org_a: Tenant, org_b: Tenant) -> None:
    offer(org_a, org_a.member)
    for actor in (acting(org_a, org_a.admin), org_a.actor, org_b.actor):
        with pytest.raises(NotFound):
            services.accept_ownership(actor)
        with pytest.raises(NotFound):
            services.decline_ownership(actor)
    assert services.pending_transfer(org_b.actor) is None
    assert services.pending_transfer(acting(org_a, org_a.member)) is not None


def test_it_can_be_declined_and_taken_back(org_a: Tenant) -> None:
    offer(org_a, org_a.member)
    services.decline_ownership(acting(org_a, org_a.member))
    offer(org_a, org_a.admin)
    services.cancel_transfer(org_a.actor)
    with pytest.raises(NotFound):
        services.accept_ownership(acting(org_a, org_a.admin))
    assert audit_of(org_a, "ownership.declined")
    assert audit_of(org_a, "ownership.cancelled")


def test_there_is_one_offer_at_a_time_and_it_expires(org_a: Tenant) -> None:
    offer(org_a, org_a.member)
    with pytest.raises(Conflict):
        offer(org_a, org_a.admin)
    with tenancy.scope(org_a.id):
        OwnershipTransfer.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(NotFound):
        services.accept_ownership(acting(org_a, org_a.member))
    offer(org_a, org_a.admin)


def test_what_one_no_longer_owns_one_cannot_give(org_a: Tenant) -> None:
    second = add_person(org_a, "second", Role.OWNER)
    offer(org_a, org_a.member, by=second)
    services.change_role(org_a.actor, member_of(org_a, second).pk, Role.MEMBER)
    with pytest.raises(Conflict):
        services.accept_ownership(acting(org_a, org_a.member))
    assert member_of(org_a, org_a.member).role == Role.MEMBER


def test_who_leaves_takes_the_offer_along(org_a: Tenant) -> None:
    second = add_person(org_a, "second", Role.OWNER)
    offer(org_a, org_a.member, by=second)
    services.leave(acting(org_a, second))
    assert services.pending_transfer(org_a.actor) is None
    offer(org_a, org_a.member)
    services.leave(acting(org_a, org_a.member))
    assert services.pending_transfer(org_a.actor) is None


def test_accepted_twice_at_once_it_counts_once(transactional_db: None, org_a: Tenant) -> None:
    offer(org_a, org_a.member)
    actor = acting(org_a, org_a.member)
    results = together([lambda: services.accept_ownership(actor)] * 4)
    assert sum(result is None for result in results) == 1
    assert len(audit_of(org_a, "ownership.transferred")) == 1
    assert [member_of(org_a, user).role for user in (org_a.member, org_a.owner)] == [Role.OWNER, Role.ADMIN]
