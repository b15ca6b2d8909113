"""Addresses of the market."""

from django.urls import path

from apps.market import views
from apps.market.api import market as api

urlpatterns = [
    path("market/", views.catalogue, name="market"),
    path("market/listings/<uuid:id>/", views.listing, name="market-listing"),
    path("market/listings/<uuid:id>/buy/", views.buy, name="market-buy"),
    path("market/purchases/", views.purchases, name="market-purchases"),
    path("market/purchases/<uuid:id>/", views.purchase, name="market-purchase"),
    path("market/purchases/<uuid:id>/files/<int:number>/", views.purchase_file, name="market-purchase-file"),
    path("market/purchases/<uuid:id>/<slug:act>/", views.purchase_act, name="market-purchase-act"),
    path("market/notes/<uuid:id>/file/", views.note_file, name="market-note-file"),
    path("market/offers/", views.offers, name="market-offers"),
    path("market/offers/new/", views.new_offer, name="market-offer-new"),
    path("market/offers/<uuid:id>/", views.offer, name="market-offer"),
    path("market/offers/<uuid:id>/<slug:act>/", views.offer_act, name="market-offer-act"),
    path("market/sales/", views.sales, name="market-sales"),
    path("market/sales/<uuid:id>/", views.sale, name="market-sale"),
    path("market/sales/<uuid:id>/<slug:act>/", views.sale_act, name="market-sale-act"),
    path("api/v1/market/listings", api.ListingsView.as_view(), name="api-market-listings"),
    path("api/v1/market/listings/<str:id>", api.ListingView.as_view(), name="api-market-listing"),
    path("api/v1/market/listings/<str:id>/buy", api.BuyView.as_view(), name="api-market-buy"),
    path("api/v1/market/purchases", api.PurchasesView.as_view(), name="api-market-purchases"),
    path("api/v1/market/purchases/<str:id>", api.PurchaseView.as_view(), name="api-market-purchase"),
    path("api/v1/market/offers", api.OffersView.as_view(), name="api-market-offers"),
    path("api/v1/market/offers/<str:id>", api.OfferView.as_view(), name="api-market-offer"),
    path("api/v1/market/offers/<str:id>/submit", api.SubmitView.as_view(), name="api-market-offer-submit"),
    path("api/v1/market/offers/<str:id>/withdraw", api.WithdrawView.as_view(), name="api-market-offer-withdraw"),
    path("api/v1/market/sales", api.SalesView.as_view(), name="api-market-sales"),
    path("api/v1/market/earnings", api.EarningsView.as_view(), name="api-market-earnings"),
    path("sponsored/<uuid:id>/", views.sponsored, name="sponsored"),
]
