"""The pages of bulk runs, as their people and as others find them."""

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import AsyncClient, Client
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from apps.core import tenancy
from apps.core.jobs import Status
from apps.studio.models import BulkRow, BulkRun, RunState
from apps.studio.services import Outcome, bulk, templates, voices
from ml.text.tables import Row
from tests.apps.studio.bulk.conftest import Made, drive_to_the_end, fresh, standings, write_all
from tests.helpers.counting import MOST, questions_of
from tests.helpers.people import Tenant, acting, audit_of
from tests.helpers.templates import FACTS

SignIn = Callable[[Any], Client]


@pytest.fixture
def browser(org_a: Tenant, client_of: SignIn, model: Any) -> Client:
    return client_of(org_a.member)


def uploaded(client: Client, content: bytes, name: str = "teas.csv") -> Any:
    return client.post("/bulk/new/", {"file": SimpleUploadedFile(name, content)})


def test_from_a_file_to_the_texts(org_a: Tenant, browser: Client) -> None:
    response = uploaded(browser, "name;colour\nTea;green\n;red\n".encode("utf-16"))
    assert response.status_code == 302
    page = browser.get(response["location"]).content.decode()
    assert 'data-place="colour"' in page
    form = {"prompt": "A {{ colour }} {{ name }}.", "model": "default", "max_tokens": "20", "temperature": "0.5"}
    assert browser.post(response["location"], form).status_code == 302
    page = browser.get(response["location"]).content.decode()
    assert "A green Tea." in page
    assert "“name” is empty in this row." in page
    assert browser.post(response["location"], form | {"start": ""}).status_code == 302
    with tenancy.scope(org_a.id):
        run = BulkRun.objects.get()
    assert run.state == RunState.RUNNING
    [written] = drive_to_the_end(run)
    assert (written.temperature, written.created_by_id) == (0.5, org_a.member.pk)
    page = browser.get(f"/bulk/{run.pk}/").content.decode()
    assert "Tea, at last." in page
    assert json.loads(browser.get(f"/bulk/{run.pk}/progress/").content)["succeeded"] == 1


def test_what_is_no_table_is_told_at_the_field(browser: Client) -> None:
    response = uploaded(browser, b"\x89PNG\0\0", "cat.csv")
    assert response.status_code == 422
    assert "binary file" in response.content.decode()


def test_a_table_that_is_too_large_is_refused(browser: Client, settings: Any) -> None:
    settings.BULK_MAX_FILE_BYTES = 20
    assert uploaded(browser, b"a,b\n" + b"1,2\n" * 20).status_code == 422


def test_buttons_do_what_they_say(org_a: Tenant, browser: Client, made: Made) -> None:
    run = made("Tea", "Cups")
    for act, state in [("pause", "paused"), ("resume", "running"), ("cancel", "ending")]:
        assert browser.post(f"/bulk/{run.pk}/{act}/").status_code == 302
        assert fresh(run).state == state
    bulk.drive("d1")
    assert browser.post(f"/bulk/{run.pk}/delete/")["location"] == "/bulk/"
    with tenancy.scope(org_a.id):
        assert not BulkRun.objects.exists()


def test_strangers_and_other_organizations_find_nothing(
    org_b: Tenant, outsider: Any, client_of: SignIn, made: Made
) -> None:
    run = made("Tea")
    for who in (client_of(org_b.owner), client_of(outsider)):
        assert who.get(f"/bulk/{run.pk}/").status_code == 404
        assert who.post(f"/bulk/{run.pk}/cancel/").status_code == 404
        assert who.post(f"/bulk/{run.pk}/download/csv/").status_code == 404
    assert "teas.csv" not in client_of(org_b.owner).get("/bulk/").content.decode()
    assert Client().get("/bulk/").status_code == 302
    assert standings(run) == ["waiting"]


@pytest.mark.parametrize("count", [3, 300])
def test_pages_ask_few_questions_whatever_the_number_of_rows(
    org_a: Tenant, browser: Client, made: Made, count: int
) -> None:
    """Without what only opens and closes transactions."""
    run = made(*map(str, range(count)))
    draft = made(*map(str, range(count)), start=False)
    for _ in range(count // 12):
        made("Tea", start=False)
    bulk.drive("d1")
    write_all()
    for path in ("/bulk/", "/bulk/new/", f"/bulk/{run.pk}/", f"/bulk/{draft.pk}/", f"/bulk/{run.pk}/progress/"):
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(path).status_code == 200
        asked = [
            each["sql"] for each in queries if not re.match(r"(RELEASE )?SAVEPOINT|SELECT set_config", each["sql"])
        ]
        assert len(asked) <= 12, "\n".join([path, *asked])


@pytest.fixture
def finished(org_a: Tenant, model: Any) -> BulkRun:
    """A run whose cells and texts a spreadsheet would compute, with one row that failed and one that was unusable."""
    rows = [Row({"name": "=cmd|' /C calc'!A0", "output": "@old"}), Row({"name": "b"}), Row({"name": ""})]
    run = bulk.create_run(org_a.actor, "teas.csv", ("name", "output"), rows)
    bulk.configure_run(org_a.actor, run.pk, bulk.Draft(prompt="About {{ name }}.", max_tokens=20))
    bulk.start_run(org_a.actor, run.pk)
    with tenancy.scope(org_a.id):
        BulkRow.objects.filter(run=run, number=2).update(state="refused", problem_code="x", problem="No.")
    drive_to_the_end(run, Outcome(Status.SUCCEEDED, "=1+1", "stop", 10, 5))
    return run


async def downloaded(tenant: Tenant, run: BulkRun, format: str) -> bytes:
    client = AsyncClient()
    path = f"/api/v1/bulk-runs/{run.pk}/download?format={format}"
    response = await client.get(path, headers=tenant.bearer)
    assert response.status_code == 200
    return b"".join([part async for part in response.streaming_content])


@pytest.mark.django_db(transaction=True)
async def test_no_spreadsheet_computes_what_is_downloaded(org_a: Tenant, finished: BulkRun) -> None:
    text = (await downloaded(org_a, finished, "csv")).decode("utf-8-sig")
    head, first, second, third = csv.reader(io.StringIO(text))
    assert head[:4] == ["name", "output", "output_", "status"]
    assert first[:4] == ["'=cmd|' /C calc'!A0", "'@old", "'=1+1", "succeeded"]
    assert (second[3], second[-2:]) == ("refused", ["x", "No."])
    assert (third[3], third[-2]) == ("invalid", "row_incomplete")
    sheet = load_workbook(io.BytesIO(await downloaded(org_a, finished, "xlsx"))).active
    cell = sheet["C2"]
    assert (cell.value, cell.data_type, sheet["F2"].value) == ("=1+1", "s", "house-text-1")
    lines = (await downloaded(org_a, finished, "jsonl")).decode().splitlines()
    assert json.loads(lines[0])["output_"] == "=1+1"
    assert [json.loads(line)["prompt_tokens"] for line in lines] == ["10", "", ""]


@pytest.mark.django_db(transaction=True)
async def test_a_download_is_recorded(org_a: Tenant, finished: BulkRun) -> None:
    from asgiref.sync import sync_to_async

    await downloaded(org_a, finished, "csv")
    assert len(await sync_to_async(audit_of)(org_a, "bulk_run.downloaded")) == 1


def test_a_template_is_filled_from_columns(org_a: Tenant, browser: Client) -> None:
    actor = acting(org_a, org_a.member)
    version = templates.create(actor, "Product copy", FACTS)
    page = uploaded(browser, b"Product,Facts\nTea,green\n,red\n")["location"]
    form = {
        "template": "product-copy@draft",
        "prompt": "",
        "model": "default",
        "max_tokens": "20",
        "temperature": "0.8",
    }
    shown = browser.post(page, form | {"preview": ""})
    # Until a column is chosen for what is required.
    assert shown.status_code == 422
    assert "column_product" in shown.content.decode()
    columns = {"column_product": "Product", "column_points": "Facts"}
    assert browser.post(page, form | columns).status_code == 302
    assert "Write about Tea." in browser.get(page).content.decode()
    # What the name means later changes nothing.
    templates.add_version(actor, "product-copy", replace(FACTS, prompt="Other {{ product }}"))
    browser.post(page.rstrip("/") + "/start/")
    with tenancy.scope(org_a.id):
        run = BulkRun.objects.get()
    [written] = drive_to_the_end(run)
    assert (written.template_version_id, written.origin) == (version.pk, "bulk")
    assert "Write about Tea." in written.messages[-1]["content"]
    assert standings(run) == ["succeeded", "invalid"]


def test_a_draft_asks_little_however_much_of_it_is_shown(org_a: Tenant, browser: Client) -> None:
    actor = acting(org_a, org_a.member)
    voices.create(actor, "House", {"words": ["dry"]})
    templates.create(actor, "Copy", replace(FACTS, voice="house"))
    page = uploaded(browser, b"Product,Facts\n" + b"Tea,green\n" * 8 + b",red\n" * 8)["location"]
    form = {"template": "copy@draft", "prompt": "", "model": "default", "max_tokens": "20", "temperature": "0.8"}
    assert browser.post(page, form | {"column_product": "Product", "column_points": "Facts"}).status_code == 302
    shown = browser.get(page)
    assert (len(shown.context["preview"]), len(shown.context["problems"])) == (5, 5)
    assert all(len(each["messages"]) == 2 for each in shown.context["preview"])
    assert questions_of(browser, page) <= MOST


def test_the_form_keeps_sampling_that_only_programs_set(org_a: Tenant, browser: Client, made: Made) -> None:
    run = made("Tea", start=False)
    bulk.configure_run(org_a.actor, run.pk, bulk.Draft(prompt="{{ name }}", sampling={"top_k": 7, "stop": ["END"]}))
    form = {"template": "", "prompt": "About {{ name }}", "model": "default", "max_tokens": "20", "temperature": "0.5"}
    assert browser.post(f"/bulk/{run.pk}/", form).status_code == 302
    assert fresh(run).sampling == {"top_k": 7, "stop": ["END"], "temperature": 0.5}
