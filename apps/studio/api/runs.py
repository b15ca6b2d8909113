"""Runs, votes, opinions and the data set that they make, over REST."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, listed, one_of, page
from apps.accounts.authentication import api_actor
from apps.core import ratelimit, tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.errors import NotFound
from apps.core.keyset import below
from apps.core.rest import CreatedCursorPagination
from apps.core.schema import READ, WRITE, problems
from apps.studio import throttle
from apps.studio.api import run_bodies as bodies
from apps.studio.api.rest import parse_id as parse_generation_id
from apps.studio.models import RunKind
from apps.studio.services import feedback, runs
from apps.studio.services.runs.asking import NO_VARIANT
from apps.studio.services.runs.reading import NO_RUN, hidden_runs

TAGS = ["Runs"]
READING, WRITING = "generations:read", "generations:write"


class RunsView(AsyncAPIView):
    """Asking for a run, and listing those there are."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_runs",
        summary="List runs, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR, OpenApiParameter("kind", enum=RunKind.values)],
        responses={200: bodies.RunBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READING)
        kind = one_of(request, "kind", list(RunKind.values))
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, runs.runs_of(kind))
            hidden = hidden_runs(actor, found)
            data = [
                bodies.run_body(
                    run,
                    [
                        bodies.variant_body(variant, run.pk in hidden)
                        for variant in sorted(run.variants.all(), key=lambda each: each.position)
                    ],
                )
                for run in found
            ]
        return listed(answer, data)

    @extend_schema(
        operation_id="create_run",
        summary="Have one request written several times",
        description="Each text is a generation with a stream of its own. All are held and accepted together, or none.",
        tags=TAGS,
        request=bodies.CreateRun,
        responses={202: bodies.RunBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(WRITING, READING)
        body = bodies.CreateRun(data=request.data)
        body.is_valid(raise_exception=True)
        run, levels = throttle.request_run_telling(actor, body.request())
        self.answer_headers |= ratelimit.headers(levels)
        answer = bodies.view_body(runs.get_run(actor, run.pk))
        return Response(answer, status=202, headers={"location": f"/api/v1/runs/{run.pk}"})


class RunView(AsyncAPIView):
    """One run with its texts."""

    @extend_schema(
        operation_id="get_run",
        summary="Get a run",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.RunBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        return Response(bodies.view_body(runs.get_run(api_actor(request), parse_id(id, NO_RUN))))


class VoteView(AsyncAPIView):
    """A blind vote."""

    @extend_schema(
        operation_id="vote_on_run",
        summary="Say which of two models' texts is better",
        description="Once, when both are finished. The answer tells which model wrote which.",
        tags=TAGS,
        parameters=[ID],
        request=bodies.CastVote,
        responses={201: bodies.RunBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        actor, run_id = api_actor(request), parse_id(id, NO_RUN)
        actor.require(WRITING, READING)
        runs.get_run(actor, run_id)
        body = bodies.CastVote(data=request.data)
        body.is_valid(raise_exception=True)
        values = body.validated_data
        runs.vote(
            actor, run_id, values["verdict"], values.get("winner"), values.get("reasons", ()), values.get("comment", "")
        )
        return Response(bodies.view_body(runs.get_run(actor, run_id)), status=201)


class RepeatView(AsyncAPIView):
    """A text once more, exactly."""

    @extend_schema(
        operation_id="repeat_variant",
        summary="Repeat a variant exactly",
        description="The same request, seed and version of the model, as a run of one text below it.",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={202: bodies.RunBody, **problems(*WRITE, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(WRITING, READING)
        made = runs.repeated_exactly(actor, parse_id(id, NO_VARIANT))
        run, levels = throttle.request_run_telling(actor, made)
        self.answer_headers |= ratelimit.headers(levels)
        return Response(bodies.view_body(runs.get_run(actor, run.pk)), status=202)


class ResultsView(AsyncAPIView):
    """What votes say about models."""

    @extend_schema(
        operation_id="get_run_results",
        summary="Get the votes between models, pair by pair",
        tags=TAGS,
        responses={200: bodies.ResultsBody, **problems(*READ)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        found = runs.results(api_actor(request))
        names = ("first", "second", "first_wins", "second_wins", "ties", "neither")
        pairs = [
            {name: getattr(pair.tally, name) for name in names}
            | {
                "win_rate": pair.rate.value if pair.rate else None,
                "low": pair.rate.low if pair.rate else None,
                "high": pair.rate.high if pair.rate else None,
            }
            for pair in found.pairs
        ]
        models = [{"model": name, "strength": round(strength, 1)} for name, strength in found.models]
        return Response({"object": "run_results", "pairs": pairs, "models": models})


class FeedbackView(AsyncAPIView):
    """What the caller thinks of a text."""

    @extend_schema(
        operation_id="get_feedback",
        summary="Get your opinion on a text",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.FeedbackBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor, generation_id = api_actor(request), parse_generation_id(id)
        found = feedback.opinion(actor, generation_id)
        if found is None:
            raise NotFound("There is no generation with this id, or you have not given an opinion on it.")
        return Response(bodies.feedback_body(found))

    @extend_schema(
        operation_id="give_feedback",
        summary="Give your opinion on a text, or change it",
        tags=TAGS,
        parameters=[ID],
        request=bodies.GiveFeedback,
        responses={200: bodies.FeedbackBody, **problems(*WRITE, 404)},
    )
    @in_thread
    def put(self, request: Request, id: str) -> Response:
        actor, generation_id = api_actor(request), parse_generation_id(id)
        actor.require(WRITING, READING)
        feedback.require_generation(actor, generation_id)
        body = bodies.GiveFeedback(data=request.data)
        body.is_valid(raise_exception=True)
        values = body.validated_data
        given = feedback.give_feedback(
            actor, generation_id, values["rating"], values.get("reasons", ()), values.get("comment", "")
        )
        return Response(bodies.feedback_body(given))

    @extend_schema(
        operation_id="withdraw_feedback",
        summary="Take your opinion on a text back",
        tags=TAGS,
        parameters=[ID],
        responses={204: OpenApiResponse(description="Taken back."), **problems(*READ, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        feedback.withdraw_feedback(api_actor(request), parse_generation_id(id))
        return Response(status=204)


class EvaluationDataView(AsyncAPIView):
    """Votes and thumbs as records for evaluation and training."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_evaluation_data",
        summary="List votes and opinions with what was asked and written, oldest first",
        description="Without the names of those who gave them. Follow `next` for a whole data set.",
        tags=TAGS,
        parameters=[LIMIT, CURSOR, OpenApiParameter("kind", enum=list(runs.KINDS))],
        responses={200: bodies.RecordBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READING)
        kind = one_of(request, "kind", list(runs.KINDS))
        limit = CreatedCursorPagination().get_page_size(request) or 20
        cursor = request.query_params.get("cursor")
        after: UUID | None = below(cursor)
        if cursor is not None and after is None:
            raise NotFound("There is no such page: take the cursor from `next` of an earlier one.", param="cursor")
        found = runs.records(actor, kind, after, limit + 1)
        more, found = len(found) > limit, found[:limit]
        address = request.build_absolute_uri()
        following = replace_query_param(address, "cursor", found[-1]["id"]) if more else None
        return Response({"object": "list", "data": found, "has_more": more, "next": following})
