"""What happens at the support desk, as events; what was said stands in none of them."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from apps.core.eventtypes import ID, MOMENT, TEXT, TEXTS, WHOLE, YES_OR_NO, types_of
from apps.support.event_types_bot import BOT_EVENT_TYPES

_PLACE = {"number": WHOLE, "inbox": ID}
_CHANGED = {**_PLACE, "sequence": WHOLE, "changed": TEXTS, "status": TEXT}
_CONVERSATION, _CONTACT = _("the conversation"), _("the contact")

EVENT_TYPES = (
    *types_of(_CONVERSATION, "support_conversation.created", {**_PLACE, "contact": ID, "status": TEXT}),
    *types_of(_CONVERSATION, "support_conversation.changed", _CHANGED),
    *types_of(_CONVERSATION, "support_conversation.status_changed", {**_CHANGED, "before": TEXT, "after": TEXT}),
    *types_of(_CONVERSATION, "support_conversation.handed_over", {**_PLACE, "reason": TEXT}),
    *types_of(_CONVERSATION, "support_conversation.assigned", {**_PLACE, "assignee": ID}),
    *types_of(_CONVERSATION, "support_conversation.merged", {"number": WHOLE, "merged": ID}),
    *types_of(_CONVERSATION, "support_conversation.rated", {"number": WHOLE, "score": WHOLE, "by_bot": YES_OR_NO}),
    *types_of(_CONVERSATION, "support_conversation.sla_missed", {"number": WHOLE, "kind": TEXT, "due_at": MOMENT}),
    *types_of(
        _("the message"),
        "support_message.created",
        {**_PLACE, "conversation": ID, "sequence": WHOLE, "kind": TEXT, "author": TEXT},
    ),
    *types_of(
        _("the message"),
        "support_message.changed",
        {**_PLACE, "conversation": ID, "sequence": WHOLE, "changed": TEXTS},
    ),
    *types_of(
        _("the message"),
        "support_file.infected",
        {"number": WHOLE, "inbox": ID, "conversation": ID, "sequence": WHOLE, "finding": TEXT},
    ),
    *types_of(
        _("the message"),
        "support_file.unchecked",
        {"number": WHOLE, "inbox": ID, "conversation": ID, "sequence": WHOLE},
    ),
    *types_of(_CONVERSATION, "support_message.unmasked", {"number": WHOLE, "sequence": WHOLE, "reason": TEXT}),
    *types_of(
        _CONVERSATION,
        "support_typing.on support_typing.off",
        {**_PLACE, "author": TEXT, "private": YES_OR_NO},
        {"person": ID},
    ),
    *types_of(_CONTACT, "support_contact.created", {"verified": YES_OR_NO}),
    *types_of(_CONTACT, "support_contact.changed", {"changed": TEXTS}),
    *types_of(_CONTACT, "support_contact.merged", {"merged": ID}),
    *types_of(_CONTACT, "support_contact.erased", {"conversations": WHOLE}),
    *types_of(_("the browser"), "support_widget.opened", {"inbox": ID, "contact": ID, "verified": YES_OR_NO}),
    *types_of(
        _("the bot"),
        "support_agent_bot.created support_agent_bot.changed support_agent_bot.deleted support_agent_bot.failed",
        {"name": TEXT},
    ),
    *types_of(_("the inbox"), "support_inbox.created", {"name": TEXT, "kind": TEXT}),
    *types_of(_("the inbox"), "support_inbox.changed", {"name": TEXT, "changed": TEXTS}),
    *types_of(_("the inbox"), "support_inbox.closed", {"name": TEXT}),
    *types_of(_("the member"), "support_agent.changed", {"changed": TEXTS}),
    *types_of(_("the desk's settings"), "support_desk.changed", {"changed": TEXTS}),
    *types_of(
        _("the setting"),
        "support_setting.created support_setting.changed support_setting.deleted",
        {"kind": TEXT, "name": TEXT},
    ),
    *BOT_EVENT_TYPES,
)
