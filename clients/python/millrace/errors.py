"""What can go wrong. `codes.py` has a class for each stable code; catch one of those, or one of these."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any


class MillraceError(Exception):
    """Anything that this package raises on purpose."""


class ConnectionFailed(MillraceError):
    """The server was not reached, or the connection broke.

    `unsent` says that the server has certainly not begun with the call.
    """

    def __init__(self, message: str, *, unsent: bool = False) -> None:
        super().__init__(message)
        self.unsent = unsent


class TimedOut(ConnectionFailed):
    """No answer came in time."""


class UnexpectedAnswer(MillraceError):
    """An answer that is not of the API, such as a proxy's page."""


class TextRestarted(MillraceError):
    """A text that is followed piece by piece begins anew; what was given so far no longer counts."""


class APIError(MillraceError):
    """The server refused. `code` is stable, `message` is for people, `param` names the input."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str = "",
        type: str = "",
        param: str | None = None,
        request_id: str = "",
        should_retry: bool | None = None,
        retry_after: float | None = None,
        body: Any = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.code = code
        self.type = type
        self.param = param
        self.request_id = request_id
        self.should_retry = should_retry
        self.retry_after = retry_after
        self.body = body

    def __str__(self) -> str:
        return f"{self.message} ({self.code or self.status})"


class BadRequestError(APIError):
    """400: what was sent makes no sense."""


class UnauthorizedError(APIError):
    """401: no valid key."""


class PaymentRequiredError(APIError):
    """402: something has to be paid first."""


class ForbiddenError(APIError):
    """403: the key may not do this."""


class NotFoundError(APIError):
    """404: it does not exist, or belongs to somebody else."""


class ConflictError(APIError):
    """409: it contradicts what is there."""


class PreconditionFailedError(APIError):
    """412: it has been changed since it was read."""


class TooLargeError(APIError):
    """413: too much at once."""


class UnprocessableError(APIError):
    """422: it cannot be used as it is."""


class TooManyRequestsError(APIError):
    """429: a limit, an allowance or a budget is used up."""


class ServerError(APIError):
    """5xx: the server, or something that it needs, does not work."""


BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequestError,
    401: UnauthorizedError,
    402: PaymentRequiredError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    412: PreconditionFailedError,
    413: TooLargeError,
    422: UnprocessableError,
    429: TooManyRequestsError,
}


def class_for(code: str, status: int) -> type[APIError]:
    """The class of a code, or of its status where the code is newer than this package."""
    from millrace.codes import CODES

    return CODES.get(code) or BY_STATUS.get(status) or (ServerError if status >= 500 else APIError)


def from_answer(status: int, headers: Mapping[str, str], content: bytes) -> APIError:
    """The exception for an answer that is no success."""
    body: Any = None
    with contextlib.suppress(ValueError):
        body = json.loads(content)
    error = body.get("error") if isinstance(body, dict) else None
    wish = headers.get("x-should-retry")
    return from_body(
        error if isinstance(error, dict) else {"message": f"The server answered {status}."},
        status=status,
        request_id=headers.get("x-request-id", ""),
        should_retry=None if wish is None else wish == "true",
        retry_after=wait_of(headers),
        body=body,
    )


def from_body(error: Mapping[str, Any], *, status: int = 0, **facts: Any) -> APIError:
    """The exception for the object `error` of an answer or of a stream."""
    code = str(error.get("code") or "")
    return class_for(code, status)(
        str(error.get("message") or code),
        status=status,
        code=code,
        type=str(error.get("type") or ""),
        param=error.get("param"),
        **facts,
    )


def wait_of(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Seconds until the server wants to be asked again, from `retry-after-ms` or `retry-after` (RFC 9110, 10.2.3)."""
    with contextlib.suppress(KeyError, ValueError):
        return max(0.0, float(headers["retry-after-ms"]) / 1000)
    given = headers.get("retry-after", "")
    with contextlib.suppress(ValueError):
        return max(0.0, float(given))
    with contextlib.suppress(ValueError, TypeError):
        return max(0.0, (parsedate_to_datetime(given) - (now or datetime.now(UTC))).total_seconds())
    return None
