"""Which function composes a kind of mail that the worker sends, by the kind's name."""

_MAILS = {
    "accounts": "password_reset invitation ownership_offer organization_deletion",
    "billing": "budget_alert credit_given_back subscription_notice usage_alert",
    "studio": "document_mention schedule_text",
    "support": "support_file_unchecked support_mention support_participant support_transcript support_unread",
    "webhooks": "webhook_stopped",
}
MAIL_KINDS = {kind: f"apps.{app}.mails.{kind}" for app, kinds in _MAILS.items() for kind in kinds.split()}
