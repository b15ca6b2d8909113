"""Workers that are killed, halted, poisoned, told to leave, or have the wrong time."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import celery
import httpx
import pytest

from apps.core import jobs
from tests.faults.product import ENDED, WORKERS, Product
from tests.stack import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]

TOKENS = 300
LEASE = timedelta(seconds=jobs.LEASE_SECONDS)
# About thirty tokens a second: a text then lasts ten seconds, and a fault falls into its middle.
SLOW = 0.03


def texts(rows: list[dict[str, Any]]) -> list[str]:
    return [row["text"] for row in rows]


def is_ready(product: Product) -> bool:
    return httpx.get(f"{product.url()}/readyz", trust_env=False).status_code == 200


def test_a_killed_worker_costs_a_pause_and_never_a_token(product: Product) -> None:
    expected = product.expected(4, TOKENS)
    product.kill("generation1")
    product.alter(step=SLOW)
    ids = product.submit(4, TOKENS)
    product.wait_until_writing(ids)
    with product.following(ids) as readers:
        product.kill("generation0")
        product.alter()
        product.start("generation1")
        rows = product.finished(ids)
        readings = readers.wait()
    assert texts(rows) == [reading.text for reading in readings] == expected
    assert {row["attempt"] for row in rows} == {2}
    assert {product.worker_of(row) for row in rows} == {"generation1"}
    assert not any(reading.resets or reading.repeated for reading in readings)
    product.assert_charged_once(rows)


def test_a_poisonous_request_takes_two_workers_and_nobody_with_it(product: Product) -> None:
    innocent = product.expected(6, TOKENS)
    product.kill("generation1")
    product.alter(poison="arsenic", step=SLOW)
    ids = product.submit(6, TOKENS)
    [poison] = product.submit(1, TOKENS, about="arsenic")
    deaths = 0

    def everything_ended() -> bool:
        nonlocal deaths
        if not product.is_running("generation0"):
            deaths += 1
            product.restart("generation0")
        return all(row["status"] in ENDED for row in product.rows_of([*ids, poison]))

    wait_for(everything_ended, 300, "the end of all")
    [killer] = product.rows_of([poison])
    assert (killer["status"], killer["error_code"], killer["crashes"]) == ("failed", "worker_lost", 2)
    assert deaths == 2
    rows = product.rows_of(ids)
    assert texts(rows) == innocent
    assert {row["status"] for row in rows} == {"succeeded"}
    product.assert_charged_once([*rows, killer])


def test_bells_that_ring_again_do_nothing_and_leave_at_once(product: Product) -> None:
    [expected] = product.expected(1, 900)
    product.alter(step=SLOW)
    ids = product.submit(1, 900)
    product.wait_until_writing(ids)
    # Not this process's own from now on, which would send the bells of the tests that follow there.
    app = celery.Celery(broker=product.environment["REDIS_URL"], set_as_current=False)
    app.conf.broker_transport_options = {"global_keyprefix": "millrace:celery:"}
    client = product.redis()
    # What workers that were killed before have left there is taken up again much later.
    before = set(client.hkeys("millrace:celery:unacked"))  # type: ignore[arg-type]
    for _ in range(40):
        app.send_task("generation.wake", queue="generation")
    wait_for(
        lambda: (
            not client.llen("millrace:celery:generation") and set(client.hkeys("millrace:celery:unacked")) <= before  # type: ignore[arg-type]
        ),
        60,
        "the end of the second copies",
    )
    assert product.row(ids[0])["status"] == "running", "they waited for the first copy"
    product.alter()
    [row] = product.finished(ids)
    assert (row["text"], row["attempt"]) == (expected, 1)
    product.assert_charged_once([row])


def test_a_worker_that_was_given_up_leaves_when_it_wakes(product: Product) -> None:
    [expected] = product.expected(1, 750)
    product.alter(step=SLOW)
    ids = product.submit(1, 750)
    product.wait_until_writing(ids)
    first = product.worker_of(product.row(ids[0]))
    with product.following(ids) as readers:
        product.halt(first)
        wait_for(lambda: product.row(ids[0])["attempt"] == 2 and product.row(ids[0])["worker"], 60, "a second attempt")
        [second] = {*WORKERS} - {first}
        product.wait_until_writing(ids, int(product.redis().xlen(f"millrace:stream:{ids[0]}")) + 5)  # type: ignore[arg-type]
        product.resume(first)
        woken = time.monotonic()
        wait_for(
            lambda: "taken over by another" in product.log(first) or "belongs to another" in product.log(first),
            30,
            "the end of the first copy",
        )
        print(f"the first copy left after {time.monotonic() - woken:.2f} s")
        assert product.row(ids[0])["status"] == "running"
        product.alter()
        [row] = product.finished(ids)
        [reading] = readers.wait()
    assert row["text"] == reading.text == expected
    assert (row["attempt"], product.worker_of(row)) == (2, second)
    assert not reading.resets and not reading.repeated
    product.assert_charged_once([row])


@pytest.mark.parametrize("seconds", [600, -600])
def test_a_wrong_clock_neither_loses_nor_keeps_a_lease(product: Product, seconds: int) -> None:
    [expected] = product.expected(1, 900)
    product.kill("generation1")
    # The worker that writes and the one that reaps are wrong in opposite directions.
    product.replace("generation0", ALTER_CLOCK=str(seconds))
    product.replace("default", ALTER_CLOCK=str(-seconds))
    product.alter(step=SLOW)
    ids = product.submit(1, 900)
    product.wait_until_writing(ids)
    if seconds < 0:
        # By its writer's clock it lapses at once. It has been renewed until after the end of the first lease, and a
        # reaper has looked at it meanwhile.
        first_lease = product.row(ids[0])["lease_until"]
        wait_for(lambda: is_ready(product), 30, "readiness")
        wait_for(lambda: product.row(ids[0])["lease_until"] - first_lease > LEASE, 60, "renewals")
        row = product.row(ids[0])
        assert (row["attempt"], row["status"], row["crashes"]) == (1, "running", 0)
    # By the other it would last for ten minutes more than the worker.
    product.kill("generation0")
    product.alter()
    product.start("generation1")
    [row] = product.finished(ids)
    assert (row["text"], row["attempt"], row["status"]) == (expected, 2, "succeeded")
    product.assert_charged_once([row])


def test_a_worker_that_is_told_to_leave_hands_its_work_on(product: Product) -> None:
    expected = product.expected(3, 900)
    product.kill("generation1")
    product.alter(step=SLOW)
    ids = product.submit(3, 900)
    product.wait_until_writing(ids)
    with product.following(ids) as readers:
        product.terminate("generation0")
        product.start("generation1")
        product.wait_until_gone("generation0", 25)
        product.alter()
        rows = product.finished(ids)
        readings = readers.wait()
    assert texts(rows) == [reading.text for reading in readings] == expected
    assert {(row["attempt"], row["crashes"]) for row in rows} == {(2, 0)}
    assert not any(reading.resets or reading.repeated for reading in readings)
    product.assert_charged_once(rows)


def test_workers_share_the_queue(product: Product) -> None:
    product.alter(step=SLOW)
    ids = product.submit(40, 100)
    rows = product.finished(ids)
    assert {product.worker_of(row) for row in rows} == {*WORKERS}
    assert {(row["status"], row["attempt"]) for row in rows} == {("succeeded", 1)}
    product.assert_charged_once(rows)
