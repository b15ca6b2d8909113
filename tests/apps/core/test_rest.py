"""Hostile request bodies end in a typed error, before anything else reads them."""

import io
from typing import Any

import pytest
from django.test import RequestFactory, override_settings
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from apps.core.errors import InvalidJSON, PayloadTooLarge, Unprocessable
from apps.core.rest import StrictJSONParser


def parse(body: bytes) -> dict[str, Any]:
    return StrictJSONParser().parse(io.BytesIO(body))


def test_utf8_objects_are_read() -> None:
    assert parse('{"text": "Grüße 你好 🎉", "n": [1, 2.5, null, true]}'.encode()) == {
        "text": "Grüße 你好 🎉",
        "n": [1, 2.5, None, True],
    }
    assert parse(rb'{"text": "\\u0000 written out"}') == {"text": r"\u0000 written out"}


HOSTILE = {
    "nothing": b"",
    "no JSON": b"hello",
    "cut off": b'{"a": ',
    "two values": b"{} {}",
    "not an object": b"[1]",
    "a string": b'"x"',
    "null": b"null",
    "NaN": b'{"a": NaN}',
    "Infinity": b'{"a": -Infinity}',
    "a number beyond floats": b'{"a": 1e999}',
    "a huge integer": b'{"a": ' + b"9" * 10_000 + b"}",
    "deep nesting": b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "invalid UTF-8": b'{"a": "\xff\xfe"}',
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "a lone surrogate": rb'{"a": "\ud800"}',
    "a lone surrogate in a name": rb'{"\udc00": 1}',
    "a raw control character": b'{"a": "\x00"}',
    "a trailing comma": b'{"a": 1,}',
    "a comment": b'{"a": 1} // no',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE.keys())
def test_anything_else_is_invalid_json(body: bytes) -> None:
    with pytest.raises(InvalidJSON) as refused:
        parse(body)
    assert refused.value.status == 400


@pytest.mark.parametrize("body", [rb'{"a": "x\u0000y"}', rb'{"\u0000": 1}', rb'{"a": [{"b": "\\\u0000"}]}'])
def test_json_that_cannot_be_stored_is_unprocessable(body: bytes) -> None:
    with pytest.raises(Unprocessable):
        parse(body)


class Echo(APIView):
    authentication_classes = ()
    permission_classes = ()

    def post(self, request: Any) -> Response:
        return Response(request.data)


def post(body: bytes, content_type: str = "application/json", **headers: str) -> Any:
    response = Echo.as_view()(APIRequestFactory().generic("POST", "/api/x", body, content_type, headers=headers))
    response.render()
    return response


def test_a_body_above_the_limit_is_refused_by_name() -> None:
    with override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=100):
        response = post(b'{"a": "' + b"x" * 200 + b'"}')
    assert (response.status_code, response.data["error"]["code"]) == (413, PayloadTooLarge.code)


@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "application/xml"])
def test_only_json_is_taken(content_type: str) -> None:
    response = post(b"{}", content_type)
    assert (response.status_code, response.data["error"]["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "nonsense", "*/*"])
def test_whatever_is_asked_for_the_answer_is_json(accept: str) -> None:
    response = post(b'{"a": 1}', accept=accept)
    assert response.status_code == 200
    assert response["content-type"] == "application/json"


def test_a_wrong_method_names_the_right_ones() -> None:
    response = Echo.as_view()(RequestFactory().put("/api/x"))
    assert (response.status_code, response.data["error"]["code"]) == (405, "method_not_allowed")
    assert "POST" in response["allow"]
