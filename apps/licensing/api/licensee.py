"""The licensee's side: a program with a licence key activates machines, takes seats, and fetches its files.

`Authorization: Bearer lk_…` is the licence key, not an API key: it can do this and nothing else.
"""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer

from apps.accounts.api.organization import NOTHING
from apps.core import callers, tenancy
from apps.core.api import AsyncAPIView, in_thread
from apps.core.jobs import Status
from apps.core.schema import READ, WRITE, problems
from apps.licensing import services as licensing
from apps.licensing.api.bodies import (
    Activate,
    Deactivate,
    LicenceFileBody,
    RevocationsBody,
    SeatBody,
    TakeSeat,
    file_body,
)
from apps.licensing.api.waiting import signed
from apps.licensing.errors import InvalidLicenceKey
from apps.licensing.models import Licence, Revocations, SigningJob
from apps.licensing.services import Admitted

TAGS = ["Licence keys"]


class LicenceKey(BaseAuthentication):
    """Says in the schema what these calls take; the handlers look at it themselves, after the method is known."""

    def authenticate(self, request: Request) -> None:
        return None


class LicenceKeyScheme(OpenApiAuthenticationExtension):
    target_class = LicenceKey
    name = "licenceKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A licence key, such as `lk_…`."}


class LicenseeView(AsyncAPIView):
    """The base: no member and no API key; each handler admits the licence key first."""

    authentication_classes = (LicenceKey,)
    permission_classes = ()

    def admitted(self, request: Request) -> Admitted:
        """The licence of the key in the header; raises InvalidLicenceKey."""
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise InvalidLicenceKey("Send the licence key as `Authorization: Bearer lk_…`.")
        return licensing.admit(key.strip(), callers.address_of(request._request.META))

    async def file_of(self, admitted: Admitted, job: SigningJob) -> Response:
        """The licence's file once it is signed, else 202."""
        job = await signed(self.turn, job)
        licence = await sync_to_async(_licence)(admitted)
        return Response(file_body(licence, job.status), status=200 if job.status == Status.SUCCEEDED else 202)


def _licence(admitted: Admitted) -> Licence:
    with tenancy.scope(admitted.actor.organization_id):
        licence: Licence = Licence.objects.get(pk=admitted.licence_id)
    return licence


def _body(kind: type[Serializer[Any]], request: Request) -> dict[str, Any]:
    body = kind(data=request.data)
    body.is_valid(raise_exception=True)
    values: dict[str, Any] = body.validated_data
    return values


class ActivateView(LicenseeView):
    @extend_schema(
        operation_id="activate_licence",
        summary="Activate a machine",
        description="Answers with the licence file for it. A machine that is active already gets a new file.",
        tags=TAGS,
        request=Activate,
        responses={200: LicenceFileBody, 202: LicenceFileBody, **problems(*WRITE, 409)},
    )
    async def post(self, request: Request) -> Response:
        admitted = await sync_to_async(self.admitted)(request)
        values = _body(Activate, request)
        _machine, job = await sync_to_async(licensing.activate)(admitted.actor, admitted.licence_id, **values)
        return await self.file_of(admitted, job)


class DeactivateView(LicenseeView):
    @extend_schema(
        operation_id="deactivate_licence",
        summary="Release a machine",
        tags=TAGS,
        request=Deactivate,
        responses={204: NOTHING, **problems(*WRITE)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        admitted = self.admitted(request)
        licensing.deactivate(admitted.actor, admitted.licence_id, **_body(Deactivate, request))
        return Response(status=204)


class FileView(LicenseeView):
    @extend_schema(
        operation_id="fetch_licence_file",
        summary="Fetch a fresh licence file",
        description="Once in a while before `file_expires_at`, such as every day.",
        tags=TAGS,
        request=None,
        responses={200: LicenceFileBody, 202: LicenceFileBody, **problems(*READ, 429)},
    )
    async def post(self, request: Request) -> Response:
        admitted = await sync_to_async(self.admitted)(request)
        job = await sync_to_async(licensing.refresh_file)(admitted.actor, admitted.licence_id)
        return await self.file_of(admitted, job)


class SeatsView(LicenseeView):
    @extend_schema(
        operation_id="take_licence_seat",
        summary="Take a floating seat, or keep it",
        description="The first call takes a seat, each further one of the same holder keeps it for ten minutes more.",
        tags=TAGS,
        request=TakeSeat,
        responses={200: SeatBody, **problems(*WRITE, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        admitted = self.admitted(request)
        seat = licensing.take_seat(admitted.actor, admitted.licence_id, **_body(TakeSeat, request))
        return Response(
            {
                "object": "licence_seat",
                "holder": seat.holder,
                "taken_at": seat.taken_at.isoformat(),
                "lapses_at": seat.lapses_at.isoformat(),
                "used": seat.used,
                "seats": seat.seats,
            }
        )


class ReturnSeatView(LicenseeView):
    @extend_schema(
        operation_id="return_licence_seat",
        summary="Give a floating seat back",
        tags=TAGS,
        request=TakeSeat,
        responses={204: NOTHING, **problems(*WRITE)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        admitted = self.admitted(request)
        licensing.return_seat(admitted.actor, admitted.licence_id, **_body(TakeSeat, request))
        return Response(status=204)


class RevocationsView(LicenseeView):
    @extend_schema(
        operation_id="fetch_licence_revocations",
        summary="Fetch the vendor's revocation list",
        tags=TAGS,
        responses={200: RevocationsBody, **problems(*READ, 429)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        admitted = self.admitted(request)
        with tenancy.scope(admitted.actor.organization_id):
            row = Revocations.objects.first()
        return Response(
            {
                "object": "licence_revocations",
                "sequence": row.signed_sequence if row else 0,
                "revocations": (row.file if row else "") or None,
            }
        )
