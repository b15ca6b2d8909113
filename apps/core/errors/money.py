"""Errors of plans, payments and usage."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from uuid import UUID

from apps.core.errors.basic import Conflict, InvalidRequest, MillraceError, PayloadTooLarge, ServiceUnavailable


class TooManyEvents(PayloadTooLarge):
    code = "too_many_events"


class UsageEventInvalid(InvalidRequest):
    """A usage event that makes no sense; `param` begins with its place in what was sent, from 0."""

    code = "usage_event_invalid"


class UnknownMeter(UsageEventInvalid):
    code = "unknown_meter"


class UsageEventConflict(Conflict):
    """A usage event of the same source and id says something else than the first one did."""

    code = "usage_event_conflict"


class AmountNotChargeable(InvalidRequest):
    """An amount with decimals that its currency has not, or that no payment is made in."""

    code = "amount_not_chargeable"


class InsufficientQuota(MillraceError):
    """The allowance is gone: waiting a minute does not help."""

    code, status, type = "insufficient_quota", 429, "insufficient_quota"


class BudgetExceeded(InsufficientQuota):
    """The organization has set a budget for the member, the team or the service account, and it is used up.

    `told` says that its first refusal in the month has been noted already.
    """

    code = "budget_exceeded"

    def __init__(self, message: str, *, values: Mapping[str, object], owner_id: UUID, month: date, told: bool) -> None:
        super().__init__(message, values=values)
        self.owner_id, self.month, self.told = owner_id, month, told


class PaymentsOff(Conflict):
    """This installation takes no payments; its operator puts organizations on plans."""

    code = "payments_off"


class PaymentRefused(MillraceError):
    """A card, or another means of payment, was refused; `decline_code` is the bank's reason as Stripe names it."""

    code, status, type = "payment_refused", 402, "invalid_request_error"
    decline_code = ""

    def __init__(self, message: str, *, values: Mapping[str, object] | None = None, decline_code: str = "") -> None:
        super().__init__(message, values=values)
        self.decline_code = decline_code

    def body(self) -> dict[str, dict[str, str | None]]:
        found = super().body()
        found["error"]["decline_code"] = self.decline_code or None
        return found


class SeatsNeeded(MillraceError):
    """Everybody who is invited needs a seat, and all that are paid for are taken."""

    code, status, type = "seats_needed", 402, "invalid_request_error"


class SubscriptionExists(Conflict):
    """An organization has one subscription: change that one."""

    code = "subscription_exists"


class PreviewOutdated(Conflict):
    """What was agreed to costs something else by now, or was shown too long ago.

    `costs_now` is the change as it was previewed anew, None where it cannot be made any more; `preview` is the same as
    programs are shown it.
    """

    code = "preview_outdated"
    costs_now: Any = None
    preview: Mapping[str, Any] | None = None

    def body(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = dict(super().body())
        found["error"]["preview"] = self.preview
        return found


class FeatureNotIncluded(MillraceError):
    """The organization's plan does not bring what was asked for; a larger one does."""

    code, status, type = "feature_not_included", 402, "invalid_request_error"


class CapReached(InsufficientQuota):
    """The organization has set how much may be charged in a month, and this could go beyond it."""

    code = "spending_cap_reached"


class SubscriptionPastDue(MillraceError):
    """New work waits until the subscription is paid for or resumed; reading and exporting do not."""

    code, status, type = "subscription_past_due", 402, "insufficient_quota"


class PaymentsUnavailable(ServiceUnavailable):
    """The payment service does not answer; whether it has done what was asked turns out when it does.

    `is_final` where it has answered, with a failure: to the same request it will never say anything else.
    """

    code = "payments_unavailable"

    def __init__(self, message: str, *, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


class StripeRefused(MillraceError):
    """A call that the payment service does not take; `reason` is its own code for why."""

    code, status, type = "payments_refused", 502, "server_error"

    def __init__(self, message: str, *, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class SignatureRefused(InvalidRequest):
    """A webhook that its sender did not sign, or not just now."""

    code = "signature_refused"
