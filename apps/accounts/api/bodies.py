"""What the REST API of organizations takes and shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from rest_framework import serializers

from apps.accounts.models import CustomRole, Invitation, Membership, Organization, OwnershipTransfer, Role, Team
from apps.accounts.permissions import PERMISSIONS, ROLE_PERMISSIONS
from apps.core.fields import StrictSerializer, Text


class OrganizationBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["organization"])
    name = serializers.CharField()
    slug = serializers.CharField()
    language = serializers.ChoiceField(settings.LANGUAGES)
    created_at = serializers.DateTimeField()
    deletes_at = serializers.DateTimeField(allow_null=True, help_text="When it will be removed, if that is scheduled.")


def organization_body(organization: Organization) -> dict[str, Any]:
    return {
        "id": str(organization.pk),
        "object": "organization",
        "name": organization.name,
        "slug": organization.slug,
        "language": organization.language,
        "created_at": organization.created_at,
        "deletes_at": organization.deletes_at,
    }


class AcceptInvitation(StrictSerializer):
    token = Text(max_length=100, help_text="The secret in the mail's link, between `/invitations/` and the last slash.")


class Joined(serializers.Serializer[Any]):
    organization = OrganizationBody()
    role = serializers.ChoiceField(Role.choices)
    custom_role = serializers.UUIDField(allow_null=True)
    role_name = serializers.CharField()


def joined_body(member: Membership) -> dict[str, Any]:
    """What a person is told who has just joined; `member` comes with organization and custom role."""
    return {"organization": organization_body(member.organization), **_role(member)}


class ChangeOrganization(StrictSerializer):
    name = Text(required=False, max_length=120)
    slug = Text(required=False, max_length=60, help_text="A new one gets a random tail that makes it unique.")
    language = serializers.ChoiceField(settings.LANGUAGES, required=False)


class TypedName(StrictSerializer):
    name = Text(max_length=120, help_text="The organization's name, typed, as a sign that this is meant.")


class RoleShown(serializers.Serializer[Any]):
    role = serializers.ChoiceField(Role.choices)
    custom_role = serializers.UUIDField(allow_null=True)
    role_name = serializers.CharField()


class PersonBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    email = serializers.EmailField()
    name = serializers.CharField()


class TeamShown(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    name = serializers.CharField()


class MemberBody(RoleShown):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["member"])
    user = PersonBody()
    teams = TeamShown(many=True)
    permissions = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()


def _role(row: Membership | Invitation) -> dict[str, Any]:
    custom = row.custom_role_id
    return {"role": row.role, "custom_role": str(custom) if custom else None, "role_name": str(row.role_name)}


def member_body(member: Membership, teams: Sequence[Team] = ()) -> dict[str, Any]:
    person = member.user
    return {
        "id": str(member.pk),
        "object": "member",
        "user": {"id": str(person.pk), "email": person.email, "name": person.name},
        **_role(member),
        "teams": [{"id": str(team.pk), "name": team.name} for team in teams],
        "permissions": sorted(member.permissions),
        "created_at": member.created_at,
    }


class GiveRole(StrictSerializer):
    role = serializers.ChoiceField(Role.choices)
    custom_role = serializers.UUIDField(required=False, help_text="With the role `custom`: which.")


class Moved(serializers.Serializer[Any]):
    """What became of the one who is gone: sessions and keys that ended, what they had owned, and who has it now."""

    sessions = serializers.IntegerField()
    keys = serializers.IntegerField()
    moved = serializers.DictField(child=serializers.IntegerField())
    moved_to = serializers.EmailField(allow_null=True)


class Invite(GiveRole):
    email = serializers.EmailField(max_length=254)
    teams = serializers.ListField(child=serializers.UUIDField(), required=False, max_length=20)


class InvitationBody(RoleShown):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["invitation"])
    email = serializers.EmailField()
    teams = serializers.ListField(child=serializers.UUIDField())
    status = serializers.ChoiceField(["pending", "expired"])
    invited_by = serializers.EmailField(allow_null=True)
    created_at = serializers.DateTimeField()
    sent_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


def invitation_body(invitation: Invitation) -> dict[str, Any]:
    return {
        "id": str(invitation.pk),
        "object": "invitation",
        "email": invitation.email,
        **_role(invitation),
        "teams": [str(id) for id in invitation.teams],
        "status": invitation.status,
        "invited_by": invitation.invited_by.email if invitation.invited_by else None,
        "created_at": invitation.created_at,
        "sent_at": invitation.sent_at,
        "expires_at": invitation.expires_at,
    }


class TeamBody(TeamShown):
    object = serializers.ChoiceField(["team"])
    description = serializers.CharField()
    created_at = serializers.DateTimeField()


def team_body(team: Team) -> dict[str, Any]:
    return {
        "id": str(team.pk),
        "object": "team",
        "name": team.name,
        "description": team.description,
        "created_at": team.created_at,
    }


class CreateTeam(StrictSerializer):
    name = Text(max_length=60)
    description = Text(required=False, allow_blank=True, max_length=200)


class ChangeTeam(StrictSerializer):
    name = Text(required=False, max_length=60)
    description = Text(required=False, allow_blank=True, max_length=200)


class RoleBody(serializers.Serializer[Any]):
    id = serializers.CharField(help_text="Of a built-in role its name.")
    object = serializers.ChoiceField(["role"])
    name = serializers.CharField()
    description = serializers.CharField()
    built_in = serializers.BooleanField()
    permissions = serializers.ListField(child=serializers.CharField())


def role_body(role: CustomRole) -> dict[str, Any]:
    return {
        "id": str(role.pk),
        "object": "role",
        "name": role.name,
        "description": role.description,
        "built_in": False,
        "permissions": sorted(role.granted),
    }


def built_in_roles() -> list[dict[str, Any]]:
    return [
        {
            "id": role.value,
            "object": "role",
            "name": str(role.label),
            "description": "",
            "built_in": True,
            "permissions": sorted(ROLE_PERMISSIONS[role]),
        }
        for role in Role
        if role is not Role.CUSTOM
    ]


class CreateRole(CreateTeam):
    permissions = serializers.ListField(child=serializers.ChoiceField(list(PERMISSIONS)), min_length=1)


class ChangeRole(ChangeTeam):
    permissions = serializers.ListField(child=serializers.ChoiceField(list(PERMISSIONS)), min_length=1, required=False)


class TransferBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["ownership_transfer"])
    offered_by = serializers.EmailField(allow_null=True)
    member = serializers.UUIDField()
    email = serializers.EmailField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()


def transfer_body(transfer: OwnershipTransfer) -> dict[str, Any]:
    return {
        "id": str(transfer.pk),
        "object": "ownership_transfer",
        "offered_by": transfer.offered_by.email if transfer.offered_by else None,
        "member": str(transfer.member_id),
        "email": transfer.member.user.email,
        "created_at": transfer.created_at,
        "expires_at": transfer.expires_at,
    }


class OfferOwnership(TypedName):
    member = serializers.UUIDField()
