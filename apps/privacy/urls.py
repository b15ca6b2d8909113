"""Addresses of privacy."""

from django.urls import path

from apps.privacy import api, views

urlpatterns = [
    path("privacy/", views.notice, name="privacy-notice"),
    path("privacy/files/<str:link>", views.download, name="privacy-download"),
    path("consent/", views.consent, name="consent"),
    path("settings/privacy/", views.processing, name="privacy"),
    path("settings/privacy/term/", views.set_term, name="privacy-term"),
    path("settings/privacy/requests/", views.requests, name="privacy-requests"),
    path("settings/privacy/export/", views.request_export, name="privacy-export"),
    path("settings/privacy/erase/<uuid:person>/", views.erase_member, name="privacy-erase"),
    path("settings/my-data/", views.my_data, name="my-data"),
    path("settings/my-data/erase/", views.my_erasure, name="my-erasure"),
    path("api/v1/privacy/data", api.DataView.as_view(), name="api-privacy-data"),
    path("api/v1/privacy/exports", api.ExportsView.as_view(), name="api-privacy-exports"),
    path("api/v1/privacy/exports/<str:export>", api.ExportView.as_view(), name="api-privacy-export"),
    path("api/v1/privacy/erasures", api.ErasuresView.as_view(), name="api-privacy-erasures"),
    path("api/v1/privacy/erasures/preview", api.ErasurePreviewView.as_view(), name="api-privacy-preview"),
    path("api/v1/privacy/erasures/<str:erasure>", api.ErasureView.as_view(), name="api-privacy-erasure"),
    path("api/v1/privacy/retention", api.RetentionView.as_view(), name="api-privacy-retention"),
    path("api/v1/privacy/retention/<str:kind>", api.TermView.as_view(), name="api-privacy-term"),
]
