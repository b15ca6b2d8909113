"""Addresses of licensing."""

from django.urls import path

from apps.licensing import views
from apps.licensing.api import licensee, requests, vendor

urlpatterns = [
    path("settings/licences/", views.licences, name="licences"),
    path("settings/licences/new/", views.new_licence, name="licence-new"),
    path("settings/licences/products/", views.products, name="licence-products"),
    path("settings/licences/products/<uuid:product>/policies/", views.new_policy, name="licence-policy-new"),
    path("settings/licences/policies/<uuid:id>/", views.policy, name="licence-policy"),
    path("settings/licences/anchors/", views.anchors, name="licence-anchors"),
    path("settings/licences/revocations/", views.revocations, name="licence-revocations"),
    path("settings/licences/requests/", views.requests, name="licence-requests"),
    path("settings/licences/requests/<uuid:id>/", views.response_file, name="licence-response"),
    path("settings/licences/held/", views.held_licences, name="held-licences"),
    path("settings/licences/held/<uuid:id>/", views.held_licence, name="held-licence"),
    path("settings/licences/held/<uuid:id>/file/", views.held_licence_file, name="held-licence-file"),
    path("settings/licences/offers/<uuid:offer>/", views.buy_licence, name="licence-buy"),
    path("settings/licences/<uuid:id>/", views.licence, name="licence"),
    path("settings/licences/<uuid:id>/file/", views.licence_file, name="licence-file"),
    path("settings/licences/<uuid:id>/revoke/", views.revoke, name="licence-revoke"),
    path("settings/licences/<uuid:id>/machines/<uuid:machine>/", views.release_machine, name="licence-machine-release"),
    path("api/v1/licence-products", vendor.ProductsView.as_view(), name="api-licence-products"),
    path("api/v1/licence-policies", vendor.PoliciesView.as_view(), name="api-licence-policies"),
    path("api/v1/licence-policies/<str:id>", vendor.PolicyView.as_view(), name="api-licence-policy"),
    path("api/v1/licences", vendor.LicencesView.as_view(), name="api-licences"),
    path("api/v1/licences/<str:id>", vendor.LicenceView.as_view(), name="api-licence"),
    path("api/v1/licences/<str:id>/renew", vendor.RenewView.as_view(), name="api-licence-renew"),
    path("api/v1/licences/<str:id>/suspend", vendor.SuspendView.as_view(), name="api-licence-suspend"),
    path("api/v1/licences/<str:id>/revoke", vendor.RevokeView.as_view(), name="api-licence-revoke"),
    path("api/v1/licences/<str:id>/reinstate", vendor.ReinstateView.as_view(), name="api-licence-reinstate"),
    path("api/v1/licences/<str:id>/transfer", vendor.TransferView.as_view(), name="api-licence-transfer"),
    path("api/v1/licences/<str:id>/file", vendor.FileView.as_view(), name="api-licence-file"),
    path("api/v1/licences/<str:id>/machines", vendor.MachinesView.as_view(), name="api-licence-machines"),
    path("api/v1/licences/<str:id>/machines/<str:machine>", vendor.MachineView.as_view(), name="api-licence-machine"),
    path("api/v1/licence-requests", requests.ActivationRequestsView.as_view(), name="api-licence-requests"),
    path("api/v1/licence-requests/<str:id>", requests.ActivationRequestView.as_view(), name="api-licence-request"),
    # With a licence key instead of an API key.
    path("api/v1/licensing/activate", licensee.ActivateView.as_view(), name="api-licensee-activate"),
    path("api/v1/licensing/deactivate", licensee.DeactivateView.as_view(), name="api-licensee-deactivate"),
    path("api/v1/licensing/file", licensee.FileView.as_view(), name="api-licensee-file"),
    path("api/v1/licensing/seats", licensee.SeatsView.as_view(), name="api-licensee-seats"),
    path("api/v1/licensing/seats/return", licensee.ReturnSeatView.as_view(), name="api-licensee-seat-return"),
    path("api/v1/licensing/revocations", licensee.RevocationsView.as_view(), name="api-licensee-revocations"),
]
