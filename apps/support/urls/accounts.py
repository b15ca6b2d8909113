"""Addresses of Chatwoot's account API."""

from django.urls import path

from apps.support.api.accounts import (
    acts,
    attributes,
    bots,
    bulk,
    contacts,
    conversations,
    desk,
    inboxes,
    macros,
    members,
    messages,
    notes,
    participants,
    reports,
    rules,
    settings,
    webhooks,
)

ACCOUNT = "api/v1/accounts/<str:account>"
CONTACT = f"{ACCOUNT}/contacts/<str:id>"
BOT = f"{ACCOUNT}/agent_bots/<str:id>"
MACRO = f"{ACCOUNT}/macros/<str:id>"
RULE = f"{ACCOUNT}/automation_rules/<str:id>"
INBOX = f"{ACCOUNT}/inboxes/<str:id>"
TALK = f"{ACCOUNT}/conversations/<str:number>"
# Reports have a version of their own there.
REPORTS = "api/v2/accounts/<str:account>"

urlpatterns = [
    path("api/v1/profile", desk.ProfileView.as_view(), name="account-profile"),
    path(ACCOUNT, desk.AccountShowView.as_view(), name="account"),
    path(f"{ACCOUNT}/agents", desk.AccountAgentsView.as_view(), name="account-agents"),
    path(f"{ACCOUNT}/teams", desk.AccountTeamsView.as_view(), name="account-teams"),
    path(f"{ACCOUNT}/teams/<str:id>", desk.AccountTeamView.as_view(), name="account-team"),
    path(f"{ACCOUNT}/teams/<str:id>/team_members", desk.AccountTeamMembersView.as_view(), name="account-team-members"),
    path(f"{ACCOUNT}/inboxes", inboxes.AccountInboxesView.as_view(), name="account-inboxes"),
    path(INBOX, inboxes.AccountInboxView.as_view(), name="account-inbox"),
    path(f"{INBOX}/agent_bot", inboxes.AccountInboxBotView.as_view(), name="account-inbox-bot"),
    path(f"{INBOX}/set_agent_bot", inboxes.AccountSetBotView.as_view(), name="account-inbox-set-bot"),
    path(f"{ACCOUNT}/inbox_members/<str:id>", members.AccountInboxMembersView.as_view(), name="account-inbox-members"),
    path(f"{ACCOUNT}/agent_bots", bots.AccountBotsView.as_view(), name="account-bots"),
    path(BOT, bots.AccountBotView.as_view(), name="account-bot"),
    path(f"{BOT}/reset_access_token", bots.AccountBotTokenView.as_view(), name="account-bot-token"),
    path(f"{ACCOUNT}/inbox_members", members.AccountMembersView.as_view(), name="account-members"),
    path(f"{ACCOUNT}/assignable_agents", members.AccountAssignableView.as_view(), name="account-assignable"),
    path(
        f"{ACCOUNT}/custom_attribute_definitions",
        attributes.AccountAttributesView.as_view(),
        name="account-attributes",
    ),
    path(
        f"{ACCOUNT}/custom_attribute_definitions/<str:id>",
        attributes.AccountAttributeView.as_view(),
        name="account-attribute",
    ),
    path(f"{ACCOUNT}/labels", settings.AccountLabelsListView.as_view(), name="account-labels"),
    path(f"{ACCOUNT}/labels/<str:id>", settings.AccountLabelView.as_view(), name="account-label"),
    path(f"{ACCOUNT}/canned_responses", settings.AccountCannedListView.as_view(), name="account-canned-responses"),
    path(f"{ACCOUNT}/canned_responses/<str:id>", settings.AccountCannedView.as_view(), name="account-canned-response"),
    path(f"{ACCOUNT}/automation_rules", rules.AccountRulesView.as_view(), name="account-rules"),
    path(RULE, rules.AccountRuleView.as_view(), name="account-rule"),
    path(f"{RULE}/clone", rules.AccountRuleCloneView.as_view(), name="account-rule-clone"),
    path(f"{ACCOUNT}/macros", macros.AccountMacrosView.as_view(), name="account-macros"),
    path(MACRO, macros.AccountMacroView.as_view(), name="account-macro"),
    path(f"{MACRO}/execute", macros.AccountMacroExecuteView.as_view(), name="account-macro-execute"),
    path(f"{REPORTS}/reports", reports.AccountReportsView.as_view(), name="account-reports"),
    path(f"{REPORTS}/reports/summary", reports.AccountSummaryView.as_view(), name="account-report-summary"),
    path(f"{REPORTS}/reports/conversations", reports.AccountLiveView.as_view(), name="account-report-live"),
    path(
        f"{REPORTS}/summary_reports/<str:of>",
        reports.AccountSummaryReportsView.as_view(),
        name="account-summary-reports",
    ),
    path(f"{ACCOUNT}/webhooks", webhooks.AccountWebhooksView.as_view(), name="account-webhooks"),
    path(f"{ACCOUNT}/webhooks/<str:id>", webhooks.AccountWebhookView.as_view(), name="account-webhook"),
    path(f"{ACCOUNT}/contacts", contacts.AccountContactsView.as_view(), name="account-contacts"),
    path(f"{ACCOUNT}/contacts/search", contacts.AccountContactSearchView.as_view(), name="account-contact-search"),
    path(f"{ACCOUNT}/contacts/filter", contacts.AccountContactFilterView.as_view(), name="account-contact-filter"),
    path(f"{ACCOUNT}/bulk_actions", bulk.AccountBulkView.as_view(), name="account-bulk"),
    path(f"{ACCOUNT}/actions/contact_merge", contacts.AccountContactMergeView.as_view(), name="account-contact-merge"),
    path(CONTACT, contacts.AccountContactView.as_view(), name="account-contact"),
    path(
        f"{CONTACT}/conversations",
        contacts.AccountContactConversationsView.as_view(),
        name="account-contact-conversations",
    ),
    path(f"{CONTACT}/labels", contacts.AccountContactLabelsView.as_view(), name="account-contact-labels"),
    path(f"{CONTACT}/notes", notes.AccountNotesView.as_view(), name="account-contact-notes"),
    path(f"{CONTACT}/notes/<str:note>", notes.AccountNoteView.as_view(), name="account-contact-note"),
    path(f"{CONTACT}/contact_inboxes", contacts.AccountContactInboxesView.as_view(), name="account-contact-inboxes"),
    path(f"{CONTACT}/contactable_inboxes", contacts.AccountContactableView.as_view(), name="account-contactable"),
    path(
        f"{CONTACT}/destroy_custom_attributes",
        contacts.AccountContactAttributesView.as_view(),
        name="account-contact-attributes",
    ),
    path(f"{ACCOUNT}/conversations", conversations.AccountConversationsView.as_view(), name="account-conversations"),
    path(f"{ACCOUNT}/conversations/meta", conversations.AccountCountsView.as_view(), name="account-conversations-meta"),
    path(
        f"{ACCOUNT}/conversations/filter",
        conversations.AccountConversationFilterView.as_view(),
        name="account-conversations-filter",
    ),
    path(
        f"{ACCOUNT}/conversations/search",
        conversations.AccountConversationSearchView.as_view(),
        name="account-conversations-search",
    ),
    path(TALK, conversations.AccountConversationView.as_view(), name="account-conversation"),
    path(f"{TALK}/messages", messages.AccountMessagesView.as_view(), name="account-messages"),
    path(f"{TALK}/messages/<str:message>", messages.AccountMessageView.as_view(), name="account-message"),
    path(f"{TALK}/attachments", messages.AccountAttachmentsView.as_view(), name="account-attachments"),
    path(f"{TALK}/participants", participants.AccountParticipantsView.as_view(), name="account-participants"),
    path(f"{TALK}/labels", acts.AccountLabelsView.as_view(), name="account-conversation-labels"),
    path(f"{TALK}/<str:act>", acts.AccountActView.as_view(), name="account-conversation-act"),
]
