"""How late receivers of webhooks learn of an event while others are dead: from the commit to the request's arrival.

`python -m bench.webhooks [--seconds 60] [--receivers 100] [--dead 5] [--rate 100] [--json FILE]`. PostgreSQL and Redis
of its own, one sending process as the default worker has it, and receivers in a process of their own, of which the dead
ones take connections and never answer. Each event goes to ten receivers: at 100 events a second 1,000 messages a second
are queued. Every message that a live receiver was due must have come, and none twice. Before it, for a third of the
time, the usual way: 16 threads that each take one message, send it and write down what came of it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psutil

from bench import output
from bench.console import ROOT, servers
from bench.speed.machine import device_name
from deploy.local.processes import die_with_parent

# Names of types, of which each event has one and each receiver asks for one.
TYPES = [
    "team.created", "team.changed", "team.deleted", "role.deleted", "folder.created", "folder.renamed",
    "folder.deleted", "collection.created", "collection.changed", "collection.deleted",
]  # fmt: skip
FACTS = {"team.created": {"description": ""}, "team.changed": {"description": ""}}
TARGET_SECONDS = 2.0
# How long after the last event the last message may come.
PATIENCE_SECONDS = 30.0
# Of the usual way.
THREADS = 16


def organization(slug: str) -> Any:
    """A new organization and its owner, acting."""
    from apps.accounts import services
    from apps.accounts.models import User
    from tests.helpers.people import actor_of

    user = User.objects.create_user(f"owner@{slug}.example", "a password of a benchmark")
    services.create_organization(user, slug.capitalize(), slug=slug)
    return actor_of(user)


# ---------------------------------------------------------------- receivers


def receive() -> None:
    """The receivers' process: tells its port, and each message's name and moment of arrival, a line each."""
    import asyncio

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = next(int(line.split(":")[1]) for line in head.lower().split("\r\n") if "content-length" in line)
            message = json.loads(await reader.readexactly(length))
            came = time.time()
            receiver = head.split(" ")[1].strip("/")
            if receiver.startswith("dead"):
                await asyncio.sleep(3600)
            writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
            await writer.drain()
            print(json.dumps([receiver, message["data"]["facts"]["name"], came]), flush=True)
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def serve() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=2048)
        print(json.dumps(server.sockets[0].getsockname()[1]), flush=True)
        await server.serve_forever()

    asyncio.run(serve())


class Receivers:
    """The receivers' process, and what they have got: when, by receiver and event."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bench.webhooks", "--receive"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent(9),
        )
        assert self.process.stdout
        self.port: int = json.loads(self.process.stdout.readline())
        self.got: dict[tuple[str, str], list[float]] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            receiver, name, came = json.loads(line)
            self.got.setdefault((receiver, name), []).append(came)


@contextmanager
def receiving() -> Iterator[Receivers]:
    receivers = Receivers()
    try:
        yield receivers
    finally:
        receivers.process.kill()
        receivers.process.wait()


# ---------------------------------------------------------------- the run


def endpoints(actor: Any, port: int, count: int, dead: int) -> dict[str, list[str]]:
    """Makes the endpoints, the dead ones among them; the live ones by the type that they ask for."""
    from apps.webhooks import services
    from apps.webhooks.services import endpoints as limits

    limits.MOST_ENDPOINTS = count
    live: dict[str, list[str]] = {each: [] for each in TYPES}
    for number in range(count):
        type = TYPES[number % len(TYPES)]
        name = f"dead-{number}" if number < dead else f"live-{number}"
        services.create_endpoint(actor, f"http://127.0.0.1:{port}/{name}", types=[type])
        if number >= dead:
            live[type].append(name)
    return live


def speak(organization_id: UUID, seconds: float, rate: int) -> dict[str, tuple[str, float]]:
    """Records events evenly for so long; each one's type and moment of commit by its name."""
    from apps.core import events, tenancy

    spoken: dict[str, tuple[str, float]] = {}
    begun = time.monotonic()
    for number in range(int(seconds * rate)):
        time.sleep(max(0.0, begun + number / rate - time.monotonic()))
        type, name = TYPES[number % len(TYPES)], f"event {number}"
        with tenancy.scope(organization_id):
            events.record(type, uuid4(), {"name": name} | FACTS.get(type, {}))
        spoken[name] = (type, time.time())
    return spoken


def figures(
    spoken: dict[str, tuple[str, float]], live: dict[str, list[str]], got: dict[tuple[str, str], list[float]]
) -> dict[str, Any]:
    """Delays of live receivers, and what is missing or came twice."""
    due = {(receiver, name): moment for name, (type, moment) in spoken.items() for receiver in live[type]}
    delays = sorted(max(0.0, got[each][0] - moment) for each, moment in due.items() if each in got)
    twice = sum(len(moments) - 1 for (receiver, _), moments in got.items() if receiver.startswith("live"))

    def percentile(share: float) -> float:
        return round(delays[min(len(delays) - 1, int(len(delays) * share))], 3) if delays else float("inf")

    return {
        "events": len(spoken),
        "messages_due": len(due),
        "missing": len(due) - len(delays),
        "twice": twice,
        "p50_seconds": percentile(0.5),
        "p95_seconds": percentile(0.95),
        "p99_seconds": percentile(0.99),
        "most_seconds": round(delays[-1], 3) if delays else None,
        "target_seconds": TARGET_SECONDS,
    }


def send(usual: bool) -> None:
    """The sending process, until its parent ends it."""
    import django

    django.setup()
    from django.conf import settings

    from workers.webhooks import Sender

    settings.OUTBOUND_ALLOW_PRIVATE = True
    if usual:
        for work in (make_messages, *[send_one_by_one] * THREADS):
            threading.Thread(target=work, daemon=True).start()
    else:
        Sender()
    print("sending", flush=True)
    sys.stdin.read()


def make_messages() -> None:
    from apps.webhooks.services.making import make

    while True:
        make()
        time.sleep(0.05)


def send_one_by_one() -> None:
    import asyncio

    from apps.webhooks import requests
    from apps.webhooks.services import sending

    name = f"thread {threading.get_ident()}"
    while True:
        claimed = sending.claim(name, 1, 0)
        for ready in claimed:
            sending.note(name, [asyncio.run(requests.send(ready))])
        if not claimed:
            time.sleep(0.01)


@contextmanager
def sending(usual: bool) -> Iterator[psutil.Process]:
    command = [sys.executable, "-m", "bench.webhooks", "--send", *["--usual"] * usual]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "preexec_fn": die_with_parent(9)}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            yield psutil.Process(process.pid)
        finally:
            process.kill()


def measure(seconds: float, count: int, dead: int, rate: int, usual: bool = False) -> dict[str, Any]:
    actor = organization("usual" if usual else "webhooks")
    with receiving() as receivers:
        live = endpoints(actor, receivers.port, count, dead)
        with sending(usual) as sender:
            before = sender.cpu_times()
            begun = time.monotonic()
            spoken = speak(actor.organization_id, seconds, rate)
            wanted = sum(len(live[type]) for type, _ in spoken.values())
            until = time.monotonic() + PATIENCE_SECONDS
            while time.monotonic() < until and figures(spoken, live, dict(receivers.got))["missing"]:
                time.sleep(0.2)
            found = figures(spoken, live, dict(receivers.got))
            found["sent_a_second"] = round((found["messages_due"] - found["missing"]) / (time.monotonic() - begun))
            times = sender.cpu_times()
            spent = 1_000 * (times.user + times.system - before.user - before.system)
            found["sender_milliseconds_each"] = round(spent / max(1, len(receivers.got)), 3)
    forget(actor.organization_id)
    return {"messages_a_second": round(wanted / seconds)} | found


def forget(organization_id: UUID) -> None:
    """What one way has left over is not for the next to send."""
    from apps.core import tenancy
    from apps.webhooks.models import Endpoint

    with tenancy.scope(organization_id):
        Endpoint.objects.all().delete()


def tables(found: dict[str, Any]) -> list[dict[str, Any]]:
    columns = [
        "",
        "messages due",
        "not yet sent",
        "sent twice",
        "sent/s",
        "p50 s",
        "p95 s",
        "p99 s",
        "processor ms each",
    ]
    keys = ["messages_due", "missing", "twice", "sent_a_second", "p50_seconds", "p95_seconds", "p99_seconds"]
    rows = [
        [name, *(f"{found[way][key]:,}" for key in [*keys, "sender_milliseconds_each"])]
        for name, way in (("Millrace", "millrace"), (f"{THREADS} threads, one message at a time each", "usual"))
    ]
    note = (
        f"{found['events_a_second']} events a second to {found['receivers']} receivers, of which {found['dead']} take "
        f"connections and never answer: {found['millrace']['messages_a_second']:,} messages a second to live ones. "
        f"From the commit of the event to the arrival of the request; the target is a p95 of {TARGET_SECONDS:g} s. "
        f"What is not sent {PATIENCE_SECONDS:g} s after the last event counts as not yet sent. PostgreSQL, the "
        "receivers and what makes the events share the processors with the one sending process."
    )
    return [{"columns": columns, "rows": rows, "note": note}]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--receivers", type=int, default=100)
    parser.add_argument("--dead", type=int, default=5)
    parser.add_argument("--rate", type=int, default=100)
    parser.add_argument("--json", type=Path, default=None)
    for hidden in ("--receive", "--send", "--usual"):
        parser.add_argument(hidden, action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.receive or given.send:
        receive() if given.receive else send(given.usual)
        return
    setting = {"receivers": given.receivers, "dead": given.dead, "events_a_second": given.rate}
    with servers():
        import django

        django.setup()
        from django.conf import settings

        settings.OUTBOUND_ALLOW_PRIVATE = True
        load = (given.receivers, given.dead, given.rate)
        ways = {"usual": measure(given.seconds / 3, *load, usual=True), "millrace": measure(given.seconds, *load)}
    found = setting | ways | {"machine": device_name(), "cores": os.cpu_count()}
    found["tables"] = tables(found)
    (given.json or output("webhooks")).write_text(json.dumps(found, indent=2))
    print(json.dumps(ways, indent=2))


if __name__ == "__main__":
    main()
