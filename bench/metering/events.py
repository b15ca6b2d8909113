"""The events of the benchmark: a number tells all of one, so that every process makes the same.

Of every ten that are sent, three are sent again: by the same client or the other, at once or much later.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

BATCH = 1_000
DUPLICATED = 0.3
METERS = ("images", "tokens_in", "tokens_out", "camera_minutes")
MODELS = ("", "sketch-2", "house-tiny")


@dataclass(frozen=True, slots=True)
class Plan:
    """How many events are sent, of which so many are different, ending at `end` and spread over `hours` before it."""

    sent: int
    end: datetime
    source: str
    hours: int = 240

    @property
    def different(self) -> int:
        return round(self.sent * (1 - DUPLICATED))

    @property
    def total(self) -> int:
        """What all of them together must come to."""
        return sum(quantity(number) for number in range(self.different))

    def batches(self, client: int, clients: int) -> Iterator[list[int]]:
        """The batches of one client: its share of the events in their order, and between them some sent before."""
        random = Random(client)
        own = range(client, self.different, clients)
        again = self.sent // clients - len(own)
        sent: list[int] = []
        for place, number in enumerate(own):
            sent.append(number)
            # Of those up to here, so most are in another batch, and half of them are the other client's.
            due = (place + 1) * again // len(own) - place * again // len(own)
            sent += [random.randrange(number + 1) for _ in range(due)]
        yield from (sent[start : start + BATCH] for start in range(0, len(sent), BATCH))

    def at(self, number: int) -> datetime:
        return self.end - timedelta(seconds=number * 7919 % (self.hours * 3600))


def quantity(number: int) -> int:
    return number * 2_654_435_761 % 997 + 1


def event(plan: Plan, number: int) -> Any:
    """As the service takes it."""
    from apps.billing.cloudevents import UsageEvent

    meter, model = METERS[number % len(METERS)], MODELS[number % len(MODELS)]
    return UsageEvent(plan.source, f"event-{number}", meter, quantity(number), plan.at(number), model=model)


def body(plan: Plan, number: int) -> dict[str, Any]:
    """As it goes over HTTP."""
    data: dict[str, Any] = {"quantity": quantity(number)}
    if model := MODELS[number % len(MODELS)]:
        data["model"] = model
    return {
        "specversion": "1.0",
        "id": f"event-{number}",
        "source": plan.source,
        "type": METERS[number % len(METERS)],
        "time": plan.at(number).isoformat(),
        "data": data,
    }


def recently() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
