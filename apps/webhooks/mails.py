"""The mail that says that an endpoint is sent nothing more."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage
from django.template.loader import render_to_string
from django.urls import reverse

from apps.core import tenancy
from apps.webhooks.models import Endpoint


def webhook_stopped(to: str, organization: str, id: str) -> EmailMessage | None:
    """Why, and where to switch it on again; nothing, if it has been meanwhile."""
    with tenancy.scope(UUID(organization)):
        found: Endpoint | None = Endpoint.objects.select_related("organization").filter(pk=UUID(id)).first()
    if found is None or found.is_enabled:
        return None
    values = {
        "organization": found.organization,
        "endpoint": found,
        "url": settings.BASE_URL + reverse("webhook", args=[found.pk]),
    }
    subject = render_to_string("webhooks/email/stopped_subject.txt", values).strip()
    text = render_to_string("webhooks/email/stopped_message.txt", values).strip()
    return EmailMessage(subject, text, settings.DEFAULT_FROM_EMAIL, [to])
