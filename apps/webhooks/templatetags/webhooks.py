"""What the pages of webhooks say in words."""

from __future__ import annotations

from django import template
from django.utils.translation import gettext

register = template.Library()


@register.filter
def failure_words(code: str) -> str:
    """Why a message has got no answer; what nobody has foreseen stands as it is called in the log."""
    sentences = {
        "outbound_failed": gettext("no answer"),
        "outbound_refused": gettext("the address is not on the public internet"),
        "recipient_left": gettext("the recipient is no member any more"),
        "mail_not_written": gettext("the mail could not be written"),
        "worker_lost": gettext("cut off while it was sent"),
    }
    return sentences.get(code, code)
