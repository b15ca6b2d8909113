"""Errors as programs written for Chatwoot read them, beside our own: decision 79.

`error` stays the object that all of this product's APIs answer with. Beside it stand `message` and `description`, which
Chatwoot's clients show, and `attributes`, the fields that are wrong.
"""

from __future__ import annotations

from collections.abc import Mapping

from drf_spectacular.utils import OpenApiResponse
from rest_framework import serializers
from rest_framework.response import Response

from apps.core import schema
from apps.core.api import AsyncAPIView


class ErrorForChatwoot(schema.Error):
    """A failure in our shape and in Chatwoot's."""

    message = serializers.CharField(help_text="The same as `error.message`.")
    description = serializers.CharField(help_text="The same again.")
    attributes = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="What of the body or the query is wrong."
    )


# What Chatwoot answers with 422: a record that is not valid, and one that there is already.
UNPROCESSABLE = frozenset({("invalid_request", 400), ("conflict", 409)})


class ToldErrors(AsyncAPIView):
    """An address whose failures have both shapes; `as_unprocessable` says whether Chatwoot's 422 is used as well, and
    `their_names` what is called otherwise in a body than our services call it.
    """

    as_unprocessable = False
    their_names: Mapping[str, str] = {}

    def handle_exception(self, exc: Exception) -> Response:
        response: Response = super().handle_exception(exc)
        told = response.data.get("error") if isinstance(response.data, dict) else None
        if not isinstance(told, dict):
            return response
        if told.get("param"):
            told["param"] = self.their_names.get(told["param"], told["param"])
        beside = {"message": told["message"], "description": told["message"]}
        response.data |= beside | ({"attributes": [told["param"]]} if told.get("param") else {})
        if self.as_unprocessable and (told["code"], response.status_code) in UNPROCESSABLE:
            response.status_code = 422
        return response


def problems(*statuses: int) -> dict[int, OpenApiResponse]:
    """The declared failures of an operation, in both shapes."""
    found = schema.problems(*statuses)
    for each in found.values():
        each.response = ErrorForChatwoot
    return found


def unprocessable(*statuses: int) -> dict[int, OpenApiResponse]:
    """The same where what REST calls 400 or 409 may be Chatwoot's 422."""
    return problems(*statuses, *((422,) if {400, 409} & set(statuses) else ()))
