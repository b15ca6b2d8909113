"""Endpoints: all of them, and one with its secrets and its messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import Actor, organization_page
from apps.accounts.organization_forms import attempt, first_errors
from apps.accounts.sudo import recently_authenticated, require_recent
from apps.core.errors import MillraceError, NotFound
from apps.core.keyset import page_of
from apps.webhooks import services
from apps.webhooks.access import MANAGE
from apps.webhooks.forms import EndpointForm, ReplayForm, SecretForm
from apps.webhooks.models import Delivery, DeliveryState, Endpoint, EndpointKind
from apps.webhooks.services.fanout import behind_by
from apps.webhooks.services.replays import shown, waiting_at

PAGE_ROWS = 25


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def webhooks_page(request: HttpRequest) -> HttpResponse:
    """Every endpoint with how it does, and a form for another; the new secret is in this answer and nowhere else."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    if request.method == "POST":
        require_recent(request)
    form = EndpointForm(request.POST or None, initial={"format": request.GET.get("format", "")})
    made: list[Any] = []
    if form.is_valid() and attempt(form, lambda: made.extend(services.create_endpoint(actor, **form.cleaned_data))):
        form = EndpointForm()
    rows = list(Endpoint.objects.filter(kind=EndpointKind.EVENTS).order_by("-id"))
    waiting = waiting_at(rows)
    context = {
        "endpoints": [(row, waiting.get(row.pk, 0)) for row in rows],
        "form": form,
        "created": made[0] if made else None,
        "secret": made[1] if made else "",
    }
    return render(request, "webhooks/webhooks.html", context, status=first_errors([form]))


@require_GET
@never_cache
@organization_page
def endpoint_page(request: HttpRequest, id: UUID) -> HttpResponse:
    return _shown(request, services.get_endpoint(request.actor, id), {})  # type: ignore[attr-defined]


@require_POST
@never_cache
@recently_authenticated
@organization_page
def endpoint_act(request: HttpRequest, id: UUID, act: str) -> HttpResponse:
    """Changes the endpoint, its secrets or what it is sent."""
    actor = request.actor  # type: ignore[attr-defined]
    found = services.get_endpoint(actor, id)
    acts: dict[str, Callable[[HttpRequest, Endpoint], HttpResponse]] = {
        "change": _change,
        "pause": _pause,
        "resume": _resume,
        "test": _test,
        "replay": _replay,
        "secret": _add_secret,
        "remove-secret": _remove_secret,
        "delete": _delete,
    }
    if act not in acts:
        raise NotFound(_("There is nothing at this address."))
    return acts[act](request, found)


def _change(request: HttpRequest, found: Endpoint) -> HttpResponse:
    form = EndpointForm(request.POST)
    actor = request.actor  # type: ignore[attr-defined]
    if form.is_valid() and attempt(form, lambda: services.change_endpoint(actor, found.pk, form.cleaned_data)):
        messages.success(request, _("The endpoint has been changed."))
        return redirect("webhook", found.pk)
    return _shown(request, found, {"form": form})


def _pause(request: HttpRequest, found: Endpoint) -> HttpResponse:
    services.pause_endpoint(request.actor, found.pk)  # type: ignore[attr-defined]
    messages.success(request, _("Nothing is sent there for now."))
    return redirect("webhook", found.pk)


def _resume(request: HttpRequest, found: Endpoint) -> HttpResponse:
    services.resume_endpoint(request.actor, found.pk)  # type: ignore[attr-defined]
    messages.success(request, _("Events are sent there again."))
    return redirect("webhook", found.pk)


def _test(request: HttpRequest, found: Endpoint) -> HttpResponse:
    made = services.send_test(request.actor, found.pk)  # type: ignore[attr-defined]
    messages.success(request, _("A test is on its way."))
    return redirect("webhook-delivery", made.pk)


def _replay(request: HttpRequest, found: Endpoint) -> HttpResponse:
    form = ReplayForm(request.POST)
    counts: list[int] = []
    actor = request.actor  # type: ignore[attr-defined]
    if form.is_valid() and attempt(
        form, lambda: counts.append(services.replay_range(actor, found.pk, **form.cleaned_data))
    ):
        words = ngettext("%(count)s message is sent again.", "%(count)s messages are sent again.", counts[0])
        messages.success(request, words % {"count": counts[0]})
        return redirect("webhook", found.pk)
    return _shown(request, found, {"replaying": form})


def _add_secret(request: HttpRequest, found: Endpoint) -> HttpResponse:
    form = SecretForm(request.POST)
    made: list[Any] = []
    actor = request.actor  # type: ignore[attr-defined]
    if form.is_valid():
        attempt(form, lambda: made.extend(services.add_secret(actor, found.pk, **form.cleaned_data)))
    return _shown(request, found, {"adding": form if form.errors else SecretForm(), "secret": made[1] if made else ""})


def _remove_secret(request: HttpRequest, found: Endpoint) -> HttpResponse:
    try:
        id = UUID(request.POST.get("secret", ""))
        services.remove_secret(request.actor, found.pk, id)  # type: ignore[attr-defined]
        messages.success(request, _("The secret does not sign any more."))
    except ValueError:
        raise NotFound(_("There is nothing at this address.")) from None
    except MillraceError as error:
        messages.error(request, error.shown())
    return redirect("webhook", found.pk)


def _delete(request: HttpRequest, found: Endpoint) -> HttpResponse:
    services.delete_endpoint(request.actor, found.pk)  # type: ignore[attr-defined]
    messages.success(request, _("The endpoint is gone."))
    return redirect("webhooks")


def _shown(request: HttpRequest, found: Endpoint, given: dict[str, Any]) -> HttpResponse:
    actor = request.actor  # type: ignore[attr-defined]
    state = request.GET.get("status", "")
    rows = Delivery.objects.filter(Q(state=state) if state in DeliveryState.values else Q(), endpoint=found)
    current = {
        "url": found.url,
        "description": found.description,
        "types": " ".join(found.types),
        "payload": found.payload,
        "version": found.version,
        "at_once": found.at_once,
    }
    forms = {"form": EndpointForm(initial=current), "adding": SecretForm(), "replaying": ReplayForm()}
    context = {
        "endpoint": found,
        "secrets": services.secrets_of(actor, found.pk),
        "page": page_of(rows.defer("body"), request.GET.get("before"), PAGE_ROWS),
        "states": DeliveryState.choices,
        "chosen": state,
        "behind": behind_by(found),
        "waiting": waiting_at([found]).get(found.pk, 0),
        **forms,
        **given,
    }
    return render(request, "webhooks/webhook.html", context, status=first_errors([context[name] for name in forms]))


# ---------------------------------------------------------------- messages


@require_GET
@organization_page
def delivery_page(request: HttpRequest, id: UUID) -> HttpResponse:
    """A message with every request and answer."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    found = services.get_delivery(actor, id)
    may_see = services.may_see(actor, found)
    context = {
        "delivery": found,
        "attempts": list(found.attempts.order_by("-number")[:50]),
        "body": shown(found.body) if may_see else "",
        "may_see": may_see,
        "is_callback": found.endpoint.kind == EndpointKind.CALLBACKS,
    }
    return render(request, "webhooks/delivery.html", context)


@require_POST
@organization_page
def delivery_replay(request: HttpRequest, id: UUID) -> HttpResponse:
    services.replay_delivery(request.actor, id)  # type: ignore[attr-defined]
    messages.success(request, _("The message is sent again."))
    return redirect("webhook-delivery", id)


@require_http_methods(["GET", "POST"])
@never_cache
@organization_page
def callbacks_page(request: HttpRequest) -> HttpResponse:
    """What signs results of jobs, and the results that were sent; a new secret is in this answer and nowhere else."""
    actor = request.actor  # type: ignore[attr-defined]
    actor.require(MANAGE)
    made: list[Any] = []
    adding = SecretForm()
    if request.method == "POST":
        require_recent(request)
        if "remove" in request.POST:
            return _remove_callback_secret(request)
        adding = SecretForm(request.POST)
        if adding.is_valid() and attempt(
            adding, lambda: made.extend(services.add_secret(actor, None, **adding.cleaned_data))
        ):
            adding = SecretForm()
    rows = Delivery.objects.filter(endpoint__kind=EndpointKind.CALLBACKS).defer("body")
    context = {
        "secrets": services.secrets_of(actor, None),
        "page": page_of(rows, request.GET.get("before"), PAGE_ROWS),
        "adding": adding,
        "secret": made[1] if made else "",
    }
    return render(request, "webhooks/callbacks.html", context, status=first_errors([adding]))


def _remove_callback_secret(request: HttpRequest) -> HttpResponse:
    try:
        services.remove_secret(request.actor, None, UUID(request.POST["remove"]))  # type: ignore[attr-defined]
        messages.success(request, _("The secret does not sign any more."))
    except ValueError:
        raise NotFound(_("There is nothing at this address.")) from None
    except MillraceError as error:
        messages.error(request, error.shown())
    return redirect("webhook-callbacks")
