"""PostgreSQL that is away for longer than a lease."""

from __future__ import annotations

import time

import httpx
import pytest

from tests.faults.product import Product
from tests.stack import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]

# Longer than a lease of 15 s, so that every lease has lapsed when the database is back.
AWAY_SECONDS = 18
SLOW = 0.04


def test_with_the_database_away_streams_go_on_and_everything_is_charged_once(product: Product) -> None:
    expected = product.expected(4, 700)
    short = product.expected(1, 100, about="salt")
    product.alter(step=SLOW)
    ids = product.submit(4, 700)
    ends_meanwhile = product.submit(1, 100, about="salt")
    product.wait_until_writing([*ids, *ends_meanwhile])
    with product.following([*ids, *ends_meanwhile]) as readers:
        wait_for(lambda: all(reading.deltas for reading in readers.readings.values()), 30, "the readers' first text")
        with product.without("postgres"):
            gone = time.monotonic()
            lengths = lengths_of(product, ids)
            with product.client() as web:
                refused = web.post("/api/v1/generations", json=product.body())
            assert (refused.status_code, refused.json()["error"]["code"]) == (503, "service_unavailable")
            wait_for(lambda: len(readers[ends_meanwhile[0]].text) == len(short[0]), 60, "a text's end without a row")
            wait_for(lambda: min(map(int.__sub__, lengths_of(product, ids), lengths)) > 20, 60, "streams that go on")
            time.sleep(max(0.0, gone + AWAY_SECONDS - time.monotonic()))
        product.alter()
        wait_for(lambda: submits(product), 60, "the web process's return")
        rows = product.finished([*ids, *ends_meanwhile])
        readings = readers.wait()
    # Nobody's work was taken away although every lease had lapsed.
    assert {(row["status"], row["attempt"], row["crashes"]) for row in rows} == {("succeeded", 1, 0)}
    assert [row["text"] for row in rows] == [reading.text for reading in readings] == expected + short
    product.assert_charged_once(rows)


def test_a_frozen_database_is_answered_with_503_and_work_goes_on_after_it(product: Product) -> None:
    wait_for(lambda: submits(product), 60, "the first answer")
    with product.frozen_database(), product.client() as web:
        codes = [web.post("/api/v1/generations", json=product.body(), timeout=60) for _ in range(2)]
    assert [(code.status_code, code.json()["error"]["code"]) for code in codes] == [(503, "service_unavailable")] * 2
    wait_for(lambda: submits(product), 60, "the web process's return")
    [id] = product.submit(1, 50)
    [row] = product.finished([id])
    assert (row["status"], row["attempt"]) == ("succeeded", 1)


def lengths_of(product: Product, ids: list[str]) -> list[int]:
    client = product.redis()
    return [int(client.xlen(f"millrace:stream:{id}")) for id in ids]  # type: ignore[arg-type]


def submits(product: Product) -> bool:
    with product.client() as web:
        try:
            return web.post("/api/v1/generations", json=product.body(0, 10)).status_code == 202
        except httpx.HTTPError:
            return False
