"""What e-mail inboxes of the desk store."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.datakinds import FOREVER, Basis, DataKind, Retention

MAIL_KINDS = (
    DataKind(
        name="support_mail_accounts",
        model="support.MailAccount",
        label=_("Mail servers of inboxes"),
        what=_("Where mails of an inbox come from and leave; passwords are sealed."),
        why=_("Mails become conversations, and answers leave as mails."),
        basis=Basis.CONTRACT,
        retention=FOREVER,
    ),
    DataKind(
        name="support_received_mails",
        model="support.ReceivedMail",
        label=_("Mails that were seen"),
        what=_("Which mails were taken, as digests; of those that were set aside the sender and the masked subject."),
        why=_("No mail is taken twice, and what could not be taken is found again."),
        basis=Basis.CONTRACT,
        retention=Retention(days=800, least=90, most=3650, since="received_at"),
    ),
    DataKind(
        name="support_outgoing_mails",
        model="support.OutgoingMail",
        label=_("Answers that leave by mail"),
        what=_("To which address an answer was sent, and whether it got there."),
        why=_("An answer is sent once, and agents see what was not delivered."),
        basis=Basis.CONTRACT,
        retention=Retention(words=_("as long as the conversation")),
    ),
)
