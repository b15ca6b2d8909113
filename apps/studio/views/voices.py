"""Pages of brand voices: the list, one with what its samples measure, writing one, and holding a text against it."""

from __future__ import annotations

import re
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import Actor, organization_page
from apps.core import undo
from apps.core.errors import InvalidRequest, MillraceError
from apps.core.keyset import page_of
from apps.studio import marking
from apps.studio.differences import differences
from apps.studio.measures import measures
from apps.studio.models import BrandVoice, BrandVoiceVersion
from apps.studio.services import voices
from apps.studio.voice_forms import VoiceForm, initial_of
from ml.text.learned import suggested
from ml.text.voice import measure
from ml.text.voicing import system_message

READ, WRITE = "templates:read", "templates:write"
SHOWN_VERSIONS = 20
_NUMBER = re.compile(r"[0-9]{1,9}")


@require_GET
@organization_page
def index(request: HttpRequest) -> HttpResponse:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(READ)
    archived = "archived" in request.GET
    rows = BrandVoice.objects.filter(archived_at__isnull=not archived).select_related("created_by")
    context = {
        "page": page_of(rows, request.GET.get("before")),
        "archived": archived,
        "may_write": WRITE in actor.permissions,
    }
    return render(request, "studio/voices/index.html", context)


@require_http_methods(["GET", "POST"])
@organization_page
def voice(request: HttpRequest, slug: str) -> HttpResponse:
    """One voice: its rules as a model is told them, what its samples measure, its versions, and a text to check."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    number = request.GET.get("version", "")
    version = voices.seen(actor, slug, int(number) if _NUMBER.fullmatch(number) else None)
    context: dict[str, Any] = {
        "voice": version.voice,
        "version": version,
        "told": system_message(version.spec),
        "measures": measures(version.features) if version.features else [],
        "versions": BrandVoiceVersion.objects.filter(voice=version.voice).order_by("-number")[:SHOWN_VERSIONS],
        "changes": _changes(version),
        "may_write": WRITE in actor.permissions,
    }
    if request.method == "POST":
        text = request.POST.get("text", "").replace("\r\n", "\n")
        violations = voices.check_text(actor, slug, text, version.number)
        context |= {
            "text": text,
            "violations": marking.listed(text, violations),
            "segments": marking.segments(text, violations),
        }
    return render(request, "studio/voices/voice.html", context)


def _changes(version: BrandVoiceVersion) -> list[Any]:
    """What this version changed of the one before."""
    before = BrandVoiceVersion.objects.filter(voice=version.voice, number=version.number - 1).first()
    return differences(before.content, version.content) if before else []


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
    return _edit(request, actor, voices.seen(actor, slug))


def _edit(request: HttpRequest, actor: Actor, version: BrandVoiceVersion | None) -> HttpResponse:
    names = {"name": version.voice.name, "description": version.voice.description} if version else {}
    initial = names | (initial_of(version.content) if version else {})
    form, status = VoiceForm(request.POST or None, initial=initial), 200
    measured: list[Any] = []
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                if "measure" not in request.POST:
                    return _saved(request, actor, version, form)
                form, measured = _learned(form)
                status = 200
            except MillraceError as error:
                form.refuse(error)
    context = {"form": form, "version": version, "measures": measured}
    return render(request, "studio/voices/edit.html", context, status=status)


def _learned(form: VoiceForm) -> tuple[VoiceForm, list[Any]]:
    """The form with the rules that its samples suggest where it had none, and what was measured."""
    content = form.content()
    features = measure(voices.checked(content).samples)
    if not features.sentences:
        raise InvalidRequest("Paste a text first.", param="samples")
    learned = dict(content)
    for name, value in suggested(features).items():
        if name == "tone":
            learned["tone"] = value | content["tone"]
        elif not content.get(name):
            learned[name] = value
    kept = {name: form.cleaned_data[name] for name in ("name", "description", "note")}
    return VoiceForm(initial=kept | initial_of(learned)), measures(features.to_dict())


def _saved(request: HttpRequest, actor: Actor, version: BrandVoiceVersion | None, form: VoiceForm) -> HttpResponse:
    names = {name: form.cleaned_data[name] for name in ("name", "description")}
    note = form.cleaned_data["note"]
    if version is None:
        saved = voices.create(actor, names["name"], form.content(), description=names["description"], note=note)
        messages.success(request, _("The brand voice has been created."))
    else:
        voices.change(actor, version.voice.slug, **names)
        saved = voices.add_version(actor, version.voice.slug, form.content(), note)
        messages.success(request, _("Saved as version %(number)s.") % {"number": saved.number})
    return redirect("voice", slug=saved.voice.slug)


@require_POST
@organization_page
def restore_version(request: HttpRequest, slug: str) -> HttpResponse:
    """What an earlier version said becomes the newest one."""
    number = request.POST.get("version", "")
    if not _NUMBER.fullmatch(number):
        raise InvalidRequest("There is no version of this number.", param="version")
    version = voices.restore_version(request.actor, slug, int(number))  # type: ignore[attr-defined]
    messages.success(request, _("Saved as version %(number)s.") % {"number": version.number})
    return redirect("voice", slug=slug)


@require_POST
@organization_page
def archive(request: HttpRequest, slug: str) -> HttpResponse:
    """Takes it out of every choice, or with `undo` back into them."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    if "undo" in request.POST:
        row = voices.restore(actor, slug)
        messages.success(request, _("“%(name)s” is in use again.") % {"name": row.name})
        return redirect("voice", slug=slug)
    row = voices.archive(actor, slug)
    back = reverse("voice-archive", args=[slug])
    undo.offer(request, _("“%(name)s” is in the archive.") % {"name": row.name}, back, undo="1")
    return redirect("voices")
