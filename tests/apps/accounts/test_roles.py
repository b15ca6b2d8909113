"""Custom roles: no more than their maker holds, in force on the next request, gone only when nobody has them."""

from uuid import uuid4

import pytest
from django.test import Client

from apps.accounts import services
from apps.accounts.models import Role
from apps.accounts.permissions import CUSTOM_ROLE_PERMISSIONS, PERMISSIONS
from apps.accounts.services import roles
from apps.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from tests.helpers.people import Tenant, acting, actor_of, add_person, audit_of, events_of, member_of


def test_a_change_acts_on_the_next_request(org_a: Tenant) -> None:
    role = services.create_role(org_a.actor, "Auditing", ["usage:read"])
    person = add_person(org_a, "auditing", Role.CUSTOM, role)
    client = Client()
    client.force_login(person)
    assert client.get("/settings/members/").status_code == 403
    services.change_role_permissions(org_a.actor, role.pk, permissions=["usage:read", "members:read"])
    assert client.get("/settings/members/").status_code == 200
    services.change_role_permissions(org_a.actor, role.pk, permissions=["usage:read"])
    assert client.get("/settings/members/").status_code == 403
    first = audit_of(org_a, "role.changed")[0]
    assert first.before == {"permissions": ["usage:read"]}
    assert first.after == {"permissions": ["members:read", "usage:read"]}
    assert events_of(org_a)[-1] == "role.changed"


def test_roles_have_an_end(org_a: Tenant, org_b: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roles, "MOST_ROLES", 1)
    services.create_role(org_a.actor, "First", ["usage:read"])
    with pytest.raises(Conflict, match="at most 1 custom roles"):
        services.create_role(org_a.actor, "Second", ["usage:read"])
    services.create_role(org_b.actor, "Of another organization", ["usage:read"])


def test_the_actor_of_a_custom_role_costs_no_further_query(org_a: Tenant, django_assert_num_queries: object) -> None:
    role = services.create_role(org_a.actor, "Reader", ["models:read"])
    person = add_person(org_a, "reader", Role.CUSTOM, role)
    # Memberships and policies; four more tell PostgreSQL the scope and take it back, within a savepoint.
    with django_assert_num_queries(6) as plain:  # type: ignore[operator]
        actor_of(org_a.member)
    with django_assert_num_queries(len(plain)):  # type: ignore[operator]
        assert actor_of(person).permissions == {"models:read"}


def test_what_makes_an_owner_is_in_no_custom_role(org_a: Tenant) -> None:
    assert set(PERMISSIONS) - set(CUSTOM_ROLE_PERMISSIONS) == {"organization:delete", "ownership:transfer"}
    for name in ("organization:delete", "ownership:transfer", "everything", ""):
        with pytest.raises(InvalidRequest):
            services.create_role(org_a.actor, "Sly", ["models:read", name])
    with pytest.raises(InvalidRequest):
        services.create_role(org_a.actor, "Empty", [])


def test_nobody_makes_a_role_above_their_own_nor_touches_one(org_a: Tenant) -> None:
    maker = services.create_role(org_a.actor, "Role maker", ["roles:manage", "members:read", "usage:read"])
    strong = services.create_role(org_a.actor, "Strong", ["keys:manage"])
    actor = acting(org_a, add_person(org_a, "maker", Role.CUSTOM, maker))
    with pytest.raises(PermissionDenied):
        services.create_role(actor, "Keys", ["keys:manage"])
    with pytest.raises(PermissionDenied):
        services.change_role_permissions(actor, maker.pk, permissions=["roles:manage", "keys:manage"])
    with pytest.raises(PermissionDenied):
        services.change_role_permissions(actor, strong.pk, permissions=["usage:read"])
    with pytest.raises(PermissionDenied):
        services.delete_role(actor, strong.pk)
    services.create_role(actor, "Usage", ["usage:read"])


def test_only_whoever_manages_roles_makes_them(org_a: Tenant) -> None:
    with pytest.raises(PermissionDenied):
        services.create_role(acting(org_a, org_a.member), "Mine", ["models:read"])
    with pytest.raises(PermissionDenied):
        services.get_role(acting(org_a, org_a.member), uuid4())


def test_a_name_is_taken_once_whatever_its_case(org_a: Tenant, org_b: Tenant) -> None:
    services.create_role(org_a.actor, "Support", ["models:read"])
    with pytest.raises(Conflict):
        services.create_role(org_a.actor, "SUPPORT", ["models:read"])
    services.create_role(org_b.actor, "Support", ["models:read"])


def test_a_role_goes_only_when_nobody_has_it_or_is_invited_to_it(org_a: Tenant) -> None:
    role = services.create_role(org_a.actor, "Reader", ["models:read"])
    person = add_person(org_a, "reader", Role.CUSTOM, role)
    invitation = services.invite(org_a.actor, "ada@example.com", Role.CUSTOM, role.pk)
    with pytest.raises(Conflict):
        services.delete_role(org_a.actor, role.pk)
    services.change_role(org_a.actor, member_of(org_a, person).pk, Role.MEMBER)
    with pytest.raises(Conflict):
        services.delete_role(org_a.actor, role.pk)
    services.revoke_invitation(org_a.actor, invitation.pk)
    services.delete_role(org_a.actor, role.pk)
    assert audit_of(org_a, "role.deleted")[0].before == {
        "name": "Reader",
        "permissions": ["models:read"],
        "description": "",
    }


def test_another_organizations_role_is_not_there(org_a: Tenant, org_b: Tenant) -> None:
    theirs = services.create_role(org_a.actor, "Reader", ["models:read"])
    for id in (theirs.pk, uuid4()):
        with pytest.raises(NotFound):
            services.get_role(org_b.actor, id)
        with pytest.raises(NotFound):
            services.change_role_permissions(org_b.actor, id, name="Ours")
        with pytest.raises(NotFound):
            services.delete_role(org_b.actor, id)


def test_a_role_that_a_program_has_stays(org_a: Tenant) -> None:
    role = services.create_role(org_a.actor, "Reader", ["models:read"])
    account = services.create_service_account(org_a.actor, "Nightly", Role.CUSTOM, role.pk)
    with pytest.raises(Conflict, match="service accounts"):
        services.delete_role(org_a.actor, role.pk)
    services.change_service_account(org_a.actor, account.pk, role=(Role.MEMBER, None))
    services.delete_role(org_a.actor, role.pk)
