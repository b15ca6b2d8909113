"""Whether time tells another organization's ids from ids that nobody has: pairs of requests, Mann-Whitney's test.

`python -m bench.isolation --json FILE` asks the real web application (Django's handler, without the network) for rows
of another organization and for rows that do not exist, in pairs of random order, and compares the samples. A p-value
above `ALPHA`, shared out over the addresses (Bonferroni), says that a caller with as many tries cannot tell them apart.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

from deploy.local.services import start_postgres, start_redis

ROOT = Path(__file__).resolve().parents[1]
ALPHA = 0.01
PAIRS, WARM_UP = 200, 10
ADDRESSES = {
    "/api/v1/generations/{}": "generation",
    "/api/v1/generations/{}/stream": "generation",
    "/api/v1/organization/members/{}": "member",
    "/api/v1/organization/teams/{}": "team",
    "/api/v1/organization/keys/{}": "key",
    "/api/v1/privacy/exports/{}": "export",
    "/settings/members/{}/": "member",
    "/settings/teams/{}/": "team",
    "/studio/{}/": "generation",
}


def mann_whitney(first: list[float], second: list[float]) -> tuple[float, float]:
    """U and the two-sided p-value by the normal approximation with ties (Mann and Whitney, 1947)."""
    n, m = len(first), len(second)
    both = sorted([(value, 0) for value in first] + [(value, 1) for value in second])
    ranks, ties, start = [0.0, 0.0], 0.0, 0
    while start < len(both):
        end = start
        while end < len(both) and both[end][0] == both[start][0]:
            end += 1
        rank = (start + end + 1) / 2
        for _value, sample in both[start:end]:
            ranks[sample] += rank
        ties += (end - start) ** 3 - (end - start)
        start = end
    u = ranks[0] - n * (n + 1) / 2
    total = n + m
    deviation = math.sqrt(n * m / 12 * (total + 1 - ties / (total * (total - 1))))
    z = (abs(u - n * m / 2) - 0.5) / deviation if deviation else 0.0
    return u, math.erfc(max(z, 0.0) / math.sqrt(2))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, default=Path("var/bench/isolation.json"))
    parser.add_argument("--pairs", type=int, default=PAIRS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "run").mkdir()
        postgres, redis = start_postgres(folder / "postgresql"), start_redis(folder / "redis")
        try:
            os.environ |= {
                "MILLRACE_LOCAL": "1",
                "MILLRACE_VAR": str(folder),
                "SECRET_KEY": "local-bench",
                "DATABASE_POOL_SIZE": "0",
                "DATABASE_URL": postgres.url,
                "REDIS_URL": redis.url,
                "DJANGO_SETTINGS_MODULE": "config.settings",
                "LOG_LEVEL": "ERROR",
            }
            migrate = [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"]
            subprocess.run(migrate, cwd=ROOT, env=os.environ | {"DATABASE_ROLE": ""}, check=True)
            result = _measure(options.pairs)
        finally:
            redis.stop()
            postgres.stop()
    options.json.parent.mkdir(parents=True, exist_ok=True)
    options.json.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    return 0 if result["told_apart"] == [] else 1


def _measure(pairs: int) -> dict[str, Any]:
    client, theirs = _world()
    found = {}
    for address, kind in ADDRESSES.items():
        samples: dict[str, list[float]] = {"theirs": [], "nobody's": []}
        for turn in range(pairs + WARM_UP):
            for which in random.sample(["theirs", "nobody's"], 2):
                path = address.format(theirs[kind] if which == "theirs" else uuid4())
                began = time.perf_counter()
                answer = client.get(path)
                took = (time.perf_counter() - began) * 1000
                assert answer.status_code == 404, f"{path}: {answer.status_code}"
                if turn >= WARM_UP:
                    samples[which].append(took)
        _u, p = mann_whitney(*samples.values())
        medians = {which: round(statistics.median(values), 3) for which, values in samples.items()}
        found[address] = {"median_ms": medians, "p": round(p, 4)}
    bound = ALPHA / len(found)
    apart = [address for address, line in found.items() if line["p"] < bound]
    return {"name": "isolation", "pairs": pairs, "alpha": bound, "addresses": found, "told_apart": apart}


def _world() -> tuple[Any, dict[str, Any]]:
    """A browser of one organization's owner, and the ids of another."""
    import django

    django.setup()
    from django.conf import settings
    from django.test import Client

    settings.ALLOWED_HOSTS = ["testserver"]
    # Pages are rendered without collected files.
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": plain}

    from tests.helpers.world import make_side

    ours, theirs = make_side("Xylophone"), make_side("Quetzal")
    client = Client(raise_request_exception=False)
    client.force_login(ours.tenant.owner)
    return client, theirs.ids


if __name__ == "__main__":
    sys.exit(main())
