"""Exports and erasures for tests: asked for through the service and run as the worker runs them."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

from apps.accounts.access import Actor
from apps.accounts.models import User
from apps.core import tenancy
from apps.core.datakinds import Texts
from apps.privacy import services
from apps.privacy.models import Erasure, Export, Scope
from tests.helpers.people import Tenant, actor_of
from workers import privacy as worker


def reread(job: Any) -> Any:
    with tenancy.scope(job.organization_id):
        return type(job).objects.get(pk=job.pk)


def exported(actor: Actor, scope: Scope, person: User | None = None) -> Export:
    export = services.request_export(actor, scope, person.pk if person else None)
    worker.wake()
    found: Export = reread(export)
    return found


def erased(actor: Actor, scope: Scope, person: User | None = None, texts: Texts = Texts.KEEP) -> Erasure:
    erasure = services.request_erasure(actor, scope, person.pk if person else None, texts)
    worker.wake()
    found: Erasure = reread(erasure)
    return found


def archive_of(export: Export) -> zipfile.ZipFile:
    archive = zipfile.ZipFile(io.BytesIO(services.file_of(export).read_bytes()))
    assert archive.testzip() is None
    return archive


def table(export: Export, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(archive_of(export).read(f"{name}.json"))
    return rows


def acting(tenant: Tenant, user: User) -> Actor:
    """The user acting in the tenant's organization."""
    actor = actor_of(user)
    assert actor.organization_id == tenant.id
    return actor
