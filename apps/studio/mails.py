"""Mails about documents and of schedules, composed by a worker when they leave."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse

from apps.accounts.models import Membership, Organization
from apps.core import markdown, tenancy
from apps.studio.models import DocumentComment, Occurrence
from apps.studio.services.bulk.progress import progress_of
from apps.studio.services.schedules.mails import still_wanting
from apps.studio.services.schedules.recipients import link_of


def document_mention(to: str, organization: str, id: str) -> EmailMessage | None:
    """Who mentioned the reader, and where; nothing, if the comment, the document or the membership is gone by now."""
    with tenancy.scope(UUID(organization)):
        rows = DocumentComment.objects.filter(document__deleted_at=None).select_related("document", "created_by")
        found: DocumentComment | None = rows.filter(pk=UUID(id)).first()
        if found is None or not Membership.objects.filter(user__email=to).exists():
            return None
        name = Organization.objects.values_list("name", flat=True).get(pk=UUID(organization))
    context = {
        "email": to,
        "comment": found,
        "organization_name": name,
        "url": settings.BASE_URL + reverse("document", args=[found.document_id]),
    }
    subject = " ".join(render_to_string("studio/email/mention_subject.txt", context).split())
    text = render_to_string("studio/email/mention_message.txt", context).strip()
    return EmailMessage(subject, text, settings.DEFAULT_FROM_EMAIL, [to])


def _text_of(occurrence: Occurrence) -> str:
    """The text, or how many rows of a table were written, and where members find them."""
    if occurrence.run is None:
        return occurrence.generation.text if occurrence.generation else ""
    progress = progress_of(occurrence.run.pk)
    context = {
        "name": occurrence.run.name,
        "written": progress.succeeded,
        "total": progress.total,
        "url": settings.BASE_URL + reverse("bulk-run", args=[occurrence.run.pk]),
    }
    return render_to_string("studio/email/schedule_table.txt", context).strip()


def schedule_text(to: str, organization: str, recipient: str, occurrence: str) -> EmailMessage | None:
    """A schedule's text, with a link and headers by which one click ends it (RFC 8058).

    Nothing, if the text is gone by now, or the recipient: unsubscribed, taken off the list, or no member any more.
    """
    with tenancy.scope(UUID(organization)):
        reader = still_wanting().filter(pk=UUID(recipient), email=to).first()
        rows = Occurrence.objects.select_related("schedule", "generation", "run")
        found: Occurrence | None = rows.filter(pk=UUID(occurrence)).first()
        text = _text_of(found) if found else ""
        if reader is None or found is None or not text:
            return None
        url = link_of(reader)
    values = {"text": text, "html": markdown.render_foreign(text), "url": url}
    message = EmailMultiAlternatives(
        " ".join(f"{found.schedule.name} – {found.due_at:%Y-%m-%d}".split()),
        render_to_string("studio/email/schedule_text.txt", values).strip(),
        settings.DEFAULT_FROM_EMAIL,
        [to],
        headers={"List-Unsubscribe": f"<{url}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
    )
    message.attach_alternative(render_to_string("studio/email/schedule_text.html", values), "text/html")
    return message
