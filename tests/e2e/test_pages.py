"""Every page: no error, nothing wider than the screen, in both languages and themes; keys, palette, signing up."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("stack")]

PUBLIC = ("/", "/api/docs", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/")
PRIVATE = (
    "/dashboard/",
    "/studio/",
    "/history/",
    "/keys/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/sessions/",
    "/accounts/2fa/",
    "/accounts/2fa/totp/activate/",
    "/accounts/2fa/webauthn/",
    "/accounts/2fa/webauthn/add/",
    "/accounts/reauthenticate/",
)
CONSOLE = (
    "/settings/membership/",
    "/settings/membership/leave/",
    "/settings/members/",
    "/settings/members/?search=nobody",
    "/settings/invitations/",
    "/settings/teams/",
    "/settings/roles/",
    "/settings/roles/new/",
    "/settings/audit/",
    "/settings/audit/settings/",
    "/settings/organization/",
    "/settings/organization/delete/",
    "/settings/privacy/",
    "/settings/privacy/requests/",
    "/settings/sso/",
    "/settings/sso/new/oidc/",
    "/settings/sso/new/saml/",
    "/settings/security/",
)
Open = Callable[..., Page]

# Cut off by their own scroll area, wide content may be; the page itself may not.
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
NAMELESS = """[...document.querySelectorAll('button, a[href], input:not([type=hidden]), select, textarea, summary')]
  .filter(e => e.checkVisibility() && !(e.textContent.trim() || e.ariaLabel || e.title || e.labels?.length))
  .map(e => e.outerHTML.slice(0, 120))"""

# A heading of a level that skips one, a picture without words, an id that two elements have, a field without a label.
IMPROPER = """[...document.querySelectorAll('main h1, main h2, main h3, main h4')].filter(e => e.checkVisibility())
  .filter((e, i, all) => i && e.tagName[1] - all[i - 1].tagName[1] > 1).map(e => 'skips: ' + e.outerHTML)
  .concat([...document.querySelectorAll('img:not([alt])')].map(e => e.outerHTML))
  .concat([...document.querySelectorAll('[id]')].map(e => e.id).filter((id, i, all) => all.indexOf(id) !== i))
  .concat([...document.querySelectorAll('main :is(input:not([type=hidden]), select, textarea)')]
    .filter(e => e.checkVisibility() && !(e.labels.length || e.ariaLabel)).map(e => 'no label: ' + e.outerHTML))"""


@pytest.mark.parametrize(("width", "dark"), [(360, False), (360, True), (1280, False)], ids=str)
def test_the_console_fits_and_says_where_one_is(signed_in: Open, width: int, dark: bool) -> None:
    page, improper = signed_in(width=width, dark=dark), {}
    for path in CONSOLE:
        page.goto(path)
        _check(page, path, chinese=False)
        improper[path] = page.evaluate(IMPROPER)
        tab = page.locator(".console-menu > summary" if width == 360 else ".tab[aria-current=page]")
        expect(tab).to_be_visible()
        expect(tab).to_be_in_viewport(ratio=1)
    assert not {path: found for path, found in improper.items() if found}
    if width == 360:
        tab.focus()
        page.keyboard.press("Enter")
        page.get_by_role("link", name="Teams").click()
        page.wait_for_url("**/settings/teams/")


@pytest.mark.parametrize(
    ("width", "dark", "chinese"), [(360, False, True), (360, True, False), (1280, True, True)], ids=str
)
def test_pages_fit_and_speak_the_language(signed_in: Open, width: int, dark: bool, chinese: bool) -> None:
    page = signed_in(width=width, dark=dark, chinese=chinese)
    for path in PRIVATE:
        page.goto(path)
        _check(page, path, chinese)
    page.goto("/accounts/logout/")
    page.locator("main form button").click()
    for path in PUBLIC:
        page.goto(path)
        _check(page, path, chinese)
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(10, 19, 20)") is dark


def _check(page: Page, path: str, chinese: bool) -> None:
    assert page.evaluate(TOO_WIDE) <= 0, f"{path} is wider than the screen"
    assert page.evaluate(NAMELESS) == [], f"{path} has controls without a name"
    assert page.locator("html").get_attribute("lang") == ("zh-hans" if chinese else "en")
    assert page.locator("h1:visible").count() == 1, f"{path} needs one h1"


def test_language_and_theme_are_kept(open_browser: Callable[..., BrowserContext]) -> None:
    page = open_browser().new_page()
    page.goto("/")
    page.locator("footer select[name=language]").select_option("zh-hans")
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    page.locator("footer [data-set-theme=dark]").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    expect(page.locator("h1")).to_have_text("你的模型，你的产品")


def test_a_newcomer_signs_up_and_sees_what_to_do(open_browser: Callable[..., BrowserContext]) -> None:
    page = open_browser().new_page()
    page.goto("/accounts/signup/")
    page.locator("[name=email]").fill(f"new-{token_hex(4)}@example.com")
    page.locator("[name=organization_name]").fill("Willow & Sons <b>")
    for field in ("password1", "password2"):
        page.locator(f"[name={field}]").fill("a quiet mill by the river")
    page.locator(".entrance-card button[type=submit]").first.click()
    page.wait_for_url("**/dashboard/")
    expect(page.locator("main")).to_contain_text("Willow & Sons <b>")
    expect(page.locator("main")).to_contain_text("Nothing written yet")
    page.get_by_role("link", name="Start from an example").click()
    expect(page.locator("[name=product]")).to_have_value("Harbor Pour-over Kettle")


def test_a_key_is_made_used_and_revoked(signed_in: Open, stack: Stack) -> None:
    page, name = signed_in(), f"e2e {token_hex(3)}"
    page.goto("/keys/")
    page.locator("main [name=name]").fill(name)
    page.get_by_role("button", name="Create key").click()
    secret = page.locator("#secret").text_content()
    url, headers = f"{stack.base_url}/v1/models", {"Authorization": f"Bearer {secret}"}
    assert httpx.get(url, headers=headers, trust_env=False).status_code == 200
    page.get_by_role("row", name=name).get_by_role("link", name="Revoke").click()
    dialog = page.locator("dialog#revoke")
    expect(dialog.get_by_role("button", name="Revoke key")).to_be_disabled()
    dialog.locator("input[name=name]").fill(name)
    dialog.get_by_role("button", name="Revoke key").click()
    expect(page.locator("main")).to_contain_text("has been revoked")
    assert httpx.get(url, headers=headers, trust_env=False).status_code == 401


def test_the_keyboard_goes_everywhere(signed_in: Open) -> None:
    page = signed_in()
    page.keyboard.press("Control+k")
    page.keyboard.type("hist")
    page.keyboard.press("Enter")
    page.wait_for_url("**/history/")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.locator("#single-keys").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("k")
    page.wait_for_timeout(300)
    assert page.url.endswith("/history/"), "single keys were switched off"
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_be_visible()
