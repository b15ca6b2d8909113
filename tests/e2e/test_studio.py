"""The main job as a person meets it: a brief goes in, and the text arrives word by word."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from tests.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("stack")]

FINISHED = "[data-output][data-state=succeeded]"
Open = Callable[..., Page]


def _start(page: Page, product: str, most: int = 300, least: int = 0) -> None:
    """Fills in a long brief and sends it with the keyboard; what must be met in mid-flight says how long it is."""
    page.goto("/studio/")
    page.get_by_text("Blog opening").click()
    page.locator("[name=product]").fill(product)
    page.locator("[name=max_tokens]").fill(str(most))
    page.locator("summary", has_text="Sampling").click()
    page.locator("[name=repetition_penalty]").fill("1.3")
    page.locator("[name=min_tokens]").fill(str(least))
    page.keyboard.press("Control+Enter")
    page.wait_for_url("**/studio/*-*/")


def _text(page: Page) -> str:
    return page.locator("#output-text").text_content() or ""


def _wait_for_words(page: Page, characters: int = 40) -> None:
    page.wait_for_function("n => document.querySelector('#output-text').textContent.length > n", arg=characters)


def _written(stack: Stack, page: Page) -> str:
    """The generation's text as the API gives it."""
    id = page.url.rstrip("/").rsplit("/", 1)[1]
    answer = httpx.get(f"{stack.base_url}/api/v1/generations/{id}", headers=stack.a.bearer, trust_env=False)
    text: str = answer.json()["text"]
    return text


def test_a_brief_is_written_before_ones_eyes(signed_in: Open, stack: Stack) -> None:
    page = signed_in()
    _start(page, "Alder Kettle")
    _wait_for_words(page)
    expect(page.locator(FINISHED)).to_be_visible(timeout=60_000)
    assert _text(page) == _written(stack, page)
    expect(page.locator("[data-output]")).to_have_attribute("aria-busy", "false")
    expect(page.locator("[data-part=announcement]")).to_contain_text("tokens written")
    expect(page.locator("[data-part=speed]")).to_contain_text("tokens/s")
    expect(page.locator(".metrics")).to_contain_text("Charge")


def test_a_reload_and_a_second_tab_lose_and_repeat_nothing(signed_in: Open, stack: Stack) -> None:
    page = signed_in()
    _start(page, "Birch Lamp", least=200)
    _wait_for_words(page)
    before = _text(page)
    second = page.context.new_page()
    second.goto(page.url)
    page.reload()
    for tab in (page, second):
        expect(tab.locator(FINISHED)).to_be_visible(timeout=60_000)
    written = _written(stack, page)
    assert (_text(page), _text(second)) == (written, written)
    assert written.startswith(before)


def test_a_dropped_connection_goes_on_where_it_was(signed_in: Open, stack: Stack) -> None:
    page = signed_in()
    connections: list[str] = []

    def drop_after_four_messages(route: WebSocketRoute) -> None:
        connections.append(route.url)
        server = route.connect_to_server()
        seen = 0

        def pass_on(message: str | bytes) -> None:
            nonlocal seen
            seen += 1
            if seen <= 4:
                route.send(message)
            elif seen == 5:
                server.close()
                route.close(code=1012)

        server.on_message(pass_on)

    page.route_web_socket("**/ws/generations/**", drop_after_four_messages)
    _start(page, "Cedar Desk", most=400, least=400)
    expect(page.locator(FINISHED)).to_be_visible(timeout=60_000)
    assert _text(page) == _written(stack, page)
    assert len(connections) > 1
    assert "after=" in connections[1]


def test_where_web_sockets_are_blocked_events_take_over(signed_in: Open, stack: Stack) -> None:
    page = signed_in()
    page.route_web_socket("**/ws/generations/**", lambda route: route.close(code=1011))
    with page.expect_request("**/stream", timeout=30_000):
        _start(page, "Dune Tent", most=60)
    expect(page.locator(FINISHED)).to_be_visible(timeout=60_000)
    assert _text(page) == _written(stack, page)


def test_escape_really_stops_and_regenerate_starts_anew(signed_in: Open, stack: Stack) -> None:
    page = signed_in()
    _start(page, "Elm Bicycle", most=900, least=800)
    _wait_for_words(page, 20)
    page.keyboard.press("Escape")
    expect(page.locator("[data-output][data-state=cancelled]")).to_be_visible()
    assert _text(page) == _written(stack, page)
    first = page.url
    page.get_by_role("button", name="Regenerate").click()
    page.wait_for_url(lambda url: url != first and "/studio/" in url)
    _wait_for_words(page, 20)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("[data-output][data-state=cancelled]")).to_be_visible()


def test_on_a_phone_the_text_is_read_from_its_beginning_with_stop_at_hand(signed_in: Open) -> None:
    page = signed_in(width=360)
    _start(page, "Fern Kettle", most=900, least=800)
    _wait_for_words(page, 600)
    bar = page.locator(".topbar").bounding_box()
    text = page.locator("#output-text").bounding_box()
    assert bar and text
    assert 0 < text["y"] - (bar["y"] + bar["height"]) < 200, "the first line is not where one looks"
    page.mouse.wheel(0, 500)
    stop = page.get_by_role("button", name="Stop")
    expect(stop).to_be_in_viewport()
    stop.click()
    expect(page.locator("[data-output][data-state=cancelled]")).to_be_visible()


def test_what_is_missing_is_told_at_the_field(signed_in: Open, complaints: list[str]) -> None:
    page = signed_in()
    page.goto("/studio/")
    page.keyboard.press("Control+Enter")
    expect(page.locator("[data-error-for=product]")).to_have_text("Name what it is about.")
    expect(page.locator("[name=product]")).to_be_focused()
    # The browser logs every 422 as an error; this one is meant.
    assert [line for line in complaints if "422" not in line] == []
    complaints.clear()
