"""Whose usage an event tells of: subjects as programs name them, turned into spenders and the teams they are in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q

from apps.accounts.models import ApiKey, Membership, ServiceAccount, TeamMembership
from apps.billing.models import Spender
from apps.core.tenancy import current_organization


@dataclass(frozen=True, slots=True)
class Counted:
    """In whose sums something counts: a spender's, or nobody's, and those of the teams that they are in now."""

    spender_id: UUID | None = None
    team_ids: tuple[UUID, ...] = ()


@dataclass(frozen=True, slots=True)
class _Who:
    """A person or a service account."""

    user_id: UUID | None = None
    service_account_id: UUID | None = None


def plain(subject: str) -> str:
    """The subject as all its spellings are written: addresses in small letters, ids with their hyphens."""
    try:
        return str(UUID(subject))
    except ValueError:
        return subject.lower()


def counted_for(subjects: Iterable[str]) -> dict[str, Counted]:
    """Those of the subjects that are somebody's in the organization in scope, by their plain spelling.

    A subject is a member's address, a member's or a service account's id. Who has left is known by their address if
    they have used something. With as many queries for many as for one.
    """
    wanted = {plain(subject) for subject in subjects}
    addresses = [text for text in wanted if "@" in text]
    ids = [text for text in wanted if _is_id(text)]
    found: dict[str, _Who] = {}
    for address, user_id in _rows(Spender, "user__email", addresses, "user_id"):
        found[address] = _Who(user_id)
    for address, user_id in _rows(Membership, "user__email", addresses, "user_id"):
        found[address] = _Who(user_id)
    for id, user_id in _rows(Membership, "pk", ids, "user_id"):
        found[str(id)] = _Who(user_id)
    for id, account_id in _rows(ServiceAccount, "pk", ids, "pk"):
        found[str(id)] = _Who(service_account_id=account_id)
    return _counted(found)


def counted_for_caller(user_id: UUID | None, api_key_id: UUID | None) -> Counted:
    """For whom a call counts that names nobody: the person who calls, or whoever the key belongs to."""
    who = _Who(user_id)
    if api_key_id is not None:
        rows = ApiKey.objects.filter(pk=api_key_id).values_list("member__user_id", "service_account_id")
        who = _Who(*(rows.first() or (None, None)))
    return _counted({"": who})[""] if who != _Who() else Counted()


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _rows(table: Any, column: str, wanted: list[str], answer: str) -> list[tuple[Any, Any]]:
    if not wanted:
        return []
    return list(table.objects.filter(**{f"{column}__in": wanted}).values_list(column, answer))


def _counted(found: dict[str, _Who]) -> dict[str, Counted]:
    people = {who.user_id for who in found.values() if who.user_id}
    spenders = _spenders(set(found.values()))
    teams: dict[UUID, list[UUID]] = {}
    if people:
        rows = TeamMembership.objects.filter(membership__user_id__in=people).order_by("team_id")
        for user_id, team_id in rows.values_list("membership__user_id", "team_id"):
            teams.setdefault(user_id, []).append(team_id)
    return {
        text: Counted(spenders[who], tuple(sorted(teams.get(who.user_id, ()))) if who.user_id else ())
        for text, who in found.items()
    }


def _spenders(wanted: set[_Who]) -> dict[_Who, UUID]:
    """The spender of each; who has used nothing yet gets theirs now."""
    found = _known_spenders(wanted)
    if missing := wanted - set(found):
        organization_id = current_organization()
        rows = [
            Spender(organization_id=organization_id, user_id=who.user_id, service_account_id=who.service_account_id)
            for who in missing
        ]
        Spender.objects.bulk_create(rows, ignore_conflicts=True)
        found |= _known_spenders(missing)
    return found


def _known_spenders(wanted: set[_Who]) -> dict[_Who, UUID]:
    people = [who.user_id for who in wanted if who.user_id]
    accounts = [who.service_account_id for who in wanted if who.service_account_id]
    rows = Spender.objects.filter(Q(user_id__in=people) | Q(service_account_id__in=accounts))
    found = rows.values_list("pk", "user_id", "service_account_id")
    return {_Who(user_id, account_id): id for id, user_id, account_id in found}
