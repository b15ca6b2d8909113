"""The chat window in a real browser: the bot answers in it, files go through it, and a site's script drives it."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from secrets import token_hex
from threading import Thread
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page, expect

from tests.e2e.test_desk import TOO_WIDE, open_inbox
from tests.stack import Stack, wait_for

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("stack")]

Open = Callable[..., Page]
Browsers = Callable[..., BrowserContext]


@contextmanager
def site() -> Iterator[tuple[str, dict[str, str]]]:
    """A customer's site, under another name than ours: its origin, and its page under `html`."""
    shown = {"html": ""}

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(shown["html"].encode())

        def log_message(self, format: str, *args: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}", shown
        server.shutdown()


def page_with_window(stack: Stack, token: str) -> str:
    loader = f'<script src="{stack.base_url}/packs/js/sdk.js"></script>'
    start = f"<script>chatwootSDK.run({{websiteToken: '{token}', baseUrl: '{stack.base_url}'}})</script>"
    icon = '<link rel=icon href="data:,">'
    return f"<!doctype html><html lang=en><title>Shop</title>{icon}<h1>Shop</h1>{loader}{start}"


def picture(folder: Path) -> Path:
    """A red PNG of 8 by 8 points."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + b"\xff\0\0" * 8 for _ in range(8))
    whole = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
    path = folder / "receipt.png"
    path.write_bytes(whole + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
    return path


def demo_bank(page: Page, stack: Stack) -> str:
    """The name in public of the inbox with the demo bank's bot, once its model is there."""
    with stack.client(stack.a) as client:
        wait_for(lambda: client.get("/api/v1/support/bot").json().get("model"), 240, "training of the bot's model")
    page.goto("/desk/inboxes/")
    page.get_by_role("link", name="Demo Bank").click()
    return page.locator("#token").inner_text()


def test_the_bot_answers_in_the_window_and_people_have_what_it_hands_over(
    signed_in: Open, open_browser: Browsers, stack: Stack
) -> None:
    agent = signed_in()
    token = demo_bank(agent, stack)
    visitor = open_browser(width=380).new_page()
    visitor.goto(f"/widget/{token}/?locale=en")
    expect(visitor.get_by_text("How can I help you?")).to_be_visible()
    visitor.get_by_role("button", name="Write to us").click()
    log = visitor.locator("[data-messages]")
    visitor.locator("#widget-text").fill("I think somebody took my debit card")
    visitor.keyboard.press("Enter")
    answers = log.locator("li.theirs")
    expect(answers).not_to_have_count(0, timeout=60_000)
    expect(answers.first).to_contain_text("Assistant")
    expect(answers.first).to_contain_text("digits")

    before = answers.count()
    wish = "I want to speak to a real person"
    visitor.locator("#widget-text").fill(wish)
    visitor.keyboard.press("Enter")
    expect(answers).not_to_have_count(before, timeout=60_000)

    agent.goto("/desk/?tab=open")
    agent.locator(".desk-rows a").first.click()
    expect(agent.locator(".desk-messages")).to_contain_text(wish)
    expect(agent.locator(".desk-messages")).to_contain_text("handed over to people")
    # Typing is seen on the other side, both ways.
    agent.keyboard.press("r")
    agent.keyboard.type("I am")
    expect(visitor.locator("[data-state]")).to_contain_text("is typing", timeout=15_000)
    visitor.locator("#widget-text").press_sequentially("Are you")
    expect(agent.locator("[data-people]")).to_contain_text("typing", timeout=15_000)


@pytest.mark.parametrize("looks", [{"width": 360}, {"width": 360, "dark": True, "chinese": True}])
def test_a_visitor_sends_files_by_keyboard_alone(
    signed_in: Open, open_browser: Browsers, tmp_path: Path, looks: dict[str, Any]
) -> None:
    agent = signed_in()
    token = open_inbox(agent)
    page = open_browser(**looks).new_page()
    locale = "zh_CN" if looks.get("chinese") else "en"
    page.goto(f"/widget/{token}/?locale={locale}")
    page.locator("[data-new]").press("Enter")
    attach = page.locator("[data-attach]")
    expect(page.locator("#widget-text")).to_be_focused()
    page.keyboard.press("Shift+Tab")
    expect(attach).to_be_focused()
    # Headless browsers do not show the system's dialog each time: that it is asked for is what counts.
    page.evaluate(
        "() => document.querySelector('[data-file-input]').addEventListener("
        "'click', event => { event.preventDefault(); window.asked = true; })"
    )
    page.keyboard.press("Enter")
    page.wait_for_function("() => window.asked")
    bad = tmp_path / "tool.exe"
    bad.write_bytes(b"MZ")
    page.locator("[data-file-input]").set_input_files([picture(tmp_path), bad])
    state = page.locator("[data-state]")
    expect(state).to_contain_text("tool.exe")
    files = page.locator("[data-files] li")
    expect(files).to_have_count(1)
    assert page.evaluate(TOO_WIDE) <= 0
    assert not Axe().run(page).response["violations"]

    # Taken out again, and chosen again.
    files.get_by_role("button").focus()
    page.keyboard.press("Enter")
    expect(files).to_have_count(0)
    expect(attach).to_be_focused()
    page.locator("[data-file-input]").set_input_files(picture(tmp_path))
    page.locator("#widget-text").focus()
    page.keyboard.press("Enter")
    mine = page.locator("[data-messages] li.mine[data-sequence]")
    expect(mine.get_by_role("img", name="receipt.png")).to_be_visible()
    with page.expect_download() as saved:
        mine.get_by_role("button").click()
    assert saved.value.suggested_filename == "receipt.png"
    assert Path(saved.value.path()).read_bytes() == (tmp_path / "receipt.png").read_bytes()
    assert page.evaluate(TOO_WIDE) <= 0
    assert not Axe().run(page).response["violations"]

    agent.goto("/desk/?tab=open")
    agent.locator(".desk-rows a").first.click()
    expect(agent.locator(".desk-files")).to_contain_text("receipt.png")


def test_a_sites_script_drives_the_window_and_opens_it_apart(
    signed_in: Open, open_browser: Browsers, stack: Stack
) -> None:
    with site() as (origin, shown):
        agent = signed_in()
        token = open_inbox(agent)
        agent.locator("[name=origins]").fill(origin)
        agent.get_by_role("button", name="Save").first.click()
        label = f"site-{token_hex(3)}"
        agent.goto("/desk/settings/label/")
        agent.locator("[name=title]").fill(label)
        agent.locator("form button[type=submit]").last.click()

        shown["html"] = page_with_window(stack, token)
        shop = open_browser().new_page()
        shop.goto(f"{origin}/")
        shop.wait_for_function("window.$chatwoot.hasLoaded")
        shop.evaluate("label => { $chatwoot.setLabel(label); $chatwoot.toggle('open'); }", label)
        assert shop.evaluate("$chatwoot.isOpen")
        window = shop.frame_locator("#chatwoot_live_chat_widget")
        window.get_by_role("button", name="Write to us").click()
        question = f"Is it in stock {token_hex(4)}?"
        window.locator("#widget-text").fill(question)
        window.locator("#widget-text").press("Enter")
        expect(window.locator("[data-messages] li[data-sequence]")).to_contain_text(question)

        with shop.expect_popup() as opened:
            shop.evaluate("$chatwoot.popoutChatWindow()")
        apart = opened.value
        expect(apart.locator("[data-conversations] li")).to_have_count(1)
        apart.locator("[data-conversations] button").click()
        expect(apart.locator("[data-messages]")).to_contain_text(question)
        assert not shop.evaluate("$chatwoot.isOpen")

        agent.goto("/desk/?tab=open")
        agent.locator(".desk-rows a").first.click()
        expect(agent.locator(".desk-messages")).to_contain_text(question)
        expect(agent.locator("body")).to_contain_text(label)
        shop.evaluate("$chatwoot.reset()")
        expect(window.locator("[data-conversations] li")).to_have_count(0)


def test_the_pages_of_bots_fit_the_screen(signed_in: Open) -> None:
    for looks in ({"width": 360}, {"width": 360, "dark": True, "chinese": True}, {"width": 1280}):
        page = signed_in(**looks)
        page.goto("/desk/bots/")
        page.locator("[name=name]").fill(f"Helper {token_hex(3)}")
        page.locator("[name=url]").fill("https://bot.example/hook")
        page.locator("main form button[type=submit]").last.click()
        expect(page.locator("#bot-token")).to_contain_text("mrbot_")
        assert page.evaluate(TOO_WIDE) <= 0
        assert not Axe().run(page).response["violations"]
        page.goto("/desk/bots/")
        assert page.evaluate(TOO_WIDE) <= 0
        assert not Axe().run(page).response["violations"]
