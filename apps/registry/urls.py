"""Addresses of models."""

from django.urls import path

from apps.registry import api

urlpatterns = [
    path("api/v1/models", api.ModelsView.as_view(), name="api-models"),
    path("v1/models", api.OpenAIModelsView.as_view(), name="openai-models"),
    # A model's name may hold slashes, as Hugging Face's do.
    path("v1/models/<path:name>", api.OpenAIModelView.as_view(), name="openai-model"),
]
