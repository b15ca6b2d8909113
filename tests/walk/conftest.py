"""Every page of the product in a real browser, answered by this process: no server, no second database.

The world is that of tests/architecture, which has a row of everything, so that a page that is added is walked as soon
as it is listed in authorization.yaml. What the browser asks for is answered by Django's test client, headers included,
so that the content security policy holds as it does in production.
"""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.base import AXE_FILE_PATH
from django.conf import settings
from django.contrib.staticfiles import finders
from django.db import connection, connections
from django.test import Client
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Route, sync_playwright
from playwright.sync_api import Error as PlaywrightError

from tests.architecture.conftest import World, forget_counts
from tests.architecture.conftest import _market_is_open as _market_is_open
from tests.architecture.conftest import world as world
from tests.architecture.test_authorization import ROUTES, path_of
from tests.e2e.conftest import ARGUMENTS, CHROMIUM

SITE = "http://localhost"
TYPES = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".png": "image/png",
}
# In the world's language of addresses: what is answered with a file, a redirect or nothing is no page.
NO_PAGES = {"metrics", "robots", "healthz", "readyz", "api-schema", "media", "search", "document-margin", "desk-fresh"}


class Site:
    """Django's test client in a thread of its own, on the connection of this one.

    Playwright has an event loop in this thread, and Django's synchronous code would refuse to run beside it.
    """

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1)
        self._client = Client(raise_request_exception=False)
        # All pages are seen within the transaction that made the world; between two of them the browser works.
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        connection.inc_thread_sharing()
        self._pool.submit(connections.__setitem__, "default", connections["default"]).result()

    def get(self, path: str, cookies: dict[str, str]) -> Any:
        return self._pool.submit(self._get, path, cookies).result()

    def _get(self, path: str, cookies: dict[str, str]) -> Any:
        self._client.cookies.clear()
        self._client.cookies.load(cookies)
        answer: Any = self._client.get(path)
        # What is sent without end, as streams are, is no page.
        endless = answer.streaming and answer.is_async
        answer.body = b"" if endless else b"".join(answer.streaming_content) if answer.streaming else answer.content
        return answer

    def close(self) -> None:
        self._pool.submit(connections.__delitem__, "default").result()
        self._pool.shutdown()
        connection.dec_thread_sharing()


@dataclass
class Visit:
    """What the browser and the server have said since a page was opened."""

    complaints: list[str] = field(default_factory=list)
    scripts: dict[str, int] = field(default_factory=dict)


class Walker:
    """One context of the browser, in one language; `open` shows a page to the owner of `a`, or to a stranger."""

    def __init__(self, browser: Browser, site: Site, language: str, owner: dict[str, str]) -> None:
        self.site, self.language, self.owner, self.visit, self.stranger = site, language, owner, Visit(), False
        self.context: BrowserContext = browser.new_context(base_url=SITE, reduced_motion="reduce")
        self.context.route("**/*", self._answer)
        if language == "en":
            self.context.add_init_script(path=AXE_FILE_PATH)
        self.page: Page = self.context.new_page()
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.visit.complaints.append(str(error)))

    def open(self, path: str, *, stranger: bool = False) -> int:
        self.visit, self.stranger = Visit(), stranger
        answer = self.page.goto(path, wait_until="load")
        return answer.status if answer else 0

    def _note(self, message: ConsoleMessage) -> None:
        # Nobody answers sockets here, and those of the page before are still being tried.
        if message.type == "error" and not message.text.startswith("WebSocket connection to"):
            self.visit.complaints.append(message.text)

    def _answer(self, route: Route) -> None:
        # A picture that is still asked for when the next page opens is not waited for any more.
        with contextlib.suppress(PlaywrightError):
            self._respond(route)

    def _respond(self, route: Route) -> None:
        address = urlsplit(route.request.url)
        if address.path.startswith(settings.STATIC_URL):
            self._static(route, address.path.removeprefix(settings.STATIC_URL))
            return
        cookies = {settings.LANGUAGE_COOKIE_NAME: self.language} | ({} if self.stranger else self.owner)
        answer = self.site.get(f"{address.path}?{address.query}" if address.query else address.path, cookies)
        route.fulfill(status=answer.status_code, headers=dict(answer.headers), body=answer.body)

    def _static(self, route: Route, name: str) -> None:
        found = finders.find(name)
        if not found:
            route.fulfill(status=404)
            return
        body = Path(str(found)).read_bytes()
        if name.endswith(".js"):
            self.visit.scripts[name] = len(gzip.compress(body, 9))
        route.fulfill(status=200, body=body, content_type=TYPES.get(Path(name).suffix, "application/octet-stream"))


@pytest.fixture(scope="module")
def browser(pages: list[tuple[str, str, bool]]) -> Iterator[Browser]:
    """After the world has been made, since Django would refuse to make it beside Playwright's event loop."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture(scope="module")
def site(world: World) -> Iterator[Site]:
    forget_counts()
    one = Site()
    yield one
    one.close()


@pytest.fixture(scope="module")
def owner(world: World) -> dict[str, str]:
    """The cookie of the owner of organization `a`."""
    return {settings.SESSION_COOKIE_NAME: world.named("owner").cookie}


@pytest.fixture(scope="module")
def pages(world: World, site: Site, owner: dict[str, str]) -> list[tuple[str, str, bool]]:
    """Every address that shows a page: its name, its path, and whether a stranger sees it."""
    found = []
    for name, route in ROUTES.items():
        rule = route.rules.get("GET")
        if rule is None or name in NO_PAGES or rule.audience == "directory":
            continue
        path = path_of(route, world.a.ids)
        if path.startswith(("/api/v", "/v1/", "/scim/")):
            continue
        stranger = rule.audience == "everyone"
        answer = site.get(path, {} if stranger else owner)
        if answer.status_code == 200 and answer.get("content-type", "").startswith("text/html"):
            found.append((name, path, stranger))
    return found


# Beside each other where there are two processes.
LANGUAGES = [pytest.param(name, marks=pytest.mark.xdist_group(f"walk-{name}")) for name in ("en", "zh-hans")]


@pytest.fixture(scope="module", params=LANGUAGES)
def walker(request: pytest.FixtureRequest, browser: Browser, site: Site, owner: dict[str, str]) -> Iterator[Walker]:
    one = Walker(browser, site, request.param, owner)
    yield one
    one.context.close()
