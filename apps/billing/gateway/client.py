"""The one client of Stripe's SDK: to Stripe, to the simulator, or to nobody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import cache
from typing import Any

import structlog
from django.conf import settings
from stripe import CardError, InvalidRequestError, RequestsClient, StripeClient, StripeError

from apps.billing.gateway.declines import refusal
from apps.core.errors import PaymentsOff, PaymentsUnavailable, StripeRefused

log = structlog.get_logger(__name__)
# The simulator takes any key of this form, and no other.
SIMULATOR_KEY = "sk_test_simulator"
SECONDS, RETRIES = 25, 2
INTERNAL_ERROR = 500


class Mode(StrEnum):
    """To whom payments go."""

    STRIPE = "stripe"
    SIMULATOR = "simulator"
    OFF = "off"


def mode() -> Mode:
    if settings.STRIPE_SECRET_KEY:
        return Mode.STRIPE
    return Mode.SIMULATOR if settings.STRIPE_API_BASE else Mode.OFF


def is_live() -> bool:
    """Whether real money moves."""
    return settings.STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_"))


@contextmanager
def stripe(*, keyed: bool = False) -> Iterator[StripeClient]:
    """The client, for one call; the SDK's errors become ours. `keyed` says that what is asked for has a key.

    Raises PaymentsOff, PaymentRefused (a card), StripeRefused (a call that Stripe does not take) and
    PaymentsUnavailable, after which nobody knows whether the call had its effect: it is asked again with the same key.
    Stripe keeps a 500 like any other answer to a key, so that such a failure is final.
    """
    if mode() is Mode.OFF:
        raise PaymentsOff("Payments are switched off here. Ask whoever runs this installation to change the plan.")
    try:
        yield _client(settings.STRIPE_SECRET_KEY or SIMULATOR_KEY, settings.STRIPE_API_BASE)
    except CardError as error:
        raise refusal(error) from error
    except InvalidRequestError as error:
        log.error("stripe refused a call", code=error.code, param=error.param, request_id=error.request_id)
        raise StripeRefused("The payment service did not accept this.", reason=error.code or "") from error
    except StripeError as error:
        log.warning("stripe did not answer", error=type(error).__name__, request_id=error.request_id)
        is_final = keyed and error.http_status == INTERNAL_ERROR
        raise PaymentsUnavailable(
            "The payment service does not answer; try again in a minute.", is_final=is_final
        ) from error


@cache
def _client(key: str, base: str) -> StripeClient:
    addresses: Any = {"api": base} if base else None
    return StripeClient(
        key, base_addresses=addresses, http_client=RequestsClient(timeout=SECONDS), max_network_retries=RETRIES
    )
