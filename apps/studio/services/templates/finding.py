"""Finding templates: each actor those that they may see, and the version that a reference means."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django.db.models import F, Q
from django.utils.translation import gettext_noop

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import NotFound
from apps.studio.errors import LabelNotSet
from apps.studio.models import DRAFT, PRODUCTION, Template, TemplateLabel, TemplateVersion

READ, WRITE, APPROVE = "templates:read", "templates:write", "templates:approve"
NO_TEMPLATE = gettext_noop("There is no template of this name.")
NO_VERSION = gettext_noop("There is no version of this number.")
LABEL_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
_NUMBER = re.compile(r"[0-9]{1,9}")


def seen_by(actor: Actor) -> Any:
    """The templates that the actor finds, as rows in scope; whoever approves finds all."""
    rows = Template.objects.all()
    return rows if APPROVE in actor.permissions else rows.seen_by(actor.person_id)


def find(actor: Actor, slug: str, *, lock: bool = False) -> Template:
    """A template by its slug, in the organization's scope; NotFound also for what the actor does not see."""
    rows = Template.objects.select_for_update(of=("self",)) if lock else Template.objects
    template: Template | None = rows.filter(slug=slug, pk__in=seen_by(actor).values("pk")).first()
    if template is None:
        raise NotFound(NO_TEMPLATE)
    return template


def get(actor: Actor, slug: str) -> Template:
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return find(actor, slug)


def seen(actor: Actor, slug: str) -> Template:
    """The same where the organization's scope is entered already, as on pages: without a savepoint of its own."""
    actor.require(READ)
    return find(actor, slug)


def newest(actor: Actor, slug: str) -> TemplateVersion:
    """A template's newest version with the template, in one question, where the scope is entered already."""
    actor.require(READ)
    rows = TemplateVersion.objects.select_related("template", "voice", "created_by")
    found = rows.filter(template__slug=slug, number=F("template__latest"), template__in=seen_by(actor).values("pk"))
    version: TemplateVersion | None = found.first()
    if version is None:
        raise NotFound(NO_TEMPLATE)
    return version


def get_version(actor: Actor, slug: str, number: int | None = None) -> TemplateVersion:
    """A version by its number, the newest without one."""
    actor.require(READ)
    with tenancy.scope(actor.organization_id):
        return numbered(find(actor, slug), number)


def numbered(template: Template, number: int | None = None) -> TemplateVersion:
    rows = TemplateVersion.objects.select_related("template", "voice", "created_by").filter(template=template)
    version: TemplateVersion | None = rows.filter(number=number or template.latest).first()
    if version is None:
        raise NotFound(NO_VERSION)
    return version


def version_of(actor: Actor, reference: str | UUID) -> TemplateVersion:
    """The version that `slug@label`, `slug@number` or a version's id means; a slug alone means `slug@production`."""
    actor.require(READ)
    return resolve(actor, reference)


def resolve(actor: Actor, reference: str | UUID) -> TemplateVersion:
    """The same for whoever writes with it, and need not be able to read it."""
    with tenancy.scope(actor.organization_id):
        if isinstance(reference, UUID) or (id := _uuid(reference)):
            return _by_id(actor, reference if isinstance(reference, UUID) else id)
        slug, _, label = reference.partition("@")
        if found := _at_once(actor, slug, label or PRODUCTION):
            return found
        # Which of the two there is none of.
        template = find(actor, slug)
        if _NUMBER.fullmatch(label):
            return numbered(template, int(label))
        return labelled(template, label or PRODUCTION)


def labelled(template: Template, label: str) -> TemplateVersion:
    """The version under a label; the draft is the newest one."""
    if label == DRAFT:
        return numbered(template)
    row: TemplateLabel | None = (
        TemplateLabel.objects.select_related("version__template", "version__voice", "version__created_by")
        .filter(template=template, name=label)
        .first()
    )
    if row is None:
        raise LabelNotSet(
            "The template has no version labelled %(label)s.", values={"label": label[:40]}, param="label"
        )
    version: TemplateVersion = row.version
    return version


def _at_once(actor: Actor, slug: str, label: str) -> TemplateVersion | None:
    """The version under a label or number, with its template, in one question; None where the actor finds none."""
    if label == DRAFT:
        meant = Q(number=F("template__latest"))
    elif _NUMBER.fullmatch(label):
        meant = Q(number=int(label))
    else:
        meant = Q(pk__in=TemplateLabel.objects.filter(name=label).values("version"))
    rows = TemplateVersion.objects.select_related("template", "voice", "created_by")
    rows = rows.filter(meant, template__slug=slug, template__in=seen_by(actor).values("pk"))
    found: TemplateVersion | None = rows.first()
    return found


def _by_id(actor: Actor, id: UUID | None) -> TemplateVersion:
    rows = TemplateVersion.objects.select_related("template", "voice", "created_by")
    version: TemplateVersion | None = rows.filter(pk=id, template__in=seen_by(actor).values("pk")).first()
    if version is None:
        raise NotFound(NO_TEMPLATE)
    return version


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text) if len(text) == 36 else None
    except ValueError:
        return None
