"""The secrets in invitations' links."""

from __future__ import annotations

import base64

from django.utils.crypto import salted_hmac

from apps.accounts.models import Invitation


def token_of(invitation: Invitation) -> str:
    """The secret in the invitation's link, 256 bits: made anew whenever it is needed, so that no table holds it."""
    mac = salted_hmac("accounts.invitation", f"{invitation.pk}:{invitation.serial}", algorithm="sha256")
    return base64.urlsafe_b64encode(mac.digest()).decode().rstrip("=")
