"""Brand voices as REST resources: their versions, what texts measure, and texts held against a voice."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, checked, listed, page
from apps.accounts.authentication import api_actor
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.fields import StrictSerializer, Text, WholeNumber
from apps.core.schema import READ, WRITE, problems
from apps.studio import marking
from apps.studio import services as studio
from apps.studio.api.fields import not_blank, slug_or_blank
from apps.studio.api.templates import NUMBER, number_of
from apps.studio.models import BrandVoice, BrandVoiceVersion
from apps.studio.services import voices
from apps.studio.services.voices import LONGEST_CHECKED
from ml.text.voicing import LONGEST_SAMPLE, MAX_SAMPLES

TAGS = ["Brand voices"]
SLUG = OpenApiParameter("slug", str, OpenApiParameter.PATH, description="The voice's short name.")
CAN_READ, CAN_WRITE = "templates:read", "templates:write"


class CreateVoice(StrictSerializer):
    name = Text(max_length=120, validators=[not_blank])
    slug = Text(max_length=60, required=False, allow_blank=True, validators=[slug_or_blank])
    description = Text(max_length=300, required=False, allow_blank=True)
    content = serializers.DictField(help_text="The rules; see the guide.")
    note = Text(max_length=200, required=False, allow_blank=True)


class ChangeVoice(StrictSerializer):
    name = Text(max_length=120, required=False, validators=[not_blank])
    description = Text(max_length=300, required=False, allow_blank=True)


class CreateVoiceVersion(StrictSerializer):
    content = serializers.DictField(help_text="The rules; see the guide.")
    note = Text(max_length=200, required=False, allow_blank=True)


class CheckText(StrictSerializer):
    text = Text(max_length=LONGEST_CHECKED)
    version = WholeNumber(min_value=1, max_value=999_999, required=False, help_text="Default: the newest.")


class MeasureTexts(StrictSerializer):
    texts = serializers.ListField(child=Text(max_length=LONGEST_SAMPLE), min_length=1, max_length=MAX_SAMPLES)


class VoiceBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["voice"])
    id = serializers.UUIDField()
    slug = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    latest_version = serializers.IntegerField()
    archived = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class VoiceVersionBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["voice_version"])
    id = serializers.UUIDField()
    voice = serializers.CharField()
    number = serializers.IntegerField()
    content = serializers.DictField()
    features = serializers.DictField(allow_null=True, help_text="What its samples measure.")
    note = serializers.CharField()
    created_at = serializers.DateTimeField()


class ViolationBody(serializers.Serializer[Any]):
    start = serializers.IntegerField(help_text="In characters, from 0.")
    end = serializers.IntegerField(help_text="What is missing stands at the text's end, empty.")
    rule = serializers.CharField()
    message = serializers.CharField()


class VoiceCheckBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["voice_check"])
    violations = ViolationBody(many=True)


class FeaturesBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["voice_features"])
    features = serializers.DictField()


def voice_body(voice: BrandVoice) -> dict[str, Any]:
    return {
        "object": "voice",
        "id": voice.pk,
        "slug": voice.slug,
        "name": voice.name,
        "description": voice.description,
        "latest_version": voice.latest,
        "archived": voice.archived_at is not None,
        "created_at": voice.created_at,
    }


def version_body(version: BrandVoiceVersion) -> dict[str, Any]:
    return {
        "object": "voice_version",
        "id": version.pk,
        "voice": version.voice.slug,
        "number": version.number,
        "content": version.content,
        "features": version.features,
        "note": version.note,
        "created_at": version.created_at,
    }


class VoicesView(AsyncAPIView):
    """The organization's brand voices."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_voices",
        summary="List brand voices, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR],
        responses={200: VoiceBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(CAN_READ)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, BrandVoice.objects.in_use())
            return listed(answer, [voice_body(voice) for voice in found])

    @extend_schema(
        operation_id="create_voice",
        summary="Create a brand voice",
        tags=TAGS,
        request=CreateVoice,
        responses={201: VoiceVersionBody, **problems(*WRITE, 409, 422)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(CreateVoice, request, CAN_WRITE)
        return Response(version_body(voices.create(api_actor(request), **values)), status=201)


class VoiceView(AsyncAPIView):
    """One brand voice."""

    @extend_schema(
        operation_id="get_voice",
        summary="Get a brand voice",
        tags=TAGS,
        parameters=[SLUG],
        responses={200: VoiceBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, slug: str) -> Response:
        return Response(voice_body(voices.get(api_actor(request), slug)))

    @extend_schema(
        operation_id="change_voice",
        summary="Change what a brand voice is called",
        tags=TAGS,
        parameters=[SLUG],
        request=ChangeVoice,
        responses={200: VoiceBody, **problems(*WRITE, 404)},
    )
    @in_thread
    def patch(self, request: Request, slug: str) -> Response:
        values = checked(ChangeVoice, request, CAN_WRITE)
        return Response(voice_body(voices.change(api_actor(request), slug, **values)))


class VoiceArchiveView(AsyncAPIView):
    """Taking a brand voice out of use."""

    @extend_schema(
        operation_id="archive_voice",
        summary="Archive a brand voice",
        tags=TAGS,
        parameters=[SLUG],
        request=None,
        responses={200: VoiceBody, **problems(*READ, 404)},
    )
    @in_thread
    def post(self, request: Request, slug: str) -> Response:
        return Response(voice_body(voices.archive(api_actor(request), slug)))

    @extend_schema(
        operation_id="restore_voice",
        summary="Take a brand voice out of the archive",
        tags=TAGS,
        parameters=[SLUG],
        responses={200: VoiceBody, **problems(*READ, 404)},
    )
    @in_thread
    def delete(self, request: Request, slug: str) -> Response:
        return Response(voice_body(voices.restore(api_actor(request), slug)))


class VoiceVersionsView(AsyncAPIView):
    """A voice's versions, which never change."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_voice_versions",
        summary="List a brand voice's versions, newest first",
        tags=TAGS,
        parameters=[SLUG, LIMIT, CURSOR],
        responses={200: VoiceVersionBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, slug: str) -> Response:
        actor = api_actor(request)
        voice = voices.get(actor, slug)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, BrandVoiceVersion.objects.select_related("voice").filter(voice=voice))
            return listed(answer, [version_body(version) for version in found])

    @extend_schema(
        operation_id="create_voice_version",
        summary="Write a new version of a brand voice",
        description="The same content as the newest version makes no new one.",
        tags=TAGS,
        parameters=[SLUG],
        request=CreateVoiceVersion,
        responses={201: VoiceVersionBody, **problems(*WRITE, 404, 409, 422)},
    )
    @in_thread
    def post(self, request: Request, slug: str) -> Response:
        values = checked(CreateVoiceVersion, request, CAN_WRITE)
        version = voices.add_version(api_actor(request), slug, values["content"], values.get("note", ""))
        return Response(version_body(version), status=201)


class VoiceVersionView(AsyncAPIView):
    """One version of a voice."""

    @extend_schema(
        operation_id="get_voice_version",
        summary="Get a version of a brand voice",
        tags=TAGS,
        parameters=[SLUG, NUMBER],
        responses={200: VoiceVersionBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, slug: str, number: str) -> Response:
        actor = api_actor(request)
        actor.require(CAN_READ)
        return Response(version_body(voices.get_version(actor, slug, number_of(number))))


class VoiceCheckView(AsyncAPIView):
    """A text held against a voice."""

    @extend_schema(
        operation_id="check_voice",
        summary="Check a text against a brand voice",
        tags=TAGS,
        parameters=[SLUG],
        request=CheckText,
        responses={200: VoiceCheckBody, **problems(*WRITE, 404)},
    )
    @in_thread
    def post(self, request: Request, slug: str) -> Response:
        values = checked(CheckText, request, CAN_READ)
        found = voices.check_text(api_actor(request), slug, values["text"], values.get("version"))
        return Response({"object": "voice_check", "violations": [marking.body(each) for each in found]})


class MeasureView(AsyncAPIView):
    """What texts measure."""

    @extend_schema(
        operation_id="measure_texts",
        summary="Measure how texts are written",
        description="Counts sentence length, readability, person, formality, punctuation and more; keeps nothing.",
        tags=TAGS,
        request=MeasureTexts,
        responses={200: FeaturesBody, **problems(*WRITE, 422)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(MeasureTexts, request, CAN_READ)
        features = voices.measured(api_actor(request), values["texts"])
        return Response({"object": "voice_features", "features": features.to_dict()})


class GenerationCheckView(AsyncAPIView):
    """A generation held against its own voice."""

    @extend_schema(
        operation_id="check_generation",
        summary="Check a generation against its brand voice and its template's limits",
        description="Empty where it has neither, or keeps to both.",
        tags=TAGS,
        parameters=[ID],
        responses={200: VoiceCheckBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        generation = studio.get_generation(actor, parse_id(id, "There is no generation with this id."))
        with tenancy.scope(actor.organization_id):
            found = voices.check_generation(generation)
        return Response({"object": "voice_check", "violations": [marking.body(each) for each in found]})
