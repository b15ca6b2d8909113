"""Writing a template and changing it, which makes a new version."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from apps.accounts.access import Actor, organization_page
from apps.core import undo
from apps.core.errors import MillraceError
from apps.studio.errors import unreadable
from apps.studio.models import TemplateVersion
from apps.studio.services import templates
from apps.studio.template_forms import ExampleFormSet, TemplateForm, initial_of
from apps.studio.variable_forms import VariableFormSet, variable_rows, with_new_names
from ml.text import prompts
from ml.text.prompts import PromptError, Source, Value
from ml.text.variables import Type, variables_of

WRITE = "templates:write"


@require_http_methods(["GET", "POST"])
@organization_page
def new(request: HttpRequest) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    return _edit(request, actor, None)


@require_http_methods(["GET", "POST"])
@organization_page
def edit(request: HttpRequest, slug: str) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    return _edit(request, actor, templates.newest(actor, slug))


def _edit(request: HttpRequest, actor: Actor, version: TemplateVersion | None) -> HttpResponse:
    posted, new_names = with_new_names(request.POST) if request.POST else (None, [])
    form = TemplateForm(posted, initial=initial_of(version) if version else None)
    rows: Any = VariableFormSet(posted, initial=variable_rows(version), prefix="vars")
    examples: Any = ExampleFormSet(posted, version=version)
    preview, status = "", 200
    if posted is not None:
        status = 422
        valid = form.is_valid() and rows.is_valid() and examples.is_valid()
        if valid and not (new_names and "preview" not in request.POST):
            facts = form.facts(rows.definitions(), examples.values(), version)
            try:
                checked = templates.checked(facts)
                if "preview" not in request.POST:
                    return _saved(request, actor, version, form, checked)
                preview, status = _preview(checked), 200
            except MillraceError as error:
                _refuse(form, examples, error)
    context: dict[str, Any] = {"form": form, "rows": rows, "examples": examples, "version": version, "preview": preview}
    context["new_names"] = ", ".join(new_names)
    return render(request, "studio/templates/edit.html", context, status=status)


def _saved(
    request: HttpRequest, actor: Actor, version: TemplateVersion | None, form: TemplateForm, facts: Any
) -> HttpResponse:
    names = {name: form.cleaned_data[name] for name in ("name", "description")}
    note = form.cleaned_data["note"]
    if version is None:
        saved = templates.create(actor, names["name"], facts, description=names["description"], note=note)
        messages.success(request, _("The template has been created."))
    else:
        slug = version.template.slug
        templates.change(actor, slug, **names)
        saved = templates.add_version(actor, slug, facts, note)
        if saved.number == version.number:
            messages.success(request, _("Saved. The prompt is as it was, so there is no new version."))
        else:
            messages.success(request, _("Version %(number)s has been saved as the draft.") % {"number": saved.number})
    return redirect("template", slug=saved.template.slug)


def _refuse(form: TemplateForm, examples: Any, error: MillraceError) -> None:
    """At the field it is about; what is wrong with a variable or a setting is said above, with its name."""
    param = error.param or ""
    if param.startswith("examples.") and examples.refuse(param, error.shown()):
        return
    name = {"limits.characters": "characters", "limits.hashtags": "hashtags"}.get(param, param.split(".")[-1])
    if name in form.fields and not param.startswith(("variables.", "examples.")):
        form.add_error(name, error.shown())
    else:
        form.add_error(None, f"{param.split('.', 1)[-1]}: {error.shown()}" if param else error.shown())


def _preview(facts: templates.TemplateFacts) -> str:
    """What a model would be told, with the first example, or with each variable's name in its place."""
    example = facts.examples[0] if facts.examples else {}
    values: dict[str, Value] = {}
    for variable in variables_of(facts.variables):
        given = example.get(variable.name) or variable.default or f"‹{variable.shown}›"
        if variable.is_source:
            given = [Source(f"‹{variable.shown}›", "…")]
        elif variable.type == Type.LIST and isinstance(given, str):
            given = given.splitlines()
        values[variable.name] = given
    try:
        parts = [prompts.parse(text).render(values) for text in (facts.system, facts.prompt) if text]
    except PromptError as error:
        return unreadable(error).shown()
    return "\n\n".join(parts)


@require_POST
@organization_page
def duplicate(request: HttpRequest, slug: str) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(WRITE)
    template = templates.get(actor, slug)
    version = templates.duplicate(actor, slug, _("%(name)s, copy") % {"name": template.name[:110]})
    messages.success(request, _("This is a template of its own now."))
    return redirect("template-edit", slug=version.template.slug)


@require_POST
@organization_page
def archive(request: HttpRequest, slug: str) -> HttpResponse:
    """Takes it out of use, or with `undo` back into it."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    if "undo" in request.POST:
        template = templates.restore(actor, slug)
        messages.success(request, _("“%(name)s” is in use again.") % {"name": template.name})
        return redirect("template", slug=slug)
    template = templates.archive(actor, slug)
    back = reverse("template-archive", args=[slug])
    undo.offer(request, _("“%(name)s” is in the archive.") % {"name": template.name}, back, undo="1")
    return redirect("templates")
