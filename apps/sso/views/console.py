"""The organization's console: connections, domains, group rules."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import Actor, organization_page, waiting_page
from apps.accounts.sudo import require_recent
from apps.core.errors import Conflict, InvalidRequest, MillraceError, NotFound, OutboundFailed, SsoRefused
from apps.sso import places, records, services
from apps.sso.forms import ConfirmForm, DomainForm, OidcForm, RuleForm, SamlForm
from apps.sso.models import Connection, Domain, GroupRule, Kind
from apps.sso.services.domains import MANAGE
from apps.sso.views.entrance import leave

# What a form shows at the field that it is about.
_AT_THE_FORM = (InvalidRequest, Conflict, OutboundFailed, SsoRefused)
FORMS = {Kind.OIDC: OidcForm, Kind.SAML: SamlForm}


def actor_for(request: HttpRequest, permission: str = MANAGE) -> Actor:
    """The page's actor, once it is certain that they may do this, and for a change that it is still them."""
    actor: Actor = request.actor  # type: ignore[attr-defined]
    actor.require(permission)
    if request.method == "POST":
        require_recent(request)
    return actor


def at_the_form(form: Any, error: MillraceError) -> None:
    form.add_error(error.param if error.param in form.fields else None, error.shown())


@require_GET
@organization_page
def overview(request: HttpRequest) -> HttpResponse:
    actor_for(request)
    return _overview(request)


def _overview(request: HttpRequest, status: int = 200, **forms: Any) -> HttpResponse:
    domains = [
        {"domain": domain, "record": records.record_name(domain.name), "value": records.record_value(domain.token)}
        for domain in Domain.objects.order_by("name")
    ]
    context = {
        "connections": Connection.objects.order_by("id"),
        "domains": domains,
        "rules": GroupRule.objects.order_by("id"),
        "domain_form": DomainForm(),
        "rule_form": RuleForm(),
    } | forms
    return render(request, "sso/overview.html", context, status=status)


@require_http_methods(["GET", "POST"])
@never_cache
@waiting_page
def new_connection(request: HttpRequest, protocol: str) -> HttpResponse:
    """A new connection; it is switched on afterwards, once it has been tested."""
    actor = actor_for(request)
    if protocol not in FORMS:
        raise NotFound(_("There is nothing at this address."))
    form = FORMS[Kind(protocol)](request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            return redirect("sso-connection", id=_create(actor, protocol, form).pk)
        except _AT_THE_FORM as error:
            at_the_form(form, error)
    return render(request, "sso/connection.html", {"form": form, "kind": protocol}, status=422 if form.errors else 200)


def _create(actor: Actor, kind: str, form: Any) -> Connection:
    data = form.cleaned_data
    if kind == Kind.OIDC:
        return services.create_oidc(actor, form.mapping(), data["issuer"], data["client_id"], data["client_secret"])
    return services.create_saml(actor, form.mapping(), data["metadata"].encode(), data["metadata_url"].strip())


@require_http_methods(["GET", "POST"])
@never_cache
@waiting_page
def connection(request: HttpRequest, id: UUID) -> HttpResponse:
    """One connection: what to enter at the provider, and its settings."""
    actor = actor_for(request)
    found = services.get_connection(actor, id)
    shown = {name: getattr(found, name) for name in FORMS[Kind(found.kind)].base_fields if hasattr(found, name)}
    form = FORMS[Kind(found.kind)](request.POST or None, initial=shown | {"client_secret": ""}, existing=True)
    if request.method == "POST" and form.is_valid():
        try:
            _change(actor, id, form)
            messages.success(request, _("Saved."))
            return redirect("sso-connection", id=id)
        except _AT_THE_FORM as error:
            at_the_form(form, error)
    context = {"form": form, "kind": found.kind, "connection": found, "saml": places.saml_addresses(id)}
    context |= {"callback": places.oidc_callback(id)}
    return render(request, "sso/connection.html", context, status=422 if form.errors else 200)


def _change(actor: Actor, id: UUID, form: Any) -> None:
    data = form.cleaned_data
    services.change_connection(
        actor,
        id,
        form.mapping(),
        client_id=data.get("client_id", ""),
        client_secret=data.get("client_secret", ""),
        metadata=data.get("metadata", "").encode(),
        metadata_url=data.get("metadata_url", "").strip() if not data.get("metadata") else "",
    )


@require_POST
@organization_page
def switch(request: HttpRequest, id: UUID) -> HttpResponse:
    """Switches a connection on or off."""
    services.switch_connection(actor_for(request), id, request.POST.get("enabled") == "1")
    return redirect("sso-connection", id=id)


@require_POST
@never_cache
@waiting_page
def test_connection(request: HttpRequest, id: UUID) -> HttpResponse:
    """A trial sign-in: it shows what the provider says and signs nobody in."""
    found = services.get_connection(actor_for(request), id)
    return leave(request, found, test=True, hint=request.user.email)  # type: ignore[union-attr]


@require_http_methods(["GET", "POST"])
@organization_page
def remove_connection(request: HttpRequest, id: UUID) -> HttpResponse:
    actor = actor_for(request)
    found = services.get_connection(actor, id)
    form = ConfirmForm(request.POST or None, expected=found.name)
    if request.method == "POST" and form.is_valid():
        services.delete_connection(actor, id)
        messages.success(request, _("The connection “%(name)s” has been removed.") % {"name": found.name})
        return redirect("sso-overview")
    context = {"form": form, "connection": found}
    return render(request, "sso/remove.html", context, status=422 if form.errors else 200)


@require_POST
@organization_page
def add_domain(request: HttpRequest) -> HttpResponse:
    form = DomainForm(request.POST)
    actor = actor_for(request)
    if form.is_valid():
        try:
            services.claim_domain(actor, form.cleaned_data["name"])
            return redirect("sso-overview")
        except _AT_THE_FORM as error:
            at_the_form(form, error)
    return _overview(request, 422, domain_form=form)


@require_POST
@waiting_page
def verify_domain(request: HttpRequest, id: UUID) -> HttpResponse:
    try:
        domain = services.verify_domain(actor_for(request), id)
        messages.success(request, _("%(name)s is verified.") % {"name": domain.name})
    except _AT_THE_FORM as error:
        messages.error(request, error.shown())
    return redirect("sso-overview")


@require_POST
@organization_page
def remove_domain(request: HttpRequest, id: UUID) -> HttpResponse:
    services.remove_domain(actor_for(request), id)
    return redirect("sso-overview")


@require_POST
@organization_page
def add_rule(request: HttpRequest) -> HttpResponse:
    form = RuleForm(request.POST)
    actor = actor_for(request)
    if form.is_valid():
        try:
            services.create_rule(actor, form.cleaned_data["group"], form.cleaned_data["role"])
            return redirect("sso-overview")
        except _AT_THE_FORM as error:
            at_the_form(form, error)
    return _overview(request, 422, rule_form=form)


@require_POST
@organization_page
def remove_rule(request: HttpRequest, id: UUID) -> HttpResponse:
    services.delete_rule(actor_for(request), id)
    return redirect("sso-overview")
