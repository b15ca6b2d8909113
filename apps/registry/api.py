"""Which models there are: as REST resources with limits and prices, and as OpenAI's clients list them."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from drf_spectacular.utils import OpenApiExample, OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.authentication import api_actor
from apps.core.api import AsyncAPIView
from apps.core.schema import READ, problems
from apps.registry import services as registry
from apps.registry.models import ModelVersion

_ALIAS = {
    "id": "default",
    "object": "model",
    "version": "house-text-1",
    "follows_instructions": False,
    "context_length": 1024,
    "max_output_tokens": 1023,
    "price": {"input": "0.000500", "output": "0.001500", "currency": "USD"},
}
_OPENAI_MODEL = {"id": "default", "object": "model", "created": 1767603600, "owned_by": "millrace"}


class Price(serializers.Serializer):
    input = serializers.DecimalField(max_digits=12, decimal_places=6, help_text="Per 1,000 prompt tokens.")
    output = serializers.DecimalField(max_digits=12, decimal_places=6, help_text="Per 1,000 tokens of the answer.")
    currency = serializers.CharField()


class ModelBody(serializers.Serializer):
    id = serializers.CharField(help_text="The name to ask for.")
    object = serializers.ChoiceField(["model"])
    version = serializers.CharField(help_text="What an alias means at present; else the name itself.")
    follows_instructions = serializers.BooleanField(
        help_text="False for one that writes what it was trained for, and answers no questions."
    )
    context_length = serializers.IntegerField(help_text="Tokens of prompt and answer together.")
    max_output_tokens = serializers.IntegerField()
    price = Price()


class OpenAIModel(serializers.Serializer):
    id = serializers.CharField()
    object = serializers.ChoiceField(["model"])
    created = serializers.IntegerField(help_text="Unix seconds.")
    owned_by = serializers.CharField()


def _list_of(name: str, item: type[serializers.Serializer], example: dict[str, Any]) -> OpenApiResponse:
    fields: dict[str, Any] = {"object": serializers.ChoiceField(["list"]), "data": item(many=True)}
    shown = OpenApiExample("Models", value={"object": "list", "data": [example]})
    return OpenApiResponse(inline_serializer(name, fields), examples=[shown])


def model_body(name: str, version: ModelVersion) -> dict[str, Any]:
    price = {
        "input": f"{version.input_price:f}",
        "output": f"{version.output_price:f}",
        "currency": version.currency,
    }
    return {
        "id": name,
        "object": "model",
        "version": version.name,
        "follows_instructions": version.follows_instructions,
        "context_length": version.context_length,
        "max_output_tokens": version.max_output_tokens,
        "price": price,
    }


def openai_model(name: str, version: ModelVersion) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": int(version.created_at.timestamp()), "owned_by": "millrace"}


class ModelsView(AsyncAPIView):
    """Every name that may be asked for, aliases first."""

    @extend_schema(
        operation_id="list_models",
        summary="List models with limits and prices",
        tags=["Models and usage"],
        responses={200: _list_of("ModelList", ModelBody, _ALIAS), **problems(*READ)},
    )
    async def get(self, request: Request) -> Response:
        api_actor(request).require("models:read")
        models = await sync_to_async(registry.available)()
        return Response({"object": "list", "data": [model_body(*named) for named in models]})


class OpenAIModelsView(AsyncAPIView):
    """The same names in the shape of OpenAI's clients."""

    @extend_schema(
        operation_id="openai_list_models",
        summary="List models",
        tags=["OpenAI-compatible"],
        responses={200: _list_of("OpenAIModelList", OpenAIModel, _OPENAI_MODEL), **problems(*READ)},
    )
    async def get(self, request: Request) -> Response:
        api_actor(request).require("models:read")
        models = await sync_to_async(registry.available)()
        return Response({"object": "list", "data": [openai_model(*named) for named in models]})


class OpenAIModelView(AsyncAPIView):
    """One name."""

    @extend_schema(
        operation_id="openai_get_model",
        summary="Get a model",
        tags=["OpenAI-compatible"],
        responses={
            200: OpenApiResponse(OpenAIModel, examples=[OpenApiExample("A model", _OPENAI_MODEL)]),
            **problems(*READ, 404),
        },
    )
    async def get(self, request: Request, name: str) -> Response:
        api_actor(request).require("models:read")
        return Response(openai_model(name, await sync_to_async(registry.resolve)(name)))
