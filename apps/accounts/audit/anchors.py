"""Hourly: where each chain stands, signed, kept in a table and in a file and the log outside the database.

Whoever owns the tables can rewrite a chain from some entry on so that it agrees with itself. It no longer agrees with
what was anchored, and the file cannot be changed from the database.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import structlog
from django.conf import settings
from django.db.models import F, Max, OuterRef, Q, Subquery

from apps.accounts.audit import signing
from apps.accounts.models import AuditAnchor, AuditHead, InstallationEntry
from apps.core import tenancy
from apps.core.tenancy import Across, across_tenants

ANCHOR = "anchor"
# Stands for the chain that belongs to no organization.
INSTALLATION = UUID(int=0)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Anchor:
    """One claim: entry `sequence` had this hash; `place` says where the claim is kept."""

    place: str
    sequence: int
    hash: str
    signature: str


def anchor_everything() -> int:
    """Anchors every chain that has grown since its last anchor; returns how many."""
    with across_tenants(Across.HOUSEKEEPING):
        last = AuditAnchor.objects.filter(organization_id=OuterRef("organization_id")).values("organization_id")
        anchored = Subquery(last.annotate(last=Max("sequence")).values("last"))
        heads = AuditHead.objects.annotate(anchored=anchored)
        grown = heads.filter(Q(anchored=None) | Q(anchored__lt=F("sequence")), sequence__gt=0)
        organizations = list(grown.values_list("organization_id", flat=True))
    return sum(anchor(organization_id) for organization_id in organizations) + _anchor_installation()


def anchor(organization_id: UUID) -> bool:
    """Anchors one chain; False when it stands where it was anchored last."""
    with tenancy.scope(organization_id):
        head = AuditHead.objects.filter(sequence__gt=0).first()
        if head is None:
            return False
        signature = signing.sign(ANCHOR, organization_id, head.sequence, head.hash)
        row, new = AuditAnchor.objects.get_or_create(
            organization_id=organization_id,
            sequence=head.sequence,
            defaults={"hash": head.hash, "signature": signature},
        )
        if new:
            _publish(organization_id, row.sequence, row.hash, row.signature)
    return new


def _anchor_installation() -> bool:
    """The chain of the operator's own tables, once for each end that it had; only outside the database."""
    last = InstallationEntry.objects.order_by("-sequence").first()
    if last is None or any(claim.sequence == last.sequence for claim in _in_file(INSTALLATION)):
        return False
    _publish(INSTALLATION, last.sequence, last.hash, signing.sign(ANCHOR, INSTALLATION, last.sequence, last.hash))
    return True


def _publish(organization_id: UUID, sequence: int, hash: str, signature: str) -> None:
    """One line, appended: to the file, which a backup or another machine may take away, and to the log."""
    line = {"organization": str(organization_id), "sequence": sequence, "hash": hash, "signature": signature}
    log.info("audit anchor", **line)
    if not settings.AUDIT_ANCHOR_FILE:
        return
    path = Path(settings.AUDIT_ANCHOR_FILE)
    path.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "w") as file:
        file.write(json.dumps(line) + "\n")


def claims(organization_id: UUID) -> Iterator[Anchor]:
    """What the table and the file say about one chain; call it in the organization's scope."""
    if organization_id != INSTALLATION:
        for row in AuditAnchor.objects.order_by("sequence"):
            yield Anchor("table", row.sequence, row.hash, row.signature)
    yield from _in_file(organization_id)


def _in_file(organization_id: UUID) -> Iterator[Anchor]:
    path = Path(settings.AUDIT_ANCHOR_FILE or os.devnull)
    if not path.is_file():
        return
    mark = f'"{organization_id}"'
    with path.open() as file:
        for line in file:
            if mark in line:
                yield _parsed(line)


def _parsed(line: str) -> Anchor:
    """A line that was spoilt counts as an anchor that is wrong, not as none."""
    try:
        found = json.loads(line)
        return Anchor("file", int(found["sequence"]), str(found["hash"]), str(found["signature"]))
    except (ValueError, KeyError, TypeError):
        return Anchor("file", 0, "", "")
