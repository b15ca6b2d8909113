"""A browser on the real stack. Whatever it logs as an error, or the content security policy refuses, fails the test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.stack import Demo, Stack

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
Open = Callable[..., Page]
# How long a page may take says how busy the machine is.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """For one module: while Playwright runs, its thread has an event loop, which Django keeps off the database."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained about, over all pages of the test."""
    return []


@pytest.fixture
def open_browser(browser: Browser, stack: Stack, complaints: list[str]) -> Iterator[Callable[..., BrowserContext]]:
    """`open_browser(width=…, dark=…, chinese=…)`: a fresh profile; complaints are checked at the end."""
    opened: list[BrowserContext] = []

    def listen(page: Page) -> None:
        page.on("console", lambda message: _note(complaints, message))
        page.on("pageerror", lambda error: complaints.append(str(error)))

    def open_it(width: int = 1280, dark: bool = False, chinese: bool = False) -> BrowserContext:
        context = browser.new_context(
            base_url=stack.base_url,
            viewport={"width": width, "height": 800},
            color_scheme="dark" if dark else "light",
            locale="zh-CN" if chinese else "en-US",
            reduced_motion="reduce",
        )
        context.set_default_timeout(30_000)
        context.on("page", listen)
        opened.append(context)
        return context

    yield open_it
    for context in opened:
        context.close()
    assert not complaints


def _note(complaints: list[str], message: ConsoleMessage) -> None:
    if message.type == "error":
        complaints.append(f"{message.text} ({message.location.get('url', '')})")


@pytest.fixture
def signed_in(open_browser: Callable[..., BrowserContext], stack: Stack) -> Open:
    """`signed_in(width=…)`: a page in which the owner of the first demo organization is signed in."""

    def sign_in(who: Demo | None = None, **looks: Any) -> Page:
        person = who or stack.a
        page = open_browser(**looks).new_page()
        page.goto("/accounts/login/")
        page.locator("[name=login]").fill(person.owner_email)
        page.locator("[name=password]").fill(person.owner_password)
        page.locator(".entrance-card button[type=submit]").first.click()
        page.wait_for_url("**/dashboard/")
        return page

    return sign_in
