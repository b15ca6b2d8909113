"""Articles of the help centre over REST."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, checked, listed, page
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import api_actor
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.errors import NotFound
from apps.core.schema import READ as READ_FAILURES
from apps.core.schema import WRITE as WRITE_FAILURES
from apps.core.schema import problems
from apps.support.access_bot import APPROVE, READ, WRITE
from apps.support.api.bots import bodies
from apps.support.models import Article, ArticleVersion
from apps.support.services import articles
from apps.support.services.articles.writing import NO_ARTICLE

TAGS = ["Help centre"]


class ArticlesView(AsyncAPIView):
    """All articles."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_articles",
        summary="List articles, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR],
        responses={200: bodies.ArticleBody(many=True), **problems(*READ_FAILURES, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, Article.objects.select_related("category"))
            return listed(answer, [bodies.article_body(row) for row in found])

    @extend_schema(
        operation_id="create_article",
        summary="Write an article",
        description="Its first version is a draft: publish it to have it read, found and cited.",
        tags=TAGS,
        request=bodies.WriteArticle,
        responses={201: bodies.ArticleVersionBody, **problems(*WRITE_FAILURES, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(bodies.WriteArticle, request, WRITE)
        return _written(articles.write_article(api_actor(request), articles.ArticleDraft(**values)))


class ArticleView(AsyncAPIView):
    """One article."""

    @extend_schema(
        operation_id="get_article",
        summary="Get an article and what is published of it",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.ArticleBody, **problems(*READ_FAILURES, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        return _shown(actor.organization_id, articles.get_article(actor, _id(request, READ, id)).pk)


class VersionsView(AsyncAPIView):
    """An article's versions, which never change."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_article_versions",
        summary="List an article's versions, newest first",
        tags=TAGS,
        parameters=[ID, LIMIT, CURSOR],
        responses={200: bodies.ArticleVersionBody(many=True), **problems(*READ_FAILURES, 400, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        found = articles.get_article(actor, _id(request, READ, id))
        with tenancy.scope(actor.organization_id):
            rows, answer = page(request, ArticleVersion.objects.filter(article=found))
            return listed(answer, [bodies.version_body(row) for row in rows])

    @extend_schema(
        operation_id="write_article_version",
        summary="Write another version of an article",
        tags=TAGS,
        parameters=[ID],
        request=bodies.WriteArticle,
        responses={201: bodies.ArticleVersionBody, **problems(*WRITE_FAILURES, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        values = checked(bodies.WriteArticle, request, WRITE)
        draft = articles.ArticleDraft(**values)
        return _written(articles.write_article(api_actor(request), draft, parse_id(id, NO_ARTICLE)))


class PublishView(AsyncAPIView):
    @extend_schema(
        operation_id="publish_article",
        summary="Publish a version of an article",
        description="In the version's language, in place of the one before; going back is the same.",
        tags=TAGS,
        parameters=[ID],
        request=bodies.PublishArticle,
        responses={200: bodies.ArticleBody, **problems(*WRITE_FAILURES, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        values, actor = checked(bodies.PublishArticle, request, APPROVE), api_actor(request)
        found = articles.publish(actor, parse_id(id, NO_ARTICLE), values["number"])
        return _shown(actor.organization_id, found.article_id)


class RetireView(AsyncAPIView):
    @extend_schema(
        operation_id="retire_article",
        summary="Take an article out of the help centre in one language",
        tags=TAGS,
        parameters=[ID],
        request=bodies.RetireArticle,
        responses={204: NOTHING, **problems(*WRITE_FAILURES, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        values = checked(bodies.RetireArticle, request, APPROVE)
        articles.retire(api_actor(request), parse_id(id, NO_ARTICLE), values["locale"])
        return Response(status=204)


class ArchiveView(AsyncAPIView):
    @extend_schema(
        operation_id="archive_article",
        summary="Put an article away, or take it out again",
        description="What is put away is published nowhere; its versions stay, for they may have been cited.",
        tags=TAGS,
        parameters=[ID],
        request=bodies.ArchiveArticle,
        responses={200: bodies.ArticleBody, **problems(*WRITE_FAILURES, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        values, actor = checked(bodies.ArchiveArticle, request, APPROVE), api_actor(request)
        return _shown(
            actor.organization_id, articles.set_archived(actor, parse_id(id, NO_ARTICLE), values["archived"]).pk
        )


class ImportView(AsyncAPIView):
    """Articles from a file."""

    parser_classes = [MultiPartParser]

    @extend_schema(
        operation_id="import_articles",
        summary="Import articles from Markdown, HTML or a ZIP archive",
        description="All of a file or none. A name such as `fees.zh.md` says the language, a folder the category.",
        tags=TAGS,
        request={"multipart/form-data": bodies.ImportArticles},
        responses={201: bodies.ImportedBody, **problems(*WRITE_FAILURES, 409, 422)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values, actor = checked(bodies.ImportArticles, request, WRITE), api_actor(request)
        upload = values["file"]
        written = articles.import_file(actor, upload.name or "", upload.read(), values["locale"], values["publish"])
        with tenancy.scope(actor.organization_id):
            rows = ArticleVersion.objects.filter(pk__in=[each.pk for each in written]).order_by("id")
            return Response({"object": "list", "data": [bodies.version_body(row) for row in rows]}, status=201)


class SearchView(AsyncAPIView):
    @extend_schema(
        operation_id="search_articles",
        summary="Find passages of published articles that answer a question",
        tags=TAGS,
        request=bodies.SearchArticles,
        responses={200: bodies.FoundList, **problems(*WRITE_FAILURES)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(bodies.SearchArticles, request, READ)
        found = articles.find(api_actor(request), values["query"], values["locale"], values["limit"])
        return Response({"object": "list", "data": [bodies.found_body(row) for row in found]})


class CentreView(AsyncAPIView):
    """The public help centre."""

    @extend_schema(
        operation_id="get_help_centre",
        summary="Get the help centre's address and whether it is open",
        tags=TAGS,
        responses={200: bodies.CentreBody, **problems(*READ_FAILURES, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        found = articles.centre_of(api_actor(request))
        if found is None:
            raise NotFound("The help centre has not been set up.")
        return Response(bodies.centre_body(found))

    @extend_schema(
        operation_id="set_help_centre",
        summary="Set the help centre's address, and open or close it",
        tags=TAGS,
        request=bodies.SetCentre,
        responses={200: bodies.CentreBody, **problems(*WRITE_FAILURES, 409)},
    )
    @in_thread
    def put(self, request: Request) -> Response:
        values = checked(bodies.SetCentre, request, APPROVE)
        return Response(bodies.centre_body(articles.set_centre(api_actor(request), articles.CentreDraft(**values))))


def _id(request: Request, permission: str, id: str) -> UUID:
    api_actor(request).require(permission)
    return parse_id(id, NO_ARTICLE)


def _shown(organization_id: UUID, id: UUID) -> Response:
    with tenancy.scope(organization_id):
        found: dict[str, Any] = bodies.article_body(Article.objects.select_related("category").get(pk=id))
    return Response(found)


def _written(version: ArticleVersion) -> Response:
    with tenancy.scope(version.organization_id):
        version.refresh_from_db(fields=["created_at"])
    return Response(bodies.version_body(version), status=201)
