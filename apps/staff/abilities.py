"""What a member of staff may do: by the two groups that a migration makes, and everything for a superuser."""

from __future__ import annotations

from enum import StrEnum

from apps.accounts.models import User


class Ability(StrEnum):
    READ = "read"
    RETRY = "retry"
    IMPERSONATE = "impersonate"
    OPERATE = "operate"


SUPPORT, OPERATOR = "support", "operator"
# Django's own model permissions are not asked: they would let whoever holds them write past the services.
GROUP_ABILITIES: dict[str, frozenset[Ability]] = {
    SUPPORT: frozenset({Ability.READ, Ability.RETRY, Ability.IMPERSONATE}),
    OPERATOR: frozenset(Ability),
}


def abilities_of(user: User) -> frozenset[Ability]:
    """Read once for each request, since Django makes the user anew for each."""
    if not (user.is_active and user.is_staff):
        return frozenset()
    if user.is_superuser:
        return frozenset(Ability)
    if not hasattr(user, "staff_abilities"):
        groups = user.groups.values_list("name", flat=True)
        held = [GROUP_ABILITIES.get(name, frozenset()) for name in groups]
        user.staff_abilities = frozenset().union(*held)  # type: ignore[attr-defined]
    found: frozenset[Ability] = user.staff_abilities  # type: ignore[attr-defined]
    return found


def may(user: object, ability: Ability) -> bool:
    return isinstance(user, User) and ability in abilities_of(user)
