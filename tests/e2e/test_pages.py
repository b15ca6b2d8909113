"""Every page: no error, nothing wider than the screen, in both languages and themes; keys, palette, signing up."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("stack")]

PUBLIC = ("/", "/pricing/", "/api/docs", "/accounts/login/", "/accounts/signup/", "/accounts/password/reset/")
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
    assert (ground == "rgb(7, 14, 15)") is dark


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
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("k")
    page.wait_for_url("**/keys/")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_be_visible()


def test_the_palette_finds_things_of_the_organization(signed_in: Open, stack: Stack) -> None:
    page = signed_in()
    page.keyboard.press("Control+k")
    palette = page.get_by_role("dialog", name="Search and commands")
    expect(palette.get_by_role("combobox")).to_be_focused()
    page.keyboard.type(stack.a.owner_email.partition("@")[0])
    found = palette.get_by_role("option", name=stack.a.owner_email)
    expect(found).to_be_visible()
    found.click()
    page.wait_for_url("**/settings/members/*/")
    expect(page.locator("main")).to_contain_text(stack.a.owner_email)


def test_single_keys_are_kept_with_the_person(signed_in: Open) -> None:
    page = signed_in()
    page.keyboard.press("?")
    with page.expect_response("**/preferences/"):
        page.locator("#single-keys").uncheck()
    other = signed_in()
    other.keyboard.press("g")
    other.keyboard.press("h")
    other.wait_for_timeout(300)
    assert other.url.endswith("/dashboard/")
    other.locator(".menu-account > summary").click()
    other.get_by_role("button", name="Keyboard shortcuts").click()
    expect(other.locator("#single-keys")).not_to_be_checked()
    with other.expect_response("**/preferences/"):
        other.locator("#single-keys").check()


def test_a_dialog_holds_the_focus_and_gives_it_back(signed_in: Open) -> None:
    page = signed_in()
    opener = page.locator("[data-open-palette]:visible").first
    opener.focus()
    page.keyboard.press("Enter")
    for _ in range(4):
        page.keyboard.press("Tab")
        inside = "() => document.activeElement === document.body || !!document.activeElement.closest('#palette')"
        assert page.evaluate(inside)
    page.keyboard.press("Escape")
    expect(opener).to_be_focused()


def test_the_first_thing_that_tab_reaches_leads_past_the_navigation(signed_in: Open) -> None:
    page = signed_in()
    page.keyboard.press("Tab")
    expect(page.locator(".skip-link")).to_be_focused()
    expect(page.locator(".skip-link")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


def test_the_sidebar_folds_and_on_a_narrow_screen_opens_as_a_menu(signed_in: Open) -> None:
    page = signed_in()
    page.keyboard.press("[")
    expect(page.locator("html")).to_have_attribute("data-sidebar", "narrow")
    page.reload()
    assert page.locator(".sidebar").bounding_box()["width"] < 80  # type: ignore[index]
    narrow = signed_in(width=360)
    expect(narrow.locator(".sidebar")).to_be_hidden()
    narrow.get_by_role("button", name="Menu").click()
    narrow.locator(".sidebar").get_by_role("link", name="History").click()
    narrow.wait_for_url("**/history/")


def test_a_stranger_tries_the_model_on_the_landing_page(open_browser: Callable[..., BrowserContext]) -> None:
    page = open_browser().new_page()
    page.goto("/")
    page.locator("[data-demo] [name=product]").fill("Quiet Kettle")
    page.get_by_role("button", name="Write it").click()
    expect(page.locator("[data-output][data-state=succeeded]")).to_be_visible(timeout=60_000)
    assert len(page.locator("[data-part=text]").text_content() or "") > 20


def test_from_signing_up_to_a_first_text_it_is_one_form_and_one_click(
    open_browser: Callable[..., BrowserContext],
) -> None:
    page = open_browser().new_page()
    page.goto("/accounts/signup/")
    page.locator("[name=email]").fill(f"new-{token_hex(4)}@example.com")
    page.locator("[name=organization_name]").fill("Willow")
    for field in ("password1", "password2"):
        page.locator(f"[name={field}]").fill("a quiet mill by the river")
    page.locator(".entrance-card button[type=submit]").first.click()
    page.wait_for_url("**/dashboard/")
    page.get_by_role("button", name="Northlight Desk Lamp").click()
    page.wait_for_url("**/studio/*-*/")
    expect(page.locator("[data-output][data-state=succeeded]")).to_be_visible(timeout=60_000)
    page.goto("/dashboard/")
    expect(page.locator(".guide-steps [data-done]").first).to_contain_text("Write a first text")
    page.get_by_role("button", name="Put away").click()
    expect(page.locator("#guide-title")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#guide-title")).to_be_visible()


def test_the_studio_is_used_by_keyboard_alone(signed_in: Open) -> None:
    page = signed_in()
    page.keyboard.press("g")
    page.keyboard.press("s")
    page.wait_for_url("**/studio/")
    reached: list[str] = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.name || document.activeElement.textContent.trim()"))
    for name in ("kind", "content_type", "product", "audience", "tone", "key_points", "model", "max_tokens"):
        assert name in reached, f"Tab does not reach {name}"
    page.locator("[name=content_type]:checked").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[name=content_type][value=email]")).to_be_checked()
    page.locator("[name=product]").focus()
    page.keyboard.type("Keyboard Kettle")
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/studio/*-*/")
    expect(page.locator("[data-output][data-state=succeeded]")).to_be_visible(timeout=60_000)
