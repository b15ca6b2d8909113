"""The desk's pages."""

from apps.support.views.acts import claim_next, conversation_act, presence
from apps.support.views.agent_bots import agent_bot_act, agent_bot_page, agent_bots_page
from apps.support.views.bulk import bulk_page
from apps.support.views.contacts import contact_erase, contact_merge, contact_page, contacts_page
from apps.support.views.desk import conversation, desk, fresh
from apps.support.views.drafts import draft, stop_draft
from apps.support.views.kinds import setting_page, settings_page
from apps.support.views.mail import inbox_mail, mail_consented
from apps.support.views.reports import reports_file, reports_page
from apps.support.views.setting import (
    inbox_act,
    inbox_page,
    inboxes_page,
    routing_page,
)
from apps.support.views.widget import sdk, widget

__all__ = [
    "agent_bot_act",
    "agent_bot_page",
    "agent_bots_page",
    "bulk_page",
    "claim_next",
    "contact_erase",
    "contact_merge",
    "contact_page",
    "contacts_page",
    "conversation",
    "conversation_act",
    "desk",
    "draft",
    "fresh",
    "inbox_act",
    "inbox_mail",
    "inbox_page",
    "inboxes_page",
    "mail_consented",
    "presence",
    "reports_file",
    "reports_page",
    "routing_page",
    "sdk",
    "setting_page",
    "settings_page",
    "stop_draft",
    "widget",
]
