"""The audit log: reading, exporting, and deciding how long it is kept and where it is sent."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts import audit, services
from apps.accounts.access import organization_page
from apps.accounts.audit import export
from apps.accounts.audit.search import Filters, Page, filters_of, page_of, position
from apps.accounts.audit.sentences import sentence
from apps.accounts.models import AuditAnchor, AuditEntry, AuditHead, AuditSettings, AuditStream, AuditVerification
from apps.accounts.models.audit import SHORTEST_RETENTION_DAYS
from apps.accounts.sudo import recently_authenticated, require_recent
from apps.core.errors import InvalidRequest, MillraceError

READ, MANAGE = "audit:read", "audit:manage"
NAMES = ("actor", "action", "target", "address", "text", "since", "until")


@require_GET
@organization_page
def audit_log(request: HttpRequest) -> HttpResponse:
    """A page of entries with the filters above it, and whether the chain is whole."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    error = ""
    try:
        filters = filters_of(request.GET)
        page = page_of(filters, position(request.GET.get("before")), position(request.GET.get("after")))
    except InvalidRequest as problem:
        filters, page, error = Filters(), Page([], None, None), problem.shown()
    given = {name: value for name in NAMES if (value := request.GET.get(name, "").strip())}
    context = {
        "page": page,
        "entries": [(entry, sentence(entry), changes(entry)) for entry in page.rows],
        "given": given,
        "query": urlencode(given),
        "filter_error": error,
        "verification": AuditVerification.objects.order_by("-created_at").first(),
        "anchor": AuditAnchor.objects.order_by("-sequence").first(),
        "may_manage": MANAGE in actor.permissions,
    }
    return render(request, "accounts/audit.html", context, status=422 if error else 200)


def changes(entry: AuditEntry) -> list[tuple[str, Any, Any]]:
    """Each field with its value before and after; a dash where there was none."""
    before, after = entry.before or {}, entry.after or {}
    names = [*before, *(name for name in after if name not in before)]
    return [(name, _shown(before.get(name)), _shown(after.get(name))) for name in names]


def _shown(value: Any) -> str:
    if value is None or value == "":
        return "–"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


@require_POST
@organization_page
def export_audit_log(request: HttpRequest) -> HttpResponse:
    """The entries that the filters leave, as a file that is sent while it is read; recorded itself."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    format = request.POST.get("format", "")
    if format not in export.FORMATS:
        raise InvalidRequest(_("Choose CSV or JSON lines."), param="format")
    filters = filters_of(request.POST)
    organization = request.organization  # type: ignore[attr-defined]
    audit.record(actor, "audit.exported", organization, format=format, filters=filters.given)
    content_type = export.FORMATS[format][0]
    response = StreamingHttpResponse(export.stream(organization.pk, filters, format), content_type=content_type)
    name = f"audit-{organization.slug}-{timezone.now():%Y%m%d-%H%M%S}.{format}"
    response["content-disposition"] = f'attachment; filename="{name}"'
    response["cache-control"] = "no-store"
    # Django's two kinds of answer have a base in common that the decorator does not ask for.
    return response  # type: ignore[return-value]


class RetentionForm(forms.Form):
    retention_days = forms.IntegerField(
        label=gettext_lazy("Keep entries for this many days"),
        required=False,
        min_value=SHORTEST_RETENTION_DAYS,
        help_text=gettext_lazy("Empty: for ever. What is older is removed every night, and that is recorded."),
    )


class StreamForm(forms.Form):
    url = forms.CharField(
        label=gettext_lazy("Address"),
        max_length=500,
        help_text=gettext_lazy("https://… for a webhook; syslog+tls://host:port, syslog+tcp://… or syslog+udp://…"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
    )
    from_beginning = forms.BooleanField(label=gettext_lazy("Send what is already there as well"), required=False)


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def audit_settings(request: HttpRequest) -> HttpResponse:
    """Retention and streams; the secret of a new webhook is in the answer to its creation and nowhere else."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    if request.method == "POST":
        require_recent(request)
    rule = AuditSettings.objects.first()
    which = request.POST.get("form", "")
    retention = RetentionForm(
        request.POST if which == "retention" else None, initial={"retention_days": rule and rule.retention_days}
    )
    adding = StreamForm(request.POST if which == "stream" else None)
    created: dict[str, Any] = {}
    if retention.is_valid():
        services.set_audit_retention(actor, retention.cleaned_data["retention_days"])
        messages.success(request, _("The rule has been changed."))
        return redirect("audit-settings")
    if adding.is_valid():
        try:
            stream, secret = services.add_audit_stream(actor, **adding.cleaned_data)
            created, adding = {"created": stream, "secret": secret}, StreamForm()
        except MillraceError as error:
            adding.add_error("url" if error.param == "url" else None, error.shown())
    head = AuditHead.objects.first()
    streams = [
        (stream, (head.sequence if head else 0) - stream.cursor) for stream in AuditStream.objects.order_by("id")
    ]
    context = {"retention": retention, "adding": adding, "streams": streams, **created}
    status = 422 if retention.errors or adding.errors else 200
    return render(request, "accounts/audit_settings.html", context, status=status)


@require_POST
@recently_authenticated
@organization_page
def switch_audit_stream(request: HttpRequest, id: UUID) -> HttpResponse:
    enabled = request.POST.get("enabled") == "1"
    services.switch_audit_stream(request.actor, id, enabled)  # type: ignore[attr-defined]
    messages.success(request, _("Sending goes on.") if enabled else _("Sending is paused."))
    return redirect("audit-settings")


@require_POST
@recently_authenticated
@organization_page
def remove_audit_stream(request: HttpRequest, id: UUID) -> HttpResponse:
    services.remove_audit_stream(request.actor, id)  # type: ignore[attr-defined]
    messages.success(request, _("The audit log is no longer sent there."))
    return redirect("audit-settings")
