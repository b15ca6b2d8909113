"""Budgets as REST resources."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, checked, listed, page
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import api_actor
from apps.billing import services as billing
from apps.billing.budgets import BudgetState, states_for, states_of
from apps.billing.models import Budget, BudgetKind
from apps.billing.services.budgets import MANAGE, MOST_TOKENS, NO_BUDGET, BudgetFor
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.errors import InvalidRequest
from apps.core.fields import StrictSerializer
from apps.core.schema import READ, WRITE, problems

TAGS = ["Usage and budgets"]
TOKENS: dict[str, Any] = {"min_value": 0, "max_value": MOST_TOKENS}


class BudgetBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["budget"])
    kind = serializers.ChoiceField(BudgetKind.choices)
    name = serializers.CharField(help_text="The member's address, or the name of the team or the service account.")
    team = serializers.UUIDField(allow_null=True)
    monthly_tokens = serializers.IntegerField()
    month = serializers.DateField(help_text="Its first day.")
    used = serializers.IntegerField(allow_null=True, help_text="This month; null for the default, which is of many.")
    held = serializers.IntegerField(allow_null=True, help_text="Reserved for work that has not ended.")
    remaining = serializers.IntegerField(allow_null=True)
    renews_on = serializers.DateField()


def budget_body(state: BudgetState) -> dict[str, Any]:
    budget = state.budget
    return {
        "id": str(budget.pk),
        "object": "budget",
        "kind": budget.kind,
        "name": budget.audit_name,
        "team": str(budget.team_id) if budget.team_id else None,
        "monthly_tokens": budget.monthly_tokens,
        "month": state.month.isoformat(),
        "used": state.used,
        "held": state.held,
        "remaining": state.remaining,
        "renews_on": state.renews_on.isoformat(),
    }


def _person(actor: Actor) -> UUID | None:
    """The member who acts, or whose key it is."""
    return actor.user_id or (actor.credential.owner_id if actor.credential else None)


class CreateBudget(StrictSerializer):
    kind = serializers.ChoiceField(BudgetKind.choices)
    owner = serializers.UUIDField(
        required=False, help_text="The id of the member, the team or the service account; none for `default`."
    )
    monthly_tokens = serializers.IntegerField(**TOKENS)


class ChangeBudget(StrictSerializer):
    monthly_tokens = serializers.IntegerField(**TOKENS)


class BudgetsView(AsyncAPIView):
    """The organization's budgets."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_budgets",
        summary="List budgets, newest first",
        description="Whoever may not manage budgets gets those that bind them.",
        tags=TAGS,
        parameters=[LIMIT, CURSOR],
        responses={200: BudgetBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require("usage:read")
        with tenancy.scope(actor.organization_id):
            if MANAGE in actor.permissions:
                found, answer = page(request, Budget.objects.for_pages())
                return listed(answer, [budget_body(state) for state in states_of(found)])
            own = {state.budget.pk: state for state in states_for(_person(actor))}
            found, answer = page(request, Budget.objects.filter(pk__in=own))
            return listed(answer, [budget_body(own[budget.pk]) for budget in found])

    @extend_schema(
        operation_id="create_budget",
        summary="Set a budget where there is none",
        tags=TAGS,
        request=CreateBudget,
        responses={201: BudgetBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values, actor = checked(CreateBudget, request, MANAGE), api_actor(request)
        owner = BudgetFor(BudgetKind(values["kind"]), values.get("owner"))
        if (owner.id is None) != (owner.kind == BudgetKind.DEFAULT):
            raise InvalidRequest("Give an owner for every kind but default.", param="owner")
        budget = billing.create_budget(actor, owner, values["monthly_tokens"])
        with tenancy.scope(actor.organization_id):
            [state] = states_of([budget])
            return Response(budget_body(state), status=201)


class BudgetView(AsyncAPIView):
    """One budget."""

    @extend_schema(
        operation_id="get_budget",
        summary="Get a budget",
        tags=TAGS,
        parameters=[ID],
        responses={200: BudgetBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        return self._shown(request, billing.get_budget(api_actor(request), parse_id(id, NO_BUDGET)))

    @extend_schema(
        operation_id="change_budget",
        summary="Change a budget",
        tags=TAGS,
        parameters=[ID],
        request=ChangeBudget,
        responses={200: BudgetBody, **problems(*WRITE, 404)},
    )
    @in_thread
    def patch(self, request: Request, id: str) -> Response:
        values = checked(ChangeBudget, request, MANAGE)
        return self._shown(request, billing.change_budget(api_actor(request), parse_id(id, NO_BUDGET), **values))

    @extend_schema(
        operation_id="delete_budget",
        summary="Remove a budget",
        tags=TAGS,
        parameters=[ID],
        responses={204: NOTHING, **problems(*READ, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        billing.remove_budget(api_actor(request), parse_id(id, NO_BUDGET))
        return Response(status=204)

    def _shown(self, request: Request, budget: Budget) -> Response:
        with tenancy.scope(api_actor(request).organization_id):
            [state] = states_of([budget])
            return Response(budget_body(state))
