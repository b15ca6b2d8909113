"""Mail that an organization sends, in its language; `apps.accounts.mails` finds out what it says when it leaves."""

from __future__ import annotations

from uuid import UUID

from django.utils import translation

from apps.accounts.models import Organization
from apps.core import mail
from apps.core.tenancy import current_organization

INVITATION, OWNERSHIP_OFFER, DELETION = "invitation", "ownership_offer", "organization_deletion"


def tell(kind: str, recipient: str, object_id: UUID, *, in_turn: bool = False) -> None:
    """Puts a mail about an object of the organization in scope on its way, with the transaction."""
    organization_id = current_organization()
    language = Organization.objects.values_list("language", flat=True).get(pk=organization_id)
    with translation.override(language):
        data = {"organization": str(organization_id), "id": str(object_id)}
        mail.compose_later(kind, recipient, data, in_turn=in_turn)
