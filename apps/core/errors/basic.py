"""One root for every failure that is expected; each has a stable code, an HTTP status and whether a retry helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from django.utils.translation import gettext, override


class MillraceError(Exception):
    """An expected failure, shown to the caller in the convention of its interface.

    The message is plain English, with `%(name)s` for what `values` holds, so that the catalogue of translations finds
    it: pages show it in the reader's language (`shown`), programs are told `message`. What of `values` is lazily
    translated is told in the same language as the message. `type` is the OpenAI error family. `param` names the
    offending input. `retry_after` is in seconds and `should_retry` tells clients that honour `x-should-retry` whether
    the same call may succeed. `headers` go with the answer over HTTP.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    type: ClassVar[str] = "server_error"
    should_retry: ClassVar[bool] = False

    def __init__(
        self,
        message: str,
        *,
        values: Mapping[str, object] | None = None,
        param: str | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.template, self.values = message, values
        with override(None):
            self.message = message % values if values else message
        super().__init__(self.message)
        self.param = param
        self.retry_after = retry_after
        self.headers = dict(headers or {})

    def shown(self) -> str:
        """The message in the language of whoever reads the page."""
        words = gettext(self.template)
        return words % self.values if self.values else words

    def body(self) -> dict[str, dict[str, str | None]]:
        """The error in OpenAI's shape, which the REST API shares."""
        return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": self.code}}


class InvalidRequest(MillraceError):
    code, status, type = "invalid_request", 400, "invalid_request_error"


class Unprocessable(InvalidRequest):
    """Each part of the body is as the schema says, and together they cannot be used."""

    code, status = "unprocessable", 422


class InvalidJSON(InvalidRequest):
    code = "invalid_json"


class UnknownParameter(InvalidRequest):
    code = "unknown_parameter"


class UnsupportedParameter(InvalidRequest):
    """A parameter, or a value of one, that this product knows and does not offer."""

    code = "unsupported_parameter"


class ContextLengthExceeded(InvalidRequest):
    code = "context_length_exceeded"


class PayloadTooLarge(InvalidRequest):
    code, status = "payload_too_large", 413


class NotAuthenticated(MillraceError):
    code, status, type = "not_authenticated", 401, "authentication_error"


class InvalidApiKey(NotAuthenticated):
    code = "invalid_api_key"


class KeyExpired(NotAuthenticated):
    code = "key_expired"


class SessionEnded(NotAuthenticated):
    """An organization has ended this session for itself; one that is new begins anew."""

    code = "session_ended"


class SupportEnded(SessionEnded):
    """A member of staff acted as a member, and may not any more: the time is over, or the permission gone."""

    code = "support_ended"


class PermissionDenied(MillraceError):
    code, status, type = "permission_denied", 403, "permission_error"


class AddressNotAllowed(PermissionDenied):
    """The key is right, and may not be used from where the call came from."""

    code = "address_not_allowed"


class AccessRevoked(PermissionDenied):
    """Whoever follows a stream was removed, signed out, or may not follow it any more; told in its middle."""

    code = "access_revoked"

    def __init__(self) -> None:
        super().__init__("Your access to this organization has ended or changed.")


class ReauthenticationRequired(PermissionDenied):
    """A dangerous act, and the person's last proof of who they are is too long ago."""

    code = "reauthentication_required"


class ConsentRequired(PermissionDenied):
    """The person has not accepted the operator's documents in their present versions; a page asks for that."""

    code = "consent_required"


class StepUpRequired(PermissionDenied):
    """The organization demands more of the session than it has; a page leads to where that is made good."""

    code = "step_up_required"


class SsoRequired(StepUpRequired):
    code = "sso_required"


class MfaRequired(StepUpRequired):
    code = "mfa_required"


class OwnSignInRequired(StepUpRequired):
    """A session that one organization's identity provider made opens no other organization."""

    code = "own_sign_in_required"


class SsoRefused(PermissionDenied):
    """An identity provider's answer that proves nothing, or is about somebody whom it may not vouch for."""

    code = "sso_refused"


class NotFound(MillraceError):
    """Also the answer for another organization's id: the two must not differ."""

    code, status, type = "not_found", 404, "invalid_request_error"


class ModelNotFound(NotFound):
    code = "model_not_found"


class MethodNotAllowed(MillraceError):
    code, status, type = "method_not_allowed", 405, "invalid_request_error"


class UnsupportedMediaType(MillraceError):
    code, status, type = "unsupported_media_type", 415, "invalid_request_error"


class Conflict(MillraceError):
    code, status, type = "conflict", 409, "invalid_request_error"


class IdempotencyConflict(Conflict):
    code = "idempotency_key_reused"


class LastOwner(Conflict):
    """An organization always has an owner: hand it over, or delete it."""

    code = "last_owner"


class DeletionPending(Conflict):
    """The organization is about to be deleted and takes on no new work; an owner can call that off."""

    code = "deletion_pending"


class InvitationNotValid(NotFound):
    """Unknown, used, revoked and expired alike: a stranger learns nothing about which it is."""

    code = "invitation_not_valid"


class AddressNotYours(PermissionDenied):
    """The invitation is for an address that this person has not shown to be theirs."""

    code = "address_not_yours"


class RateLimitExceeded(MillraceError):
    code, status, type, should_retry = "rate_limit_exceeded", 429, "rate_limit_error", True


class QueueFull(MillraceError):
    code, status, type, should_retry = "queue_full", 429, "rate_limit_error", True


class ServiceUnavailable(MillraceError):
    code, status, type, should_retry = "service_unavailable", 503, "server_error", True


class Overloaded(ServiceUnavailable):
    """The whole installation has as much waiting as it takes, whoever asks."""

    code = "overloaded"


class DeadlineExceeded(MillraceError):
    """A generation's own deadline passed before it had any text, told to a caller who waited for it."""

    code, status, type = "deadline_exceeded", 504, "server_error"


class GenerationFailed(MillraceError):
    """A generation that ended in an error, told to a caller who waited for its text."""

    code, status, type = "generation_failed", 500, "server_error"


class ScimInvalid(InvalidRequest):
    """A directory's call that makes no sense; `scim_type` is RFC 7644's own word for what is wrong."""

    code = "scim_invalid"

    def __init__(self, message: str, *, scim_type: str) -> None:
        super().__init__(message)
        self.scim_type = scim_type


class ScimConflict(Conflict):
    code = "scim_uniqueness"
    scim_type = "uniqueness"


class ScimChanged(MillraceError):
    """Somebody has changed what a directory wants to change, since the directory read it."""

    code, status, type = "scim_changed", 412, "invalid_request_error"


class OutboundRefused(Unprocessable):
    """An address that nobody may have this server ask: not https, or not on the public internet."""

    code = "outbound_refused"


class OutboundFailed(MillraceError):
    """A customer's own service, such as their identity provider, gave no usable answer."""

    code, status, type, should_retry = "outbound_failed", 502, "server_error", True


class SealedValueUnreadable(MillraceError):
    """A stored secret was altered, or copied from another row, table or organization."""

    code, status, type = "sealed_value_unreadable", 500, "server_error"


class UnknownFieldKey(SealedValueUnreadable):
    """A stored secret needs a master key that FIELD_KEYS does not hold (any more)."""

    code = "field_key_unknown"
