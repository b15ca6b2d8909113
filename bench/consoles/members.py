"""Members: one organization with very many, and others beside it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import psycopg

OTHERS, MEMBERS_OF_OTHERS = 10, 5_000
# 1 in 100 is called Ada.
PEOPLE = """
INSERT INTO accounts_user (id, email, name, password, is_superuser, is_active, is_staff)
SELECT uuidv7(), %(tag)s || n || '@example.com', CASE WHEN n %% 100 = 0 THEN 'Ada ' ELSE 'Person ' END || n, '!',
    false, true, false FROM generate_series(1, %(count)s) n
"""
MEMBERSHIPS = """
INSERT INTO accounts_membership (id, organization_id, user_id, role)
SELECT uuidv7(), %(organization)s, id, CASE WHEN random() < 0.01 THEN 'admin' ELSE 'member' END
FROM accounts_user WHERE email LIKE %(tag)s || '%%@example.com'
"""


def fill(owner: psycopg.Connection[Any], organization_id: UUID, rows: int) -> None:
    """As the owner of the tables: the audit trail would otherwise note every single row."""
    owner.execute("ALTER TABLE accounts_membership DISABLE TRIGGER audit_change")
    for tag, organization, count in _organizations(owner, organization_id, rows):
        owner.execute(PEOPLE, {"tag": tag, "count": count})
        owner.execute(MEMBERSHIPS, {"tag": tag, "organization": organization})
    owner.execute("ALTER TABLE accounts_membership ENABLE TRIGGER audit_change")


def _organizations(owner: psycopg.Connection[Any], organization_id: UUID, rows: int) -> list[tuple[str, UUID, int]]:
    found = [("member", organization_id, rows)]
    for number in range(OTHERS):
        made: Any = owner.execute(
            "INSERT INTO accounts_organization (id, name, slug, language) VALUES (uuidv7(), %s, %s, 'en') RETURNING id",
            [f"Other {number}", f"other-{number}"],
        ).fetchone()
        found.append((f"other{number}x", made[0], MEMBERS_OF_OTHERS))
    return found


def pages(owner: psycopg.Connection[Any], organization_id: UUID, rows: int) -> dict[str, str]:
    """What is measured: a title, and the address."""
    middle: Any = owner.execute(
        "SELECT id FROM accounts_membership WHERE organization_id = %s ORDER BY id OFFSET %s LIMIT 1",
        [organization_id, rows // 2],
    ).fetchone()
    page, api = "/settings/members/", "/api/v1/organization/members"
    return {
        "first page": page,
        "a page in the middle": f"{page}?before={middle[0]}",
        "of one role": f"{page}?role=admin",
        "search: one person": f"{page}?search=member77",
        "search: 1 in 100": f"{page}?search=ada",
        "search: everybody": f"{page}?search=example",
        "search: one letter": f"{page}?search=m",
        "search: nobody": f"{page}?search=zzz",
        "search: many, all elsewhere": f"{page}?search=other1x",
        "API, first page of 100": f"{api}?limit=100",
        "API, a search": f"{api}?search=ada&limit=100",
    }
