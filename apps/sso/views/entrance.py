"""Coming in through an identity provider: asking for the address, leaving, coming back."""

from __future__ import annotations

import secrets
import time
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.contrib.auth import login
from django.core.cache import cache
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from apps.accounts.access import SESSION_KEY
from apps.accounts.assurance import FOREIGN_KEY, note_sign_on
from apps.accounts.models import User
from apps.core import callers, ratelimit, roundtrips
from apps.core.errors import MillraceError, NotFound, SsoRefused
from apps.core.ratelimit import Bucket
from apps.core.views import error_response
from apps.sso import flows, oidc, places, saml, services
from apps.sso.flows import Flow
from apps.sso.forms import AddressForm
from apps.sso.models import Connection, Kind
from apps.sso.vouched import Vouched

log = structlog.get_logger(__name__)

# Of one caller's address: many people may share one.
TRIES_A_MINUTE = 60
# Between the answer's POST, which comes without our cookie, and its page a moment later, which has it.
TICKET_SECONDS = 120


def _bounded(request: HttpRequest) -> None:
    caller = callers.address_of(request.META) or "unknown"
    ratelimit.charge(f"sso:caller:{caller}", [Bucket("requests", TRIES_A_MINUTE, 1)])


def safe_next(request: HttpRequest, target: str) -> str:
    """A page of ours to go to afterwards; the dashboard for anything else."""
    good = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return target if target.startswith("/") and good else reverse("dashboard")


@require_http_methods(["GET", "POST"])
@never_cache
def sso_login(request: HttpRequest) -> HttpResponse:
    """Asks for the e-mail address and leads to the provider of its domain.

    An address without one is answered the same whether or not there is such a person or organization.
    """
    form = AddressForm(request.POST or None)
    context: dict[str, Any] = {"form": form, "next": request.GET.get("next", "")}
    if request.method == "POST" and form.is_valid():
        try:
            _bounded(request)
            email = form.cleaned_data["email"]
            found = services.connections_for(email)
        except MillraceError as error:
            return error_response(request, error)
        query = urlencode({"hint": email, "next": request.GET.get("next", "")})
        if len(found) == 1:
            return redirect(f"{reverse('sso-start', args=[found[0].pk])}?{query}")
        context |= {"connections": found, "query": query, "unknown": not found}
    return render(request, "sso/login.html", context, status=422 if form.errors else 200)


@require_GET
@never_cache
def start(request: HttpRequest, id: UUID) -> HttpResponse:
    """Leaves for the provider, by a page of ours: a form's own redirect may not lead to another site (CSP)."""
    try:
        _bounded(request)
        connection = services.find_connection(id)
        if not connection.enabled:
            raise NotFound("There is no connection with this id.")
        return leave(request, connection, next=request.GET.get("next", ""), hint=request.GET.get("hint", ""))
    except MillraceError as error:
        return error_response(request, error)


def leave(
    request: HttpRequest, connection: Connection, *, next: str = "", hint: str = "", test: bool = False
) -> HttpResponse:
    """Notes the sign-in in the session and shows the page that leads to the provider."""
    if connection.kind == Kind.OIDC:
        asked = oidc.new_request()
        url = oidc.authorization_url(connection, asked, places.oidc_callback(connection.pk), hint[:254])
        state, secret = asked.state, {"nonce": asked.nonce, "verifier": asked.verifier}
    else:
        state = roundtrips.new_state()
        url, request_id = saml.authentication_url(connection, places.saml_addresses(connection.pk), state)
        secret = {"request_id": request_id}
    flows.remember(request.session, state, Flow(str(connection.pk), time.time(), next=next, test=test, **secret))
    return render(request, "sso/leave.html", {"connection": connection, "url": url})


@require_GET
@never_cache
def oidc_callback(request: HttpRequest, id: UUID) -> HttpResponse:
    """Back from an OpenID Connect provider."""
    return _back(request, id, Kind.OIDC, _redeem)


def _redeem(request: HttpRequest, connection: Connection, answer: dict[str, str]) -> tuple[Vouched, Flow | None]:
    flow = flows.take(request.session, answer.get("state", ""), connection.pk)
    if flow is None:
        raise SsoRefused("This sign-in was not begun in this browser, or too long ago. Begin again.")
    asked = oidc.Request(answer["state"], flow.nonce, flow.verifier)
    return oidc.redeem(connection, asked, answer, places.oidc_callback(connection.pk)), flow


@csrf_exempt
@require_POST
def saml_acs(request: HttpRequest, id: UUID) -> HttpResponse:
    """Takes a SAML answer, which comes from the provider's site and so without our cookie, and leads on with a ticket.

    Nothing is believed or changed here: that happens on the next page, in the session that asked.
    """
    try:
        _bounded(request)
        if services.find_connection(id).kind != Kind.SAML:
            raise NotFound("There is no connection with this id.")
        answer = request.POST.get("SAMLResponse", "")
        if not answer or len(answer) > saml.MOST_BYTES:
            raise SsoRefused("The identity provider sent no answer.")
        ticket = secrets.token_urlsafe(24)
        kept = {"connection": str(id), "answer": answer, "state": request.POST.get("RelayState", "")[:200]}
        cache.set(f"sso:ticket:{ticket}", kept, TICKET_SECONDS)
        response = redirect(f"{reverse('sso-saml-finish', args=[id])}?{urlencode({'ticket': ticket})}")
        response.status_code = 303
        return response
    except MillraceError as error:
        return error_response(request, error)


@require_GET
@never_cache
def saml_finish(request: HttpRequest, id: UUID) -> HttpResponse:
    """Back from a SAML provider."""
    return _back(request, id, Kind.SAML, _accept)


def _accept(request: HttpRequest, connection: Connection, query: dict[str, str]) -> tuple[Vouched, Flow | None]:
    key = f"sso:ticket:{query.get('ticket', '')}"
    kept = cache.get(key)
    # Two at once may both read the ticket; the assertion in it is spent once all the same.
    cache.delete(key)
    if kept is None or kept["connection"] != str(connection.pk):
        raise SsoRefused("This sign-in has expired. Begin again.")
    flow = flows.take(request.session, kept["state"], connection.pk)
    if flow is None and not connection.allow_idp_initiated:
        raise SsoRefused("This sign-in was not begun in this browser, or too long ago. Begin again.")
    addresses = places.saml_addresses(connection.pk)
    answer = saml.accept(connection, addresses, kept["answer"], flow.request_id if flow else None)
    services.spend_assertion(connection, answer)
    return answer.vouched, flow


def _back(request: HttpRequest, id: UUID, kind: str, prove: Any) -> HttpResponse:
    connection: Connection | None = None
    try:
        _bounded(request)
        connection = services.find_connection(id)
        if connection.kind != kind:
            connection = None
            raise NotFound("There is no connection with this id.")
        vouched, flow = prove(request, connection, request.GET.dict())
        if flow is not None and flow.test:
            services.note_tested(connection)
            return render(request, "sso/tested.html", {"connection": connection, "vouched": vouched})
        return _enter(request, connection, vouched, safe_next(request, flow.next if flow else ""))
    except MillraceError as error:
        if connection is not None and isinstance(error, SsoRefused):
            services.note_refusal(connection, error.message)
        log.info("single sign-on refused", connection=str(id), reason=error.message)
        return error_response(request, error)


def _enter(request: HttpRequest, connection: Connection, vouched: Vouched, next: str) -> HttpResponse:
    """Signs the person in, or adds to the session of the same person what was proved."""
    admitted = services.admit(connection, vouched)
    current = request.user
    if not (isinstance(current, User) and current.pk == admitted.user.pk):
        login(request, admitted.user, backend=settings.AUTHENTICATION_BACKENDS[0])
        request.session[FOREIGN_KEY] = True
    else:
        # What a session is worth has changed: so does its name, as at every sign-in.
        request.session.cycle_key()
    note_sign_on(request.session, connection.organization_id, connection.pk, admitted.mfa)
    request.session[SESSION_KEY] = str(connection.organization_id)
    return redirect(next)


@require_GET
def saml_metadata(request: HttpRequest, id: UUID) -> HttpResponse:
    """What the provider's administrator imports; no secret, since providers fetch it themselves."""
    try:
        if services.find_connection(id).kind != Kind.SAML:
            raise NotFound("There is no connection with this id.")
    except MillraceError as error:
        return error_response(request, error)
    document = saml.service_metadata(places.saml_addresses(id))
    return HttpResponse(document, content_type="application/samlmetadata+xml")
