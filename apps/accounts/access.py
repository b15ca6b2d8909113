"""Who is acting, for which organization, and what they may do."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import wraps
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode
from django.utils.translation import gettext as _

from apps.accounts import impersonation
from apps.accounts.assurance import missing, proofs_of
from apps.accounts.impersonation import Acting
from apps.accounts.models import ClosedSession, Membership, Organization, SecurityPolicy, User
from apps.accounts.sessions import session_handle
from apps.core import switches, tenancy
from apps.core.errors import (
    DeletionPending,
    MillraceError,
    NotFound,
    PermissionDenied,
    SessionEnded,
    StepUpRequired,
)
from apps.core.tenancy import Across, across_tenants
from apps.core.views import error_response

SESSION_KEY = "organization_id"


class ActorKind(StrEnum):
    """What an actor is; the audit log shows it."""

    USER = "user"
    API_KEY = "api_key"
    SERVICE_ACCOUNT = "service_account"
    DIRECTORY = "directory"  # an identity provider's directory sync (SCIM)
    STAFF = "staff"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Credential:
    """By what an actor was admitted to an organization; whoever keeps a stream open is asked again whether it counts.

    A key with the address it was used from, or a browser's session. `owner_id` is the person behind either.
    """

    organization_id: UUID
    owner_id: UUID | None = None
    api_key_id: UUID | None = None
    address: str = ""
    # The cookie itself, which no log shows.
    session_key: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Actor:
    """Whoever acts within one organization; `name` is for logs and pages.

    `impersonator_id` is the member of staff who acts as the person `user_id`. `closing` says that the organization's
    deletion is pending. `membership_id` is that of a person who was admitted by it, so that nobody need ask again.
    """

    organization_id: UUID
    permissions: frozenset[str]
    user_id: UUID | None = None
    api_key_id: UUID | None = None
    name: str = ""
    kind: ActorKind = ActorKind.USER
    impersonator_id: UUID | None = None
    closing: bool = False
    credential: Credential | None = field(default=None, compare=False)
    membership_id: UUID | None = field(default=None, compare=False)

    @property
    def person_id(self) -> UUID | None:
        """The person behind what is done: who is signed in, or whose own key it is; None for programs."""
        return self.user_id or (self.credential.owner_id if self.credential else None)

    def require(self, *permissions: str) -> None:
        """Raises PermissionDenied unless the actor has each of the permissions."""
        for permission in permissions:
            if permission in self.permissions:
                continue
            raise PermissionDenied("This needs the permission %(permission)s.", values={"permission": permission})

    def require_open(self) -> None:
        """Raises DeletionPending where the organization takes on nothing new, since it is about to be deleted."""
        if self.closing:
            raise DeletionPending("This organization is about to be deleted; it takes on no new work.")


@dataclass(frozen=True, slots=True)
class Belonging:
    """A person's memberships, oldest first, and what the security policies of those organizations demand.

    `closed_here` says of each membership whether the organization has ended the session in question for itself.
    """

    memberships: list[Membership]
    policies: dict[UUID, SecurityPolicy]


def belonging_of(user: User, session_key: str = "") -> Belonging:
    """The one look across tenants that sign-in needs: two queries, however many organizations there are."""
    ended = {"organization_id": OuterRef("organization_id"), "handle": session_handle(session_key)}
    with across_tenants(Across.SIGN_IN):
        rows = Membership.objects.filter(user_id=user.pk).select_related("organization", "custom_role")
        rows = rows.annotate(closed_here=Exists(ClosedSession.objects.filter(**ended)))
        memberships = list(rows.order_by("created_at", "id"))
        policies = SecurityPolicy.objects.filter(organization_id__in=[m.organization_id for m in memberships])
        return Belonging(memberships, {policy.organization_id: policy for policy in policies})


def memberships_of(user: User) -> list[Membership]:
    """The user's memberships with their organizations, oldest first."""
    return belonging_of(user).memberships


def actor_of_session(request: HttpRequest) -> Actor | None:
    """The signed-in person in the organization chosen last, or in their first one; None for strangers.

    The membership and the organization's security policy are read on every request, so that a removed member is out at
    once. Raises StepUpRequired where the session has not proved what the policy demands.
    """
    user = request.user
    if not isinstance(user, User):
        return None
    acting = impersonation.current(request)
    if acting is not None:
        return _actor_of_support(request, acting)
    if not hasattr(request, "belonging"):
        request.belonging = belonging_of(user, request.session.session_key or "")  # type: ignore[attr-defined]
    belonging: Belonging = request.belonging  # type: ignore[attr-defined]
    memberships = belonging.memberships
    chosen = request.session.get(SESSION_KEY)
    membership = next((m for m in memberships if str(m.organization_id) == chosen), None)
    membership = membership or next((m for m in memberships if not m.closed_here), next(iter(memberships), None))
    if membership is None:
        return None
    if membership.closed_here:
        raise SessionEnded(
            _("An administrator of %(name)s has ended this session. Sign out, and in again to go on.")
            % {"name": membership.organization.name}
        )
    request.organization = membership.organization  # type: ignore[attr-defined]
    request.membership = membership  # type: ignore[attr-defined]
    policy = belonging.policies.get(membership.organization_id)
    lacking = missing(policy, proofs_of(request, user, membership.organization_id), timezone.now())
    if lacking is not None:
        raise lacking
    session_key = request.session.session_key or ""
    credential = Credential(membership.organization_id, owner_id=user.pk, session_key=session_key)
    return replace(actor_of_membership(membership, user), credential=credential)


def _actor_of_support(request: HttpRequest, acting: Acting) -> Actor:
    """The member in whose place a member of staff acts, with less than the member may do.

    The organization's sign-in rules are not asked: the staff console's own door was stricter.
    """
    request.organization = acting.membership.organization  # type: ignore[attr-defined]
    request.membership = acting.membership  # type: ignore[attr-defined]
    credential = Credential(
        acting.membership.organization_id, owner_id=acting.user.pk, session_key=request.session.session_key or ""
    )
    return replace(
        actor_of_membership(acting.membership, acting.user),
        permissions=acting.permissions,
        impersonator_id=acting.staff.pk,
        credential=credential,
    )


def actor_of_membership(membership: Membership, user: User) -> Actor:
    return Actor(
        organization_id=membership.organization_id,
        permissions=membership.permissions,
        user_id=user.pk,
        name=user.email,
        closing=membership.organization.deletes_at is not None,
        membership_id=membership.pk,
    )


def organization_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A page for members: sets `request.actor` and `request.organization`, and runs in the tenant's scope.

    Expected errors become error pages; the transaction is rolled back with them.
    """

    def scoped(request: HttpRequest, actor: Actor, *args: Any, **kwargs: Any) -> HttpResponse:
        with tenancy.scope(actor.organization_id):
            return view(request, *args, **kwargs)

    return _member_page(view, scoped)


def waiting_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """The same for a page that waits for somebody else's server: its services enter the scope while they need it.

    A transaction that waited with it would hold its connection and its locks for as long as that server likes.
    """
    return _member_page(view, lambda request, _actor, *args, **kwargs: view(request, *args, **kwargs))


def _member_page(view: Callable[..., HttpResponse], run: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    @login_required
    @wraps(view)
    def page(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            actor = actor_of_session(request)
            if actor is None:
                raise NotFound("You do not belong to an organization yet. Ask for an invitation.")
            request.actor = actor  # type: ignore[attr-defined]
            if actor.impersonator_id:
                _note_support(request, actor)
            return run(request, actor, *args, **kwargs)
        except StepUpRequired:
            return step_up(request)
        except MillraceError as error:
            return error_response(request, error)

    return page


def _note_support(request: HttpRequest, actor: Actor) -> None:
    """Every page that support uses stands in the organization's audit log, also when it then fails."""
    from apps.accounts import audit  # which itself needs the actor of this module

    impersonation.check_page(request)
    with tenancy.scope(actor.organization_id):
        organization = request.organization  # type: ignore[attr-defined]
        audit.record(actor, "support.used_page", organization, method=request.method, page=request.path)


def step_up(request: HttpRequest) -> HttpResponse:
    """Leads to the page that says what the organization demands; after it a page that was read is read again."""
    back = f"?{urlencode({'next': request.get_full_path()})}" if request.method == "GET" else ""
    target = reverse("step-up") + back
    if request.headers.get("HX-Request"):
        return HttpResponse(headers={"HX-Redirect": target})
    return redirect(target)


def organization_context(request: HttpRequest) -> dict[str, Any]:
    """For templates: the organization in use and those one may switch to."""
    organization: Organization | None = getattr(request, "organization", None)
    if organization is None and getattr(request, "user", None) is not None and request.user.is_authenticated:
        with contextlib.suppress(StepUpRequired, SessionEnded):
            actor_of_session(request)
        organization = getattr(request, "organization", None)
    belonging: Belonging | None = getattr(request, "belonging", None)
    return {
        "organization": organization,
        "membership": getattr(request, "membership", None),
        "support": getattr(request, "impersonation", None),
        "organizations": [m.organization for m in belonging.memberships] if belonging else [],
        "maintenance": switches.is_on("maintenance_notice", organization.pk if organization else None),
    }
