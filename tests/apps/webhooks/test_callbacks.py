"""Results of jobs, sent back to whoever asked for them: signed, once, and to nobody else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from standardwebhooks.webhooks import Webhook

from apps.core import tenancy
from apps.core.errors import Conflict
from apps.core.jobs import Status
from apps.studio.models import BulkRun
from apps.studio.services import Outcome, bulk, templates
from apps.webhooks import services as webhooks
from apps.webhooks.models import Callback, Delivery, Endpoint
from apps.webhooks.services import callbacks
from tests.apps.studio.bulk.conftest import drive_to_the_end, write_all
from tests.helpers.people import Tenant, bearer_with
from tests.helpers.studio import finish, start
from tests.helpers.templates import FACTS
from tests.helpers.webhooks import OK, answering, deliveries, receiving, soon, work
from workers import batches

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def folder(settings: Any, tmp_path: Path) -> None:
    settings.MEDIA_ROOT = tmp_path


def post(tenant: Tenant, path: str, body: Any, **headers: str) -> Any:
    return Client().post(path, json.dumps(body), "application/json", headers=tenant.bearer | headers)


def test_a_generations_result_is_sent_signed_to_where_it_was_asked_to(org_a: Tenant, model: Any) -> None:
    _row, secret = webhooks.add_secret(org_a.actor, None)
    with receiving(answering(500), OK) as there:
        url = f"{there.url}/done?job=1"
        made = post(org_a, "/api/v1/generations", {"prompt": "Tea.", "callback_url": url}, **{"idempotency-key": "k"})
        again = post(org_a, "/api/v1/generations", {"prompt": "Tea.", "callback_url": url}, **{"idempotency-key": "k"})
        assert made.status_code == again.status_code == 202
        post(org_a, "/api/v1/generations", {"prompt": "Cups."})
        assert work() == 0
        while write_all():
            pass
        work()
        soon(org_a)
        work()
        assert work() == 0
    first, second = there.got
    assert (first.path, first.id, first.body) == ("/hook/done?job=1", second.id, second.body)
    message = Webhook(secret).verify(second.body, second.headers)
    assert message["type"] == "generation.result"
    assert (message["data"]["event"], message["data"]["object_id"]) == ("generation.succeeded", made.json()["id"])
    assert message["data"]["result"]["text"] == "Tea, at last."
    with tenancy.scope(org_a.id):
        assert not Callback.objects.exists()


def test_a_template_that_is_called_sends_its_text_back(org_a: Tenant, model: Any) -> None:
    _row, secret = webhooks.add_secret(org_a.actor, None)
    templates.create(org_a.actor, "Copy", FACTS, slug="copy")
    with receiving() as there:
        body = {"variables": {"product": "Tea"}, "label": "draft", "callback_url": there.url}
        made = post(org_a, "/api/v1/templates/copy/generate", body)
        assert made.status_code == 202, made.content
        finish(start(), Outcome(Status.SUCCEEDED, "Tea, at last.", "stop", 10, 5))
        work()
    [got] = there.got
    message = Webhook(secret).verify(got.body, got.headers)
    assert (message["data"]["object_id"], message["data"]["result"]["text"]) == (made.json()["id"], "Tea, at last.")


def test_a_text_that_is_too_long_for_a_message_is_to_be_fetched(org_a: Tenant, model: Any) -> None:
    webhooks.add_secret(org_a.actor, None)
    with receiving() as there:
        post(org_a, "/api/v1/generations", {"prompt": "Tea.", "callback_url": there.url})
        finish(start(), Outcome(Status.SUCCEEDED, "茶" * 8_000, "stop", 10, 5))
        work()
    data = there.got[0].message["data"]
    assert (data["result"], data["result_omitted"]) == (None, True)


def test_bulk_runs_and_batches_send_theirs_also_to_an_endpoint(org_a: Tenant, model: Any) -> None:
    webhooks.add_secret(org_a.actor, None)
    with receiving() as there, receiving() as other:
        endpoint, secret = webhooks.create_endpoint(org_a.actor, other.url, types=["licence.*"])
        body = {"name": "Teas", "rows": [{"name": "Tea"}], "prompt": "About {{ name }}.", "start": True}
        made = post(org_a, "/api/v1/bulk-runs", body | {"callback_endpoint": str(endpoint.pk)}).json()
        with tenancy.scope(org_a.id):
            run = BulkRun.objects.get(pk=made["id"])
        drive_to_the_end(run)
        line = {
            "custom_id": "1",
            "method": "POST",
            "url": "/v1/completions",
            "body": {"model": "default", "prompt": "T"},
        }
        upload = SimpleUploadedFile("in.jsonl", json.dumps(line).encode())
        file = Client().post("/v1/files", {"purpose": "batch", "file": upload}, headers=org_a.bearer).json()
        asked = {"input_file_id": file["id"], "endpoint": "/v1/completions", "completion_window": "24h"}
        batch = post(org_a, "/v1/batches", asked | {"callback_url": there.url})
        assert batch.status_code == 200, batch.content
        for _ in range(30):
            busy = bulk.drive("w") | batches.look("w")
            if not (write_all() or busy):
                break
        work()
    [of_run], [of_batch] = other.got, there.got
    assert Webhook(secret).verify(of_run.body, of_run.headers)["data"]["result"]["counts"]["succeeded"] == 1
    assert (of_batch.message["type"], of_batch.message["data"]["result"]["id"]) == ("batch.result", batch.json()["id"])
    assert of_batch.message["data"]["event"] == "batch.completed"


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        ({"callback_url": "http://10.0.0.1/"}, 409, "conflict"),
        ({"callback_url": "ftp://shop.example/"}, 422, "outbound_refused"),
        ({"callback_url": "https://user@shop.example/"}, 422, "outbound_refused"),
        ({"callback_endpoint": str(uuid4())}, 404, "not_found"),
        ({"callback_endpoint": str(uuid4()), "callback_url": "https://shop.example/"}, 400, "invalid_request"),
        ({"callback_url": 1}, 400, "invalid_request"),
    ],
)
def test_what_makes_no_sense_leaves_no_job(org_a: Tenant, model: Any, given: Any, status: int, code: str) -> None:
    answer = post(org_a, "/api/v1/generations", {"prompt": "Tea."} | given)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert Client().get("/api/v1/generations", headers=org_a.bearer).json()["data"] == []


def test_a_key_that_reads_nothing_asks_for_no_result_and_others_endpoints_do_not_exist(
    org_a: Tenant, org_b: Tenant, model: Any
) -> None:
    webhooks.add_secret(org_a.actor, None)
    writer = bearer_with(org_a, "generations:write")
    body = json.dumps({"prompt": "Tea.", "callback_url": "https://shop.example/"})
    assert Client().post("/api/v1/generations", body, "application/json", headers=writer).status_code == 403
    theirs, _secret = webhooks.create_endpoint(org_b.actor, "https://shop.example/")
    answer = post(org_a, "/api/v1/generations", {"prompt": "Tea.", "callback_endpoint": str(theirs.pk)})
    assert answer.status_code == 404


def test_texts_are_seen_and_sent_elsewhere_by_those_alone_who_may_read_them(
    org_a: Tenant, client_of: Any, model: Any
) -> None:
    with receiving() as there:
        endpoint, _secret = webhooks.create_endpoint(org_a.actor, there.url, types=["team.*"])
        post(org_a, "/api/v1/generations", {"prompt": "Tea.", "callback_endpoint": str(endpoint.pk)})
        manager = bearer_with(org_a, "webhooks:manage")
        moved = {"url": "https://elsewhere.example/"}
        address = f"/api/v1/webhooks/endpoints/{endpoint.pk}"
        assert Client().patch(address, moved, "application/json", headers=manager).status_code == 403
        finish(start())
        work()
    [row] = deliveries(org_a)
    at = f"/api/v1/webhooks/deliveries/{row.pk}"
    shown = Client().get(at, headers=manager).json()
    assert (shown["status"], shown["body"]) == ("delivered", None)
    assert Client().post(f"{at}/replay", headers=manager).status_code == 403
    reader = bearer_with(org_a, "webhooks:manage", "generations:read")
    assert Client().get(at, headers=reader).json()["body"]["type"] == "generation.result"
    assert Client().patch(address, moved, "application/json", headers=manager).status_code == 200


def test_results_go_to_so_many_servers_and_unused_ones_make_room(
    org_a: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(callbacks, "MOST_ORIGINS", 2)
    webhooks.add_secret(org_a.actor, None)
    for name in ("a", "b"):
        callbacks.register(org_a.actor, uuid4(), {"callback_url": f"https://{name}.example/1"})
    callbacks.register(org_a.actor, uuid4(), {"callback_url": "https://A.example/2"})
    with pytest.raises(Conflict):
        callbacks.register(org_a.actor, uuid4(), {"callback_url": "https://c.example/"})
    with tenancy.scope(org_a.id):
        Callback.objects.filter(endpoint__url="https://b.example").delete()
    callbacks.register(org_a.actor, uuid4(), {"callback_url": "https://c.example/"})
    with tenancy.scope(org_a.id):
        assert sorted(Endpoint.objects.values_list("url", flat=True)) == ["https://a.example", "https://c.example"]
        [lane] = Endpoint.objects.filter(url="https://c.example")
        Callback.objects.filter(endpoint=lane).delete()
        facts = {"message": "msg_1", "type": "generation.result", "body": "{}", "state": "delivered"}
        Delivery.objects.create(organization_id=org_a.id, endpoint=lane, **facts)
    callbacks.register(org_a.actor, uuid4(), {"callback_url": "https://d.example/"})
    with tenancy.scope(org_a.id):
        assert Delivery.objects.exists(), "what was sent there is still shown"
        Delivery.objects.all().delete()
    assert deliveries(org_a) == []


def test_the_page_has_secrets_and_results(org_a: Tenant, client_of: Any, model: Any) -> None:
    client = client_of(org_a.owner)
    assert "without one no callback_url is taken" in client.get("/settings/webhooks/callbacks/").content.decode()
    webhooks.add_secret(org_a.actor, None)
    with receiving() as there:
        post(org_a, "/api/v1/generations", {"prompt": "Tea.", "callback_url": there.url})
        write_all()
        work()
    page = client.get("/settings/webhooks/callbacks/").content.decode()
    assert "generation.result" in page
    [row] = deliveries(org_a)
    assert "at last" in client.get(f"/settings/webhooks/messages/{row.pk}/").content.decode()
    assert client_of(org_a.member).get("/settings/webhooks/callbacks/").status_code == 403
