"""The lines of batch files: requests as programs write them, and the answers that they are given back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from apps.core.errors import MillraceError, UnsupportedParameter
from apps.core.jobs import Status
from apps.core.rest import HOLDS_NUL, as_millrace_error
from apps.studio.api.openai_answers import Shape, failure_of
from apps.studio.api.openai_requests import CreateChatCompletion, CreateCompletion, OpenAIRequest
from apps.studio.body import generation_body
from apps.studio.models import BulkRow, RowState
from apps.studio.services.batches import MOST_REQUESTS, Asked

REQUESTS: dict[str, type[OpenAIRequest]] = {
    "/v1/chat/completions": CreateChatCompletion,
    "/v1/completions": CreateCompletion,
}
LONGEST_LINE, LONGEST_CUSTOM_ID = 1_048_576, 512
# So many wrong lines say what is wrong with all of them.
MOST_ERRORS = 50
EXPIRED = ("batch_expired", "This request could not be executed before the completion window expired.")
CANCELLED = ("batch_cancelled", "This request was not executed because the batch was cancelled.")

Errors = list[dict[str, Any]]


def read_requests(lines: Iterable[bytes], endpoint: str) -> tuple[list[Asked], Errors]:
    """Every request, or what is wrong with the file: then nothing of it is asked.

    What is wrong inside a request's body is that request's own answer, as it would be at the endpoint itself.
    """
    found: list[Asked] = []
    errors: Errors = []
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found.append(_request(line, endpoint, seen))
        except _Wrong as wrong:
            errors.append({"code": wrong.code, "message": wrong.message, "param": wrong.param, "line": number})
        if len(found) > MOST_REQUESTS:
            errors = [_whole("too_many_requests", f"A batch has at most {MOST_REQUESTS} requests.")]
        if len(errors) >= MOST_ERRORS or len(found) > MOST_REQUESTS:
            break
    if not found and not errors:
        errors = [_whole("empty_file", "The input file holds no request.")]
    return found, errors


def _whole(code: str, message: str) -> dict[str, Any]:
    return {"code": code, "message": message, "param": None, "line": None}


class _Wrong(Exception):
    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        self.code, self.message, self.param = code, message, param


def _request(line: bytes, endpoint: str, seen: set[str]) -> Asked:
    value = _object(line)
    custom_id = value.get("custom_id")
    if not isinstance(custom_id, str) or not 1 <= len(custom_id) <= LONGEST_CUSTOM_ID or "\0" in custom_id:
        raise _Wrong("invalid_custom_id", "custom_id must be a string of 1 to 512 characters.", "custom_id")
    if custom_id in seen:
        raise _Wrong("duplicate_custom_id", "The custom_id of this request has been used before.", "custom_id")
    seen.add(custom_id)
    if value.get("method") != "POST":
        raise _Wrong("invalid_method", "method must be POST.", "method")
    if value.get("url") != endpoint:
        raise _Wrong("mismatched_endpoint", f"url must be {endpoint}, the batch's endpoint.", "url")
    if not isinstance(value.get("body"), dict):
        raise _Wrong("invalid_body", "body must be a JSON object.", "body")
    return _asked(custom_id, value["body"], endpoint)


def _object(line: bytes) -> dict[str, Any]:
    if len(line) > LONGEST_LINE:
        raise _Wrong("line_too_long", f"A line has at most {LONGEST_LINE} bytes.")
    try:
        value = json.loads(line)
        # Written back, lone surrogates and NUL show, which no database stores.
        written = json.dumps(value, ensure_ascii=False, allow_nan=False)
        written.encode()
        if HOLDS_NUL.search(written):
            raise ValueError("a text holds NUL")
    except (ValueError, RecursionError):
        raise _Wrong("invalid_json_line", "This line is not parseable as valid JSON.") from None
    if not isinstance(value, dict):
        raise _Wrong("invalid_json_line", "This line is not a JSON object.")
    return value


def _asked(custom_id: str, body: dict[str, Any], endpoint: str) -> Asked:
    for name in ("stream", "template"):
        if body.get(name):
            refusal = UnsupportedParameter(f"{name} is not supported in a batch.", param=name)
            return Asked(custom_id, status=400, error=dict(refusal.body()))
    request = REQUESTS[endpoint](data=body)
    try:
        request.is_valid(raise_exception=True)
        return Asked(custom_id, request.spec())
    except Exception as problem:
        error_of = as_millrace_error(problem)
        if error_of is None:
            raise
        return Asked(custom_id, status=error_of.status, error=dict(error_of.body()))


def answer_of(row: BulkRow, expired: bool) -> tuple[bool, dict[str, Any]]:
    """Whether a request was answered, and its line in the output file or, where it was not, in the error file.

    Call it in the organization's scope, with the row's generation and its model at hand.
    """
    line: dict[str, Any] = {"id": f"batch_req_{row.pk.hex}", "custom_id": row.values.get("custom_id", "")}
    request_id = row.generation.request_id if row.generation else ""
    if row.state == RowState.REFUSED:
        status, body = row.values.get("status", 400), row.values.get("error") or _refusal(row)
        return False, line | {"response": _response(status, request_id, body), "error": None}
    written = row.generation
    if written is None or (written.status == Status.CANCELLED):
        code, message = EXPIRED if expired else CANCELLED
        return False, line | {"response": None, "error": {"code": code, "message": message}}
    body = generation_body(written)
    failure: MillraceError | None = failure_of(body)
    if failure is not None:
        return False, line | {"response": _response(failure.status, request_id, failure.body()), "error": None}
    return True, line | {"response": _response(200, request_id, Shape.of(body).answer(body)), "error": None}


def _refusal(row: BulkRow) -> dict[str, Any]:
    error = {"message": row.problem, "type": "invalid_request_error", "param": None, "code": row.problem_code}
    return {"error": error}


def _response(status: int, request_id: str, body: Any) -> dict[str, Any]:
    return {"status_code": status, "request_id": request_id, "body": body}
