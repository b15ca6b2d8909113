"""Looking through a whole chain for entries that were edited, deleted, inserted or cut off, and naming them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any
from uuid import UUID

import structlog
from django.db import connection

from apps.accounts.audit import anchors, chain, signing
from apps.accounts.audit.anchors import INSTALLATION
from apps.accounts.audit.chain import Link
from apps.accounts.audit.signing import Signature
from apps.accounts.models import AuditEntry, AuditHead, AuditVerification, InstallationEntry
from apps.core import tenancy
from apps.core.tenancy import Across, across_tenants

CHECKPOINT = "checkpoint"
PRUNED, ERASED = "audit.pruned", "audit.person_erased"
BATCH = 2000
# What a report holds; a chain that is broken everywhere needs no longer list.
MOST_FINDINGS = 50
_JSON = {"before", "after", "detail"}
_COLUMNS = [f"{each.name}::text" if each.name in _JSON else each.name for each in fields(Link)]
# What the installation's chain does without: it belongs to no organization, and names nobody.
_ABSENT = {
    "organization_id": f"'{INSTALLATION}'::uuid",
    "user_id": "NULL::uuid",
    "api_key_id": "NULL::uuid",
    "impersonator_id": "NULL::uuid",
    "impersonator_name": "''",
    "agent": "''",
    "request_id": "''",
    "erasure": "NULL::bigint",
}
_TENANT_ROWS = f"SELECT {', '.join(_COLUMNS)} FROM {AuditEntry._meta.db_table} WHERE organization_id = %s"
_INSTALLATION_ROWS = (
    f"SELECT {', '.join(_ABSENT.get(name, name) for name in _COLUMNS)} FROM {InstallationEntry._meta.db_table}"
    f" WHERE %s::uuid = '{INSTALLATION}'"
)

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Walk:
    """What is known between one entry and the next."""

    claims: dict[int, list[anchors.Anchor]]
    last: Link | None = None
    first: Link | None = None
    checkpoints: dict[int, dict[str, Any]] = field(default_factory=dict)
    erased: dict[int, dict[int, str]] = field(default_factory=dict)
    findings: list[str] = field(default_factory=list)

    def find(self, what: str) -> None:
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(what)


def verify(organization_id: UUID) -> AuditVerification:
    """Checks the chain and stores the result, whose `findings` are empty when all is well.

    Waits for a removal by retention that is under way, and makes one wait: entries that vanish meanwhile would look
    like a crime.
    """
    with tenancy.scope(organization_id):
        hold_still(organization_id)
        head = AuditHead.objects.first()
        walk = _walk(organization_id)
        _check_end(walk, head)
        result: AuditVerification = AuditVerification.objects.create(
            organization_id=organization_id,
            first_sequence=walk.first.sequence if walk.first else 0,
            last_sequence=walk.last.sequence if walk.last else 0,
            findings=walk.findings,
        )
        result.refresh_from_db()
    if walk.findings:
        log.error("audit chain broken", organization=str(organization_id), findings=walk.findings)
    return result


def verify_installation() -> list[str]:
    """What is wrong with the chain of the operator's own tables; its end is known from anchors alone."""
    findings = _walk(INSTALLATION).findings
    if findings:
        log.error("audit chain broken", organization="", findings=findings)
    return findings


def _walk(organization_id: UUID) -> _Walk:
    """From the first entry to the last, with what the anchors say; call it in the organization's scope."""
    walk = _Walk(_claims(organization_id))
    for link in links(organization_id):
        _check(walk, link)
    _check_beginning(walk)
    _check_what_is_anchored_beyond(walk, organization_id)
    for sequences in walk.erased.values():
        for sequence in sequences:
            walk.find(f"Entry {sequence} was edited: its names are gone, and no entry says who was erased.")
    return walk


def verify_everything() -> int:
    """Every organization's chain and the installation's; returns how many are broken."""
    with across_tenants(Across.HOUSEKEEPING):
        organizations = set(AuditHead.objects.values_list("organization_id", flat=True))
        organizations |= set(AuditEntry.objects.order_by().values_list("organization_id", flat=True).distinct())
    broken = sum(bool(verify(organization_id).findings) for organization_id in sorted(organizations))
    return broken + bool(verify_installation())


def hold_still(organization_id: UUID) -> None:
    """Lets one at a time look through a chain, remove from it or pseudonymise it; entries may still be added."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('audit ' || %s, 0))", [str(organization_id)])


def _claims(organization_id: UUID) -> dict[int, list[anchors.Anchor]]:
    found: dict[int, list[anchors.Anchor]] = {}
    for claim in anchors.claims(organization_id):
        found.setdefault(claim.sequence, []).append(claim)
    return found


def links(organization_id: UUID, after: int | None = None, through: int | None = None) -> Iterator[Link]:
    """The entries as they lie in the table, the first first."""
    rows_of = _INSTALLATION_ROWS if organization_id == INSTALLATION else _TENANT_ROWS
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                f"{rows_of} AND (%s::bigint IS NULL OR sequence > %s) AND (%s::bigint IS NULL OR sequence <= %s)"
                " ORDER BY sequence LIMIT %s",
                [organization_id, after, after, through, through, BATCH],
            )
            rows = cursor.fetchall()
        yield from (Link(*row) for row in rows)
        if len(rows) < BATCH:
            return
        after = rows[-1][2]


def _check(walk: _Walk, link: Link) -> None:
    """One entry: itself, and how it follows on the one before."""
    before = walk.last
    if before is None:
        walk.first = link
    elif link.sequence != before.sequence + 1:
        walk.find(f"{_entries(before.sequence + 1, link.sequence - 1)} deleted.")
    elif link.previous_hash != before.hash:
        walk.find(f"Entry {before.sequence} was replaced: entry {link.sequence} does not follow on it.")
    if chain.entry_hash(link) != link.hash:
        walk.find(f"Entry {link.sequence} was edited, or inserted: its hash does not fit ({link.action}).")
    digest = chain.content_digest(link)
    if link.erasure is not None:
        walk.erased.setdefault(link.erasure, {})[link.sequence] = digest
    elif digest != link.content_digest:
        walk.find(f"Entry {link.sequence} was edited: its words do not fit its digest ({link.action}).")
    _check_anchors(walk, link)
    if link.action == PRUNED:
        _note_checkpoint(walk, link)
    if link.action == ERASED:
        _check_erasure(walk, link)
    walk.last = link


def _check_anchors(walk: _Walk, link: Link) -> None:
    for claim in walk.claims.pop(link.sequence, []):
        if _is_good(walk, claim, link.organization_id) and claim.hash != link.hash:
            walk.find(f"Entry {link.sequence} or one before it was replaced: it is not what was anchored.")


def _is_good(walk: _Walk, claim: anchors.Anchor, organization_id: UUID) -> bool:
    what = signing.check(claim.signature, anchors.ANCHOR, organization_id, claim.sequence, claim.hash)
    if what is Signature.WRONG:
        walk.find(f"The anchor of entry {claim.sequence} in the {claim.place} was edited: its signature is wrong.")
    return what is Signature.GOOD


def _note_checkpoint(walk: _Walk, link: Link) -> None:
    detail = _json(link.detail)
    if isinstance(detail.get("through"), int):
        walk.checkpoints[detail["through"]] = detail


def _check_erasure(walk: _Walk, link: Link) -> None:
    """The names that an erasure put in are the ones it says it did; their digests stand in its entry."""
    said = _json(link.detail).get("digests", {})
    for sequence, digest in walk.erased.pop(link.sequence, {}).items():
        if said.get(str(sequence)) != digest:
            walk.find(f"Entry {sequence} was edited: it is not what the erasure in entry {link.sequence} left.")


def _check_beginning(walk: _Walk) -> None:
    """The first entry is number 1, or follows on a signed checkpoint of what retention removed."""
    first = walk.first
    if first is None:
        return
    if first.sequence < 1:
        walk.find(f"Entry {first.sequence} was inserted: a chain begins at 1.")
    elif first.sequence == 1:
        if first.previous_hash != chain.BEGINNING:
            walk.find("Entry 1 was replaced: it names an entry before it.")
    elif not _is_checkpoint(walk.checkpoints.get(first.sequence - 1), first):
        walk.find(f"{_entries(1, first.sequence - 1)} deleted, and not by retention.")


def _is_checkpoint(detail: dict[str, Any] | None, first: Link) -> bool:
    if detail is None or detail.get("hash") != first.previous_hash:
        return False
    signature = str(detail.get("signature", ""))
    what = signing.check(signature, CHECKPOINT, first.organization_id, first.sequence - 1, first.previous_hash)
    return what is Signature.GOOD


def _check_end(walk: _Walk, head: AuditHead | None) -> None:
    """The chain ends where its head says, and not before what has been anchored."""
    last, hash = (walk.last.sequence, walk.last.hash) if walk.last else (0, chain.BEGINNING)
    known = head.sequence if head else 0
    if known > last:
        walk.find(f"{_entries(last + 1, known)} cut off.")
    elif known < last:
        walk.find(f"{_entries(known + 1, last)} inserted behind the end, or the chain's head was changed.")
    elif head and head.hash != hash:
        walk.find(f"Entry {last} was replaced: it is not what the chain's head says.")


def _check_what_is_anchored_beyond(walk: _Walk, organization_id: UUID) -> None:
    """What is left of the claims is about entries that are no longer, or not yet, there."""
    last = walk.last.sequence if walk.last else 0
    if walk.claims.pop(0, []):
        walk.find("The file of anchors was spoilt: a line of it cannot be read.")
    left = [claim for sequence, each in walk.claims.items() if sequence > last for claim in each]
    beyond = [claim.sequence for claim in left if _is_good(walk, claim, organization_id)]
    if beyond:
        walk.find(f"{_entries(last + 1, max(beyond))} cut off: the last of them was anchored.")


def _entries(first: int, last: int) -> str:
    return f"Entry {first} was" if first >= last else f"Entries {first} to {last} were"


def _json(text: str | None) -> dict[str, Any]:
    found = json.loads(text or "{}")
    return found if isinstance(found, dict) else {}
