"""Pages of settings of each kind: all of a kind with a form for another, and one of them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages as flashes
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from apps.accounts.access import Actor, organization_page
from apps.accounts.organization_forms import attempt
from apps.core.errors import MillraceError, NotFound
from apps.support.access import MANAGE, READ, WRITE
from apps.support.editors import FORMS, RuleForm, SettingForm
from apps.support.editors.choices import facts
from apps.support.services import reading, setup, trying
from apps.support.services.setup import MISSING

NAMES: dict[str, Any] = {
    "hours": gettext_lazy("Business hours"),
    "sla": gettext_lazy("Promises"),
    "label": gettext_lazy("Labels"),
    "canned": gettext_lazy("Ready texts"),
    "macro": gettext_lazy("Macros"),
    "rule": gettext_lazy("Rules"),
    "attribute": gettext_lazy("Attributes"),
}
RECENT = 30


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def settings_page(request: HttpRequest, kind: str) -> HttpResponse:
    """All of a kind, and a form for another; whoever answers may have macros of their own."""
    actor = _actor(request)
    _require(request, actor, kind)
    form = _form(request, kind)
    personal = {"personal": True} if kind == "macro" and MANAGE not in actor.permissions else {}
    right = form.is_bound and form.is_valid()
    if right and "try" in request.POST:
        more = _tried(actor, form, request.POST.get("conversation", ""))
    elif right and attempt(form, lambda: setup.create(actor, kind, form.values() | personal)):
        flashes.success(request, _("It has been added."))
        return redirect("desk-settings", kind)
    else:
        more = {}
    context = {"rows": list(setup.listing(actor, kind)), "form": form} | _about(kind, actor) | more
    context["may_change"] = context["may_add"]
    return render(request, "support/settings.html", context, status=_status(form, more))


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def setting_page(request: HttpRequest, kind: str, id: UUID) -> HttpResponse:
    actor = _actor(request)
    _require(request, actor, kind)
    row = setup.get(actor, kind, id) if kind in FORMS else None
    if "delete" in request.POST:
        setup.delete(actor, kind, id)
        flashes.success(request, _("It has been deleted."))
        return redirect("desk-settings", kind)
    form = _form(request, kind, row)
    right = form.is_bound and form.is_valid()
    if right and "try" in request.POST:
        more = _tried(actor, form, request.POST.get("conversation", ""))
    elif right and attempt(form, lambda: setup.change(actor, kind, id, form.values())):
        flashes.success(request, _("It has been changed."))
        return redirect("desk-settings", kind)
    else:
        more = {}
    context = {"row": row, "form": form} | _about(kind, actor) | more
    # Of macros whoever answers changes their own, and the desk's are changed by whoever sets it up.
    context["may_change"] = context["may_manage"] or getattr(row, "owner_id", None) is not None
    return render(request, "support/setting.html", context, status=_status(form, more))


def _form(request: HttpRequest, kind: str, row: Any = None) -> SettingForm:
    if kind not in FORMS:
        raise NotFound(MISSING)
    initial = {name: getattr(row, name) for name in setup.KINDS[kind].fields} if row is not None else None
    return FORMS[kind](request.POST or None, initial)


def _require(request: HttpRequest, actor: Actor, kind: str) -> None:
    writing = WRITE if kind == "macro" else MANAGE
    actor.require(READ if request.method == "GET" else writing)


def _tried(actor: Actor, form: SettingForm, chosen: str) -> dict[str, Any]:
    """What a rule would find in a conversation, on the same page."""
    if not isinstance(form, RuleForm):
        raise NotFound(_("There is nothing at this address."))
    values = form.values()
    try:
        found = trying.tried(actor, UUID(chosen), values["event"], values["conditions"])
    except ValueError:
        form.add_error(None, _("Choose a conversation."))
        return {}
    except MillraceError as error:
        form.add_error(None, error.shown())
        return {}
    return {"tried": found, "would": values["actions"]}


def _about(kind: str, actor: Actor) -> dict[str, Any]:
    may_manage = MANAGE in actor.permissions
    return {
        "kind": kind,
        "name": NAMES[kind],
        "kinds": NAMES,
        "may_manage": may_manage,
        "may_add": may_manage or (kind == "macro" and WRITE in actor.permissions),
        "facts": facts() if kind in ("macro", "rule") else None,
        "recent": list(reading.listed(actor, {})[:RECENT]) if kind == "rule" and may_manage else [],
    }


def _status(form: SettingForm, more: dict[str, Any]) -> int:
    return 422 if form.is_bound and "tried" not in more else 200


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor
