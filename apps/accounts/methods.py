"""How a session's person proved who they are, in words; allauth notes it in the session."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.accounts.assurance import MARKS_KEY

METHODS: dict[str, Promise] = {
    "password": _("Password"),
    "password_reset": _("Password reset"),
    "code": _("Code by mail"),
    "email": _("Link by mail"),
    "socialaccount": _("Another service"),
    "totp": _("Authenticator app"),
    "webauthn": _("Passkey"),
    "recovery_codes": _("Recovery code"),
}


def methods_of(session: Mapping[str, Any], organization_id: UUID) -> list[str]:
    """Each way once, single sign-on of this organization first; a way without a word of its own by its name."""
    found = dict[str, None]()
    if str(organization_id) in session.get(MARKS_KEY, {}):
        found[gettext("Single sign-on")] = None
    for record in session.get(AUTHENTICATION_METHODS_SESSION_KEY, []):
        name = record.get("type") or record.get("method", "")
        found[str(METHODS.get(name, name))] = None
    return list(found)
