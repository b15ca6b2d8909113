"""Versions of a document, suggestions for it, comments on it and links to it."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.base import CURSOR, LIMIT, NewestFirst, checked, listed, page
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import api_actor
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.errors import NotFound
from apps.core.schema import READ, WRITE, problems
from apps.studio import throttle
from apps.studio.api.documents import bodies
from apps.studio.api.documents.base import ID, TAGS, document_id, shown
from apps.studio.models import DocumentRevision, RevisionKind
from apps.studio.services import documents
from apps.studio.services.documents import NO_COMMENT, NO_SHARE, NO_SUGGESTION
from apps.studio.services.documents.revisions import NO_VERSION

MAY_READ, MAY_WRITE = documents.READ, documents.WRITE


def _place(name: str, type: Any = OpenApiTypes.UUID) -> OpenApiParameter:
    return OpenApiParameter(name, type, OpenApiParameter.PATH)


NUMBER, SUGGESTION, COMMENT, SHARE = (
    _place("number", OpenApiTypes.INT),
    _place("suggestion"),
    _place("comment"),
    _place("share"),
)


def _number(value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        raise NotFound(NO_VERSION)
    return int(value)


# ---------------------------------------------------------------- versions


class VersionsView(AsyncAPIView):
    """A document's history."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_document_versions",
        summary="List a document's versions, newest first",
        tags=TAGS,
        parameters=[ID, LIMIT, CURSOR],
        responses={200: bodies.DocumentVersionBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        document = documents.get(actor, document_id(id))
        with tenancy.scope(actor.organization_id):
            rows = DocumentRevision.objects.filter(document=document, kind=RevisionKind.VERSION).defer("text")
            found, answer = page(request, rows)
            return listed(answer, [bodies.version_body(row, with_text=False) for row in found])


class VersionView(AsyncAPIView):
    """One version."""

    @extend_schema(
        operation_id="get_document_version",
        summary="Get a version with its text",
        tags=TAGS,
        parameters=[ID, NUMBER],
        responses={200: bodies.DocumentVersionBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str, number: str) -> Response:
        row = documents.version(api_actor(request), document_id(id), _number(number))
        return Response(bodies.version_body(row))

    @extend_schema(
        operation_id="name_document_version",
        summary="Give a version a name",
        tags=TAGS,
        parameters=[ID, NUMBER],
        request=bodies.NameDocumentVersion,
        responses={200: bodies.DocumentVersionBody, **problems(*WRITE, 404)},
    )
    @in_thread
    def patch(self, request: Request, id: str, number: str) -> Response:
        values = checked(bodies.NameDocumentVersion, request, MAY_WRITE)
        row = documents.name_version(api_actor(request), document_id(id), _number(number), values["name"])
        return Response(bodies.version_body(row))


class RestoreView(AsyncAPIView):
    """Going back."""

    @extend_schema(
        operation_id="restore_document_version",
        summary="Make a version the present text; what was there stays a version",
        tags=TAGS,
        parameters=[ID, NUMBER],
        request=None,
        responses={200: bodies.WrittenDocumentBody, **problems(*READ, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str, number: str) -> Response:
        actor = api_actor(request)
        actor.require(MAY_WRITE, MAY_READ)
        return shown(request, documents.restore(actor, document_id(id), _number(number)))


# ---------------------------------------------------------------- suggestions


class SuggestionsView(AsyncAPIView):
    """Other words for a part of a document."""

    @extend_schema(
        operation_id="list_suggestions",
        summary="List the suggestions that wait for a decision, in the order of the text",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.DocumentSuggestionBody(many=True), **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        document = documents.get(actor, document_id(id))
        with tenancy.scope(actor.organization_id):
            rows = documents.open_suggestions_of(document)
            return Response([bodies.suggestion_body(row) for row in rows])

    @extend_schema(
        operation_id="create_suggestion",
        summary="Ask a model for other words for some of the document's",
        description="The document stays as it is until the suggestion is accepted. Its `generation` can be followed "
        "like any other. Refused with `text_gone` where the quoted words are no longer there.",
        tags=TAGS,
        parameters=[ID],
        request=bodies.AskSuggestion,
        responses={201: bodies.DocumentSuggestionBody, **problems(*WRITE, 404, 409, 422)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(MAY_WRITE, MAY_READ)
        body = bodies.AskSuggestion(data=request.data)
        body.is_valid(raise_exception=True)
        made = throttle.request_suggestion(actor, document_id(id), body.selection(), body.wish())
        return Response(_suggestion(request, id, str(made.pk)), status=201)


def _suggestion(request: Request, id: str, suggestion: str) -> dict[str, Any]:
    actor = api_actor(request)
    row = documents.suggestion(actor, document_id(id), parse_id(suggestion, NO_SUGGESTION))
    with tenancy.scope(actor.organization_id):
        return bodies.suggestion_body(row)


class SuggestionView(AsyncAPIView):
    """One suggestion."""

    @extend_schema(
        operation_id="get_suggestion",
        summary="Get a suggestion",
        tags=TAGS,
        parameters=[ID, SUGGESTION],
        responses={200: bodies.DocumentSuggestionBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str, suggestion: str) -> Response:
        return Response(_suggestion(request, id, suggestion))


class AcceptView(AsyncAPIView):
    """Putting the suggested words in their place."""

    @extend_schema(
        operation_id="accept_suggestion",
        summary="Replace the quoted words by the suggested ones; everything else stays as it is",
        tags=TAGS,
        parameters=[ID, SUGGESTION],
        request=None,
        responses={200: bodies.WrittenDocumentBody, **problems(*READ, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str, suggestion: str) -> Response:
        actor = api_actor(request)
        actor.require(MAY_WRITE, MAY_READ)
        return shown(request, documents.accept(actor, document_id(id), parse_id(suggestion, NO_SUGGESTION)))


class RejectView(AsyncAPIView):
    """Leaving the words as they are."""

    @extend_schema(
        operation_id="reject_suggestion",
        summary="Reject a suggestion",
        tags=TAGS,
        parameters=[ID, SUGGESTION],
        request=None,
        responses={200: bodies.DocumentSuggestionBody, **problems(*READ, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str, suggestion: str) -> Response:
        actor = api_actor(request)
        actor.require(MAY_WRITE, MAY_READ)
        documents.reject(actor, document_id(id), parse_id(suggestion, NO_SUGGESTION))
        return Response(_suggestion(request, id, suggestion))


# ---------------------------------------------------------------- comments


class CommentsView(AsyncAPIView):
    """Remarks on parts of a document."""

    @extend_schema(
        operation_id="list_comments",
        summary="List threads in the order of the text, each with its answers behind it",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.DocumentCommentBody(many=True), **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        document = documents.get(actor, document_id(id))
        with tenancy.scope(actor.organization_id):
            threads = documents.threads(document)
            rows = [row for head in threads for row in (head, *head.replies)]
            return Response([bodies.comment_body(row) for row in rows])

    @extend_schema(
        operation_id="create_comment",
        summary="Comment on some words of a document",
        description="`@name` in the text tells the member whose address begins with it.",
        tags=TAGS,
        parameters=[ID],
        request=bodies.WriteComment,
        responses={201: bodies.DocumentCommentBody, **problems(*WRITE, 404, 409, 422)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(MAY_WRITE)
        body = bodies.WriteComment(data=request.data)
        body.is_valid(raise_exception=True)
        made = documents.comment(actor, document_id(id), body.selection(), body.validated_data["text"])
        return _comment(request, made, 201)


def _comment(request: Request, row: Any, status: int) -> Response:
    with tenancy.scope(api_actor(request).organization_id):
        row.refresh_from_db()
        return Response(bodies.comment_body(row), status=status)


class CommentView(AsyncAPIView):
    """One comment."""

    @extend_schema(
        operation_id="delete_comment",
        summary="Delete a comment, and the answers to it",
        tags=TAGS,
        parameters=[ID, COMMENT],
        responses={204: NOTHING, **problems(*READ, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str, comment: str) -> Response:
        documents.delete_comment(api_actor(request), document_id(id), parse_id(comment, NO_COMMENT))
        return Response(status=204)


class AnswersView(AsyncAPIView):
    """Answers to a comment."""

    @extend_schema(
        operation_id="answer_comment",
        summary="Answer a comment; one that was resolved is open again",
        tags=TAGS,
        parameters=[ID, COMMENT],
        request=bodies.AnswerComment,
        responses={201: bodies.DocumentCommentBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str, comment: str) -> Response:
        values = checked(bodies.AnswerComment, request, MAY_WRITE)
        actor, place = api_actor(request), (document_id(id), parse_id(comment, NO_COMMENT))
        return _comment(request, documents.answer(actor, *place, values["text"]), 201)


class ResolveView(AsyncAPIView):
    """A thread that is done with."""

    @extend_schema(
        operation_id="resolve_comment",
        summary="Resolve a thread",
        tags=TAGS,
        parameters=[ID, COMMENT],
        request=None,
        responses={204: NOTHING, **problems(*READ, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str, comment: str) -> Response:
        documents.resolve(api_actor(request), document_id(id), parse_id(comment, NO_COMMENT))
        return Response(status=204)


class ReopenView(AsyncAPIView):
    """A thread that is not done with after all."""

    @extend_schema(
        operation_id="reopen_comment",
        summary="Reopen a thread",
        tags=TAGS,
        parameters=[ID, COMMENT],
        request=None,
        responses={204: NOTHING, **problems(*READ, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str, comment: str) -> Response:
        documents.reopen(api_actor(request), document_id(id), parse_id(comment, NO_COMMENT))
        return Response(status=204)


# ---------------------------------------------------------------- links


class SharesView(AsyncAPIView):
    """Links by which anybody may read the document."""

    @extend_schema(
        operation_id="list_document_shares",
        summary="List the links that work now",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.DocumentShareBody(many=True), **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        rows = documents.shares(actor, documents.get(actor, document_id(id)))
        return Response([bodies.share_body(row) for row in rows])

    @extend_schema(
        operation_id="share_document",
        summary="Make a link that anybody may open until it expires or is revoked",
        tags=TAGS,
        parameters=[ID],
        request=bodies.MakeShare,
        responses={201: bodies.DocumentShareBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        values = checked(bodies.MakeShare, request, MAY_WRITE)
        actor = api_actor(request)
        row, secret = documents.share(actor, document_id(id), values["days"], values.get("password", ""))
        with tenancy.scope(actor.organization_id):
            row.refresh_from_db()
        url = request.build_absolute_uri(f"/shared/{secret}/")
        return Response(bodies.share_body(row) | {"url": url}, status=201)


class ShareView(AsyncAPIView):
    """One link."""

    @extend_schema(
        operation_id="revoke_document_share",
        summary="Revoke a link",
        tags=TAGS,
        parameters=[ID, SHARE],
        responses={204: NOTHING, **problems(*READ, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str, share: str) -> Response:
        documents.revoke(api_actor(request), document_id(id), parse_id(share, NO_SHARE))
        return Response(status=204)
