"""How long the server takes for the console's lists in a very large organization.

`python -m bench.console [--only members] [--rows 100000] [--json FILE]`. A PostgreSQL and a Redis of its own; the pages
are asked for inside this process, through all middleware and templates, so that the time is the server's own: without a
network, and with everything else. Each page is asked for many times, the pages in turn.
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
from uuid import UUID

import psycopg

from bench import output
from bench.consoles import audit, members, usage
from bench.speed.machine import device_name
from deploy.local.services import start_postgres, start_redis

ROOT = Path(__file__).resolve().parents[1]
# A part is a module with `fill` and `pages`.
PARTS: dict[str, Any] = {"members": members, "usage": usage, "audit": audit}
TARGET_MS = 150


@contextlib.contextmanager
def servers() -> Iterator[str]:
    """Starts the stores, puts them into this process's environment and migrates; the database's address."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        urls = []
        for name, start in (("postgres", start_postgres), ("redis", start_redis)):
            (Path(folder) / name).mkdir()
            server = start(Path(folder) / name)
            stack.callback(server.stop)
            urls.append(server.url)
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": urls[0],
            "REDIS_URL": urls[1],
            "MILLRACE_VAR": folder,
            "MILLRACE_LOCAL": "1",
            "SECRET_KEY": "local-key-of-a-benchmark-which-protects-nothing-at-all-here",
            "LOG_LEVEL": "WARNING",
        }
        migrate = [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"]
        subprocess.run(migrate, cwd=ROOT, env=os.environ | {"DATABASE_ROLE": ""}, check=True)
        yield urls[0]


def sign_in() -> tuple[Any, UUID]:
    """A browser of the owner of a new organization."""
    import django

    django.setup()
    from django.conf import settings
    from django.test import Client

    from apps.accounts import services
    from apps.accounts.models import User

    # Pages name their static files without their hashes, as nothing was collected.
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    }
    user = User.objects.create_user("owner@bench.example", "a password of a benchmark")
    organization = services.create_organization(user, "Bench", slug="bench")
    client = Client(headers={"host": "localhost"})
    client.force_login(user)
    return client, organization.pk


def measure(client: Any, pages: dict[str, str], times: int, rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds of each page, of each figure the median of several rounds, and how many queries it takes."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    queries = {}
    for title, address in pages.items():
        with CaptureQueriesContext(connection) as captured:
            response = client.get(address)
        assert response.status_code == 200, f"{address}: {response.status_code}"
        queries[title] = len(captured)
    found = [_round(client, pages, times) for _ in range(rounds)]
    return {
        title: {name: statistics.median(each[title][name] for each in found) for name in found[0][title]}
        | {"queries": queries[title]}
        for title in pages
    }


def _round(client: Any, pages: dict[str, str], times: int) -> dict[str, dict[str, float]]:
    taken: dict[str, list[float]] = {title: [] for title in pages}
    for _ in range(times):
        for title, address in pages.items():
            begun = time.perf_counter()
            client.get(address)
            taken[title].append((time.perf_counter() - begun) * 1000)
    return {title: _figures(found) for title, found in taken.items()}


def _figures(milliseconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(milliseconds, n=100, method="inclusive")
    return {"p50": round(cuts[49], 1), "p95": round(cuts[94], 1), "max": round(max(milliseconds), 1)}


def tables(result: dict[str, Any]) -> list[dict[str, Any]]:
    rows = [
        [part, title, f"{found['p50']:g}", f"{found['p95']:g}", f"{found['queries']}"]
        for part, pages in result["parts"].items()
        for title, found in pages.items()
    ]
    note = (
        f"{result['rows']:,} rows; each page {result['times']} times a round, medians of {result['rounds']} rounds; "
        f"the target is a p95 of {TARGET_MS} ms."
    )
    return [{"columns": ["", "page", "p50, ms", "p95, ms", "queries"], "rows": rows, "note": note}]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=sorted(PARTS), default="")
    parser.add_argument("--json", type=Path, default=output("console"))
    options = parser.parse_args()
    result: dict[str, Any] = {"machine": device_name(), "rows": options.rows, "times": options.times}
    result |= {"rounds": options.rounds, "parts": {}}
    result["load_before"] = round(os.getloadavg()[0], 2)
    with servers() as url:
        client, organization_id = sign_in()
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute("SELECT set_config('app.across', 'on', false)")
            for name, part in PARTS.items():
                if options.only in {"", name}:
                    part.fill(owner, organization_id, options.rows)
                    owner.execute("VACUUM ANALYZE")
                    pages = part.pages(owner, organization_id, options.rows)
                    result["parts"][name] = measure(client, pages, options.times, options.rounds)
                    print(name, json.dumps(result["parts"][name], indent=1), flush=True)
        from django.db import connections

        connections.close_all()
    result["load_after"] = round(os.getloadavg()[0], 2)
    result["tables"] = tables(result)
    options.json.write_text(json.dumps(result, indent=2, ensure_ascii=False) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
