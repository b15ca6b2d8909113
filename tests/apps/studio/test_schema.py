"""The API against its own schema: schemathesis asks it right and wrong, and reads every answer."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from apps.billing.models import Subscription
from apps.core import jobs, tenancy
from apps.registry import services as registry
from apps.studio.models import Generation
from tests.helpers.knowledge import WordEncoder, answering
from tests.helpers.live import live_server
from tests.helpers.people import Tenant
from tests.helpers.plans import make_plan
from tests.helpers.worker import HandWorker
from workers import embedding

# 412 and 422 refuse what the schema allows: the document has changed, or values that are right do not go together.
# 413 refuses what it does not: a body that is too large is not read at all.
# Methods that the schema does not name are tried in tests/architecture.
SETTINGS = """
[phases.coverage]
unexpected-methods = []
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 413, 415, 422, 428, 429, "5xx"]
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 412, 422, 429, "5xx"]
"""

EVERYTHING = "examples,coverage,fuzzing"
# What the key, or any key, may not do is answered 403, and 404 where an id was made up, whatever the body: all kinds of
# wrong values would be answered the same.
HARDLY_REACHED = (
    r"^/api/v1/(accounts|audit|billing|budgets|events|invitations|licen|organization|privacy|safety|support|usage/events"
    r"|template-settings|webhooks)|\{"
)


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
    minute = {"requests_per_minute": 10**6, "tokens_per_minute": 10**9}
    plan = make_plan("boundless", 10**12, max_queued=10**6, **minute)
    with tenancy.scope(org_a.id):
        Subscription.objects.create(organization_id=org_a.id, plan=plan)
    return org_a


@pytest.fixture
def wide_model(transactional_db: None) -> None:
    """What `default` means here: a model whose context no schema-valid prompt of a test overflows."""
    definition = registry.ModelDefinition(name="wide", remote_url="https://models.example/v1", context_length=10**7)
    registry.move_alias("default", registry.register_model(definition).name)


@pytest.fixture
def always_embedded(monkeypatch: pytest.MonkeyPatch, settings: Any, tmp_path: Path) -> Iterator[None]:
    """A worker that turns every text into a vector at once, and a folder for files."""
    settings.MEDIA_ROOT = tmp_path / "media"
    monkeypatch.setattr(embedding, "load", WordEncoder)
    monkeypatch.setattr(embedding.encoder, "_embedder", None)
    with answering():
        yield


def ask(url: str, key: str, folder: Path, phases: str, *options: str) -> None:
    """Runs schemathesis against the product; fails with its report."""
    command = [str(Path(sys.executable).parent / "schemathesis"), "run", f"{url}/api/schema"]
    command += ["--header", f"Authorization: Bearer {key}", "--phases", phases]
    command += ["--max-examples", "2", "--seed", "7", "--request-timeout", "20", "--no-color"]
    # JSON may hold NUL and PostgreSQL may not: refused everywhere, which no schema can say of every string.
    command += ["--generation-allow-x00", "false", *options]
    (folder / "schemathesis.toml").write_text(SETTINGS)
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    report = done.stdout + done.stderr
    (folder / "report.txt").write_text(report)
    assert done.returncode == 0, report[report.find("FAILURES") :][:8000]


@pytest.mark.slow
def test_every_answer_is_one_that_the_schema_declares(
    without_limits: Tenant, wide_model: None, always_answered: None, always_embedded: None, tmp_path: Path
) -> None:
    with live_server() as url:
        ask(url, without_limits.key, tmp_path, EVERYTHING, "--exclude-path-regex", HARDLY_REACHED)
        ask(url, without_limits.key, tmp_path, "examples,fuzzing", "--include-path-regex", HARDLY_REACHED)
