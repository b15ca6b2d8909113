"""What Stripe answers when it refuses, and what only the simulator says."""

from typing import Any


class StripeError(Exception):
    """An error in Stripe's shape; with `keep`, what was written before it stays (a declined card leaves a charge)."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: str = "invalid_request_error",
        code: str | None = None,
        param: str | None = None,
        keep: bool = False,
        **more: Any,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.keep = keep
        self.code = code
        self.body: dict[str, Any] = {"type": kind, "message": message}
        for name, value in {"code": code, "param": param, **more}.items():
            if value is not None:
                self.body[name] = value


def missing(kind: str, identifier: str, param: str = "id") -> StripeError:
    """Return the error for an object that is not there."""
    name = kind.rsplit(".", 1)[-1].replace("_", "")
    return StripeError(f"No such {name}: '{identifier}'", status=404, code="resource_missing", param=param)


def not_simulated(what: str, param: str | None = None) -> StripeError:
    """Return the error for what Stripe knows and the simulator does not."""
    return StripeError(
        f"The Stripe simulator does not implement {what}.", code="simulator_not_implemented", param=param
    )


def card_error(code: str, decline_code: str | None, message: str, **more: Any) -> StripeError:
    """Return the error of a payment that the card's bank refused."""
    return StripeError(message, status=402, kind="card_error", code=code, decline_code=decline_code, keep=True, **more)
