"""Copies: of the library's entries into an organization, and of a template beside itself."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_noop

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import NotFound
from apps.studio import library
from apps.studio.models import Template, TemplateVersion
from apps.studio.services.templates.finding import WRITE, get_version
from apps.studio.services.templates.writing import TemplateFacts, create, facts_of
from apps.studio.slugs import slug_for

NO_ENTRY = gettext_noop("The library has no content type of this name.")


def entry_of(key: str, language: str) -> library.Entry:
    found = library.entry(key, language)
    if found is None:
        raise NotFound(NO_ENTRY)
    return found


def facts_of_entry(entry: library.Entry) -> TemplateFacts:
    content: dict[str, Any] = dict(entry.content)
    return TemplateFacts(**content)


def use(actor: Actor, key: str, language: str) -> TemplateVersion:
    """Copies a content type of the library into the organization, which may then change it as it likes."""
    actor.require(WRITE)
    entry = entry_of(key, language)
    return create(
        actor,
        entry.name,
        facts_of_entry(entry),
        slug=_free(actor, key),
        description=entry.description,
        content_type=entry.content_type,
        library=entry.reference,
    )


def duplicate(actor: Actor, slug: str, name: str) -> TemplateVersion:
    """A template of its own that begins as the newest version of another one."""
    actor.require(WRITE)
    version = get_version(actor, slug)
    return create(
        actor,
        name,
        facts_of(version),
        description=version.template.description,
        content_type=version.template.content_type,
        library=version.template.library,
    )


def _free(actor: Actor, key: str) -> str:
    """The entry's own key, with a number where a template of the organization has it; names may be in any script."""
    with tenancy.scope(actor.organization_id):
        return slug_for(Template.objects.all(), key, "", "template")
