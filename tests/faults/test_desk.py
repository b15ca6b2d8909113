"""Five write at once at the support desk while everything breaks: everybody reads the same, once and in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.faults.desk import (
    IDENTIFIER,
    Desk,
    Readers,
    Talk,
    Writer,
    agent,
    fetched,
    page_of,
    stored,
    visitor,
    widget_of,
)
from tests.faults.product import Product
from tests.stack import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]

AGENTS, MESSAGES, BROWSERS, ASKING = 4, 200, 8, 6
BOT = "dialogue0"
VISIBLE = ("incoming", "outgoing")


@pytest.fixture
def bot(product: Product) -> Iterator[str]:
    """The worker of the support bot, which other fault tests do without."""
    product.start(BOT)
    wait_for(lambda: " ready." in product.log(BOT), 240, "the bot's worker")
    yield BOT
    if product.is_running(BOT):
        product.kill(BOT)


def said_by(writers: Sequence[Writer]) -> int:
    assert not [writer.failure for writer in writers if writer.failure]
    return sum(len(writer.sequences) for writer in writers)


def asks_for_a_person(desk: Desk) -> Talk:
    """Another visitor, who waits for the bot."""
    browser = desk.come_in()
    talk = desk.begin(browser)
    answer = httpx.post(
        desk.urls[-1] + desk.public(f"/me/conversations/{talk.number}/messages"),
        json={"content": "May I speak to a person?"},
        headers={"x-visitor-secret": browser},
        trust_env=False,
        timeout=60,
    )
    assert answer.status_code == 200, answer.text
    return talk


def facts(message: dict[str, Any]) -> tuple[Any, ...]:
    return (message["sequence"], message["client_id"], message["kind"], message["author"], message["content"])


def test_five_who_write_while_web_worker_and_redis_are_killed_lose_nothing(product: Product, bot: str) -> None:
    desk = Desk.of(product, AGENTS)
    browsers = [desk.come_in(IDENTIFIER) for _ in range(BROWSERS)]
    talk = desk.begin(browsers[0])
    writers = [agent(desk, talk, place, MESSAGES) for place in range(AGENTS)]
    writers.append(visitor(desk, talk, browsers, MESSAGES))
    with ExitStack() as stack:
        pages = [page_of(desk, talk, place) for place in range(AGENTS)]
        readers = Readers(desk.urls, [*pages, widget_of(desk, talk, browsers[0])])
        stack.callback(readers.stop)
        for writer in writers:
            writer.start()
            stack.callback(writer.stop)
        asked = broken(product, desk, writers)
        wait_for(lambda: said_by(writers) == len(writers) * MESSAGES, 900, "all that was to be said")
        rows = stored(product, talk)
        shown = [row for row in rows if row["kind"] in VISIBLE]
        whole = {"visitor": shown[-1]["sequence"]}
        readers.wait_until(lambda reader: whole.get(reader.name, rows[-1]["sequence"]), 120)

    assert_all_is_there_once(rows, writers)
    for reader in readers.readers:
        expected = shown if reader.name == "visitor" else rows
        assert [facts(each) for each in reader.seen] == [facts(row) for row in expected], reader.name
    assert [facts(each) for each in fetched(desk, talk)] == [facts(row) for row in rows]
    assert all(reader.cuts >= 3 for reader in readers.readers), "the readers' lines hardly broke"
    assert all(writer.cuts >= 3 for writer in writers), "the writers' lines hardly broke"
    for waiting in asked:
        wait_for(lambda talk=waiting: handed_over(product, talk), 120, "a person for everybody who asked")
        assert len(handed_over(product, waiting)) == 1, "called twice"


def broken(product: Product, desk: Desk, writers: Sequence[Writer]) -> list[Talk]:
    """Kills a web process, Redis and the workers, each while there is much to say; whoever asked for a person."""
    everything = len(writers) * MESSAGES

    def come_to(share: float) -> None:
        wait_for(lambda: said_by(writers) >= share * everything, 600, f"{share:.0%} of what is to be said")

    come_to(0.1)
    product.kill("web0")
    product.start("web0")
    come_to(0.35)
    product.kill("redis")
    come_to(0.4)
    product.start("redis")
    come_to(0.55)
    # The bot has these before it as it dies.
    product.halt(BOT)
    asked = [asks_for_a_person(desk) for _ in range(ASKING)]
    for name in (BOT, "default"):
        product.kill(name)
        product.start(name)
    assert said_by(writers) < everything, "all was said before everything was broken"
    for name in ("web0", BOT, "default"):
        product.wait_until_up(name)
    return asked


def handed_over(product: Product, talk: Talk) -> list[dict[str, Any]]:
    with product.database() as database:
        return database.execute(
            "SELECT sequence FROM support_message WHERE conversation_id = %s AND details->>'why' = 'handed_over'",
            [talk.id],
        ).fetchall()


def assert_all_is_there_once(rows: Sequence[dict[str, Any]], writers: Sequence[Writer]) -> None:
    """Numbers without gaps, every client id once, and of each writer what it was told, in the order it was said in."""
    assert [row["sequence"] for row in rows] == list(range(1, len(rows) + 1))
    places = {row["client_id"]: row["sequence"] for row in rows if row["client_id"]}
    assert len(places) == sum(row["client_id"] is not None for row in rows)
    for writer in writers:
        wanted = [places.get(f"{writer.name}-{number}") for number in range(MESSAGES)]
        assert wanted == writer.sequences == sorted(writer.sequences), writer.name
