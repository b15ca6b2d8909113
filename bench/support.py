"""How soon the support bot's answer is at the visitor, and how many open widgets one web process carries.

`python -m bench.support --json FILE`; with `--cables COUNT` also so many clients of Chatwoot's socket. One web process,
the bot's worker, a default worker and the schedule as the Procfile has them, PostgreSQL and Redis, and the visitors'
browsers: all on this machine, so that the browsers take their part of its processors. The bot is the demo bank's with
a model trained from its utterances, and answers from its flows. An answer's time is from before the visitor's message
is sent until the answer's frame is at the visitor's socket; with a pause that ends a burst, the pause is taken off.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
from honcho.environ import parse_procfile

from bench import output
from bench.speed.machine import device_name
from bench.streams import ROOT, quantile, used
from deploy.local.ports import free_port
from deploy.local.processes import die_with_parent
from deploy.local.services import start_postgres, start_redis

PROCESSES, WORKERS = ("web", "dialogue", "default", "schedule"), {"dialogue", "default"}
START_SECONDS = 300
# What a bank's bot waits for by default before it answers, and what it is measured without.
PAUSES = (0.0, 1.5)
IDLE_SECONDS = 15.0


class Bench:
    def __init__(self, options: argparse.Namespace, folder: Path, urls: Sequence[str]) -> None:
        self.options, self.folder, self.port = options, folder, free_port()
        self.file = folder / "desk.json"
        self.environment = os.environ | {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": urls[0],
            "REDIS_URL": urls[1],
            "MILLRACE_VAR": str(folder),
            "MILLRACE_LOCAL": "1",
            "PORT": str(self.port),
            "SECRET_KEY": "local-key-of-a-benchmark-which-protects-nothing-at-all-here",
            "LOG_LEVEL": "INFO",
            "PYTHONUNBUFFERED": "1",
        }

    def prepare(self) -> None:
        migrate = [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"]
        subprocess.run(migrate, cwd=ROOT, env=self.environment | {"DATABASE_ROLE": ""}, check=True)
        options = self.options
        self.file.write_bytes(self._rows(str(max(options.widgets, options.conversations, options.cables))))

    def _rows(self, *arguments: str) -> bytes:
        command = [sys.executable, "-m", "bench.desk.rows", *arguments]
        return subprocess.run(command, cwd=ROOT, env=self.environment, check=True, stdout=subprocess.PIPE).stdout

    @contextlib.contextmanager
    def running(self, *names: str) -> Iterator[dict[str, psutil.Process]]:
        """These processes, serving."""
        with contextlib.ExitStack() as stack:
            started = {name: stack.enter_context(self._process(name)) for name in names}
            until = time.monotonic() + START_SECONDS
            while not (self._serves() and all(" ready." in self._log(name) for name in WORKERS & set(names))):
                assert time.monotonic() < until, "the product did not start"
                time.sleep(0.1)
            yield {name: psutil.Process(process.pid) for name, process in started.items()}

    def _serves(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text(errors="replace")

    @contextlib.contextmanager
    def _process(self, name: str) -> Iterator[subprocess.Popen[bytes]]:
        command = parse_procfile((ROOT / "Procfile").read_text()).processes[name]
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent(9),
            )
        try:
            yield process
        finally:
            process.kill()
            process.wait()

    @contextlib.contextmanager
    def browsers(self, count: int, *kind: str) -> Iterator[subprocess.Popen[str]]:
        """So many open widgets, or clients of another kind."""
        command = [sys.executable, "-m", "bench.desk.visitors", str(self.file), str(self.port), str(count), *kind]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        process = subprocess.Popen(command, cwd=ROOT, preexec_fn=die_with_parent(9), **pipes)
        try:
            assert process.stdout
            assert process.stdout.readline() == "open\n", "the widgets did not open"
            yield process
        finally:
            process.kill()
            process.wait()

    # ------------------------------------------------------------ measuring
    def answers(self) -> dict[str, Any]:
        found = {}
        with self.running(*PROCESSES) as parts, self.browsers(self.options.conversations) as browsers:
            for pause in PAUSES:
                self._rows("--quiet", str(pause))
                order(browsers, "ask", self.options.rate, 5)
                before = {name: used(process) for name, process in parts.items()}
                taken = order(browsers, "ask", self.options.rate, self.options.seconds)
                spent = {name: used(process) - before[name] for name, process in parts.items()}
                found[str(pause)] = summary(taken, pause) | {
                    "cpu_ms_an_answer": {name: round(1000 * each / taken["sent"], 1) for name, each in spent.items()},
                    "answers": taken["answers"],
                }
                print("pause", pause, json.dumps(found[str(pause)]), flush=True)
        return found

    def open_sockets(self, count: int, *kind: str) -> dict[str, Any]:
        """What so many cost a web process, and how soon each has what the desk says in its conversation."""
        options = self.options
        with self.running("web") as parts:
            web = parts["web"]
            with self.browsers(10, *kind) as browsers:
                # What every web process has loaded once it has served anybody.
                order(browsers, "told", 10, 5)
            time.sleep(2)
            before, began = web.memory_info().rss, time.monotonic()
            with self.browsers(count, *kind) as browsers:
                opened = time.monotonic() - began
                time.sleep(2)
                each = (web.memory_info().rss - before) / count
                cpu, began = used(web), time.monotonic()
                time.sleep(IDLE_SECONDS)
                idle = (used(web) - cpu) / (time.monotonic() - began)
                cpu, began = used(web), time.monotonic()
                taken = order(browsers, "told", options.rate, options.seconds)
                busy = (used(web) - cpu) / (time.monotonic() - began)
                found = summary(taken, 0.0) | {
                    "widgets": count,
                    "opened_in_seconds": round(opened, 1),
                    "kilobytes_each": round(each / 1024, 1),
                    "rss_megabytes": round(web.memory_info().rss / 1e6),
                    "idle_cpu": round(idle, 3),
                    "busy_cpu": round(busy, 3),
                    "closed": taken["closed"],
                }
        print(*kind or ("widgets",), json.dumps(found), flush=True)
        return found


def order(browsers: subprocess.Popen[str], what: str, rate: float, seconds: float) -> dict[str, Any]:
    assert browsers.stdin and browsers.stdout
    browsers.stdin.write(f"{what} {rate} {seconds}\n")
    browsers.stdin.flush()
    found: dict[str, Any] = json.loads(browsers.stdout.readline())
    return found


def summary(taken: dict[str, Any], pause: float) -> dict[str, Any]:
    assert taken["lags"], taken
    lags = [each - pause for each in taken["lags"]]
    return {
        "sent": taken["sent"],
        "missing": taken["missing"],
        "refused": taken["refused"],
        "ms": {f"p{part}": round(1000 * quantile(lags, part / 100)) for part in (50, 95, 99)},
    }


def tables(result: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for pause, found in result["answers"].items():
        name = "bursts not waited for" if pause == "0.0" else f"behind the {pause} s that end a burst"
        ms = found["ms"]
        rows.append([name, found["sent"] - found["missing"], f"{ms['p50']} / {ms['p95']} / {ms['p99']}"])
    widgets, ms = result["widgets"], result["widgets"]["ms"]
    return [
        {
            "columns": ["the bot's answer, from the visitor's message to its frame", "answers", "ms, p50 / p95 / p99"],
            "rows": rows,
            "note": f"{result['rate']:g} messages a second in {result['conversations']} conversations, whose widgets "
            "are open.",
        },
        {
            "columns": [f"{widgets['widgets']:,} open widgets, one web process", ""],
            "rows": [
                ["memory for each", f"{widgets['kilobytes_each']} kB"],
                ["of one processor, with nothing said", f"{widgets['idle_cpu']:.0%}"],
                [
                    f"of one processor, with {result['rate']:g} answers of the desk a second",
                    f"{widgets['busy_cpu']:.0%}",
                ],
                ["an answer until the visitor has it, p50 / p95 / p99", f"{ms['p50']} / {ms['p95']} / {ms['p99']} ms"],
                ["messages lost, sockets closed", f"{widgets['missing']}, {widgets['closed']}"],
            ],
        },
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=200)
    parser.add_argument("--widgets", type=int, default=1000)
    parser.add_argument("--cables", type=int, default=0, help="clients of Chatwoot's socket, of which none is usual")
    parser.add_argument("--rate", type=float, default=20.0, help="messages a second")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--json", type=Path, default=output("support"))
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": device_name(), "conversations": options.conversations, "rate": options.rate}
    result["load_before"] = round(os.getloadavg()[0], 2)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder, servers = Path(name), []
        (folder / "run").mkdir()
        for kind, start in (("postgres", start_postgres), ("redis", start_redis)):
            (folder / kind).mkdir()
            servers.append(start(folder / kind))
            stack.callback(servers[-1].stop)
        bench = Bench(options, folder, [server.url for server in servers])
        bench.prepare()
        result["answers"] = bench.answers()
        result["widgets"] = bench.open_sockets(options.widgets)
        if options.cables:
            result["cables"] = bench.open_sockets(options.cables, "cable")
    result["tables"] = tables(result)
    options.json.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
