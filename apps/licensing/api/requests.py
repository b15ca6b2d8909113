"""Machines without a network: a request file in, the signed response file out."""

from __future__ import annotations

from asgiref.sync import sync_to_async
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.base import ID, checked
from apps.accounts.authentication import api_actor
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.errors import NotFound
from apps.core.jobs import Status
from apps.core.schema import READ, WRITE, problems
from apps.licensing import services as licensing
from apps.licensing.api.bodies import AnswerRequest, LicenceResponseBody, response_body
from apps.licensing.api.waiting import signed
from apps.licensing.models import Purpose, SigningJob
from apps.licensing.services import MANAGE

TAGS = ["Licences"]
NO_RESPONSE = "There is no response with this id."


class ActivationRequestsView(AsyncAPIView):
    @extend_schema(
        operation_id="answer_licence_request",
        summary="Answer an activation request",
        description=(
            "Takes the text of a request file that a licensee has sent, activates the machine it names, and answers"
            " with the response file. Waits a moment for the signer; 202 where that was not enough: ask for it by its"
            " id. The same request again takes no second place."
        ),
        tags=TAGS,
        request=AnswerRequest,
        responses={200: LicenceResponseBody, 202: LicenceResponseBody, **problems(*WRITE, 404, 409)},
    )
    async def post(self, request: Request) -> Response:
        values, actor = checked(AnswerRequest, request, MANAGE), api_actor(request)
        data = values["request"].replace("\r\n", "\n").strip("\n").encode() + b"\n"
        job = await sync_to_async(licensing.activate_by_request)(actor, data)
        job = await signed(self.turn, job)
        return Response(response_body(job), status=200 if job.status == Status.SUCCEEDED else 202)


class ActivationRequestView(AsyncAPIView):
    @extend_schema(
        operation_id="retrieve_licence_response",
        summary="The response to an activation request",
        tags=TAGS,
        parameters=[ID],
        responses={200: LicenceResponseBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor, wanted = api_actor(request), parse_id(id, NO_RESPONSE)
        actor.require(MANAGE)
        with tenancy.scope(actor.organization_id):
            job = SigningJob.objects.filter(pk=wanted, purpose=Purpose.RESPONSE).first()
        if job is None:
            raise NotFound(NO_RESPONSE)
        return Response(response_body(job))
