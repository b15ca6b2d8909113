"""Whom a schedule's texts are sent to: members at once, everybody else once they have confirmed it."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.db.models.functions import Now
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext_noop

from apps.accounts import audit
from apps.accounts.access import Actor
from apps.accounts.models import Membership
from apps.core import mail, tenancy
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.studio.models import Recipient, RecipientState, Schedule
from apps.studio.services.schedules.setting import locked_schedule

SALT = "recipient of a schedule"
NO_LINK = gettext_noop("This link does not work any more.")
MOST_RECIPIENTS = 50


def add_recipient(actor: Actor, schedule_id: UUID, email: str) -> Recipient:
    """Adds an address. Who has unsubscribed stays so: only they themselves can take that back."""
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise InvalidRequest("This is not an e-mail address.", param="email") from None
    with tenancy.scope(actor.organization_id):
        schedule = locked_schedule(actor, schedule_id)
        if Recipient.objects.filter(schedule=schedule, email=email).exists():
            raise Conflict("This address is on the list already.", param="email")
        if schedule.recipients.count() >= MOST_RECIPIENTS:
            raise Conflict("A schedule has at most %(most)s recipients.", values={"most": MOST_RECIPIENTS})
        is_member = Membership.objects.filter(user__email=email).exists()
        recipient: Recipient = Recipient.objects.create(
            organization_id=actor.organization_id,
            schedule=schedule,
            email=email,
            state=RecipientState.CONFIRMED if is_member else RecipientState.PENDING,
            as_member=is_member,
        )
        audit.record(actor, "schedule.recipient_added", schedule, email=email)
        if not is_member:
            _ask(actor, schedule, recipient)
    return recipient


def remove_recipient(actor: Actor, schedule_id: UUID, id: UUID) -> None:
    """Takes an address off the list; the row of one who unsubscribed stays, so that nobody adds them again."""
    with tenancy.scope(actor.organization_id):
        schedule = locked_schedule(actor, schedule_id)
        found: Recipient | None = Recipient.objects.filter(schedule=schedule, pk=id).first()
        if found is None:
            raise NotFound("There is no such recipient.")
        if found.state == RecipientState.UNSUBSCRIBED:
            raise Conflict("Who has unsubscribed stays on the list as that, and gets nothing.")
        audit.record(actor, "schedule.recipient_removed", schedule, email=found.email)
        found.delete()


def _ask(actor: Actor, schedule: Schedule, recipient: Recipient) -> None:
    values = {"schedule": schedule, "by": actor.name, "url": link_of(recipient)}
    subject = " ".join(render_to_string("studio/email/recipient_subject.txt", values).split())
    text = render_to_string("studio/email/recipient_message.txt", values).strip()
    mail.send_in_turn(EmailMessage(subject, text, settings.DEFAULT_FROM_EMAIL, [recipient.email]))


def link_of(recipient: Recipient) -> str:
    """The recipient's own page, where they confirm or unsubscribe; whoever holds it can do that, and nothing else."""
    token = signing.dumps([str(recipient.organization_id), str(recipient.pk)], salt=SALT, compress=False)
    return f"{settings.BASE_URL}{reverse('schedule-recipient', args=[token])}"


def find_recipient(token: str) -> Recipient:
    """Whose link this is; forged ones, and those of somebody who was removed, are all answered alike."""
    try:
        organization_id, id = signing.loads(token, salt=SALT)
        with tenancy.scope(UUID(organization_id)):
            found: Recipient | None = Recipient.objects.select_related("schedule__organization").filter(pk=id).first()
    except (signing.BadSignature, ValueError, TypeError):
        found = None
    if found is None:
        raise NotFound(NO_LINK)
    return found


def decide(token: str, wanted: bool) -> Recipient:
    """What the recipient says: whether they want it, from now on."""
    found = find_recipient(token)
    state = RecipientState.CONFIRMED if wanted else RecipientState.UNSUBSCRIBED
    with tenancy.scope(found.organization_id):
        Recipient.objects.filter(pk=found.pk).exclude(state=state).update(state=state, decided_at=Now())
    found.state = state
    return found
