"""Templates as REST resources: their versions, labels, the library, and writing with one."""

from __future__ import annotations

import re
from typing import Any

from asgiref.sync import sync_to_async
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.api.base import CURSOR, LIMIT, NewestFirst, checked, listed, one_of, page
from apps.accounts.authentication import api_actor
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread
from apps.core.errors import InvalidRequest, NotFound
from apps.core.schema import IDEMPOTENCY_KEY, READ, WRITE, problems
from apps.studio import library
from apps.studio.api import template_bodies as bodies
from apps.studio.api.admission import Accepted, AdmittingView
from apps.studio.api.serializers import GenerationBody
from apps.studio.differences import differences
from apps.studio.models import Template, TemplateApproval, TemplateLabel, TemplateVersion
from apps.studio.requests import GenerationSpec
from apps.studio.services import templates
from apps.studio.services.templates.finding import NO_VERSION

TAGS = ["Templates"]
SLUG = OpenApiParameter("slug", str, OpenApiParameter.PATH, description="The template's short name.")
NUMBER = OpenApiParameter("number", int, OpenApiParameter.PATH)
LABEL = OpenApiParameter("label", {"type": "string", "pattern": "^[a-z][a-z0-9-]{0,39}$"}, OpenApiParameter.PATH)
WHOLE = {"type": "integer", "minimum": 1, "maximum": 999_999}
KEY = OpenApiParameter("key", str, OpenApiParameter.PATH)
LANGUAGES = ["en", "zh-hans"]
LANGUAGE = OpenApiParameter("language", enum=LANGUAGES)
NOTHING = OpenApiResponse(description="Done.")
CAN_READ, CAN_WRITE = "templates:read", "templates:write"


def body_of(actor: Actor, template: Template) -> dict[str, Any]:
    with tenancy.scope(actor.organization_id):
        return bodies.template_body(template, _labels([template]))


def _labels(rows: list[Template]) -> list[TemplateLabel]:
    labels = TemplateLabel.objects.filter(template__in=[row.pk for row in rows])
    return list(labels.select_related("version", "previous").order_by("name"))


class TemplatesView(AsyncAPIView):
    """The templates that the caller sees."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_templates",
        summary="List templates, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR, OpenApiParameter("archived", bool, description="Those in the archive instead.")],
        responses={200: bodies.TemplateBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(CAN_READ)
        archived = one_of(request, "archived", ["true", "false"]) == "true"
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, templates.seen_by(actor).filter(archived_at__isnull=not archived))
            labels = _labels(found)
            data = [
                bodies.template_body(row, [label for label in labels if label.template_id == row.pk]) for row in found
            ]
            return listed(answer, data)

    @extend_schema(
        operation_id="create_template",
        summary="Create a template with its first version",
        tags=TAGS,
        request=bodies.CreateTemplate,
        responses={201: bodies.TemplateBody, **problems(*WRITE, 404, 409, 422)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(CAN_WRITE)
        body = bodies.CreateTemplate(data=request.data)
        body.is_valid(raise_exception=True)
        values = {name: body.validated_data.get(name, "") for name in ("slug", "description", "note")}
        version = templates.create(actor, body.validated_data["name"], body.facts(), **values)
        return Response(body_of(actor, version.template), status=201)


class TemplateView(AsyncAPIView):
    """One template."""

    @extend_schema(
        operation_id="get_template",
        summary="Get a template",
        tags=TAGS,
        parameters=[SLUG],
        responses={200: bodies.TemplateBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, slug: str) -> Response:
        actor = api_actor(request)
        return Response(body_of(actor, templates.get(actor, slug)))

    @extend_schema(
        operation_id="change_template",
        summary="Change what a template is called or who sees it",
        tags=TAGS,
        parameters=[SLUG],
        request=bodies.ChangeTemplate,
        responses={200: bodies.TemplateBody, **problems(*WRITE, 404, 422)},
    )
    @in_thread
    def patch(self, request: Request, slug: str) -> Response:
        actor, values = api_actor(request), checked(bodies.ChangeTemplate, request, CAN_WRITE)
        names = {name: values[name] for name in ("name", "description") if name in values}
        template = templates.change(actor, slug, **names)
        if "visibility" in values:
            template = templates.share(actor, slug, values["visibility"], values.get("teams", []))
        return Response(body_of(actor, template))


class ArchiveView(AsyncAPIView):
    """Taking a template out of use."""

    @extend_schema(
        operation_id="archive_template",
        summary="Archive a template",
        description="It writes nothing until it is taken out again; versions, labels and texts stay.",
        tags=TAGS,
        parameters=[SLUG],
        request=None,
        responses={200: bodies.TemplateBody, **problems(*READ, 404)},
    )
    @in_thread
    def post(self, request: Request, slug: str) -> Response:
        actor = api_actor(request)
        return Response(body_of(actor, templates.archive(actor, slug)))

    @extend_schema(
        operation_id="restore_template",
        summary="Take a template out of the archive",
        tags=TAGS,
        parameters=[SLUG],
        responses={200: bodies.TemplateBody, **problems(*READ, 404)},
    )
    @in_thread
    def delete(self, request: Request, slug: str) -> Response:
        actor = api_actor(request)
        return Response(body_of(actor, templates.restore(actor, slug)))


class VersionsView(AsyncAPIView):
    """A template's versions, which never change."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_template_versions",
        summary="List a template's versions, newest first",
        tags=TAGS,
        parameters=[SLUG, LIMIT, CURSOR],
        responses={200: bodies.VersionBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, slug: str) -> Response:
        actor = api_actor(request)
        template = templates.get(actor, slug)
        with tenancy.scope(actor.organization_id):
            rows = TemplateVersion.objects.select_related("template", "voice").filter(template=template)
            found, answer = page(request, rows)
            approvals = {row.version_id: row for row in TemplateApproval.objects.filter(version__in=found)}
            return listed(answer, [bodies.version_body(row, approvals.get(row.pk)) for row in found])

    @extend_schema(
        operation_id="create_template_version",
        summary="Write a new version, which is the draft from then on",
        description="The same content as the newest version makes no new one.",
        tags=TAGS,
        parameters=[SLUG],
        request=bodies.VersionFields,
        responses={201: bodies.VersionBody, **problems(*WRITE, 404, 409, 422)},
    )
    @in_thread
    def post(self, request: Request, slug: str) -> Response:
        actor = api_actor(request)
        actor.require(CAN_WRITE)
        body = bodies.VersionFields(data=request.data)
        body.is_valid(raise_exception=True)
        version = templates.add_version(actor, slug, body.facts(), body.validated_data.get("note", ""))
        return Response(_version_body(actor, version), status=201)


def _version_body(actor: Actor, version: TemplateVersion) -> dict[str, Any]:
    with tenancy.scope(actor.organization_id):
        return bodies.version_body(version, TemplateApproval.objects.filter(version=version).first())


def number_of(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    raise NotFound(NO_VERSION)


def _asked_number(request: Request, name: str, default: int) -> int:
    given = request.query_params.get(name, str(default))
    if not re.fullmatch(r"[1-9][0-9]{0,5}", given):
        raise InvalidRequest(f"{name} must be the number of a version.", param=name)
    return int(given)


class VersionView(AsyncAPIView):
    """One version."""

    @extend_schema(
        operation_id="get_template_version",
        summary="Get a version of a template",
        tags=TAGS,
        parameters=[SLUG, NUMBER],
        responses={200: bodies.VersionBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, slug: str, number: str) -> Response:
        actor = api_actor(request)
        actor.require(CAN_READ)
        return Response(_version_body(actor, templates.get_version(actor, slug, number_of(number))))


class DiffView(AsyncAPIView):
    """What differs between two versions."""

    @extend_schema(
        operation_id="compare_template_versions",
        summary="Compare two versions, line by line",
        tags=TAGS,
        parameters=[
            SLUG,
            OpenApiParameter("from", WHOLE, description="Default: the version before `to`."),
            OpenApiParameter("to", WHOLE, description="Default: the newest."),
        ],
        responses={200: bodies.DiffBody, **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, slug: str) -> Response:
        actor = api_actor(request)
        latest = templates.get(actor, slug).latest
        newer = _asked_number(request, "to", latest)
        older = _asked_number(request, "from", max(1, newer - 1))
        pair = [templates.facts_of(templates.get_version(actor, slug, number)) for number in (older, newer)]
        before, after = ({name: getattr(facts, name) for name in facts.__dataclass_fields__} for facts in pair)
        data = [
            {"field": each.name, "lines": [{"kind": line.kind, "text": line.text} for line in each.lines]}
            for each in differences(before, after)
        ]
        return Response({"object": "template_diff", "older": older, "newer": newer, "differences": data})


class LabelView(AsyncAPIView):
    """A label of a template."""

    @extend_schema(
        operation_id="put_template_label",
        summary="Put a label on a version",
        description="`approved` approves the version; `production` takes only what was approved, and both need "
        "`templates:approve`. Putting `production` on an earlier version rolls back.",
        tags=TAGS,
        parameters=[SLUG, LABEL],
        request=bodies.PutLabel,
        responses={200: bodies.LabelBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def put(self, request: Request, slug: str, label: str) -> Response:
        actor, values = api_actor(request), checked(bodies.PutLabel, request, CAN_WRITE)
        if label == "approved":
            row = templates.approve(actor, slug, values["version"], values.get("note", ""))
        else:
            row = templates.move_label(actor, slug, label, values["version"])
        with tenancy.scope(actor.organization_id):
            moved = TemplateLabel.objects.select_related("version", "previous").get(pk=row.pk)
            return Response(bodies.label_body(moved))

    @extend_schema(
        operation_id="remove_template_label",
        summary="Take a label off",
        tags=TAGS,
        parameters=[SLUG, LABEL],
        responses={204: NOTHING, **problems(*READ, 404)},
    )
    @in_thread
    def delete(self, request: Request, slug: str, label: str) -> Response:
        templates.remove_label(api_actor(request), slug, label)
        return Response(status=204)


class RenderView(AsyncAPIView):
    """What a model would be given, without asking it."""

    @extend_schema(
        operation_id="render_template",
        summary="Render a template without generating",
        tags=TAGS,
        parameters=[SLUG],
        request=bodies.RenderTemplate,
        responses={200: bodies.RenderedBody, **problems(*WRITE, 404, 409, 422)},
    )
    @in_thread
    def post(self, request: Request, slug: str) -> Response:
        actor = api_actor(request)
        actor.require(CAN_READ)
        body = bodies.RenderTemplate(data=request.data)
        body.is_valid(raise_exception=True)
        values = body.validated_data
        rendered = templates.render(actor, body.reference(slug), values.get("variables", {}), values.get("voice"))
        return Response(bodies.rendered_body(rendered))


class GenerateView(AdmittingView):
    """Writing with a template."""

    @extend_schema(
        operation_id="generate_from_template",
        summary="Generate from a template",
        description="Renders the version under `label` (default `production`) and asks for the text: the answer is the "
        "generation, which you follow as any other. It records the versions of template and voice.",
        tags=TAGS,
        parameters=[SLUG, IDEMPOTENCY_KEY],
        request=bodies.GenerateFromTemplate,
        responses={202: GenerationBody, **problems(*WRITE, 404, 409, 422)},
    )
    async def post(self, request: Request, slug: str) -> Response:
        accepted = await sync_to_async(self._accepted)(request, slug)
        return Response(accepted.body, status=202)

    def _accepted(self, request: Request, slug: str) -> Accepted:
        body = bodies.GenerateFromTemplate(data=request.data)
        body.is_valid(raise_exception=True)
        values = body.validated_data

        def asked() -> GenerationSpec:
            given = values.get("variables", {}), values.get("voice")
            return templates.render(api_actor(request), body.reference(slug), *given).spec(**body.changes())

        return self.accept(request, asked, values)


class LibraryView(AsyncAPIView):
    """The content types that come with the product."""

    @extend_schema(
        operation_id="list_template_library",
        summary="List the library of content types",
        tags=TAGS,
        parameters=[LANGUAGE],
        responses={
            200: inline_serializer(
                "TemplateLibrary",
                {"object": serializers.ChoiceField(["list"]), "data": bodies.EntryBody(many=True)},
            ),
            **problems(*READ, 400),
        },
    )
    @in_thread
    def get(self, request: Request) -> Response:
        api_actor(request).require(CAN_READ)
        names = ("key", "language", "name", "description", "content_type")
        entries = library.entries(one_of(request, "language", LANGUAGES) or "en")
        data = [{"object": "library_entry"} | {name: getattr(entry, name) for name in names} for entry in entries]
        return Response({"object": "list", "data": data})


class UseLibraryView(AsyncAPIView):
    """Copying a content type."""

    @extend_schema(
        operation_id="use_template_library",
        summary="Copy a content type of the library into the organization",
        tags=TAGS,
        parameters=[KEY],
        request=bodies.UseEntry,
        responses={201: bodies.TemplateBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, key: str) -> Response:
        actor, values = api_actor(request), checked(bodies.UseEntry, request, CAN_WRITE)
        version = templates.use(actor, key, values.get("language", "en"))
        return Response(body_of(actor, version.template), status=201)
