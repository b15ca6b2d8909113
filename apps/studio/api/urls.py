"""Addresses of generations in the REST and the OpenAI-compatible API."""

from django.urls import path

from apps.studio.api import openai, rest

urlpatterns = [
    path("api/v1/generations", rest.GenerationsView.as_view(), name="api-generations"),
    path("api/v1/generations/<str:id>", rest.GenerationView.as_view(), name="api-generation"),
    path("api/v1/generations/<str:id>/cancel", rest.CancelView.as_view(), name="api-generation-cancel"),
    path("api/v1/generations/<str:id>/stream", rest.StreamView.as_view(), name="api-generation-stream"),
    path("v1/chat/completions", openai.ChatCompletionsView.as_view(), name="openai-chat"),
    path("v1/completions", openai.CompletionsView.as_view(), name="openai-completions"),
]
