"""The mails of a schedule: its texts for recipients, and word of failures for whoever made it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db.models import Q
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import translation

from apps.accounts.models import Membership, Organization
from apps.core import mail
from apps.studio.models import Occurrence, Recipient, RecipientState, Schedule

TEXT = "schedule_text"


def send_text(schedule: Schedule, occurrence: Occurrence) -> int:
    """Puts a mail for everybody who wants it on its way, in the caller's transaction; how many."""
    wanted = Recipient.objects.filter(schedule=schedule, state=RecipientState.CONFIRMED)
    # From here on it is known of whoever is a member that they were one: see `still_wanting`.
    wanted.filter(email__in=_members()).update(as_member=True)
    found = list(still_wanting().filter(schedule=schedule).order_by("id"))
    language = Organization.objects.values_list("language", flat=True).get(pk=schedule.organization_id)
    with translation.override(language):
        for recipient in found:
            data = {
                "organization": str(schedule.organization_id),
                "recipient": str(recipient.pk),
                "occurrence": str(occurrence.pk),
            }
            mail.compose_later(TEXT, recipient.email, data, in_turn=True)
    return len(found)


def still_wanting() -> Any:
    """Who has said yes, without those who were members and have left."""
    found = Recipient.objects.filter(state=RecipientState.CONFIRMED)
    return found.filter(Q(as_member=False) | Q(email__in=_members()))


def _members() -> Any:
    """Addresses are kept in small letters, people's and recipients' alike."""
    return Membership.objects.filter(user__is_active=True).values("user__email")


def tell_of_failures(schedule: Schedule) -> None:
    """Once in a row of failures, to whoever made the schedule."""
    if schedule.created_by is None:
        return
    url = f"{settings.BASE_URL}{reverse('schedule', args=[schedule.pk])}"
    values = {"schedule": schedule, "url": url}
    subject = " ".join(render_to_string("studio/email/schedule_failing_subject.txt", values).split())
    text = render_to_string("studio/email/schedule_failing_message.txt", values).strip()
    mail.send_in_turn(EmailMultiAlternatives(subject, text, settings.DEFAULT_FROM_EMAIL, [schedule.created_by.email]))
