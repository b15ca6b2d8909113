"""The audit log at 100,000 entries of one organization, another's beside it: pages, filters, recording, verification.

`python -m bench.audit --json FILE`. Page times are the server's own (Django's handler, without the network), in
milliseconds; the database and this process share the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from deploy.local.services import start_postgres, start_redis

ROOT = Path(__file__).resolve().parents[1]
ENTRIES, REPEATS, BATCH = 100_000, 60, 1000
PAGES = {
    "newest": "",
    "deep page": "?before=1000",
    "by action": "?action=api_key.revoked",
    "by person": "?actor=person17%40example.com",
    "by object": "?target=Key+77",
    "by address": "?address=192.0.2.77",
    "by day": "?since=2020-01-01&until=2090-01-01",
    "rare text": "?text=needle",
    "no such text": "?text=nowhere+to+be+found",
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, default=os.environ.get("BENCH_OUTPUT"))
    parser.add_argument("--entries", type=int, default=ENTRIES)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "run").mkdir()
        postgres, redis = start_postgres(folder / "postgresql"), start_redis(folder / "redis")
        try:
            os.environ |= {
                "DATABASE_URL": postgres.url,
                "REDIS_URL": redis.url,
                "MILLRACE_VAR": str(folder),
                "MILLRACE_LOCAL": "1",
                "SECRET_KEY": "local-bench",
                "DATABASE_POOL_SIZE": "0",
                "LOG_LEVEL": "ERROR",
                "DJANGO_SETTINGS_MODULE": "config.settings",
            }
            migrate = [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"]
            subprocess.run(migrate, cwd=ROOT, env=os.environ | {"DATABASE_ROLE": ""}, check=True)
            figures = measure(options.entries)
        finally:
            redis.stop()
            postgres.stop()
    print(json.dumps(figures, indent=2))
    if options.json:
        Path(options.json).write_text(json.dumps(figures, indent=2))


def measure(entries: int) -> dict[str, Any]:
    import django

    django.setup()
    from django.conf import settings
    from django.test import Client

    from apps.accounts import services
    from apps.accounts.audit.verification import verify
    from apps.accounts.models import User

    settings.ALLOWED_HOSTS = ["testserver"]
    # Pages are rendered without collected files.
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}
    organizations = []
    for name in ("big", "other"):
        owner = User.objects.create_user(f"owner@{name}.example", "correct horse battery")
        organizations.append(services.create_organization(owner, name, name))
    fill(organizations[0], entries)
    fill(organizations[1], entries // 5)
    # As autovacuum does, which the application's role may not.
    with psycopg.connect(os.environ["DATABASE_URL"], autocommit=True) as owner_connection:
        owner_connection.execute("VACUUM ANALYZE")
    started = time.perf_counter()
    found = verify(organizations[0].pk)
    verified = time.perf_counter() - started
    assert not found.findings
    client = Client()
    client.force_login(User.objects.get(email="owner@big.example"))
    pages = {name: timed(lambda query=query: client.get(f"/settings/audit/{query}")) for name, query in PAGES.items()}
    api = timed(lambda: client.get("/api/v1/audit?limit=100"))
    return {
        "entries": entries,
        "pages_ms": pages,
        "api_ms": api,
        "worst_p95_ms": max(each["p95"] for each in [*pages.values(), api]),
        "record_ms": recording(organizations[0]),
        "verify_seconds": round(verified, 2),
    }


FILL = """
INSERT INTO accounts_auditentry (id, organization_id, actor_kind, actor_name, impersonator_name, action, object_type,
    object_id, object_name, address, agent, request_id, before, after, detail, created_at, sequence, transaction_id,
    salt, content_digest, previous_hash, hash)
SELECT gen_random_uuid(), %(organization)s, 'user', format('person%%s@example.com', n %% 300), '',
    CASE WHEN n %% 50 = 0 THEN 'api_key.revoked' ELSE 'api_key.created' END, 'accounts.apikey', gen_random_uuid(),
    format('Key %%s', n %% 500), format('192.0.2.%%s', n %% 250), 'Mozilla/5.0 (X11; Linux x86_64; rv:145.0)', 'req_x',
    '{"name": "a"}', '{"name": "b"}', jsonb_build_object('scopes', '{models:read}'::text[], 'note',
        CASE WHEN n %% 10000 = 17 THEN 'a needle' ELSE 'hay' END), now(), 0, 0, '', '', '', ''
FROM generate_series(%(start)s, %(end)s) n
"""


def fill(organization: Any, entries: int) -> None:
    """Entries through the trigger that seals them, a thousand a transaction; one in ten thousand has the rare word."""
    from django.db import connection

    from apps.core import tenancy

    for start in range(0, entries, BATCH):
        with tenancy.scope(organization.pk), connection.cursor() as cursor:
            parameters = {"organization": organization.pk, "start": start, "end": min(start + BATCH, entries) - 1}
            cursor.execute(FILL, parameters)


def recording(organization: Any) -> dict[str, float]:
    """One entry in a transaction of its own, the commit included."""
    from apps.accounts import audit
    from apps.accounts.access import Actor
    from apps.core import tenancy

    actor = Actor(organization.pk, frozenset(), name="somebody")

    def once() -> None:
        with tenancy.scope(organization.pk):
            audit.record(actor, "organization.changed", organization)

    return timed(once, 500)


def timed(act: Callable[[], Any], repeats: int = REPEATS) -> dict[str, float]:
    times = []
    for _ in range(repeats + 3):
        started = time.perf_counter()
        answer = act()
        times.append((time.perf_counter() - started) * 1000)
        assert answer is None or answer.status_code == 200
    times = sorted(times[3:])
    return {"median": round(statistics.median(times), 1), "p95": round(times[int(len(times) * 0.95)], 1)}


if __name__ == "__main__":
    main()
