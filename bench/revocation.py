"""How long after a member's removal the last byte goes out on their open streams.

`python -m bench.revocation --json FILE`. Two real web processes as the Procfile starts them, PostgreSQL and Redis. A
generation's text is written all the time; a member follows it over server-sent events and WebSockets, spread over both
processes, and is removed: once by the API, which announces it, and once behind the application's back, which nobody
announces. From the moment that the removal is answered (or committed) to the last byte that each stream received.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psycopg
from honcho.environ import parse_procfile
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from bench import output
from bench.speed.machine import device_name
from bench.streams import ROOT, quantile, wait_for_port
from deploy.local.ports import free_port
from deploy.local.services import start_postgres, start_redis

WEBS = 2
# More than the 5 s that a stream may live on, so that one which does is seen to.
PATIENCE_SECONDS = 20.0
SESSION, CSRF = "millrace_session", "x" * 32
WAYS = {"removed through the API": True, "deleted in the database, unannounced": False}


@dataclass
class Stream:
    """One open stream: when its last bytes came, on the monotonic clock, and how it ended."""

    transport: str
    last: float = 0.0
    ending: str = ""


class Bench:
    def __init__(self, options: argparse.Namespace, folder: Path, urls: tuple[str, str]) -> None:
        self.options, self.folder = options, folder
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
        self.made: dict[str, Any] = {}
        self.ports: list[int] = []

    def prepare(self) -> None:
        migrate = [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"]
        subprocess.run(migrate, cwd=ROOT, env=self.environment | {"DATABASE_ROLE": ""}, check=True)
        rows = [sys.executable, "-m", "bench.revoking.rows", str(2 * self.options.rounds)]
        done = subprocess.run(rows, cwd=ROOT, env=self.environment, check=True, stdout=subprocess.PIPE)
        self.made = json.loads(done.stdout)

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """The web processes and the one that writes."""
        command = parse_procfile((ROOT / "Procfile").read_text()).processes["web"]
        self.ports = [free_port() for _ in range(WEBS)]
        write = [sys.executable, "-m", "bench.revoking.write", self.made["generation"]]
        with (self.folder / "web.log").open("ab") as log:
            webs = [
                subprocess.Popen(
                    ["/bin/sh", "-c", f"exec {command}"],
                    cwd=ROOT,
                    env=self.environment | {"PORT": str(port)},
                    stdout=log,
                    stderr=log,
                )
                for port in self.ports
            ]
            writer = subprocess.Popen(write, cwd=ROOT, env=self.environment, stdin=subprocess.PIPE)
        try:
            for port, web in zip(self.ports, webs, strict=True):
                wait_for_port(port, web)
            yield
        finally:
            writer.communicate(b"\n", timeout=60)
            for web in webs:
                web.terminate()
                web.wait(60)

    # ------------------------------------------------------------ one round
    async def round(self, member: dict[str, str], announced: bool) -> tuple[float, list[Stream]]:
        """When the member was out, and what became of their streams."""
        half = self.options.streams // 2
        streams = [Stream("sse") for _ in range(half)] + [Stream("websocket") for _ in range(half)]
        async with asyncio.timeout(120), asyncio.TaskGroup() as group:
            for number, stream in enumerate(streams):
                read = self._read_events if stream.transport == "sse" else self._read_socket
                group.create_task(read(stream, self.ports[number % WEBS], member["cookie"]))
            while not all(stream.last for stream in streams):
                await asyncio.sleep(0.05)
            await asyncio.sleep(1)
            out = await (self._remove(member["id"]) if announced else asyncio.to_thread(self._delete, member["id"]))
            until = out + PATIENCE_SECONDS
            while not all(stream.ending for stream in streams) and time.monotonic() < until:
                await asyncio.sleep(0.05)
            assert all(stream.ending for stream in streams), "a stream went on"
        return out, streams

    async def _read_events(self, stream: Stream, port: int, cookie: str) -> None:
        url = f"http://127.0.0.1:{port}/api/v1/generations/{self.made['generation']}/stream"
        cookies = {SESSION: cookie}
        async with (
            httpx.AsyncClient(cookies=cookies, timeout=60, trust_env=False) as client,
            client.stream("GET", url) as response,
        ):
            assert response.status_code == 200, await response.aread()
            tail = b""
            async for data in response.aiter_raw():
                stream.last = time.monotonic()
                tail = (tail + data)[-500:]
            stream.ending = "access_revoked" if b"access_revoked" in tail else "cut"

    async def _read_socket(self, stream: Stream, port: int, cookie: str) -> None:
        url = f"ws://127.0.0.1:{port}/ws/generations/{self.made['generation']}/"
        async with connect(url, additional_headers={"cookie": f"{SESSION}={cookie}"}, proxy=None) as socket:
            try:
                while True:
                    await socket.recv()
                    stream.last = time.monotonic()
            except ConnectionClosed as closed:
                stream.ending = str(closed.rcvd.code if closed.rcvd else 1006)

    async def _remove(self, id: str) -> float:
        url = f"http://127.0.0.1:{self.ports[0]}/api/v1/organization/members/{id}"
        cookies = {SESSION: self.made["owner"], "millrace_csrf": CSRF}
        async with httpx.AsyncClient(cookies=cookies, timeout=60, trust_env=False) as client:
            answer = await client.delete(url, headers={"X-CSRFToken": CSRF})
            assert answer.status_code == 200, answer.text
        return time.monotonic()

    def _delete(self, id: str) -> float:
        """As somebody with the superuser's password would, behind the application's back."""
        password = (self.folder / "postgres" / "superuser-password").read_text().strip()
        port = int((self.folder / "postgres" / "port").read_text())
        keys: dict[str, Any] = {"host": "127.0.0.1", "port": port, "user": "postgres", "password": password}
        with psycopg.connect(dbname="millrace", **keys) as connection:
            connection.execute("DELETE FROM accounts_membership WHERE id = %s", [id])
            connection.commit()
            return time.monotonic()

    async def measure(self, announced: bool) -> dict[str, Any]:
        seconds: list[float] = []
        endings: dict[str, int] = {}
        for _ in range(self.options.rounds):
            out, streams = await self.round(self.made["members"].pop(), announced)
            # A stream whose last byte came before the answer was already out by then.
            seconds += [max(0.0, stream.last - out) for stream in streams]
            for stream in streams:
                key = f"{stream.transport}: {stream.ending}"
                endings[key] = endings.get(key, 0) + 1
        seconds.sort()
        return {
            "streams": len(seconds),
            "last_byte_seconds": {f"p{part}": round(quantile(seconds, part / 100), 3) for part in (50, 95, 100)},
            "endings": endings,
        }


def tables(result: dict[str, Any]) -> list[dict[str, Any]]:
    rows = []
    for name, found in result["ways"].items():
        last = found["last_byte_seconds"]
        rows.append([name, str(found["streams"]), f"{last['p50']:.2f} / {last['p95']:.2f} / {last['p100']:.2f}"])
    columns = ["", "open streams", "seconds to the last byte, p50 / p95 / longest"]
    note = (
        f"{result['rounds']} removals each, half of the streams over SSE and half over WebSockets, two web processes."
    )
    return [{"columns": columns, "rows": rows, "note": note}]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--streams", type=int, default=20, help="of each member")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, default=output("revocation"))
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": device_name(), "streams": options.streams, "rounds": options.rounds}
    result |= {"load_before": round(os.getloadavg()[0], 2), "ways": {}}
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder, servers = Path(name), []
        for kind, start in (("postgres", start_postgres), ("redis", start_redis)):
            (folder / kind).mkdir()
            servers.append(start(folder / kind))
            stack.callback(servers[-1].stop)
        bench = Bench(options, folder, (servers[0].url, servers[1].url))
        bench.prepare()
        with bench.running():
            for title, announced in (
                ("removed through the API", True),
                ("deleted in the database, unannounced", False),
            ):
                result["ways"][title] = asyncio.run(bench.measure(announced))
                print(title, json.dumps(result["ways"][title], indent=1), flush=True)
        if log := (folder / "web.log").read_text().strip():
            print(log[-3000:], file=sys.stderr)
    result["tables"] = tables(result)
    options.json.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
