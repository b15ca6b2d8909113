"""The organization itself: settings, leaving, handing over, deleting."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiResponse, extend_schema, inline_serializer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts import services
from apps.accounts.api.base import TAGS, checked, require_fresh
from apps.accounts.api.bodies import (
    ChangeOrganization,
    Moved,
    OfferOwnership,
    OrganizationBody,
    TransferBody,
    TypedName,
    organization_body,
    transfer_body,
)
from apps.accounts.authentication import api_actor
from apps.accounts.sudo import require_recent
from apps.core.api import AsyncAPIView, in_thread
from apps.core.schema import READ, WRITE, problems

NOTHING = OpenApiResponse(description="Done; there is nothing to say.")


class OrganizationView(AsyncAPIView):
    """Name, slug and language."""

    @extend_schema(
        operation_id="get_organization",
        summary="Get the organization",
        tags=TAGS,
        responses={200: OrganizationBody, **problems(*READ)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        return Response(organization_body(services.get_organization(api_actor(request))))

    @extend_schema(
        operation_id="change_organization",
        summary="Change the organization's settings",
        tags=TAGS,
        request=ChangeOrganization,
        responses={200: OrganizationBody, **problems(*WRITE)},
    )
    @in_thread
    def patch(self, request: Request) -> Response:
        values = checked(ChangeOrganization, request, "organization:manage")
        return Response(organization_body(services.change_organization(api_actor(request), **values)))


class DeletionView(AsyncAPIView):
    """Deleting the organization, a week from now."""

    @extend_schema(
        operation_id="schedule_deletion",
        summary="Schedule the deletion",
        description="Everything is removed in seven days. Until then no new work is accepted (`deletion_pending`), and "
        "an owner can call it off.",
        tags=TAGS,
        request=TypedName,
        responses={200: OrganizationBody, **problems(*WRITE, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        name = checked(TypedName, request, "organization:delete")["name"]
        require_recent(request._request)
        return Response(organization_body(services.schedule_deletion(api_actor(request), name)))

    @extend_schema(
        operation_id="cancel_deletion",
        summary="Call the deletion off",
        tags=TAGS,
        responses={200: OrganizationBody, **problems(*READ, 404, 409)},
    )
    @in_thread
    def delete(self, request: Request) -> Response:
        return Response(organization_body(services.cancel_deletion(api_actor(request))))


class LeaveView(AsyncAPIView):
    """The way out."""

    @extend_schema(
        operation_id="leave_organization",
        summary="Leave the organization",
        tags=TAGS,
        request=None,
        responses={200: Moved, **problems(*READ, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        return Response(services.leave(api_actor(request)))


class TransferView(AsyncAPIView):
    """Offering the organization to another owner."""

    @extend_schema(
        operation_id="get_ownership_transfer",
        summary="Get the pending offer of ownership",
        tags=TAGS,
        responses={
            200: inline_serializer("PendingTransfer", {"transfer": TransferBody(allow_null=True)}),
            **problems(*READ),
        },
    )
    @in_thread
    def get(self, request: Request) -> Response:
        transfer = services.pending_transfer(api_actor(request))
        return Response({"transfer": transfer_body(transfer) if transfer else None})

    @extend_schema(
        operation_id="offer_ownership",
        summary="Offer the organization to a member",
        description="They have seven days to accept. Then they are an owner, and you are an admin.",
        tags=TAGS,
        request=OfferOwnership,
        responses={201: TransferBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(OfferOwnership, request, "ownership:transfer")
        require_recent(request._request)
        transfer = services.offer_ownership(api_actor(request), values["member"], values["name"])
        return Response(transfer_body(transfer), status=201)

    @extend_schema(
        operation_id="cancel_ownership_transfer",
        summary="Take the offer back",
        tags=TAGS,
        responses={204: NOTHING, **problems(*READ, 404)},
    )
    @in_thread
    def delete(self, request: Request) -> Response:
        services.cancel_transfer(api_actor(request))
        return Response(status=204)


class AcceptTransferView(AsyncAPIView):
    """The answer yes."""

    @extend_schema(
        operation_id="accept_ownership",
        summary="Accept the organization",
        tags=TAGS,
        request=None,
        responses={204: NOTHING, **problems(*READ, 404, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        require_fresh(request)
        services.accept_ownership(api_actor(request))
        return Response(status=204)


class DeclineTransferView(AsyncAPIView):
    """The answer no."""

    @extend_schema(
        operation_id="decline_ownership",
        summary="Decline the organization",
        tags=TAGS,
        request=None,
        responses={204: NOTHING, **problems(*READ, 404)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        services.decline_ownership(api_actor(request))
        return Response(status=204)
