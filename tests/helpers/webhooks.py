"""Receivers of webhooks on this machine, and the sending worker's steps by hand."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID, uuid4

import uvloop
from django.utils import timezone

from apps.core import events, tenancy
from apps.webhooks import requests
from apps.webhooks import services as webhooks
from apps.webhooks.models import Delivery, Endpoint
from apps.webhooks.services import inbound, sending
from apps.webhooks.services.making import make
from tests.helpers.people import Tenant

WORKER = "test"


@dataclass(frozen=True)
class Got:
    """A request as the receiver saw it."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    @property
    def message(self) -> Any:
        return json.loads(self.body)


Answer = Callable[[BaseHTTPRequestHandler], None]


def answering(status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> Answer:
    """An answer as HTTP has it."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in ({"content-length": str(len(body))} | (headers or {})).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


OK = answering(204)


@dataclass
class Receiver:
    """A server; `answers` are given in turn, the last one from then on, after `delay` seconds."""

    answers: list[Answer] = field(default_factory=lambda: [OK])
    delay: float = 0.0
    got: list[Got] = field(default_factory=list)
    url: str = ""

    def take(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in handler.headers.items()}
        self.got.append(Got(handler.path, headers, body))
        time.sleep(self.delay)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        answer(handler)

    @property
    def ids(self) -> list[str]:
        return [each.id for each in self.got]

    @property
    def names(self) -> list[str]:
        return [each.message["data"]["facts"]["name"] for each in self.got]


@contextmanager
def receiving(*answers: Answer, delay: float = 0.0) -> Iterator[Receiver]:
    receiver = Receiver(list(answers) or [OK], delay)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.take(self)

        def log_message(self, *_: Any) -> None:
            """Tests tell what they saw themselves."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Who has read enough of an answer closes the connection."""

    server = Server(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()


def happen(tenant: Tenant, *names: str) -> None:
    """Events of the type team.deleted, one transaction each."""
    for name in names:
        with tenancy.scope(tenant.id):
            events.record("team.deleted", uuid4(), {"name": name})


def claim(worker: str = WORKER) -> list[requests.Ready]:
    return sending.claim(worker, 100, 100)


def send(ready: requests.Ready) -> requests.Outcome:
    """Sends one message on an event loop as workers have it, and waits for what comes of it."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(requests.send(ready))


def work(rounds: int = 20, worker: str = WORKER) -> int:
    """Fans out, sends and notes until nothing is due; how many requests were made."""
    count = 0
    for _ in range(rounds):
        make()
        ready = claim(worker)
        sending.note(worker, [send(each) for each in ready])
        count += len(ready)
        if not ready:
            break
    return count


def soon(tenant: Tenant) -> None:
    """What waits for its next try is due."""
    with tenancy.scope(tenant.id):
        Delivery.objects.filter(state="waiting").update(next_at=timezone.now() - timedelta(seconds=1))


def lapse(tenant: Tenant) -> None:
    """As if every worker that holds a message had been gone for a minute."""
    with tenancy.scope(tenant.id):
        Delivery.objects.filter(state="running").update(lease_until=timezone.now() - timedelta(seconds=1))


def deliveries(tenant: Tenant) -> list[Delivery]:
    with tenancy.scope(tenant.id):
        return list(Delivery.objects.select_related("endpoint").order_by("position", "id"))


def endpoint_of(tenant: Tenant, id: UUID) -> Endpoint:
    with tenancy.scope(tenant.id):
        found: Endpoint = Endpoint.objects.get(pk=id)
    return found


def hooks(tenant: Tenant, mark: str) -> dict[str, Any]:
    """An endpoint with two secrets and a message, each by the name that addresses have for it."""
    actor = tenant.actor
    endpoint, _secret = webhooks.create_endpoint(actor, f"https://{mark}.example/hook".lower())
    second, _text = webhooks.add_secret(actor, endpoint.pk, "v1a")
    message = webhooks.send_test(actor, endpoint.pk)
    paths = {"meter": "images", "quantity": "$.count"}
    values = {"name": mark, "sender": "standard", "action": "usage_event", "mapping": paths}
    hook, _text = inbound.create_hook(actor, values)
    ids = {"webhook endpoint": endpoint.pk, "webhook secret": second.pk, "webhook delivery": message.pk}
    return ids | {"inbound hook": hook.pk}
