"""Writing with a template: its variables as a form, the cost beforehand, the text as it arrives."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods

from apps.accounts.access import Actor, waiting_page
from apps.core import tenancy
from apps.core.errors import MillraceError, NotFound
from apps.studio import texts, throttle
from apps.studio.errors import SourceNotReady
from apps.studio.models import DRAFT, PRODUCTION, Generation, Template, TemplateLabel, TemplateVersion
from apps.studio.services import templates
from apps.studio.template_forms import OWN, PREFIX, UseForm
from apps.studio.views.generations import output_context, prices_of
from ml.text.variables import Type

READ, WRITE, GENERATE = "templates:read", "templates:write", "generations:write"
RECENT = 6
# Of the version that a label stands on, what its form and the page show.
OF_LABEL = ("version__template", "version__voice")


@require_http_methods(["GET", "POST"])
@waiting_page
def use(request: HttpRequest, slug: str) -> HttpResponse:
    """The page of one template; `version` or `label` say which of its versions, `text` which text is shown.

    Files are read by a child process, and pages are asked for, so that no transaction may wait around it.
    """
    actor: Actor = request.actor  # type: ignore[attr-defined]
    with tenancy.scope(actor.organization_id):
        newest = templates.newest(actor, slug)
        template = newest.template
        labels = list(TemplateLabel.objects.filter(template=template).select_related(*OF_LABEL).order_by("name"))
        wanted = request.POST.get("version") or request.GET.get("version", "")
        label, version = chosen_version(newest, labels, wanted)
        page = _Page(request, template, version, label, labels)
        if request.method == "GET":
            generation = _generation(actor, template, request.GET.get("text"))
            initial = _initial(version, generation, request.GET.get("example", ""))
            return _render(page, UseForm(version, initial=initial), generation)
        form = UseForm(version, request.POST, request.FILES)
    return _create(page, form)


@dataclass(frozen=True, slots=True)
class _Page:
    """What one request is about."""

    request: HttpRequest
    template: Template
    version: TemplateVersion
    label: str
    labels: list[TemplateLabel]

    @property
    def actor(self) -> Actor:
        actor: Actor = self.request.actor  # type: ignore[attr-defined]
        return actor


def chosen_version(newest: TemplateVersion, labels: list[TemplateLabel], wanted: str) -> tuple[str, TemplateVersion]:
    """The version under a label or number; without one that in production, else the draft."""
    by_label = {label.name: label.version for label in labels}
    wanted = wanted or (PRODUCTION if PRODUCTION in by_label else DRAFT)
    if wanted in by_label:
        return wanted, by_label[wanted]
    if wanted == DRAFT:
        return wanted, newest
    if re.fullmatch(r"[0-9]{1,9}", wanted):
        return wanted, templates.numbered(newest.template, int(wanted))
    raise NotFound("There is no version of this number.")


def _create(page: _Page, form: UseForm) -> HttpResponse:
    request, actor, slug = page.request, page.actor, page.template.slug
    if form.is_valid():
        try:
            rendered = templates.render(actor, page.version.pk, form.values(), form.chosen_voice)
            generation = throttle.request_generation(actor, rendered.spec(**form.settings()))
            url = f"{reverse('template', args=[slug])}?{urlencode({'version': page.label, 'text': str(generation.pk)})}"
            wanted = _wants_json(request)
            return JsonResponse({"id": str(generation.pk), "url": url}) if wanted else redirect(url)
        except SourceNotReady as error:
            if _wants_json(request):
                return JsonResponse({"errors": {}, "message": error.shown(), "retry": True}, status=error.status)
            form.refuse(error)
        except MillraceError as error:
            form.refuse(error)
    if _wants_json(request):
        message = " ".join(map(str, form.non_field_errors()))
        return JsonResponse({"errors": form.errors, "message": message}, status=422)
    with tenancy.scope(actor.organization_id):
        return _render(page, form, None, status=422)


def _wants_json(request: HttpRequest) -> bool:
    return request.headers.get("accept", "") == "application/json"


def _generation(actor: Actor, template: Template, id: str | None) -> Generation | None:
    """The text to show, which must be one of this template."""
    if not id:
        return None
    actor.require("generations:read")
    try:
        rows = Generation.objects.for_pages().select_related("template_version__template", "voice_version__voice")
        generation: Generation | None = rows.filter(pk=UUID(id), template_version__template=template).first()
    except ValueError:
        generation = None
    if generation is None:
        raise NotFound("There is no generation with this id.")
    return generation


def _initial(version: TemplateVersion, generation: Generation | None, example: str) -> dict[str, Any]:
    """What the form begins with: what the shown text was made from, or an example."""
    values: dict[str, Any] = {}
    initial: dict[str, Any] = {}
    if generation is not None:
        values = dict(generation.variables or {})
        initial = {
            "model": generation.model_name,
            "max_tokens": generation.max_tokens,
            "temperature": generation.temperature,
            "top_p": generation.top_p,
            "voice": generation.voice_version.voice.slug if generation.voice_version else OWN,
        }
    elif example.isascii() and example.isdecimal() and len(example) < 4 and int(example) < len(version.examples):
        values = version.examples[int(example)]
    for variable in version.fields:
        value = values.get(variable.name)
        if value and variable.type != Type.FILE:
            initial[PREFIX + variable.name] = _as_field(value)
    return initial


def _as_field(value: Any) -> Any:
    """A list as lines, a page as its address."""
    if isinstance(value, dict):
        return value.get("name", "")
    return "\n".join(str(_as_field(item)) for item in value) if isinstance(value, list) else value


def _render(page: _Page, form: UseForm, generation: Generation | None, status: int = 200) -> HttpResponse:
    actor, version = page.actor, page.version
    context: dict[str, Any] = {
        "template": page.template,
        "version": version,
        "label": page.label,
        "labels": page.labels,
        "form": form,
        "recent": _recent(actor, page.template),
        "may_change": WRITE in actor.permissions,
        "may_generate": GENERATE in actor.permissions and page.template.archived_at is None,
        "prices": prices_of(form),
        "prompt_bytes": len((version.system + version.prompt).encode()),
        "texts": texts.script_texts(),
        **output_context(actor, generation),
    }
    return render(page.request, "studio/templates/use.html", context, status=status)


def _recent(actor: Actor, template: Template) -> Any:
    if "generations:read" not in actor.permissions:
        return []
    return Generation.objects.for_pages().filter(Q(template_version__template=template))[:RECENT]
