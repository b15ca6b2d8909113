"""A request for which there is not enough memory."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.product import ENDED, Product
from tests.stack import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]


def test_a_request_without_memory_fails_typed_and_the_next_one_succeeds(product: Product) -> None:
    """The limit is the operating system's: while the request runs, its worker may take no more (RLIMIT_AS)."""
    [expected] = product.expected(1, 60)
    product.kill("generation1")
    product.alter(hungry="elephants")
    # One that has no memory left over from other requests.
    product.replace("generation0")
    with product.client() as client:
        body = product.body(0, 60, about="elephants " * 180)
        answer = client.post("/api/v1/generations", json=body)
        assert answer.status_code == 202, answer.text

    def end(id: str) -> dict[str, Any]:
        """The row at its end, however many workers that takes."""

        def ended() -> bool:
            if not product.is_running("generation0"):
                product.restart("generation0")
            return product.row(id)["status"] in ENDED

        wait_for(ended, 180, "the request's end")
        return product.row(id)

    failed = end(answer.json()["id"])
    assert (failed["status"], failed["error_code"]) == ("failed", "out_of_memory"), product.log("generation0")[-4000:]
    # Once more, and no more than that: it might have been the others' memory.
    assert (failed["attempt"], failed["crashes"]) == (2, 1)
    # The library that builds the engine's code never recovers in this process; the worker sees that, and ends.
    [next_id] = product.submit(1, 60)
    row = end(next_id)
    assert (row["status"], row["text"]) == ("succeeded", expected)
    product.assert_charged_once([row])
