"""Passkeys with the browser's own virtual authenticator: made, used to sign in, as second factor, and to confirm.

Browsers know passkeys on host names only, so the product is asked as localhost.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from secrets import token_hex
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from tests.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("stack")]

PASSWORD = "a quiet mill by the river"
Open = Callable[..., BrowserContext]


@pytest.fixture
def site(stack: Stack) -> str:
    return stack.base_url.replace("127.0.0.1", "localhost")


@pytest.fixture
def newcomer(open_browser: Open, site: str) -> tuple[Page, str, CDPSession, str]:
    """A page of somebody who has just signed up, their address, and their browser with an authenticator in it."""
    page, email = open_browser().new_page(), f"key-{token_hex(4)}@example.com"
    page.goto(f"{site}/accounts/signup/")
    page.locator("[name=email]").fill(email)
    for field in ("password1", "password2"):
        page.locator(f"[name={field}]").fill(PASSWORD)
    page.locator(".entrance-card button[type=submit]").first.click()
    page.wait_for_url("**/dashboard/")
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    options: dict[str, Any] = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    id = session.send("WebAuthn.addVirtualAuthenticator", {"options": options})["authenticatorId"]
    return page, email, session, str(id)


def add(page: Page, site: str, alone: bool) -> None:
    page.goto(f"{site}/accounts/2fa/webauthn/add/")
    page.locator("[name=name]").fill("Test device")
    page.locator("[name=passwordless]").set_checked(alone)
    page.get_by_role("button", name="Add", exact=True).click()
    page.wait_for_url("**/recovery-codes/")
    expect(page.locator("#codes")).to_have_text(re.compile(r"^(\s*\d{8}\s*){10}$"))


def sign_out(page: Page, site: str) -> None:
    page.goto(f"{site}/accounts/logout/")
    page.locator("main form button").click()
    page.goto(f"{site}/accounts/login/")


def test_a_passkey_signs_in_without_a_password(newcomer: Any, site: str) -> None:
    page, _email, _session, _id = newcomer
    add(page, site, alone=True)
    page.goto(f"{site}/accounts/2fa/webauthn/")
    expect(page.get_by_role("row", name="Test device")).to_contain_text("Passkey")
    sign_out(page, site)
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/dashboard/")


def test_a_security_key_is_a_second_factor(newcomer: Any, site: str) -> None:
    page, email, _session, _id = newcomer
    add(page, site, alone=False)
    sign_out(page, site)
    page.locator("[name=login]").fill(email)
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/2fa/authenticate/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/dashboard/")


def test_a_passkey_confirms_and_can_be_removed(newcomer: Any, site: str) -> None:
    page, _email, _session, _id = newcomer
    add(page, site, alone=True)
    page.goto(f"{site}/accounts/2fa/webauthn/reauthenticate/?next=/accounts/2fa/webauthn/")
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/accounts/2fa/webauthn/")
    page.get_by_role("link", name="Rename").click()
    page.locator("[name=name]").fill("Renamed")
    page.get_by_role("button", name="Save").click()
    page.get_by_role("row", name="Renamed").get_by_role("link", name="Remove").click()
    page.locator("main").get_by_role("button", name="Remove").click()
    expect(page.locator("main")).to_contain_text("No passkeys yet")


def test_a_passkey_that_is_refused_is_told(newcomer: Any, site: str) -> None:
    page, _email, session, id = newcomer
    session.send("WebAuthn.setUserVerified", {"authenticatorId": id, "isUserVerified": False})
    page.goto(f"{site}/accounts/2fa/webauthn/add/")
    page.locator("[name=passwordless]").check()
    page.get_by_role("button", name="Add", exact=True).click()
    expect(page.locator("#toasts")).to_contain_text("No passkey was made", timeout=90_000)
    expect(page.get_by_role("button", name="Add", exact=True)).to_be_enabled()
