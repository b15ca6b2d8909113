"""How late tokens reach a thousand readers of one web process, and what the tutorial way makes of the same load.

`python -m bench.streams --json FILE`. A real web process as the Procfile starts it, a real Redis, a process that
appends to the streams as a worker does, and processes that read: all on this machine, so that the readers take their
part of its processors. Beside it, in the same run and with the same load, `group_send` for every token over
channels-redis. A token's lag is from the moment it was due to be written until its reader has it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
from honcho.environ import parse_procfile
from redis import Redis

from bench import output
from bench.speed.machine import device_name
from deploy.local.ports import free_port
from deploy.local.services import start_postgres, start_redis

ROOT = Path(__file__).resolve().parents[1]
TUTORIAL = "bench.streaming.tutorial"
# What is still on its way may arrive this long after the last token was due.
DRAIN_SECONDS = 8.0


class Bench:
    """The servers, the rows and the processes of one run."""

    def __init__(self, options: argparse.Namespace, folder: Path, urls: tuple[str, str], redis_pid: int) -> None:
        self.options, self.folder, self.redis_pid = options, folder, redis_pid
        self.key = ""
        self.environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": urls[0],
            "REDIS_URL": urls[1],
            "MILLRACE_VAR": str(folder),
            "MILLRACE_LOCAL": "1",
            "SECRET_KEY": "local-key-of-a-benchmark-which-protects-nothing-at-all-here",
            "LOG_LEVEL": "WARNING",
        }

    def prepare(self) -> None:
        """The tables, and as many running generations as there are streams; their ids into a file for each reader."""
        migrate = [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"]
        subprocess.run(migrate, cwd=ROOT, env=self.environment | {"DATABASE_ROLE": ""}, check=True)
        made = self._output("-m", "bench.streaming.rows", str(self.options.streams))
        self.key, ids = made["key"], made["ids"]
        self._file("all").write_text(json.dumps(ids))
        for number in range(self.options.readers):
            self._file(str(number)).write_text(json.dumps(ids[number :: self.options.readers]))

    def _file(self, name: str) -> Path:
        return self.folder / f"ids-{name}.json"

    def _output(self, *arguments: str) -> Any:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=self.environment, check=True, stdout=subprocess.PIPE
        )
        return json.loads(done.stdout)

    @contextlib.contextmanager
    def web(self, application: str, settings: str) -> Iterator[tuple[int, psutil.Process]]:
        """A web process with this application, otherwise as the Procfile has it; its port and itself."""
        port = free_port()
        command = parse_procfile((ROOT / "Procfile").read_text()).processes["web"]
        command = command.replace("config.asgi:application", f"{application}:application")
        environment = self.environment | {"PORT": str(port), "DJANGO_SETTINGS_MODULE": settings}
        with (self.folder / "web.log").open("ab") as log:
            process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"], cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        try:
            wait_for_port(port, process)
            yield port, psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait(60)

    def measure(self, way: str, application: str, settings: str, sse: int) -> dict[str, Any]:
        """Readers connect, the load is written, and all is counted."""
        options = self.options
        Redis.from_url(self.environment["REDIS_URL"]).flushall()
        with self.web(application, settings) as (port, web), contextlib.ExitStack() as stack:
            readers = [stack.enter_context(self._reader(number, port, sse)) for number in range(options.readers)]
            for reader in readers:
                assert reader.stdout and reader.stdout.readline() == b"ready\n", "a reader could not connect"
            redis = psutil.Process(self.redis_pid)
            before, cpu = web.memory_info().rss, [used(web), used(redis)]
            began = time.monotonic()
            written = self._write(way, settings)
            cpu = [after - start for after, start in zip([used(web), used(redis)], cpu, strict=True)]
            spent = time.monotonic() - began
            peak = web.memory_info().rss
            time.sleep(DRAIN_SECONDS)
            # Before the readers leave: every request that ends needs a thread for a moment.
            threads = web.num_threads()
            found = [json.loads(reader.communicate(b"\n")[0]) for reader in readers]
            after = web.memory_info().rss
        memory = {"before": before, "at_the_end_of_the_load": peak, "after": after}
        cores = {"web": cpu[0] / spent, "redis": cpu[1] / spent, "writer": written["cpu_seconds"] / spent}
        cores["readers"] = sum(reader["cpu_seconds"] for reader in found) / (spent + DRAIN_SECONDS)
        return self._result(found) | {
            "writing_took_seconds": round(written["seconds"], 1),
            "web_memory_mb": {name: round(value / 1e6, 1) for name, value in memory.items()},
            "web_threads": threads,
            "cores_used": {name: round(value, 2) for name, value in cores.items()},
        }

    def _reader(self, number: int, port: int, sse: int) -> subprocess.Popen[bytes]:
        arguments = [str(self._file(str(number))), str(port), self.key, str(sse // self.options.readers)]
        return subprocess.Popen(
            [sys.executable, "-m", "bench.streaming.read", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def _write(self, way: str, settings: str) -> dict[str, float]:
        arguments = [way, str(self._file("all")), str(self.options.rate), str(self.options.seconds)]
        environment = self.environment | {"DJANGO_SETTINGS_MODULE": settings}
        done = subprocess.run(
            [sys.executable, "-m", "bench.streaming.write", *arguments],
            cwd=ROOT,
            env=environment,
            check=True,
            stdout=subprocess.PIPE,
        )
        found: dict[str, float] = json.loads(done.stdout)
        return found

    def _result(self, found: Sequence[dict[str, Any]]) -> dict[str, Any]:
        options = self.options
        lags = sorted(lag for reader in found for lag in reader["lags"])
        expected = int(options.rate * options.seconds)
        unread = sum(expected - last for reader in found for last in reader["behind"])
        total = {name: sum(reader[name] for reader in found) for name in ("frames", "tokens", "bytes", "repeated")}
        return total | {
            "tokens_written": expected * options.streams,
            "lost": unread + sum(reader["missing"] for reader in found),
            "lag_ms": {f"p{part:g}": round(1000 * quantile(lags, part / 100), 1) for part in (50, 95, 99, 99.9, 100)},
            "mean_lag_ms": round(1000 * statistics.fmean(lags), 1) if lags else None,
        }


def quantile(ordered: Sequence[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else float("nan")


def used(process: psutil.Process) -> float:
    """Processor time in seconds."""
    times = process.cpu_times()
    return float(times.user + times.system)


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError("the web process did not start")


def tables(result: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for name, found in result["ways"].items():
        lag = found["lag_ms"]
        memory = found["web_memory_mb"]
        rows.append(
            [
                name,
                f"{found['tokens_written']:,}",
                f"{found['lost']:,}",
                f"{lag['p50']:,.0f} / {lag['p95']:,.0f} / {lag['p99']:,.0f}",
                f"{memory['before']:.0f} → {memory['at_the_end_of_the_load']:.0f}",
                f"{found['cores_used']['web']:.2f}",
            ]
        )
    columns = ["", "tokens", "lost", "lag in ms, p50 / p95 / p99", "web process, MB", "cores of the web process"]
    note = (
        f"{result['streams']:,} streams of {result['rate']:g} tokens a second each for {result['seconds']:g} s, one "
        "web process; writer, Redis and readers on the same machine."
    )
    return [{"columns": columns, "rows": rows, "note": note}]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=10, help="tokens a second and stream")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--sse", type=float, default=0.2, help="the share of streams read over SSE")
    parser.add_argument("--readers", type=int, default=2, help="processes that read")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--only", choices=["product", "group"], default="")
    parser.add_argument("--json", type=Path, default=output("streams"))
    options = parser.parse_args()
    ways = {
        "product": ("Millrace", "config.asgi", "config.settings", int(options.sse * options.streams)),
        "group": ("`group_send` for each token", TUTORIAL, f"{TUTORIAL}_settings", 0),
    }
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        servers = []
        for name, start in (("postgres", start_postgres), ("redis", start_redis)):
            (Path(folder) / name).mkdir()
            servers.append(start(Path(folder) / name))
            stack.callback(servers[-1].stop)
        bench = Bench(options, Path(folder), (servers[0].url, servers[1].url), servers[1].pid)
        bench.prepare()
        result: dict[str, Any] = {"machine": device_name(), "streams": options.streams, "rate": options.rate}
        result |= {"load_before": round(os.getloadavg()[0], 2)}
        result |= {"seconds": options.seconds, "readers": options.readers, "ways": {}}
        for way, (title, application, settings, sse) in ways.items():
            if options.only in {"", way}:
                rounds = [bench.measure(way, application, settings, sse) for _ in range(options.rounds)]
                rounds.sort(key=lambda found: found["lag_ms"]["p99"])
                result["ways"][title] = rounds[len(rounds) // 2]
                print(title, json.dumps(result["ways"][title], indent=1), flush=True)
        log = (Path(folder) / "web.log").read_text()
        if log.strip():
            print(log[-3000:], file=sys.stderr)
    result["tables"] = tables(result)
    options.json.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
