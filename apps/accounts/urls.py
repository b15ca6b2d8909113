"""Pages of accounts; signing in and out is allauth's."""

from django.urls import path

from apps.accounts import views

urlpatterns = [
    path("keys/", views.api_keys, name="api-keys"),
    path("keys/<uuid:id>/revoke/", views.revoke_api_key, name="api-key-revoke"),
    path("organizations/switch/", views.switch_organization, name="switch-organization"),
]
