"""The same act on many conversations, in Chatwoot's account API."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

from django.db.models import Q
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import tenancy
from apps.core.api import in_thread
from apps.core.errors import InvalidRequest
from apps.core.fields import Text
from apps.core.schema import WRITE as WRITE_PROBLEMS
from apps.support.access import WRITE
from apps.support.api.accounts.base import (
    IN_ACCOUNT,
    TAGS,
    AccountView,
    Lenient,
    Ref,
    member_of,
    named,
    team_of,
)
from apps.support.api.accounts.bodies import Moment
from apps.support.api.accounts.conversations import moment_of
from apps.support.api.told_errors import unprocessable as problems
from apps.support.models import Conversation
from apps.support.services import bulk
from apps.support.services.bulk import MOST, Outcome
from apps.support.services.numbers import number_in

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class BulkFields(Lenient):
    """What is null stays as it is; a `team_id` of 0 takes the team away."""

    status = Text(required=False, allow_null=True, max_length=10)
    assignee_id = Ref(required=False, allow_null=True)
    team_id = Ref(required=False, allow_null=True)


class BulkLabels(Lenient):
    add = serializers.ListField(child=Text(max_length=40), required=False, allow_null=True, max_length=20)
    remove = serializers.ListField(child=Text(max_length=40), required=False, allow_null=True, max_length=20)


class BulkAction(Lenient):
    type = Text(max_length=20, help_text="`Conversation`.")
    ids = serializers.ListField(child=Ref(), max_length=MOST, help_text="Of conversations.")
    fields = BulkFields(required=False, allow_null=True)  # type: ignore[assignment]
    labels = BulkLabels(required=False, allow_null=True)
    snoozed_until = Moment(required=False, allow_null=True)


class BulkFailure(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    code = serializers.CharField()
    message = serializers.CharField()


class BulkOutcome(serializers.Serializer[Any]):
    done = serializers.ListField(child=serializers.IntegerField())
    failed = BulkFailure(many=True)


class AccountBulkView(AccountView):
    """Many at once."""

    @extend_schema(
        operation_id="act_on_account_conversations",
        summary="Give conversations a status, an agent, a team or labels",
        description="Carried out before the answer, each conversation by itself: what failed is told of each. Ids "
        "without a conversation are passed over.",
        tags=TAGS,
        parameters=IN_ACCOUNT,
        request=BulkAction,
        responses={200: BulkOutcome, **problems(*WRITE_PROBLEMS, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, account: str) -> Response:
        actor = self.actor(request, account, WRITE)
        values = self.taken(BulkAction, request)
        if values["type"].capitalize() != "Conversation":
            raise InvalidRequest("Only conversations are changed together.", param="type")
        with tenancy.scope(actor.organization_id):
            changes = _changes(values)
            numbers = chosen(values["ids"])
        # Each conversation has a transaction of its own.
        outcomes = bulk.alter(actor, list(numbers), changes) if numbers and changes else []
        return Response(told(outcomes, numbers))


def _changes(values: dict[str, Any]) -> dict[str, Any]:
    """By our names, in scope."""
    fields = {name: each for name, each in (values.get("fields") or {}).items() if each is not None}
    labels = values.get("labels") or {}
    found: dict[str, Any] = {name: labels[name] for name in ("add", "remove") if labels.get(name)}
    if fields.get("status"):
        found |= {"status": fields["status"], "snoozed_until": moment_of(values.get("snoozed_until"))}
    if "assignee_id" in fields:
        found["agent"] = named("assignee_id", fields, member_of)
    if "team_id" in fields:
        found["team"] = named("team_id", fields, team_of)
    return found


def chosen(ids: list[str]) -> dict[UUID, int]:
    """The conversations that there are, with their numbers, in scope."""
    numbers = [number for number in map(number_in, ids) if number is not None]
    own = [UUID(id) for id in ids if _UUID.fullmatch(id.lower())]
    rows = Conversation.objects.filter(Q(number__in=numbers) | Q(pk__in=own), merged_into=None)
    return dict(rows.values_list("pk", "number"))


def told(outcomes: list[Outcome], numbers: dict[UUID, int]) -> dict[str, Any]:
    """What became of each, by its number."""
    done = sorted(numbers[each.id] for each in outcomes if not each.error)
    failed = [{"id": numbers[each.id], "code": each.error, "message": each.message} for each in outcomes if each.error]
    return {"done": done, "failed": sorted(failed, key=lambda each: each["id"])}
