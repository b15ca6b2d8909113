"""Runs for tests: from rows, set and started; and a worker that writes whatever waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from apps.core import jobs, tenancy
from apps.studio.models import BulkRow, BulkRun, Generation
from apps.studio.services import bulk
from ml.text.tables import Row
from tests.helpers.people import Tenant
from tests.helpers.studio import SUCCESS, finish

Made = Callable[..., BulkRun]
PROMPT = "Write a line about {{ name }}."


@pytest.fixture
def made(org_a: Tenant, model: Any) -> Made:
    """`made("Tea", "Cups", tenant=…)`: a run with a row for each name, set and started unless told otherwise."""

    def make(*names: str, tenant: Tenant | None = None, start: bool = True, prompt: str = PROMPT) -> BulkRun:
        actor = (tenant or org_a).actor
        rows = [Row({"name": name, "colour": "green"}) for name in names]
        run = bulk.create_run(actor, "teas.csv", ("name", "colour"), rows, format="csv")
        bulk.configure_run(actor, run.pk, bulk.Draft(prompt=prompt, max_tokens=20))
        return bulk.start_run(actor, run.pk) if start else bulk.get_run(actor, run.pk)

    return make


def write_all(outcome: Any = SUCCESS) -> list[Generation]:
    """Ends every generation that waits, as a worker would."""
    claimed = jobs.claim(Generation, "w1", 100)
    for generation in claimed:
        assert finish(generation, outcome)
    return claimed


def drive_to_the_end(run: BulkRun, outcome: Any = SUCCESS, rounds: int = 200) -> list[Generation]:
    """Driver and worker take turns until the run is over; what was written, in order."""
    written: list[Generation] = []
    for _ in range(rounds):
        bulk.drive("d1")
        written += write_all(outcome)
        if fresh(run).is_over:
            return written
    raise AssertionError(f"still {fresh(run).state}")


def fresh(run: BulkRun) -> BulkRun:
    with tenancy.scope(run.organization_id):
        found: BulkRun = BulkRun.objects.get(pk=run.pk)
    return found


def rows_of(run: BulkRun) -> list[BulkRow]:
    with tenancy.scope(run.organization_id):
        return list(BulkRow.objects.filter(run=run).select_related("generation").order_by("number"))


def standings(run: BulkRun) -> list[str]:
    return [row.standing for row in rows_of(run)]
