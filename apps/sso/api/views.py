"""Users, groups, and what the service says of itself."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.core import tenancy
from apps.core.errors import NotFound
from apps.sso import places
from apps.sso.api.base import ScimView, body_of, condition_of, listed, page_of
from apps.sso.models import DirectoryGroup, DirectoryGroupMember, DirectoryUser
from apps.sso.scim import discovery, patches
from apps.sso.scim.resources import etag, read_group, read_user, write_group, write_user
from apps.sso.services import directory, groups

USER_COLUMNS = {
    "id": "id",
    "username": "user_name",
    "externalid": "external_id",
    "displayname": "display_name",
    "name.givenname": "given_name",
    "name.familyname": "family_name",
    "emails": "user__email",
    "emails.value": "user__email",
    "active": "active",
    "meta.created": "created_at",
    "meta.lastmodified": "changed_at",
}
GROUP_COLUMNS = {
    "id": "id",
    "displayname": "name",
    "externalid": "external_id",
    "members": "inside__directory_user_id",
    "members.value": "inside__directory_user_id",
    "meta.created": "created_at",
    "meta.lastmodified": "changed_at",
}


def _answer(body: dict[str, Any], row: DirectoryUser | DirectoryGroup, status: int = 200) -> Response:
    return Response(body, status=status, headers={"etag": etag(row), "location": body["meta"]["location"]})


def _unchanged(request: Request, row: DirectoryUser | DirectoryGroup) -> bool:
    return etag(row) in [each.strip() for each in request.headers.get("if-none-match", "").split(",")]


def _leaves_out_members(request: Request) -> bool:
    return "members" in request.query_params.get("excludedAttributes", "").lower().split(",")


def _user(actor: Actor, row: DirectoryUser) -> dict[str, Any]:
    with tenancy.scope(actor.organization_id):
        return write_user(row, directory.groups_of(row), places.scim_base())


def _group(actor: Actor, row: DirectoryGroup, members: bool = True) -> dict[str, Any]:
    with tenancy.scope(actor.organization_id):
        return write_group(row, groups.members_of(row) if members else [], places.scim_base())


class Users(ScimView):
    def get(self, request: Request) -> Response:
        actor = self.actor_of(request)
        start, count = page_of(request)
        with tenancy.scope(actor.organization_id):
            rows = DirectoryUser.objects.filter(condition_of(request, USER_COLUMNS)).order_by("id")
            total = rows.count()
            page = list(rows.select_related("user")[start - 1 : start - 1 + count])
            theirs = _groups_by_user(page)
            bodies = [write_user(row, theirs.get(row.pk, []), places.scim_base()) for row in page]
        return Response(listed(bodies, total, start))

    def post(self, request: Request) -> Response:
        actor = self.actor_of(request)
        row = directory.create_user(actor, read_user(body_of(request)))
        return _answer(_user(actor, row), row, 201)


def _groups_by_user(page: list[DirectoryUser]) -> dict[UUID, list[DirectoryGroup]]:
    found: dict[UUID, list[DirectoryGroup]] = {}
    links = DirectoryGroupMember.objects.filter(directory_user__in=page).select_related("group").order_by("group__name")
    for link in links:
        found.setdefault(link.directory_user_id, []).append(link.group)
    return found


class User(ScimView):
    def get(self, request: Request, id: UUID) -> Response:
        actor = self.actor_of(request)
        row = directory.get_user(actor, id)
        return Response(status=304) if _unchanged(request, row) else _answer(_user(actor, row), row)

    def put(self, request: Request, id: UUID) -> Response:
        actor = self.actor_of(request)
        row = directory.replace_user(actor, id, read_user(body_of(request)), request.headers.get("if-match"))
        return _answer(_user(actor, row), row)

    def patch(self, request: Request, id: UUID) -> Response:
        actor = self.actor_of(request)
        before = _user(actor, directory.get_user(actor, id))
        after = patches.apply(before, body_of(request).get("Operations"))
        row = directory.replace_user(actor, id, read_user(after), request.headers.get("if-match"))
        return _answer(_user(actor, row), row)

    def delete(self, request: Request, id: UUID) -> Response:
        directory.delete_user(self.actor_of(request), id, request.headers.get("if-match"))
        return Response(status=204)


class Groups(ScimView):
    def get(self, request: Request) -> Response:
        actor = self.actor_of(request)
        start, count = page_of(request)
        members = not _leaves_out_members(request)
        with tenancy.scope(actor.organization_id):
            rows = DirectoryGroup.objects.filter(condition_of(request, GROUP_COLUMNS)).distinct().order_by("id")
            total = rows.count()
            page = list(rows[start - 1 : start - 1 + count])
            theirs = _members_by_group(page) if members else {}
            bodies = [write_group(row, theirs.get(row.pk, []), places.scim_base()) for row in page]
        return Response(listed(bodies, total, start))

    def post(self, request: Request) -> Response:
        actor = self.actor_of(request)
        row = groups.create_group(actor, read_group(body_of(request)))
        return _answer(_group(actor, row), row, 201)


def _members_by_group(page: list[DirectoryGroup]) -> dict[UUID, list[DirectoryUser]]:
    found: dict[UUID, list[DirectoryUser]] = {}
    links = DirectoryGroupMember.objects.filter(group__in=page).select_related("directory_user")
    for link in links.order_by("directory_user_id"):
        found.setdefault(link.group_id, []).append(link.directory_user)
    return found


class Group(ScimView):
    def get(self, request: Request, id: UUID) -> Response:
        actor = self.actor_of(request)
        row = groups.get_group(actor, id)
        if _unchanged(request, row):
            return Response(status=304)
        return _answer(_group(actor, row, not _leaves_out_members(request)), row)

    def put(self, request: Request, id: UUID) -> Response:
        actor = self.actor_of(request)
        row = groups.replace_group(actor, id, read_group(body_of(request)), request.headers.get("if-match"))
        return _answer(_group(actor, row), row)

    def patch(self, request: Request, id: UUID) -> Response:
        actor = self.actor_of(request)
        before = _group(actor, groups.get_group(actor, id))
        after = patches.apply(before, body_of(request).get("Operations"))
        row = groups.replace_group(actor, id, read_group(after), request.headers.get("if-match"))
        return _answer(_group(actor, row), row)

    def delete(self, request: Request, id: UUID) -> Response:
        groups.delete_group(self.actor_of(request), id, request.headers.get("if-match"))
        return Response(status=204)


class ServiceProviderConfig(ScimView):
    def get(self, request: Request) -> Response:
        return Response(discovery.service_provider(places.scim_base()))


class ResourceTypes(ScimView):
    def get(self, request: Request, name: str = "") -> Response:
        return _described(discovery.resource_types(places.scim_base()), name)


class Schemas(ScimView):
    def get(self, request: Request, name: str = "") -> Response:
        return _described(discovery.schemas(places.scim_base()), name)


def _described(found: list[dict[str, Any]], name: str) -> Response:
    if not name:
        return Response(listed(found, len(found), 1))
    chosen = next((each for each in found if each["id"] == name), None)
    if chosen is None:
        raise NotFound("There is nothing of this name.")
    return Response(chosen)
