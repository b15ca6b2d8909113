"""The whole product beside its bare engine: the same model, prompts and lengths, in one run, in rounds that alternate.

`python -m bench.product --json FILE` measures a Llama shape of 135 million parameters with random weights, and the
house model, which is so small that on few processors everybody else's work shows; `--model FOLDER` measures another. A
web process, a generation worker, a default worker and the schedule as the Procfile has them, PostgreSQL and Redis, and
the customers: all on this machine, so that they take their part of its processors. Each customer asks for some texts,
one after the other. Medians are reported, and what each process used of a processor for a token.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from honcho.environ import parse_procfile

from bench import output, shapes
from bench.speed import machine
from deploy.local.ports import free_port
from deploy.local.processes import die_with_parent
from deploy.local.services import start_postgres, start_redis
from deploy.local.supervise import not_ready

ROOT = Path(__file__).resolve().parents[1]
PROCESSES = ("web", "generation", "default", "schedule")
START_SECONDS = 300


class Side:
    """A process that takes one order a line and answers with one."""

    def __init__(self, environment: dict[str, str], *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=die_with_parent(9),
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def answer(self) -> str:
        assert self._process.stdout
        if not (line := self._process.stdout.readline()):
            raise RuntimeError("a part of the benchmark has ended")
        return line.strip()

    def ask(self, *order: object) -> dict[str, float]:
        assert self._process.stdin
        self._process.stdin.write(" ".join(map(str, order)) + "\n")
        self._process.stdin.flush()
        found: dict[str, float] = json.loads(self.answer())
        return found

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def running(
    options: argparse.Namespace, model: str, folder: Path
) -> Iterator[tuple[Side, Side, dict[str, psutil.Process]]]:
    """Both sides, ready: the bare engine and the customers of the product; and the product's processes."""
    (folder / "run").mkdir()
    with contextlib.ExitStack() as stack:
        postgres, redis = start_postgres(folder / "postgresql"), start_redis(folder / "redis")
        stack.callback(postgres.stop)
        stack.callback(redis.stop)
        port = free_port()
        environment = _environment(folder, postgres.url, redis.url, port, options.streams)
        migrate = [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"]
        subprocess.run(migrate, cwd=ROOT, env=environment | {"DATABASE_ROLE": ""}, check=True)
        prepare = [sys.executable, "-m", "bench.throughput.prepare", *([model] if model else [])]
        found = json.loads(
            subprocess.run(prepare, cwd=ROOT, env=environment, check=True, stdout=subprocess.PIPE).stdout
        )
        found_processes = {name: stack.enter_context(_process(name, environment, folder)) for name in PROCESSES}
        bare = Side(environment, "bench.throughput.bare", found["folder"], str(found["context"]), str(options.streams))
        stack.callback(bare.end)
        customers = Side(environment, "bench.throughput.client", str(port), found["key"])
        stack.callback(customers.end)
        if bare.answer() != "ready":
            raise RuntimeError("the bare engine did not start")
        _wait_until_ready(port, folder)
        others = {"redis": redis.pid, "postgresql": postgres.pid, "customers": customers.pid, "bare engine": bare.pid}
        yield bare, customers, found_processes | {name: psutil.Process(pid) for name, pid in others.items()}


def _environment(folder: Path, database: str, redis: str, port: int, streams: int) -> dict[str, str]:
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "DATABASE_URL": database,
        "REDIS_URL": redis,
        "MILLRACE_VAR": str(folder),
        "MILLRACE_LOCAL": "1",
        "PORT": str(port),
        "ENGINE_MAX_RUNNING": str(streams),
        "SECRET_KEY": "local-key-of-a-benchmark-which-protects-nothing-at-all-here",
        "LOG_LEVEL": "WARNING",
    }


@contextlib.contextmanager
def _process(name: str, environment: dict[str, str], folder: Path) -> Iterator[psutil.Process]:
    command = parse_procfile((ROOT / "Procfile").read_text()).processes[name]
    with (folder / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent(9),
        )
    try:
        yield psutil.Process(process.pid)
    finally:
        process.kill()
        process.wait()


def _wait_until_ready(port: int, folder: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while problem := not_ready(f"http://127.0.0.1:{port}"):
        if time.monotonic() > until:
            logs = "\n".join(path.read_text()[-2000:] for path in folder.glob("*.log"))
            raise RuntimeError(f"the product is not ready: {problem}\n{logs}")
        time.sleep(0.2)


# ---------------------------------------------------------------- measuring
def throughput(options: argparse.Namespace, sides: dict[str, Side], parts: dict[str, psutil.Process]) -> dict[str, Any]:
    """Tokens a second at so many streams, each round on both sides; a first round only warms up."""
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    begun: list[float] = []
    used: dict[str, list[float]] = {}
    for round_number in range(options.rounds + 1):
        for name in sorted(sides, reverse=round_number % 2 == 0):
            before = {part: _seconds(process) for part, process in parts.items()}
            found = sides[name].ask("batch", options.streams, options.tokens, options.texts, round_number)
            if round_number == 0:
                continue
            speeds[name].append(found["tokens"] / found["seconds"])
            begun += [found["all_begun"]] if name == "product" else []
            for part, process in parts.items():
                if (part == "bare engine") == (name == "engine"):
                    spent = (_seconds(process) - before[part]) / found["written"]
                    used.setdefault(part, []).append(spent * 1_000_000)
            print(name, round(speeds[name][-1], 1), flush=True)
    medians = {name: round(statistics.median(values), 1) for name, values in speeds.items()}
    return {
        "tokens_per_second": medians,
        "ratio": round(statistics.median(p / e for p, e in zip(speeds["product"], speeds["engine"], strict=True)), 3),
        "all_begun_seconds": round(statistics.median(begun), 3),
        "cpu_microseconds_a_token": {part: round(statistics.median(values), 1) for part, values in used.items()},
        "rounds": speeds,
    }


def first_tokens(options: argparse.Namespace, sides: dict[str, Side]) -> dict[str, Any]:
    """Milliseconds from a request to its first token with nothing else to do."""
    taken: dict[str, list[float]] = {name: [] for name in sides}
    for round_number in range(1000, 1000 + options.firsts + 3):
        for name in sorted(sides, reverse=round_number % 2 == 0):
            found = sides[name].ask("first", round_number)
            if round_number >= 1003:
                taken[name].append(found["seconds"] * 1000)
    medians = {name: round(statistics.median(values), 1) for name, values in taken.items()}
    p95 = {name: round(statistics.quantiles(values, n=20)[-1], 1) for name, values in taken.items()}
    return {"p50_ms": medians, "p95_ms": p95, "added_p50_ms": round(medians["product"] - medians["engine"], 1)}


def _seconds(process: psutil.Process) -> float:
    """Of a processor, with what it has started: PostgreSQL serves each connection with a process."""
    times = process.cpu_times()
    seconds = times.user + times.system + times.children_user + times.children_system
    for child in process.children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            theirs = child.cpu_times()
            seconds += theirs.user + theirs.system
    return float(seconds)


def measured(options: argparse.Namespace, name: str, folder: str) -> dict[str, Any]:
    """What was found with one model; `folder` is empty for the house's."""
    with (
        tempfile.TemporaryDirectory(prefix="millrace-bench-", ignore_cleanup_errors=True) as run,
        running(options, folder, Path(run)) as (bare, customers, parts),
    ):
        sides = {"engine": bare, "product": customers}
        found = {"first_token": first_tokens(options, sides), "throughput": throughput(options, sides, parts)}
    print(name, json.dumps(found, indent=2), flush=True)
    return {"model": name, **found}


def _models(options: argparse.Namespace) -> dict[str, str]:
    """Folders by what the figures call them."""
    if options.model:
        return {Path(options.model).name: options.model}
    return {"Llama shape 135m, random weights": str(shapes.build("135m")), "house model": ""}


def _tables(result: dict[str, Any]) -> list[dict[str, Any]]:
    rows = [row for found in result["models"] for row in _rows(result["streams"], found)]
    note = f"Each of {result['streams']} customers asks for {result['texts']} texts of {result['tokens'] // 2} to"
    note += (
        f" {result['tokens'] * 3 // 2} tokens, one after the other; what came while all had one in hand counts. Web,"
    )
    note += " workers, PostgreSQL, Redis and customers share the processors with the engine. Medians of the rounds; the"
    note += " share is that of the rounds' own shares, whose bare engine and product ran one after the other."
    return [{"columns": ["", "bare engine", "through the product", ""], "rows": rows, "note": note}]


def _rows(streams: int, found: dict[str, Any]) -> list[list[Any]]:
    speed, first = found["throughput"], found["first_token"]
    tokens, waits = speed["tokens_per_second"], first["p50_ms"]
    return [
        [
            f"{found['model']}: {streams} streams, tokens/s",
            tokens["engine"],
            tokens["product"],
            f"{speed['ratio']:.1%}",
        ],
        [
            f"{found['model']}: first token when idle, p50",
            f"{waits['engine']} ms",
            f"{waits['product']} ms",
            f"+{first['added_p50_ms']} ms",
        ],
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="", help="a folder with a Hugging Face model, instead of both")
    parser.add_argument("--streams", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=256, help="tokens of an answer, on average")
    parser.add_argument("--texts", type=int, default=3, help="for each customer, one after the other")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--firsts", type=int, default=30, help="how often the first token is waited for")
    parser.add_argument("--json", type=Path, default=output("product"))
    options = parser.parse_args()
    result: dict[str, Any] = {
        "name": "product",
        "machine": machine.describe(),
        "streams": options.streams,
        "tokens": options.tokens,
        "texts": options.texts,
        "models": [measured(options, name, folder) for name, folder in _models(options).items()],
    }
    result["tables"] = _tables(result)
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
