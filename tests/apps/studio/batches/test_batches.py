"""Files and batches, as OpenAI's unmodified client knows them, with the worker's part played by hand."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import openai
import pytest
from django.utils import timezone

from apps.core import tenancy
from apps.core.jobs import Status
from apps.studio.models import Batch, BulkRun, StoredFile
from apps.studio.services import Outcome, bulk, files
from tests.apps.studio.bulk.conftest import write_all
from tests.helpers.live import live_server
from tests.helpers.people import Tenant, events_of
from tests.helpers.studio import ledger
from workers import batches

CHAT = "/v1/chat/completions"
FAILED = Outcome(Status.FAILED, "", "error", error_code="engine_error", error_message="No.")


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def server(transactional_db: None, model: Any) -> Iterator[str]:
    with live_server() as url:
        yield url


@pytest.fixture
def client(server: str, org_a: Tenant) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server}/v1", api_key=org_a.key, max_retries=0, timeout=30) as client:
        yield client


@pytest.fixture
def client_b(server: str, org_b: Tenant) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server}/v1", api_key=org_b.key, max_retries=0, timeout=30) as client:
        yield client


def line(custom_id: str, url: str = CHAT, **body: Any) -> str:
    asked = {"model": "default", "messages": [{"role": "user", "content": custom_id}], "max_tokens": 20} | body
    return json.dumps({"custom_id": custom_id, "method": "POST", "url": url, "body": asked})


def upload(client: openai.OpenAI, *lines: str) -> Any:
    return client.files.create(file=("requests.jsonl", io.BytesIO("\n".join(lines).encode())), purpose="batch")


def asked(client: openai.OpenAI, *lines: str, endpoint: Any = CHAT) -> Any:
    file = upload(client, *lines)
    return client.batches.create(input_file_id=file.id, endpoint=endpoint, completion_window="24h", metadata={"a": "b"})


def work(outcome: Any = None, rounds: int = 30) -> None:
    """A worker's rounds, until there is nothing to do; without an outcome nothing is written."""
    for _ in range(rounds):
        busy = bulk.drive("w") | batches.look("w")
        if outcome is not None:
            busy |= bool(write_all(outcome))
        if not busy:
            return


WRITTEN = Outcome(Status.SUCCEEDED, "Tea.", "stop", 10, 5)


def answers(client: openai.OpenAI, file_id: str | None) -> dict[str, Any]:
    assert file_id is not None
    lines = client.files.content(file_id).text.splitlines()
    return {each["custom_id"]: each for each in map(json.loads, lines)}


def test_files_are_kept_listed_read_and_deleted(client: openai.OpenAI) -> None:
    first, second = upload(client, "a"), upload(client, "bc")
    assert (first.object, first.bytes, first.filename, first.purpose, first.status) == (
        "file",
        1,
        "requests.jsonl",
        "batch",
        "processed",
    )
    assert [file.id for file in client.files.list()] == [second.id, first.id]
    assert [file.id for file in client.files.list(limit=1)] == [second.id, first.id], "the client pages by itself"
    assert [file.id for file in client.files.list(order="asc", purpose="batch")] == [first.id, second.id]
    assert client.files.retrieve(first.id) == first
    assert client.files.content(second.id).read() == b"bc"
    assert client.files.delete(first.id).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(first.id)
    with pytest.raises(openai.BadRequestError):
        client.files.create(file=("a", b"a"), purpose="assistants")


def test_a_file_that_is_too_large_is_refused(client: openai.OpenAI, settings: Any) -> None:
    settings.FILES_MAX_BYTES = 10
    with pytest.raises(openai.APIStatusError) as caught:
        upload(client, "x" * 50)
    assert caught.value.status_code == 413
    assert not list(client.files.list())


def test_a_batch_from_its_file_to_its_answers(client: openai.OpenAI, org_a: Tenant) -> None:
    batch = asked(client, line("one"), "", line("two", temperature=9), line("three", temperature=0))
    assert (batch.object, batch.status, batch.completion_window) == ("batch", "validating", "24h")
    assert batch.expires_at == batch.created_at + 86_400
    assert batch.metadata == {"a": "b"}
    assert batches.look("w")
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.request_counts.total) == ("in_progress", 3)
    work(WRITTEN)
    batch = client.batches.retrieve(batch.id)
    assert batch.status == "completed"
    assert (batch.request_counts.completed, batch.request_counts.failed) == (2, 1)
    assert batch.in_progress_at and batch.finalizing_at and batch.completed_at
    found = answers(client, batch.output_file_id)
    assert set(found) == {"one", "three"}
    answer = found["one"]["response"]
    assert (answer["status_code"], answer["body"]["object"]) == (200, "chat.completion")
    assert answer["body"]["choices"][0]["message"]["content"] == "Tea."
    assert answer["body"]["usage"]["total_tokens"] == 15
    wrong = answers(client, batch.error_file_id)["two"]["response"]
    assert (wrong["status_code"], wrong["body"]["error"]["param"]) == (400, "temperature")
    assert [kind for kind, _ in ledger(org_a)] == ["hold", "settle"] * 2
    assert [kind for kind in events_of(org_a) if kind.startswith("batch.")] == [
        "batch.created",
        "batch.in_progress",
        "batch.completed",
    ]


def test_raw_completions_in_a_batch(client: openai.OpenAI) -> None:
    body = {"model": "default", "prompt": "Once", "max_tokens": 5}
    request = {"custom_id": "one", "method": "POST", "url": "/v1/completions", "body": body}
    batch = asked(client, json.dumps(request), endpoint="/v1/completions")
    work(WRITTEN)
    found = answers(client, client.batches.retrieve(batch.id).output_file_id)
    assert found["one"]["response"]["body"]["choices"][0]["text"] == "Tea."


def test_a_failed_request_stands_in_the_error_file(client: openai.OpenAI) -> None:
    batch = asked(client, line("one"))
    work(FAILED)
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.output_file_id, batch.request_counts.failed) == ("completed", None, 1)
    failed = answers(client, batch.error_file_id)["one"]["response"]
    assert (failed["status_code"], failed["body"]["error"]["code"]) == (500, "generation_failed")


@pytest.mark.parametrize(
    ("lines", "code", "number"),
    [
        (["no"], "invalid_json_line", 1),
        (['{"body": {"\\u0000": 1}}'], "invalid_json_line", 1),
        ([line("one"), line("one")], "duplicate_custom_id", 2),
        ([line("one", url="/v1/completions")], "mismatched_endpoint", 1),
        ([json.dumps({"custom_id": "a", "method": "GET", "url": CHAT, "body": {}})], "invalid_method", 1),
        ([json.dumps({"custom_id": "", "method": "POST", "url": CHAT, "body": {}})], "invalid_custom_id", 1),
        ([json.dumps({"custom_id": "a", "method": "POST", "url": CHAT, "body": 1})], "invalid_body", 1),
        ([" "], "empty_file", None),
    ],
)
def test_a_file_that_holds_no_requests_fails_the_batch(
    client: openai.OpenAI, lines: list[str], code: str, number: int | None
) -> None:
    batch = asked(client, *lines)
    work()
    batch = client.batches.retrieve(batch.id)
    assert batch.status == "failed"
    assert batch.errors is not None and batch.errors.data is not None
    assert (batch.errors.data[0].code, batch.errors.data[0].line) == (code, number)


def test_a_cancelled_batch_keeps_what_was_answered(client: openai.OpenAI, settings: Any) -> None:
    settings.BULK_IN_FLIGHT = 1
    batch = asked(client, line("one"), line("two"))
    batches.look("w")
    bulk.drive("w")
    write_all(WRITTEN)
    batch = client.batches.cancel(batch.id)
    assert batch.status == "cancelling"
    work(WRITTEN)
    batch = client.batches.retrieve(batch.id)
    assert batch.status == "cancelled"
    assert set(answers(client, batch.output_file_id)) == {"one"}
    assert answers(client, batch.error_file_id)["two"]["error"]["code"] == "batch_cancelled"
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(batch.id)


def test_a_batch_that_is_cancelled_before_it_is_read_ends(client: openai.OpenAI) -> None:
    batch = asked(client, line("one"))
    client.batches.cancel(batch.id)
    work()
    assert client.batches.retrieve(batch.id).status == "cancelled"


def test_after_its_window_a_batch_expires(client: openai.OpenAI, org_a: Tenant) -> None:
    batch = asked(client, line("one"))
    batches.look("w")
    with tenancy.scope(org_a.id):
        BulkRun.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    work(WRITTEN)
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, batch.expired_at is not None) == ("expired", True)
    assert answers(client, batch.error_file_id)["one"]["error"]["code"] == "batch_expired"


def test_a_worker_that_is_lost_while_it_writes_is_followed_by_another(
    client: openai.OpenAI, org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = asked(client, line("one"))
    from apps.studio.services import batches as services

    end = services.end_batch
    monkeypatch.setattr(services, "end_batch", lambda *_: False)
    work(WRITTEN, rounds=8)
    assert client.batches.retrieve(batch.id).status == "finalizing"
    monkeypatch.setattr(services, "end_batch", end)
    assert not batches.look("other"), "its lease is not over"
    with tenancy.scope(org_a.id):
        Batch.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    assert batches.look("other")
    batch = client.batches.retrieve(batch.id)
    assert (batch.status, set(answers(client, batch.output_file_id))) == ("completed", {"one"})


def test_batches_are_listed_by_pages(client: openai.OpenAI) -> None:
    ids = [asked(client, line("one")).id for _ in range(3)]
    assert [batch.id for batch in client.batches.list(limit=2)] == ids[::-1]
    page = client.batches.list(limit=2)
    assert (page.has_more, len(page.data)) == (True, 2)


def test_another_organization_finds_neither_file_nor_batch(client: openai.OpenAI, client_b: openai.OpenAI) -> None:
    batch = asked(client, line("one"))
    for ask in (
        lambda: client_b.files.retrieve(batch.input_file_id),
        lambda: client_b.files.content(batch.input_file_id),
        lambda: client_b.files.delete(batch.input_file_id),
        lambda: client_b.batches.retrieve(batch.id),
        lambda: client_b.batches.cancel(batch.id),
        lambda: client_b.batches.create(input_file_id=batch.input_file_id, endpoint=CHAT, completion_window="24h"),
    ):
        with pytest.raises(openai.NotFoundError):
            ask()
    assert not list(client_b.files.list())
    assert not list(client_b.batches.list())


def test_what_is_wrong_with_a_batch_is_named(client: openai.OpenAI) -> None:
    file = upload(client, line("one"))
    create: Any = client.batches.create
    wrong = [({"endpoint": "/v1/embeddings"}, "endpoint"), ({"completion_window": "1h"}, "completion_window")]
    for change, param in wrong:
        with pytest.raises(openai.BadRequestError) as caught:
            create(**{"input_file_id": file.id, "endpoint": CHAT, "completion_window": "24h"} | change)
        assert caught.value.param == param
    other = client.files.create(file=("a", b"a"), purpose="user_data")
    with pytest.raises(openai.BadRequestError):
        create(input_file_id=other.id, endpoint=CHAT, completion_window="24h")


def lose_workers(times: int, part: str) -> None:
    """As if so many workers had been killed while they did their part."""
    killed = pytest.MonkeyPatch()
    for _ in range(times):
        killed.setattr(batches, part, lambda batch: None)
        assert batches.look("lost")
        Batch.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    killed.undo()


@pytest.mark.parametrize(("lost", "status"), [(1, "in_progress"), (2, "failed")])
def test_reading_a_batch_is_tried_twice(client: openai.OpenAI, org_a: Tenant, lost: int, status: str) -> None:
    batch = asked(client, line("a"))
    with tenancy.scope(org_a.id):
        lose_workers(lost, "read")
    work()
    found = client.batches.retrieve(batch.id)
    assert found.status == status
    if status == "failed":
        assert found.errors is not None and found.errors.data is not None
        assert [error.code for error in found.errors.data] == ["worker_lost"]


@pytest.mark.parametrize(("lost", "status"), [(1, "completed"), (2, "failed")])
def test_writing_a_batchs_answers_is_tried_twice(client: openai.OpenAI, org_a: Tenant, lost: int, status: str) -> None:
    batch = asked(client, line("a"))
    assert batches.look("w")
    bulk.drive("w")
    write_all(WRITTEN)
    bulk.drive("w")
    with tenancy.scope(org_a.id):
        lose_workers(lost, "write")
    work()
    assert client.batches.retrieve(batch.id).status == status


def test_files_without_a_row_are_removed_once_they_are_a_day_old(client: openai.OpenAI, org_a: Tenant) -> None:
    kept = upload(client, line("a"))
    with tenancy.scope(org_a.id):
        path = StoredFile.objects.get().path
    here = files.path_of(org_a.id, path)
    old, new = here.with_name("old"), here.with_name("new")
    for stray in (old, new):
        stray.write_text("x")
    for each in (old, here):
        os.utime(each, (1, 1))
    assert files.remove_strays() == 1
    assert (old.exists(), new.exists(), here.exists()) == (False, True, True)
    assert client.files.content(kept.id).text
