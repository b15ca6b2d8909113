"""Every expected failure has a code of its own, an HTTP status, and tells clients whether trying again helps."""

import pytest
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.core.exceptions import RequestDataTooBig
from django.http import Http404
from rest_framework import exceptions

from apps.core import errors
from apps.core.errors import MillraceError
from apps.core.rest import as_millrace_error
from apps.core.views import error_headers


def all_errors(root: type[MillraceError] = MillraceError) -> list[type[MillraceError]]:
    return [kind for child in root.__subclasses__() for kind in (child, *all_errors(child))]


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in all_errors() if "code" in vars(kind)]
    assert sorted(codes) == sorted(set(codes))
    assert MillraceError.code not in codes


@pytest.mark.parametrize("kind", all_errors(), ids=lambda kind: kind.code)
def test_each_error_is_complete(kind: type[MillraceError]) -> None:
    # Some have a message of their own, or need to be told more; what their class says is looked at.
    error = kind.__new__(kind)
    MillraceError.__init__(error, "What went wrong.", param="field")
    assert error.code.replace("_", "").isalpha()
    assert 400 <= error.status < 600
    said = {"message": "What went wrong.", "type": error.type, "param": "field", "code": error.code}
    # The bank's reason, and what a change costs now, stand beside what every error says.
    more = {errors.PaymentRefused: {"decline_code": None}, errors.PreviewOutdated: {"preview": None}}.get(kind, {})
    assert error.body() == {"error": said | more}
    assert error_headers(error)["x-should-retry"] == ("true" if error.should_retry else "false")


def test_a_gone_allowance_and_a_throttled_client_differ() -> None:
    gone, throttled = errors.InsufficientQuota("Gone."), errors.RateLimitExceeded("Slower.", retry_after=1.25)
    assert (gone.status, throttled.status) == (429, 429)
    assert error_headers(gone) == {"x-should-retry": "false"}
    headers = error_headers(throttled)
    assert headers["x-should-retry"] == "true"
    assert int(headers["retry-after"]) >= 1.25
    assert int(headers["retry-after-ms"]) >= 1250


@pytest.mark.parametrize(
    ("raised", "status", "param"),
    [
        (exceptions.ValidationError({"a": {"b": ["Wrong."]}}), 400, "a.b"),
        (exceptions.ValidationError({"messages": [{}, {"role": ["Wrong."]}]}), 400, "messages.1.role"),
        (exceptions.ValidationError(["Wrong."]), 400, None),
        (exceptions.ParseError(), 400, None),
        (exceptions.NotAuthenticated(), 401, None),
        (exceptions.AuthenticationFailed(), 401, None),
        (exceptions.PermissionDenied(), 403, None),
        (DjangoPermissionDenied(), 403, None),
        (Http404(), 404, None),
        (exceptions.NotFound(), 404, None),
        (exceptions.MethodNotAllowed("PUT"), 405, None),
        (RequestDataTooBig(), 413, None),
        (exceptions.UnsupportedMediaType("text/plain"), 415, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
def test_what_django_raises_has_our_shape(raised: Exception, status: int, param: str | None) -> None:
    error = as_millrace_error(raised)
    assert error is not None
    assert (error.status, error.param) == (status, param)
    assert error.message


def test_what_nobody_expected_is_not_disguised() -> None:
    assert as_millrace_error(RuntimeError("secret detail")) is None
