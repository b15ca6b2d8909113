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
