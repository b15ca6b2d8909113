"""The console's pages: who may open them, what their forms do, and what they refuse."""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from apps.accounts import services
from apps.accounts.access import memberships_of
from apps.accounts.models import Invitation, Membership, Role, User
from apps.accounts.services import organizations
from apps.core import tenancy
from apps.core.mail import deliver_due
from tests.helpers.people import PASSWORD, Tenant, add_person, make_user, member_of, verify

SignIn = Callable[[Any], Client]
ADA = "ada@example.com"


def link_for(tenant: Tenant, email: str = ADA) -> str:
    services.invite(tenant.actor, email, Role.AUDITOR)
    mail.outbox.clear()
    deliver_due()
    return str(re.search(r"(/invitations/[\w-]{43}/)", mail.outbox[0].body)[1])  # type: ignore[index]


def sign_up(client: Client, email: str, **fields: str) -> Any:
    form = {"email": email, "password1": PASSWORD, "password2": PASSWORD} | fields
    return client.post(reverse("account_signup"), form)


def organizations_of(email: str) -> list[str]:
    return [member.organization.name for member in memberships_of(User.objects.get(email=email))]


# ---------------------------------------------------------------- taking an invitation


def test_who_has_an_account_signs_in_and_joins(org_a: Tenant) -> None:
    link, client = link_for(org_a), Client()
    verify(make_user(ADA))
    page = client.get(link)
    assert org_a.organization.name in page.text
    assert ADA in page.text
    client.force_login(User.objects.get(email=ADA))
    assert client.post(link).url == reverse("dashboard")
    assert client.get("/dashboard/").context["organization"].name == org_a.organization.name
    assert client.post(link).status_code == 404


def test_who_has_none_signs_up_and_gets_no_organization_of_their_own(org_a: Tenant) -> None:
    link, client = link_for(org_a), Client()
    page = client.get(link)
    signup = page.context["signup_url"]
    assert client.get(signup).status_code == 200
    sign_up(client, ADA, next=link)
    assert organizations_of(ADA) == []
    assert client.post(link).status_code == 302
    assert organizations_of(ADA) == [org_a.organization.name]


def test_who_asks_for_an_organization_gets_one_as_well(org_a: Tenant) -> None:
    link, client = link_for(org_a), Client()
    client.get(link)
    sign_up(client, ADA, organization_name="Ada's own")
    client.post(link)
    assert set(organizations_of(ADA)) == {"Ada's own", org_a.organization.name}


def test_signing_up_with_another_address_takes_no_invitation(org_a: Tenant) -> None:
    link, client = link_for(org_a), Client()
    client.get(link)
    sign_up(client, "eve@example.com")
    assert client.post(link).status_code == 403
    assert organizations_of("eve@example.com") == ["eve's organization"]
    assert not User.objects.filter(email=ADA).exists()


def test_the_page_is_the_same_whether_the_address_has_an_account(org_a: Tenant, org_b: Tenant) -> None:
    texts = []
    for email in (org_b.owner.email, "nobody@nowhere.example"):
        link = link_for(org_a, email)
        text = Client().get(link).text
        for word in (link, email, email.replace("@", "%40"), link.replace("/", "%2F")):
            text = text.replace(word, "")
        texts.append(re.sub(r'(csrf\w*"? ?(value|=)?"?=?)"[\w]+"', "", text))
    assert texts[0] == texts[1]


def test_the_wrong_person_is_told_and_refused(org_a: Tenant, outsider: User, client_of: SignIn) -> None:
    link, client = link_for(org_a), client_of(outsider)
    assert outsider.email in client.get(link).text
    assert client.post(link).status_code == 403
    assert client.post(reverse("invitation", args=["x" * 43])).status_code == 404


# ---------------------------------------------------------------- members, invitations, teams, roles


def test_an_admin_changes_and_removes_a_member(org_a: Tenant, client_of: SignIn) -> None:
    client, id = client_of(org_a.admin), member_of(org_a, org_a.member).pk
    assert client.post(f"/settings/members/{id}/", {"role": "owner"}).status_code == 422
    assert client.post(f"/settings/members/{id}/", {"role": "billing"}).status_code == 302
    assert member_of(org_a, org_a.member).role == Role.BILLING
    assert client.post(f"/settings/members/{id}/remove/", {"name": "x"}).status_code == 422
    assert client.post(f"/settings/members/{id}/remove/", {"name": org_a.member.email}).status_code == 302
    with tenancy.scope(org_a.id):
        assert not Membership.objects.filter(pk=id).exists()


def test_an_admin_gets_no_form_for_an_owner(org_a: Tenant, client_of: SignIn) -> None:
    client, id = client_of(org_a.admin), member_of(org_a, org_a.owner).pk
    page = client.get(f"/settings/members/{id}/")
    assert page.context["form"] is None
    client.post(f"/settings/members/{id}/", {"role": "member"})
    assert client.post(f"/settings/members/{id}/remove/", {"name": org_a.owner.email}).status_code == 422
    assert member_of(org_a, org_a.owner).role == Role.OWNER


def test_the_last_owner_reads_why_on_the_page(org_a: Tenant, client_of: SignIn) -> None:
    page = client_of(org_a.owner).post("/settings/membership/leave/", {"name": org_a.organization.name})
    assert page.status_code == 422
    assert "hand it over first" in page.text


def test_a_custom_role_is_made_given_and_changed_on_pages(org_a: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.owner)
    form = {"name": "Books", "description": "", "permissions": ["billing:read", "members:read"]}
    assert client.post("/settings/roles/new/", form).status_code == 302
    page = client.get("/settings/roles/")
    assert "Books" in page.text
    role = page.context["custom_roles"][0]
    member = member_of(org_a, org_a.member).pk
    client.post(f"/settings/members/{member}/", {"role": str(role.pk)})
    assert member_of(org_a, org_a.member).custom_role_id == role.pk
    assert client_of(org_a.member).get("/settings/members/").status_code == 200
    client.post(f"/settings/roles/{role.pk}/", form | {"permissions": ["billing:read"]})
    assert client_of(org_a.member).get("/settings/members/").status_code == 403
    assert client.post(f"/settings/roles/{role.pk}/delete/").status_code == 409


def test_invitations_are_sent_again_and_revoked_on_the_page(org_a: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.admin)
    assert client.post("/settings/invitations/", {"email": ADA, "role": "member"}).status_code == 302
    assert client.post("/settings/invitations/", {"email": ADA, "role": "member"}).status_code == 422
    with tenancy.scope(org_a.id):
        id = Invitation.objects.get().pk
    assert client.post(f"/settings/invitations/{id}/resend/").status_code == 302
    assert client.post(f"/settings/invitations/{id}/revoke/").status_code == 302
    assert ADA not in client.get("/settings/invitations/").context["page"].rows


def test_a_team_is_filled_and_emptied_on_its_page(org_a: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.owner)
    client.post("/settings/teams/", {"name": "Support"})
    team = client.get("/settings/teams/").context["entries"][0][0]
    path = f"/settings/teams/{team.pk}/"
    client.post(f"{path}members/", {"email": org_a.member.email})
    assert org_a.member.email in client.get(path).text
    client.post(f"{path}members/", {"remove": member_of(org_a, org_a.member).pk})
    assert "has left the team" in client.get(path).text
    assert org_a.member.email not in client.get(path).text
    for bad in ({"email": "nobody@nowhere.example"}, {"email": "x\0y"}, {"remove": "x"}, {}):
        assert client.post(f"{path}members/", bad).status_code == 404
    assert client.post(f"{path}delete/").status_code == 302


# ---------------------------------------------------------------- the organization itself


def test_an_owner_hands_over_on_pages(org_a: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.owner)
    form = {"email": org_a.member.email, "name": org_a.organization.name}
    assert client.post("/settings/organization/transfer/", form | {"name": "x"}).status_code == 422
    assert client.post("/settings/organization/transfer/", form | {"email": "x@y.zz"}).status_code == 422
    assert client.post("/settings/organization/transfer/", form).status_code == 302
    asked = client_of(org_a.member)
    assert org_a.owner.email in asked.get("/settings/membership/").text
    asked.post("/settings/membership/offer/", {"answer": "accept"})
    assert member_of(org_a, org_a.member).role == Role.OWNER


def test_deleting_asks_for_the_name_and_can_be_called_off(org_a: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.owner)
    assert client.post("/settings/organization/delete/", {"name": "x"}).status_code == 422
    assert client.post("/settings/organization/delete/", {"name": org_a.organization.name}).status_code == 302
    assert "Keep the organization" in client.get("/dashboard/").text
    assert "Keep the organization" not in client_of(org_a.member).get("/dashboard/").text
    client.post("/settings/organization/delete/cancel/")
    assert "Keep the organization" not in client.get("/dashboard/").text


def test_an_old_sign_in_is_asked_for_a_fresh_proof_first(org_a: Tenant, client_of: SignIn, settings: Any) -> None:
    settings.ACCOUNT_REAUTHENTICATION_TIMEOUT = -1
    client = client_of(org_a.owner)
    response = client.post("/settings/organization/delete/", {"name": org_a.organization.name})
    assert response.status_code in {302, 403}
    with tenancy.scope(org_a.id):
        org_a.organization.refresh_from_db()
    assert org_a.organization.deletes_at is None


def test_who_has_left_everything_can_start_anew(org_a: Tenant, client_of: SignIn) -> None:
    client = client_of(org_a.member)
    client.post("/settings/membership/leave/", {"name": org_a.organization.name})
    assert client.get("/dashboard/").status_code == 404
    assert client.post("/organizations/new/", {"name": "Mine"}).status_code == 302
    assert client.get("/dashboard/").context["organization"].name == "Mine"


def test_nobody_owns_any_number_of_organizations(
    org_a: Tenant, client_of: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each comes with an allowance of its own."""
    monkeypatch.setattr(organizations, "MOST_OWNED", 2)
    client = client_of(org_a.owner)
    assert client.post("/organizations/new/", {"name": "Second"}).status_code == 302
    assert client.post("/organizations/new/", {"name": "Third"}).status_code == 422
    assert client_of(org_a.member).post("/organizations/new/", {"name": "Mine"}).status_code == 302, "others may"


OWNERS_PAGES = ["members", "invitations", "teams", "roles", "organization-settings", "ownership-transfer"]


@pytest.mark.parametrize("name", [*OWNERS_PAGES, "role-new", "organization-delete"])
def test_members_strangers_and_outsiders_do_not_get_in(
    name: str, org_a: Tenant, outsider: User, client_of: SignIn
) -> None:
    assert client_of(org_a.member).get(reverse(name)).status_code == 403
    assert client_of(outsider).get(reverse(name)).status_code == 404
    assert Client().get(reverse(name)).url.startswith(reverse("account_login"))


def test_another_organizations_rows_are_missing(org_a: Tenant, org_b: Tenant, client_of: SignIn) -> None:
    client = client_of(org_b.owner)
    theirs = {
        "members": member_of(org_a, add_person(org_a, "more")).pk,
        "teams": services.create_team(org_a.actor, "Theirs").pk,
        "roles": services.create_role(org_a.actor, "Theirs", ["models:read"]).pk,
    }
    for kind, id in theirs.items():
        answers = [client.get(f"/settings/{kind}/{given}/") for given in (id, uuid4())]
        assert {answer.status_code for answer in answers} == {404}
        assert client.post(f"/settings/{kind}/{id}/", {"name": "Ours", "role": "admin"}).status_code == 404
