"""What every operation of the OpenAPI schema shares: the error shape, who may call, and which failures to expect."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from apps.core import errors

# What a failure says to people, as an example of the schema.
_MESSAGES: dict[type[errors.MillraceError], str] = {
    errors.InvalidRequest: "temperature must be between 0 and 2.",
    errors.InvalidJSON: "The request body is not valid UTF-8 JSON.",
    errors.UnknownParameter: "Unrecognized request argument supplied: colour",
    errors.UnsupportedParameter: "tools is not supported here.",
    errors.ContextLengthExceeded: "This model's context holds 1024 tokens; the prompt alone has 1300.",
    errors.InvalidApiKey: "This API key is not valid: it is mistyped or has been revoked.",
    errors.NotAuthenticated: "Send an API key: `Authorization: Bearer KEY`.",
    errors.PermissionDenied: "This needs the permission generations:write.",
    errors.NotFound: "There is no generation with this id.",
    errors.ModelNotFound: "There is no model named 'gpt-9'.",
    errors.MethodNotAllowed: 'Method "DELETE" not allowed.',
    errors.Conflict: "This address has been invited already.",
    errors.LastOwner: "An organization needs an owner: hand it over first.",
    errors.DeletionPending: "This organization is about to be deleted; it takes on no new work.",
    errors.IdempotencyConflict: "This Idempotency-Key was used with another request within the last 24 hours.",
    errors.PayloadTooLarge: "The request body is larger than 1048576 bytes.",
    errors.UnsupportedMediaType: "Send the body as application/json.",
    errors.RateLimitExceeded: "Too many requests for this organization; try again in 0.8 s.",
    errors.InsufficientQuota: "This needs up to 300 tokens, and 12 of this month's 200000 are left.",
    errors.BudgetExceeded: (
        "This needs up to 300 tokens, and 12 are left of the monthly budget of 50000 of the team Writers."
        " It renews on 2026-02-01."
    ),
    errors.QueueFull: "20 generations are waiting already.",
    errors.GenerationFailed: "The model failed on this request.",
    errors.ServiceUnavailable: "The database does not answer; try again.",
    errors.Overloaded: "More work is waiting here than can be served; try again later.",
    errors.DeadlineExceeded: "The deadline passed while the generation waited.",
}
_BY_STATUS: dict[int, list[type[errors.MillraceError]]] = {}
for _kind in _MESSAGES:
    _BY_STATUS.setdefault(_kind.status, []).append(_kind)
READ = (401, 403, 405, 503)
WRITE = (400, 401, 403, 405, 413, 415, 429, 503)

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[\\x21-\\x7e]{1,255}$"},
    OpenApiParameter.HEADER,
    description="The same key with the same body within 24 hours gives the first answer and runs nothing again.",
)


class ErrorDetail(serializers.Serializer[Any]):
    message = serializers.CharField(help_text="For people; may change.")
    type = serializers.CharField(help_text="The family of the failure, as in the OpenAI API.")
    param = serializers.CharField(allow_null=True, help_text="The input that is wrong.")
    code = serializers.CharField(help_text="Stable; see the error table of the guide.")


class Error(serializers.Serializer[Any]):
    """Every failure of every operation."""

    error = ErrorDetail()


def problems(*statuses: int) -> dict[int, OpenApiResponse]:
    """The declared failures of an operation."""
    return {status: _problem(status) for status in sorted(set(statuses))}


def _problem(status: int) -> OpenApiResponse:
    kinds = _BY_STATUS[status]
    bodies = [{"message": _MESSAGES[kind], "type": kind.type, "param": None, "code": kind.code} for kind in kinds]
    examples = [OpenApiExample(str(body["code"]), value={"error": body}) for body in bodies]
    return OpenApiResponse(Error, description=" or ".join(f"`{kind.code}`" for kind in kinds), examples=examples)


def event_stream(description: str, example: str) -> OpenApiResponse:
    """An answer of `text/event-stream`; the schema is that of one event's fields."""
    event = {
        "type": "object",
        "description": "One event of the stream.",
        "properties": {
            "event": {"type": "string"},
            "id": {"type": "string"},
            "data": {"type": "string", "description": "JSON, or `[DONE]` at the end of an OpenAI-compatible stream."},
        },
        "required": ["data"],
    }
    return OpenApiResponse(event, description=description, examples=[OpenApiExample("Stream", example)])


def tighten(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """A drf-spectacular hook: request bodies are required and refuse unknown names, and the schema says so."""
    for name, schema in result["components"]["schemas"].items():
        if name.endswith("Request") and schema.get("type") == "object":
            schema["additionalProperties"] = False
        for field in schema.get("properties", {}).values():
            field.pop("x-spec-enum-id", None)
    for path in result["paths"].values():
        for operation in path.values():
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True
    return result


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "apps.accounts.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API key of the dashboard, such as `mr_…`."}


class SessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "apps.accounts.authentication.MemberSessionAuthentication"
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        from django.conf import settings

        return {
            "type": "apiKey",
            "in": "cookie",
            "name": settings.SESSION_COOKIE_NAME,
            "description": "A signed-in member's browser; writes need the `X-CSRFToken` header as well.",
        }


class PersonScheme(SessionScheme):  # type: ignore[no-untyped-call]
    """The same cookie, of a person who need not be a member."""

    target_class = "apps.accounts.authentication.PersonSessionAuthentication"
    # Each authentication class is a scheme of its own in the document.
    name = "personSession"
