"""Addresses of the support desk: REST, sockets and pages."""

from django.urls import path

from apps.support import views
from apps.support.api import agent_bots, conversations, drafts, mail, messages, people, public, public_messages, setting
from apps.support.cable.sockets import CableConsumer
from apps.support.consumers import ConversationConsumer, ListConsumer, WidgetConsumer
from apps.support.urls import accounts

AT = "api/v1/support"
ONE = f"{AT}/conversations/<str:id>"
# Chatwoot's addresses of what visitors call.
PUBLIC = "public/api/v1/inboxes/<str:token>"
VISITOR = f"{PUBLIC}/contacts/<str:contact>"
TALK = f"{VISITOR}/conversations/<str:number>"

urlpatterns = [
    path("desk/", views.desk, name="desk"),
    path("desk/next/", views.claim_next, name="desk-next"),
    path("desk/presence/", views.presence, name="desk-presence"),
    path("desk/reports/", views.reports_page, name="desk-reports"),
    path("desk/inboxes/", views.inboxes_page, name="desk-inboxes"),
    path("desk/inboxes/<uuid:id>/", views.inbox_page, name="desk-inbox"),
    path("desk/inboxes/<uuid:id>/mail/", views.inbox_mail, name="desk-inbox-mail"),
    path("desk/inboxes/<uuid:id>/<str:act>/", views.inbox_act, name="desk-inbox-act"),
    path("desk/mail/consented/", views.mail_consented, name="desk-mail-consented"),
    path("desk/bots/", views.agent_bots_page, name="desk-bots"),
    path("desk/bots/<uuid:id>/", views.agent_bot_page, name="desk-bot"),
    path("desk/bots/<uuid:id>/<str:act>/", views.agent_bot_act, name="desk-bot-act"),
    path("desk/routing/", views.routing_page, name="desk-routing"),
    path("desk/settings/<str:kind>/", views.settings_page, name="desk-settings"),
    path("desk/settings/<str:kind>/<uuid:id>/", views.setting_page, name="desk-setting"),
    path("desk/contacts/", views.contacts_page, name="desk-contacts"),
    path("desk/contacts/<uuid:id>/", views.contact_page, name="desk-contact"),
    path("desk/contacts/<uuid:id>/merge/", views.contact_merge, name="desk-contact-merge"),
    path("desk/contacts/<uuid:id>/erase/", views.contact_erase, name="desk-contact-erase"),
    path("desk/bulk/", views.bulk_page, name="desk-bulk"),
    path("desk/<uuid:id>/", views.conversation, name="desk-conversation"),
    path("desk/<uuid:id>/fresh/", views.fresh, name="desk-fresh"),
    path("desk/<uuid:id>/draft/", views.draft, name="desk-draft"),
    path("desk/<uuid:id>/draft/stop/", views.stop_draft, name="desk-draft-stop"),
    path("desk/<uuid:id>/<str:act>/", views.conversation_act, name="desk-act"),
    path(f"{AT}/conversations", conversations.SupportConversationsView.as_view(), name="api-support-conversations"),
    path(ONE, conversations.SupportConversationView.as_view(), name="api-support-conversation"),
    path(f"{ONE}/messages", messages.SupportMessagesView.as_view(), name="api-support-messages"),
    path(f"{ONE}/messages/<str:sequence>", messages.SupportMessageView.as_view(), name="api-support-message"),
    path(f"{ONE}/messages/<str:sequence>/unmask", messages.SupportUnmaskView.as_view(), name="api-support-unmask"),
    path(f"{ONE}/messages/<str:sequence>/send", mail.SupportSendAgainView.as_view(), name="api-support-send-again"),
    path(f"{ONE}/notes", messages.SupportNotesView.as_view(), name="api-support-notes"),
    path(f"{ONE}/drafts", drafts.SupportDraftsView.as_view(), name="api-support-drafts"),
    path(f"{ONE}/drafts/<str:draft>", drafts.SupportDraftView.as_view(), name="api-support-draft"),
    path(f"{ONE}/drafts/<str:draft>/stop", drafts.SupportDraftStopView.as_view(), name="api-support-draft-stop"),
    path(f"{ONE}/drafts/<str:draft>/stream", drafts.SupportDraftStreamView.as_view(), name="api-support-draft-stream"),
    path(f"{ONE}/stream", messages.SupportStreamView.as_view(), name="api-support-stream"),
    path(f"{ONE}/status", conversations.SupportStatusView.as_view(), name="api-support-status"),
    path(f"{ONE}/assignment", conversations.SupportAssignmentView.as_view(), name="api-support-assignment"),
    path(f"{ONE}/claim", conversations.SupportClaimView.as_view(), name="api-support-claim"),
    path(f"{ONE}/seen", conversations.SupportSeenView.as_view(), name="api-support-seen"),
    path(f"{ONE}/merge", conversations.SupportMergeView.as_view(), name="api-support-merge"),
    path(f"{ONE}/macro", conversations.SupportMacroView.as_view(), name="api-support-macro"),
    path(f"{ONE}/transcript", conversations.SupportTranscriptView.as_view(), name="api-support-transcript"),
    path(f"{AT}/bulk", conversations.SupportBulkView.as_view(), name="api-support-bulk"),
    path(f"{AT}/next", people.SupportNextView.as_view(), name="api-support-next"),
    path(f"{AT}/presence", people.SupportPresenceView.as_view(), name="api-support-presence"),
    path(f"{AT}/agents", people.SupportAgentsView.as_view(), name="api-support-agents"),
    path(f"{AT}/agents/<str:id>", people.SupportAgentView.as_view(), name="api-support-agent"),
    path(f"{AT}/contacts", people.SupportContactsView.as_view(), name="api-support-contacts"),
    path(f"{AT}/contacts/<str:id>", people.SupportContactView.as_view(), name="api-support-contact"),
    path(f"{AT}/contacts/<str:id>/merge", people.SupportContactMergeView.as_view(), name="api-support-contact-merge"),
    path(f"{AT}/inboxes", setting.SupportInboxesView.as_view(), name="api-support-inboxes"),
    path(f"{AT}/inboxes/<str:id>", setting.SupportInboxView.as_view(), name="api-support-inbox"),
    path(f"{AT}/inboxes/<str:id>/agents", setting.SupportInboxAgentsView.as_view(), name="api-support-inbox-agents"),
    path(f"{AT}/inboxes/<str:id>/secret", setting.SupportInboxSecretView.as_view(), name="api-support-inbox-secret"),
    path(f"{AT}/agent-bots", agent_bots.SupportAgentBotsView.as_view(), name="api-support-agent-bots"),
    path(f"{AT}/agent-bots/<str:id>", agent_bots.SupportAgentBotView.as_view(), name="api-support-agent-bot"),
    path(
        f"{AT}/agent-bots/<str:id>/token",
        agent_bots.SupportAgentBotTokenView.as_view(),
        name="api-support-agent-bot-token",
    ),
    path(f"{AT}/inboxes/<str:id>/mail", mail.SupportMailView.as_view(), name="api-support-mail"),
    path(f"{AT}/inboxes/<str:id>/mail/try", mail.SupportMailTryView.as_view(), name="api-support-mail-try"),
    path(f"{AT}/inboxes/<str:id>/mail/set-aside", mail.SupportMailAsideView.as_view(), name="api-support-mail-aside"),
    path(
        f"{AT}/inboxes/<str:id>/mail/set-aside/<str:mail>/take",
        mail.SupportMailTakeView.as_view(),
        name="api-support-mail-take",
    ),
    path(f"{AT}/desk", setting.SupportDeskView.as_view(), name="api-support-desk"),
    path(f"{AT}/reports", setting.SupportReportView.as_view(), name="api-support-reports"),
    path(f"{AT}/settings/<str:kind>", setting.SupportSettingsView.as_view(), name="api-support-settings"),
    path(f"{AT}/settings/<str:kind>/<str:id>", setting.SupportSettingView.as_view(), name="api-support-setting"),
    path("packs/js/sdk.js", views.sdk, name="widget-sdk"),
    path("widget/<str:token>/", views.widget, name="widget"),
    path(PUBLIC, public.PublicInboxView.as_view(), name="public-inbox"),
    path(f"{PUBLIC}/contacts", public.PublicContactsView.as_view(), name="public-contacts"),
    path(VISITOR, public.PublicContactView.as_view(), name="public-contact"),
    path(f"{VISITOR}/conversations", public.PublicConversationsView.as_view(), name="public-conversations"),
    path(TALK, public.PublicConversationView.as_view(), name="public-conversation"),
    path(f"{VISITOR}/events", public.PublicEventsView.as_view(), name="public-events"),
    path(f"{TALK}/messages", public_messages.PublicMessagesView.as_view(), name="public-messages"),
    path(f"{TALK}/messages/<str:sequence>", public_messages.PublicMessageView.as_view(), name="public-message"),
    path(
        f"{TALK}/messages/<str:sequence>/attachments/<str:position>",
        public_messages.PublicAttachmentView.as_view(),
        name="public-attachment",
    ),
    path(f"{TALK}/<str:act>", public_messages.PublicActView.as_view(), name="public-act"),
    *accounts.urlpatterns,
]
websocket_urlpatterns = [
    path("cable", CableConsumer.as_asgi()),
    path("ws/support/conversations/<uuid:id>/", ConversationConsumer.as_asgi()),
    path("ws/support/list/", ListConsumer.as_asgi()),
    path("ws/support/widget/<str:token>/<uuid:id>/", WidgetConsumer.as_asgi()),
]
