"""Safety rules over REST: the rules in force, a check of a text, and classifiers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.api.base import CURSOR, ID, LIMIT, NewestFirst, checked, listed, page
from apps.accounts.authentication import api_actor
from apps.core import tenancy
from apps.core.api import AsyncAPIView, in_thread, parse_id
from apps.core.errors import NotFound
from apps.core.fields import Flag, Number, StrictSerializer, Text, WholeNumber
from apps.core.schema import READ, WRITE, problems
from apps.studio.api.admission import CALLBACK
from apps.studio.api.fields import not_blank
from apps.studio.api.serializers import Finding
from apps.studio.models import SafetyClassifier, SafetyPolicy
from apps.studio.safety_forms import LONGEST_TEST
from apps.studio.services import safety
from apps.studio.services.safety.rules import MOST_CHARS
from apps.webhooks.api.callbacks import CallbackFields
from ml.safety import ACTIONS, KINDS, Originals, mask, strongest

TAGS = ["Safety"]
NO_CLASSIFIER = "There is no classifier with this id."
ACTION: Any = list(ACTIONS)


class ListBody(StrictSerializer):
    name = Text(max_length=80, validators=[not_blank])
    terms = serializers.ListField(child=Text(max_length=120), max_length=2000)
    prompt = serializers.ChoiceField(ACTION, default="off")
    output = serializers.ChoiceField(ACTION, default="off")


class PersonalBody(StrictSerializer):
    kinds = serializers.ListField(child=serializers.ChoiceField(list(KINDS)), default=list)
    prompt = serializers.ChoiceField(ACTION, default="off")
    output = serializers.ChoiceField(ACTION, default="off")
    restore = Flag(default=False)


class ScoredBody(StrictSerializer):
    id = Text(max_length=36, allow_blank=True, default="")
    threshold = Number(min_value=0.01, max_value=1, default=0.5)
    prompt = serializers.ChoiceField(ACTION, default="off")
    output = serializers.ChoiceField(ACTION, default="off")


class LengthBody(StrictSerializer):
    prompt = WholeNumber(min_value=1, max_value=MOST_CHARS, allow_null=True, default=None)
    output = WholeNumber(min_value=1, max_value=MOST_CHARS, allow_null=True, default=None)
    output_action = serializers.ChoiceField(ACTION, default="mark")


class RulesBody(StrictSerializer):
    lists = ListBody(many=True, default=list)
    personal = PersonalBody(required=False)
    classifier = ScoredBody(required=False)
    length = LengthBody(required=False)


class SafetyPolicyBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["safety_policy"])
    number = serializers.IntegerField(help_text="The version; 0 where nothing was ever set.")
    rules = RulesBody()
    holds_back = serializers.BooleanField(help_text="Outputs are read when they are finished and checked, not before.")
    created_at = serializers.DateTimeField(allow_null=True)


class CheckBody(StrictSerializer):
    text = Text(max_length=LONGEST_TEST)
    side = serializers.ChoiceField(["prompt", "output"], default="prompt")


class CheckedBody(serializers.Serializer[Any]):
    object = serializers.ChoiceField(["safety_check"])
    action = serializers.ChoiceField(ACTION, help_text="The most that is done about any finding.")
    text = serializers.CharField(allow_null=True, help_text="As it would go on; null where it is refused.")
    findings = Finding(many=True)


class ExampleBody(StrictSerializer):
    text = Text(max_length=4000)
    refuse = Flag()


class TrainBody(CallbackFields):
    name = Text(max_length=80, validators=[not_blank])
    examples = ExampleBody(many=True)


class PointBody(serializers.Serializer[Any]):
    threshold = serializers.FloatField()
    precision = serializers.FloatField(allow_null=True)
    recall = serializers.FloatField()
    flagged = serializers.IntegerField()


class ClassifierBody(serializers.Serializer[Any]):
    id = serializers.UUIDField()
    object = serializers.ChoiceField(["safety_classifier"])
    number = serializers.IntegerField()
    name = serializers.CharField()
    status = serializers.ChoiceField(["queued", "running", "succeeded", "failed", "cancelled"])
    refused_count = serializers.IntegerField()
    allowed_count = serializers.IntegerField()
    average_precision = serializers.FloatField(allow_null=True)
    curve = PointBody(many=True, help_text="Measured on texts that the classifier had not been shown.")
    created_at = serializers.DateTimeField()


class PolicyView(AsyncAPIView):
    """What is looked for in prompts and outputs."""

    @extend_schema(
        operation_id="get_safety_policy",
        summary="Get the safety rules",
        tags=TAGS,
        responses={200: SafetyPolicyBody, **problems(*READ)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(safety.MANAGE)
        with tenancy.scope(actor.organization_id):
            return Response(_policy(safety.current_policy()))

    @extend_schema(
        operation_id="set_safety_policy",
        summary="Set the safety rules",
        description="Replaces all of them, for every prompt from now on; what is left out is off.",
        tags=TAGS,
        request=RulesBody,
        responses={200: SafetyPolicyBody, **problems(*WRITE, 422)},
    )
    @in_thread
    def put(self, request: Request) -> Response:
        values = checked(RulesBody, request, safety.MANAGE)
        row = safety.change_policy(api_actor(request), safety.Rules.read(values))
        with tenancy.scope(row.organization_id):
            row.refresh_from_db(fields=["created_at"])
        return Response(_policy(row))


class CheckView(AsyncAPIView):
    @extend_schema(
        operation_id="check_text",
        summary="Check a text by the rules in force",
        description="Nothing of it is kept.",
        tags=TAGS,
        request=CheckBody,
        responses={200: CheckedBody, **problems(*WRITE)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values, actor = checked(CheckBody, request, safety.MANAGE), api_actor(request)
        found = safety.try_text(actor, values["text"], values["side"])
        refused, result = strongest(found) == "block", mask(values["text"], found, Originals())
        return Response(
            {
                "object": "safety_check",
                "action": strongest(found),
                "text": None if refused else result.text,
                "findings": [asdict(each) for each in (found if refused else result.findings)],
            }
        )


class ClassifiersView(AsyncAPIView):
    """Classifiers in their versions."""

    pagination_class = NewestFirst

    @extend_schema(
        operation_id="list_safety_classifiers",
        summary="List classifiers, newest first",
        tags=TAGS,
        parameters=[LIMIT, CURSOR],
        responses={200: ClassifierBody(many=True), **problems(*READ, 400, 404)},
    )
    @in_thread
    def get(self, request: Request) -> Response:
        actor = api_actor(request)
        actor.require(safety.MANAGE)
        with tenancy.scope(actor.organization_id):
            found, answer = page(request, SafetyClassifier.objects.defer("weights", "examples"))
            return listed(answer, [classifier_body(row) for row in found])

    @extend_schema(
        operation_id="train_safety_classifier",
        summary="Train a classifier",
        description="From at least 10 examples of each kind; a worker trains it, and `status` says when it is done. "
        "The result is sent to `callback_url` or `callback_endpoint`, where one is given.",
        tags=TAGS,
        request=TrainBody,
        responses={202: ClassifierBody, **problems(*WRITE, 404, 409, 422)},
    )
    @in_thread
    def post(self, request: Request) -> Response:
        values = checked(TrainBody, request, safety.MANAGE)
        examples = [(one["text"], one["refuse"]) for one in values["examples"]]
        callback = {name: values[name] for name in CALLBACK if name in values}
        row = safety.train_classifier(api_actor(request), values["name"], examples, callback)
        with tenancy.scope(row.organization_id):
            row.refresh_from_db(fields=["created_at"])
        return Response(classifier_body(row), status=202)


class ClassifierView(AsyncAPIView):
    @extend_schema(
        operation_id="get_safety_classifier",
        summary="Get a classifier",
        tags=TAGS,
        parameters=[ID],
        responses={200: ClassifierBody, **problems(*READ, 404)},
    )
    @in_thread
    def get(self, request: Request, id: str) -> Response:
        actor, wanted = api_actor(request), parse_id(id, NO_CLASSIFIER)
        actor.require(safety.MANAGE)
        with tenancy.scope(actor.organization_id):
            row = SafetyClassifier.objects.defer("weights", "examples").filter(pk=wanted).first()
        if row is None:
            raise NotFound(NO_CLASSIFIER)
        return Response(classifier_body(row))


def _policy(row: SafetyPolicy | None) -> dict[str, Any]:
    rules = safety.Rules.read(row.rules if row else {})
    return {
        "object": "safety_policy",
        "number": row.number if row else 0,
        "rules": rules.stored(),
        "holds_back": safety.policy_of(rules).changes_output(),
        "created_at": row.created_at if row else None,
    }


def classifier_body(row: SafetyClassifier) -> dict[str, Any]:
    names = "number name status refused_count allowed_count average_precision curve created_at"
    return {"id": row.pk, "object": "safety_classifier"} | {name: getattr(row, name) for name in names.split()}
