"""The audit log: one organization with as many entries as there are rows; bench/audit.py measures more of it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg

from bench import audit


def fill(owner: psycopg.Connection[Any], organization_id: UUID, rows: int) -> None:
    """As services write them: nobody else can, since each entry is sealed with the one before."""
    from apps.accounts.models import Organization
    from apps.core import tenancy

    with tenancy.scope(organization_id):
        organization = Organization.objects.get(pk=organization_id)
    audit.fill(organization, rows)


def pages(owner: psycopg.Connection[Any], organization_id: UUID, rows: int) -> dict[str, str]:
    """What is measured: a title, and the address."""
    return {title: f"/settings/audit/{query}" for title, query in audit.PAGES.items()}
