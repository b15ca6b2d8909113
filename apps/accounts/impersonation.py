"""A member of staff who acts as a member: read anew from the row with every request, and kept to what support may do.

The session stays the staff member's own: only whom pages take them for changes, and only in the one organization. So
whatever is about a person's own account (password, factors, sessions, data) is never the member's, and there is nothing
to give back at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils.translation import gettext as _

from apps.accounts.models import Impersonation, Membership, SupportGrant, User
from apps.core.errors import PermissionDenied, SupportEnded
from apps.core.tenancy import Across, across_tenants

# In the session of the member of staff: the impersonation's id.
SESSION_KEY = "impersonation"
# What support may do, if the member may: no keys, sign-in rules, owners, members, money, or personal data.
PERMISSIONS = frozenset(
    {
        "generations:read", "generations:write", "models:read", "usage:read", "members:read", "billing:read",
        "audit:read", "organization:manage", "documents:read",
    }
)  # fmt: skip
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# URL names of pages with which support may also change something.
WRITES = frozenset({"studio", "studio-cancel", "studio-regenerate"})
# Pages about somebody's own account or membership, which support does not open for them.
PERSONAL = frozenset(
    {
        "membership", "leave", "ownership-answer", "my-data", "my-erasure", "consent", "privacy", "privacy-requests",
        "owner-codes",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Acting:
    """An impersonation that goes on, with the membership in whose place it stands."""

    row: Impersonation
    membership: Membership
    staff: User
    user: User

    @property
    def permissions(self) -> frozenset[str]:
        return self.membership.permissions & PERMISSIONS


def current(request: HttpRequest) -> Acting | None:
    """Whom the session's member of staff acts as; None for everybody else.

    Raises SupportEnded, once, where it has come to its end in any way: what was sent must not happen in the staff
    member's own organization instead.
    """
    id = request.session.get(SESSION_KEY)
    if not id:
        return None
    if not hasattr(request, "impersonation"):
        request.impersonation = _find(UUID(id), request.user)  # type: ignore[attr-defined]
    found: Acting | None = request.impersonation  # type: ignore[attr-defined]
    if found is None:
        del request.session[SESSION_KEY]
        raise SupportEnded(_("The support session has ended. You are yourself again."))
    return found


def _find(id: UUID, staff: Any) -> Acting | None:
    """The row, if everything that it rests on still stands."""
    with across_tenants(Across.SIGN_IN):
        going_on = Impersonation.objects.going_on().select_related("user", "organization")
        row: Impersonation | None = going_on.filter(pk=id, staff=staff).first()
        if row is None or row.user is None or not (staff.is_active and staff.is_staff):
            return None
        if not SupportGrant.objects.valid().filter(organization_id=row.organization_id).exists():
            return None
        about = {"organization_id": row.organization_id, "user_id": row.user_id}
        members = Membership.objects.select_related("organization", "custom_role")
        membership: Membership | None = members.filter(**about).first()
    if membership is None or not row.user.is_active or row.user.is_staff or row.user.is_superuser:
        return None
    return Acting(row, membership, staff, row.user)


def check_page(request: HttpRequest) -> None:
    """Raises PermissionDenied where a page, or what is sent to it, is not for support."""
    name = request.resolver_match.url_name if request.resolver_match else ""
    if name in PERSONAL or (request.method not in SAFE and name not in WRITES):
        raise PermissionDenied(_("Support cannot do this for a member."))
