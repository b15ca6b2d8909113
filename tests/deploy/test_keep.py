"""A process of the Procfile is kept running, and one that cannot run is given up."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from deploy.local import bench, check, keep

ROOT = Path(__file__).resolve().parents[2]


def test_a_process_that_cannot_start_is_given_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(keep, "RESTART_DELAY_SECONDS", 0.0)
    assert keep.Keeper(f"sh -c 'echo once >> {tmp_path}/starts; exit 3'").run() == 3
    assert (tmp_path / "starts").read_text().count("once") == keep.SHORT_LIVES_ALLOWED
    assert "ended with code 3 5 times in a row; giving up" in capfd.readouterr().out


def test_a_process_that_ignores_the_signal_is_killed() -> None:
    program = "from deploy.local import keep; import sys; keep.SECONDS_TO_END = 0.5; sys.exit(keep.main())"
    stubborn = (
        "python -c 'import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)'"
    )
    environment = {**os.environ, keep.COMMAND_VARIABLE: stubborn}
    kept = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert kept.stdout is not None
    assert kept.stdout.readline() == "1\n"
    started = time.monotonic()
    kept.send_signal(signal.SIGTERM)
    assert kept.wait(10) == 0
    assert time.monotonic() - started < 5
    kept.stdout.close()


def test_checks_refuse_an_unknown_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.main(["speling"]) == 2
    assert "speling" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("import json, os; json.dump({'tokens_per_second': 1}, open(os.environ['BENCH_OUTPUT'], 'w'))", 0),
        ("pass", 1),
        ("raise SystemExit(3)", 1),
    ],
)
def test_a_benchmark_must_leave_its_figures(
    script: str, code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setenv("MILLRACE_VAR", str(tmp_path / "var"))
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "speed.py").write_text(script)
    assert bench.main([]) == code
    if code == 0:
        assert json.loads((tmp_path / "var" / "bench" / "speed.json").read_text()) == {"tokens_per_second": 1}
