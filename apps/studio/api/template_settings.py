"""The rule for approvals of templates as a REST resource."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.base import checked
from apps.accounts.authentication import api_actor
from apps.core.api import AsyncAPIView, in_thread
from apps.core.schema import READ, WRITE, problems
from apps.studio.api import template_bodies as bodies
from apps.studio.services import templates

CAN_READ, CAN_CHANGE = "templates:read", "organization:manage"
TAGS = ["Templates"]


class SettingsView(AsyncAPIView):
    """The organization's rule for approvals."""

    @extend_schema(
        operation_id="get_template_settings",
        summary="Get the rule for approvals",
        tags=TAGS,
        responses={200: bodies.TemplateSettingsBody, **problems(*READ)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        return Response({"four_eyes": templates.settings_of(api_actor(request)).four_eyes})

    @extend_schema(
        operation_id="change_template_settings",
        summary="Change the rule for approvals",
        tags=TAGS,
        request=bodies.TemplateSettingsBody,
        responses={200: bodies.TemplateSettingsBody, **problems(*WRITE)},
    )
    @in_thread
    def patch(self, request: Request) -> Response:
        # What it answers with is the rule as it stands, which is reading as well.
        values = checked(bodies.TemplateSettingsBody, request, CAN_CHANGE, CAN_READ)
        return Response({"four_eyes": templates.change_settings(api_actor(request), **values).four_eyes})
