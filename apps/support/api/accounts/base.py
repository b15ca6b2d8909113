"""Who calls Chatwoot's account API, and what its operations share.

A key of the dashboard is sent as `Authorization: Bearer KEY` or, as Chatwoot's clients do, as `api_access_token`; a
bot's token as the latter alone. Ids are whole numbers (`services.numbers`), and the desk's own are taken as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import Q
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from apps.accounts.access import Actor
from apps.accounts.authentication import ApiKeyAuthentication, MemberSessionAuthentication, Program, actor_of_header
from apps.accounts.models import Membership
from apps.core import callers, tenancy
from apps.core.api import parse_id
from apps.core.errors import InvalidApiKey, InvalidRequest, NotFound, PermissionDenied
from apps.core.fields import Text
from apps.support import chatwoot
from apps.support.api.told_errors import ToldErrors
from apps.support.models import Conversation, Numbered, RowNumber
from apps.support.services.agent_bots import speaking
from apps.support.services.agent_bots.setting import TOKEN_PREFIX
from apps.support.services.agent_bots.speaking import Caller
from apps.support.services.assignment import NO_AGENT, NO_TEAM
from apps.support.services.contacts import NO_CONTACT
from apps.support.services.inboxes import NO_INBOX
from apps.support.services.numbers import Numbers, number_in, row_of
from apps.support.services.storing import NO_CONVERSATION

TAGS = ["Support: Chatwoot"]
ACCOUNT = OpenApiParameter("account", str, OpenApiParameter.PATH, description="`account.id`, or the organization's id.")
NUMBER = OpenApiParameter("id", str, OpenApiParameter.PATH, description="Its `id`, a number, or the desk's own.")
CONVERSATION = OpenApiParameter("number", str, OpenApiParameter.PATH, description="The conversation's `id`.")
PAGE = OpenApiParameter("page", {"type": "integer", "minimum": 1, "default": 1})
IN_ACCOUNT, AT_ROW, AT_CONVERSATION = [ACCOUNT], [ACCOUNT, NUMBER], [ACCOUNT, CONVERSATION]
# What our services call otherwise, in contacts, conversations and inboxes.
OURS = (
    chatwoot.CONTACT_FIELDS
    | chatwoot.INBOX_FIELDS
    | {
        "language": "additional_attributes",
        "subject": "additional_attributes",
        "agent": "assignee_id",
        "team": "team_id",
        "agents": "user_ids",
    }
)
HEADER = b"api_access_token"
NO_ACCOUNT = "There is no account with this id."


def token_of(request: Request) -> str | None:
    """The header as Chatwoot's clients send it, None where there is none.

    Under ASGI Django drops names with underscores, which proxies may do as well: `Api-Access-Token` is the same.
    """
    http = request._request
    scope: dict[str, Any] = getattr(http, "scope", {})
    given: bytes | None = dict(scope.get("headers", ())).get(HEADER)
    return http.META.get("HTTP_API_ACCESS_TOKEN") if given is None else given.decode("latin-1")


class AccessTokenAuthentication(BaseAuthentication):
    """`api_access_token: TOKEN`; sets `request.auth` to the Actor of a key, or to the Caller that a bot is."""

    def authenticate(self, request: Request) -> tuple[Any, Actor | Caller] | None:
        given = token_of(request)
        if given is None:
            return None
        token = given.strip()
        if not token:
            raise InvalidApiKey("Send the token as `api_access_token: TOKEN`.")
        if token.startswith(TOKEN_PREFIX):
            return Program(), speaking.admit(token)
        actor = actor_of_header(f"Bearer {token}", callers.address_of(request._request.META))
        return (Program(), actor) if actor else None

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class AccessTokenScheme(OpenApiAuthenticationExtension):
    target_class = "apps.support.api.accounts.base.AccessTokenAuthentication"
    name = "accessToken"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        about = "A key of the dashboard, or the token of an agent bot, as Chatwoot's clients send it."
        return {"type": "apiKey", "in": "header", "name": "api_access_token", "description": about}


@extend_schema_field({"oneOf": [{"type": "integer"}, {"type": "string", "maxLength": 40}, {"type": "null"}]})
class Ref(serializers.Field[Any, Any, Any, Any]):
    """An id in a body: a whole number, also as a text, or the desk's own."""

    default_error_messages = {"invalid": "Must be an id."}

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, bool) or not isinstance(data, int | str) or not 0 < len(str(data)) <= 40:
            self.fail("invalid")
        return str(data)

    def to_representation(self, value: Any) -> Any:
        return value


class Lenient(serializers.Serializer[Any]):
    """Programs written for Chatwoot send more than is used here; what is not used is passed over, as it is there."""


class AccountView(ToldErrors):
    """An address in an account: the caller's own, and no other."""

    as_unprocessable = True
    their_names = OURS
    authentication_classes = (AccessTokenAuthentication, ApiKeyAuthentication, MemberSessionAuthentication)

    def actor(self, request: Request, account: str, *permissions: str) -> Actor:
        """Whoever works at the desk; raises PermissionDenied for bots, and NotFound for another account."""
        caller = self.caller(request, account, *permissions)
        if isinstance(caller, Caller):
            raise PermissionDenied("A bot's token opens the conversations of its inboxes, and nothing else.")
        return caller

    def caller(self, request: Request, account: str, *permissions: str) -> Actor | Caller:
        """The same where bots may call as well."""
        auth: Any = request.auth
        found: Actor | Caller = auth
        if isinstance(found, Actor):
            found.require(*permissions)
        if not is_account(account, found.organization_id):
            raise NotFound(NO_ACCOUNT)
        return found

    def taken(self, kind: type[serializers.Serializer[Any]], request: Request) -> dict[str, Any]:
        body = kind(data=request.data)
        body.is_valid(raise_exception=True)
        values: dict[str, Any] = body.validated_data
        return values


def is_account(text: str, organization_id: UUID) -> bool:
    """Whether the account of an address is this organization's: there is no other that a caller could name."""
    number = number_in(text)
    if number is None:
        return text.lower() == str(organization_id)
    with tenancy.reading(organization_id):
        return Numbers(organization_id).account == number


def conversation_of(text: str) -> UUID:
    """The id of a conversation in an address, in scope; raises NotFound where there is none with this number."""
    number = number_in(text)
    if number is None:
        return parse_id(text, NO_CONVERSATION)
    found: UUID | None = Conversation.objects.filter(number=number).values_list("pk", flat=True).first()
    if found is None:
        raise NotFound(NO_CONVERSATION)
    return found


def contact_of(text: str) -> UUID:
    return row_of(Numbered.CONTACT, text, NO_CONTACT)


def inbox_of(text: str) -> UUID:
    return row_of(Numbered.INBOX, text, NO_INBOX)


def team_of(text: str) -> UUID:
    return row_of(Numbered.TEAM, text, NO_TEAM)


def member_of(text: str) -> UUID:
    """The member behind a person's number, or a member's or person's own id; raises NotFound."""
    id = row_of(Numbered.USER, text, NO_AGENT)
    rows = Membership.objects.values_list("pk", flat=True)
    found: UUID | None = rows.filter(user=id).first() or rows.filter(pk=id).first()
    if found is None:
        raise NotFound(NO_AGENT)
    return found


def members_of(name: str, given: Sequence[str]) -> set[UUID]:
    """The same of several at once, which a body names; raises InvalidRequest for one that there is not."""
    numbers = {number for text in given if (number := number_in(text)) is not None}
    people = dict(RowNumber.objects.filter(kind=Numbered.USER, number__in=numbers).values_list("number", "row"))
    ids = [people.get(number) if (number := number_in(text)) is not None else _own(text) for text in given]
    rows = Membership.objects.filter(Q(user__in=set(ids)) | Q(pk__in=set(ids))).values_list("user", "pk")
    found = {id: pk for user, pk in rows for id in (user, pk)}
    if any(id not in found for id in ids):
        raise InvalidRequest(NO_AGENT, param=name)
    return {found[id] for id in ids}


def _own(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def named(name: str, values: dict[str, Any], find: Any) -> UUID | None:
    """The row that a body or query names, or None; raises InvalidRequest for one that there is not."""
    given = values.get(name)
    if given in (None, "", "0"):
        return None
    try:
        found: UUID = find(str(given))
    except NotFound as error:
        raise InvalidRequest(str(error), param=name) from None
    return found


def several(request: Request, name: str) -> list[str]:
    """A list in a query, as Rails' clients write it, `name[]=a&name[]=b`, or plainly."""
    given = [*request.query_params.getlist(f"{name}[]"), *request.query_params.getlist(name)]
    if len(given) > 20 or any(len(each) > 100 for each in given):
        raise InvalidRequest("Name at most %(most)s.", values={"most": 20}, param=name)
    return [each for each in given if each]


class FilterBody(Lenient):
    payload = serializers.ListField(child=serializers.DictField(), help_text="Chatwoot's conditions.")


class LabelsBody(Lenient):
    labels = serializers.ListField(child=Text(max_length=40), max_length=20)
