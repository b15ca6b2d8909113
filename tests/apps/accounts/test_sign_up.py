"""Signing up gives everybody an organization of their own; signing in and out work; e-mail addresses are one each."""

from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from apps.accounts.access import memberships_of
from apps.accounts.models import AuditEntry, Organization, Role, User
from apps.core import tenancy
from apps.core.models import Event
from tests.helpers.people import PASSWORD, Tenant, make_user


def sign_up(email: str, **fields: str) -> tuple[Client, Any]:
    client = Client()
    form = {"email": email, "password1": PASSWORD, "password2": PASSWORD} | fields
    return client, client.post(reverse("account_signup"), form)


def test_signing_up_creates_an_organization_with_its_owner(db: None) -> None:
    client, response = sign_up("Ada@Example.com", organization_name="Ada & Söhne")
    assert response.status_code == 302
    [membership] = memberships_of(User.objects.get(email__iexact="ada@example.com"))
    assert membership.role == Role.OWNER
    assert membership.organization.name == "Ada & Söhne"
    with tenancy.scope(membership.organization_id):
        assert AuditEntry.objects.get().action == "membership.created"
        assert Event.objects.get().type == "organization.created"
    assert client.get(reverse("dashboard")).status_code == 200


def test_a_short_password_is_refused_in_the_readers_language(db: None) -> None:
    client = Client(headers={"accept-language": "zh-CN"})
    form = {"email": "ada@example.com", "password1": "short", "password2": "short"}
    page = client.post(reverse("account_signup"), form).content.decode()
    assert "密码长度太短" in page
    assert "too short" not in page


def test_without_a_mail_server_nobody_is_told_to_look_for_mail(db: None, mailoutbox: list[Any]) -> None:
    client, _ = sign_up("ada@example.com")
    page = client.get(reverse("dashboard")).content.decode()
    assert "ada@example.com" in page
    assert "email sent" not in page.lower()
    assert mailoutbox == []


def test_without_a_name_the_organization_is_called_after_the_mailbox(db: None) -> None:
    sign_up("grace@example.com", organization_name="  ")
    [membership] = memberships_of(User.objects.get(email="grace@example.com"))
    assert "grace" in membership.organization.name


def test_two_organizations_of_one_name_do_not_collide(db: None) -> None:
    for number in range(2):
        sign_up(f"p{number}@example.com", organization_name="Acme")
    slugs = {memberships_of(user)[0].organization.slug for user in User.objects.all()}
    assert len(slugs) == 2
    assert all(slug.startswith("acme-") for slug in slugs)


@pytest.mark.parametrize(
    "fields",
    [
        {"password1": "short", "password2": "short"},
        {"password1": "12345678901234", "password2": "12345678901234"},
        {"password2": "something else entirely"},
        {"email": "not an address"},
        {"email": "nul\0@example.com"},
        {"organization_name": "x" * 121},
    ],
    ids=["short", "digits", "mismatch", "address", "nul", "long name"],
)
def test_a_refused_sign_up_leaves_nothing(db: None, fields: dict[str, str]) -> None:
    _, response = sign_up(**{"email": "ada@example.com"} | fields)
    assert response.status_code == 200
    assert not User.objects.exists()
    with tenancy.across_tenants(tenancy.Across.OPERATE):
        assert not Organization.objects.exists()


def test_an_address_in_use_makes_no_second_user(org_a: Tenant) -> None:
    before = User.objects.count()
    sign_up(org_a.owner.email.upper())
    assert User.objects.count() == before


def test_an_address_is_one_whatever_its_case(db: None) -> None:
    make_user("ada@example.com")
    with pytest.raises(IntegrityError), transaction.atomic():
        User.objects.create(email="ADA@example.com")


def test_signing_in_and_out(org_a: Tenant) -> None:
    client = Client()
    wrong = client.post(reverse("account_login"), {"login": org_a.owner.email, "password": "wrong"})
    assert wrong.status_code == 200
    assert client.get(reverse("dashboard")).status_code == 302
    right = client.post(reverse("account_login"), {"login": org_a.owner.email, "password": PASSWORD})
    assert right.status_code == 302
    assert client.get(reverse("dashboard")).status_code == 200
    client.post(reverse("account_logout"))
    assert client.get(reverse("dashboard")).status_code == 302


def test_the_hint_on_passwords_is_a_list_and_not_its_source(db: None) -> None:
    page = Client().get(reverse("account_signup")).content.decode()
    assert "<ul><li>" in page
    assert "&lt;" not in page
