"""The signing keys are in one process and nowhere else; the rest of the product asks for no licence at all."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from apps.core import jobs, tenancy
from apps.core.jobs import Status as JobStatus
from apps.licensing import services as licensing
from apps.licensing.models import Licence, SigningJob, VerificationKey
from apps.privacy import services as privacy
from apps.privacy.models import Scope
from ml.licensing import Status
from tests.helpers.licensing import fresh, issue, make_policy, verdict_of
from tests.helpers.people import PASSWORD, Tenant
from tests.helpers.sources import files, name_of
from workers import licensing as signer
from workers.celery import app

ROOT = Path(__file__).resolve().parents[3]
SECRET = base64.b64encode(bytes(range(40, 72))).decode()


@pytest.fixture(autouse=True)
def _forget_keys() -> Iterator[None]:
    signer.signing_keys.cache_clear()
    yield
    signer.signing_keys.cache_clear()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LICENCE_SIGNING_KEYS", f"2026:{SECRET}")


# ---------------------------------------------------------------- where the keys are


def test_only_the_signer_reads_the_keys() -> None:
    readers = {name_of(path) for path in files("*.py", "apps", "config", "workers", "ml", "deploy")}
    naming = {name for name in readers if "LICENCE_SIGNING_KEYS" in (ROOT / name).read_text()}
    assert naming == {"workers/licensing.py"}
    assert not [name for name in dir(settings) if "SIGNING_KEY" in name]


def test_a_web_process_never_holds_them_even_where_its_environment_does() -> None:
    """All that a web process imports, with a key in its environment that it ought not to have."""
    code = (
        "import os, sys\n"
        "secret = os.environ['LICENCE_SIGNING_KEYS'].partition(':')[2]\n"
        "import config.asgi, config.urls\n"
        "from django.conf import settings\n"
        "assert 'workers.licensing' not in sys.modules\n"
        "held = [n for n in dir(settings) if secret in repr(getattr(settings, n, ''))]\n"
        "print(held)\n"
    )
    environment = {
        **os.environ,
        "LICENCE_SIGNING_KEYS": f"2026:{SECRET}",
        "MILLRACE_LOCAL": "1",
        "SECRET_KEY": "local-" + "x1y2z3" * 10,
        "DATABASE_URL": "postgresql://nobody@127.0.0.1:9/none",
        "REDIS_URL": "redis://127.0.0.1:9/0",
    }
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_the_queue_is_the_signers_own() -> None:
    assert app.conf.task_routes["licensing.sign"] == {"queue": "signing"}
    serving = [line for line in (ROOT / "Procfile").read_text().splitlines() if "-Q signing" in line]
    assert [line.partition(":")[0] for line in serving] == ["signer"]


# ---------------------------------------------------------------- what it does


@pytest.mark.django_db
def test_its_task_signs_what_waits_and_announces_its_keys(org_a: Tenant, keys: None) -> None:
    licence, _ = issue(org_a, make_policy(org_a, machine_bound=False))
    signer.sign()
    assert verdict_of(org_a, licence).status is Status.VALID
    assert VerificationKey.objects.get().kid == "2026"
    signer.sign()


@pytest.mark.django_db
@pytest.mark.parametrize("text", ["", "2026", "2026:AAAA", f"2026:{SECRET},2026:{SECRET}"])
def test_without_usable_keys_rows_wait(org_a: Tenant, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    licence, _ = issue(org_a)
    monkeypatch.setenv("LICENCE_SIGNING_KEYS", text)
    with pytest.raises(signer.NoSigningKeys) as refused:
        signer.sign()
    assert SECRET not in str(refused.value)
    assert fresh(licence).file == ""
    assert licensing.job_state(org_a.id, _only_job(org_a).pk).status == JobStatus.QUEUED


@pytest.mark.django_db
def test_a_developers_key_is_refused_on_a_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LICENCE_SIGNING_KEYS", f"local-1:{SECRET}")
    monkeypatch.setattr(settings, "LOCAL", False)
    with pytest.raises(signer.NoSigningKeys):
        signer.signing_keys()


@pytest.mark.django_db
def test_on_a_developers_machine_it_makes_a_key_for_itself_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "licensing" / "signing_keys"
    monkeypatch.delenv("LICENCE_SIGNING_KEYS", raising=False)
    monkeypatch.setenv("LICENCE_SIGNING_KEYS_FILE", str(path))
    monkeypatch.setattr(settings, "LOCAL", True)
    first = signer.signing_keys()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    signer.signing_keys.cache_clear()
    assert signer.signing_keys() == first


@pytest.mark.django_db
def test_a_job_that_cannot_be_signed_fails_visibly(org_a: Tenant, keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    licence, _ = issue(org_a)

    def broken(*_: Any) -> bool:
        raise ValueError("no")

    monkeypatch.setattr(licensing, "carry_out", broken)
    signer.sign()
    assert _only_job(org_a).status == JobStatus.FAILED
    monkeypatch.undo()
    monkeypatch.setenv("LICENCE_SIGNING_KEYS", f"2026:{SECRET}")
    licensing.request_file(org_a.actor, licence.pk)
    signer.sign()
    assert fresh(licence).file


@pytest.mark.django_db
def test_a_lost_signers_job_is_taken_up_again(org_a: Tenant, keys: None, owner_connection: Any) -> None:
    licence, _ = issue(org_a)
    assert jobs.claim(SigningJob, "lost", 1)
    with tenancy.scope(org_a.id):
        SigningJob.objects.update(lease_until=datetime.now(UTC) - timedelta(seconds=1))
    signer.sign()
    assert fresh(licence).file


def _only_job(tenant: Tenant) -> SigningJob:
    with tenancy.scope(tenant.id):
        return SigningJob.objects.get()


# ---------------------------------------------------------------- nothing of the product depends on a licence


def test_the_product_asks_for_no_licence() -> None:
    """What decides whether somebody may sign in, export or go on working never verifies a licence."""
    asking = {
        name_of(path)
        for path in files("*.py", "apps", "config", "workers")
        if any(word in path.read_text() for word in ("verify_files", "may_start_new", "licensing import verify"))
    }
    assert asking == set()


@pytest.mark.django_db
def test_with_an_expired_licence_sign_in_and_export_work(org_a: Tenant, client: Client, keys: None) -> None:
    licence, _ = issue(org_a, make_policy(org_a, machine_bound=False))
    signer.sign()
    with tenancy.scope(org_a.id):
        Licence.objects.update(expires_at=licence.expires_at - timedelta(days=500))
    assert fresh(licence).state == "expired"
    answer = client.post("/accounts/login/", {"login": org_a.owner.email, "password": PASSWORD})
    assert answer.status_code == 302
    assert client.get("/settings/licences/").status_code == 200
    assert privacy.request_export(org_a.actor, Scope.ORGANIZATION, None).status == JobStatus.QUEUED
