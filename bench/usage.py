"""Usage events: how many a second are written, each once, while the processes that write them are killed.

`python -m bench.usage [--events 1000000] [--json FILE]`. PostgreSQL and Redis of its own, and two clients that send
batches of 1,000, of which 30 % were sent before, by themselves or by the other one. Each client's writing process is
killed with SIGKILL at random moments, and the client sends again what was not acknowledged. Beside it the naive way,
one row in each transaction with `get_or_create`, for fewer events and undisturbed; and the same batches over HTTP to a
web process as the Procfile has it, undisturbed and killed as well. After each, the ledger's sum must be exact, and
equal to every roll-up.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import psutil
import psycopg
from honcho.environ import parse_procfile

from bench import output
from bench.console import ROOT, servers
from bench.metering.events import Plan, recently
from bench.speed.machine import device_name
from bench.streams import wait_for_port
from deploy.local.ports import free_port
from deploy.local.processes import die_with_parent

CLIENTS = 2
CHECKS = {
    "lines": "SELECT count(*)::bigint FROM billing_ledgerentry WHERE organization_id = %s AND kind = 'usage'",
    "sum": "SELECT coalesce(sum(quantity), 0)::bigint FROM billing_ledgerentry WHERE organization_id = %s",
    "hours": "SELECT coalesce(sum(quantity), 0)::bigint FROM billing_usagehour WHERE organization_id = %s",
    "months": "SELECT coalesce(sum(used), 0)::bigint FROM billing_meterperiod WHERE organization_id = %s",
}


def organization(name: str) -> tuple[str, str]:
    """A new organization's id, and the secret of a key that may report usage."""
    from apps.accounts import services
    from apps.accounts.models import User
    from tests.helpers.people import actor_of

    user = User.objects.create_user(f"owner@{name}.example", "a password of a benchmark")
    made = services.create_organization(user, name.title(), slug=name)
    _key, secret = services.create_api_key(actor_of(user), "meter", ["usage:write"])
    return str(made.pk), secret


# ---------------------------------------------------------------- clients


def started(arguments: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=os.environ | {"DATABASE_POOL_SIZE": "0"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent(9),
    )


def answers(client: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    assert client.stdout
    for line in client.stdout:
        yield json.loads(line)
    if client.wait():
        raise RuntimeError("a client of the benchmark has failed")


def race(commands: list[list[str]]) -> tuple[float, list[list[dict[str, Any]]]]:
    """Runs the clients side by side; seconds until the last one was done, and what each has said."""
    clients = [started(command) for command in commands]
    try:
        streams = [answers(client) for client in clients]
        for stream in streams:
            assert "ready" in next(stream)
        found: list[list[dict[str, Any]]] = [[] for _ in clients]
        readers = [
            threading.Thread(target=lambda s=stream, f=each: f.extend(s))
            for stream, each in zip(streams, found, strict=True)
        ]
        begun = time.monotonic()
        for client, reader in zip(clients, readers, strict=True):
            assert client.stdin
            client.stdin.write("go\n")
            client.stdin.flush()
            reader.start()
        for reader in readers:
            reader.join()
        return time.monotonic() - begun, found
    finally:
        for client in clients:
            client.kill()
            client.wait()


def checked(url: str, organization_id: str, plan: Plan) -> dict[str, Any]:
    """What is in the tables, and whether it is exactly what was sent."""
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute("SELECT set_config('app.across', 'on', false)")
        found: dict[str, Any] = {}
        for name, query in CHECKS.items():
            row: Any = owner.execute(query, [organization_id]).fetchone()
            found[name] = row[0]
    wanted = {"lines": plan.different, **dict.fromkeys(["sum", "hours", "months"], plan.total)}
    return found | {"exact": found == wanted, "expected": wanted}


def written(url: str, way: str, count: int, kill_seconds: float) -> dict[str, Any]:
    """So many events by processes that call the service, or do it the naive way."""
    organization_id, _secret = organization(f"{way}-way")
    plan = Plan(count, recently(), f"/bench/{way}")
    fixed = [str(CLIENTS), str(count), plan.end.isoformat(), plan.source, organization_id, str(kill_seconds)]
    seconds, said = race([["bench.metering.client", way, str(client), *fixed] for client in range(CLIENTS)])
    ends = [each[-1] for each in said]
    return {
        "events": count,
        "seconds": round(seconds, 1),
        "events_per_second": round(count / seconds),
        "killed": sum(end["killed"] for end in ends),
        "memory_mib": memory(seconds, said),
        **checked(url, organization_id, plan),
    }


def memory(seconds: float, said: list[list[dict[str, Any]]]) -> list[float]:
    """The largest of the writing processes in each tenth of the run, in MiB."""
    tenths = [0.0] * 10
    for line in (line for each in said for line in each if "rss" in line):
        tenth = min(9, int(10 * line["at"] / seconds))
        tenths[tenth] = max(tenths[tenth], round(line["rss"] / 2**20, 1))
    return tenths


# ---------------------------------------------------------------- HTTP


@contextlib.contextmanager
def web_that_dies(folder: Path, kill_seconds: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """The web process of the Procfile, killed at random and started again; its address, and what became of it."""
    port, random, state = free_port(), Random("web"), {"killed": 0, "rss": 0.0}
    command, over = parse_procfile((ROOT / "Procfile").read_text()).processes["web"], threading.Event()
    environment = os.environ | {
        "PORT": str(port),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }

    def start() -> subprocess.Popen[bytes]:
        with (folder / "web.log").open("ab") as log:
            shell = ["/bin/sh", "-c", f"exec {command}"]
            return subprocess.Popen(
                shell, cwd=ROOT, env=environment, stdout=log, stderr=log, preexec_fn=die_with_parent(9)
            )

    web = start()

    def kill() -> None:
        nonlocal web
        while not over.wait(random.uniform(0.5, 1.5) * kill_seconds):
            state["rss"] = max(state["rss"], round(psutil.Process(web.pid).memory_info().rss / 2**20, 1))
            web.kill()
            web.wait()
            state["killed"] += 1
            web = start()

    wait_for_port(port, web)
    killer = threading.Thread(target=kill)
    if kill_seconds:
        killer.start()
    try:
        yield f"http://127.0.0.1:{port}", state
    finally:
        over.set()
        if kill_seconds:
            killer.join()
        web.kill()
        web.wait()


def posted(url: str, count: int, kill_seconds: float, name: str) -> dict[str, Any]:
    organization_id, secret = organization(name)
    plan = Plan(count, recently(), f"/bench/{name}")
    with web_that_dies(Path(os.environ["MILLRACE_VAR"]), kill_seconds) as (address, state):
        fixed = [str(CLIENTS), str(count), plan.end.isoformat(), plan.source]
        seconds, said = race(
            [["bench.metering.posts", address, secret, str(client), *fixed] for client in range(CLIENTS)]
        )
    return {
        "events": count,
        "seconds": round(seconds, 1),
        "events_per_second": round(count / seconds),
        "killed": state["killed"],
        "sent_again": sum(each[-1]["sent_again"] for each in said),
        **checked(url, organization_id, plan),
    }


# ---------------------------------------------------------------- report


def tables(result: dict[str, Any]) -> list[dict[str, Any]]:
    words = {
        "batch": "batches of 1,000, in the product",
        "http": "batches of 1,000, over HTTP",
        "http_undisturbed": "batches of 1,000, over HTTP, nothing killed",
        "row": "one row at a time, `get_or_create`",
    }
    rows = [
        [
            words[way],
            f"{found['events']:,}",
            f"{found['events_per_second']:,}",
            str(found["killed"]),
            "exact" if found["exact"] else f"wrong: {found['sum']:,}, not {found['expected']['sum']:,}",
        ]
        for way, found in result["ways"].items()
    ]
    flat = result["ways"]["batch"]["memory_mib"]
    note = (
        f"{CLIENTS} clients beside PostgreSQL on the same {os.cpu_count()} processors; 30 % of what is sent was sent "
        f"before. The largest writing process had {max(flat)} MiB, and {flat[-1]} MiB in the last tenth of the run."
    )
    return [{"columns": ["", "events", "events/s", "processes killed", "sum"], "rows": rows, "note": note}]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--http-events", type=int, default=100_000)
    parser.add_argument("--row-events", type=int, default=10_000)
    parser.add_argument("--kill-seconds", type=float, default=5.0, help="how long a writing process lives on average")
    parser.add_argument("--json", type=Path, default=output("usage"))
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": device_name(), "ways": {}, "load_before": round(os.getloadavg()[0], 2)}
    with servers() as url:
        # Twice what may be sent in a minute is no matter here.
        os.environ["USAGE_EVENTS_PER_MINUTE"] = str(10**9)
        import django

        django.setup()
        ways = result["ways"]
        ways["batch"] = written(url, "batch", options.events, options.kill_seconds)
        ways["http_undisturbed"] = posted(url, options.http_events, 0, "http-quiet")
        ways["http"] = posted(url, options.http_events, 2 * options.kill_seconds, "http-killed")
        ways["row"] = written(url, "row", options.row_events, 0)
        from django.db import connections

        connections.close_all()
    result["load_after"] = round(os.getloadavg()[0], 2)
    print(json.dumps(result, indent=1))
    result["tables"] = tables(result)
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    return 0 if all(found["exact"] for found in result["ways"].values()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
