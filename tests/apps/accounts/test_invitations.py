"""Invitations: bound to an address, taken once, gone when they are over, and silent about who has an account."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone

from apps.accounts import services
from apps.accounts.access import memberships_of
from apps.accounts.models import Invitation, Membership, Role, TeamMembership, User
from apps.core import tenancy
from apps.core.errors import (
    AddressNotYours,
    Conflict,
    DeletionPending,
    InvalidRequest,
    InvitationNotValid,
    NotFound,
    PermissionDenied,
    RateLimitExceeded,
)
from apps.core.mail import deliver_due
from tests.helpers.people import Tenant, acting, actor_of, add_person, audit_of, events_of, make_user, verify
from tests.helpers.threads import together

ADA = "ada@example.com"


def posted() -> list[str]:
    """Sends what waits and returns the tokens in it."""
    mail.outbox.clear()
    deliver_due()
    return [re.search(r"/invitations/([\w-]{43})/", message.body)[1] for message in mail.outbox]  # type: ignore[index]


def invited(tenant: Tenant, email: str = ADA, role: str = Role.MEMBER) -> str:
    services.invite(tenant.actor, email, role)
    [token] = posted()
    return token


def role_in(tenant: Tenant, user: User) -> str | None:
    with tenancy.scope(tenant.id):
        member = Membership.objects.filter(user=user).first()
        return member.role if member else None


def test_an_invitation_makes_a_member_with_its_role_and_teams(org_a: Tenant) -> None:
    team = services.create_team(org_a.actor, "Support")
    services.invite(org_a.actor, f" {ADA.upper()} ", Role.AUDITOR, teams=[team.pk])
    [token] = posted()
    ada = verify(make_user(ADA))
    member = services.accept_invitation(ada, token)
    assert role_in(org_a, ada) == Role.AUDITOR
    with tenancy.scope(org_a.id):
        assert TeamMembership.objects.get(team=team).membership_id == member.pk
    assert audit_of(org_a, "invitation.created")[0].after["email"] == ADA
    [entry] = audit_of(org_a, "invitation.accepted")
    assert (entry.user_id, entry.after) == (ada.pk, {"role": "auditor"})
    assert events_of(org_a)[-3:] == ["invitation.created", "membership.created", "team.member_added"]


def test_an_invitation_with_a_custom_role(org_a: Tenant) -> None:
    role = services.create_role(org_a.actor, "Books", ["billing:read"])
    services.invite(org_a.actor, ADA, Role.CUSTOM, role.pk)
    ada = verify(make_user(ADA))
    services.accept_invitation(ada, posted()[0])
    assert actor_of(ada).permissions == {"billing:read"}


def test_no_table_holds_the_token(org_a: Tenant) -> None:
    token = invited(org_a)
    with tenancy.scope(org_a.id):
        row = Invitation.objects.get()
        assert token not in str({field.name: getattr(row, field.attname) for field in row._meta.concrete_fields})
        assert row.digest == services.digest(token)


def test_it_is_taken_once(org_a: Tenant) -> None:
    token, ada = invited(org_a), verify(make_user(ADA))
    services.accept_invitation(ada, token)
    with pytest.raises(InvitationNotValid):
        services.accept_invitation(ada, token)
    services.leave(actor_of(ada))
    with pytest.raises(InvitationNotValid):
        services.accept_invitation(ada, token)


def test_of_many_who_take_it_at_once_one_becomes_a_member(transactional_db: None, org_a: Tenant) -> None:
    token, ada = invited(org_a), verify(make_user(ADA))
    results = together([lambda: services.accept_invitation(ada, token)] * 6)
    assert sum(isinstance(result, Membership) for result in results) == 1
    assert sum(isinstance(result, InvitationNotValid) for result in results) == 5
    assert len(memberships_of(ada)) == 1
    assert len(audit_of(org_a, "invitation.accepted")) == 1


def test_two_people_with_the_address_do_not_both_get_in(transactional_db: None, org_a: Tenant) -> None:
    """An address is confirmed for one account only; should that ever fail, the invitation still counts once."""
    token = invited(org_a)
    first, second = verify(make_user(ADA)), verify(make_user("other@example.com"), "ada@EXAMPLE.com")
    results = together(
        [lambda: services.accept_invitation(first, token), lambda: services.accept_invitation(second, token)]
    )
    assert sum(isinstance(result, Membership) for result in results) == 1


def test_another_address_cannot_take_it(org_a: Tenant, org_b: Tenant, outsider: User) -> None:
    token = invited(org_a)
    for somebody in (verify(outsider), verify(org_b.owner), make_user("ada@example.co")):
        with pytest.raises(AddressNotYours):
            services.accept_invitation(somebody, token)
        assert role_in(org_a, somebody) is None


def test_an_address_that_was_never_confirmed_does_not_count(org_a: Tenant) -> None:
    token, ada = invited(org_a), make_user(ADA)
    with pytest.raises(AddressNotYours):
        services.accept_invitation(ada, token)
    services.accept_invitation(verify(ada), token)


def test_a_second_confirmed_address_counts(org_a: Tenant) -> None:
    token = invited(org_a)
    person = verify(make_user("private@example.com"), ADA)
    assert services.accept_invitation(person, token).user_id == person.pk


def _age(tenant: Tenant, days: int) -> None:
    with tenancy.scope(tenant.id):
        Invitation.objects.update(expires_at=timezone.now() + timedelta(days=7 - days))


def test_it_expires_after_a_week(org_a: Tenant) -> None:
    token, ada = invited(org_a), verify(make_user(ADA))
    _age(org_a, 8)
    with pytest.raises(InvitationNotValid):
        services.accept_invitation(ada, token)


def test_an_expired_one_is_replaced_by_inviting_again(org_a: Tenant) -> None:
    old = invited(org_a)
    with pytest.raises(Conflict):
        services.invite(org_a.actor, ADA, Role.MEMBER)
    _age(org_a, 8)
    new = invited(org_a)
    ada = verify(make_user(ADA))
    with pytest.raises(InvitationNotValid):
        services.accept_invitation(ada, old)
    services.accept_invitation(ada, new)


def test_sending_again_gives_a_new_link_and_a_new_week(org_a: Tenant) -> None:
    old = invited(org_a)
    _age(org_a, 8)
    with tenancy.scope(org_a.id):
        id = Invitation.objects.get().pk
    services.resend_invitation(org_a.actor, id)
    [new] = posted()
    ada = verify(make_user(ADA))
    with pytest.raises(InvitationNotValid):
        services.accept_invitation(ada, old)
    services.accept_invitation(ada, new)
    assert audit_of(org_a, "invitation.resent")


def test_a_revoked_one_is_worth_nothing(org_a: Tenant) -> None:
    token, ada = invited(org_a), verify(make_user(ADA))
    with tenancy.scope(org_a.id):
        id = Invitation.objects.get().pk
    services.revoke_invitation(org_a.actor, id)
    with pytest.raises(InvitationNotValid):
        services.accept_invitation(ada, token)
    with pytest.raises(NotFound):
        services.resend_invitation(org_a.actor, id)
    assert audit_of(org_a, "invitation.revoked")[0].before["email"] == ADA


def test_one_that_is_revoked_before_its_mail_left_sends_none(org_a: Tenant) -> None:
    invitation = services.invite(org_a.actor, ADA, Role.MEMBER)
    services.revoke_invitation(org_a.actor, invitation.pk)
    assert posted() == []


def test_an_admin_invites_no_owner_and_a_member_nobody(org_a: Tenant) -> None:
    with pytest.raises(PermissionDenied):
        services.invite(acting(org_a, org_a.admin), ADA, Role.OWNER)
    with pytest.raises(PermissionDenied):
        services.invite(acting(org_a, org_a.member), ADA, Role.MEMBER)
    services.invite(acting(org_a, org_a.admin), ADA, Role.ADMIN)


def test_an_admin_cannot_send_an_owners_invitation_again(org_a: Tenant) -> None:
    invitation = services.invite(org_a.actor, ADA, Role.OWNER)
    with pytest.raises(PermissionDenied):
        services.resend_invitation(acting(org_a, org_a.admin), invitation.pk)


@pytest.mark.parametrize("email", ["", "ada", "ada@", "a da@example.com", "ada@example.com\nbcc: x@y.z"])
def test_what_is_no_address_is_refused(org_a: Tenant, email: str) -> None:
    with pytest.raises(InvalidRequest):
        services.invite(org_a.actor, email, Role.MEMBER)


def test_a_member_is_not_invited(org_a: Tenant) -> None:
    with pytest.raises(Conflict):
        services.invite(org_a.actor, org_a.member.email, Role.ADMIN)


def test_whether_an_address_has_an_account_makes_no_difference(org_a: Tenant, org_b: Tenant) -> None:
    known = services.invite(org_a.actor, org_b.owner.email, Role.MEMBER)
    unknown = services.invite(org_a.actor, "nobody@nowhere.example", Role.MEMBER)
    for field in ("role", "teams", "status", "accepted_by_id", "serial"):
        assert getattr(known, field) == getattr(unknown, field)
    posted()
    texts = [re.sub(r"/invitations/[\w-]+/", "", message.body) for message in mail.outbox]
    assert texts[0] == texts[1]


def test_another_organizations_invitation_is_not_there(org_a: Tenant, org_b: Tenant) -> None:
    theirs = services.invite(org_a.actor, ADA, Role.MEMBER)
    for id in (theirs.pk, uuid4()):
        for act in (services.resend_invitation, services.revoke_invitation, services.get_invitation):
            with pytest.raises(NotFound):
                act(org_b.actor, id)
    with pytest.raises(NotFound):
        services.invite(org_b.actor, ADA, Role.MEMBER, teams=[services.create_team(org_a.actor, "Ours").pk])


def test_a_token_of_nobody_is_not_valid(org_a: Tenant) -> None:
    for token in ("", "x", "\0", "a" * 43, str(uuid4())):
        with pytest.raises(InvitationNotValid):
            services.find_invitation(token)


def test_a_flood_of_invitations_is_held_up(org_a: Tenant) -> None:
    with pytest.raises(RateLimitExceeded):
        for number in range(40):
            services.invite(org_a.actor, f"p{number}@example.com", Role.MEMBER)


def test_an_organization_that_is_about_to_be_deleted_takes_nobody(org_a: Tenant) -> None:
    token, ada = invited(org_a), verify(make_user(ADA))
    services.schedule_deletion(org_a.actor, org_a.organization.name)
    with pytest.raises(DeletionPending):
        services.accept_invitation(ada, token)
    with pytest.raises(DeletionPending):
        services.invite(actor_of(org_a.owner), "b@example.com", Role.MEMBER)


def test_open_invitations_of_a_removed_member_get_another_sender(org_a: Tenant) -> None:
    admin = add_person(org_a, "second-admin", Role.ADMIN)
    services.invite(acting(org_a, admin), ADA, Role.MEMBER)
    services.leave(acting(org_a, admin))
    with tenancy.scope(org_a.id):
        assert Invitation.objects.get().invited_by_id == org_a.owner.pk
    assert audit_of(org_a, "membership.left")[0].detail["moved"] == {"invitations": 1}


# ---------------------------------------------------------------- over REST


def accept(client: Client, token: str, **headers: str) -> Any:
    return client.post("/api/v1/invitations/accept", {"token": token}, content_type="application/json", headers=headers)


def test_an_invited_person_without_an_organization_joins_over_rest(org_a: Tenant) -> None:
    token, ada = invited(org_a, role=Role.AUDITOR), verify(make_user(ADA))
    client = Client()
    client.force_login(ada)
    answer = accept(client, token)
    assert (answer.status_code, answer.json()["role"]) == (201, "auditor")
    assert answer.json()["organization"]["id"] == str(org_a.id)
    assert role_in(org_a, ada) == Role.AUDITOR
    again = accept(client, token)
    assert (again.status_code, again.json()["error"]["code"]) == (404, "invitation_not_valid")


def test_over_rest_nobody_else_takes_an_invitation(org_a: Tenant, org_b: Tenant, outsider: User) -> None:
    token = invited(org_a)
    assert accept(Client(), token).status_code == 401
    assert accept(Client(), token, **org_b.bearer).status_code == 401
    assert accept(Client(), token, **org_a.bearer).status_code == 401
    for user in (outsider, org_b.owner):
        client = Client()
        client.force_login(user)
        answer = accept(client, token)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "address_not_yours")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(verify(make_user(ADA)))
    assert accept(strict, token).status_code == 403
    with tenancy.scope(org_a.id):
        assert Invitation.objects.get().status == "pending"
