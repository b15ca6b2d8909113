"""A plan in a browser: chosen on the pricing page, paid for, given more seats, and cancelled in two clicks."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.test_pages import IMPROPER, NAMELESS, TOO_WIDE
from tests.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("stack")]
Open = Callable[..., Page]
PAGES = ("", "plan/", "change/?seats=7", "cancel/", "invoices/", "credits/", "details/", "cap/")


def test_from_the_pricing_page_to_a_plan_and_back(signed_in: Open, stack: Stack) -> None:
    page = signed_in(stack.b)
    page.goto("/pricing/?interval=month&currency=USD&seats=4")
    page.get_by_role("link", name="Choose Pro").click()
    expect(page.locator("[name=plan]")).to_have_value("pro")
    expect(page.locator("[name=seats]")).to_have_value("4")
    page.get_by_role("button", name="Go to payment").click()
    page.wait_for_url("**/simulator/checkout/**")
    page.get_by_role("button", name="Subscribe").click()
    page.wait_for_url("**/settings/billing/")
    expect(page.get_by_text("Your plan is Pro")).to_be_visible()
    expect(page.locator(".stat-value").first).to_have_text("Pro")

    page.get_by_role("link", name="Change plan").click()
    page.locator("[name=seats]").fill("6")
    page.get_by_role("button", name="See what it costs").click()
    expect(page.get_by_role("heading", name="Change to Pro")).to_be_visible()
    page.get_by_role("button", name="Make the change").click()
    page.wait_for_url("**/settings/billing/")
    expect(page.locator(".stats")).to_contain_text("/ 6")
    _look(page)

    page.get_by_role("link", name="Cancel or pause").click()
    page.get_by_role("button", name="Cancel the subscription").click()
    page.wait_for_url("**/settings/billing/")
    expect(page.get_by_text("everything works until then")).to_be_visible()
    page.get_by_role("link", name=re.compile("Keep the plan")).first.click()
    page.get_by_role("button", name="Keep the plan").click()
    expect(page.get_by_text("The subscription goes on.")).to_be_visible()


def _look(page: Page) -> None:
    """Every page of it, wide and narrow, light and dark."""
    folder = os.environ.get("SCREENSHOTS")
    for width, scheme in ((1280, "light"), (360, "dark")):
        page.set_viewport_size({"width": width, "height": 800})
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        for path in PAGES:
            page.goto(f"/settings/billing/{path}")
            assert page.evaluate(TOO_WIDE) <= 0, (path, width)
            assert page.evaluate(NAMELESS) == [], path
            assert page.evaluate(IMPROPER) == [], path
            if folder:
                name = re.sub(r"\W+", "-", path) or "overview"
                page.screenshot(path=str(Path(folder) / f"{name}-{width}.png"), full_page=True)
    page.set_viewport_size({"width": 1280, "height": 800})
    page.emulate_media(color_scheme="light")
    page.goto("/settings/billing/")
