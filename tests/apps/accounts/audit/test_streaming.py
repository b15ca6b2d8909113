"""Entries arrive outside in order, none left out, at addresses that may be asked."""

import base64
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts import audit, services
from apps.accounts.audit import streaming, syslog
from apps.accounts.models import AuditEntry, AuditStream
from apps.core import tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, OutboundRefused, PermissionDenied
from tests.helpers.people import Tenant, actor_of


@dataclass
class Receiver:
    """A webhook's other side; `answers` are the statuses it gives in turn, then 204."""

    url: str
    requests: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    @property
    def sequences(self) -> list[int]:
        return [json.loads(body)["data"]["sequence"] for _, body in self.requests]


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.AUDIT_STREAMS_TO_PRIVATE_ADDRESSES = True
    receiver = Receiver("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status = receiver.answers.pop(0) if receiver.answers else 204
            if status < 300:
                receiver.requests.append((dict(self.headers.items()), body))
            self.send_response(status)
            self.send_header("location", "http://127.0.0.1:1/")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *words: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield receiver
    server.shutdown()
    thread.join()
    server.server_close()


def do(tenant: Tenant, times: int = 1) -> None:
    with tenancy.scope(tenant.id):
        for number in range(times):
            audit.record(tenant.actor, "x.done", tenant.organization, number=number)


def stream_of(tenant: Tenant) -> AuditStream:
    with tenancy.scope(tenant.id):
        found: AuditStream = AuditStream.objects.get()
        return found


def let_time_pass(tenant: Tenant) -> None:
    with tenancy.scope(tenant.id):
        AuditStream.objects.update(next_attempt_at=timezone.now() - timedelta(seconds=1))


def sequences(tenant: Tenant) -> list[int]:
    with tenancy.scope(tenant.id):
        return list(AuditEntry.objects.order_by("sequence").values_list("sequence", flat=True))


def test_every_entry_arrives_once_and_in_order(org_a: Tenant, org_b: Tenant, receiver: Receiver) -> None:
    services.add_audit_stream(org_a.actor, receiver.url, from_beginning=True)
    do(org_a, 3)
    do(org_b, 3)
    assert streaming.send_everything() == len(sequences(org_a))
    assert streaming.send_everything() == 0
    assert receiver.sequences == sequences(org_a)
    assert str(org_b.id) not in b"".join(body for _, body in receiver.requests).decode()


def test_a_new_stream_begins_with_its_own_beginning(org_a: Tenant, receiver: Receiver) -> None:
    services.add_audit_stream(org_a.actor, receiver.url)
    streaming.send_everything()
    assert [json.loads(body)["data"]["action"] for _, body in receiver.requests] == ["audit.stream_added"]


def test_what_is_sent_is_signed_as_standard_webhooks_says(org_a: Tenant, receiver: Receiver) -> None:
    _, secret = services.add_audit_stream(org_a.actor, receiver.url)
    streaming.send_everything()
    [(headers, body)] = receiver.requests
    given = {name.lower(): value for name, value in headers.items()}
    signed = f"{given['webhook-id']}.{given['webhook-timestamp']}.{body.decode()}"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed.encode(), hashlib.sha256).digest()).decode()
    assert given["webhook-signature"] == f"v1,{expected}"
    assert given["webhook-id"].startswith("msg_")
    assert set(json.loads(body)) == {"type", "timestamp", "data"}


def test_a_failure_loses_nothing_and_keeps_the_order(org_a: Tenant, receiver: Receiver) -> None:
    services.add_audit_stream(org_a.actor, receiver.url, from_beginning=True)
    receiver.answers = [204, 500]
    assert streaming.send_everything() == 1
    stream = stream_of(org_a)
    assert (stream.cursor, stream.failures, stream.leased_until) == (1, 1, None)
    assert "500" in stream.last_error
    assert streaming.send_everything() == 0
    let_time_pass(org_a)
    streaming.send_everything()
    assert receiver.sequences == sequences(org_a)
    assert stream_of(org_a).last_error == ""


def test_a_redirect_is_a_failure_and_followed_nowhere(org_a: Tenant, receiver: Receiver) -> None:
    services.add_audit_stream(org_a.actor, receiver.url)
    receiver.answers = [302]
    assert streaming.send_everything() == 0
    assert "302" in stream_of(org_a).last_error


def test_a_receiver_that_is_gone_is_switched_off(org_a: Tenant, receiver: Receiver) -> None:
    services.add_audit_stream(org_a.actor, receiver.url)
    receiver.answers = [410]
    streaming.send_everything()
    assert not stream_of(org_a).enabled
    let_time_pass(org_a)
    assert streaming.send_everything() == 0


def test_a_stream_that_another_worker_holds_is_left_alone(org_a: Tenant, receiver: Receiver) -> None:
    services.add_audit_stream(org_a.actor, receiver.url)
    with tenancy.scope(org_a.id):
        AuditStream.objects.update(leased_until=timezone.now() + timedelta(minutes=1))
    assert streaming.send_everything() == 0
    with tenancy.scope(org_a.id):
        AuditStream.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert streaming.send_everything() == 1


def test_a_stream_that_goes_between_claim_and_sending_stops_nobody(org_a: Tenant, receiver: Receiver) -> None:
    stream, _secret = services.add_audit_stream(org_a.actor, receiver.url)
    do(org_a)
    claimed = streaming._claim()
    services.remove_audit_stream(org_a.actor, stream.pk)
    assert claimed is not None
    assert streaming._send(*claimed, deadline=time.monotonic() + 5) == 0
    assert receiver.requests == []


def test_private_addresses_are_refused_when_sending(org_a: Tenant, receiver: Receiver, settings: Any) -> None:
    """Also for an address that was allowed, or public, when it was entered."""
    services.add_audit_stream(org_a.actor, receiver.url.replace("http://", "https://"))
    settings.AUDIT_STREAMS_TO_PRIVATE_ADDRESSES = False
    assert streaming.send_everything() == 0
    assert "public internet" in stream_of(org_a).last_error
    with tenancy.scope(org_a.id):
        AuditStream.objects.update(url="syslog+tcp://127.0.0.1:9")
    let_time_pass(org_a)
    assert streaming.send_everything() == 0
    assert "public internet" in stream_of(org_a).last_error


@pytest.mark.parametrize(
    "url",
    [
        "http://siem.example/",
        "https://user:pass@siem.example/",
        "ftp://siem.example/",
        "syslog+tcp://siem.example/path",
        "syslog+tcp://",
        "syslog+xyz://siem.example",
        "syslog+udp://siem.example:0",
        "syslog+tls://a@siem.example",
    ],
)
def test_addresses_that_mean_nothing_are_refused(org_a: Tenant, url: str) -> None:
    with pytest.raises(OutboundRefused):
        services.add_audit_stream(org_a.actor, url)


def test_an_address_is_taken_once_and_only_a_few_are(org_a: Tenant) -> None:
    services.add_audit_stream(org_a.actor, "https://siem.example/0")
    with pytest.raises(Conflict, match="already"):
        services.add_audit_stream(org_a.actor, "https://siem.example/0")
    for number in range(1, 5):
        services.add_audit_stream(org_a.actor, f"https://siem.example/{number}")
    with pytest.raises(Conflict, match="remove one"):
        services.add_audit_stream(org_a.actor, "https://siem.example/5")


def test_only_managers_decide_and_only_about_their_own(org_a: Tenant, org_b: Tenant) -> None:
    stream, _ = services.add_audit_stream(org_a.actor, "https://siem.example/")
    member = actor_of(org_a.member)
    with pytest.raises(PermissionDenied):
        services.add_audit_stream(member, "https://siem.example/2")
    with pytest.raises(PermissionDenied):
        services.set_audit_retention(member, 90)
    with pytest.raises(PermissionDenied):
        services.remove_audit_stream(member, stream.pk)
    with pytest.raises(NotFound):
        services.remove_audit_stream(org_b.actor, stream.pk)
    with pytest.raises(NotFound):
        services.switch_audit_stream(org_b.actor, stream.pk, False)
    services.remove_audit_stream(org_a.actor, stream.pk)


def test_retention_is_set_and_recorded(org_a: Tenant) -> None:
    services.set_audit_retention(org_a.actor, 365)
    services.set_audit_retention(org_a.actor, 365)
    with tenancy.scope(org_a.id):
        [entry] = AuditEntry.objects.filter(action="audit.retention_changed")
    assert (entry.before, entry.after) == ({"days": None}, {"days": 365})
    for days in (29, 0, -1, 10**9):
        with pytest.raises(InvalidRequest):
            services.set_audit_retention(org_a.actor, days)


def test_a_log_server_gets_rfc_5424_in_counted_octets(org_a: Tenant, settings: Any) -> None:
    settings.AUDIT_STREAMS_TO_PRIVATE_ADDRESSES = True
    with socket.create_server(("127.0.0.1", 0)) as server:
        received: list[bytes] = []

        def take() -> None:
            connection, _ = server.accept()
            with connection:
                while part := connection.recv(65536):
                    received.append(part)

        thread = threading.Thread(target=take)
        thread.start()
        services.add_audit_stream(org_a.actor, f"syslog+tcp://127.0.0.1:{server.getsockname()[1]}", from_beginning=True)
        count = streaming.send_everything()
        thread.join()
    messages = counted(b"".join(received))
    assert count == len(messages) == len(sequences(org_a))
    head, _, text = messages[0].partition(b"\xef\xbb\xbf")
    assert head.startswith(b"<109>1 20")
    assert b' millrace - audit [millrace@32473 sequence="1" organization="' in head
    assert [json.loads(each.partition(b"\xef\xbb\xbf")[2])["sequence"] for each in messages] == sequences(org_a)
    assert json.loads(text)["object"] == "audit_entry"


def counted(stream: bytes) -> list[bytes]:
    found = []
    while stream:
        length, _, rest = stream.partition(b" ")
        found.append(rest[: int(length)])
        stream = rest[int(length) :]
    return found


def test_a_log_server_by_datagrams_gets_one_each(org_a: Tenant, settings: Any) -> None:
    settings.AUDIT_STREAMS_TO_PRIVATE_ADDRESSES = True
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        with tenancy.scope(org_a.id):
            audit.record(org_a.actor, "x.done", org_a.organization, much="x" * 100_000)
            entry = AuditEntry.objects.order_by("-sequence")[0]
        syslog.send(f"syslog+udp://127.0.0.1:{server.getsockname()[1]}", [entry])
        content = json.loads(server.recv(65536).partition(b"\xef\xbb\xbf")[2])
    assert (content["shortened"], content["detail"], content["hash"]) == (True, None, entry.hash)


def test_a_log_server_that_is_away_keeps_the_cursor(org_a: Tenant, settings: Any) -> None:
    settings.AUDIT_STREAMS_TO_PRIVATE_ADDRESSES = True
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    services.add_audit_stream(org_a.actor, f"syslog+tcp://127.0.0.1:{port}", from_beginning=True)
    assert streaming.send_everything() == 0
    assert (stream_of(org_a).cursor, stream_of(org_a).failures) == (0, 1)
