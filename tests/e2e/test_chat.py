"""Conversations and runs as a person meets them: sent with Enter, stopped with Esc, branched, voted on."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("stack")]

ANSWERS = ".turn-assistant .prose"
Open = Callable[..., Page]


def _begin(page: Page, text: str) -> None:
    page.goto("/chat/")
    page.locator("#composer-text").fill(text)
    page.keyboard.press("Enter")
    page.wait_for_url("**/chat/*-*/")


def _wait_for_answers(page: Page, count: int) -> None:
    expect(page.locator(ANSWERS)).to_have_count(count, timeout=60_000)


def test_a_message_is_answered_and_branches_are_gone_through(signed_in: Open) -> None:
    page = signed_in()
    _begin(page, "Write a product description for a copper kettle.")
    _wait_for_answers(page, 1)
    expect(page.locator("[data-announce]")).to_contain_text("tokens written")
    page.locator("#composer-text").fill("Shorter.")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("Two lines.")
    page.keyboard.press("Enter")
    _wait_for_answers(page, 2)
    assert page.locator(".turn-user .turn-text").last.text_content() == "Shorter.\nTwo lines."
    page.locator(".turn-assistant").last.get_by_role("button", name="Another answer").click()
    expect(page.locator(".turn-branches")).to_contain_text("2/2")
    _wait_for_answers(page, 2)
    page.get_by_role("button", name="The version before").click()
    expect(page.locator(".turn-branches")).to_contain_text("1/2")


# Twenty characters of what is being written, or an answer that has ended.
WRITES_OR_ENDED = """() => document.querySelector('[data-part=text]')?.textContent.length > 20
    || [...document.querySelectorAll('button')].some(each => each.textContent.includes('Another answer'))"""


def test_an_answer_is_followed_after_a_reload_and_stopped_with_escape(signed_in: Open) -> None:
    page = signed_in()
    stopped = page.get_by_text("Stopped. You are charged for what was written.")
    page.goto("/chat/")
    page.get_by_text("Model and system prompt").click()
    page.locator("[name=max_tokens]").fill("500")
    page.locator("[name=repetition_penalty]").fill("1.3")
    page.locator("#composer-text").fill("Write a blog post about harbour kettles.")
    page.keyboard.press("Enter")
    page.wait_for_url("**/chat/*-*/")
    page.reload()
    for answer in range(1, 21):
        page.wait_for_function(WRITES_OR_ENDED)
        page.keyboard.press("Escape")
        expect(page.get_by_role("button", name="Another answer")).to_be_visible()
        if stopped.is_visible():
            break
        # On a machine that is busy elsewhere an answer may be at its end before the page is there.
        page.get_by_role("button", name="Another answer").click()
        expect(page.locator(".turn-branches")).to_contain_text(f"/{answer + 1}")
    expect(stopped).to_be_visible()
    expect(page.get_by_role("button", name="Go on")).to_be_visible()


def test_two_windows_that_send_at_once_both_keep_their_message(signed_in: Open) -> None:
    first = signed_in()
    _begin(first, "Write an ad headline for a lamp.")
    _wait_for_answers(first, 1)
    second = first.context.new_page()
    second.goto(first.url)
    for number, page in enumerate((first, second)):
        page.locator("#composer-text").fill(f"From window {number}")
    # The second has not heard of the first one's, and is later all the same.
    with first.expect_response(lambda answer: answer.request.method == "POST"):
        first.locator("[data-send]").click()
    second.locator("[data-send]").click()
    expect(second.locator(".turn-branches")).to_contain_text("/2")
    second.reload()
    expect(second.locator(".turn-text", has_text="From window 1")).to_be_visible()
    second.get_by_role("button", name="The version before").click()
    expect(second.locator(".turn-text", has_text="From window 0")).to_be_visible()


def test_a_picture_is_refused_with_a_word_and_what_was_typed_stays(signed_in: Open, complaints: list[str]) -> None:
    page = signed_in()
    page.goto("/chat/")
    page.locator("[name=files]").set_input_files(
        [{"name": "photo.png", "mimeType": "image/png", "buffer": b"\x89PNG\r\n\x1a\n"}]
    )
    page.locator("#composer-text").fill("What is on it?")
    page.locator("[data-send]").click()
    expect(page.locator(".toast-error")).to_contain_text("photo.png is a picture")
    expect(page.locator("#composer-text")).to_have_value("What is on it?")
    # The browser notes each answer that is an error.
    assert "422 (Unprocessable" in complaints.pop()


def test_variants_are_written_side_by_side_and_one_is_repeated_exactly(signed_in: Open) -> None:
    page = signed_in()
    page.goto("/runs/new/")
    page.get_by_text("Free prompt").click()
    page.locator("[name=prompt]").fill("Write an ad headline for a lamp.")
    page.locator("[name=max_tokens]").fill("40")
    page.get_by_role("button", name="Write the variants").click()
    expect(page.get_by_role("button", name="Repeat exactly")).to_have_count(3, timeout=60_000)
    star = page.get_by_role("button", name="Favourite").first
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Repeat exactly").first.click()
    expect(page.get_by_text("The same text as before, to the letter.")).to_be_visible(timeout=60_000)
