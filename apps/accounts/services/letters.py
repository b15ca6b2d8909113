"""Mail of organizations: written as rows in the transaction of the act, sent by a worker, at least once."""

from __future__ import annotations

import logging
from smtplib import SMTPException
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.mail import send_mail
from django.db import connection
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation

from apps.accounts.models import Invitation, Letter, LetterKind, Organization, OwnershipTransfer
from apps.accounts.services.tokens import token_of
from apps.core import jobs, tenancy
from apps.core.tenancy import Across, across_tenants, current_organization

SEND = "accounts.send_letters"
# The wait before the next try, which is also how long a worker that was lost keeps a letter from the others.
FIRST_WAIT_SECONDS, MOST_ATTEMPTS = 60, 8
AT_ONCE = 20

log = logging.getLogger(__name__)


def post(kind: LetterKind, recipient: str, object_id: UUID) -> None:
    """Puts a letter of the organization in scope on its way, in the organization's language."""
    organization_id = current_organization()
    language = Organization.objects.values_list("language", flat=True).get(pk=organization_id)
    Letter.objects.create(
        organization_id=organization_id, kind=kind, recipient=recipient, object_id=object_id, language=language
    )
    jobs.ring(SEND)


def send_due() -> int:
    """Sends what waits, and says how many were sent; a letter that cannot be sent waits longer each time."""
    sent = 0
    while claimed := _claim():
        sent += sum(_send(letter) for letter in claimed)
    return sent


def _claim() -> list[Letter]:
    """Takes letters by moving their next try into the future, so that no other worker sends them as well."""
    table = Letter._meta.db_table
    with across_tenants(Across.CLAIM_WORK), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE {table} SET attempts = attempts + 1,"
            " due_at = clock_timestamp() + make_interval(secs => %s * power(2, attempts))"
            f" WHERE id IN (SELECT id FROM {table} WHERE due_at <= clock_timestamp() ORDER BY due_at LIMIT %s"
            " FOR UPDATE SKIP LOCKED) RETURNING id",
            [FIRST_WAIT_SECONDS, AT_ONCE],
        )
        ids = [row[0] for row in cursor.fetchall()]
        return list(Letter.objects.filter(pk__in=ids))


def _send(letter: Letter) -> bool:
    """Sends one letter, unless what it is about is over; the mail server is asked outside any transaction."""
    with tenancy.scope(letter.organization_id):
        text = _text(letter)
    if text is None:
        _finish(letter, sent=False)
        return False
    subject, _, body = text.partition("\n")
    try:
        send_mail(subject.strip(), body.strip() + "\n", settings.DEFAULT_FROM_EMAIL, [letter.recipient])
    except (SMTPException, OSError) as error:
        log.warning("letter not sent", extra={"letter": str(letter.pk), "reason": str(error)})
        if letter.attempts >= MOST_ATTEMPTS:
            _finish(letter, sent=False)
        return False
    _finish(letter, sent=True)
    return True


def _finish(letter: Letter, sent: bool) -> None:
    with tenancy.scope(letter.organization_id):
        Letter.objects.filter(pk=letter.pk).update(due_at=None, sent_at=timezone.now() if sent else None)


def _text(letter: Letter) -> str | None:
    """Subject, then the text, in the letter's language; None when there is nothing to say any more."""
    facts = _FACTS[LetterKind(letter.kind)](letter)
    if facts is None:
        return None
    organization = Organization.objects.get(pk=letter.organization_id)
    with translation.override(letter.language):
        return render_to_string(f"accounts/letters/{letter.kind}.txt", {"organization": organization} | facts)


def _invitation(letter: Letter) -> dict[str, Any] | None:
    rows = Invitation.objects.open().select_related("invited_by", "custom_role")
    invitation: Invitation | None = rows.filter(pk=letter.object_id).first()
    if invitation is None or invitation.status != "pending":
        return None
    address = settings.BASE_URL + reverse("invitation", args=[token_of(invitation)])
    return {"invitation": invitation, "url": address}


def _transfer(letter: Letter) -> dict[str, Any] | None:
    transfer = OwnershipTransfer.objects.pending().select_related("offered_by").filter(pk=letter.object_id).first()
    return {"transfer": transfer, "url": settings.BASE_URL + reverse("membership")} if transfer else None


def _deletion(letter: Letter) -> dict[str, Any] | None:
    pending = Organization.objects.filter(pk=letter.organization_id, deletes_at__isnull=False).exists()
    return {"url": settings.BASE_URL + reverse("organization-settings")} if pending else None


_FACTS = {LetterKind.INVITATION: _invitation, LetterKind.TRANSFER: _transfer, LetterKind.DELETION: _deletion}
