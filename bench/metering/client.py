"""A client of bench/usage.py: gives batches to a process of its own, kills it now and then, and sends again.

`python -m bench.metering.client WAY CLIENT CLIENTS SENT END SOURCE KILL_SECONDS` writes a line of JSON a second, and a
last one. WAY is `batch` (the product's own) or `row`: the naive way, a transaction for each event that asks for it,
creates it where it is not there and adds to the sums.
"""

from __future__ import annotations

import json
import os
import signal
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID

import psutil

from bench.metering import events
from bench.metering.events import Plan

LENGTH = struct.Struct("!I")


class Ingester:
    """A child that writes batches: forked, so that another is there at once; killed without warning after a time."""

    def __init__(self, write: Callable[[list[int]], None], dies_after: float) -> None:
        mine, theirs = os.pipe(), os.pipe()
        self.dies_at = time.monotonic() + dies_after
        self.pid = os.fork()
        if self.pid == 0:
            os.close(mine[1])
            os.close(theirs[0])
            _serve(mine[0], theirs[1], write)
            os._exit(0)
        os.close(mine[0])
        os.close(theirs[1])
        self._orders, self._answers = mine[1], theirs[0]
        os.set_blocking(self._answers, False)

    def written(self, batch: list[int]) -> bool:
        """Whether the batch was acknowledged; False where the child died over it, at whatever moment."""
        order = struct.pack(f"!{len(batch)}I", *batch)
        with suppress(BrokenPipeError):
            os.write(self._orders, LENGTH.pack(len(order)) + order)
        while True:
            if time.monotonic() >= self.dies_at:
                os.kill(self.pid, signal.SIGKILL)
                self.dies_at = float("inf")
            try:
                if answer := os.read(self._answers, 1):
                    return answer == b"."
                os.waitpid(self.pid, 0)
                return False
            except BlockingIOError:
                time.sleep(0.001)

    def memory(self) -> int:
        try:
            return int(psutil.Process(self.pid).memory_info().rss)
        except psutil.NoSuchProcess:
            return 0

    def end(self) -> None:
        os.close(self._orders)
        os.close(self._answers)
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


def _serve(orders: int, answers: int, write: Callable[[list[int]], None]) -> None:
    while head := os.read(orders, LENGTH.size):
        left, parts = LENGTH.unpack(head)[0], []
        while left:
            parts.append(os.read(orders, left))
            left -= len(parts[-1])
        write([number for (number,) in struct.iter_unpack("!I", b"".join(parts))])
        os.write(answers, b".")


def batch_writer(plan: Plan, organization_id: UUID) -> Callable[[list[int]], None]:
    from apps.billing import services as billing
    from apps.core import tenancy

    def write(numbers: list[int]) -> None:
        with tenancy.scope(organization_id):
            billing.write_usage([events.event(plan, number) for number in numbers])

    return write


def row_writer(plan: Plan, organization_id: UUID) -> Callable[[list[int]], None]:
    """What is written first, and does not scale: `get_or_create`, and sums by F expressions."""
    from django.db.models import F

    from apps.billing.entitlements import month_of
    from apps.billing.models import LedgerEntry, MeterPeriod, UsageHour
    from apps.core import tenancy

    def write(numbers: list[int]) -> None:
        for each in (events.event(plan, number) for number in numbers):
            about: dict[str, Any] = {"organization_id": organization_id}
            month, hour = month_of(each.occurred_at), each.occurred_at.replace(minute=0, second=0)
            with tenancy.scope(organization_id):
                line = {"month": month, "day": each.occurred_at.date(), "occurred_at": each.occurred_at}
                line |= {"meter": each.meter, "quantity": each.quantity, "model_name": each.model}
                known = {"kind": "usage", "source": each.source, "event_id": each.id}
                _, created = LedgerEntry.objects.get_or_create(**known, defaults=about | line)
                if not created:
                    continue
                period, _ = MeterPeriod.objects.get_or_create(month=month, meter=each.meter, defaults=about)
                MeterPeriod.objects.filter(pk=period.pk).update(used=F("used") + each.quantity)
                nothing = dict.fromkeys(
                    "requests quantity prompt_tokens completion_tokens tokens amount_micros charge_micros".split(),
                    0,
                )
                row, _ = UsageHour.objects.get_or_create(
                    hour=hour, model_name=each.model, meter=each.meter, currency="USD", defaults=about | nothing
                )
                added = {"requests": F("requests") + 1, "quantity": F("quantity") + each.quantity}
                UsageHour.objects.filter(pk=row.pk).update(**added)

    return write


def main(way: str, client: int, clients: int, plan: Plan, organization_id: UUID, kill_seconds: float) -> None:
    write = {"batch": batch_writer, "row": row_writer}[way](plan, organization_id)
    random = Random(f"{client} dies")

    def lifetime() -> float:
        return random.uniform(0.2, 2 * kill_seconds) if kill_seconds else float("inf")

    print(json.dumps({"ready": client}), flush=True)
    sys.stdin.readline()
    begun = said = time.monotonic()
    child, killed, sent = Ingester(write, lifetime()), 0, 0
    for batch in plan.batches(client, clients):
        while not child.written(batch):
            killed += 1
            child.end()
            child = Ingester(write, lifetime())
        sent += len(batch)
        if time.monotonic() - said >= 1:
            said = time.monotonic()
            print(json.dumps({"at": said - begun, "sent": sent, "rss": child.memory()}), flush=True)
    print(json.dumps({"seconds": time.monotonic() - begun, "sent": sent, "killed": killed}), flush=True)
    child.end()


if __name__ == "__main__":
    import django

    django.setup()
    way, client, clients, sent, end, source, organization, kill = sys.argv[1:]
    plan = Plan(int(sent), datetime.fromisoformat(end), source)
    main(way, int(client), int(clients), plan, UUID(organization), float(kill))
