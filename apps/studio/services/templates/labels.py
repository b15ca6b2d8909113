"""Labels: names that stand on versions. What is in production was approved, and what was approved can come back."""

from __future__ import annotations

from django.db.models.functions import Now

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest
from apps.studio.errors import ApprovalRequired, LabelNotSet, OwnVersion
from apps.studio.models import (
    APPROVED,
    DRAFT,
    PRODUCTION,
    Template,
    TemplateApproval,
    TemplateLabel,
    TemplateSettings,
    TemplateVersion,
)
from apps.studio.services.templates.finding import APPROVE, LABEL_NAME, READ, WRITE, find, numbered

MOST_LABELS = 20
MANAGE = "organization:manage"


def settings_of(actor: Actor) -> TemplateSettings:
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        row: TemplateSettings | None = TemplateSettings.objects.first()
    return row or TemplateSettings(organization_id=actor.organization_id)


def change_settings(actor: Actor, *, four_eyes: bool) -> TemplateSettings:
    """Whether a version may be approved by whoever wrote it."""
    actor.require(MANAGE)
    with tenancy.scope(actor.organization_id):
        row, created = TemplateSettings.objects.select_for_update().get_or_create(
            organization_id=actor.organization_id, defaults={"four_eyes": four_eyes}
        )
        before = False if created else row.four_eyes
        if before != four_eyes or created:
            row.four_eyes = four_eyes
            row.save(update_fields=["four_eyes"])
            audit.record(
                actor,
                "template.settings_changed",
                row,
                before={"four_eyes": before},
                after={"four_eyes": four_eyes},
            )
            events.record("template.settings_changed", row.pk, {"four_eyes": four_eyes})
    changed: TemplateSettings = row
    return changed


def approve(actor: Actor, slug: str, number: int, note: str = "") -> TemplateLabel:
    """Stands by a version; the label `approved` moves to it. Approving again changes nothing.

    Raises OwnVersion where the organization demands four eyes and the actor wrote the version.
    """
    actor.require(APPROVE)
    actor.require_open()
    with tenancy.scope(actor.organization_id):
        template = find(actor, slug, lock=True)
        version = numbered(template, number)
        _require_other_eyes(actor, version)
        approval, created = TemplateApproval.objects.get_or_create(
            organization_id=actor.organization_id,
            version=version,
            defaults={"approved_by_id": actor.user_id, "note": " ".join(note.split())[:200]},
        )
        label = _put(actor, template, APPROVED, version)
        if created:
            audit.record(actor, "template.approved", template, number=version.number, note=approval.note)
            events.record("template.approved", template.pk, {"slug": template.slug, "version": version.number})
    return label


def move_label(actor: Actor, slug: str, name: str, number: int) -> TemplateLabel:
    """Puts a label on a version; `approved` is set by approving, and `production` takes only what was approved."""
    if name == APPROVED:
        return approve(actor, slug, number)
    actor.require(APPROVE if name == PRODUCTION else WRITE)
    actor.require_open()
    if name == DRAFT:
        raise Conflict("The draft is always the newest version.", param="label")
    if not LABEL_NAME.fullmatch(name):
        raise InvalidRequest("A label has small letters, digits and hyphens, and begins with a letter.", param="label")
    with tenancy.scope(actor.organization_id):
        template = find(actor, slug, lock=True)
        version = numbered(template, number)
        if name == PRODUCTION and not TemplateApproval.objects.filter(version=version).exists():
            raise ApprovalRequired("Only an approved version goes into production.", param="label")
        return _put(actor, template, name, version)


def roll_back(actor: Actor, slug: str, name: str = PRODUCTION) -> TemplateLabel:
    """Puts a label back to the version it stood on before; doing it twice ends where it began."""
    actor.require(WRITE if name not in {APPROVED, PRODUCTION} else APPROVE)
    with tenancy.scope(actor.organization_id):
        template = find(actor, slug, lock=True)
        row = _label(template, name)
        if row.previous is None:
            raise Conflict("There is no earlier version to go back to.", param="label")
        return _put(actor, template, name, row.previous)


def remove_label(actor: Actor, slug: str, name: str) -> None:
    """Takes a label off; programs that call the template by it are told so from then on."""
    actor.require(WRITE if name not in {APPROVED, PRODUCTION} else APPROVE)
    with tenancy.scope(actor.organization_id):
        template = find(actor, slug, lock=True)
        row = _label(template, name)
        audit.record(
            actor, "template.label_removed", row, label=name, template=template.name, number=row.version.number
        )
        row.delete()
        events.record("template.label_removed", template.pk, {"slug": template.slug, "label": name})


def _label(template: Template, name: str) -> TemplateLabel:
    rows = TemplateLabel.objects.select_related("version", "previous").filter(template=template, name=name)
    row: TemplateLabel | None = rows.first()
    if row is None:
        raise LabelNotSet("The template has no version labelled %(label)s.", values={"label": name[:40]}, param="label")
    return row


def _require_other_eyes(actor: Actor, version: TemplateVersion) -> None:
    if not TemplateSettings.objects.filter(four_eyes=True).exists():
        return
    # A program without a person behind it has no eyes; neither counts as a second pair.
    if actor.user_id is None or actor.person_id == version.created_by_id:
        raise OwnVersion("Somebody else has to approve this version: your organization demands four eyes.")


def _put(actor: Actor, template: Template, name: str, version: TemplateVersion) -> TemplateLabel:
    """The caller holds the template's lock."""
    row: TemplateLabel | None = TemplateLabel.objects.filter(template=template, name=name).first()
    if row is not None and row.version_id == version.pk:
        return row
    if row is None:
        if TemplateLabel.objects.filter(template=template).count() >= MOST_LABELS:
            raise Conflict("A template has at most %(most)s labels.", values={"most": MOST_LABELS})
        row = TemplateLabel(organization_id=template.organization_id, template=template, name=name)
    row.previous_id, row.version = (row.version_id or None), version
    row.moved_by_id = actor.user_id
    row.save()
    TemplateLabel.objects.filter(pk=row.pk).update(moved_at=Now())
    audit.record(actor, "template.label_moved", row, label=name, template=template.name, number=version.number)
    events.record(
        "template.label_moved", template.pk, {"slug": template.slug, "label": name, "version": version.number}
    )
    return row
