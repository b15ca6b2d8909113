"""The command-line tool, as a script calls it: without a terminal, by its output and its exit codes."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from millrace import Retry, Webhook, settings
from millrace.cli import bulk, main
from millrace.cli import progress as bars
from millrace.settings import Place
from scripted_server import Answer, Asked, Server

PACKAGE = Path(__file__).resolve().parents[1]
DONE: dict[str, Any] = {
    "id": "g1",
    "status": "succeeded",
    "text": "Tea is warm.",
    "finish_reason": "stop",
    "model_version": "house-1",
    "usage": {"completion_tokens": 4},
    "error": None,
}
ORGANIZATION = {"name": "Oak", "slug": "oak"}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture
def signed_in(server: Server) -> Server:
    settings.store(Place(server.url, "mr_1234567890"))
    return server


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """`typed(text)`: what the command reads from standard input."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text.encode()), "utf-8"))


def stream(*pieces: str, end: dict[str, Any] = DONE) -> Answer:
    parts = [f"id: 1-{n}\nevent: delta\ndata: {json.dumps({'text': text})}\n\n" for n, text in enumerate(pieces, 1)]
    parts += [f"id: 1-{len(pieces) + 1}\nevent: done\ndata: {json.dumps(end)}\n\n"]
    return Answer(parts=[part.encode() for part in parts])


def test_signing_in_tries_the_key_and_keeps_it(
    server: Server, typed: Callable[[str], None], capsys: pytest.CaptureFixture[str], failure: Callable[..., Answer]
) -> None:
    server.script(failure(401, "invalid_api_key"))
    typed("mr_wrong\n")
    assert main(["login", "--url", server.url]) == 3
    assert settings.stored() is None
    server.script(Answer(body=ORGANIZATION))
    typed("mr_1234567890\n")
    assert main(["login", "--url", server.url]) == 0
    assert main(["whoami"]) == 0
    assert server.asked[-1].headers["authorization"] == "Bearer mr_1234567890"
    said = capsys.readouterr()
    assert "Oak (oak)" in said.out and "mr_1234…" in said.out and "mr_12345" not in said.out
    assert "(invalid_api_key)" in said.err and "req_test" in said.err
    assert main(["logout"]) == 0
    assert main(["whoami"]) == 3
    assert main(["login", "--url", "nowhere"]) == 2


def test_a_text_is_printed_as_it_arrives(signed_in: Server, capsys: pytest.CaptureFixture[str]) -> None:
    signed_in.script(Answer(202, {"id": "g1"}), stream("Tea", " is warm."))
    assert main(["generate", "Tea.", "--model", "m", "--max-tokens", "9", "--stop", "X", "--system", "Be brief."]) == 0
    assert capsys.readouterr().out == "Tea is warm.\n"
    told = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Tea."}]
    assert signed_in.asked[0].json() == {"model": "m", "max_tokens": 9, "stop": ["X"], "messages": told}


def test_a_template_takes_variables_from_everywhere(
    signed_in: Server, typed: Callable[[str], None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "notes.txt").write_text("cordless")
    typed("from a pipe")
    signed_in.script(Answer(202, {"id": "g1"}), stream("Tea is warm."))
    variables = ["--var", "product=Kettle=2", "--var", f"notes=@{tmp_path / 'notes.txt'}", "--var", "more=-"]
    assert main(["generate", "--template", "ad@draft", *variables, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == DONE
    assert signed_in.asked[0].target == "/api/v1/templates/ad/generate"
    assert signed_in.asked[0].json() == {
        "variables": {"product": "Kettle=2", "notes": "cordless", "more": "from a pipe"},
        "label": "draft",
    }


def test_a_prompt_comes_from_standard_input(
    signed_in: Server, typed: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    signed_in.script(Answer(202, {"id": "g1"}), stream("Tea is warm."))
    typed("Write about tea.")
    assert main(["generate", "--no-stream"]) == 0
    assert signed_in.asked[0].json() == {"prompt": "Write about tea."}
    typed("  ")
    assert main(["generate", "-"]) == 2
    assert capsys.readouterr().out == "Tea is warm.\n"


def test_what_went_wrong_is_told_by_the_exit_code(
    signed_in: Server, capsys: pytest.CaptureFixture[str], failure: Callable[..., Answer]
) -> None:
    failed = DONE | {"status": "failed", "error": {"code": "engine_error", "message": "The model failed."}}
    signed_in.script(Answer(202, {"id": "g1"}), stream("Tea", end=failed))
    assert main(["generate", "Tea."]) == 1
    anew = b'id: 1-1\nevent: delta\ndata: {"text": "a"}\n\nid: 2-0\nevent: reset\ndata: {}\n\n'
    signed_in.script(Answer(202, {"id": "g1"}), Answer(parts=[anew]))
    assert main(["generate", "Tea."]) == 1
    signed_in.script(failure(429, "rate_limit_exceeded", retry=True, wait=0.1), failure(403, "permission_denied"))
    assert main(["models"]) == 3
    signed_in.script(failure(404, "model_not_found"))
    assert main(["generate", "Tea.", "--model", "gone"]) == 1
    told = capsys.readouterr().err
    for words in (
        "trying again in 0.1 s",
        "The model failed. (engine_error)",
        "--no-stream",
        "(permission_denied)",
        "(model_not_found)",
    ):
        assert words in told
    with pytest.raises(SystemExit) as wrong:
        main(["generate", "--nonsense"])
    assert wrong.value.code == 2


def run_body(state: str, succeeded: int, failed: int = 0, **more: Any) -> dict[str, Any]:
    counts = {"total": 3, "invalid": 0, "waiting": 0, "running": 0, "succeeded": succeeded, "failed": failed}
    counts |= {"stopped": 0, "eta_seconds": 65}
    estimate = {"rows": 3, "invalid": 0, "prompt_tokens": 1500, "completion_tokens": 3000, "exact": False}
    body = {"id": "r1", "name": "teas", "state": state, "model": "m", "counts": counts, "estimate": estimate}
    return {**body, "stopped_because": None, **more}


class BulkRun:
    """The server's part in a bulk run: it has one more row written each time it is asked."""

    def __init__(self, failing: int = 0) -> None:
        self.rows: list[Any] = []
        self.acts: list[str] = []
        self.written = 0
        self.failing = failing

    def __call__(self, asked: Asked) -> Answer:
        path = asked.target.removeprefix("/api/v1/").partition("?")[0]
        self.acts.append(f"{asked.method} {path}")
        if path == "models":
            price = {"input": "0.01", "output": "0.02", "currency": "USD"}
            return Answer(body={"data": [{"id": "m", "price": price}]})
        if path.endswith("/download"):
            return Answer(body=b"name,output\r\n", headers={"content-type": "text/csv"})
        if asked.method == "DELETE":
            return Answer(204)
        if asked.method == "POST":
            self.rows += asked.json()["rows"] if path == "bulk-runs" else []
            return Answer(201, run_body("draft" if path == "bulk-runs" else "running", 0))
        self.written = min(3, self.written + 1)
        over = self.written >= 3
        return Answer(body=run_body("completed" if over else "running", self.written - self.failing, self.failing))


@pytest.fixture
def teas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(bulk, "POLL_SECONDS", 0.01)
    path = tmp_path / "teas.csv"
    path.write_text("name\nOolong\nSencha\nAssam\nPuer\n")
    return path


def test_a_bulk_run_goes_from_a_file_to_a_file(
    signed_in: Server, capsys: pytest.CaptureFixture[str], teas: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bars, "watched", lambda: True)
    served = BulkRun()
    signed_in.script(served)
    target = teas.with_name("out.csv")
    command = ["bulk", str(teas), "--prompt", "About {{ name }}.", "--limit", "3", "--download", str(target)]
    assert main([*command, "--yes"]) == 0
    assert served.rows == [{"name": "Oolong"}, {"name": "Sencha"}, {"name": "Assam"}]
    assert served.acts[:3] == ["POST bulk-runs", "GET models", "POST bulk-runs/r1/start"]
    assert target.read_bytes() == b"name,output\r\n"
    said = capsys.readouterr()
    assert said.out == "3 of 3 rows have a text.\n"
    assert "about 1,500 tokens of prompts, at most 3,000 of answers, worth at most 0.08 USD" in said.err
    assert "[################--------]  67%  2/3  1:05 left" in said.err
    assert "100%  3/3" in said.err


def test_a_bulk_run_is_not_begun_unasked(
    signed_in: Server, capsys: pytest.CaptureFixture[str], teas: Path, typed: Callable[[str], None]
) -> None:
    served = BulkRun()
    signed_in.script(served)
    typed("")
    assert main(["bulk", str(teas), "--template", "ad", "--map", "product=name"]) == 2
    assert served.acts == ["POST bulk-runs", "GET models", "DELETE bulk-runs/r1"]
    assert signed_in.asked[0].json()["mapping"] == {"product": "name"}
    assert "--yes" in capsys.readouterr().err


def test_a_bulk_run_with_failures_says_so(signed_in: Server, capsys: pytest.CaptureFixture[str], teas: Path) -> None:
    signed_in.script(BulkRun(failing=1))
    assert main(["bulk", str(teas), "--prompt", "x", "--yes", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["data"][0]["counts"]["failed"] == 1
    assert main(["bulk", "--follow", "r1"]) == 1
    for wrong in (["bulk"], ["bulk", str(teas)], ["bulk", str(teas), "--prompt", "x", "--map", "a=b"]):
        assert main(wrong) == 2


def test_events_are_printed_as_they_happen(signed_in: Server, capsys: pytest.CaptureFixture[str]) -> None:
    def event(number: int) -> bytes:
        body = {"type": "team.created", "sequence": number, "object_id": "o", "created_at": "T", "data": {"name": "茶"}}
        return f"id: {number}\nevent: team.created\ndata: {json.dumps(body)}\n\n".encode()

    removed = b'event: removed\ndata: {"removed_through": 6}\n\n'
    here = Answer(body=ORGANIZATION)
    signed_in.script(
        here, Answer(parts=[b": ping\n\n", removed, event(7)], cut=True), Answer(parts=[event(8), event(9)])
    )
    assert main(["events", "tail", "--type", "team.*", "--all", "--count", "3", "--json"]) == 0
    said = capsys.readouterr()
    assert [json.loads(line)["sequence"] for line in said.out.splitlines()] == [7, 8, 9]
    assert "not kept" in said.err
    assert signed_in.asked[2].headers["last-event-id"] == "7"
    signed_in.script(here, Answer(parts=[event(10)]))
    assert main(["events", "tail", "--count", "1"]) == 0
    assert capsys.readouterr().out == 'T      10  team.created  o  {"name": "茶"}\n'
    assert signed_in.asked[-1].target.endswith("?after=latest")


def test_a_webhook_is_checked_from_files_and_pipes(
    typed: Callable[[str], None], capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, now = '{"a": 1}', int(time.time())
    signature = Webhook(SECRET).sign("msg_1", now, body.encode())
    headers = (
        f"POST /hook HTTP/1.1\nHost: x\nWebhook-Id: msg_1\nWebhook-Timestamp: {now}\nWebhook-Signature: {signature}\n"
    )
    (tmp_path / "headers").write_text(headers)
    (tmp_path / "body").write_text(body)
    monkeypatch.setenv("MILLRACE_WEBHOOK_SECRET", SECRET)
    assert main(["verify-webhook", str(tmp_path / "body"), "--headers", str(tmp_path / "headers"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["payload"] == {"a": 1}
    typed(body + " ")
    assert main(["verify-webhook", "--headers", str(tmp_path / "headers")]) == 1
    old = Webhook(SECRET).sign("msg_1", 1, body.encode())
    named = ["-H", "webhook-id: msg_1", "-H", "webhook-timestamp: 1", "-H", f"webhook-signature: {old}"]
    assert main(["verify-webhook", str(tmp_path / "body"), *named]) == 1
    assert main(["verify-webhook", str(tmp_path / "body"), *named, "--ignore-time"]) == 0
    assert main(["verify-webhook", str(tmp_path / "body"), *named, "--secret", "whsec_?"]) == 2
    monkeypatch.delenv("MILLRACE_WEBHOOK_SECRET")
    assert main(["verify-webhook", str(tmp_path / "body"), *named]) == 2


def test_a_process_of_its_own_ends_well_when_its_reader_leaves(signed_in: Server) -> None:
    signed_in.script(Answer(202, {"id": "g1"}), stream(*(["Tea is warm. " * 800] * 40)))
    process = subprocess.Popen(
        [sys.executable, "-m", "millrace", "generate", "Tea."],
        cwd=PACKAGE,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    assert process.stdout.read(3) == b"Tea"
    process.stdout.close()
    assert (process.wait(20), process.stderr.read()) == (0, b"")
    process.stderr.close()


def test_nobody_at_the_address_is_an_exit_code_of_its_own(
    signed_in: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    signed_in.close()
    monkeypatch.setattr("millrace.client.Retry", lambda: Retry(times=1, first=0.01))
    assert main(["models"]) == 4
    assert "connection failed" in capsys.readouterr().err
