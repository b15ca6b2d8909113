"""Connections to identity providers, the domains they may speak for, and directories."""

from apps.sso.models.connections import Connection, GroupRule, Identity, Kind, UsedAssertion
from apps.sso.models.directory import DirectoryGroup, DirectoryGroupMember, DirectoryToken, DirectoryUser
from apps.sso.models.domains import Domain

__all__ = [
    "Connection",
    "DirectoryGroup",
    "DirectoryGroupMember",
    "DirectoryToken",
    "DirectoryUser",
    "Domain",
    "GroupRule",
    "Identity",
    "Kind",
    "UsedAssertion",
]
