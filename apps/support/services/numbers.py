"""Whole numbers for the rows of an organization, asked for and given many at a time.

An organization's rows are numbered by themselves, so that a number tells nothing of others, and none is another's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import connection
from django.db.models import Q

from apps.core.errors import NotFound
from apps.support.models import Numbered, RowNumber

# Others may take the next numbers at the same time: each round one of those who wait gets theirs.
MOST_ROUNDS = 50
MOST_DIGITS = 15

_GIVE = """
INSERT INTO support_rownumber (id, organization_id, kind, row, number)
SELECT gen_random_uuid(), %(organization)s, %(kind)s, wanted.id, last.number + wanted.place
FROM unnest(%(ids)s::uuid[]) WITH ORDINALITY AS wanted (id, place), (
    SELECT coalesce(max(number), 0) AS number FROM support_rownumber
    WHERE organization_id = %(organization)s AND kind = %(kind)s
) AS last
ON CONFLICT DO NOTHING
"""
# Of the whole installation: which numbers others have, row-level security does not show.
_GIVE_ACCOUNT = """
INSERT INTO support_rownumber (id, organization_id, kind, row, number)
SELECT gen_random_uuid(), %(organization)s, %(kind)s, wanted.id, nextval('support_account_number')
FROM unnest(%(ids)s::uuid[]) AS wanted (id)
ON CONFLICT DO NOTHING
"""


class Numbers:
    """The numbers of rows of one organization, in its scope: what is wanted is asked for with one question."""

    def __init__(self, organization_id: UUID) -> None:
        self.organization_id = organization_id
        self._known: dict[tuple[Numbered, UUID], int] = {}
        self._wanted: set[tuple[Numbered, UUID]] = set()

    def want(self, kind: Numbered, ids: Iterable[UUID | None]) -> None:
        """Says which will be needed."""
        self._wanted |= {(kind, id) for id in ids if id is not None}

    def __call__(self, kind: Numbered, id: UUID) -> int:
        if (kind, id) not in self._known:
            self.want(kind, [id])
            self._ask()
        return self._known[kind, id]

    @property
    def account(self) -> int:
        return self(Numbered.ACCOUNT, self.organization_id)

    def _ask(self) -> None:
        # With whatever is asked for the first time the account's is, too: all that is told names it.
        self.want(Numbered.ACCOUNT, [self.organization_id])
        wanted, self._wanted = self._wanted - set(self._known), set()
        self._known |= _found(wanted)
        if wanted <= set(self._known):
            return
        _lock(self.organization_id)
        self._known |= _found(wanted - set(self._known))
        for kind in sorted({kind for kind, _id in wanted}):
            missing = sorted(id for each, id in wanted - set(self._known) if each == kind)
            if missing:
                self._known |= _given(self.organization_id, kind, missing)


def _lock(organization_id: UUID) -> None:
    """Until its transaction ends nobody else gives numbers in this organization.

    Whoever gives some of a kind keeps others from the next ones of that kind until then: two who come to two kinds in
    opposite orders, one after the other, would wait for each other. One lock for all kinds has no order.
    """
    with connection.cursor() as cursor:
        key = f"support numbers {organization_id}"
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [key])


def _found(wanted: Iterable[tuple[Numbered, UUID]]) -> dict[tuple[Numbered, UUID], int]:
    wanted = list(wanted)
    condition = Q(pk=None)
    for kind in sorted({kind for kind, _id in wanted}):
        condition |= Q(kind=kind, row__in=sorted(id for each, id in wanted if each == kind))
    rows = RowNumber.objects.filter(condition).values_list("kind", "row", "number")
    return {(Numbered(kind), row): number for kind, row, number in rows}


def _given(organization_id: UUID, kind: Numbered, ids: Sequence[UUID]) -> dict[tuple[Numbered, UUID], int]:
    """Numbers for rows that have none; in the order of their ids, so that two who give the same do not cross."""
    found: dict[tuple[Numbered, UUID], int] = {}
    give = _GIVE_ACCOUNT if kind == Numbered.ACCOUNT else _GIVE
    for _ in range(MOST_ROUNDS):
        missing = [id for id in ids if (kind, id) not in found]
        if not missing:
            return found
        with connection.cursor() as cursor:
            cursor.execute(give, {"organization": organization_id, "kind": str(kind), "ids": missing})
        found |= _found((kind, id) for id in missing)
    raise RuntimeError(f"no number was left for a row of the kind {kind}")


def number_in(text: str) -> int | None:
    """A number as an address or a body has it; None for anything else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS else None


def row_of(kind: Numbered, given: str | int, missing: str) -> UUID:
    """The id of the row with a number, or of that id, in scope; raises NotFound.

    Whether there still is such a row, whoever asks finds out when it is read.
    """
    text = str(given)
    number = number_in(text)
    if number is None:
        try:
            return UUID(text)
        except ValueError:
            raise NotFound(missing) from None
    found: UUID | None = RowNumber.objects.filter(kind=kind, number=number).values_list("row", flat=True).first()
    if found is None:
        raise NotFound(missing)
    return found
