"""Bodies of runs and opinions: what may be asked for, and what they look like."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from rest_framework import serializers

from apps.core.errors import InvalidRequest
from apps.core.fields import LARGEST, Id, Number, OneOf, StrictSerializer, Text, WholeNumber
from apps.core.jobs import Status
from apps.studio.api.serializers import CreateGeneration, CreateGenerationSchema
from apps.studio.models import Feedback, Run, RunKind, RunStep, RunVote, Variant, Verdict
from apps.studio.services.feedback import LONGEST_COMMENT, REASONS
from apps.studio.services.runs import MOST_VARIANTS, RunRequest, RunView


class CreateRun(CreateGeneration):
    """A generation to be, several times: `variants` with neighbouring seeds, at `temperatures`, or by two `models`."""

    variants = WholeNumber(required=False, min_value=1, max_value=MOST_VARIANTS, help_text="Default 3.")
    temperatures = serializers.ListField(
        child=Number(min_value=0, max_value=2), required=False, min_length=2, max_length=MOST_VARIANTS
    )
    models = serializers.ListField(
        child=Text(max_length=120), required=False, min_length=2, max_length=2, help_text="Their order is shuffled."
    )
    parent = Id(  # type: ignore[assignment]
        required=False, allow_null=True, help_text="The variant from which the run comes."
    )

    seed = WholeNumber(
        required=False,
        allow_null=True,
        min_value=-LARGEST,
        max_value=LARGEST - MOST_VARIANTS + 1,
        help_text="Of the first variant; with `variants` each of the others has the next. Default random.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        ways = [name for name in ("variants", "temperatures", "models") if name in attrs]
        if len(ways) > 1:
            raise InvalidRequest("Give at most one of variants, temperatures and models.", param=ways[1])
        return attrs

    def request(self) -> RunRequest:
        values = self.validated_data
        kind = RunKind.SEEDS
        if "temperatures" in values:
            kind = RunKind.TEMPERATURES
        elif "models" in values:
            kind = RunKind.MODELS
        parent = values.get("parent")
        return RunRequest(
            spec=self.spec(),
            kind=kind,
            count=values.get("variants", 3),
            temperatures=tuple(values.get("temperatures", ())),
            models=tuple(values.get("models", ())),
            parent=parent,
            step=RunStep.BRANCH if parent else RunStep.FIRST,
        )


class CreateRunSchema(CreateGenerationSchema):
    """Says in the schema as well that variants differ in one way only, and that none of it is given twice."""

    target_class = CreateRun

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema = super().map_serializer(auto_schema, direction)
        for name in ("temperatures", "models"):
            schema["properties"][name]["uniqueItems"] = True
        pairs = (("variants", "temperatures"), ("variants", "models"), ("temperatures", "models"))
        return {**schema, "allOf": [{"not": {"required": list(pair)}} for pair in pairs]}


class OpinionFields(StrictSerializer):
    reasons = serializers.ListField(
        child=serializers.ChoiceField(list(REASONS)), required=False, max_length=len(REASONS)
    )
    comment = Text(required=False, allow_blank=True, max_length=LONGEST_COMMENT)


class CastVote(OpinionFields):
    """Which of two texts is better, and why."""

    verdict = serializers.ChoiceField(Verdict.choices)
    winner = Id(required=False, allow_null=True, help_text="With `better`: the better variant.")


class CastVoteSchema(OpenApiSerializerExtension):
    """Says in the schema as well that there is a winner with `better`, and with nothing else."""

    target_class = CastVote

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        better = {"properties": {"verdict": {"enum": ["better"]}, "winner": {"type": "string"}}, "required": ["winner"]}
        other = {"properties": {"verdict": {"enum": ["tie", "neither"]}, "winner": {"type": "null"}}}
        return {**schema, "oneOf": [better, other]}


class GiveFeedback(OpinionFields):
    """A thumb up or down, and why."""

    rating = OneOf([1, -1])


# ---------------------------------------------------------------- what comes back


class VariantBody(serializers.Serializer):
    id = serializers.UUIDField()
    position = serializers.IntegerField(help_text="From 0, from the left.")
    generation = serializers.UUIDField(allow_null=True, help_text="What it is followed, read and stopped as.")
    status = serializers.ChoiceField(Status.choices, allow_null=True)
    model = serializers.CharField(allow_null=True, help_text="Null in a run of two models until you have voted.")
    seed = serializers.IntegerField(allow_null=True)
    temperature = serializers.FloatField(allow_null=True)
    text = serializers.CharField(allow_null=True)
    repeats_exactly = serializers.BooleanField(allow_null=True, help_text="Of an exact repetition: whether it was one.")


class VoteBody(serializers.Serializer):
    verdict = serializers.ChoiceField(Verdict.choices)
    winner = serializers.UUIDField(allow_null=True)
    reasons = serializers.ListField(child=serializers.CharField())
    comment = serializers.CharField(allow_blank=True)


class RunBody(serializers.Serializer):
    """A run as `run_body` writes it; only for the schema."""

    id = serializers.UUIDField()
    object = serializers.ChoiceField(["run"])
    kind = serializers.ChoiceField(RunKind.choices)
    step = serializers.ChoiceField(RunStep.choices)
    title = serializers.CharField()
    parent = serializers.UUIDField(  # type: ignore[assignment]
        allow_null=True, help_text="The variant from which it came."
    )
    root = serializers.UUIDField(help_text="The first run of the tree.")  # type: ignore[assignment]
    variants = VariantBody(many=True)
    vote = VoteBody(allow_null=True, help_text="Your own.")
    created_at = serializers.DateTimeField()


def variant_body(variant: Variant, hidden: bool, same: bool | None = None) -> dict[str, Any]:
    written = variant.generation
    return {
        "id": str(variant.pk),
        "position": variant.position,
        "generation": str(variant.generation_id) if variant.generation_id else None,
        "status": written.status if written is not None else None,
        "model": None if hidden else variant.model.name,
        "seed": written.seed if written is not None else None,
        "temperature": written.temperature if written is not None else None,
        "text": written.text if written is not None else None,
        "repeats_exactly": same,
    }


def vote_body(vote: RunVote) -> dict[str, Any]:
    winner = str(vote.winner_id) if vote.winner_id else None
    return {"verdict": vote.verdict, "winner": winner, "reasons": vote.reasons, "comment": vote.comment}


def run_body(run: Run, variants: list[dict[str, Any]], vote: RunVote | None = None) -> dict[str, Any]:
    return {
        "id": str(run.pk),
        "object": "run",
        "kind": run.kind,
        "step": run.step,
        "title": run.title,
        "parent": str(run.parent_id) if run.parent_id else None,
        "root": str(run.root),
        "variants": variants,
        "vote": vote_body(vote) if vote else None,
        "created_at": run.created_at,
    }


def view_body(view: RunView) -> dict[str, Any]:
    variants = [variant_body(text.variant, view.hidden, text.same) for text in view.texts]
    return run_body(view.run, variants, view.vote)


class PairBody(serializers.Serializer):
    first = serializers.CharField()
    second = serializers.CharField()
    first_wins = serializers.IntegerField()
    second_wins = serializers.IntegerField()
    ties = serializers.IntegerField()
    neither = serializers.IntegerField()
    win_rate = serializers.FloatField(allow_null=True, help_text="Of the first; a tie is half a win for each.")
    low = serializers.FloatField(allow_null=True, help_text="Of the 95 % interval (Wilson).")
    high = serializers.FloatField(allow_null=True)


class StrengthBody(serializers.Serializer):
    model = serializers.CharField()
    strength = serializers.FloatField(help_text="Bradley-Terry, on the scale of Elo; the mean is 1000.")


class ResultsBody(serializers.Serializer):
    object = serializers.ChoiceField(["run_results"])
    pairs = PairBody(many=True)
    models = StrengthBody(many=True)


class FeedbackBody(serializers.Serializer):
    object = serializers.ChoiceField(["feedback"])
    generation = serializers.UUIDField()
    rating = serializers.ChoiceField([1, -1])
    reasons = serializers.ListField(child=serializers.CharField())
    comment = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    changed_at = serializers.DateTimeField()


def feedback_body(row: Feedback) -> dict[str, Any]:
    names = ("rating", "reasons", "comment", "created_at", "changed_at")
    return {"object": "feedback", "generation": str(row.generation_id)} | {name: getattr(row, name) for name in names}


class OutputBody(serializers.Serializer):
    generation = serializers.UUIDField()
    model = serializers.CharField()
    text = serializers.CharField()
    status = serializers.ChoiceField(Status.choices)
    finish_reason = serializers.CharField(allow_null=True)
    parameters = serializers.DictField()


class RecordBody(serializers.Serializer):
    """A vote (`verdict`, `winner`, and two outputs) or a thumb (`rating`, and one output)."""

    id = serializers.UUIDField()
    object = serializers.ChoiceField(["evaluation_record"])
    kind = serializers.ChoiceField(["preference", "rating"])
    messages = serializers.ListField(child=serializers.DictField(), allow_null=True)
    prompt = serializers.CharField(allow_null=True)
    brief = serializers.DictField(allow_null=True)
    outputs = OutputBody(many=True)
    verdict = serializers.ChoiceField(Verdict.choices, required=False)
    winner = serializers.IntegerField(required=False, allow_null=True, help_text="Its place among the outputs.")
    rating = serializers.ChoiceField([1, -1], required=False)
    reasons = serializers.ListField(child=serializers.CharField())
    comment = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
