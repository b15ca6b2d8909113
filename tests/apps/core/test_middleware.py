"""Every answer names its request; a lost store is a 503 in the interface's own words."""

import json
import logging
import re
from typing import Any

import pytest
import structlog
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client, RequestFactory
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeout

from apps.core.logs import logging_settings
from apps.core.middleware import StoreUnavailable, request_id
from tests.helpers.people import Tenant


def test_every_answer_has_a_request_id() -> None:
    ids = {Client().get("/healthz").headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(re.fullmatch(r"req_[0-9a-f]{32}", id) for id in ids)


def test_a_caller_may_bring_a_name() -> None:
    assert Client().get("/healthz", headers={"x-request-id": "my-trace.01"}).headers["x-request-id"] == "my-trace.01"


@pytest.mark.parametrize("given", ["short", "x" * 65, "has space in it", "a\nb-injected", "ünïcödé-id", "<script>xx"])
def test_an_unusable_name_is_replaced(given: str) -> None:
    answered = request_id(lambda request: HttpResponse())(RequestFactory().get("/", headers={"x-request-id": given}))
    assert answered.headers["x-request-id"].startswith("req_")


def test_the_id_is_in_every_log_line_of_its_request() -> None:
    formatter = logging_settings(json=True, level="INFO")["formatters"]["structured"]
    renderer = formatter.pop("()")(**formatter)

    def view(request: Any) -> HttpResponse:
        return HttpResponse(renderer.format(logging.LogRecord("x", logging.INFO, "f", 1, "happened", (), None)))

    try:
        response = request_id(view)(RequestFactory().get("/", headers={"x-request-id": "trace-0001"}))
    finally:
        structlog.contextvars.clear_contextvars()
    line = json.loads(response.content)
    assert (line["request_id"], line["event"], line["level"]) == ("trace-0001", "happened", "info")


@pytest.mark.parametrize(
    "lost", [OperationalError("gone"), RedisConnectionError("gone"), RedisTimeout("slow")], ids=repr
)
def test_a_lost_store_is_a_typed_503_for_programs(lost: Exception) -> None:
    handler = StoreUnavailable(lambda request: HttpResponse())
    answer = handler.process_exception(RequestFactory().get("/api/v1/generations"), lost)
    assert answer is not None
    assert (answer.status_code, answer["content-type"]) == (503, "application/json")
    assert json.loads(answer.content)["error"]["code"] == "service_unavailable"
    assert answer["retry-after"]
    assert handler.process_exception(RequestFactory().get("/"), ValueError("a bug")) is None


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/templates/%00", 404),
        ("/api/v1/voices/a%00b/versions/1", 404),
        ("/v1/models/%00", 404),
        ("/templates/%00/", 404),
        ("/api/v1/documents?tag=%00", 400),
        ("/api/v1/templates?x=%2500&search=%00", 400),
        ("/documents/?tag=%00", 400),
        ("/chat/?q=%00", 400),
    ],
)
def test_an_address_that_holds_nul_is_refused_once_for_all_views(
    org_a: Tenant, client_of: Any, path: str, status: int
) -> None:
    client = client_of(org_a.owner)
    client.raise_request_exception = False
    answer = client.get(path, headers=org_a.bearer if path.startswith(("/api", "/v1")) else None)
    assert answer.status_code == status
    if path.startswith(("/api", "/v1")):
        assert answer.json()["error"]["code"] in {"not_found", "model_not_found", "invalid_request"}


@pytest.mark.django_db
def test_a_sign_for_percent_is_no_nul(org_a: Tenant) -> None:
    assert Client().get("/api/v1/documents?tag=%2500", headers=org_a.bearer).status_code == 200
