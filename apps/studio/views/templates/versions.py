"""A template's versions: what differs, what was approved, where the labels stand, and who sees it."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Exists, F, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.accounts.access import Actor, organization_page
from apps.accounts.models import Team
from apps.core.errors import InvalidRequest, MillraceError
from apps.studio.differences import differences
from apps.studio.models import (
    PRODUCTION,
    Template,
    TemplateLabel,
    TemplateSettings,
    TemplateTeam,
    TemplateVersion,
)
from apps.studio.services import templates
from apps.studio.template_forms import ShareForm

READ, WRITE, APPROVE = "templates:read", "templates:write", "templates:approve"
MOST_TEAMS, ROWS = 100, 25


@require_GET
@organization_page
def versions(request: HttpRequest, slug: str) -> HttpResponse:
    """Every version, newest first, with its labels and who approved it."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    template = templates.seen(actor, slug)
    before = _number(request.GET.get("before", ""), template.latest + 1)
    rows = TemplateVersion.objects.filter(template=template, number__lt=before).select_related("created_by")
    # At most one approval a version, so that these joins double nothing.
    rows = rows.annotate(
        approved_at=F("approvals__created_at"),
        approver=F("approvals__approved_by__email"),
        approval_note=F("approvals__note"),
        four_eyes=Exists(TemplateSettings.objects.filter(four_eyes=True)),
    )
    found = list(rows.order_by("-number")[: ROWS + 1])
    shown = found[:ROWS]
    labels = list(
        TemplateLabel.objects.filter(template=template).select_related("version", "previous").order_by("name")
    )
    context = {
        "template": template,
        "page": {"next": shown[-1].number if len(found) > ROWS else None},
        "entries": [(row, [label for label in labels if label.version_id == row.pk]) for row in shown],
        "labels": labels,
        "production": next((label for label in labels if label.name == PRODUCTION), None),
        "may_write": WRITE in actor.permissions,
        "may_approve": APPROVE in actor.permissions,
        "share": _share_form(template),
        "user_id": actor.user_id,
    }
    return render(request, "studio/templates/versions.html", context)


def _share_form(template: Template) -> ShareForm:
    shared = Exists(TemplateTeam.objects.filter(template=template, team=OuterRef("pk")))
    teams = list(Team.objects.annotate(shared=shared).order_by("name")[:MOST_TEAMS])
    chosen = [str(team.pk) for team in teams if team.shared]
    choices = [(str(team.pk), team.name) for team in teams]
    return ShareForm(choices, initial={"visibility": template.visibility, "teams": chosen})


@require_GET
@organization_page
def diff(request: HttpRequest, slug: str) -> HttpResponse:
    """What changed from one version to another."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    template = templates.seen(actor, slug)
    newer = _number(request.GET.get("to", ""), template.latest)
    older = _number(request.GET.get("from", ""), max(1, newer - 1))
    pair = [templates.numbered(template, number) for number in (older, newer)]
    before, after = (templates.facts_of(version) for version in pair)
    context = {
        "template": template,
        "older": pair[0],
        "newer": pair[1],
        "numbers": range(template.latest, max(0, template.latest - 100), -1),
        "differences": differences(_fields(before), _fields(after)),
    }
    return render(request, "studio/templates/diff.html", context)


def _fields(facts: templates.TemplateFacts) -> dict[str, Any]:
    return {name: getattr(facts, name) for name in facts.__dataclass_fields__}


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise


@require_POST
@organization_page
def act(request: HttpRequest, slug: str) -> HttpResponse:
    """Approves a version, moves or removes a label, rolls back, or makes an earlier version the draft."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    act, number = request.POST.get("act", ""), _number(request.POST.get("version", ""), 0)
    label = request.POST.get("label", "").strip()
    try:
        words = _done(actor, slug, act, number, label, request.POST.get("note", ""))
    except MillraceError as error:
        if error.status in {403, 404} and error.code in {"permission_denied", "not_found"}:
            raise
        messages.error(request, error.shown())
    else:
        messages.success(request, words)
    return redirect("template-versions", slug=slug)


def _done(actor: Actor, slug: str, act: str, number: int, label: str, note: str) -> str:
    if act == "approve":
        templates.approve(actor, slug, number, note)
        return _("Version %(number)s is approved.") % {"number": number}
    if act == "label":
        row = templates.move_label(actor, slug, label, number)
        return _("“%(label)s” now stands on version %(number)s.") % {"label": row.name, "number": row.version.number}
    if act == "roll_back":
        row = templates.roll_back(actor, slug, label or PRODUCTION)
        return _("“%(label)s” is back on version %(number)s.") % {"label": row.name, "number": row.version.number}
    if act == "remove":
        templates.remove_label(actor, slug, label)
        return _("The label “%(label)s” has been taken off.") % {"label": label}
    if act == "draft":
        version = templates.restore_version(actor, slug, number)
        return _("Version %(number)s is the draft now.") % {"number": version.number}
    templates.get(actor, slug)
    raise InvalidRequest("There is nothing of this name to do.")


@require_POST
@organization_page
def share(request: HttpRequest, slug: str) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    try:
        ids = [UUID(id) for id in request.POST.getlist("teams")]
    except ValueError:
        raise InvalidRequest("There is no team with this id.", param="teams") from None
    try:
        template = templates.share(actor, slug, request.POST.get("visibility", ""), ids)
    except InvalidRequest as error:
        messages.error(request, error.shown())
    else:
        messages.success(request, _("Now seen by: %(who)s.") % {"who": template.get_visibility_display()})
    return redirect("template-versions", slug=slug)
