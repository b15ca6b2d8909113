"""Pages of accounts; signing in and out is allauth's."""

from django.urls import path

from apps.accounts import api, views

urlpatterns = [
    path("accounts/sessions/", views.sessions, name="sessions"),
    path("keys/", views.api_keys, name="api-keys"),
    path("keys/<uuid:id>/revoke/", views.revoke_api_key, name="api-key-revoke"),
    path("organizations/switch/", views.switch_organization, name="switch-organization"),
    path("organizations/new/", views.new_organization, name="organization-new"),
    path("invitations/<str:token>/", views.invitation, name="invitation"),
    path("settings/membership/", views.membership, name="membership"),
    path("settings/membership/leave/", views.leave_organization, name="leave"),
    path("settings/membership/offer/", views.answer_transfer, name="ownership-answer"),
    path("settings/members/", views.members, name="members"),
    path("settings/members/<uuid:id>/", views.member, name="member"),
    path("settings/members/<uuid:id>/remove/", views.remove_member, name="member-remove"),
    path("settings/invitations/", views.invitations, name="invitations"),
    path("settings/invitations/<uuid:id>/resend/", views.resend_invitation, name="invitation-resend"),
    path("settings/invitations/<uuid:id>/revoke/", views.revoke_invitation, name="invitation-revoke"),
    path("settings/teams/", views.teams, name="teams"),
    path("settings/teams/<uuid:id>/", views.team, name="team"),
    path("settings/teams/<uuid:id>/members/", views.change_team_members, name="team-members"),
    path("settings/teams/<uuid:id>/delete/", views.delete_team, name="team-delete"),
    path("settings/roles/", views.roles, name="roles"),
    path("settings/roles/new/", views.new_role, name="role-new"),
    path("settings/roles/<uuid:id>/", views.role, name="role"),
    path("settings/roles/<uuid:id>/delete/", views.delete_role, name="role-delete"),
    path("settings/audit/", views.audit_log, name="audit-log"),
    path("settings/audit/export/", views.export_audit_log, name="audit-export"),
    path("settings/audit/settings/", views.audit_settings, name="audit-settings"),
    path("settings/audit/streams/<uuid:id>/switch/", views.switch_audit_stream, name="audit-stream-switch"),
    path("settings/audit/streams/<uuid:id>/remove/", views.remove_audit_stream, name="audit-stream-remove"),
    path("api/v1/audit", api.AuditView.as_view(), name="api-audit"),
    path("settings/organization/", views.organization_settings, name="organization-settings"),
    path("settings/organization/transfer/", views.transfer_ownership, name="ownership-transfer"),
    path("settings/organization/transfer/cancel/", views.cancel_transfer, name="ownership-cancel"),
    path("settings/organization/delete/", views.delete_organization, name="organization-delete"),
    path("settings/organization/delete/cancel/", views.cancel_deletion, name="organization-keep"),
]
