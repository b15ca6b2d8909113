"""Links to an export: each is one person's, its use is audited, and it leads to a link to the file."""

from __future__ import annotations

from uuid import UUID

from django.core import signing
from django.urls import reverse

from apps.accounts.access import Actor
from apps.accounts.models import Membership
from apps.core import media, tenancy
from apps.core.errors import NotFound
from apps.privacy import services
from apps.privacy.models import Export, Scope

LINK_SECONDS = 900
FILE_SECONDS = 60
_SALT = "link to an export"


def link_to(export: Export, actor: Actor) -> str:
    """The address of an export's file for a quarter of an hour; a person's opens only in that person's own session."""
    content = [str(export.organization_id), str(export.pk), str(actor.user_id or "")]
    return reverse("privacy-download", args=[signing.dumps(content, salt=_SALT, compress=False)])


def export_of(token: str, user_id: UUID | None) -> Export:
    """What a link leads to; NotFound for one that is forged, too old, somebody else's, or whose file is gone.

    A person's link to what is not only theirs ends with their permission, not a quarter of an hour later.
    """
    gone = NotFound("This link has expired, or is not yours. Open the page again for a new one.")
    try:
        organization_id, id, owner = signing.loads(token, salt=_SALT, max_age=LINK_SECONDS)
    except (signing.BadSignature, ValueError):
        raise gone from None
    if owner and owner != str(user_id or ""):
        raise gone
    with tenancy.scope(UUID(organization_id)):
        found: Export | None = Export.objects.filter(pk=id).first()
        member = Membership.objects.select_related("custom_role").filter(user_id=owner).first() if owner else None
        is_theirs = not owner or (member is not None and services.MANAGE in member.permissions)
    if found is None or not found.downloadable or not (is_theirs or found.scope == Scope.ACCOUNT):
        raise gone
    return found


def file_link(export: Export) -> str:
    """Where the file itself is for a minute; raises NotFound when it is not on this machine."""
    if not services.file_of(export).is_file():
        raise NotFound("The file is not there any more. Ask for a new export.")
    name = f"millrace-{export.scope}-{export.created_at:%Y-%m-%d}.zip"
    return media.link_to(export.organization_id, export.path, seconds=FILE_SECONDS, name=name)
