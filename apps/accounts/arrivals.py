"""People who come with an invitation and have no account yet: it is kept in their session while they sign up."""

from __future__ import annotations

from django.http import HttpRequest

from apps.accounts.models import Invitation
from apps.accounts.services import find_invitation
from apps.core.errors import InvitationNotValid

SESSION_KEY = "invitation"


def keep(request: HttpRequest, token: str) -> None:
    """Remembers the invitation; whoever holds its token has read the mail of its address."""
    request.session[SESSION_KEY] = token


def kept(request: HttpRequest) -> Invitation | None:
    """The invitation with which this browser came, while it is still valid."""
    token = request.session.get(SESSION_KEY)
    try:
        return find_invitation(token) if isinstance(token, str) else None
    except InvitationNotValid:
        return None


def is_for(request: HttpRequest, email: str) -> bool:
    """Whether the browser came with a valid invitation for this very address."""
    invitation = kept(request)
    return invitation is not None and invitation.email == email.strip().lower()


def forget(request: HttpRequest) -> None:
    request.session.pop(SESSION_KEY, None)
