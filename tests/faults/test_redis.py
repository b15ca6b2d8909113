"""Redis that is away, has forgotten everything, or is full."""

from __future__ import annotations

import time

import pytest

from tests.faults.product import WORKERS, Product
from tests.helpers.cable import cable
from tests.stack import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]

# About thirty tokens a second.
SLOW = 0.03
# Longer than every timeout of a client of Redis (2 s to connect, 5 s for an answer).
AWAY_SECONDS = 8


def test_with_redis_away_texts_go_on_and_new_work_is_accepted(product: Product) -> None:
    expected = product.expected(4, 500)
    short = product.expected(1, 120, about="salt")
    product.alter(step=SLOW)
    ids = product.submit(4, 500)
    ends_meanwhile = product.submit(1, 120, about="salt")
    product.wait_until_writing([*ids, *ends_meanwhile], 5)
    with product.following([*ids, *ends_meanwhile]) as readers:
        with product.without("redis"):
            until = time.monotonic() + AWAY_SECONDS
            later = product.submit(2, 40)
            [settled] = product.finished(ends_meanwhile)
            assert settled["text"] == short[0]
            time.sleep(max(0.0, until - time.monotonic()))
        product.alter()
        rows = product.finished([*ids, *later])
        readings = readers.wait()
    assert [row["text"] for row in rows[:4]] == expected
    assert [reading.text for reading in readings] == expected + short
    assert {(row["status"], row["attempt"]) for row in [*rows, settled]} == {("succeeded", 1)}
    product.assert_charged_once([*rows, settled])


def test_a_redis_that_has_forgotten_everything_is_told_again(product: Product) -> None:
    expected = product.expected(3, 700)
    product.kill("generation1")
    product.alter(step=SLOW)
    [before] = product.submit(1, 20)
    [finished] = product.finished([before])
    ids = product.submit(3, 700)
    product.wait_until_writing(ids)
    with product.following(ids) as readers:
        wait_for(lambda: all(reading.deltas > 5 for reading in readers.readings.values()), 30, "some text")
        product.redis().flushall()
        product.wait_until_writing(ids, 3)
        # The next worker continues from what was written again.
        product.kill("generation0")
        product.alter()
        product.start("generation1")
        with product.following([before, *ids]) as newcomers:
            texts = [reading.text for reading in newcomers.wait()]
        readings = readers.wait()
    rows = product.finished(ids)
    assert [row["text"] for row in rows] == [reading.text for reading in readings] == expected
    assert texts == [finished["text"], *expected]
    assert {row["attempt"] for row in rows} == {2}
    assert {reading.resets for reading in readings} == {1}
    product.assert_charged_once(rows)


def test_a_full_redis_loses_nothing(product: Product) -> None:
    expected = product.expected(3, 400)
    product.alter(step=SLOW)
    ids = product.submit(3, 400)
    product.wait_until_writing(ids, 5)
    with product.following(ids) as readers:
        product.redis().config_set("maxmemory", 1)
        with product.client() as client:
            answers = [client.post("/api/v1/generations", json=product.body(n, 40)) for n in range(3)]
        wait_for(lambda: any("not writable" in product.log(name) for name in WORKERS), 60, "a refused write")
        product.redis().config_set("maxmemory", 0)
        product.alter()
        later = [answer.json()["id"] for answer in answers if answer.status_code == 202]
        rows = product.finished([*ids, *later])
        readings = readers.wait()
    for answer in answers:
        assert answer.status_code in {202, 503}, answer.text
        assert answer.status_code == 202 or answer.json()["error"]["code"] == "service_unavailable"
    assert [row["text"] for row in rows[:3]] == [reading.text for reading in readings] == expected
    assert {(row["status"], row["attempt"]) for row in rows} == {("succeeded", 1)}
    product.assert_charged_once(rows)


async def test_who_listens_at_chatwoots_socket_hears_on_and_nothing_twice(product: Product) -> None:
    def add(name: str) -> None:
        with product.client() as client:
            answer = client.post("/api/v1/support/contacts", json={"name": name})
        assert answer.status_code == 201, answer.text

    with product.client() as client:
        profile = client.get("/api/v1/profile", headers={"api_access_token": product.a.api_key}).json()
    async with cable(product.url()) as line:
        who = {"account_id": profile["account_id"], "user_id": profile["id"]}
        assert await line.subscribe(profile["pubsub_token"], **who) == "confirm_subscription"
        add("Before")
        await line.event("contact.created")
        product.kill("redis")
        add("Meanwhile")
        product.restart("redis")
        add("Afterwards")
        while (await line.event("contact.created"))["name"] != "Afterwards":
            pass
    assert [each["name"] for each in line.heard("contact.created")] == ["Before", "Meanwhile", "Afterwards"]
