"""When a message is tried again: pure arithmetic on Standard Webhooks' schedule."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

# Seconds before each try, the first at once.
PAUSES = (0, 5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600)
# No pause is shortened, so that nobody is asked sooner than was promised.
JITTER = 0.1
LONGEST_WAIT_SECONDS = 24 * 3600.0
DISABLED_AFTER = timedelta(days=5)
GONE = 410
# Those with which a receiver may say when to come back.
TOO_MANY = 429
ASKS_TO_WAIT = frozenset({TOO_MANY, 503})


def pause_after(tries: int, retry_after: float | None, spread: Callable[[], float] = random.random) -> float | None:
    """Seconds until the next try, after so many of them; None when there is none."""
    if tries >= len(PAUSES):
        return None
    pause = PAUSES[tries] * (1 + JITTER * spread())
    return max(pause, min(retry_after or 0.0, LONGEST_WAIT_SECONDS))


def retry_after(header: str, now: datetime) -> float | None:
    """The seconds that a Retry-After header asks for (RFC 9110, section 10.2.3); None where it is not readable."""
    text = header.strip()
    if text.isascii() and text.isdecimal() and len(text) <= 9:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - now).total_seconds())
