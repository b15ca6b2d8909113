"""Usage events as they come in: CloudEvents 1.0 in JSON, read strictly; pure functions, without database."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from apps.billing.models import Meter
from apps.core.errors import TooManyEvents, UnknownMeter, UsageEventInvalid

MOST_EVENTS = 1_000
MOST_QUANTITY = 1_000_000_000
LONGEST_NAME, LONGEST_MODEL, LONGEST_SUBJECT = 200, 120, 254
# A type may be the meter alone, or with this before it, as CloudEvents asks of names.
TYPE_PREFIX = "millrace.usage."
METERS = frozenset(Meter.values)
ATTRIBUTES = frozenset({"specversion", "id", "source", "type", "time", "subject", "datacontenttype", "data"})
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class UsageEvent:
    """That so much of a meter was used: known by `source` and `id`, and counted once however often it is told.

    `subject` says by whom: a member's address or id, or a service account's id; empty for whoever reports it.
    """

    source: str
    id: str
    meter: str
    quantity: int
    occurred_at: datetime
    subject: str = ""
    model: str = ""


def invalid(index: int, field: str, problem: str) -> UsageEventInvalid:
    """The error for one field of one event; only programs read it, so it is not translated."""
    return UsageEventInvalid(
        "Event %(index)s: %(field)s %(problem)s",
        values={"index": index, "field": field, "problem": problem},
        param=f"{index}.{field}",
    )


def read_events(body: Any) -> list[UsageEvent]:
    """The events of a body: one, or a list. Raises for the first that is wrong, and then none of them counts."""
    sent = body if isinstance(body, list) else [body]
    if not sent:
        raise UsageEventInvalid("Send at least one event.")
    if len(sent) > MOST_EVENTS:
        raise TooManyEvents(
            "A batch holds up to %(most)s events; this one has %(count)s.",
            values={"most": MOST_EVENTS, "count": len(sent)},
        )
    return [_event(index, each) for index, each in enumerate(sent)]


def _event(index: int, sent: Any) -> UsageEvent:
    if not isinstance(sent, Mapping):
        raise UsageEventInvalid("Event %(index)s: must be an object.", values={"index": index}, param=str(index))
    _refuse_unknown(index, "", sent, ATTRIBUTES)
    if sent.get("specversion") != "1.0":
        raise invalid(index, "specversion", 'must be "1.0".')
    if sent.get("datacontenttype") not in {None, "application/json"}:
        raise invalid(index, "datacontenttype", "must be application/json.")
    data = sent.get("data")
    if not isinstance(data, Mapping):
        raise invalid(index, "data", "must be an object with the quantity.")
    _refuse_unknown(index, "data.", data, frozenset({"quantity", "model"}))
    return UsageEvent(
        source=_text(index, "source", sent.get("source"), LONGEST_NAME),
        id=_text(index, "id", sent.get("id"), LONGEST_NAME),
        meter=_meter(index, sent.get("type")),
        quantity=_quantity(index, data.get("quantity")),
        occurred_at=_time(index, sent.get("time")),
        subject=_optional(index, "subject", sent.get("subject"), LONGEST_SUBJECT),
        model=_optional(index, "data.model", data.get("model"), LONGEST_MODEL),
    )


def _refuse_unknown(index: int, path: str, given: Mapping[str, Any], known: frozenset[str]) -> None:
    if not given.keys() <= known:
        name = path + min(given.keys() - known)[:100]
        raise invalid(index, name, "is not known.")


def _text(index: int, field: str, value: Any, longest: int) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= longest or _CONTROL.search(value):
        raise invalid(index, field, f"must be a text of 1 to {longest} characters, without control characters.")
    return value


def _optional(index: int, field: str, value: Any, longest: int) -> str:
    return "" if value is None else _text(index, field, value, longest)


def _meter(index: int, value: Any) -> str:
    meter = value.removeprefix(TYPE_PREFIX) if isinstance(value, str) else ""
    if meter not in METERS:
        raise UnknownMeter(
            "Event %(index)s: type must name a meter: %(meters)s.",
            values={"index": index, "meters": ", ".join(Meter.values)},
            param=f"{index}.type",
        )
    return meter


def _quantity(index: int, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_QUANTITY:
        raise invalid(index, "data.quantity", f"must be a whole number from 1 to {MOST_QUANTITY}.")
    return value


def _time(index: int, value: Any) -> datetime:
    if isinstance(value, str) and _TIME.fullmatch(value):
        try:
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise invalid(index, "time", "must be a time as RFC 3339 has it, such as 2026-01-31T09:30:00Z.")
