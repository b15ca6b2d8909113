"""The API against its own schema: schemathesis asks it right and wrong, and reads every answer."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections

from apps.billing.models import Plan, Subscription
from apps.core import jobs, tenancy
from apps.registry import services as registry
from apps.studio.models import Generation
from tests.helpers.live import live_server
from tests.helpers.people import Tenant
from tests.helpers.worker import HandWorker


@pytest.fixture
def always_answered() -> Iterator[None]:
    """A worker that gives every generation the same short answer at once."""
    stop = threading.Event()

    def work() -> None:
        while not stop.wait(0.02):
            for generation in jobs.claim(Generation, "by-hand", 8):
                HandWorker(generation).run(["Warm ", "light."])
        connections.close_all()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    yield
    stop.set()
    thread.join(10)


@pytest.fixture
def without_limits(transactional_db: None, org_a: Tenant) -> Tenant:
    plan = Plan.objects.create(
        code="boundless",
        name="Boundless",
        monthly_tokens=10**12,
        requests_per_minute=10**6,
        tokens_per_minute=10**9,
        max_queued=10**6,
    )
    with tenancy.scope(org_a.id):
        Subscription.objects.create(organization_id=org_a.id, plan=plan)
    return org_a


@pytest.fixture
def wide_model(transactional_db: None) -> None:
    """What `default` means here: a model whose context no schema-valid prompt of a test overflows."""
    definition = registry.ModelDefinition(name="wide", remote_url="https://models.example/v1", context_length=10**7)
    registry.move_alias("default", registry.register_model(definition).name)


@pytest.mark.slow
def test_every_answer_is_one_that_the_schema_declares(
    without_limits: Tenant, wide_model: None, always_answered: None, tmp_path: Path
) -> None:
    with live_server() as url:
        command = [str(Path(sys.executable).parent / "schemathesis"), "run", f"{url}/api/schema"]
        command += ["--header", f"Authorization: Bearer {without_limits.key}", "--phases", "examples,coverage,fuzzing"]
        command += ["--max-examples", "2", "--seed", "7", "--request-timeout", "20", "--no-color"]
        # JSON may hold NUL and PostgreSQL may not: refused everywhere, which no schema can say of every string.
        command += ["--generation-allow-x00", "false"]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    report = done.stdout + done.stderr
    assert done.returncode == 0, report[report.find("FAILURES") :][:8000]
