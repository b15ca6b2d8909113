"""Writing templates: every change of the prompt is a new version, names and visibility change in place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any
from uuid import UUID

from django.db.models.functions import Now

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Team
from apps.core import events, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound, Unprocessable
from apps.registry import services as registry
from apps.studio.errors import TemplateInvalid, unreadable
from apps.studio.models import BrandVoice, Template, TemplateTeam, TemplateVersion, Visibility
from apps.studio.requests import GenerationSpec
from apps.studio.requests import checked as checked_spec
from apps.studio.services.templates.finding import WRITE, find, get_version, numbered
from apps.studio.services.templates.rendering import SAMPLING, sampling_of
from apps.studio.services.voices import LONGEST_NOTE, NO_VOICE, checked_names
from apps.studio.slugs import slug_for
from ml.text import prompts
from ml.text.prompts import PromptError
from ml.text.variables import VariableError, value_of, variables_of
from ml.types import Message

MOST_TEMPLATES, MOST_VERSIONS, MOST_EXAMPLES, MOST_TEAMS = 1_000, 1_000, 10, 50
LIMITS = {"characters": 1_000_000, "hashtags": 1_000}


@dataclass(frozen=True, slots=True)
class TemplateFacts:
    """What a version says; `voice` is a slug. Raises nothing: `checked` does."""

    prompt: str
    system: str = ""
    variables: list[dict[str, Any]] = field(default_factory=list)
    examples: list[dict[str, Any]] = field(default_factory=list)
    model_name: str = ""
    sampling: dict[str, Any] = field(default_factory=dict)
    max_tokens: int | None = None
    limits: dict[str, int] = field(default_factory=dict)
    voice: str = ""


def checked(facts: TemplateFacts) -> TemplateFacts:
    """The facts as they are stored, or TemplateInvalid naming what is wrong."""
    if not facts.prompt.strip():
        raise TemplateInvalid("This may not be empty.", param="prompt")
    try:
        variables = variables_of(facts.variables)
    except VariableError as error:
        raise TemplateInvalid(
            error.template, values=error.values or None, param=f"variables.{error.name}".rstrip(".")
        ) from None
    named = {variable.name for variable in variables}
    for param in ("system", "prompt"):
        try:
            unknown = prompts.parse(getattr(facts, param)).names() - named
        except PromptError as error:
            raise unreadable(error, param) from None
        if unknown:
            raise TemplateInvalid("There is no variable called %(name)s.", values={"name": min(unknown)}, param=param)
    _check_examples(facts.examples, {variable.name: variable for variable in variables})
    _check_settings(facts)
    return replace(facts, variables=[variable.to_dict() for variable in variables], sampling=dict(facts.sampling))


def create(
    actor: Actor,
    name: str,
    facts: TemplateFacts,
    *,
    slug: str = "",
    description: str = "",
    content_type: str = "custom",
    library: str = "",
    note: str = "",
) -> TemplateVersion:
    """A template with its first version, which everybody in the organization sees."""
    actor.require(WRITE)
    actor.require_open()
    name, description = checked_names(name, description)
    facts = checked(facts)
    with tenancy.scope(actor.organization_id):
        rows = Template.objects.all()
        if rows.count() >= MOST_TEMPLATES:
            raise Conflict("An organization has at most %(most)s templates.", values={"most": MOST_TEMPLATES})
        template: Template = Template.objects.create(
            organization_id=actor.organization_id,
            slug=slug_for(rows, name, slug, "template"),
            name=name,
            description=description,
            content_type=content_type,
            library=library,
            latest=1,
            created_by_id=actor.person_id,
        )
        version = _add(actor, template, facts, note)
        audit.record(actor, "template.created", template)
        events.record("template.created", template.pk, {"slug": template.slug, "version": 1})
    return version


def add_version(actor: Actor, slug: str, facts: TemplateFacts, note: str = "") -> TemplateVersion:
    """A new version, which is the draft from now on; the same content again makes none."""
    actor.require(WRITE)
    actor.require_open()
    facts = checked(facts)
    with tenancy.scope(actor.organization_id):
        template = find(actor, slug, lock=True)
        newest = numbered(template)
        if facts_of(newest) == facts:
            return newest
        if template.latest >= MOST_VERSIONS:
            raise Conflict("A template has at most %(most)s versions.", values={"most": MOST_VERSIONS})
        template.latest += 1
        template.save(update_fields=["latest"])
        version = _add(actor, template, facts, note)
        audit.record(actor, "template.version_added", template, number=template.latest)
        events.record("template.version_added", template.pk, {"slug": template.slug, "version": template.latest})
    return version


def restore_version(actor: Actor, slug: str, number: int) -> TemplateVersion:
    """What an earlier version said, as a new draft."""
    actor.require(WRITE)
    return add_version(actor, slug, facts_of(get_version(actor, slug, number)), note=f"v{number}")


def change(actor: Actor, slug: str, *, name: str | None = None, description: str | None = None) -> Template:
    """Changes what the template is called; its slug stays, since programs call it by that."""
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        template = find(actor, slug, lock=True)
        names = checked_names(
            template.name if name is None else name, template.description if description is None else description
        )
        wanted = {"name": names[0], "description": names[1]}
        before = {key: getattr(template, key) for key in wanted if getattr(template, key) != wanted[key]}
        if before:
            for key, value in wanted.items():
                setattr(template, key, value)
            template.save(update_fields=list(wanted))
            audit.record(actor, "template.changed", template, before=before, after={key: wanted[key] for key in before})
            events.record("template.changed", template.pk, {"slug": template.slug, "name": template.name})
    return template


def share(actor: Actor, slug: str, visibility: str, teams: Iterable[UUID] = ()) -> Template:
    """Shows a template to everybody, or to chosen teams, its author and whoever approves alone."""
    actor.require(WRITE)
    if visibility not in Visibility.values:
        raise InvalidRequest("There is no such visibility.", param="visibility")
    wanted = set(teams) if visibility == Visibility.TEAMS else set[UUID]()
    if visibility == Visibility.TEAMS and not 1 <= len(wanted) <= MOST_TEAMS:
        raise Unprocessable("Choose 1 to %(most)s teams.", values={"most": MOST_TEAMS}, param="teams")
    with tenancy.scope(actor.organization_id):
        template = find(actor, slug, lock=True)
        found = {team.pk: team.name for team in Team.objects.filter(pk__in=wanted)}
        if set(found) != wanted:
            raise NotFound("There is no team with this id.", param="teams")
        before = {"visibility": template.visibility}
        template.visibility = visibility
        template.save(update_fields=["visibility"])
        TemplateTeam.objects.filter(template=template).exclude(team_id__in=wanted).delete()
        shared = set(TemplateTeam.objects.filter(template=template).values_list("team_id", flat=True))
        TemplateTeam.objects.bulk_create(
            TemplateTeam(organization_id=actor.organization_id, template=template, team_id=id) for id in wanted - shared
        )
        teams_named = ", ".join(sorted(found.values()))
        audit.record(
            actor, "template.shared", template, before=before, after={"visibility": visibility}, teams=teams_named
        )
        events.record("template.shared", template.pk, {"slug": template.slug, "visibility": visibility})
    return template


def archive(actor: Actor, slug: str) -> Template:
    """Takes a template out of use, with its versions, labels and texts as they are.

    Bulk runs that were started with one of its versions go on with that.
    """
    return _set_archived(actor, slug, True)


def restore(actor: Actor, slug: str) -> Template:
    return _set_archived(actor, slug, False)


def facts_of(version: TemplateVersion) -> TemplateFacts:
    names = [name for name in TemplateFacts.__dataclass_fields__ if name != "voice"]
    return TemplateFacts(
        **{name: getattr(version, name) for name in names}, voice=version.voice.slug if version.voice else ""
    )


def _set_archived(actor: Actor, slug: str, archived: bool) -> Template:
    actor.require(WRITE)
    with tenancy.scope(actor.organization_id):
        template = find(actor, slug, lock=True)
        if (template.archived_at is not None) != archived:
            Template.objects.filter(pk=template.pk).update(archived_at=Now() if archived else None)
            action = "template.archived" if archived else "template.restored"
            audit.record(actor, action, template)
            events.record(action, template.pk, {"slug": template.slug})
            template.refresh_from_db(fields=["archived_at"])
    return template


def _add(actor: Actor, template: Template, facts: TemplateFacts, note: str) -> TemplateVersion:
    values = asdict(facts)
    slug = values.pop("voice")
    voice: BrandVoice | None = BrandVoice.objects.in_use().filter(slug=slug).first() if slug else None
    if slug and voice is None:
        raise NotFound(NO_VOICE, param="voice")
    version: TemplateVersion = TemplateVersion.objects.create(
        organization_id=template.organization_id,
        template=template,
        number=template.latest,
        voice=voice,
        note=" ".join(note.split())[:LONGEST_NOTE],
        created_by_id=actor.person_id,
        **values,
    )
    return version


def _check_examples(examples: list[dict[str, Any]], variables: dict[str, Any]) -> None:
    """Values to try the template with; files and pages are left to whoever tries it."""
    if len(examples) > MOST_EXAMPLES:
        raise TemplateInvalid(
            "A template has at most %(most)s examples.", values={"most": MOST_EXAMPLES}, param="examples"
        )
    for index, example in enumerate(examples):
        param = f"examples.{index}"
        if not isinstance(example, dict):
            raise TemplateInvalid("An example names variables and their values.", param=param)
        for name, value in example.items():
            variable = variables.get(name)
            if variable is None or variable.is_source:
                raise TemplateInvalid("The template has no variable of this name.", param=f"{param}.{name[:40]}")
            try:
                value_of(variable, value)
            except VariableError as error:
                raise TemplateInvalid(error.template, values=error.values or None, param=f"{param}.{name}") from None


def _check_settings(facts: TemplateFacts) -> None:
    if facts.model_name:
        registry.resolve(facts.model_name)
    if unknown := sorted(set(facts.sampling) - set(SAMPLING)):
        raise TemplateInvalid("There is nothing called %(what)s.", values={"what": unknown[0]}, param="sampling")
    try:
        sampling = sampling_of(facts.sampling)
        checked_spec(GenerationSpec(messages=(Message("user", "."),), sampling=sampling, max_tokens=facts.max_tokens))
    except InvalidRequest as error:
        raise TemplateInvalid(error.template, values=error.values, param=f"sampling.{error.param}") from None
    except TypeError:
        raise TemplateInvalid("Numbers are expected here.", param="sampling") from None
    for name, most in facts.limits.items():
        highest = LIMITS.get(name)
        if highest is None or isinstance(most, bool) or not isinstance(most, int) or not 1 <= most <= highest:
            raise TemplateInvalid("This limit makes no sense.", param=f"limits.{str(name)[:40]}")
