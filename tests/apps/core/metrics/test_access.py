"""Who may read the metrics: nobody by default, but on a developer's own machine."""

import http.client
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from apps.core.metrics import server as servers
from apps.core.metrics.server import MetricsServer, serve
from tests.helpers.metrics import names, parsed
from tests.helpers.people import Tenant
from tests.helpers.studio import ask

TOKEN = "a-token-for-this-test-alone"


def get(method: str = "GET", **headers: str) -> Any:
    address = headers.pop("remote", "127.0.0.1")
    return Client().generic(method, "/metrics", headers=headers, REMOTE_ADDR=address)


# ---------------------------------------------------------------- /metrics


def test_a_developer_reads_them_without_a_token(settings: Any, db: None) -> None:
    settings.METRICS_TOKEN, settings.LOCAL = "", True
    answer = get()
    assert (answer.status_code, answer["cache-control"]) == (200, "no-store")
    assert {"millrace_queue_depth", "millrace_store_up"} <= names(parsed(answer.content.decode()))
    assert get(accept="application/openmetrics-text; version=1.0.0").content.endswith(b"# EOF\n")


@pytest.mark.parametrize(
    ("local", "headers"),
    [
        (False, {}),
        (True, {"remote": "192.0.2.7"}),
        (True, {"remote": "testclient"}),
        (True, {"x-forwarded-for": "127.0.0.1"}),
        (True, {"x-forwarded-proto": "https"}),
        (True, {"x-real-ip": "127.0.0.1"}),
        (True, {"forwarded": "for=127.0.0.1"}),
        (True, {"via": "1.1 proxy"}),
        (True, {"remote": "192.0.2.7", "authorization": "Bearer "}),
    ],
    ids=str,
)
def test_without_a_token_there_is_nothing_for_anybody_else(
    settings: Any, db: None, local: bool, headers: dict[str, str]
) -> None:
    settings.METRICS_TOKEN, settings.LOCAL = "", local
    missing = Client().get("/no-such-page", headers={name: text for name, text in headers.items() if name != "remote"})
    answer = get(**headers)
    assert answer.status_code == missing.status_code == 404
    assert b"millrace_" not in answer.content


@pytest.mark.parametrize(
    "given", ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x", f"bearer {TOKEN[:-1]}", "Bearer ü"]
)
def test_a_wrong_token_is_refused_also_from_the_own_machine(settings: Any, db: None, given: str) -> None:
    settings.METRICS_TOKEN, settings.LOCAL = TOKEN, True
    answer = get(**({"authorization": given} if given else {}))
    assert (answer.status_code, answer["www-authenticate"]) == (401, "Bearer")
    assert answer.json()["error"]["code"] == "not_authenticated"


def test_the_token_opens_them_from_anywhere(settings: Any, db: None) -> None:
    settings.METRICS_TOKEN, settings.LOCAL = TOKEN, False
    headers = {"authorization": f"Bearer {TOKEN}", "remote": "192.0.2.7", "x-forwarded-for": "192.0.2.7"}
    assert get(**headers).status_code == 200
    assert get("HEAD", **headers).status_code == 200
    answer = get("POST", **headers)
    assert (answer.status_code, answer["allow"]) == (405, "GET, HEAD")
    assert answer.json()["error"]["code"] == "method_not_allowed"


def test_an_api_key_is_no_token(settings: Any, org_a: Tenant) -> None:
    settings.METRICS_TOKEN = TOKEN
    assert get(**org_a.bearer).status_code == 401


def test_nothing_in_them_names_a_customer(settings: Any, org_a: Tenant, model: Any) -> None:
    settings.METRICS_TOKEN, settings.LOCAL = "", True
    generation = ask(org_a, "A secret about the Xylophone.")
    text = get().content.decode()
    named = (org_a.organization.name, org_a.organization.slug, org_a.owner.email, org_a.api_key.prefix, "Xylophone")
    for secret in (*named, str(org_a.id), str(generation.pk)):
        assert secret not in text


# ---------------------------------------------------------------- a process's own listener


@pytest.fixture
def listener(settings: Any, tmp_path: Path, db: None) -> Iterator[MetricsServer]:
    settings.VAR, settings.METRICS_TOKEN = tmp_path, TOKEN
    running = MetricsServer("test")
    yield running
    running.stop()


def read(address: str, path: str = "/metrics", token: str = "", method: str = "GET") -> tuple[int, str, str]:
    connection = http.client.HTTPConnection(address, timeout=10)
    connection.request(method, path, headers={"Authorization": f"Bearer {token}"} if token else {})
    answer = connection.getresponse()
    found = answer.status, answer.headers.get("content-type", ""), answer.read().decode()
    connection.close()
    return found


def code(body: str) -> str:
    return str(json.loads(body)["error"]["code"])


def test_a_listener_answers_whoever_has_the_token(listener: MetricsServer) -> None:
    status, content_type, body = read(listener.address, token=TOKEN)
    assert (status, content_type.split(";")[0]) == (200, "text/plain")
    assert "millrace_lease_losses_total" in body
    assert read(listener.address, token=TOKEN, method="HEAD")[::2] == (200, "")


def test_a_listener_refuses_everything_else_in_the_usual_words(listener: MetricsServer) -> None:
    for token in ("", "wrong"):
        status, _, body = read(listener.address, token=token)
        assert (status, code(body)) == (401, "not_authenticated")
    status, _, body = read(listener.address, "/", token=TOKEN)
    assert (status, code(body)) == (404, "not_found")
    status, _, body = read(listener.address, token=TOKEN, method="POST")
    assert (status, code(body)) == (405, "method_not_allowed")


def test_a_listener_is_on_loopback_and_says_where(listener: MetricsServer, tmp_path: Path) -> None:
    assert listener.address.startswith("127.0.0.1:")
    file = tmp_path / "run" / "metrics" / f"test-{os.getpid()}.json"
    assert json.loads(file.read_text()) == [{"targets": [listener.address], "labels": {"process": "test"}}]
    listener.stop()
    assert not file.exists()


def test_processes_with_the_same_port_take_the_next_one(settings: Any, tmp_path: Path, db: None) -> None:
    settings.VAR, settings.METRICS_TOKEN = tmp_path, ""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings.METRICS_PORT = taken.getsockname()[1]
        first, second = MetricsServer("first"), MetricsServer("second")
        try:
            ports = [int(each.address.rpartition(":")[2]) for each in (first, second)]
            assert settings.METRICS_PORT < ports[0] < ports[1]
            assert {read(each.address)[0] for each in (first, second)} == {200}
        finally:
            first.stop()
            second.stop()


def test_no_room_for_a_listener_ends_no_process(settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    monkeypatch.setattr(servers, "PORTS_TRIED", 1)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings.METRICS_PORT = taken.getsockname()[1]
        assert serve("test") is None
    assert "metrics are not served" in caplog.text
    settings.METRICS_PORT = -1
    assert serve("test") is None


def test_addresses_of_killed_processes_are_forgotten(settings: Any, tmp_path: Path) -> None:
    settings.VAR, settings.METRICS_TOKEN = tmp_path, ""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    folder = tmp_path / "run" / "metrics"
    folder.mkdir(parents=True)
    for name in (f"generation-{dead.pid}.json", f"web-{os.getppid()}.json"):
        (folder / name).write_text("[]")
    running = MetricsServer("test")
    assert {path.name for path in folder.iterdir()} == {f"test-{os.getpid()}.json", f"web-{os.getppid()}.json"}
    running.stop()
