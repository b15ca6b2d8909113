"""Every page of signing in and of one's own account is in the product's design, and holds no script or style."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from tests.helpers.people import Tenant

ENTRANCE = (
    "account_login",
    "account_signup",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key_done",
    "account_email_verification_sent",
    "account_inactive",
)
OWN = (
    "account_email",
    "account_change_password",
    "mfa_index",
    "mfa_activate_totp",
    "mfa_list_webauthn",
    "mfa_add_webauthn",
    "sessions",
)
INLINE = re.compile(r"<script(?![^>]*\bsrc=)(?![^>]*type=\"application/json\")|\sstyle=|<style|\son[a-z]+=\"", re.I)


@pytest.mark.parametrize("name", ENTRANCE)
def test_a_page_of_signing_in_is_in_our_design(name: str, db: None) -> None:
    page = Client().get(reverse(name))
    assert page.status_code == 200
    assert 'class="entrance-card"' in page.text
    assert not INLINE.search(page.text)


@pytest.mark.parametrize("name", OWN)
def test_a_page_of_ones_own_account_is_in_our_design(name: str, org_a: Tenant) -> None:
    client = Client()
    client.force_login(org_a.owner)
    page = client.get(reverse(name))
    assert page.status_code == 200
    assert 'class="subnav"' in page.text
    assert 'aria-current="page"' in page.text
    assert not INLINE.search(page.text)
    assert "allauth" not in page.text


@pytest.mark.parametrize("name", OWN)
def test_strangers_are_sent_to_sign_in(name: str, db: None) -> None:
    answer = Client().get(reverse(name))
    assert answer.status_code == 302
    assert answer.url.startswith(reverse("account_login"))


def test_a_bad_link_says_what_to_do(db: None) -> None:
    for name, values in (
        ("account_confirm_email", {"key": "nonsense"}),
        ("account_reset_password_from_key", {"uidb36": "1", "key": "x-y"}),
    ):
        page = Client().get(reverse(name, kwargs=values))
        assert "This link does not work" in page.text
        assert 'class="entrance-card"' in page.text
