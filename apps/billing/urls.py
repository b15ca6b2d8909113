"""Addresses of usage."""

from django.urls import path

from apps.billing import api

urlpatterns = [path("api/v1/usage", api.UsageView.as_view(), name="api-usage")]
