"""Endpoints, their secrets and their messages over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, checked, listed, one_of, page
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import api_actor
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.errors import InvalidRequest
from apps.core.schema import READ, WRITE, problems
from apps.webhooks import services
from apps.webhooks.access import MANAGE
from apps.webhooks.api import bodies
from apps.webhooks.models import Delivery, DeliveryState, Endpoint, EndpointKind
from apps.webhooks.services.endpoints import NO_ENDPOINT, NO_SECRET
from apps.webhooks.services.replays import NO_DELIVERY

TAGS = ["Webhooks"]
SECRET = OpenApiParameter("secret", OpenApiTypes.UUID, OpenApiParameter.PATH)
OF_ENDPOINT = OpenApiParameter("endpoint", OpenApiTypes.UUID, description="Messages of this endpoint alone.")
STATE = OpenApiParameter("status", {"type": "string", "enum": DeliveryState.values})


class EndpointsView(AsyncAPIView):
    """All endpoints."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_webhook_endpoints",
        summary="List endpoints, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR],
        responses={200: bodies.EndpointBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(MANAGE)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, Endpoint.objects.filter(kind=EndpointKind.EVENTS))
            return listed(answer, [bodies.endpoint_body(row) for row in found])

    @extend_schema(
        operation_id="create_webhook_endpoint",
        summary="Have events sent to an address",
        description="From the next event on. The answer has the secret, which is shown this once.",
        tags=TAGS,
        request=bodies.WriteEndpoint,
        responses={201: bodies.NewEndpointBody, **problems(*WRITE, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(bodies.WriteEndpoint, request, MANAGE)
        row, secret = services.create_endpoint(api_actor(request), **values)
        return Response(bodies.endpoint_body(row) | {"secret": secret}, status=201)


class EndpointView(AsyncAPIView):
    """One endpoint."""

    @extend_schema(
        operation_id="get_webhook_endpoint",
        summary="Get an endpoint",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.EndpointBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        return Response(bodies.endpoint_body(services.get_endpoint(api_actor(request), _id(request, id))))

    @extend_schema(
        operation_id="change_webhook_endpoint",
        summary="Change an endpoint",
        tags=TAGS,
        parameters=[ID],
        request=bodies.ChangeEndpoint,
        responses={200: bodies.EndpointBody, **problems(*WRITE, 404)},
    )
    @in_thread
    def patch(self, request: Request, id: str) -> Response:
        values = checked(bodies.ChangeEndpoint, request, MANAGE)
        return Response(bodies.endpoint_body(services.change_endpoint(api_actor(request), _id(request, id), values)))

    @extend_schema(
        operation_id="delete_webhook_endpoint",
        summary="Delete an endpoint with its secrets and messages",
        tags=TAGS,
        parameters=[ID],
        responses={204: NOTHING, **problems(*READ, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        services.delete_endpoint(api_actor(request), _id(request, id))
        return Response(status=204)


class PauseView(AsyncAPIView):
    """Sending nothing for a while."""

    @extend_schema(
        operation_id="pause_webhook_endpoint",
        summary="Pause an endpoint",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: bodies.EndpointBody, **problems(*READ, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        return Response(bodies.endpoint_body(services.pause_endpoint(api_actor(request), _id(request, id))))


class ResumeView(AsyncAPIView):
    """Sending again."""

    @extend_schema(
        operation_id="resume_webhook_endpoint",
        summary="Switch an endpoint on again",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: bodies.EndpointBody, **problems(*READ, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        return Response(bodies.endpoint_body(services.resume_endpoint(api_actor(request), _id(request, id))))


class TestView(AsyncAPIView):
    """Trying a receiver."""

    @extend_schema(
        operation_id="test_webhook_endpoint",
        summary="Send a test, of the type webhook.test",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={201: bodies.DeliveryBody, **problems(*READ, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        return Response(bodies.delivery_body(services.send_test(api_actor(request), _id(request, id))), status=201)


class ReplayView(AsyncAPIView):
    """Sending a range of time again."""

    @extend_schema(
        operation_id="replay_webhook_endpoint",
        summary="Send the events of a range of time again",
        description="All that the endpoint asks for, in order, under the ids that they had; at most 31 days.",
        tags=TAGS,
        parameters=[ID],
        request=bodies.ReplayRange,
        responses={200: bodies.ReplayBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        values = checked(bodies.ReplayRange, request, MANAGE)
        count = services.replay_range(
            api_actor(request),
            _id(request, id),
            values["since"],
            values.get("until") or timezone.now(),
            failed_only=values.get("failed_only", False),
        )
        return Response({"object": "webhook_replay", "count": count})


class SecretsView(AsyncAPIView):
    """The secrets of an endpoint."""

    @extend_schema(
        operation_id="list_webhook_secrets",
        summary="List the secrets that sign, without their text",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.SecretList, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor, endpoint_id = api_actor(request), _id(request, id)
        services.get_endpoint(actor, endpoint_id)
        found = services.secrets_of(actor, endpoint_id)
        return Response({"object": "list", "data": [bodies.secret_body(row) for row in found]})

    @extend_schema(
        operation_id="add_webhook_secret",
        summary="Add a secret, or rotate",
        description="All secrets sign every message. With `expire_others_in_hours` the others of the same scheme go on "
        "for so long: change your receiver within that time.",
        tags=TAGS,
        parameters=[ID],
        request=bodies.AddSecret,
        responses={201: bodies.NewSecretBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        values = checked(bodies.AddSecret, request, MANAGE)
        return _added(*services.add_secret(api_actor(request), _id(request, id), **values))


class SecretView(AsyncAPIView):
    """One secret."""

    @extend_schema(
        operation_id="remove_webhook_secret",
        summary="Remove a secret",
        tags=TAGS,
        parameters=[ID, SECRET],
        responses={204: NOTHING, **problems(*READ, 404, 409)},
    )
    @in_thread
    def delete(self, request: Request, id: str, secret: str) -> Response:
        services.remove_secret(api_actor(request), _id(request, id), _id(request, secret, NO_SECRET))
        return Response(status=204)


class DeliveriesView(AsyncAPIView):
    """All messages."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_webhook_deliveries",
        summary="List messages, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR, OF_ENDPOINT, STATE],
        responses={200: bodies.DeliveryBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(MANAGE)
        state = one_of(request, "status", DeliveryState.values)
        only: dict[str, Any] = {"state": state} if state else {}
        if "endpoint" in request.query_params:
            only["endpoint_id"] = _chosen(request)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, Delivery.objects.filter(**only))
            return listed(answer, [bodies.delivery_body(row) for row in found])


class DeliveryView(AsyncAPIView):
    """One message."""

    @extend_schema(
        operation_id="get_webhook_delivery",
        summary="Get a message with every request that was made for it",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.WholeDeliveryBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        row = services.get_delivery(actor, _id(request, id, NO_DELIVERY))
        with tenancy.scope(actor.organization_id):
            attempts = list(row.attempts.order_by("number"))
        return Response(bodies.whole_delivery_body(row, attempts, services.may_see(actor, row)))


class ReplayDeliveryView(AsyncAPIView):
    """Sending one message again."""

    @extend_schema(
        operation_id="replay_webhook_delivery",
        summary="Send a message again",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: bodies.DeliveryBody, **problems(*READ, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        row = services.replay_delivery(api_actor(request), _id(request, id, NO_DELIVERY))
        return Response(bodies.delivery_body(row))


def _added(row: Any, text: str) -> Response:
    secret = None if row.public else text
    return Response(bodies.secret_body(row) | {"secret": secret}, status=201)


def _id(request: Request, id: str, message: str = NO_ENDPOINT) -> UUID:
    """The id in the path, for whoever may act at all."""
    api_actor(request).require(MANAGE)
    return parse_id(id, message)


def _chosen(request: Request) -> UUID:
    try:
        return UUID(request.query_params["endpoint"])
    except ValueError:
        raise InvalidRequest("endpoint must be an id.", param="endpoint") from None
