"""The market over REST: listings, buying, one's own offers, and what was bought, sold and earned."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from asgiref.sync import sync_to_async
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, checked, listed, one_of, page
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import api_actor
from apps.billing.models import Order
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.schema import READ, WRITE, problems
from apps.market import files
from apps.market import services as market
from apps.market.access import MANAGE, require
from apps.market.access import READ as MAY_READ
from apps.market.api import bodies
from apps.market.border import published
from apps.market.models import Earning, Offer, OfferKind, Purchase, Sale
from apps.market.search import matching
from apps.market.services.buying import NO_LISTING, find_listing
from apps.market.services.offers import NO_OFFER, OfferFacts
from apps.market.services.requests import NO_PURCHASE

TAGS = ["Market"]
LISTED: dict[str, Any] = {"tags": TAGS, "parameters": [LIMIT, CURSOR]}


class ListingsView(AsyncAPIView):
    """What other organizations offer."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_listings",
        summary="List what other organizations offer, newest first",
        tags=TAGS,
        parameters=[
            LIMIT,
            CURSOR,
            OpenApiParameter("search", str, description="Words of title, description or seller; all must be there."),
            OpenApiParameter("kind", str, enum=list(OfferKind.values)),
        ],
        responses={200: bodies.ListingBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        require(actor, MAY_READ)
        kind = one_of(request, "kind", list(OfferKind.values))
        search = request.query_params.get("search", "")[:120].replace("\x00", "")
        found, answer = published(lambda rows: page(request, matching(rows, actor.organization_id, search, kind)))
        return listed(answer, [bodies.listing_body(row) for row in found])


class ListingView(AsyncAPIView):
    """One listing."""

    @extend_schema(
        operation_id="get_listing",
        summary="Get a listing with its licence",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.ListingBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        require(actor, MAY_READ)
        return Response(bodies.listing_body(find_listing(actor, parse_id(id, NO_LISTING))))


class BuyView(AsyncAPIView):
    """Buying a listing."""

    @extend_schema(
        operation_id="buy_listing",
        summary="Accept the licence and get the address where the order is paid",
        description="Asked again before it is paid, it is the same purchase.",
        tags=TAGS,
        parameters=[ID],
        request=bodies.Buy,
        responses={201: bodies.PurchaseBody, **problems(*WRITE, 404, 409)},
    )
    async def post(self, request: Request, id: str) -> Response:
        purchase, order = await sync_to_async(self._bought)(request, id)
        # The payment provider is asked, and no place is held meanwhile.
        self.turn.leave()
        url = await sync_to_async(market.start_paying)(api_actor(request), order)
        return Response(bodies.purchase_body(purchase) | {"checkout_url": url}, status=201)

    def _bought(self, request: Request, id: str) -> tuple[Purchase, Order]:
        actor = api_actor(request)
        require(actor, MANAGE)
        values = checked(bodies.Buy, request, MANAGE)
        bought, order = market.buy(actor, parse_id(id, NO_LISTING), values["licence_sha256"])
        # The rows' own times are set by the database.
        with tenancy.scope(actor.organization_id):
            bought.refresh_from_db()
        return bought, order


class PurchasesView(AsyncAPIView):
    """What the organization has bought."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_purchases",
        summary="List what was bought, newest first",
        responses={200: bodies.PurchaseBody(many=True), **problems(*READ, 404)},
        **LISTED,
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        require(actor, MAY_READ)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, Purchase.objects.all())
            return listed(answer, [bodies.purchase_body(row) for row in found])


class PurchaseView(AsyncAPIView):
    """One purchase."""

    @extend_schema(
        operation_id="get_purchase",
        summary="Get a purchase, with links to its files",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.PurchaseBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        require(actor, MAY_READ)
        with tenancy.scope(actor.organization_id):
            row = market.get_purchase(parse_id(id, NO_PURCHASE))
        own = row.files if row.delivered_at and row.state in Purchase.OURS else []
        urls = [self._url(request, actor.organization_id, file) for file in own]
        return Response(bodies.purchase_body(row, urls))

    def _url(self, request: Request, organization_id: UUID, file: dict[str, Any]) -> str:
        if file.get("gone"):
            return ""
        return str(request.build_absolute_uri(files.link(organization_id, file["path"], file["name"])))


class OffersView(AsyncAPIView):
    """The organization's own offers."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_offers",
        summary="List your offers, newest first",
        responses={200: bodies.OfferBody(many=True), **problems(*READ, 404)},
        **LISTED,
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        require(actor, MAY_READ)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, Offer.objects.all())
            return listed(answer, [bodies.offer_body(row) for row in found])

    @extend_schema(
        operation_id="create_offer",
        summary="Write an offer",
        description="Files of a data set are added on its page.",
        tags=TAGS,
        request=bodies.WriteOffer,
        responses={201: bodies.OfferBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        actor = api_actor(request)
        require(actor, MANAGE)
        facts = OfferFacts(**checked(bodies.WriteOffer, request, MANAGE))
        return Response(bodies.offer_body(market.create_offer(actor, facts)), status=201)


class OfferView(AsyncAPIView):
    """One offer."""

    @extend_schema(
        operation_id="get_offer",
        summary="Get one of your offers",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.OfferBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        return Response(bodies.offer_body(market.get_offer(api_actor(request), parse_id(id, NO_OFFER))))

    @extend_schema(
        operation_id="change_offer",
        summary="Write an offer anew, while it is a draft or withdrawn",
        tags=TAGS,
        parameters=[ID],
        request=bodies.WriteOffer,
        responses={200: bodies.OfferBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def put(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        require(actor, MANAGE)
        facts = OfferFacts(**checked(bodies.WriteOffer, request, MANAGE))
        return Response(bodies.offer_body(market.change_offer(actor, parse_id(id, NO_OFFER), facts)))

    @extend_schema(
        operation_id="delete_offer",
        summary="Delete an offer that was never published",
        tags=TAGS,
        parameters=[ID],
        responses={204: NOTHING, **problems(*READ, 404, 409)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        market.delete_offer(api_actor(request), parse_id(id, NO_OFFER))
        return Response(status=204)


class SubmitView(AsyncAPIView):
    """Asking for an offer's approval."""

    @extend_schema(
        operation_id="submit_offer",
        summary="Ask for the approval of an offer",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: bodies.OfferBody, **problems(*READ, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        return Response(bodies.offer_body(market.submit_offer(api_actor(request), parse_id(id, NO_OFFER))))


class WithdrawView(AsyncAPIView):
    """Taking an offer out of the catalogue."""

    @extend_schema(
        operation_id="withdraw_offer",
        summary="Withdraw an offer; what was bought stays bought",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: bodies.OfferBody, **problems(*READ, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        return Response(bodies.offer_body(market.withdraw_offer(api_actor(request), parse_id(id, NO_OFFER))))


class SalesView(AsyncAPIView):
    """What the organization has sold."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_sales",
        summary="List what was sold, newest first",
        responses={200: bodies.SaleBody(many=True), **problems(*READ, 404)},
        **LISTED,
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        require(actor, MAY_READ)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, Sale.objects.all())
            return listed(answer, [bodies.sale_body(row) for row in found])


class EarningsView(AsyncAPIView):
    """What sales brought."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_earnings",
        summary="List earnings, fees, refunds and payouts, newest first",
        responses={200: bodies.EarningBody(many=True), **problems(*READ, 404)},
        **LISTED,
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        require(actor, MAY_READ)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, Earning.objects.all())
            return listed(answer, [bodies.earning_body(row) for row in found])
