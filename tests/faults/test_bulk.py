"""A bulk run of hundreds of rows, in whose middle its driver and every worker are killed, twice."""

from __future__ import annotations

from typing import Any

import pytest

from tests.faults.product import WORKERS, Product
from tests.stack import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]

ROWS = 160
TOKENS = 4


def test_rows_are_each_written_and_charged_once_whatever_is_killed(product: Product) -> None:
    product.replace("default", BULK_IN_FLIGHT="24")
    run = start(product)
    for done in (ROWS // 4, ROWS * 2 // 3):
        wait_for(lambda done=done: counted(product, run)["succeeded"] >= done, 900, f"{done} texts")  # type: ignore[misc]
        assert counted(product, run)["waiting"] > 0, "there was nothing left to disturb"
        for name in ("default", *WORKERS):
            product.kill(name)
        product.restart("default", *WORKERS)
    wait_for(lambda: state_of(product, run) == "completed", 1_200, "the end of the run")
    assert counted(product, run)["succeeded"] == ROWS
    with product.database() as database:
        attempts = database.execute(
            "SELECT row.number, attempt.number AS attempt, attempt.generation_id AS id FROM studio_bulkattempt attempt"
            " JOIN studio_bulkrow row ON row.id = attempt.row_id WHERE row.run_id = %s ORDER BY row.number",
            [run],
        ).fetchall()
        texts = database.execute(
            "SELECT id, status, messages->0->>'content' AS asked, prompt_tokens + completion_tokens AS tokens"
            " FROM studio_generation WHERE messages->0->>'content' LIKE 'Write about kettle %%.' ORDER BY id"
        ).fetchall()
        lines = database.execute(
            "SELECT job_id, kind, tokens FROM billing_ledgerentry WHERE job_id = ANY(%s) ORDER BY job_id, kind",
            [[text["id"] for text in texts]],
        ).fetchall()
    assert [(each["number"], each["attempt"]) for each in attempts] == [(n, 1) for n in range(1, ROWS + 1)]
    assert {each["id"] for each in attempts} == {text["id"] for text in texts}
    assert {text["asked"] for text in texts} == {f"Write about kettle {n}." for n in range(ROWS)}
    assert {text["status"] for text in texts} == {"succeeded"}
    assert [(line["job_id"], line["kind"]) for line in lines] == [
        (text["id"], kind) for text in texts for kind in ("hold", "settle")
    ]
    assert [line["tokens"] for line in lines[1::2]] == [text["tokens"] for text in texts]


def start(product: Product) -> str:
    body: dict[str, Any] = {
        "name": "Kettles",
        "rows": [{"name": f"kettle {number}"} for number in range(ROWS)],
        "prompt": "Write about {{ name }}.",
        "temperature": 0,
        "max_tokens": TOKENS,
        "min_tokens": TOKENS,
        "start": True,
    }
    with product.client() as client:
        answer = client.post("/api/v1/bulk-runs", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def read(product: Product, run: str) -> dict[str, Any]:
    with product.client() as client:
        found: dict[str, Any] = client.get(f"/api/v1/bulk-runs/{run}").json()
    return found


def counted(product: Product, run: str) -> dict[str, Any]:
    found: dict[str, Any] = read(product, run)["counts"]
    return found


def state_of(product: Product, run: str) -> str:
    return str(read(product, run)["state"])
