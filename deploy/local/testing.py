"""A pytest plugin: PostgreSQL and Redis for one test run, started before Django reads its settings.

Their data lies in var/test/, in a folder of each simultaneous run's own, and without waiting for the disk. Set
DATABASE_URL and REDIS_URL to test against servers that already run; the role must be able to create databases and
roles. Each xdist worker has its own test database (pytest-django sees to that) and its own Redis database.
"""

import base64
import os
import re
import secrets
from pathlib import Path

import pytest

from deploy.local.postgres_server import superuser_url
from deploy.local.processes import ServiceError
from deploy.local.services import Service, start_postgres, start_redis

ROOT = Path(__file__).resolve().parents[2]
SIMULTANEOUS_RUNS = 8
# What a developer's shell may hold, and a test must not depend on.
FOREIGN = ("DEBUG", "ALLOWED_HOSTS", "BASE_URL", "DEFAULT_MODEL", "EMAIL_HOST", "REMOTE_MODEL_API_KEY", "TRUST_PROXY")

STATUS = ROOT / "var" / "test" / "status"

_started: list[Service] = []


def _start_services(folder: Path) -> None:
    """Take the first folder that no other run has, and put the servers' addresses into the environment."""
    for number in range(SIMULTANEOUS_RUNS):
        try:
            postgres = start_postgres(folder / str(number) / "postgresql", durable=False)
        except ServiceError as error:
            if "in use by another" not in str(error):
                raise
            continue
        _started.append(postgres)
        redis = start_redis(folder / str(number) / "redis")
        _started.append(redis)
        os.environ |= {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url, "TEST_DATABASE_NAME": "test_millrace"}
        os.environ["TEST_SUPERUSER_URL"] = superuser_url(folder / str(number) / "postgresql", postgres.url)
        return
    raise ServiceError(f"{SIMULTANEOUS_RUNS} test runs are under way in {folder}")


def _set_environment() -> None:
    var = Path(os.environ.get("MILLRACE_VAR") or ROOT / "var").resolve()
    if not (os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")):
        _start_services(var / "test")
    # On servers that others use as well, a database and keys of this run's own; its workers inherit both names.
    os.environ.setdefault("TEST_DATABASE_NAME", f"test_millrace_{secrets.token_hex(4)}")
    os.environ["REDIS_PREFIX"] = os.environ["TEST_DATABASE_NAME"]
    for name in FOREIGN:
        os.environ.pop(name, None)
    if worker := re.fullmatch(r"gw(\d+)", os.environ.get("PYTEST_XDIST_WORKER", "")):
        # Redis has 16 databases: 0 for a run without workers.
        url = os.environ["REDIS_URL"].rsplit("/", 1)[0]
        os.environ["REDIS_URL"] = f"{url}/{1 + int(worker[1]) % 15}"
        # Channels are those of all databases: one process must not hear what another's tests say.
        os.environ["REDIS_PREFIX"] += f"_{worker[0]}"
    os.environ.setdefault("MILLRACE_LOCAL", "1")
    os.environ.setdefault("SECRET_KEY", "local-key-of-the-test-run-which-protects-nothing-at-all")
    os.environ.setdefault("FIELD_KEYS", f"local-test:{base64.b64encode(bytes(range(32))).decode()}")
    # The owner creates the test database and its tables; conftest then takes on the role of the application.
    os.environ["DATABASE_ROLE"] = ""
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    # A pool would hold connections open that keep a test database from being dropped.
    os.environ.setdefault("DATABASE_POOL_SIZE", "0")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Say what failed, and how, at once: a long run that is cut off has then said it."""
    if report.failed and not os.environ.get("PYTEST_XDIST_WORKER"):
        crash = getattr(report.longrepr, "reprcrash", None)
        said = str(crash.message if crash else report.longrepr).strip().splitlines()[:1]
        print(f"\nFAILED {report.nodeid} ({report.when}) - {' '.join(said)}", flush=True)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Leave pytest's own status where .ci/run reads it: make has one code for all failures."""
    if not os.environ.get("PYTEST_XDIST_WORKER"):
        STATUS.parent.mkdir(parents=True, exist_ok=True)
        STATUS.write_text(str(int(exitstatus)))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """End what this process started, the last first."""
    while _started:
        _started.pop().stop()


_set_environment()
