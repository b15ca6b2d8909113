"""Examples, training, models and what the bot has read, over REST."""

from __future__ import annotations

from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.access import Actor
from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, checked, listed, page
from apps.accounts.api.organization import NOTHING
from apps.accounts.authentication import api_actor
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.errors import InvalidRequest, NotFound
from apps.core.keyset import below
from apps.core.schema import READ as READ_FAILURES
from apps.core.schema import WRITE as WRITE_FAILURES
from apps.core.schema import problems
from apps.support.access_bot import APPROVE, READ, WRITE
from apps.support.api.bots import learning_bodies as bodies
from apps.support.models import IntentExample, Method, TrainingRun, TurnRecord
from apps.support.services import flows, learning
from apps.support.services.learning.examples import NO_EXAMPLE, NO_RECORD
from apps.support.services.learning.promotion import NO_MODEL
from apps.support.services.learning.training import NO_RUN

TAGS = ["Bot"]
NUMBER = OpenApiParameter("number", OpenApiTypes.INT, OpenApiParameter.PATH, description="The model's number.")
CONVERSATION = OpenApiParameter("conversation", OpenApiTypes.UUID, description="Turns of this one alone.")
INTENT = OpenApiParameter("intent", str, description="Examples of this intent alone.")

# Where the result of a job is sent.
CALLBACK: tuple[str, ...] = ("callback_url", "callback_endpoint")


class ExamplesView(AsyncAPIView):
    """All examples."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_intent_examples",
        summary="List examples of intents, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR, INTENT],
        responses={200: bodies.IntentExampleBody(many=True), **problems(*READ_FAILURES, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        chosen = request.query_params.get("intent", "").replace("\0", "")
        with tenancy.scope(actor.organization_id):
            rows = IntentExample.objects.filter(**({"intent": chosen} if chosen else {}))
            found, answer = page(request, rows)
            return listed(answer, [bodies.example_body(row) for row in found])

    @extend_schema(
        operation_id="add_intent_examples",
        summary="Add examples of intents",
        description="Masked like every text that is stored. A text that is there already takes the intent given now.",
        tags=TAGS,
        request=bodies.AddExamples,
        responses={201: bodies.AddedBody, **problems(*WRITE_FAILURES, 409)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(bodies.AddExamples, request, WRITE)
        given = [learning.Given(each["text"], each["intent"]) for each in values["examples"]]
        added = learning.add_examples(api_actor(request), given)
        return Response({"object": "examples_added", "added": added, "given": len(given)}, status=201)


class ExampleView(AsyncAPIView):
    """One example."""

    @extend_schema(
        operation_id="change_intent_example",
        summary="Give an example another intent, or the same one for sure",
        tags=TAGS,
        parameters=[ID],
        request=bodies.ChangeExample,
        responses={200: bodies.IntentExampleBody, **problems(*WRITE_FAILURES, 404)},
    )
    @in_thread
    def put(self, request: Request, id: str) -> Response:
        values = checked(bodies.ChangeExample, request, WRITE)
        if "slots" in values:
            values["slots"] = [(each["slot"], each["start"], each["end"]) for each in values["slots"]]
        row = learning.change_example(api_actor(request), parse_id(id, NO_EXAMPLE), **values)
        return Response(bodies.example_body(row))

    @extend_schema(
        operation_id="remove_intent_example",
        summary="Remove an example",
        tags=TAGS,
        parameters=[ID],
        responses={204: NOTHING, **problems(*READ_FAILURES, 404)},
    )
    @in_thread
    def delete(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(WRITE)
        learning.remove_example(actor, parse_id(id, NO_EXAMPLE))
        return Response(status=204)


class RunsView(AsyncAPIView):
    """Training."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_training_runs",
        summary="List training runs, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR],
        responses={200: bodies.TrainingRunBody(many=True), **problems(*READ_FAILURES, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, TrainingRun.objects.select_related("dataset"))
            return listed(answer, [bodies.run_body(row) for row in found])

    @extend_schema(
        operation_id="train_model",
        summary="Train a model from the examples",
        description="The examples are frozen by their hash; a worker trains, measures on the frozen test split and runs"
        " all stories of the live flows. The result is sent to `callback_url` or `callback_endpoint`, if given.",
        tags=TAGS,
        request=bodies.Train,
        responses={202: bodies.TrainingRunBody, **problems(*WRITE_FAILURES, 404, 409, 422)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values, actor = checked(bodies.Train, request, WRITE), api_actor(request)
        callback = {name: values[name] for name in CALLBACK if name in values}
        if callback:
            actor.require(READ)
        run = learning.request_training(actor, Method(values["method"]), values["promotes"], callback)
        return _run(actor, run.pk, 202)


class RunView(AsyncAPIView):
    @extend_schema(
        operation_id="get_training_run",
        summary="Get how far a training run has got, and what was measured",
        tags=TAGS,
        parameters=[ID],
        responses={200: bodies.TrainingRunBody, **problems(*READ_FAILURES, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        return _run(actor, learning.get_run(actor, parse_id(id, NO_RUN)).pk)


class CancelView(AsyncAPIView):
    @extend_schema(
        operation_id="cancel_training_run",
        summary="Stop a training run",
        tags=TAGS,
        parameters=[ID],
        request=None,
        responses={200: bodies.TrainingRunBody, **problems(*READ_FAILURES, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        actor = api_actor(request)
        actor.require(WRITE)
        return _run(actor, learning.cancel_training(actor, parse_id(id, NO_RUN)).pk)


class ModelsView(AsyncAPIView):
    """Trained models."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_dialogue_models",
        summary="List models, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR],
        responses={200: bodies.DialogueModelBody(many=True), **problems(*READ_FAILURES, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        with tenancy.scope(actor.organization_id):
            live = flows.settings_of(actor.organization_id).model_id
            found, answer = page(request, learning.models())
            return listed(answer, [bodies.model_body(row, live) for row in found])


class PromoteView(AsyncAPIView):
    @extend_schema(
        operation_id="promote_dialogue_model",
        summary="Have a model read from now on, or go back to one",
        tags=TAGS,
        parameters=[NUMBER],
        request=None,
        responses={200: bodies.DialogueModelBody, **problems(*READ_FAILURES, 404, 409)},
    )
    @in_thread
    def post(self, request: Request, number: str) -> Response:
        actor = api_actor(request)
        actor.require(APPROVE)
        if not number.isdecimal() or len(number) > 9:
            raise NotFound(NO_MODEL)
        row = learning.promote(actor, int(number))
        return Response(bodies.model_body(row, row.pk))


class TurnsView(AsyncAPIView):
    """What the bot has read and answered."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_bot_turns",
        summary="List what the bot has read, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR, CONVERSATION],
        responses={200: bodies.TurnBody(many=True), **problems(*READ_FAILURES, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(READ)
        chosen = below(request.query_params.get("conversation"))
        if "conversation" in request.query_params and chosen is None:
            raise InvalidRequest("conversation must be an id.", param="conversation")
        with tenancy.scope(actor.organization_id):
            rows = TurnRecord.objects.filter(**({"conversation_id": chosen} if chosen else {}))
            found, answer = page(request, rows)
            return listed(answer, [bodies.turn_body(row) for row in found])


class MarkView(AsyncAPIView):
    @extend_schema(
        operation_id="mark_intent",
        summary="Say what a visitor meant",
        description="The turn is marked, and its words are an example from now on.",
        tags=TAGS,
        parameters=[ID],
        request=bodies.MarkIntent,
        responses={200: bodies.IntentExampleBody, **problems(*WRITE_FAILURES, 404)},
    )
    @in_thread
    def post(self, request: Request, id: str) -> Response:
        values, actor = checked(bodies.MarkIntent, request, WRITE), api_actor(request)
        row = learning.mark_intent(actor, parse_id(id, NO_RECORD), values["intent"])
        with tenancy.scope(actor.organization_id):
            row.refresh_from_db(fields=["created_at"])
        return Response(bodies.example_body(row))


def _run(actor: Actor, id: UUID, status: int = 200) -> Response:
    """In whatever right the caller has got here."""
    with tenancy.scope(actor.organization_id):
        return Response(bodies.run_body(TrainingRun.objects.select_related("dataset").get(pk=id)), status=status)
