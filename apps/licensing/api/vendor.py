"""The vendor's side: products, policies, licences and their machines."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, checked, listed, one_of, page
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import api_actor
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.jobs import Status
from apps.core.schema import READ, WRITE, problems
from apps.licensing import services as licensing
from apps.licensing.api.bodies import (
    ChangePolicy,
    CreatePolicy,
    CreateProduct,
    IssueLicence,
    LicenceBody,
    LicenceFileBody,
    MachineBody,
    PolicyBody,
    ProductBody,
    RenewLicence,
    RevokeLicence,
    SuspendLicence,
    TransferLicence,
    file_body,
    licence_body,
    machine_body,
    policy_body,
    product_body,
    terms_of,
)
from apps.licensing.api.waiting import signed
from apps.licensing.models import Licence, Machine, Policy, Product, State
from apps.licensing.services import MANAGE, NO_LICENCE, NO_MACHINE, NO_POLICY
from apps.licensing.services import READ as MAY_READ

TAGS = ["Licences"]
STATE = OpenApiParameter("state", str, enum=State.values)
MACHINE = OpenApiParameter("machine", OpenApiTypes.UUID, OpenApiParameter.PATH)


class ProductsView(AsyncAPIView):
    """What the organization licenses to others."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_licence_products",
        summary="List products, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR],
        responses={200: ProductBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(MAY_READ)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, Product.objects.all())
            return listed(answer, [product_body(product) for product in found])

    @extend_schema(
        operation_id="create_licence_product",
        summary="Create a product",
        tags=TAGS,
        request=CreateProduct,
        responses={201: ProductBody, **problems(*WRITE, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        product = licensing.create_product(api_actor(request), **checked(CreateProduct, request, MANAGE))
        with tenancy.scope(product.organization_id):
            return Response(product_body(Product.objects.get(pk=product.pk)), status=201)


class PoliciesView(AsyncAPIView):
    """Under what terms products are licensed."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_licence_policies",
        summary="List policies, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR],
        responses={200: PolicyBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(MAY_READ)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, Policy.objects.all())
            return listed(answer, [policy_body(policy) for policy in found])

    @extend_schema(
        operation_id="create_licence_policy",
        summary="Create a policy of a product",
        tags=TAGS,
        request=CreatePolicy,
        responses={201: PolicyBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values, actor = checked(CreatePolicy, request, MANAGE), api_actor(request)
        sale = licensing.Sale(values.get("price_minor"), values.get("currency", ""), values.get("is_published", False))
        terms = terms_of(values)
        days = terms.pop("days", None)
        policy = licensing.create_policy(actor, values["product"], values["name"], licensing.Grant(**terms), sale, days)
        return Response(policy_body(licensing.get_policy(actor, policy.pk, MANAGE)), status=201)


class PolicyView(AsyncAPIView):
    """One policy."""

    @extend_schema(
        operation_id="change_licence_policy",
        summary="Change a policy",
        description="Licences that were issued under it stay as they are.",
        tags=TAGS,
        parameters=[ID],
        request=ChangePolicy,
        responses={200: PolicyBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def patch(self, request: Request, id: str) -> Response:
        values, actor = checked(ChangePolicy, request, MANAGE), api_actor(request)
        policy = licensing.change_policy(actor, parse_id(id, NO_POLICY), values)
        return Response(policy_body(licensing.get_policy(actor, policy.pk, MANAGE)))


class LicencesView(AsyncAPIView):
    """The licences that the organization has issued."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_licences",
        summary="List licences, newest first",
        tags=TAGS,
        parameters=[STATE, LIMIT, CURSOR],
        responses={200: LicenceBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(MAY_READ)
        state = one_of(request, "state", State.values)
        with tenancy.scope(actor.organization_id):
            rows = Licence.objects.for_pages()
            found, answer = page(request, rows.filter(state=state) if state else rows)
            return listed(answer, [licence_body(licence) for licence in found])

    @extend_schema(
        operation_id="issue_licence",
        summary="Issue a licence",
        description="The answer holds its key, which is shown this once.",
        tags=TAGS,
        request=IssueLicence,
        responses={201: LicenceBody, **problems(*WRITE, 404)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values, actor = checked(IssueLicence, request, MANAGE), api_actor(request)
        licence, key = licensing.issue_licence(
            actor, values["policy"], values["licensee"], values["email"], terms_of(values)
        )
        return Response(licence_body(licensing.get_licence(actor, licence.pk, MANAGE), key), status=201)


class LicenceView(AsyncAPIView):
    """One licence."""

    @extend_schema(
        operation_id="get_licence",
        summary="Get a licence",
        tags=TAGS,
        parameters=[ID],
        responses={200: LicenceBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        return Response(licence_body(licensing.get_licence(api_actor(request), parse_id(id, NO_LICENCE))))


class RenewView(AsyncAPIView):
    @extend_schema(
        operation_id="renew_licence",
        summary="Renew a licence",
        description="Adds days at its end, or from now on where that has passed.",
        tags=TAGS,
        parameters=[ID],
        request=RenewLicence,
        responses={200: LicenceBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        values, actor = checked(RenewLicence, request, MANAGE), api_actor(request)
        licensing.renew(actor, parse_id(id, NO_LICENCE), **values)
        return _shown(request, id)


class SuspendView(AsyncAPIView):
    @extend_schema(
        operation_id="suspend_licence",
        summary="Suspend a licence",
        description="No new file, machine or seat until it is reinstated. What runs goes on.",
        tags=TAGS,
        parameters=[ID],
        request=SuspendLicence,
        responses={200: LicenceBody, **problems(*WRITE, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        values, actor = checked(SuspendLicence, request, MANAGE), api_actor(request)
        licensing.suspend(actor, parse_id(id, NO_LICENCE), **values)
        return _shown(request, id)


class RevokeView(AsyncAPIView):
    @extend_schema(
        operation_id="revoke_licence",
        summary="Revoke a licence",
        description="Puts it on the revocation list; offline it ends with its file, 30 days later at most.",
        tags=TAGS,
        parameters=[ID],
        request=RevokeLicence,
        responses={200: LicenceBody, **problems(*WRITE, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        values, actor = checked(RevokeLicence, request, MANAGE), api_actor(request)
        licensing.revoke(actor, parse_id(id, NO_LICENCE), **values)
        return _shown(request, id)


class ReinstateView(AsyncAPIView):
    @extend_schema(
        operation_id="reinstate_licence",
        summary="Reinstate a suspended or revoked licence",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: LicenceBody, **problems(*READ, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        licensing.reinstate(api_actor(request), parse_id(id, NO_LICENCE))
        return _shown(request, id)


class TransferView(AsyncAPIView):
    @extend_schema(
        operation_id="transfer_licence",
        summary="Transfer a licence to another licensee",
        description="Its key is replaced and its machines and seats are released; the answer holds the new key.",
        tags=TAGS,
        parameters=[ID],
        request=TransferLicence,
        responses={200: LicenceBody, **problems(*WRITE, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        values, actor = checked(TransferLicence, request, MANAGE), api_actor(request)
        licence, key = licensing.transfer(actor, parse_id(id, NO_LICENCE), **values)
        return Response(licence_body(licensing.get_licence(actor, licence.pk, MANAGE), key))


class FileView(AsyncAPIView):
    """The licence's signed file."""

    @extend_schema(
        operation_id="sign_licence_file",
        summary="Sign a licence's file anew",
        description="Waits a moment for the signer; 202 where that was not enough: ask again.",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: LicenceFileBody, 202: LicenceFileBody, **problems(*READ, 404)},
    )
    async def post(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        job = await sync_to_async(licensing.request_file)(actor, parse_id(id, NO_LICENCE))
        job = await signed(self.turn, job)
        licence = await sync_to_async(licensing.get_licence)(actor, parse_id(id, NO_LICENCE), MANAGE)
        return Response(file_body(licence, job.status), status=200 if job.status == Status.SUCCEEDED else 202)


class MachinesView(AsyncAPIView):
    """Where a licence was activated."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_licence_machines",
        summary="List a licence's machines, newest first",
        tags=TAGS,
        parameters=[ID, LIMIT, CURSOR],
        responses={200: MachineBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        licence = licensing.get_licence(actor, parse_id(id, NO_LICENCE))
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, Machine.objects.filter(licence=licence))
            return listed(answer, [machine_body(machine) for machine in found])


class MachineView(AsyncAPIView):
    @extend_schema(
        operation_id="release_licence_machine",
        summary="Release a machine",
        description="Its file works until it must be fetched anew, 30 days later at most.",
        tags=TAGS,
        parameters=[ID, MACHINE],
        responses={204: NOTHING, **problems(*READ, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str, machine: str) -> Response:
        licensing.release(api_actor(request), parse_id(id, NO_LICENCE), parse_id(machine, NO_MACHINE))
        return Response(status=204)


def _shown(request: Request, id: str) -> Response:
    """The licence as whoever has just changed it is shown it."""
    found: Any = licensing.get_licence(api_actor(request), parse_id(id, NO_LICENCE), MANAGE)
    return Response(licence_body(found))
