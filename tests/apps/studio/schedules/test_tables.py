"""Schedules whose times are bulk runs of a table."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from apps.core import tenancy
from apps.studio.models import BulkRun, Generation, OccurrenceState, RunState, Schedule
from apps.studio.services import bulk, schedules
from ml.text.tables import Row
from tests.apps.studio.bulk.conftest import write_all
from tests.apps.studio.schedules.conftest import FAILED, PLAN, WRITTEN, due, fresh, occurrences, sent, values_of
from tests.helpers.people import Tenant


@pytest.fixture
def table(org_a: Tenant, model: Any) -> BulkRun:
    rows = [Row({"name": "Tea"}), Row({"name": "Cups"}), Row({"name": ""})]
    made = bulk.create_run(org_a.actor, "teas.csv", ("name",), rows)
    return bulk.configure_run(org_a.actor, made.pk, bulk.Draft(prompt="A line about {{ name }}.", max_tokens=20))


def carry_out_rows(outcome: Any) -> None:
    schedules.plan_due()
    for _ in range(10):
        while schedules.look("w"):
            pass
        bulk.drive("d")
        write_all(outcome)


def test_a_table_is_asked_again_each_time(org_a: Tenant, table: BulkRun) -> None:
    schedule = schedules.create_schedule(org_a.actor, replace(PLAN, prompt="", table=table.pk))
    schedules.add_recipient(org_a.actor, schedule.pk, org_a.member.email)
    for seconds in (5, 4):
        due(schedule, seconds=seconds)
        carry_out_rows(WRITTEN)
    first, second = occurrences(schedule)
    assert (first.state, second.state, first.mailed) == (OccurrenceState.DONE, OccurrenceState.DONE, 1)
    assert len({first.run_id, second.run_id, table.pk}) == 3
    with tenancy.scope(org_a.id):
        assert Generation.objects.filter(bulk_rows__run=second.run_id).count() == 2
        assert BulkRun.objects.get(pk=table.pk).state == RunState.DRAFT, "the table itself is asked nothing"
    text = sent()[0].body
    assert "2 of 3 rows of “teas.csv” were written." in text and f"/bulk/{first.run_id}/" in text


def test_a_table_without_a_written_row_is_a_failure(org_a: Tenant, table: BulkRun) -> None:
    schedule = schedules.create_schedule(org_a.actor, replace(PLAN, prompt="", table=table.pk))
    due(schedule, seconds=5)
    carry_out_rows(FAILED)
    assert occurrences(schedule)[0].error_code == "bulk_run_stopped"
    bulk.delete_run(org_a.actor, table.pk)
    due(schedule, seconds=4)
    carry_out_rows(WRITTEN)
    assert occurrences(schedule)[1].error_code == "not_found"
    assert fresh(schedule).failures == 2


def test_tables_are_chosen_on_the_page_and_by_programs(
    org_a: Tenant, org_b: Tenant, table: BulkRun, client_of: Any
) -> None:
    browser = client_of(org_a.member)
    form = browser.get("/schedules/new/").context["form"]
    assert [name for _id, name in form.fields["table"].choices][1].startswith("teas.csv")
    values = values_of(form)
    path = browser.post("/schedules/new/", values | {"name": "Teas", "table": str(table.pk)})["location"]
    with tenancy.scope(org_a.id):
        assert Schedule.objects.get().table_id == table.pk
    assert browser.post(f"{path}edit/", values | {"name": "Teas", "table": ""}).status_code == 422
    body = {"name": "Teas", "table": str(table.pk), "at": "08:00"}
    kinds: Any = {"content_type": "application/json"}
    made = Client().post("/api/v1/schedules", body, headers=org_a.bearer, **kinds)
    assert (made.status_code, made.json()["table"]) == (201, str(table.pk))
    assert Client().post("/api/v1/schedules", body, headers=org_b.bearer, **kinds).status_code == 404
    both = Client().post("/api/v1/schedules", body | {"prompt": "x"}, headers=org_a.bearer, **kinds)
    assert both.json()["error"]["param"] == "prompt"
