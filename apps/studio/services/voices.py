"""Brand voices: written, measured, changed by new versions, and held against what was written."""

from __future__ import annotations

from typing import Any

from django.db.models import F
from django.db.models.functions import Now
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.studio.errors import VoiceInvalid
from apps.studio.models import BrandVoice, BrandVoiceVersion, Generation
from apps.studio.slugs import slug_for
from ml.text import voicing
from ml.text.voice import Features, measure
from ml.text.voicing import Violation, Voice, VoiceError

READ, WRITE = "templates:read", "templates:write"
NO_VOICE = gettext_noop("There is no brand voice of this name.")
NO_VERSION = gettext_noop("There is no version of this number.")
MOST_VOICES = 200
LONGEST_NAME, LONGEST_DESCRIPTION, LONGEST_NOTE = 120, 300, 200
LONGEST_CHECKED = 200_000


def get(actor: Actor, slug: str) -> BrandVoice:
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return _voice(slug)


def get_version(actor: Actor, slug: str, number: int | None = None) -> BrandVoiceVersion:
    """A version, the newest without a number."""
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return seen(actor, slug, number)


def seen(actor: Actor, slug: str, number: int | None = None) -> BrandVoiceVersion:
    """The same where the organization's scope is entered already, as on pages: without a savepoint of its own."""
    actor.require(READ)
    rows = BrandVoiceVersion.objects.select_related("voice", "created_by").filter(voice__slug=slug)
    version: BrandVoiceVersion | None = rows.filter(number=number or F("voice__latest")).first()
    if version is None:
        raise NotFound(NO_VOICE if number is None or not rows.exists() else NO_VERSION)
    return version


def create(
    actor: Actor, name: str, content: dict[str, Any], *, slug: str = "", description: str = "", note: str = ""
) -> BrandVoiceVersion:
    """A voice with its first version; its samples are measured."""
    actor.require(WRITE)
    actor.require_open()
    name, description = checked_names(name, description)
    voice = checked(content)
    with tenancy.scope(actor.organization_id):
        rows = BrandVoice.objects.all()
        if rows.count() >= MOST_VOICES:
            raise Conflict("An organization has at most %(most)s brand voices.", values={"most": MOST_VOICES})
        row: BrandVoice = BrandVoice.objects.create(
            organization_id=actor.organization_id,
            slug=slug_for(rows, name, slug, "voice"),
            name=name,
            description=description,
            latest=1,
            created_by_id=actor.user_id,
        )
        version = _add(actor, row, voice, note)
        audit.record(actor, "voice.created", row)
        events.record("voice.created", row.pk, {"slug": row.slug, "version": 1})
    return version


def add_version(actor: Actor, slug: str, content: dict[str, Any], note: str = "") -> BrandVoiceVersion:
    """A new version; the same content again makes none."""
    actor.require(WRITE)
    actor.require_open()
    voice = checked(content)
    with tenancy.scope(actor.organization_id):
        row = _locked(slug)
        newest: BrandVoiceVersion = BrandVoiceVersion.objects.get(voice=row, number=row.latest)
        if newest.content == voice.to_dict():
            newest.voice = row
            return newest
        row.latest += 1
        row.save(update_fields=["latest"])
        version = _add(actor, row, voice, note)
        audit.record(actor, "voice.version_added", row, number=row.latest)
        events.record("voice.version_added", row.pk, {"slug": row.slug, "version": row.latest})
    return version


def restore_version(actor: Actor, slug: str, number: int) -> BrandVoiceVersion:
    """What an earlier version said, as a new version: going back is going on."""
    actor.require(WRITE)
    version = get_version(actor, slug, number)
    return add_version(actor, slug, version.content, note=f"v{number}")


def change(actor: Actor, slug: str, *, name: str | None = None, description: str | None = None) -> BrandVoice:
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        row = _locked(slug)
        wanted = dict(zip(("name", "description"), checked_names(
            row.name if name is None else name, row.description if description is None else description
        ), strict=True))  # fmt: skip
        before = {key: getattr(row, key) for key, value in wanted.items() if getattr(row, key) != value}
        if before:
            for key, value in wanted.items():
                setattr(row, key, value)
            row.save(update_fields=list(wanted))
            audit.record(actor, "voice.changed", row, before=before, after={key: wanted[key] for key in before})
            events.record("voice.changed", row.pk, {"slug": row.slug, "name": row.name})
    return row


def archive(actor: Actor, slug: str) -> BrandVoice:
    """Takes a voice out of every choice; what was written with it keeps its name."""
    return _set_archived(actor, slug, True)


def restore(actor: Actor, slug: str) -> BrandVoice:
    return _set_archived(actor, slug, False)


def check(version: BrandVoiceVersion, text: str) -> list[Violation]:
    """Where a text breaks the voice's rules."""
    return voicing.check(version.spec, text)


def check_text(actor: Actor, slug: str, text: str, number: int | None = None) -> list[Violation]:
    """The same for a text that somebody brings."""
    version = get_version(actor, slug, number)
    if len(text) > LONGEST_CHECKED:
        raise InvalidRequest("This may have %(most)s characters.", values={"most": LONGEST_CHECKED}, param="text")
    return check(version, text)


def check_generation(generation: Generation) -> list[Violation]:
    """Where a finished text breaks its voice's rules and its template's limits; call it in the organization's scope."""
    found: list[Violation] = []
    if generation.voice_version_id and generation.voice_version is not None:
        found += check(generation.voice_version, generation.text)
    if generation.template_version_id and generation.template_version is not None:
        found += voicing.limits_broken(generation.template_version.limits, generation.text)
    return sorted(found, key=lambda violation: (violation.start, violation.end))


def measured(actor: Actor, texts: list[str]) -> Features:
    """What the texts' way of writing measures, without keeping anything."""
    actor.require(READ)
    try:
        voice = Voice.from_dict({"samples": texts})
    except VoiceError as error:
        raise invalid(error) from None
    return measure(voice.samples)


def version_for(reference: str) -> BrandVoiceVersion:
    """The version that a slug, or `slug@number`, means now; in the organization's scope."""
    slug, _, number = reference.partition("@")
    if number and not (number.isascii() and number.isdigit() and len(number) < 10):
        raise NotFound(NO_VERSION, param="voice")
    row: BrandVoice | None = BrandVoice.objects.in_use().filter(slug=slug).first()
    if row is None:
        raise NotFound(NO_VOICE, param="voice")
    version: BrandVoiceVersion | None = (
        BrandVoiceVersion.objects.select_related("voice").filter(voice=row, number=int(number or row.latest)).first()
    )
    if version is None:
        raise NotFound(NO_VERSION, param="voice")
    return version


def newest(voice: BrandVoice) -> BrandVoiceVersion:
    """The version that a voice's slug alone means; in the organization's scope."""
    found: BrandVoiceVersion = BrandVoiceVersion.objects.select_related("voice").get(voice=voice, number=voice.latest)
    return found


def checked(content: dict[str, Any]) -> Voice:
    try:
        return Voice.from_dict(content)
    except VoiceError as error:
        raise invalid(error) from None


def invalid(error: VoiceError) -> VoiceInvalid:
    return VoiceInvalid(error.template, values=error.values or None, param=error.name)


def checked_names(name: str, description: str) -> tuple[str, str]:
    name, description = " ".join(name.split()), description.strip()
    if not 1 <= len(name) <= LONGEST_NAME:
        raise InvalidRequest("A name has 1 to %(most)s characters.", values={"most": LONGEST_NAME}, param="name")
    if len(description) > LONGEST_DESCRIPTION:
        raise InvalidRequest(
            "A description has at most %(most)s characters.", values={"most": LONGEST_DESCRIPTION}, param="description"
        )
    if "\0" in name + description:
        raise InvalidRequest("Text cannot contain NUL characters.", param="name")
    return name, description


def _add(actor: Actor, row: BrandVoice, voice: Voice, note: str) -> BrandVoiceVersion:
    features = measure(voice.samples).to_dict() if voice.samples else None
    version: BrandVoiceVersion = BrandVoiceVersion.objects.create(
        organization_id=row.organization_id,
        voice=row,
        number=row.latest,
        content=voice.to_dict(),
        features=features,
        note=note.strip()[:LONGEST_NOTE],
        created_by_id=actor.user_id,
    )
    return version


def _set_archived(actor: Actor, slug: str, archived: bool) -> BrandVoice:
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        row = _locked(slug)
        if (row.archived_at is not None) != archived:
            BrandVoice.objects.filter(pk=row.pk).update(archived_at=Now() if archived else None)
            action = "voice.archived" if archived else "voice.restored"
            audit.record(actor, action, row)
            events.record(action, row.pk, {"slug": row.slug})
            row.refresh_from_db(fields=["archived_at"])
    return row


def _voice(slug: str) -> BrandVoice:
    row: BrandVoice | None = BrandVoice.objects.filter(slug=slug).first()
    if row is None:
        raise NotFound(NO_VOICE)
    return row


def _locked(slug: str) -> BrandVoice:
    row: BrandVoice | None = BrandVoice.objects.select_for_update().filter(slug=slug).first()
    if row is None:
        raise NotFound(NO_VOICE)
    return row
