"""Sponsored slots, as the operator writes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.market.models import Place, Sponsor


@dataclass(frozen=True, slots=True)
class Slot:
    """What a slot says, where it leads, and from when to when it is shown."""

    title: str
    text: str
    link: str
    starts_at: datetime
    ends_at: datetime
    languages: Sequence[str] = ()
    place: str = Place.DASHBOARD


def save_sponsor(slot: Slot, id: UUID | None = None) -> Sponsor:
    """Writes a new slot, or changes one."""
    _check(slot)
    sponsor = Sponsor() if id is None else _sponsor(id)
    for name, value in asdict(slot).items():
        setattr(sponsor, name, list(value) if name == "languages" else value)
    sponsor.save()
    return sponsor


def end_sponsor(id: UUID) -> Sponsor:
    """Ends a slot now; what was counted stays."""
    sponsor = _sponsor(id)
    now = timezone.now()
    if not sponsor.starts_at < now < sponsor.ends_at:
        raise Conflict("This notice is not being shown.")
    sponsor.ends_at = now
    sponsor.save(update_fields=["ends_at"])
    return sponsor


def _sponsor(id: UUID) -> Sponsor:
    sponsor = Sponsor.objects.select_for_update().filter(pk=id).first()
    if sponsor is None:
        raise NotFound("There is no such notice.")
    return sponsor


def _check(slot: Slot) -> None:
    parts = urlsplit(slot.link)
    if parts.scheme != "https" or not parts.hostname or parts.username:
        raise InvalidRequest("A notice leads to an https:// address.", param="link")
    if not slot.title.strip() or not slot.text.strip():
        raise InvalidRequest("A notice needs a title and a text.", param="title")
    if slot.ends_at <= slot.starts_at:
        raise InvalidRequest("A notice ends after it begins.", param="ends_at")
    if not set(slot.languages) <= {code for code, _name in settings.LANGUAGES}:
        raise InvalidRequest("There is no such language.", param="languages")
