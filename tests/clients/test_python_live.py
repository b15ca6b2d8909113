"""The Python client against the real application, over lines that lose answers and break."""

from __future__ import annotations

import csv
import io
import json
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections

from apps.accounts import services as accounts
from apps.billing.models import Subscription
from apps.core import jobs, tenancy
from apps.studio.models import BulkRun, Generation
from apps.studio.services import bulk
from deploy.client import writing
from millrace import AsyncMillrace, Millrace, Retry, codes
from millrace.cli import bulk as bulk_command
from millrace.cli import main
from tests.helpers.cutting import bad_line
from tests.helpers.live import live_server
from tests.helpers.people import Tenant
from tests.helpers.plans import make_plan
from tests.helpers.studio import add_rows, finish, states
from tests.helpers.webhooks import happen
from tests.helpers.worker import HandWorker, answering, working

QUICK = Retry(times=5, first=0.02, longest=0.2, patience=30)


@pytest.fixture
def url(transactional_db: None, model: Any) -> Iterator[str]:
    with live_server() as address:
        yield address


@pytest.fixture
def client(url: str, org_a: Tenant) -> Iterator[Millrace]:
    with Millrace(url, org_a.key, retry=QUICK) as made:
        yield made


@pytest.fixture
def signed_in(url: str, org_a: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    """For the command-line tool."""
    monkeypatch.setenv("MILLRACE_URL", url)
    monkeypatch.setenv("MILLRACE_API_KEY", org_a.key)


def test_a_text_arrives_whole_over_a_line_that_keeps_breaking(url: str, org_a: Tenant) -> None:
    chance = random.Random(7)
    words = [f"{number} 茶\u2028" for number in range(120)]

    def write() -> None:
        worker = HandWorker.claim()
        for word in words:
            worker.write(word)
            time.sleep(0.005)
        worker.finish()

    cuts = [chance.randint(300, 1500) for _ in range(12)]
    with (
        working(write),
        bad_line(url, *cuts) as line,
        Millrace(url, org_a.key) as maker,
        Millrace(line.url, org_a.key, retry=QUICK) as client,
        client.follow_generation(maker.create_generation(prompt="Tea.")["id"]) as stream,
    ):
        pieces = list(stream)
        assert stream.generation is not None
        assert "".join(pieces) == stream.text == stream.generation["text"] == "".join(words)
        assert line.connections > 6


def test_a_lost_answer_makes_one_generation(url: str, org_a: Tenant) -> None:
    with bad_line(url, 0, 0) as line, Millrace(line.url, org_a.key, retry=QUICK) as client:
        made = client.create_generation(prompt="Tea.")
        assert line.connections == 3
        assert states(org_a) == {"queued": 1}
        assert client.get_generation(made["id"])["id"] == made["id"]


def test_lists_are_read_over_three_pages(client: Millrace, org_a: Tenant, model: Any) -> None:
    made = {str(row.pk) for row in add_rows(org_a, model, 5)}
    found = [each["id"] for each in client.each(client.list_generations, limit=2)]
    assert len(found) == 5 and set(found) == made
    assert list(client.each(client.list_generations, limit=2, status="failed")) == []


def test_a_full_minute_is_waited_out(client: Millrace, org_a: Tenant) -> None:
    plan = make_plan(f"plan-{uuid4().hex[:8]}", 10**6, tokens_per_minute=900)
    with tenancy.scope(org_a.id):
        Subscription.objects.create(organization_id=org_a.id, plan=plan)
    client.create_generation(prompt="a", max_tokens=850)
    started = time.monotonic()
    client.create_generation(prompt="a", max_tokens=60)
    assert time.monotonic() - started > 0.5
    assert states(org_a) == {"queued": 2}


def test_refusals_are_exceptions_of_their_codes(client: Millrace, url: str, org_b: Tenant) -> None:
    made = client.create_generation(prompt="Tea.")
    with Millrace(url, org_b.key, retry=QUICK) as other, pytest.raises(codes.NotFound):
        other.get_generation(made["id"])
    with Millrace(url, "mr_wrong", retry=QUICK) as stranger, pytest.raises(codes.InvalidApiKey):
        stranger.list_models()
    with pytest.raises(codes.ModelNotFound) as unknown:
        client.create_generation(prompt="Tea.", model="gone")
    assert unknown.value.status == 404 and unknown.value.request_id
    with pytest.raises(codes.InvalidRequest) as wrong:
        client.create_generation(prompt="Tea.", top_p=0)
    assert wrong.value.param == "top_p"
    with pytest.raises(codes.PermissionDenied):
        client.list_audit_entries()


def test_files_go_up_and_come_down(client: Millrace, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("Tea is wärm.", encoding="utf-8")
    stored = client.create_file(file=path, purpose="user_data")
    assert stored["filename"] == "notes.txt"
    assert client.download_file(stored["id"]).text == "Tea is wärm."
    assert [each["id"] for each in client.each(client.list_files, limit=1)] == [stored["id"]]
    client.delete_file(stored["id"])
    with pytest.raises(codes.NotFound):
        client.download_file(stored["id"])


async def test_an_event_loop_has_the_same_client(url: str, org_a: Tenant) -> None:
    with working(answering("Tea ", "is ", "warm")):
        async with AsyncMillrace(url, org_a.key, retry=QUICK) as client, await client.stream(prompt="Tea.") as stream:
            assert "".join([piece async for piece in stream]) == "Tea is warm"
            assert stream.generation is not None and stream.generation["status"] == "succeeded"


def test_the_tool_prints_a_text_while_it_is_written(signed_in: None, capsys: pytest.CaptureFixture[str]) -> None:
    with working(answering("Tea ", "is ", "warm")):
        assert main(["generate", "Write about tea."]) == 0
    assert capsys.readouterr().out == "Tea is warm\n"
    assert main(["models", "--json"]) == 0
    assert "default" in [model["id"] for model in json.loads(capsys.readouterr().out)["data"]]
    assert main(["usage"]) == 0
    assert main(["whoami"]) == 0
    assert "Org-A (org-a)" in capsys.readouterr().out


def _hears_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_ctrl_c_stops_what_is_written(signed_in: None, org_a: Tenant) -> None:
    folder = Path(writing.PACKAGE).parent
    command = [sys.executable, "-m", "millrace", "generate", "Write about tea."]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    # Tests that were begun in the background ignore Ctrl-C, and what they start would as well.
    with subprocess.Popen(command, cwd=folder, preexec_fn=_hears_ctrl_c, **pipes) as tool:
        try:
            assert tool.stdout is not None
            worker = HandWorker.claim(30)
            worker.write("Tea ")
            assert tool.stdout.read(4) == "Tea "
            tool.send_signal(signal.SIGINT)
            worker.wait_for_cancel(org_a, 30)
            told = tool.communicate(timeout=30)
            assert (tool.returncode, *told) == (130, "", "\nmillrace: stopped.\n")
        finally:
            tool.kill()
    assert states(org_a) == {"cancelled": 1}


@pytest.fixture
def bulk_worker(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Driver and worker of bulk runs: every row gets its text."""
    monkeypatch.setattr(bulk_command, "POLL_SECONDS", 0.1)
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.05):
            bulk.drive("d1")
            for generation in jobs.claim(Generation, "by-hand", 100):
                finish(generation)
        connections.close_all()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join(20)


def test_the_tool_takes_a_table_to_a_table_with_texts(
    signed_in: None, bulk_worker: None, org_a: Tenant, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "teas.csv"
    table.write_text("name;note\nOolong;a, b\nSencha;\nAssam;x\n", encoding="utf-8")
    target = tmp_path / "out.csv"
    command = ["bulk", str(table), "--prompt", "A line about {{ name }}.", "--max-tokens", "20", "--yes"]
    assert main([*command, "--download", str(target)]) == 0
    said = capsys.readouterr()
    assert "3 rows with default" in said.err and "worth at most" in said.err
    assert said.out == "3 of 3 rows have a text.\n"
    rows = list(csv.DictReader(io.StringIO(target.read_text("utf-8-sig"))))
    assert [(row["name"], row["output"]) for row in rows] == [
        (name, "Tea, at last.") for name in ("Oolong", "Sencha", "Assam")
    ]
    with tenancy.scope(org_a.id):
        assert BulkRun.objects.count() == 1


def test_the_tool_tails_events_in_order_over_a_line_that_keeps_breaking(
    url: str, org_a: Tenant, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each once, with what happens while the line is down; then the rest, behind the last number."""
    chance, names = random.Random(5), [f"event {number}" for number in range(60)]

    def go_on() -> None:
        try:
            for name in names[20:]:
                happen(org_a, name)
                time.sleep(0.02)
        finally:
            connections.close_all()

    happen(org_a, *names[:20])
    telling = threading.Thread(target=go_on)
    _, key = accounts.create_api_key(org_a.actor, "tail", ["events:read"])
    monkeypatch.setenv("MILLRACE_API_KEY", key)
    with bad_line(url, *(chance.randint(1_000, 3_000) for _ in range(6))) as line:
        monkeypatch.setenv("MILLRACE_URL", line.url)
        telling.start()
        assert main(["events", "tail", "--type", "team.*", "--all", "--count", "45", "--json"]) == 0
        assert line.connections > 3
    told = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    telling.join()
    assert (
        main(["events", "tail", "--type", "team.*", "--after", str(told[-1]["sequence"]), "--count", "15", "--json"])
        == 0
    )
    told += [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert [each["data"]["name"] for each in told] == names
    assert sorted({each["sequence"] for each in told}) == [each["sequence"] for each in told]
