"""What every operation of the OpenAPI schema shares: the error shape, who may call, and which failures to expect."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse
from rest_framework import serializers

from apps.core import errors
from apps.core.fields import StrictSerializer
from apps.core.queries import is_ours, is_strict

# What a failure says to people, as an example of the schema.
_MESSAGES: dict[type[errors.MillraceError], str] = {
    errors.InvalidRequest: "temperature must be between 0 and 2.",
    errors.InvalidJSON: "The request body is not valid UTF-8 JSON.",
    errors.UnknownParameter: "Unrecognized request argument supplied: colour",
    errors.UnsupportedParameter: "tools is not supported here.",
    errors.Unprocessable: "There is no variable called product.",
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
    errors.DocumentConflict: "Somebody else has changed the same words meanwhile: choose what shall stay.",
    errors.TextGone: "The words that were selected are no longer in the document.",
    errors.DocumentChanged: "Somebody else has changed this document meanwhile.",
    errors.IdempotencyConflict: "This Idempotency-Key was used with another request within the last 24 hours.",
    errors.PayloadTooLarge: "The request body is larger than 1048576 bytes.",
    errors.UnsupportedMediaType: "Send the body as application/json.",
    errors.RateLimitExceeded: "Too many requests for this organization; try again in 0.8 s.",
    errors.InsufficientQuota: "This needs up to 300 tokens, and 12 of this month's 200000 are left.",
    errors.BudgetExceeded: (
        "This needs up to 300 tokens, and 12 are left of the monthly budget of 50000 of the team Writers."
        " It renews on 2026-02-01."
    ),
    errors.PaymentRefused: "The payment was refused: there is not enough money on the card. Use another.",
    errors.SeatsNeeded: "All 3 seats are taken. Another one costs $9.00 a month: add it under Billing.",
    errors.PaymentsOff: "Payments are switched off here.",
    errors.SubscriptionExists: "Your organization has a subscription already: change that one.",
    errors.PreviewOutdated: "This was shown too long ago, or something has changed since.",
    errors.StripeRefused: "The payment service did not accept this.",
    errors.PaymentsUnavailable: "The payment service does not answer; try again in a minute.",
    errors.QueueFull: "20 generations are waiting already.",
    errors.GenerationFailed: "The model failed on this request.",
    errors.ServiceUnavailable: "The database does not answer; try again.",
    errors.Overloaded: "More work is waiting here than can be served; try again later.",
    errors.DeadlineExceeded: "The deadline passed while the generation waited.",
}
# What beside that stands in some.
_BESIDE: dict[type[errors.MillraceError], dict[str, Any]] = {
    errors.PaymentRefused: {"decline_code": "insufficient_funds"},
    errors.PreviewOutdated: {"preview": None},
}
_BY_STATUS: dict[int, list[type[errors.MillraceError]]] = {}
for _kind in _MESSAGES:
    _BY_STATUS.setdefault(_kind.status, []).append(_kind)
READ = (401, 403, 405, 503)
WRITE = (400, 401, 403, 405, 413, 415, 422, 429, 503)

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
    decline_code = serializers.CharField(
        required=False,
        allow_null=True,
        help_text="With `payment_refused`: why the bank has refused, in Stripe's words.",
    )
    preview = serializers.DictField(
        required=False,
        allow_null=True,
        help_text="With `preview_outdated`: what the change costs now, as the preview's own operation answers.",
    )


class Error(serializers.Serializer[Any]):
    """Every failure of every operation."""

    error = ErrorDetail()


def problems(*statuses: int) -> dict[int, OpenApiResponse]:
    """The declared failures of an operation."""
    return {status: _problem(status) for status in sorted(set(statuses))}


def _problem(status: int) -> OpenApiResponse:
    kinds = _BY_STATUS[status]
    bodies = [_body(kind) for kind in kinds]
    examples = [OpenApiExample(str(body["code"]), value={"error": body}) for body in bodies]
    return OpenApiResponse(Error, description=" or ".join(f"`{kind.code}`" for kind in kinds), examples=examples)


def _body(kind: type[errors.MillraceError]) -> dict[str, Any]:
    body = {"message": _MESSAGES[kind], "type": kind.type, "param": None, "code": kind.code}
    return body | _BESIDE.get(kind, {})


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
    """A drf-spectacular hook: says of bodies what holds for all of them.

    They refuse unknown names; null is the same as absent; and they must be there unless all in them may be left out.
    """
    for name, schema in result["components"]["schemas"].items():
        if name.endswith("Request") and schema.get("type") == "object":
            schema["additionalProperties"] = False
            if schema.get("description") == StrictSerializer.__doc__:
                del schema["description"]
            if not any(field.get("format") == "binary" for field in schema.get("properties", {}).values()):
                _null_is_absent(schema)
        for field in schema.get("properties", {}).values():
            field.pop("x-spec-enum-id", None)
    for path in result["paths"].values():
        for operation in path.values():
            if "requestBody" in operation:
                operation["requestBody"]["required"] = _must_be_there(operation["requestBody"], result["components"])
    _refuse_queries(result["paths"])
    return result


def _refuse_queries(paths: dict[str, Any]) -> None:
    """Whatever checks its query (`apps.core.queries`) may answer that it is wrong."""
    reading = {path: each["get"] for path, each in paths.items() if "get" in each and is_ours(path)}
    refused = next((each["responses"]["400"] for each in reading.values() if "400" in each["responses"]), None)
    for operation in reading.values():
        names = [each for each in operation.get("parameters", ()) if each["in"] == "query"]
        if refused and is_strict(operation["operationId"], names):
            answers = operation["responses"] | {"400": operation["responses"].get("400", refused)}
            operation["responses"] = dict(sorted(answers.items()))


def _null_is_absent(schema: dict[str, Any]) -> None:
    needed = set(schema.get("required", ()))
    for name, field in schema.get("properties", {}).items():
        if name not in needed:
            schema["properties"][name] = _or_null(field)
    for choice in (*schema.get("oneOf", ()), *schema.get("allOf", ())):
        for part in (choice, choice.get("not", {})):
            given = part.setdefault("properties", {}) if part.get("required") else {}
            given |= {name: {"not": {"type": "null"}} for name in part.get("required", ()) if name not in given}


def _or_null(field: dict[str, Any]) -> dict[str, Any]:
    kinds = field.get("type")
    if "enum" in field and None not in field["enum"]:
        field["enum"] = [*field["enum"], None]
    if isinstance(kinds, str):
        return field | {"type": [kinds, "null"]}
    if isinstance(kinds, list):
        return field | {"type": [*dict.fromkeys([*kinds, "null"])]}
    if "oneOf" in field:
        some = field["oneOf"]
        return field | {"oneOf": some if {"type": "null"} in some else [*some, {"type": "null"}]}
    if not {"$ref", "allOf"} & set(field):
        return field
    words: dict[str, Any] = {name: field.pop(name) for name in ("description", "default") if name in field}
    return {"oneOf": [field, {"type": "null"}], **words}


def _must_be_there(body: dict[str, Any], components: dict[str, Any]) -> bool:
    for content in body["content"].values():
        schema = content["schema"]
        if "$ref" in schema:
            schema = components["schemas"][schema["$ref"].rsplit("/", 1)[-1]]
        if schema.get("type") != "object" or schema.get("required") or schema.get("minProperties"):
            return True
    return False


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
