"""What the OpenAI-compatible API does not do, refused by name and never silently ignored."""

from __future__ import annotations

from typing import Any

import pytest

HELLO: Any = [{"role": "user", "content": "Say hello."}]


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"n": 2}, "unsupported_parameter", "n"),
        ({"n": True}, "unsupported_parameter", "n"),
        ({"logprobs": True}, "unsupported_parameter", "logprobs"),
        ({"tools": [{"type": "function"}]}, "unsupported_parameter", "tools"),
        ({"response_format": {"type": "json_object"}}, "unsupported_parameter", "response_format"),
        ({"frequency_penalty": 0.5}, "unsupported_parameter", "frequency_penalty"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "unsupported_parameter", "messages"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "unsupported_parameter",
            "messages",
        ),
        ({"colour": "red"}, "unknown_parameter", "colour"),
        ({"temperature": 3}, "invalid_request", "temperature"),
        ({"temperature": "0.5"}, "invalid_request", "temperature"),
        ({"temperature": True}, "invalid_request", "temperature"),
        ({"max_tokens": -1}, "invalid_request", "max_tokens"),
        ({"max_tokens": 10**30}, "invalid_request", "max_tokens"),
        ({"max_tokens": 1.5}, "invalid_request", "max_tokens"),
        ({"max_tokens": 5, "max_completion_tokens": 5}, "invalid_request", "max_tokens"),
        ({"seed": 10**400}, "invalid_request", "seed"),
        ({"stream": "yes"}, "invalid_request", "stream"),
        ({"stream_options": {"include_usage": True}}, "invalid_request", "stream_options"),
        ({"stop": ["a"] * 5}, "invalid_request", "stop"),
        ({"stop": 4}, "invalid_request", "stop"),
        ({"messages": []}, "invalid_request", "messages"),
        ({"messages": "hello"}, "invalid_request", "messages"),
        ({"messages": [{"role": "user", "content": "  "}]}, "invalid_request", "messages"),
        (
            {"messages": [{"role": "user", "content": [{"type": {}, "text": "a"}]}]},
            "invalid_request",
            "messages.0.content.0.type",
        ),
        ({"messages": [{"role": "king", "content": "a"}]}, "invalid_request", "messages.0.role"),
        ({"messages": [{"role": "user"}]}, "invalid_request", "messages.0.content"),
        ({"messages": [{"role": "user", "content": "tea " * 20000}]}, "context_length_exceeded", "messages"),
        ({"model": 5}, "invalid_request", "model"),
        ({"model": None}, "invalid_request", "model"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    client_of_key: Any, change: dict[str, Any], code: str, param: str
) -> None:
    status, error = client_of_key("/v1/chat/completions", {"model": "default", "messages": HELLO} | change)
    assert (status, error["code"], error["param"]) == (400, code, param), error


@pytest.mark.parametrize(
    ("change", "code", "param"),
    [
        ({"prompt": ""}, "invalid_request", "prompt"),
        ({"prompt": ["a", "b"]}, "unsupported_parameter", "prompt"),
        ({"prompt": [1, 2]}, "unsupported_parameter", "prompt"),
        ({"prompt": {}}, "invalid_request", "prompt"),
        ({"echo": True}, "unsupported_parameter", "echo"),
        ({"best_of": 3}, "unsupported_parameter", "best_of"),
        ({"logprobs": 2}, "unsupported_parameter", "logprobs"),
        ({"suffix": "end"}, "unsupported_parameter", "suffix"),
        ({"messages": HELLO}, "unknown_parameter", "messages"),
    ],
)
def test_completions_refuse_by_name(client_of_key: Any, change: dict[str, Any], code: str, param: str) -> None:
    status, error = client_of_key("/v1/completions", {"model": "default", "prompt": "Once"} | change)
    assert (status, error["code"], error["param"]) == (400, code, param), error


def test_an_unknown_address_is_json(client_of_key: Any) -> None:
    status, error = client_of_key("/v1/moderations", {})
    assert (status, error["code"]) == (404, "not_found")


def test_text_that_cannot_be_stored_is_unprocessable(client_of_key: Any) -> None:
    messages = [{"role": "user", "content": "a\0b"}]
    status, error = client_of_key("/v1/chat/completions", {"model": "default", "messages": messages})
    assert (status, error["code"], error["param"]) == (422, "unprocessable", None), error
