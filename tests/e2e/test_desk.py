"""A visitor and an agent in two browsers: what one writes the other sees, live, in every look of the pages."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex
from typing import Any

import pytest
from playwright.sync_api import BrowserContext, Page, expect

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("stack")]

Open = Callable[..., Page]
TOO_WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def open_inbox(page: Page) -> str:
    """A new web widget, set up on its page; its name in public."""
    name = f"Web {token_hex(3)}"
    page.goto("/desk/inboxes/")
    page.locator("[name=name]").fill(name)
    page.locator("[name=kind]").select_option("widget")
    page.get_by_role("button", name="Open inbox").click()
    page.get_by_role("link", name=name).click()
    return page.locator("#token").inner_text()


def test_a_visitor_and_an_agent_talk(signed_in: Open, open_browser: Callable[..., BrowserContext]) -> None:
    agent = signed_in()
    token = open_inbox(agent)
    inbox = agent.url.rstrip("/").rpartition("/")[2]
    visitor = open_browser(width=380).new_page()
    visitor.goto(f"/widget/{token}/?locale=en")
    visitor.get_by_role("button", name="Write to us").click()
    question = f"Where is my card {token_hex(4)}?"
    visitor.locator("#widget-text").fill(question)
    visitor.keyboard.press("Enter")
    expect(visitor.locator("[data-messages]")).to_contain_text(question)

    # What other tests have begun stands in the list as well.
    agent.goto(f"/desk/?tab=open&inbox={inbox}")
    agent.locator(".desk-rows a").click()
    expect(agent.locator(".desk-messages")).to_contain_text(question)
    agent.keyboard.press("r")
    answer = f"On its way {token_hex(4)}."
    agent.keyboard.type(answer)
    agent.keyboard.press("Control+Enter")
    expect(visitor.locator("[data-messages]")).to_contain_text(answer)

    # Live in the other direction, without a reload, and once.
    thanks = f"Thank you {token_hex(4)}"
    visitor.locator("#widget-text").fill(thanks)
    visitor.keyboard.press("Enter")
    expect(agent.locator(".desk-messages")).to_contain_text(thanks)
    expect(agent.locator(".desk-text", has_text=thanks)).to_have_count(1)

    # The history is there again after a reload.
    visitor.reload()
    expect(visitor.locator("[data-conversations] li")).to_have_count(1)
    visitor.locator("[data-conversations] button").click()
    expect(visitor.locator("[data-messages]")).to_contain_text(answer)


@pytest.mark.parametrize("looks", [{"width": 360}, {"width": 360, "dark": True, "chinese": True}, {"width": 1280}])
def test_no_page_of_the_desk_is_wider_than_the_screen(signed_in: Open, looks: dict[str, Any]) -> None:
    page = signed_in(**looks)
    places = [
        "/desk/",
        "/desk/?tab=all",
        "/desk/bulk/",
        "/desk/contacts/",
        "/desk/inboxes/",
        "/desk/routing/",
        "/desk/reports/",
    ]
    places += [f"/desk/settings/{kind}/" for kind in ("hours", "sla", "label", "canned", "macro", "rule")]
    for place in places:
        answer = page.goto(place)
        assert answer is not None
        assert answer.status == 200, place
        assert page.evaluate(TOO_WIDE) <= 0, place
    page.goto("/desk/?tab=all")
    row = page.locator(".desk-rows a").first
    if row.count():
        row.click()
        page.wait_for_url("**/desk/*-*/**")
        assert page.evaluate(TOO_WIDE) <= 0, "a conversation"
