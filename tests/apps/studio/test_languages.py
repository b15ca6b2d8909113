"""What is refused is told in the reader's language on pages, and in English to programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from apps.accounts.access import Actor
from apps.core import outbound, tenancy
from apps.studio.models import BulkRow, BulkRun, RunState
from apps.studio.services import bulk, schedules, templates
from ml.text.tables import Row
from tests.apps.studio.schedules.conftest import PLAN, carry_out, due
from tests.helpers.people import Tenant, acting
from tests.helpers.templates import FACTS

JSON = {"accept": "application/json"}
NO_ROWS = {"vars-TOTAL_FORMS": "0", "vars-INITIAL_FORMS": "0"}

FILLED = {
    "v_product": "茶",
    "v_tone": "warm",
    "voice": "own",
    "model": "default",
    "max_tokens": "60",
    "temperature": "0.8",
    "top_p": "0.95",
}


@pytest.fixture
def member(org_a: Tenant) -> Actor:
    return acting(org_a, org_a.member)


@pytest.fixture
def chinese(org_a: Tenant, client_of: Callable[[Any], Client], model: Any) -> Client:
    client = client_of(org_a.member)
    client.cookies["millrace_language"] = "zh-hans"
    return client


def test_a_value_that_does_not_fit_is_told_at_its_field(chinese: Client, member: Actor) -> None:
    templates.create(member, "Copy", FACTS)
    answer = chinese.post("/templates/copy/", FILLED | {"v_points": "1\n2\n3\n4\n5\n6"})
    assert (answer.status_code, "此处最多 5 个条目。" in answer.text) == (422, True)


def test_a_template_that_cannot_be_read_is_told_with_its_line(chinese: Client) -> None:
    answer = chinese.post("/templates/new/", NO_ROWS | {"name": "Copy", "prompt": "Write.\n{{ product"})
    assert (answer.status_code, "第 2 行：“{{”没有闭合。" in answer.text) == (422, True)


def test_a_table_that_cannot_be_read_is_told_what_it_lacks(chinese: Client) -> None:
    answer = chinese.post("/bulk/new/", {"file": SimpleUploadedFile("teas.csv", b"name;colour\n")})
    assert (answer.status_code, "列名下方没有任何行。" in answer.text) == (422, True)


def test_an_attachment_is_refused_with_a_word(chinese: Client) -> None:
    files = SimpleUploadedFile("tea.pdf", b"no pdf")
    answer = chinese.post("/chat/", {"text": "什么？", "max_tokens": "20", "files": files}, headers=JSON)
    assert (answer.status_code, answer.json()["message"]) == (422, "无法读取 tea.pdf：类型不符。")


def test_an_act_that_is_too_late_names_the_state(chinese: Client, member: Actor) -> None:
    run: BulkRun = bulk.create_run(member, "Teas", ["name"], [Row({"name": "Tea"})])
    assert run.state == RunState.DRAFT
    page = chinese.post(f"/bulk/{run.pk}/pause/", follow=True).text
    assert "现在无法执行此操作：该运行的状态为“草稿”。" in page


def test_a_program_is_told_in_english_whatever_it_accepts(org_a: Tenant, member: Actor) -> None:
    run = bulk.create_run(member, "Teas", ["name"], [Row({"name": "Tea"})])
    headers = org_a.bearer | {"accept-language": "zh-hans"}
    answer = Client().post(f"/api/v1/bulk-runs/{run.pk}/pause", headers=headers)
    assert answer.json()["error"]["message"] == "This cannot be done now: the state of the run is “Draft”."


def test_why_a_row_cannot_be_asked_is_kept_in_a_form_that_can_be_told(org_a: Tenant, chinese: Client) -> None:
    file = SimpleUploadedFile("teas.csv", b"name,colour\nTea,green\n,red\nCups,blue,3\n")
    path = chinese.post("/bulk/new/", {"file": file})["location"]
    form = {"template": "", "prompt": "A line about {{ name }}", "model": "default", "max_tokens": "20"}
    assert chinese.post(path, form | {"temperature": "0.5"}).status_code == 302
    page = chinese.get(path).text
    assert "本行的“name”为空。" in page and "本行有 3 个单元格，而表格只有 2 列。" in page
    chinese.cookies["millrace_language"] = "en"
    page = chinese.get(path).text
    assert "“name” is empty in this row." in page and "This row has 3 cells, and there are 2 columns." in page
    with tenancy.scope(org_a.id):
        assert BulkRow.objects.get(number=2).problem == "“name” is empty in this row.", "for programs"


def test_why_a_schedule_failed_is_told_in_the_readers_language(
    org_a: Tenant, chinese: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbound, "fetch", lambda *_, **__: outbound.Response(404, {}, b""))
    plan = replace(PLAN, sources=("https://a.example/rss",))
    schedule = schedules.create_schedule(org_a.actor, plan)
    due(schedule, seconds=5)
    carry_out()
    page = chinese.get(f"/schedules/{schedule.pk}/").text
    assert page.count("对方返回了状态码 404。") == 3, "above, in the history, and at the source"
    assert "The other side" not in page
    path = f"/api/v1/schedules/{schedule.pk}/occurrences"
    [row] = Client().get(path, headers=org_a.bearer).json()["data"]
    assert row["error"]["message"] == "The other side answered with the status 404."
    assert row["sources"] == [{"url": plan.sources[0], "items": 0, "problem": row["error"]["message"]}]


def test_a_broken_rule_of_a_voice_is_told_in_the_readers_language(chinese: Client) -> None:
    chinese.post("/voices/new/", {"name": "Bakery", "banned": "cheap", "emoji": "never", "longest_sentence": "3"})
    page = chinese.post("/voices/bakery/", {"text": "A cheap loaf for everybody 🙂."}).text
    for words in ("“cheap”是禁用词。", "此品牌语调不使用表情符号。", "此句超过 3 个词。"):
        assert words in page, words
